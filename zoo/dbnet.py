"""DBNet: finds lines of text, horizontal and vertical.

A feature pyramid over a backbone gives two maps: how much a place is inside a shrunken line, and the threshold
above which that counts. A steep sigmoid of their difference is a binary map that can be learnt. Once the network
is trained, the probability alone is needed: `inference` leaves the rest out, `zoo.polygons` makes boxes of it.
`training.shrink` makes the maps that the network learns from.

The deformable convolutions of the paper are left out: no operator of a device knows them.

References:
    Liao et al. 2020, https://arxiv.org/abs/1911.08947; the layers are those of the authors' network,
        https://github.com/MhLiao/DB
    Lin et al. 2017, feature pyramids, https://arxiv.org/abs/1612.03144
    Howard et al. 2019, MobileNetV3, https://arxiv.org/abs/1905.02244
    Shrivastava et al. 2016, online hard example mining, https://arxiv.org/abs/1604.03540
    Milletari et al. 2016, the dice loss, https://arxiv.org/abs/1606.04797
"""

from typing import Any, Literal, NamedTuple

import keras
from keras import layers, ops

from zoo import resnet

Backbone = Literal["resnet18", "mobilenet"]

STEEPNESS = 50
"""Of the sigmoid that makes the binary map, the k of the paper."""

LOSS_WEIGHTS = {"probability": 1.0, "threshold": 10.0, "binary": 1.0}
"""Of `losses`: 1, beta and alpha of the paper."""


class Row(NamedTuple):
    """A row of table 2 of the MobileNetV3 paper."""

    kernel: int
    expanded: int
    filters: int
    strides: int


STEM = 16
ROWS = (
    Row(3, 16, 16, 2),
    Row(3, 72, 24, 2),
    Row(3, 88, 24, 1),
    Row(5, 96, 40, 2),
    Row(5, 240, 40, 1),
    Row(5, 240, 40, 1),
    Row(5, 120, 48, 1),
    Row(5, 144, 48, 1),
    Row(5, 288, 96, 2),
    Row(5, 576, 96, 1),
    Row(5, 576, 96, 1),
)
"""Of MobileNetV3-small. Its squeeze-and-excitation is left out, as a mean over a page tells a place nothing, and
its hard swish is a ReLU, as the fast integer kernels have none: it would take two fifths of the time."""


def dbnet(
    height: int | None,
    width: int | None,
    backbone: Backbone = "resnet18",
    neck: int = 256,
    stride: int = 1,
    factor: float = 1.0,
    separable: bool = False,
) -> keras.Model:
    """Finds lines. The defaults are the network of the paper.

    Args:
        height: Height of the picture in pixels; None accepts any multiple of 32. Files for a device need a number.
        width: Width of the picture in pixels; the same.
        backbone: "resnet18", or "mobilenet", MobileNetV3-small.
        neck: Channels of the pyramid.
        stride: Pixels of the picture for one place of the maps: 1, 2 or 4. Each doubling saves a transposed
            convolution of each head.
        factor: Factor of the channels of "mobilenet".
        separable: Part each 3x3 convolution of pyramid and heads into a depthwise and a 1x1 one.

    Returns:
        A model from `image`, uint8 (N, height, width, 3), RGB, to `probability`, `threshold` and `binary`,
        float32 (N, height // stride, width // stride, 1) each, 0 ... 1.

    Raises:
        ValueError: `height` or `width` is not a multiple of 32, `neck` is not one of 4, `backbone` or
            `stride` is unknown, or `factor` is not above 0.
    """
    for name, side in (("height", height), ("width", width)):
        if side is not None and (side < 32 or side % 32):
            raise ValueError(f"`{name}` must be a multiple of 32. Received: {name}={side}.")
    if neck < 4 or neck % 4:
        raise ValueError(f"`neck` must be a multiple of 4. Received: neck={neck}.")
    if stride not in (1, 2, 4):
        raise ValueError(f"`stride` must be 1, 2 or 4. Received: stride={stride}.")
    if factor <= 0:
        raise ValueError(f"`factor` must be above 0. Received: factor={factor}.")
    image = keras.Input((height, width, 3), dtype="uint8", name="image")
    # 1 for ink and 0 for paper, so that zero padding looks like paper.
    x = layers.Rescaling(-1 / 255, offset=1.0, name="ink")(image)
    if backbone == "resnet18":
        maps = resnet.resnet18(x)
    elif backbone == "mobilenet":
        maps = _mobilenet(x, factor)
    else:
        raise ValueError(f"`backbone` must be 'resnet18' or 'mobilenet'. Received: backbone={backbone!r}.")
    x = _pyramid(maps, neck, separable)
    probability, threshold = (
        layers.Activation("sigmoid", dtype="float32", name=name)(_head(x, name, stride, separable))
        for name in ("probability", "threshold")
    )
    above = layers.Subtract(dtype="float32", name="above")([probability, threshold])
    steep = layers.Rescaling(STEEPNESS, dtype="float32", name="steep")(above)
    binary = layers.Activation("sigmoid", dtype="float32", name="binary")(steep)
    outputs = {"probability": probability, "threshold": threshold, "binary": binary}
    return keras.Model(image, outputs, name="dbnet")


