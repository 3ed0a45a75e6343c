"""LineNet: HanziNet slides along a line of text, and CTC makes text of what it sees.

The network is that of `zoo.hanzinet` for one character, laid along a strip that is as high as its picture:
at every step it answers as HanziNet does for the square around that step. So it starts from a trained
recogniser, and has to learn only which of the answers count. Class 0, the empty cell of a recogniser, is the
blank of CTC (`zoo.ctc`). Blocks over the steps let an answer depend on its neighbours; before training they add
nothing.

A line that is shorter than the picture is padded with paper on the right, which reads as blank.

References:
    Graves et al. 2006, CTC, https://www.cs.toronto.edu/~graves/icml_2006.pdf
    Sermanet et al. 2014, classifiers that slide as convolutions, https://arxiv.org/abs/1312.6229
    Collobert et al. 2016, line readers without recurrence, https://arxiv.org/abs/1609.03193
    Howard et al. 2017, depthwise separable convolutions, https://arxiv.org/abs/1704.04861
    Goyal et al. 2017, residual blocks that start as nothing, https://arxiv.org/abs/1706.02677
"""

import keras
import numpy as np
from keras import layers

from zoo import layers as blocks

_CONTEXT = "context"  # How the names of the layers begin that a recogniser lacks.


def linenet(
    classes: int,
    height: int = 64,
    width: int | None = None,
    widths: tuple[int, ...] = (24, 48, 96, 256),
    depths: tuple[int, ...] = (0, 0, 1, 0),
    embedding: int = 160,
    context: tuple[int, ...] = (5, 9, 17),
    dropout: float = 0.1,
) -> keras.Model:
    """Reads one line of text.

    The stages are those of HanziNet, but the last one halves the height only, so that a character spans enough
    steps for CTC.

    Args:
        classes: Number of classes, the CTC blank (id 0) included.
        height: Height of the line in pixels; each stage halves it.
        width: Width in pixels; None accepts any, and steps are rounded up.
        widths: Channels of each stage.
        depths: Blocks of two 3x3 convolutions in each stage, after the convolution that halves the map.
        embedding: Rank of the head.
        context: For each block over the steps, how many of them it looks at; odd.
        dropout: Share of the embedding that is dropped while training.

    Returns:
        A model from `image`, uint8 (N, height, width, 1), dark ink on light paper, to
        `{"logits": float32 (N, width // step, classes)}`, where `step` is 2 to the number of stages before the
        last one: 8 pixels. Step n answers for the square around column n * step.

    Raises:
        ValueError: `height` cannot be halved by each stage, `width` is no multiple of the step, `widths` and
            `depths` differ in number, or a number of `context` is even.
    """
    if len(widths) != len(depths):
        raise ValueError(f"`widths` and `depths` must name the same stages. Received: {widths=}, {depths=}.")
    step = 2 ** (len(widths) - 1)
    if height < 2 * step or height % (2 * step):
        raise ValueError(f"`height` must be a multiple of {2 * step}. Received: height={height}.")
    if width is not None and (width < step or width % step):
        raise ValueError(
            f"`width` must be a multiple of {step}, so that the steps line up. Received: width={width}."
        )
    if any(reach < 1 or reach % 2 == 0 for reach in context):
        raise ValueError(f"`context` must hold odd numbers of steps. Received: context={context}.")
    image = keras.Input((height, width, 1), dtype="uint8", name="image")
    x = layers.Rescaling(-1 / 255, offset=1.0, name="ink")(image)
    for stage, (channels, depth) in enumerate(zip(widths, depths, strict=True)):
        across = 1 if stage == len(widths) - 1 else 2
        x = _convolution(x, channels, f"stage{stage}_down", strides=(2, across))
        for number in range(depth):
            x = _block(x, f"stage{stage}_block{number}")
    side = x.shape[1]
    # The columns of HanziNet's last map are every second one of this map. The kernel has taps for those between
    # as well: TFLite would run a dilated convolution over an open width as three operators.
    x = layers.ZeroPadding2D((0, side - 1), name="places_padding")(x)
    x = layers.DepthwiseConv2D((side, 2 * side - 1), use_bias=False, name="places")(x)
    x = layers.Conv2D(embedding, 1, use_bias=False, name="embedding")(x)
    x = layers.BatchNormalization(name="embedding_norm")(x)
    for number, reach in enumerate(context):
        x = _over_steps(x, reach, f"{_CONTEXT}{number}")
    x = layers.Dropout(dropout, name="dropout")(keras.ops.squeeze(x, 1))
    # Not `Dense`, which computes shapes where the width is open.
    x = layers.EinsumDense("nse,ec->nsc", (x.shape[1], classes), bias_axes="c", name="scores")(x)
    return keras.Model(image, blocks.named_logits(x), name="linenet")


