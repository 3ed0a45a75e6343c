"""HanziNet: a compact convolutional classifier of single characters.

Plain 3x3 convolutions with residual blocks, a depthwise convolution that weighs the places of the
last map, and a low-rank head, because with 5,000 classes the head is most of a small network.

References:
    He et al. 2016, residual blocks, https://arxiv.org/abs/1512.03385
    Chen et al. 2018, global depthwise convolution, https://arxiv.org/abs/1804.07573
    Xiao et al. 2017, compact networks for Chinese characters, https://arxiv.org/abs/1702.07975
"""

import keras
from keras import layers

from zoo import layers as blocks


def hanzinet(
    classes: int,
    size: int = 64,
    widths: tuple[int, ...] = (24, 48, 96, 256),
    depths: tuple[int, ...] = (0, 0, 1, 0),
    embedding: int = 160,
    dropout: float = 0.1,
) -> keras.Model:
    """Reads one character.

    Args:
        classes: Number of classes, the empty cell (id 0) included.
        size: Side of the image in pixels; each stage halves it.
        widths: Channels of each stage.
        depths: Residual blocks of each stage, after the convolution that halves the map.
        embedding: Rank of the head.
        dropout: Share of the embedding that is dropped while training.

    Returns:
        A model from `image`, uint8 (N, size, size, 1), dark ink on light paper, to
        `{"logits": float32 (N, classes)}`.

    Raises:
        ValueError: `size` cannot be halved by each stage, or `widths` and `depths` differ in number.
    """
    if len(widths) != len(depths):
        raise ValueError(f"`widths` and `depths` must name the same stages. Received: {widths=}, {depths=}.")
    if size % 2 ** len(widths):
        raise ValueError(f"`size` must be a multiple of {2 ** len(widths)}. Received: size={size}.")
    image, x = blocks.ink(size)
    for stage, (width, depth) in enumerate(zip(widths, depths, strict=True)):
        x = _convolution(x, width, f"stage{stage}_down", strides=2)
        for block in range(depth):
            y = _convolution(x, width, f"stage{stage}_block{block}_a")
            y = _convolution(y, width, f"stage{stage}_block{block}_b", activation=False)
            x = layers.Add(name=f"stage{stage}_block{block}_add")([x, y])
            x = layers.ReLU(name=f"stage{stage}_block{block}_relu")(x)
    side = size // 2 ** len(widths)
    x = layers.DepthwiseConv2D(side, use_bias=False, name="places")(x)
    x = layers.Flatten(name="features")(x)
    x = blocks.embedding(x, embedding)
    x = layers.Dropout(dropout, name="dropout")(x)
    x = layers.Dense(classes, name="scores")(x)
    return keras.Model(image, blocks.named_logits(x), name="hanzinet")


def hanzinet_m(classes: int, size: int = 64) -> keras.Model:
    """The bundled size: about 1.3 MB as int8. Shapes as in `hanzinet`."""
    return hanzinet(classes, size)


def _convolution(
    x: keras.KerasTensor, width: int, name: str, strides: int = 1, activation: bool = True
) -> keras.KerasTensor:
    x = layers.Conv2D(width, 3, strides, padding="same", use_bias=False, name=name)(x)
    x = layers.BatchNormalization(name=f"{name}_norm")(x)
    return layers.ReLU(name=f"{name}_relu")(x) if activation else x