def dbnet_s(height: int | None, width: int | None) -> keras.Model:
    """Finds lines with a small network: about 0.6 MB as int8. Shapes as in `dbnet` with a stride of 2."""
    return dbnet(height, width, "mobilenet", neck=48, stride=2, separable=True)


def inference(model: keras.Model) -> keras.Model:
    """The part of a trained `dbnet` that gives `probability` alone; it shares the weights."""
    return keras.Model(model.input, {"probability": model.output["probability"]}, name=model.name)


def losses() -> dict[str, keras.losses.Loss]:
    """What each output of `dbnet` learns with; for `compile`, together with `LOSS_WEIGHTS`.

    As in the authors' program the binary map has a dice loss, where the paper has a cross-entropy, and the loss of
    the thresholds is a mean, where the paper has a sum.
    """
    return {"probability": BalancedCrossEntropy(), "threshold": MaskedDistance(), "binary": Dice()}


class BalancedCrossEntropy(keras.losses.Loss):
    """The mean cross-entropy of all text and of the paper that is most wrong.

    Args:
        ratio: Places of paper that count, for one of text; the paper's is 3.
        least: Places of paper that count where a picture has little text or none.

    Call arguments:
        y_true: float (N, h, w, 2), the map to learn, and how much each place counts, 0 or 1 both.
        y_pred: float (N, h, w, 1), 0 ... 1.

    Raises:
        ValueError: `ratio` is not above 0, or `least` is below 1.
    """

    def __init__(self, ratio: float = 3.0, least: int = 1000, name: str = "balanced_cross_entropy") -> None:
        super().__init__(name=name)
        if ratio <= 0 or least < 1:
            raise ValueError(
                f"`ratio` must be above 0 and `least` at least 1. Received: ratio={ratio}, least={least}."
            )
        self.ratio = ratio
        self.least = least

    def call(self, y_true: Any, y_pred: Any) -> Any:
        truth, counted, found = _flat(y_true, y_pred)
        text, paper = truth * counted, (1 - truth) * counted
        errors = ops.binary_crossentropy(truth, found)
        wanted = ops.maximum(self.ratio * ops.sum(text, 1), self.least)
        # What does not count sorts behind all paper.
        hardest = -ops.sort(-ops.where(paper > 0, errors, -1.0), 1)
        order = ops.cast(ops.arange(ops.shape(errors)[1]), "float32")[None]
        chosen = ops.cast(order < ops.minimum(wanted, ops.sum(paper, 1))[:, None], "float32")
        total = ops.sum(errors * text, 1) + ops.sum(hardest * chosen, 1)
        return total / ops.maximum(ops.sum(text, 1) + ops.sum(chosen, 1), 1)


class MaskedDistance(keras.losses.Loss):
    """The mean absolute difference where it counts. Call arguments as in `BalancedCrossEntropy`."""

    def __init__(self, name: str = "masked_distance") -> None:
        super().__init__(name=name)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        truth, counted, found = _flat(y_true, y_pred)
        return ops.sum(ops.abs(found - truth) * counted, 1) / ops.maximum(ops.sum(counted, 1), 1)


class Dice(keras.losses.Loss):
    """How little two maps overlap where it counts: 0 for equal ones. Call arguments as in `BalancedCrossEntropy`.

    One place is added to overlap and sum, so that a picture without text teaches to find none.
    """

    def __init__(self, name: str = "dice") -> None:
        super().__init__(name=name)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        truth, counted, found = _flat(y_true, y_pred)
        overlap = ops.sum(truth * found * counted, 1)
        return 1 - (2 * overlap + 1) / (ops.sum((truth + found) * counted, 1) + 1)


