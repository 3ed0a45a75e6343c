"""CGAN: draws a given character in the hand of a given writer.

A class id for each character would need samples of each. Here the printed glyph stands for the character: a
network makes maps of it, so that characters without a real sample can be written too. The finer maps join the
decoder as in a U-Net, because nothing but the discriminator says where strokes belong; writer and noise scale and
shift them there, or all hands would look like print. The discriminator compares its features with those of the
glyph and of the writer by inner products.

References:
    Mirza and Osindero 2014, conditional GANs, https://arxiv.org/abs/1411.1784
    Miyato and Koyama 2018, the projection discriminator, https://arxiv.org/abs/1802.05637
    Miyato et al. 2018, spectral normalisation, https://arxiv.org/abs/1802.05957
    Ronneberger et al. 2015, maps of the encoder that join the decoder, https://arxiv.org/abs/1505.04597
"""

from typing import Any

import keras
from keras import layers, ops

from zoo import dcgan, gan
from zoo import layers as blocks

_COARSE = 8  # Side of the map that the glyph becomes; on 4 by 4 places the strokes of 轟 are lost.


def cgan(writers: int, size: int = 64, latent: int = 32, width: int = 32, style: int = 32) -> keras.Model:
    """Draws characters.

    Args:
        writers: Number of writers.
        size: Side of the pictures in pixels, 8 times a power of 2.
        latent: Numbers of the noise.
        width: Channels of the widest maps; coarser maps have twice as many each.
        style: Numbers that describe a writer.

    Returns:
        A model from `noise`, float32 (N, latent), `glyph`, the printed character, uint8 (N, size, size, 1),
        and `writer`, int32 (N,), to `{"image": float32 (N, size, size, 1)}`.

    Raises:
        ValueError: `size` is not 8 times a power of 2.
    """
    doublings = blocks.halvings(size) - 1
    if doublings < 1:
        raise ValueError(f"`size` must be at least 16. Received: size={size}.")
    noise = keras.Input((latent,), name="noise")
    writer = keras.Input((), dtype="int32", name="writer")
    glyph, x = blocks.ink(size, name="glyph")
    maps = []
    for number in range(doublings):
        x = layers.Conv2D(width * 2**number, 5, 2, "same", use_bias=False, name=f"glyph{number}")(x)
        x = layers.BatchNormalization(name=f"glyph{number}_norm")(x)
        x = layers.LeakyReLU(0.2, name=f"glyph{number}_relu")(x)
        maps.append(x)
    hand = layers.Concatenate(name="hand")([noise, layers.Embedding(writers, style, name="writers")(writer)])
    spread = layers.Dense(_COARSE * _COARSE * width, name="spread")(hand)
    x = layers.Concatenate(name="map")(
        [x, layers.Reshape((_COARSE, _COARSE, width), name="spread_map")(spread)]
    )
    x = layers.Conv2D(width * 2**doublings, 3, padding="same", use_bias=False, name="mix")(x)
    inputs = {"noise": noise, "glyph": glyph, "writer": writer}
    written = [blocks.in_hand(one, hand, f"skip{number}") for number, one in enumerate(maps[-2::-1])]
    x = dcgan.decoder(x, doublings, width, written)
    return keras.Model(inputs, blocks.drawn(x), name="cgan")


def discriminator(writers: int, size: int = 64, width: int = 32) -> keras.Model:
    """Says how much a picture looks like a given character in a given hand.

    Args:
        writers: Number of writers.
        size: Side of the pictures in pixels, 4 times a power of 2.
        width: Channels of the first map; each map after it has half the side and twice the channels.

    Returns:
        A model from `image`, float32 (N, size, size, 1) in 0 ... 255, `glyph`, uint8 (N, size, size, 1), and
        `writer`, int32 (N,), to a score, float32 (N, 1).

    Raises:
        ValueError: `size` is not 4 times a power of 2.
    """
    halvings = blocks.halvings(size)
    image, x = blocks.judged(size)
    writer = keras.Input((), dtype="int32", name="writer")
    glyph, y = blocks.ink(size, name="glyph")
    for number in range(halvings):
        x = _convolution(x, width * 2**number, f"image{number}")
        y = _convolution(y, width * 2**number, f"glyph{number}")
    features = layers.GlobalAveragePooling2D(name="features")(x)
    hand = layers.Embedding(writers, features.shape[-1], embeddings_initializer="zeros", name="writers")(
        writer
    )
    # The glyph projects place by place, so that a stroke must stand where it belongs.
    y = layers.Conv2D(x.shape[-1], 1, kernel_initializer="zeros", name="glyph_projection")(y)
    score = layers.Add(name="score")(
        [
            layers.Dense(1, name="real")(features),
            layers.Dot(1, name="of_writer")([features, hand]),
            layers.Dot(1, name="of_glyph")([layers.Flatten(name="x")(x), layers.Flatten(name="y")(y)]),
        ]
    )
    return keras.Model({"image": image, "glyph": glyph, "writer": writer}, score, name="discriminator")


class Cgan(gan.Adversarial):
    """Trains a conditional generator with the hinge loss.

    Args:
        generator: From conditions to a picture.
        writers: Number of writers.
        width: Channels of the discriminator's first maps.
    """

    NEEDS = frozenset({"glyph", "writer"})

    def __init__(self, generator: keras.Model, writers: int, width: int = 32) -> None:
        super().__init__(generator, discriminator(writers, generator.output["image"].shape[1], width))

    def discriminator_loss(self, real: Any, batch: gan.Batch) -> Any:
        drawn = ops.stop_gradient(self.draw(batch))
        return ops.mean(ops.relu(1 - self.judge(real, batch))) + ops.mean(
            ops.relu(1 + self.judge(drawn, batch))
        )

    def generator_loss(self, batch: gan.Batch) -> dict[str, Any]:
        return {"adversarial": -ops.mean(self.judge(self.draw(batch), batch))}


def _convolution(x: keras.KerasTensor, width: int, name: str) -> keras.KerasTensor:
    convolution = layers.Conv2D(width, 5, 2, "same", name=name)
    x = layers.SpectralNormalization(convolution, name=f"{name}_spectral")(x)
    return layers.LeakyReLU(0.2, name=f"{name}_relu")(x)
