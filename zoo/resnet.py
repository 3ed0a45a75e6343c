"""ResNet-18 as the backbone of other networks: blocks of two convolutions beside a shortcut.

Reference:
    He et al. 2016, https://arxiv.org/abs/1512.03385
"""

import keras
from keras import layers

STAGES = ((64, 2), (128, 2), (256, 2), (512, 2))
"""Channels and blocks of each stage of ResNet-18."""


def resnet18(x: keras.KerasTensor) -> list[keras.KerasTensor]:
    """The maps that the four stages make of a picture.

    A 7x7 convolution and a maximum quarter the picture; each later stage halves its map. Shortcuts that change
    the shape are 1x1 convolutions (option B of the paper).

    Args:
        x: float (N, H, W, channels).

    Returns:
        Maps of 1/4, 1/8, 1/16 and 1/32 of the sides of the picture, with the channels of `STAGES`.
    """
    x = _convolution(x, STAGES[0][0], "stem", side=7, strides=2)
    x = layers.MaxPooling2D(3, 2, padding="same", name="stem_pool")(x)
    maps = []
    for stage, (channels, depth) in enumerate(STAGES, 1):
        for number in range(1, depth + 1):
            x = _block(x, channels, f"stage{stage}_block{number}", 2 if stage > 1 and number == 1 else 1)
        maps.append(x)
    return maps


def _block(x: keras.KerasTensor, channels: int, name: str, strides: int) -> keras.KerasTensor:
    shortcut = x
    if strides > 1 or x.shape[-1] != channels:
        shortcut = _convolution(x, channels, f"{name}_shortcut", 1, strides, activation=False)
    x = _convolution(x, channels, f"{name}_conv1", strides=strides)
    x = _convolution(x, channels, f"{name}_conv2", activation=False)
    return layers.ReLU(name=f"{name}_relu")(layers.Add(name=f"{name}_add")([shortcut, x]))


def _convolution(
    x: keras.KerasTensor, channels: int, name: str, side: int = 3, strides: int = 1, activation: bool = True
) -> keras.KerasTensor:
    x = layers.Conv2D(channels, side, strides, padding="same", use_bias=False, name=name)(x)
    x = layers.BatchNormalization(name=f"{name}_norm")(x)
    return layers.ReLU(name=f"{name}_relu")(x) if activation else x
