"""pix2pix: a printed glyph becomes the same character in a writer's hand.

A U-Net draws, a PatchGAN judges small patches beside the glyph, and the drawn picture is also held to the
real one pixel by pixel, here half by coarse pixels, and where the real one holds ink more than where it is paper:
thin strokes fade otherwise. As in zi2zi, one network learns many hands: a vector for each writer joins at the
bottleneck, the drawn picture must keep the glyph's features (constancy), and the discriminator names the writer of
real pictures (category). The U-Net normalises each picture by itself, as in the paper, whose batches hold one, so
that a bold hand does not change a thin one. Unlike in the papers nothing is dropped where it only draws, so that a
glyph becomes one picture, and the discriminator does not learn the names of drawn ones.

References:
    Isola et al. 2017, https://arxiv.org/abs/1611.07004
    Tian 2017, zi2zi, https://github.com/kaonashi-tyc/zi2zi
    Odena et al. 2017, a discriminator that names the class, https://arxiv.org/abs/1610.09585
"""

from typing import Any

import keras
from keras import layers, ops

from zoo import gan
from zoo import layers as blocks

_MOST = 8  # Widest maps of the U-Net, in multiples of its width, as in the paper.
_INK = 3.0  # How much more than paper the blackest ink weighs where drawn and real pictures are compared.
_DROPPED = 3  # The first maps of the decoder that the paper drops half of.


def pix2pix(writers: int, size: int = 64, width: int = 64, style: int = 64) -> keras.Model:
    """Writes a printed character by hand.

    Args:
        writers: Number of writers.
        size: Side of the pictures in pixels, a power of 2.
        width: Channels of the first map. Each map has half the side of the one before and twice the
            channels, at most 8 times `width`, down to a single place.
        style: Numbers that describe a writer.

    Returns:
        A model from `glyph`, uint8 (N, size, size, 1), and `writer`, int32 (N,), to
        `{"image": float32 (N, size, size, 1)}`.

    Raises:
        ValueError: `size` is not a power of 2.
    """
    blocks.halvings(size)
    writer = keras.Input((), dtype="int32", name="writer")
    glyph, x = blocks.ink(size, name="glyph")
    maps = encoder(x, width)
    hand = layers.Embedding(writers, style, name="writers")(writer)
    hand = layers.Reshape((1, 1, style), name="hand")(hand)
    x = layers.Concatenate(name="bottleneck_of_hand")([maps.pop(), hand])
    for number, skipped in enumerate([*maps[::-1], None]):
        name = f"up{number}"
        if number:
            x = layers.ReLU(name=f"{name}_relu")(x)
        channels = 1 if skipped is None else skipped.shape[-1]
        plain = skipped is None or not number
        x = layers.Conv2DTranspose(channels, 4, 2, "same", use_bias=plain, name=name)(x)
        if skipped is None:
            break
        if number:  # Four places tell no mean and variance, and would lose what the hand says.
            x = layers.GroupNormalization(-1, name=f"{name}_norm")(x)
        if number < _DROPPED:
            x = layers.Dropout(0.5, name=f"{name}_dropout")(x)
        x = layers.Concatenate(name=f"{name}_joined")([x, skipped])
    x = layers.Activation("tanh", name="tanh")(x)
    return keras.Model({"glyph": glyph, "writer": writer}, blocks.drawn(x), name="pix2pix")


def encoder(x: keras.KerasTensor, width: int) -> list[keras.KerasTensor]:
    """The maps of a U-Net's first half, from half the side of `x` down to a single place, named "bottleneck"."""
    maps: list[keras.KerasTensor] = []
    side = x.shape[1]
    while side > 1:
        number = len(maps)
        name = f"down{number}"
        if number:
            x = layers.LeakyReLU(0.2, name=f"{name}_relu")(x)
        side //= 2
        plain = number == 0 or side < 4
        x = layers.Conv2D(width * min(2**number, _MOST), 4, 2, "same", use_bias=plain, name=name)(x)
        if not plain:
            x = layers.GroupNormalization(-1, name=f"{name}_norm")(x)
        elif side == 1:
            x = layers.ReLU(name="bottleneck")(x)
        maps.append(x)
    return maps