def _flat(y_true: Any, y_pred: Any) -> tuple[Any, Any, Any]:
    """The map to learn, how much its places count, and the map that was found: float32 (N, places) each."""
    y_true, y_pred = ops.cast(y_true, "float32"), ops.cast(y_pred, "float32")
    pictures = ops.shape(y_pred)[0]
    return tuple(ops.reshape(one, (pictures, -1)) for one in (y_true[..., 0], y_true[..., 1], y_pred))


def _pyramid(maps: list[keras.KerasTensor], neck: int, separable: bool) -> keras.KerasTensor:
    """Joins maps of 1/4 ... 1/32 of the picture to one of 1/4: float (N, H / 4, W / 4, neck)."""
    joined = []
    x = None
    for level, one in reversed(list(enumerate(maps, 2))):
        lateral = layers.Conv2D(neck, 1, use_bias=False, name=f"lateral{level}")(one)
        if x is not None:
            x = layers.UpSampling2D(name=f"up{level}")(x)
            lateral = layers.Add(name=f"add{level}")([x, lateral])
        x = lateral
        smooth = _convolution(x, neck // 4, f"smooth{level}", separable)
        if level > 2:
            smooth = layers.UpSampling2D(2 ** (level - 2), name=f"smooth{level}_up")(smooth)
        joined.append(smooth)
    return layers.Concatenate(name="pyramid")(joined)


def _head(x: keras.KerasTensor, name: str, stride: int, separable: bool) -> keras.KerasTensor:
    """A map of the pyramid, 1/4 of the picture, as scores: float (N, H / stride, W / stride, 1)."""
    channels = x.shape[-1] // 4
    x = _activated(_convolution(x, channels, f"{name}_conv", separable), f"{name}_conv")
    if stride == 4:
        return layers.Conv2D(1, 1, name=f"{name}_scores")(x)
    if stride == 1:
        x = layers.Conv2DTranspose(channels, 2, 2, use_bias=False, name=f"{name}_up")(x)
        x = _activated(x, f"{name}_up")
    return layers.Conv2DTranspose(1, 2, 2, name=f"{name}_scores")(x)


def _convolution(x: keras.KerasTensor, channels: int, name: str, separable: bool) -> keras.KerasTensor:
    if not separable:
        return layers.Conv2D(channels, 3, padding="same", use_bias=False, name=name)(x)
    x = layers.DepthwiseConv2D(3, padding="same", use_bias=False, name=f"{name}_depthwise")(x)
    x = _activated(x, f"{name}_depthwise")
    return layers.Conv2D(channels, 1, use_bias=False, name=name)(x)


def _mobilenet(x: keras.KerasTensor, factor: float) -> list[keras.KerasTensor]:
    """The last map of each size, 1/4 to 1/32 of the sides of the picture."""
    x = layers.Conv2D(_scaled(STEM, factor), 3, 2, padding="same", use_bias=False, name="stem")(x)
    x = _activated(x, "stem")
    maps: list[keras.KerasTensor] = []
    for number, row in enumerate(ROWS, 1):
        if row.strides == 2 and number > 1:
            maps.append(x)
        x = _bottleneck(x, row, factor, f"block{number}")
    return [*maps, x]


def _bottleneck(x: keras.KerasTensor, row: Row, factor: float, name: str) -> keras.KerasTensor:
    """Expand, depthwise convolution, project, add."""
    entering = x
    expanded, filters = _scaled(row.expanded, factor), _scaled(row.filters, factor)
    if expanded != entering.shape[-1]:
        x = layers.Conv2D(expanded, 1, use_bias=False, name=f"{name}_expand")(x)
        x = _activated(x, f"{name}_expand")
    x = layers.DepthwiseConv2D(
        row.kernel, row.strides, padding="same", use_bias=False, name=f"{name}_depthwise"
    )(x)
    x = _activated(x, f"{name}_depthwise")
    x = layers.Conv2D(filters, 1, use_bias=False, name=f"{name}_project")(x)
    x = layers.BatchNormalization(name=f"{name}_project_norm")(x)
    if row.strides == 1 and entering.shape[-1] == filters:
        x = layers.Add(name=f"{name}_add")([entering, x])
    return x


def _activated(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    x = layers.BatchNormalization(name=f"{name}_norm")(x)
    return layers.ReLU(name=f"{name}_relu")(x)


def _scaled(channels: int, factor: float) -> int:
    """Channels times the factor, as a multiple of 8."""
    return max(8, round(channels * factor / 8) * 8)
