"""HanziNet: a compact convolutional classifier of single characters.

Each stage halves the map and then refines it in residual blocks; a depthwise convolution weighs the
places of the last map, and the head has a low rank, because with 5,000 classes the head is most of a
small network.

References:
    He et al. 2016, residual blocks, https://arxiv.org/abs/1512.03385
    Sandler et al. 2018, inverted residual blocks, https://arxiv.org/abs/1801.04381
    Ding et al. 2021, blocks of parallel convolutions that fold into one, https://arxiv.org/abs/2101.03697
    Chen et al. 2018, global depthwise convolution, https://arxiv.org/abs/1804.07573
    Xiao et al. 2017, compact networks for Chinese characters, https://arxiv.org/abs/1702.07975
"""

from collections.abc import Callable
from typing import Literal

import keras
import numpy as np
from keras import layers

from zoo import layers as blocks

Block = Literal["plain", "bottleneck", "depthwise", "parallel", "folded"]


def hanzinet(
    classes: int,
    size: int = 64,
    widths: tuple[int, ...] = (24, 48, 96, 256),
    depths: tuple[int, ...] = (0, 0, 1, 0),
    block: Block = "plain",
    embedding: int = 160,
    dropout: float = 0.1,
) -> keras.Model:
    """Reads one character.

    Args:
        classes: Number of classes, the empty cell (id 0) included.
        size: Side of the image in pixels; each stage halves it.
        widths: Channels of each stage.
        depths: Blocks of each stage, after the convolution that halves the map.
        block: "plain", two 3x3 convolutions beside a shortcut; "bottleneck", 1x1 to half the channels, 3x3,
            1x1; "depthwise", 1x1 to three times the channels, a depthwise 3x3, 1x1; "parallel", 3x3 and
            1x1 convolutions and the input side by side, which `fold` makes one 3x3 convolution;
            "folded", that convolution.
        embedding: Rank of the head.
        dropout: Share of the embedding that is dropped while training.

    Returns:
        A model from `image`, uint8 (N, size, size, 1), dark ink on light paper, to
        `{"logits": float32 (N, classes)}`.

    Raises:
        ValueError: `size` cannot be halved by each stage, `widths` and `depths` differ in number, or
            `block` is unknown.
    """
    if len(widths) != len(depths):
        raise ValueError(f"`widths` and `depths` must name the same stages. Received: {widths=}, {depths=}.")
    if size % 2 ** len(widths):
        raise ValueError(f"`size` must be a multiple of {2 ** len(widths)}. Received: size={size}.")
    if block not in _BLOCKS:
        raise ValueError(f"`block` must be one of {', '.join(_BLOCKS)}. Received: block={block!r}.")
    image, x = blocks.ink(size)
    for stage, (width, depth) in enumerate(zip(widths, depths, strict=True)):
        x = _convolution(x, width, f"stage{stage}_down", strides=2)
        for number in range(depth):
            x = _BLOCKS[block](x, f"stage{stage}_block{number}")
    side = size // 2 ** len(widths)
    x = layers.DepthwiseConv2D(side, use_bias=False, name="places")(x)
    x = layers.Flatten(name="features")(x)
    x = blocks.embedding(x, embedding)
    x = layers.Dropout(dropout, name="dropout")(x)
    x = layers.Dense(classes, name="scores")(x)
    return keras.Model(image, blocks.named_logits(x), name="hanzinet")


def hanzinet_slim(classes: int, size: int = 64) -> keras.Model:
    """What hanzinet_m grows from, and what slides in line_s: about 1.5 MB as int8. Shapes as in `hanzinet`."""
    return hanzinet(classes, size, widths=(16, 32, 72, 320), depths=(0, 1, 1, 0), embedding=192)


def hanzinet_m(classes: int, size: int = 64) -> keras.Model:
    """The bundled reader: about 1.8 MB as int8. Shapes as in `hanzinet`."""
    return hanzinet(classes, size, widths=(16, 32, 96, 320), depths=(0, 1, 2, 0), embedding=192)