def discriminator(writers: int, size: int = 64, width: int = 64) -> keras.Model:
    """Judges each patch of a picture beside its glyph, and names the writer.

    Three convolutions that halve the map and one that does not: a patch is 46 pixels wide, most of a
    character of 64.

    Args:
        writers: Number of writers.
        size: Side of the pictures in pixels, a multiple of 8.
        width: Channels of the first map.

    Returns:
        A model from `image`, float32 (N, size, size, 1) in 0 ... 255, and `glyph`, uint8
        (N, size, size, 1), to `real`, logits (N, size // 8, size // 8, 1), and `writer`, logits
        (N, writers).
    """
    image, x = blocks.judged(size)
    glyph, printed = blocks.ink(size, name="glyph")
    x = layers.Concatenate(name="beside")([x, printed])
    for number in range(3):
        x = layers.Conv2D(width * 2**number, 4, 2, "same", use_bias=not number, name=f"down{number}")(x)
        if number:
            x = layers.BatchNormalization(name=f"down{number}_norm")(x)
        x = layers.LeakyReLU(0.2, name=f"down{number}_relu")(x)
    real = layers.Conv2D(1, 4, padding="same", name="real")(x)
    named = layers.Dense(writers, name="writer_logits")(layers.GlobalAveragePooling2D(name="features")(x))
    return keras.Model(
        {"image": image, "glyph": glyph}, {"real": real, "writer": named}, name="discriminator"
    )


class Pix2Pix(gan.Adversarial):
    """Trains on pairs of `glyph` and `image`. The paper uses Adam at 0.0002 with beta1 0.5.

    Args:
        generator: From a glyph and a writer to a picture.
        writers: Number of writers.
        width: Channels of the discriminator's first map.
        pixels: Weight of the difference of the pixels, see `zoo.gan.gap`.
        coarse: Weight of that of coarse pixels, see `zoo.gan.coarse_gap`.
        constancy: Weight of the difference between the features of glyph and drawn picture.
        category: Weight of the writer's name.
    """

    NEEDS = frozenset({"glyph", "writer"})

    def __init__(
        self,
        generator: keras.Model,
        writers: int,
        width: int = 64,
        pixels: float = 50.0,
        coarse: float = 50.0,
        constancy: float = 15.0,
        category: float = 1.0,
    ) -> None:
        super().__init__(generator, discriminator(writers, generator.output["image"].shape[1], width))
        glyph, bottleneck = generator.input["glyph"], generator.get_layer("bottleneck").output
        self._features = gan.of_floats(keras.Model(glyph, bottleneck), "ink")
        self._weights_of_losses = {
            "pixels": pixels,
            "coarse": coarse,
            "constancy": constancy,
            "category": category,
        }

    def discriminator_loss(self, real: Any, batch: gan.Batch) -> Any:
        drawn = ops.stop_gradient(self.draw(batch))
        of_real, of_drawn = (
            self.discriminator({"image": image, "glyph": batch["glyph"]}, training=True)
            for image in (real, drawn)
        )
        judged = gan.surprise(of_real["real"], 1.0) + gan.surprise(of_drawn["real"], 0.0)
        return 0.5 * judged + self._weights_of_losses["category"] * _named(of_real["writer"], batch["writer"])

    def generator_loss(self, batch: gan.Batch) -> dict[str, Any]:
        drawn = self.draw(batch)
        judged = self.discriminator({"image": drawn, "glyph": batch["glyph"]}, training=True)
        real = ops.cast(batch["image"], "float32")
        features = self._features(drawn) - self._features(ops.cast(batch["glyph"], "float32"))
        losses = {
            "pixels": gan.gap(real, drawn, _INK),
            "coarse": gan.coarse_gap(real, drawn, _INK),
            "constancy": ops.mean(ops.square(features)),
            "category": _named(judged["writer"], batch["writer"]),
        }
        weighted = {name: self._weights_of_losses[name] * value for name, value in losses.items()}
        return {"adversarial": gan.surprise(judged["real"], 1.0), **weighted}


def _named(logits: Any, writers: Any) -> Any:
    return ops.mean(ops.sparse_categorical_crossentropy(writers, logits, from_logits=True))
