"""CRAFT: finds single characters, and what joins them to words and lines.

A U-Net gives two maps of half the picture's size. `region` is high where a character has its middle,
`affinity` is high halfway between two neighbours of a line. `zoo.regions` makes characters and lines of
the maps, `training.regions` makes the maps that the network learns from.

References:
    Baek et al. 2019, https://arxiv.org/abs/1904.01941; the layers are those of the authors' network,
        https://github.com/clovaai/CRAFT-pytorch
    Shrivastava et al. 2016, online hard example mining, https://arxiv.org/abs/1604.03540
    Howard et al. 2017, depthwise separable convolutions, https://arxiv.org/abs/1704.04861
    Sandler et al. 2018, linear bottlenecks, https://arxiv.org/abs/1801.04381
"""

from typing import Any

import keras
from keras import layers, ops

from zoo import vgg

_STAGES = ((16, 2), (32, 2), (64, 3), (128, 4), (320, 4))
"""Of `craft_s`: channels and convolutions of each stage, each of which halves the map."""


def craft(height: int, width: int, factor: float = 1.0) -> keras.Model:
    """Finds characters with the network of the paper.

    The backbone is VGG-16 with batch normalisation up to its twelfth convolution, then a dilated and a 1x1
    convolution in place of the dense layers. Four blocks, a 1x1 and a 3x3 convolution each, join the
    coarse map with ever finer ones of the backbone.

    Args:
        height: Height of the picture in pixels.
        width: Width of the picture in pixels.
        factor: Factor of the channels of each convolution.

    Returns:
        A model from `image`, uint8 (N, height, width, 3), RGB, dark ink on light paper, to `region` and
        `affinity`, float32 (N, height // 2, width // 2, 1) each, about 0 ... 1.

    Raises:
        ValueError: `height` or `width` is not a multiple of 16, or `factor` is not above 0.
    """
    _check(height, width, 16)
    if factor <= 0:
        raise ValueError(f"`factor` must be above 0. Received: factor={factor}.")

    def scaled(channels: int) -> int:
        return max(1, round(channels * factor))

    image, x = _page(height, width)
    skips = []
    for stage, (channels, depth) in enumerate(vgg.STAGES, 1):
        # The authors end with the second convolution of the last stage, and do not activate it.
        last = stage == len(vgg.STAGES)
        for number in range(1, depth + (not last)):
            name = f"block{stage}_conv{number}"
            x = _convolution(x, scaled(channels), name, activation=not (last and number == 2))
            # They branch off behind the second convolution of each stage.
            if stage > 1 and number == 2:
                skips.append(x)
        if not last:
            x = layers.MaxPooling2D(name=f"block{stage}_pool")(x)
    x = layers.MaxPooling2D(3, 1, padding="same", name="block5_pool")(x)
    x = layers.Conv2D(scaled(1024), 3, padding="same", dilation_rate=6, name="fc6")(x)
    x = layers.Conv2D(scaled(1024), 1, name="fc7")(x)
    for number, (skip, channels) in enumerate(zip(reversed(skips), (256, 128, 64, 32), strict=True), 1):
        if number > 1:  # The first block joins maps of the same size.
            x = layers.UpSampling2D(interpolation="bilinear", name=f"up{number}_resize")(x)
        x = layers.Concatenate(name=f"up{number}_join")([x, skip])
        x = _convolution(x, scaled(2 * channels), f"up{number}_conv1", side=1)
        x = _convolution(x, scaled(channels), f"up{number}_conv2")
    for number, (channels, side) in enumerate(((32, 3), (32, 3), (16, 3), (16, 1)), 1):
        x = layers.Conv2D(
            scaled(channels), side, padding="same", activation="relu", name=f"last_conv{number}"
        )(x)
    return keras.Model(image, _maps(x), name="craft")