def hanzinet_s(classes: int, size: int = 64) -> keras.Model:
    """The small bundled reader: about 0.9 MB as int8. Shapes as in `hanzinet`."""
    return hanzinet(classes, size, widths=(12, 24, 56, 192), depths=(0, 1, 1, 0), embedding=128, dropout=0.05)


def fold(model: keras.Model, folded: keras.Model) -> None:
    """Gives a network of "folded" blocks the weights of one of "parallel" blocks: the outputs stay the same.

    Args:
        model: With `block="parallel"`.
        folded: With `block="folded"`, otherwise of the same sizes.
    """
    for layer in folded.layers:
        if layer.name.endswith("_sum"):
            layer.set_weights(_sum_of(model, layer.name.removesuffix("_sum")))
        elif layer.weights:
            layer.set_weights(model.get_layer(layer.name).get_weights())


def _sum_of(model: keras.Model, name: str) -> list[np.ndarray]:
    """Kernel and bias of the one convolution that equals the branches of a parallel block."""
    kernels, biases = [], []
    for branch in ("a", "b", "c"):
        norm = model.get_layer(f"{name}_{branch}_norm")
        gamma, beta, mean, variance = norm.get_weights()
        scale = gamma / np.sqrt(variance + norm.epsilon)
        if branch == "c":
            part = np.eye(len(scale), dtype=np.float32)[None, None]
        else:
            (part,) = model.get_layer(f"{name}_{branch}").get_weights()
        edge = (3 - part.shape[0]) // 2
        kernels.append(np.pad(part * scale, ((edge, edge), (edge, edge), (0, 0), (0, 0))))
        biases.append(beta - mean * scale)
    return [np.sum(kernels, axis=0), np.sum(biases, axis=0)]


def _plain(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    y = _convolution(x, x.shape[-1], f"{name}_a")
    return _add(x, _convolution(y, x.shape[-1], f"{name}_b", activation=False), name)


def _bottleneck(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    y = _convolution(x, x.shape[-1] // 2, f"{name}_a", side=1)
    y = _convolution(y, x.shape[-1] // 2, f"{name}_b")
    return _add(x, _convolution(y, x.shape[-1], f"{name}_c", side=1, activation=False), name)


def _depthwise(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    y = _convolution(x, 3 * x.shape[-1], f"{name}_a", side=1)
    y = layers.DepthwiseConv2D(3, padding="same", use_bias=False, name=f"{name}_b")(y)
    y = layers.ReLU(name=f"{name}_b_relu")(layers.BatchNormalization(name=f"{name}_b_norm")(y))
    y = _convolution(y, x.shape[-1], f"{name}_c", side=1, activation=False)
    return layers.Add(name=f"{name}_add")([x, y])


def _parallel(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    wide = _convolution(x, x.shape[-1], f"{name}_a", activation=False)
    narrow = _convolution(x, x.shape[-1], f"{name}_b", side=1, activation=False)
    kept = layers.BatchNormalization(name=f"{name}_c_norm")(x)
    return layers.ReLU(name=f"{name}_relu")(layers.Add(name=f"{name}_add")([wide, narrow, kept]))


def _folded(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    x = layers.Conv2D(x.shape[-1], 3, padding="same", name=f"{name}_sum")(x)
    return layers.ReLU(name=f"{name}_relu")(x)


_BLOCKS: dict[str, Callable[[keras.KerasTensor, str], keras.KerasTensor]] = {
    "plain": _plain,
    "bottleneck": _bottleneck,
    "depthwise": _depthwise,
    "parallel": _parallel,
    "folded": _folded,
}


def _add(x: keras.KerasTensor, y: keras.KerasTensor, name: str) -> keras.KerasTensor:
    return layers.ReLU(name=f"{name}_relu")(layers.Add(name=f"{name}_add")([x, y]))


def _convolution(
    x: keras.KerasTensor, width: int, name: str, side: int = 3, strides: int = 1, activation: bool = True
) -> keras.KerasTensor:
    x = layers.Conv2D(width, side, strides, padding="same", use_bias=False, name=name)(x)
    x = layers.BatchNormalization(name=f"{name}_norm")(x)
    return layers.ReLU(name=f"{name}_relu")(x) if activation else x