def line_s(classes: int, width: int | None = None) -> keras.Model:
    """The bundled line reader: hanzinet_slim along lines of 64 pixels, about 1.6 MB as int8. As `linenet`."""
    return linenet(classes, 64, width, widths=(16, 32, 72, 320), depths=(0, 1, 1, 0), embedding=192)


def from_recogniser(model: keras.Model, recogniser: keras.Model) -> None:
    """Gives a fresh line reader the weights of a recogniser of single characters.

    From then on, step n of a line answers as the recogniser does for the square around column n * step: exactly so
    if the square is the whole line, and nearly if there is paper around it.

    Args:
        model: A LineNet.
        recogniser: A HanziNet of plain blocks with the same classes, widths, depths and embedding, whose
            pictures are as high as the line.

    Raises:
        ValueError: The two differ in more than that one slides.
    """
    known = {layer.name: layer.get_weights() for layer in recogniser.layers if layer.weights}
    shared = [layer for layer in model.layers if layer.weights and not layer.name.startswith(_CONTEXT)]
    if {layer.name for layer in shared} == set(known):
        known["places"] = [_spread(known["places"][0])]
        known["embedding"] = [known["embedding"][0][None, None]]
    shapes = {layer.name: [tuple(weight.shape) for weight in layer.weights] for layer in shared}
    found = {name: [weight.shape for weight in weights] for name, weights in known.items()}
    if shapes != found:
        differing = sorted(name for name in {*shapes, *found} if shapes.get(name) != found.get(name))
        raise ValueError(
            "`recogniser` must be a HanziNet of plain blocks with the sizes of `model`. "
            f"Received: one that differs in {', '.join(differing)}."
        )
    for layer in shared:
        layer.set_weights(known[layer.name])


def keep_normalisation(model: keras.Model) -> None:
    """Lets a line reader that starts from a recogniser normalise as that does, while it trains on.

    Lines are more paper and less ink than the characters of a recogniser. With the averages of their batches, what
    the recogniser knows would be lost in the first steps.

    Args:
        model: A LineNet, before `compile`.
    """
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization) and not layer.name.startswith(_CONTEXT):
            layer.trainable = False


def _spread(kernel: np.ndarray) -> np.ndarray:
    """A kernel (side, side, channels, 1) with an empty column between each two."""
    side = kernel.shape[1]
    spread = np.zeros((side, 2 * side - 1, *kernel.shape[2:]), kernel.dtype)
    spread[:, ::2] = kernel
    return spread


def _block(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    y = _convolution(x, x.shape[-1], f"{name}_a")
    y = _convolution(y, x.shape[-1], f"{name}_b", activation=False)
    return layers.ReLU(name=f"{name}_relu")(layers.Add(name=f"{name}_add")([x, y]))


def _convolution(
    x: keras.KerasTensor,
    channels: int,
    name: str,
    strides: tuple[int, int] = (1, 1),
    activation: bool = True,
) -> keras.KerasTensor:
    x = layers.Conv2D(channels, 3, strides, padding="same", use_bias=False, name=name)(x)
    x = layers.BatchNormalization(name=f"{name}_norm")(x)
    return layers.ReLU(name=f"{name}_relu")(x) if activation else x


def _over_steps(x: keras.KerasTensor, reach: int, name: str) -> keras.KerasTensor:
    """A separable convolution over `reach` steps beside a shortcut: (N, 1, steps, channels) to the same."""
    y = layers.DepthwiseConv2D((1, reach), padding="same", use_bias=False, name=f"{name}_a")(x)
    y = layers.ReLU(name=f"{name}_relu")(layers.BatchNormalization(name=f"{name}_a_norm")(y))
    y = layers.Conv2D(x.shape[-1], 1, use_bias=False, name=f"{name}_b")(y)
    y = layers.BatchNormalization(gamma_initializer="zeros", name=f"{name}_b_norm")(y)
    return layers.Add(name=f"{name}_add")([x, y])
