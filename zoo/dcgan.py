"""DCGAN: a GAN of convolutions only.

The guidelines of the paper: strided convolutions instead of pooling, in the generator transposed ones; batch
normalisation everywhere but at the picture; no dense hidden layers; ReLU in the generator, LeakyReLU with
slope 0.2 in the discriminator; weights from N(0, 0.02). The paper trains with Adam at 0.0002 with beta1 0.5,
128 pictures at a time. Where there are few characters, both networks may be told which one is meant.

References:
    Radford et al. 2016, https://arxiv.org/abs/1511.06434
    Mirza and Osindero 2014, networks that are told the class, https://arxiv.org/abs/1411.1784
    Miyato and Koyama 2018, how the discriminator is told, https://arxiv.org/abs/1802.05637
"""

from collections.abc import Sequence

import keras
from keras import layers

from zoo import gan
from zoo import layers as blocks


def dcgan(size: int = 64, latent: int = 100, width: int = 128, classes: int = 0) -> keras.Model:
    """Draws pictures from noise.

    Args:
        size: Side of the picture in pixels, 4 times a power of 2.
        latent: Numbers of the noise.
        width: Channels of the last map before the picture; each map before it has half the side and twice
            the channels, down to 4 by 4.
        classes: Number of characters of which it draws the one that it is asked for; 0, as in the paper, draws any.

    Returns:
        A model from `noise`, float32 (N, latent), and with `classes` from `label`, int32 (N,), 0 ... classes - 1, to
        `{"image": float32 (N, size, size, 1)}`.

    Raises:
        ValueError: `size` is not 4 times a power of 2, or `classes` is 1.
    """
    if classes == 1:
        raise ValueError("`classes` must be 0, or 2 and more. Received: classes=1.")
    halvings = blocks.halvings(size)
    inputs = {"noise": keras.Input((latent,), name="noise")}
    x = inputs["noise"]
    if classes:
        inputs["label"] = keras.Input((), dtype="int32", name="label")
        # As few numbers as there are characters: more of them drown the noise, and each is drawn always the same.
        named = layers.Embedding(classes, classes, embeddings_initializer="identity", name="labels")
        x = layers.Concatenate(name="asked")([x, named(inputs["label"])])
    channels = width * 2 ** (halvings - 1)
    x = layers.Dense(16 * channels, use_bias=False, kernel_initializer=_normal(), name="project")(x)
    x = layers.Reshape((4, 4, channels), name="map")(x)
    return keras.Model(inputs, blocks.drawn(decoder(x, halvings, width)), name="dcgan")


def classes_of(generator: keras.Model) -> int:
    """Of how many characters a generator draws the one that it is asked for by `label`; 0 if nobody can ask."""
    return generator.get_layer("labels").input_dim if "label" in generator.input else 0


def decoder(
    x: keras.KerasTensor, doublings: int, width: int, joined: Sequence[keras.KerasTensor] = ()
) -> keras.KerasTensor:
    """The transposed convolutions of the generator: a map becomes a picture in -1 ... 1.

    Args:
        x: Map (N, side, side, channels), not normalised yet.
        doublings: How often the side doubles.
        width: Channels of the last map before the picture.
        joined: Further maps that join those between the doublings, one for each, from coarse to fine.
    """
    for number in range(doublings):
        x = layers.BatchNormalization(gamma_initializer=_normal(1.0), name=f"up{number}_norm")(x)
        x = layers.ReLU(name=f"up{number}_relu")(x)
        if number and joined:
            x = layers.Concatenate(name=f"up{number}_joined")([x, joined[number - 1]])
        if number == doublings - 1:
            break
        x = _doubled(x, width * 2 ** (doublings - 2 - number), f"up{number}", use_bias=False)
    x = _doubled(x, 1, f"up{doublings - 1}", use_bias=True)
    return layers.Activation("tanh", name="tanh")(x)


def discriminator(
    size: int = 64, width: int = 128, epsilon: float | None = 1e-3, classes: int = 0
) -> keras.Model:
    """Tells real pictures from drawn ones, or as a critic says how real they are.

    Args:
        size: Side of the picture in pixels, 4 times a power of 2.
        width: Channels of the first map; each map after it has half the side and twice the channels, down
            to 4 by 4.
        epsilon: Of the batch normalisation of all maps but the first; None for no normalisation.
        classes: Number of characters; with 0 it is not told which one a picture should show.

    Returns:
        A model from `image`, float32 (N, size, size, 1) in 0 ... 255, and with `classes` from `label`, int32 (N,), to a
        logit or score, float32 (N, 1).

    Raises:
        ValueError: `size` is not 4 times a power of 2.
    """
    image, x = blocks.judged(size)
    features = layers.Flatten(name="features")(_encoder(x, blocks.halvings(size), width, epsilon))
    real = layers.Dense(1, kernel_initializer=_normal(), name="real")(features)
    if not classes:
        return keras.Model(image, real, name="discriminator")
    label = keras.Input((), dtype="int32", name="label")
    named = layers.Embedding(classes, features.shape[-1], embeddings_initializer="zeros", name="labels")
    score = layers.Add(name="score")([real, layers.Dot(1, name="of_label")([features, named(label)])])
    return keras.Model({"image": image, "label": label}, score, name="discriminator")


def _encoder(x: keras.KerasTensor, halvings: int, width: int, epsilon: float | None) -> keras.KerasTensor:
    """The strided convolutions of the discriminator: a picture in -1 ... 1 becomes a map 4 by 4."""
    for number in range(halvings):
        normalised = number > 0 and epsilon is not None
        name = f"down{number}"
        x = layers.Conv2D(
            width * 2**number, 5, 2, "same", use_bias=not normalised, kernel_initializer=_normal(), name=name
        )(x)
        if normalised:
            x = layers.BatchNormalization(
                epsilon=epsilon, gamma_initializer=_normal(1.0), name=f"{name}_norm"
            )(x)
        x = layers.LeakyReLU(0.2, name=f"{name}_relu")(x)
    return x


class Dcgan(gan.Gan):
    """The game of `zoo.gan` with the discriminator of DCGAN.

    Args:
        generator: From noise, and the character that is asked for, to a picture.
        width: Channels of the discriminator's first map.
    """

    def __init__(self, generator: keras.Model, width: int = 128) -> None:
        size = generator.output["image"].shape[1]
        super().__init__(generator, discriminator(size, width, classes=classes_of(generator)))


def _doubled(x: keras.KerasTensor, width: int, name: str, use_bias: bool) -> keras.KerasTensor:
    return layers.Conv2DTranspose(
        width, 5, 2, "same", use_bias=use_bias, kernel_initializer=_normal(), name=name
    )(x)


def _normal(mean: float = 0.0) -> keras.initializers.Initializer:
    return keras.initializers.RandomNormal(mean, 0.02)
