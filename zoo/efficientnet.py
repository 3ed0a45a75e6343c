"""EfficientNet: inverted bottlenecks whose depth, width and resolution grow together.

References:
    Tan and Le 2019, https://arxiv.org/abs/1905.11946
    Sandler et al. 2018, inverted bottlenecks, https://arxiv.org/abs/1801.04381
    Hu et al. 2018, squeeze and excitation, https://arxiv.org/abs/1709.01507
    Huang et al. 2016, stochastic depth, https://arxiv.org/abs/1603.09382
"""

import functools
import math
from typing import Any, NamedTuple

import keras
from keras import layers

from zoo import layers as blocks


class Stage(NamedTuple):
    """A row of the paper's table 1."""

    expansion: int
    kernel: int
    strides: int
    filters: int
    repeats: int


STEM = 32
STAGES = (
    Stage(1, 3, 1, 16, 1),
    Stage(6, 3, 2, 24, 2),
    Stage(6, 5, 2, 40, 2),
    Stage(6, 3, 2, 80, 3),
    Stage(6, 5, 1, 112, 3),
    Stage(6, 5, 2, 192, 4),
    Stage(6, 3, 1, 320, 1),
)
TOP = 1280


class Scale(NamedTuple):
    """How much larger than B0 a network is: factors of channels and repeats, side of the image in pixels."""

    width: float
    depth: float
    resolution: int


class Factors(NamedTuple):
    """By how much a step of phi multiplies depth (alpha), width (beta) and resolution (gamma)."""

    alpha: float
    beta: float
    gamma: float

    @property
    def operations(self) -> float:
        """By how much a step of phi multiplies the operations; the paper asks for about 2."""
        return self.alpha * self.beta**2 * self.gamma**2


PAPER = Factors(1.2, 1.1, 1.15)
"""What the paper's search finds for B0."""

PUBLISHED = (
    (Scale(1.0, 1.0, 224), 0.2),
    (Scale(1.0, 1.1, 240), 0.2),
    (Scale(1.1, 1.2, 260), 0.3),
    (Scale(1.2, 1.4, 300), 0.3),
    (Scale(1.4, 1.8, 380), 0.4),
    (Scale(1.6, 2.2, 456), 0.4),
    (Scale(1.8, 2.6, 528), 0.5),
    (Scale(2.0, 3.1, 600), 0.5),
)
"""Scale and dropout of the published B0 to B7. They follow the paper's equation only roughly."""


def compound_scale(phi: float, factors: Factors | None = None) -> Scale:
    """The scale of the network of compound coefficient `phi`.

    Args:
        phi: 0 for B0; a step of 1 about doubles the operations.
        factors: What equation 3 of the paper takes to the power of `phi`, the resolution rounded to a
            multiple of 4 pixels. None takes the published network B`phi`, 0 to 7, instead.

    Raises:
        ValueError: A factor is below 1, or there is no published network of this number.
    """
    if factors is None:
        if phi not in range(len(PUBLISHED)):
            raise ValueError(f"`phi` must be 0 to 7 for a published network. Received: phi={phi}.")
        return PUBLISHED[int(phi)][0]
    if min(factors) < 1:
        raise ValueError(f"`factors` must be at least 1. Received: factors={factors}.")
    resolution = 4 * round(PUBLISHED[0][0].resolution * factors.gamma**phi / 4)
    return Scale(factors.beta**phi, factors.alpha**phi, resolution)


