"""A page without cells: how it lies, where its lines are, in which order they are read, and what they say."""

from typing import NamedTuple

import numpy as np

from serving import line_ends, lines, orientation
from serving.cells import BATCH
from serving.lines import Written
from serving.segmentation import Recogniser
from zoo import ctc, geometry, layout
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


def read(
    flat: np.ndarray, quads: np.ndarray, recogniser: Recogniser, size: int, read_lines: lines.ReadLines
) -> list[FoundLine]:
    """Reads a page, however it lies.

    Args:
        flat: uint8 (H, W), from `zoo.manuscript.flatten`.
        quads: Corners of its lines in no order, float32 (n, 4, 2), from `serving.finder`.
        recogniser: Reads cells, which tells how the page lies.
        size: Side of a cell in pixels.
        read_lines: Reads the lines once they are upright.

    Returns:
        The lines in reading order, those without characters left out.
    """
    quads = line_ends.lengthened(flat, quads)
    turns = orientation.turns(flat, quads, lambda crops: _certainties(recogniser, crops), size)
    height, width = flat.shape
    if turns:
        flat = np.ascontiguousarray(np.rot90(flat, turns))
        turned = [geometry.order_corners(_turn(quad, turns, height, width)) for quad in quads]
        quads = np.array(turned, np.float32)
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
    return [_turned_back(line, turns, height, width) for line in found_lines if line.characters]


def boxes(flat: np.ndarray, quads: np.ndarray) -> list[np.ndarray]:
    """The lines of an upright page in reading order, the pieces of each joined: corners (4, 2) each.

    Args:
        flat: As of `read`.
        quads: Corners of its lines in no order, float32 (n, 4, 2), from `serving.finder`.
    """
    quads = line_ends.lengthened(flat, quads)
    return [_around(quads[row], direction) for direction, row in _rows(quads)]


def _rows(quads: np.ndarray) -> list[tuple[Direction, list[int]]]:
    """The lines in reading order: their direction, and the numbers of their pieces."""
    return [(block.direction, row) for block in layout.arrange(quads) for row in block.lines]


def _certainties(recogniser: Recogniser, crops: np.ndarray) -> np.ndarray:
    """The probability of the best character of each crop, float (n,); 0 where an empty cell is likelier."""
    logits = np.concatenate(
        [recogniser(crops[start : start + BATCH]) for start in range(0, len(crops), BATCH)]
    )
    best = logits[:, 1:].max(1)
    return np.where(best > logits[:, ctc.BLANK], np.exp(best - ctc.log_sum_exp(logits)[:, 0]), 0.0)


def _around(quads: np.ndarray, direction: Direction) -> np.ndarray:
    """The corners of a line of several pieces, (4, 2)."""
    first, last = quads[0], quads[-1]
    if direction == "vertical":
        return np.stack([first[0], first[1], last[2], last[3]])
    return np.stack([first[0], last[1], last[2], first[3]])


def _turn(quad: np.ndarray, turns: int, height: int, width: int) -> np.ndarray:
    """Points (n, 2) of a picture of that size, after so many quarters of a turn anticlockwise."""
    for _ in range(turns % 4):
        quad = np.stack([quad[:, 1], width - 1 - quad[:, 0]], axis=1)
        height, width = width, height
    return quad


def _turned_back(line: FoundLine, turns: int, height: int, width: int) -> FoundLine:
    if turns % 2:
        height, width = width, height
    return FoundLine(
        _turn(line.box, -turns, height, width),
        line.direction,
        [Written(_turn(one.quad, -turns, height, width), one.alternatives) for one in line.characters],
    )
