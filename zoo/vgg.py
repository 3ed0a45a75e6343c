"""VGG-16: five stages of 3x3 convolutions and two wide dense layers.

References:
    Simonyan and Zisserman 2015, https://arxiv.org/abs/1409.1556
    Ioffe and Szegedy 2015, batch normalisation, https://arxiv.org/abs/1502.03167
"""

from typing import Literal

import keras
from keras import layers

from zoo import layers as blocks

STAGES = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))
"""Channels and convolutions of each stage; a maximum over 2x2 places ends it."""


def vgg16(
    classes: int = 1000,
    size: int = 224,
    channels: int = 3,
    width: float = 1.0,
    dense: int = 4096,
    dropout: float = 0.5,
    normalise: bool = False,
    pooling: Literal["flatten", "average"] = "flatten",
    embedding: int | None = None,
) -> keras.Model:
    """Classifies one picture. The defaults are the network of the paper.

    Args:
        classes: Number of classes.
        size: Side of the image in pixels; each of the five stages halves it.
        channels: 1 for grey, 3 for RGB.
        width: Factor of the channels of each stage.
        dense: Units of each of the two dense layers; 0 leaves them out.
        dropout: Share that is dropped after each dense layer while training.
        normalise: Batch normalisation after each convolution and dense layer; a network of this depth
            hardly trains from scratch without it.
        pooling: What the dense layers see: every place of the last map, or its average, which suits
            small pictures and saves most of the parameters.
        embedding: Rank of the head; with thousands of classes a full one is most of a small network.

    Returns:
        A model from `image`, uint8 (N, size, size, channels), dark ink on light paper, to
        `{"logits": float32 (N, classes)}`.

    Raises:
        ValueError: `size` is less than 32, or `pooling` is unknown.
    """
    if size < 32:
        raise ValueError(f"`size` must be at least 32, five halvings. Received: size={size}.")
    if pooling not in ("flatten", "average"):
        raise ValueError(f"`pooling` must be 'flatten' or 'average'. Received: pooling={pooling!r}.")
    image, x = blocks.ink(size, channels)
    for stage, (filters, depth) in enumerate(STAGES, 1):
        for number in range(1, depth + 1):
            name = f"block{stage}_conv{number}"
            x = layers.Conv2D(
                max(1, round(filters * width)), 3, padding="same", use_bias=not normalise, name=name
            )(x)
            x = _activate(x, name, normalise)
        x = layers.MaxPooling2D(name=f"block{stage}_pool")(x)
    pool = layers.Flatten if pooling == "flatten" else layers.GlobalAveragePooling2D
    x = pool(name="features")(x)
    for number in (1, 2) if dense else ():
        x = layers.Dense(dense, use_bias=not normalise, name=f"fc{number}")(x)
        x = _activate(x, f"fc{number}", normalise)
        x = layers.Dropout(dropout, name=f"fc{number}_dropout")(x)
    if embedding is not None:
        x = blocks.embedding(x, embedding)
    x = layers.Dense(classes, name="scores")(x)
    return keras.Model(image, blocks.named_logits(x), name="vgg16")


def _activate(x: keras.KerasTensor, name: str, normalise: bool) -> keras.KerasTensor:
    if normalise:
        x = layers.BatchNormalization(name=f"{name}_norm")(x)
    return layers.ReLU(name=f"{name}_relu")(x)