def round_filters(filters: int, width: float, divisor: int = 8) -> int:
    """Channels times `width`, as a multiple of `divisor` that is at most a tenth too small."""
    exact = filters * width
    rounded = max(divisor, int(exact + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * exact else rounded


def round_repeats(repeats: int, depth: float) -> int:
    """Repeats times `depth`, rounded up."""
    return math.ceil(repeats * depth)


def efficientnet(
    classes: int = 1000,
    size: int = 224,
    channels: int = 3,
    width: float = 1.0,
    depth: float = 1.0,
    dropout: float = 0.2,
    drop_connect: float = 0.2,
    stem_strides: int = 2,
    lite: bool = False,
    embedding: int | None = None,
) -> keras.Model:
    """Classifies one picture.

    Args:
        classes: Number of classes.
        size: Side of the image in pixels.
        channels: 1 for grey, 3 for RGB.
        width: Factor of the channels of each stage.
        depth: Factor of the repeats of each stage.
        dropout: Share of the last features that is dropped while training.
        drop_connect: Share of the pictures for which the last block is left out while training;
            earlier blocks are left out less often.
        stem_strides: 1 keeps the resolution of small glyphs.
        lite: ReLU6 instead of swish and no squeeze-and-excitation, which int8 keeps exact; stem and
            top keep their width.
        embedding: Rank of the head; with thousands of classes a full one is most of the network.

    Returns:
        A model from `image`, uint8 (N, size, size, channels), dark ink on light paper, to
        `{"logits": float32 (N, classes)}`.

    Raises:
        ValueError: `size` is less than 16, or `stem_strides` is neither 1 nor 2.
    """
    if size < 16:
        raise ValueError(f"`size` must be at least 16. Received: size={size}.")
    if stem_strides not in (1, 2):
        raise ValueError(f"`stem_strides` must be 1 or 2. Received: stem_strides={stem_strides}.")
    ends = 1.0 if lite else width
    image, x = blocks.ink(size, channels)
    x = layers.Conv2D(
        round_filters(STEM, ends), 3, stem_strides, padding="same", use_bias=False, name="stem_conv"
    )(x)
    x = _activate(x, "stem", lite)
    rows = [
        (stage, row, repeat)
        for stage, row in enumerate(STAGES, 1)
        for repeat in range(
            row.repeats if lite and stage in (1, len(STAGES)) else round_repeats(row.repeats, depth)
        )
    ]
    for index, (stage, row, repeat) in enumerate(rows):
        x = _bottleneck(
            x,
            f"block{stage}{chr(ord('a') + repeat)}",
            expansion=row.expansion,
            kernel=row.kernel,
            strides=row.strides if repeat == 0 else 1,
            filters=round_filters(row.filters, width),
            skipped=drop_connect * index / len(rows),
            lite=lite,
        )
    x = layers.Conv2D(round_filters(TOP, ends), 1, use_bias=False, name="top_conv")(x)
    x = _activate(x, "top", lite)
    x = layers.GlobalAveragePooling2D(name="features")(x)
    if embedding is not None:
        x = blocks.embedding(x, embedding)
    x = layers.Dropout(dropout, name="dropout")(x)
    x = layers.Dense(classes, name="scores")(x)
    return keras.Model(image, blocks.named_logits(x), name="efficientnet")


def published(phi: int, classes: int = 1000, size: int | None = None, **sizes: Any) -> keras.Model:
    """The published network B`phi`, 0 to 7, at its own resolution unless `size` is given.

    `sizes` are further arguments of `efficientnet`.
    """
    scale, dropout = PUBLISHED[phi]
    sizes = {"width": scale.width, "depth": scale.depth, "dropout": dropout} | sizes
    return efficientnet(classes, scale.resolution if size is None else size, **sizes)


b0, b1, b2, b3, b4, b5, b6, b7 = (functools.partial(published, phi) for phi in range(8))


def _activate(x: keras.KerasTensor, name: str, lite: bool) -> keras.KerasTensor:
    x = layers.BatchNormalization(name=f"{name}_norm")(x)
    if lite:
        return layers.ReLU(6.0, name=f"{name}_relu6")(x)
    return layers.Activation("swish", name=f"{name}_swish")(x)


def _bottleneck(
    x: keras.KerasTensor,
    name: str,
    *,
    expansion: int,
    kernel: int,
    strides: int,
    filters: int,
    skipped: float,
    lite: bool,
) -> keras.KerasTensor:
    """MBConv: expand, depthwise convolution, squeeze and excite, project, add."""
    entering = x
    inside = x.shape[-1] * expansion
    if expansion != 1:
        x = layers.Conv2D(inside, 1, use_bias=False, name=f"{name}_expand_conv")(x)
        x = _activate(x, f"{name}_expand", lite)
    x = layers.DepthwiseConv2D(kernel, strides, padding="same", use_bias=False, name=f"{name}_depthwise")(x)
    x = _activate(x, f"{name}_depthwise", lite)
    if not lite:
        squeezed = layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}_squeeze")(x)
        reduced = max(1, entering.shape[-1] // 4)
        squeezed = layers.Conv2D(reduced, 1, activation="swish", name=f"{name}_squeeze_reduce")(squeezed)
        squeezed = layers.Conv2D(inside, 1, activation="sigmoid", name=f"{name}_squeeze_expand")(squeezed)
        x = layers.Multiply(name=f"{name}_excite")([x, squeezed])
    x = layers.Conv2D(filters, 1, use_bias=False, name=f"{name}_project_conv")(x)
    x = layers.BatchNormalization(name=f"{name}_project_norm")(x)
    if strides == 1 and entering.shape[-1] == filters:
        if skipped:
            x = layers.Dropout(skipped, noise_shape=(None, 1, 1, 1), name=f"{name}_skipped")(x)
        x = layers.Add(name=f"{name}_add")([entering, x])
    return x
