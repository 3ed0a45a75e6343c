"""The grain of paper and camera, taken out of pictures of writing.

A recogniser that reads faint pencil takes grain for ink: shades of few grey levels, smooth because the picture
was resampled, turn a blank cell into a character and 一 into 二.
"""

import numpy as np

_EMPTIEST = 0.25  # Share of the cells that tell what paper looks like.
_SPREADS = 3.0  # Of a normal distribution, one of 700 values lies higher.
_MOST = 96.0  # Grey levels; what is darker is ink even on the worst paper.


def squares(image: np.ndarray, side: int) -> np.ndarray:
    """The squares of a picture, uint8 (H, W) to (n, side, side); what is left at its edges is left out."""
    rows, columns = (length // side for length in image.shape)
    whole = image[: rows * side, : columns * side].reshape(rows, side, columns, side)
    return whole.swapaxes(1, 2).reshape(-1, side, side)


def grain(cells: np.ndarray) -> float:
    """How dark paper gets.

    Args:
        cells: Parts of a flattened page, uint8 (n, h, w), paper about white; some of them with little ink.

    Returns:
        Grey levels below white, 0 ... 96; 0 without cells.
    """
    if not len(cells):
        return 0.0
    darkness = 255 - cells.reshape(len(cells), -1).astype(np.float32)
    order = np.argsort(darkness.mean(1), kind="stable")
    empty = darkness[order[: max(4, round(_EMPTIEST * len(cells)))]]
    middle, upper = np.percentile(empty, [50, 84])  # One standard deviation apart.
    return float(min(middle + _SPREADS * (upper - middle), _MOST))


def whiten(images: np.ndarray, level: float) -> np.ndarray:
    """Makes white what is no darker than grain, and keeps black black.

    Args:
        images: uint8 of any shape, dark ink on white.
        level: From `grain`.
    """
    table = np.clip((255 - np.arange(256) - level) * (255 / (255 - level)), 0, 255)
    return (255 - np.round(table)).astype(np.uint8)[images]
