"""How a page lies: upright, or turned by a quarter, a half or three quarters of a full turn.

Strokes look alike in every position, characters do not: the recogniser tells in which one it reads them best.
"""

from collections.abc import Callable

import numpy as np

from serving.cells import MARGIN
from zoo import geometry

_SQUARES = 24  # Looked at in four positions; some of them show parts of two characters.
# By how much the recogniser is surer where the page may be turned, and where it is: of neat writing it is sure to .85
# upright and to .45 turned, of a quick hand to .25 in any position.
_SURER = 0.02
_CERTAIN = 0.3


def turns(
    flat: np.ndarray, quads: np.ndarray, certainties: Callable[[np.ndarray], np.ndarray], size: int
) -> tuple[int, bool]:
    """By how many quarters of a turn, anticlockwise, the page may become upright, as `numpy.rot90` counts them.

    Args:
        flat: The page, uint8 (H, W), dark ink on white.
        quads: Its lines in any position, or the cells in which something is written, float (n, 4, 2).
        certainties: How sure the recogniser is of each crop, uint8 (n, size, size) to float (n,).
        size: Side of a crop in pixels.

    Returns:
        0, 1, 2 or 3; 0 without lines. And whether that is certain: where it is not, both readings must be compared.
    """
    squares = _squares(quads)
    if not len(squares):
        return 0, True
    crops = geometry.rectify(flat, squares, size, margin=MARGIN)
    turned = np.concatenate([np.rot90(crops, quarters, (1, 2)) for quarters in range(4)])
    sure = certainties(np.ascontiguousarray(turned)).reshape(4, -1).mean(1)
    best = int(sure.argmax())
    surer = sure[best] - sure[0]
    return (best, bool(surer > _CERTAIN)) if surer > _SURER else (0, True)


def _squares(quads: np.ndarray) -> np.ndarray:
    """Squares as large as lines are thick, side by side in the lines: float32 (n, 4, 2), 24 of them at most."""
    squares = []
    for quad in np.asarray(quads, np.float32):
        sides = np.linalg.norm(quad - np.roll(quad, -1, axis=0), axis=1)
        down = int(sides[0] + sides[2] < sides[1] + sides[3])
        a, b, c, d = np.roll(
            quad, -down, axis=0
        )  # Now the longer sides are those from a to b and from d to c.
        count = max(1, round(float(sides.max() / max(sides.min(), 1.0))))
        shares = np.arange(count + 1)[:, None] / count
        one, other = a + (b - a) * shares, d + (c - d) * shares
        square = np.stack([one[:-1], one[1:], other[1:], other[:-1]], axis=1)
        squares += list(np.roll(square, down, axis=1))
    chosen = squares[:: -(-len(squares) // _SQUARES)] if squares else squares
    return np.reshape(chosen, (-1, 4, 2)).astype(np.float32)
