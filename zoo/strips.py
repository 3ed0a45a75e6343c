"""Strips: how a line reader sees a line, from left to right whichever way it was written.

numpy and OpenCV only.
"""

import cv2
import numpy as np

HEIGHT = 64
"""Of a strip in pixels."""

STEP = 8
"""Pixels between two answers of a line reader; widths are multiples of it."""

_REACH = 0.12  # What a piece of a column shows before and after its character, in shares of the thickness.


def lay_out(column: np.ndarray, spans: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Puts the characters of a vertical line side by side.

    The column is cut between characters: half-way, but near them. A piece keeps its scale, so that a comma stays
    small, unless it is higher than the strip; where it is lower, paper is put above and below.

    Args:
        column: A straightened vertical line, uint8 (h, thickness).
        spans: Where each character starts and ends along it, in its order, float (n, 2), in pixels.

    Returns:
        The strip, uint8 (thickness, w), w at most n times thickness; and where each character stands in it, start
        and end, int (n, 2).

    Raises:
        ValueError: There is no span, or one lies outside the column.
    """
    spans = np.asarray(spans, np.float64).reshape(-1, 2)
    height, thickness = column.shape
    if not len(spans) or (spans[:, 0] >= height).any() or (spans[:, 1] <= 0).any():
        raise ValueError(f"`spans` must lie within 0 ... {height}. Received: {spans.tolist()}.")
    reach = _REACH * thickness
    between = (spans[:-1, 1] + spans[1:, 0]) / 2
    starts = np.maximum(spans[:, 0] - reach, np.concatenate([[0.0], between]))
    ends = np.minimum(spans[:, 1] + reach, np.concatenate([between, [height]]))
    tops = np.clip(np.rint(starts), 0, height - 1).astype(int)
    bottoms = np.clip(np.rint(ends), tops + 1, height).astype(int)
    background = shade(column)
    pieces = []
    for top, bottom in zip(tops.tolist(), bottoms.tolist(), strict=True):
        piece = column[top:bottom]
        if len(piece) > thickness:
            narrow = max(1, round(thickness * thickness / len(piece)))
            piece = cv2.resize(piece, (narrow, thickness), interpolation=cv2.INTER_AREA)
        square = np.full((thickness, piece.shape[1]), background, np.uint8)
        above = (thickness - len(piece)) // 2
        square[above : above + len(piece)] = piece
        pieces.append(square)
    edges = np.cumsum([0, *(piece.shape[1] for piece in pieces)])
    return np.concatenate(pieces, axis=1), np.stack([edges[:-1], edges[1:]], 1)


def shade(strip: np.ndarray) -> int:
    """The shade of the paper of a strip: most of it shows no ink."""
    sparse = strip[::3, ::3]
    return int(
        np.partition(sparse, round(0.7 * (sparse.size - 1)), axis=None)[round(0.7 * (sparse.size - 1))]
    )
