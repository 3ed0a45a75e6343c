"""Marks that stand beside the ends of lines.

What finds lines sees a small full stop or comma at the end of one badly, and so its box may end before it. Small ink
that stands alone there, at the height of the line, belongs to it.
"""

import cv2
import numpy as np

from serving import segmentation
from zoo import geometry

# In shares of the thickness of the line.
_INSIDE = 0.3  # What is looked at before the end of the box,
_BEYOND = 1.0  # and behind it.
_START = -0.1  # Where a mark starts at the earliest, from the end of the box,
_LAST = 0.7  # and at the latest.
_ASIDE = 0.55  # How far its middle may be from that of the line.
_SMALLEST, _LARGEST = 0.06, 0.6  # The longer side of a mark.
_ROOM = 0.05  # What is shown behind it.

_PIXELS = 40  # Thickness of a line that is looked at.
_LOOKS = 2  # At each end: 」 may follow upon 。
_LONG = 1.5  # Lines that are shorter, in shares of their thickness, may run either way.


def lengthened(flat: np.ndarray, quads: np.ndarray) -> np.ndarray:
    """Lines with the marks beside both of their ends.

    Args:
        flat: The page, uint8 (H, W), from `zoo.manuscript.flatten`.
        quads: Corners of its lines, float32 (n, 4, 2), clockwise.

    Returns:
        The same with some of them longer.
    """
    longer = quads.copy()
    for number, quad in enumerate(quads):
        sides = np.linalg.norm(np.roll(quad, -1, axis=0) - quad, axis=1)
        first = 0 if sides[0] + sides[2] < sides[1] + sides[3] else 1  # A side across the line.
        across, along = (sides[side] + sides[side + 2] for side in (first, 1 - first))
        if not across or along < _LONG * across:
            continue
        others = np.delete(longer, number, axis=0)
        for end in (first, first + 2):
            for _ in range(_LOOKS):
                beyond = _reach(flat, np.roll(longer[number], -end, axis=0), others)
                if beyond is None:
                    break
                longer[number] = np.roll(beyond, end, axis=0)
    return longer


def _reach(flat: np.ndarray, quad: np.ndarray, others: np.ndarray) -> np.ndarray | None:
    """A line that is lengthened at its first side, (4, 2), so that it holds a mark; None where there is none.

    Args:
        flat: As of `lengthened`.
        quad: The line, its first two corners at the end that is looked at.
        others: The other lines, which keep what is theirs.
    """
    across = quad[1] - quad[0]
    away = (quad[:2] - quad[[3, 2]]).sum(0)
    away *= np.linalg.norm(across) / np.linalg.norm(away)
    side = _INSIDE + _BEYOND
    end = quad[:2].mean(0)
    # A square upright on the line: its first side is the far one.
    square = np.array([away - across, away + across, across - away, -away - across]) * side / 2
    square += end + away * (_BEYOND - side / 2)
    (crop,) = geometry.rectify(flat, square[None], round(side * _PIXELS))
    stroke, core, _ = segmentation.levels(crop)
    ink = (crop < stroke).astype(np.uint8)
    _, labels, figures, middles = cv2.connectedComponentsWithStats(ink, connectivity=8)
    reached = 0.0
    for label in np.unique(labels[crop < core]).tolist():
        left, top, width, height = figures[label, :4].tolist()
        # From the end of the box on, and across the line from its middle.
        near, far = ((len(crop) - y) / _PIXELS - _INSIDE for y in (top + height, top))
        aside = (middles[label, 0] + 0.5) / _PIXELS - side / 2
        small = _SMALLEST <= max(width, height) / _PIXELS <= _LARGEST
        inside = left > 0 and top > 0 and left + width < len(crop) and top + height < len(crop)
        if not (small and inside and _START <= near <= _LAST and abs(aside) <= _ASIDE):
            continue
        middle = (end + away * (near + far) / 2 + across * aside).astype(float).tolist()
        if all(cv2.pointPolygonTest(other, middle, False) < 0 for other in others):
            reached = max(reached, far)
    if not reached:
        return None
    longer = quad.copy()
    longer[:2] += away * (reached + _ROOM)
    return longer