def craft_s(height: int, width: int) -> keras.Model:
    """Finds characters with a small network: about 0.7 MB as int8.

    The same U-Net of depthwise separable convolutions with linear bottlenecks, on maps down to 1/32 of the
    picture, where parameters are cheap and a place sees a whole word.

    Args:
        height: Height of the picture in pixels.
        width: Width of the picture in pixels.

    Returns:
        As `craft`.

    Raises:
        ValueError: `height` or `width` is not a multiple of 32.
    """
    _check(height, width, 32)
    image, x = _page(height, width)
    skips = []
    for stage, (channels, depth) in enumerate(_STAGES, 1):
        for number in range(1, depth + 1):
            name = f"block{stage}_conv{number}"
            if stage == number == 1:
                x = _convolution(x, channels, name, strides=2)
            elif number == 1:
                x = _separable(x, channels, name, strides=2)
            else:
                # Through so many layers the noise of int8 would grow without a shortcut.
                x = layers.Add(name=f"{name}_add")([x, _separable(x, channels, name)])
        skips.append(x)
    for number, skip in enumerate(reversed(skips[:-1]), 1):
        # The paper's 1x1 convolution of the joined maps, taken apart: on the coarse one it costs a quarter,
        # and it commutes with the resizing. Each part has its normalisation, which folds into it.
        channels = skip.shape[-1]
        x = _convolution(x, channels, f"up{number}_coarse", side=1, activation=False)
        x = layers.UpSampling2D(interpolation="bilinear", name=f"up{number}_resize")(x)
        fine = _convolution(skip, channels, f"up{number}_fine", side=1, activation=False)
        x = layers.ReLU(name=f"up{number}_relu")(layers.Add(name=f"up{number}_join")([x, fine]))
        x = _separable(x, max(16, channels // 2), f"up{number}_conv")
    x = layers.ReLU(name="last_relu")(_separable(x, 16, "last_conv"))
    return keras.Model(image, _maps(x), name="craft_s")


class MapLoss(keras.losses.Loss):
    """The squared error of a map, weighted by confidence, where it matters.

    Most of a page is paper, so each picture counts the mean over its text plus the mean over the paper
    that is most wrong. The loss serves `region` and `affinity` alike; their losses add up.

    Args:
        ratio: Places of paper that count, for one of text; the paper's is 3.
        least: Places of paper that count where a picture has little text or none.

    Call arguments:
        y_true: float (N, h, w, 2), the map to learn, 0 ... 1, and the confidence in it, 0 ... 1.
        y_pred: float (N, h, w, 1).

    Raises:
        ValueError: `ratio` is not above 0, or `least` is below 1.
    """

    def __init__(self, ratio: float = 3.0, least: int = 1000, name: str = "map_loss") -> None:
        super().__init__(name=name)
        if ratio <= 0 or least < 1:
            raise ValueError(
                f"`ratio` must be above 0 and `least` at least 1. Received: ratio={ratio}, least={least}."
            )
        self.ratio = ratio
        self.least = least

    def call(self, y_true: Any, y_pred: Any) -> Any:
        places = y_pred.shape[1] * y_pred.shape[2]
        truth = ops.reshape(ops.cast(y_true, "float32"), (-1, places, 2))
        found = ops.reshape(ops.cast(y_pred, "float32"), (-1, places))
        errors = ops.square(found - truth[..., 0]) * truth[..., 1]
        text = ops.cast(truth[..., 0] > _TEXT, "float32")
        count = ops.sum(text, 1)
        of_text = ops.sum(errors * text, 1) / ops.maximum(count, 1)
        counted = ops.minimum(ops.maximum(self.ratio * count, self.least), places - count)
        # Places of text sort behind all paper.
        hardest = -ops.sort(-ops.where(text > 0, -1.0, errors), 1)
        chosen = ops.cast(ops.arange(places, dtype="float32")[None] < counted[:, None], "float32")
        return of_text + ops.sum(hardest * chosen, 1) / ops.maximum(ops.sum(chosen, 1), 1)


_TEXT = 0.1  # From here on a place of the map to learn is text, as in the authors' program.


def _check(height: int, width: int, multiple: int) -> None:
    for name, side in (("height", height), ("width", width)):
        if side < multiple or side % multiple:
            raise ValueError(f"`{name}` must be a multiple of {multiple}. Received: {name}={side}.")


def _page(height: int, width: int) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """The input, and its ink: 1 for ink and 0 for paper, so that zero padding looks like paper."""
    image = keras.Input((height, width, 3), dtype="uint8", name="image")
    return image, layers.Rescaling(-1 / 255, offset=1.0, name="ink")(image)


def _maps(x: keras.KerasTensor) -> dict[str, keras.KerasTensor]:
    """The outputs, float32 even where the network computes in less."""
    return {
        name: layers.Activation("linear", dtype="float32", name=name)(
            layers.Conv2D(1, 1, name=f"{name}_conv")(x)
        )
        for name in ("region", "affinity")
    }


def _convolution(
    x: keras.KerasTensor, width: int, name: str, side: int = 3, strides: int = 1, activation: bool = True
) -> keras.KerasTensor:
    x = layers.Conv2D(width, side, strides, padding="same", name=name)(x)
    return _activated(x, name) if activation else layers.BatchNormalization(name=f"{name}_norm")(x)


def _separable(x: keras.KerasTensor, width: int, name: str, strides: int = 1) -> keras.KerasTensor:
    """A depthwise and a 1x1 convolution, the second without activation."""
    x = layers.DepthwiseConv2D(3, strides, padding="same", use_bias=False, name=f"{name}_depthwise")(x)
    x = _activated(x, f"{name}_depthwise")
    x = layers.Conv2D(width, 1, use_bias=False, name=name)(x)
    return layers.BatchNormalization(name=f"{name}_norm")(x)


def _activated(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    x = layers.BatchNormalization(name=f"{name}_norm")(x)
    return layers.ReLU(name=f"{name}_relu")(x)
