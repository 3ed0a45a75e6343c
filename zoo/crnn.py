"""CRNN: reads a line of text, column by column.

Convolutions turn the line into columns, recurrent layers read the columns in both directions, and
every column votes for a character or for the blank (id 0). `zoo.ctc` makes text of the votes.

A line that is shorter than the picture is padded with white paper on the right, and nothing masks it:
the network learns from padded lines that paper is blank, so the columns of the padding decode to
nothing. A reader that knows the width of a line may also hand `width // 4` to `zoo.ctc.read_batch`.

References:
    Shi et al. 2015, https://arxiv.org/abs/1507.05717
    Graves et al. 2006, CTC, https://www.cs.toronto.edu/~graves/icml_2006.pdf
"""

import keras
from keras import layers

from zoo import layers as blocks

_VGG = (
    # Channels, batch normalisation, and the window of the maximum after it (height, width).
    (64, False, (2, 2)),
    (128, False, (2, 2)),
    (256, False, None),
    (256, False, (2, 1)),
    (512, True, None),
    (512, True, (2, 1)),
)


def crnn(
    classes: int,
    height: int = 48,
    width: int | None = None,
    units: int = 256,
    widths: tuple[int, int] = (32, 64),
    depth: int = 2,
    dropout: float = 0.2,
    unroll: bool = False,
) -> keras.Model:
    """Reads one line of text.

    Two blocks of convolutions, each ended by a maximum over 2x2 places, then two bidirectional GRU
    layers. The columns of the last map are the time steps; their heights are folded into the channels.

    Args:
        classes: Number of characters, the CTC blank (id 0) included.
        height: Height of the line in pixels.
        width: Width in pixels; None accepts any, and pixels beyond a multiple of 4 are not looked at.
        units: Units of each GRU, in each direction.
        widths: Channels of the two blocks.
        depth: Convolutions of a block.
        dropout: Share that is dropped before each GRU layer while training.
        unroll: Write the time steps out one by one, which integer TFLite files need; takes a width.

    Returns:
        A model from `image`, uint8 (N, height, width, 1), dark ink on light paper, to
        `{"logits": float32 (N, width // 4, classes)}`.

    Raises:
        ValueError: `height` or `width` is not a multiple of 4, `depth` is below 1, or `unroll` lacks a
            `width`.

    Reference:
        Cho et al. 2014, the GRU, https://arxiv.org/abs/1406.1078
    """
    _check(height, 4, width, unroll)
    if depth < 1:
        raise ValueError(f"`depth` must be at least 1. Received: depth={depth}.")
    image, x = _line(height, width)
    for block, channels in enumerate(widths, 1):
        for number in range(1, depth + 1):
            name = f"block{block}_conv{number}"
            x = layers.Conv2D(channels, 3, padding="same", use_bias=False, name=name)(x)
            x = layers.BatchNormalization(name=f"{name}_norm")(x)
            x = layers.ReLU(name=f"{name}_relu")(x)
        x = layers.MaxPooling2D(name=f"block{block}_pool")(x)
    x = _columns(x)
    for number in (1, 2):
        x = layers.Dropout(dropout, name=f"gru{number}_dropout")(x)
        x = layers.Bidirectional(
            layers.GRU(units, return_sequences=True, unroll=unroll), name=f"gru{number}"
        )(x)
    x = layers.Dense(classes, name="scores")(x)
    return keras.Model(image, blocks.named_logits(x), name="crnn")


def crnn_vgg(
    classes: int,
    height: int = 32,
    width: int | None = None,
    units: int = 256,
    factor: float = 1.0,
    unroll: bool = False,
) -> keras.Model:
    """Reads one line of text with the deeper network of Shi et al. The defaults are those of the paper.

    Seven convolutions, whose later maxima are taken over windows one column wide, so that narrow
    characters keep their columns; then two bidirectional LSTM layers. As in the authors' program, a
    linear layer of `units` stands between the two. Their last convolution (2x2, no padding) costs one
    column; here a column of padding keeps the steps at width // 4.

    Args:
        classes: Number of characters, the CTC blank (id 0) included.
        height: Height of the line in pixels.
        width: Width in pixels; None accepts any, and pixels beyond a multiple of 4 are not looked at.
        units: Units of each LSTM, in each direction.
        factor: Factor of the channels of each convolution.
        unroll: Write the time steps out one by one, which integer TFLite files need; takes a width.

    Returns:
        A model from `image`, uint8 (N, height, width, 1), dark ink on light paper, to
        `{"logits": float32 (N, width // 4, classes)}`.

    Raises:
        ValueError: `height` is not a multiple of 16, `width` is not one of 4, or `unroll` lacks a
            `width`.

    References:
        Shi et al. 2015, table 1, https://arxiv.org/abs/1507.05717
        Hochreiter and Schmidhuber 1997, the LSTM, https://doi.org/10.1162/neco.1997.9.8.1735
    """
    _check(height, 16, width, unroll)
    image, x = _line(height, width)
    for number, (channels, normalise, pool) in enumerate(_VGG, 1):
        x = layers.Conv2D(_scaled(channels, factor), 3, padding="same", name=f"conv{number}")(x)
        if normalise:
            x = layers.BatchNormalization(name=f"conv{number}_norm")(x)
        x = layers.ReLU(name=f"conv{number}_relu")(x)
        if pool:
            x = layers.MaxPooling2D(pool, name=f"conv{number}_pool")(x)
    x = layers.ZeroPadding2D(((0, 0), (0, 1)), name="conv7_padding")(x)
    x = layers.Conv2D(_scaled(512, factor), (height // 16, 2), activation="relu", name="conv7")(x)
    x = _columns(x)
    for number in (1, 2):
        x = layers.Bidirectional(
            layers.LSTM(units, return_sequences=True, unroll=unroll), name=f"lstm{number}"
        )(x)
        x = layers.Dense(units if number == 1 else classes, name="between" if number == 1 else "scores")(x)
    return keras.Model(image, blocks.named_logits(x), name="crnn_vgg")


def steps(width: int) -> int:
    """The number of time steps of a line of `width` pixels."""
    return width // 4


def _check(height: int, multiple: int, width: int | None, unroll: bool) -> None:
    if height < multiple or height % multiple:
        raise ValueError(f"`height` must be a multiple of {multiple}. Received: height={height}.")
    if width is not None and (width < 4 or width % 4):
        raise ValueError(
            f"`width` must be a multiple of 4, so that the columns line up. Received: width={width}."
        )
    if unroll and width is None:
        raise ValueError("`unroll` must come with a `width`. Received: unroll=True, width=None.")


def _line(height: int, width: int | None) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """The input, and its ink: 1 for ink and 0 for paper, so that zero padding looks like paper."""
    image = keras.Input((height, width, 1), dtype="uint8", name="image")
    return image, layers.Rescaling(-1 / 255, offset=1.0, name="ink")(image)


def _columns(x: keras.KerasTensor) -> keras.KerasTensor:
    """A map (N, rows, columns, channels) as a sequence (N, columns, rows * channels)."""
    rows, channels = x.shape[1], x.shape[3]
    x = layers.Permute((2, 1, 3), name="columns_first")(x)
    return layers.Reshape((-1, rows * channels), name="columns")(x)


def _scaled(channels: int, factor: float) -> int:
    return max(1, round(channels * factor))
