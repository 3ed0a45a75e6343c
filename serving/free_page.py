"""An upright page without cells: in which order its lines are read, and what they say."""

from typing import NamedTuple

import numpy as np

from serving import lines
from serving.lines import Written
from zoo import layout
from zoo.manuscript import Direction


class FoundLine(NamedTuple):
    """A line of a page.

    Attributes:
        box: Its corners, clockwise from the top left of the text, float32 (4, 2), in pixels of the page.
        direction: How its characters follow each other.
        characters: In the order of the text.
    """

    box: np.ndarray
    direction: Direction
    characters: list[Written]


def read(flat: np.ndarray, quads: np.ndarray, read_lines: lines.ReadLines) -> list[FoundLine]:
    """Reads an upright page.

    Args:
        flat: uint8 (H, W), from `zoo.manuscript.flatten`.
        quads: Corners of its lines in no order, float32 (n, 4, 2), from `serving.line_ends`.
        read_lines: Reads the lines.

    Returns:
        The lines in reading order, those without characters left out.
    """
    rows = _rows(quads)
    pieces = [(piece, direction) for direction, row in rows for piece in row]
    written = read_lines(flat, [quads[piece] for piece, _ in pieces], [direction for _, direction in pieces])
    characters = {piece: found for (piece, _), found in zip(pieces, written, strict=True)}
    found_lines = [
        FoundLine(
            _around(quads[row], direction), direction, [one for piece in row for one in characters[piece]]
        )
        for direction, row in rows
    ]
    return [line for line in found_lines if line.characters]


def boxes(quads: np.ndarray) -> list[np.ndarray]:
    """The lines of an upright page in reading order, the pieces of each joined: corners (4, 2) each.

    Args:
        quads: As of `read`.
    """
    return [_around(quads[row], direction) for direction, row in _rows(quads)]


def _rows(quads: np.ndarray) -> list[tuple[Direction, list[int]]]:
    """The lines in reading order: their direction, and the numbers of their pieces."""
    return [(block.direction, row) for block in layout.arrange(quads) for row in block.lines]


def _around(quads: np.ndarray, direction: Direction) -> np.ndarray:
    """The corners of a line of several pieces, (4, 2)."""
    first, last = quads[0], quads[-1]
    if direction == "vertical":
        return np.stack([first[0], first[1], last[2], last[3]])
    return np.stack([first[0], last[1], last[2], first[3]])
