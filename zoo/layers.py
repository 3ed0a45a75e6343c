"""Blocks that two or more models share."""

import keras
from keras import layers


def ink(size: int, channels: int = 1, name: str = "image") -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """The input of a network that looks at single characters, and its ink.

    Returns:
        The input of this name, uint8 (N, size, size, channels), dark ink on light paper; and float
        (N, size, size, channels), 1 for ink and 0 for paper, so that zero padding looks like paper.
    """
    image = keras.Input((size, size, channels), dtype="uint8", name=name)
    return image, layers.Rescaling(-1 / 255, offset=1.0, name="ink")(image)


def embedding(features: keras.KerasTensor, rank: int) -> keras.KerasTensor:
    """The first half of a low-rank head: (N, F) to (N, rank), normalised around zero."""
    x = layers.Dense(rank, use_bias=False, name="embedding")(features)
    return layers.BatchNormalization(name="embedding_norm")(x)


def named_logits(scores: keras.KerasTensor) -> dict[str, keras.KerasTensor]:
    """The output of a classifier: `logits`, float32 even where the network computes in less."""
    return {"logits": layers.Activation("linear", dtype="float32", name="logits")(scores)}


def drawn(x: keras.KerasTensor) -> dict[str, keras.KerasTensor]:
    """The output of a generator: `image`, float32 in 0 ... 255, of a map in -1 ... 1."""
    return {"image": layers.Rescaling(127.5, offset=127.5, dtype="float32", name="image")(x)}


def judged(size: int, channels: int = 1) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """The input of a discriminator.

    Returns:
        `image`, float32 (N, size, size, channels) in 0 ... 255, and the same in -1 ... 1.
    """
    image = keras.Input((size, size, channels), name="image")
    return image, layers.Rescaling(1 / 127.5, offset=-1.0, name="judged")(image)


def in_hand(x: keras.KerasTensor, hand: keras.KerasTensor, name: str) -> keras.KerasTensor:
    """Conditional batch normalisation and ReLU: what describes a hand, (N, style), says mean and scale of each channel.

    Not adaptive instance normalisation: LiteRT aborts on its roots of integer variances.

    Reference:
        de Vries et al. 2017, https://arxiv.org/abs/1707.00683
    """
    channels = x.shape[-1]
    x = layers.BatchNormalization(center=False, scale=False, name=f"{name}_norm")(x)
    scale, shift = (
        layers.Reshape((1, 1, channels), name=f"{name}_{part}_map")(
            layers.Dense(channels, bias_initializer=bias, name=f"{name}_{part}")(hand)
        )
        for part, bias in (("scale", "ones"), ("shift", "zeros"))
    )
    return layers.ReLU(name=f"{name}_relu")(x * scale + shift)


def halvings(size: int) -> int:
    """How often the side of a picture halves until 4 is left.

    Raises:
        ValueError: `size` is not 4 times a power of 2, 8 at least.
    """
    times = size.bit_length() - 3
    if times < 1 or size != 4 << times:
        raise ValueError(f"`size` must be 4 times a power of 2, at least 8. Received: size={size}.")
    return times
