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
_SMALLEST, _LARGEST = 0.06, 0.6  # The longer side of a mark.
_ROOM = 0.05  # What is shown behind it.

_PIXELS = 40  # Thickness of a line that is looked at.
_MARKS = 2  # As 。」, one after the other.
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
        others = np.delete(quads, number, axis=0)
        # With the first side across the start of the line.
        sides = np.linalg.norm(np.roll(quad, -1, axis=0) - quad, axis=1)
        shift = 0 if sides[0] + sides[2] < sides[1] + sides[3] else 1
        if (sides[1 - shift] + sides[3 - shift]) < _LONG * (sides[shift] + sides[(shift + 2) % 4]):
            continue
        for end in (shift, shift + 2):
            for _ in range(_MARKS):
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
    thickness = float(np.linalg.norm(across))
    away = (quad[:2] - quad[[3, 2]]).sum(0)
    away *= thickness / np.linalg.norm(away)
    side = _INSIDE + _BEYOND
    middle = quad[:2].mean(0) + away * (_BEYOND - _INSIDE) / 2
    # A square upright on the line: its first side is the far one.
    corners = np.array([away - across, away + across, across - away, -away - across]) * side / 2 + middle
    crop = geometry.rectify(flat, corners[None], round(side * _PIXELS))[0]
    stroke, core, _ = segmentation.levels(crop)
    ink = (crop < stroke).astype(np.uint8)
    _, labels, figures, middles = cv2.connectedComponentsWithStats(ink, connectivity=8)
    found = []
    for label in np.unique(labels[crop < core]).tolist():
        (left, top, width, height), place = figures[label, :4].tolist(), middles[label]
        # From the end of the box on, and across the line from its middle.
        near, far = ((len(crop) - y) / _PIXELS - _INSIDE for y in (top + height, top))
        aside = abs((place[0] + 0.5) / _PIXELS - side / 2)
        edge = left == 0 or top == 0 or left + width == len(crop) or top + height == len(crop)
        small = _SMALLEST <= max(width, height) / _PIXELS <= _LARGEST
        on_page = (
            quad[:2].mean(0) + away * (near + far) / 2 + across * ((place[0] + 0.5) / _PIXELS - side / 2)
        )
        taken = any(
            cv2.pointPolygonTest(other, on_page.astype(float).tolist(), False) >= 0 for other in others
        )
        if small and not edge and not taken and _START <= near <= _LAST and aside <= 0.55:
            found.append(far)
    if not found or (longest := max(found) + _ROOM) <= _ROOM:
        return None
    longer = quad.copy()
    longer[:2] += away * longest
    return longer
