"""Tells where paragraphs begin among the lines of a block: where a line is indented.

Starts of lines are compared with those of the lines around, because margins lean on photographed pages and drift on
written ones.

numpy only.
"""

import numpy as np

from zoo import geometry
from zoo.manuscript import Direction

_INDENT = 0.7  # In em; a line that is indented by one character starts at least so much further.
_AROUND = 4  # Lines before a line and after it that show where lines start.
_LEVEL = 0.55  # In em; what is less far across stands in the same row.


def begin(quads: np.ndarray, direction: Direction) -> np.ndarray:
    """Which lines of a block begin a paragraph.

    Args:
        quads: Its lines in reading order: corners clockwise from the top left of the text, float (n, 4, 2), n at
            least 1, in pixels.
        direction: How they are written.

    Returns:
        bool (n,); the first line always begins one.
    """
    start, end, thick = geometry.middles(np.asarray(quads, np.float64), direction)
    way = (end - start).sum(0)
    along = way / max(np.linalg.norm(way), 1e-6)
    em = max(np.median(thick), 1e-6)
    starts = start @ np.stack([along, [-along[1], along[0]]], 1) / em
    begins = np.zeros(len(starts), bool)
    for line, (start, across) in enumerate(starts):
        around = np.sort(starts[max(0, line - _AROUND) : line + _AROUND + 1, 0])
        usual = around[(len(around) - 1) // 2]
        in_row = line > 0 and abs(across - starts[line - 1, 1]) < _LEVEL
        begins[line] = line == 0 or (start > usual + _INDENT and not in_row)
    return begins
