"""An upright page without cells: in which order its lines are read, which paragraphs they form, and what they say."""

import itertools
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from serving import lines
from serving.lines import Written
from zoo import layout, paragraphs
from zoo.manuscript import Direction


class FoundLine(NamedTuple):
    """A line of a page.

    Attributes:
        box: Its corners, clockwise from the top left of the text, float32 (4, 2), in pixels of the page.
        direction: How its characters follow each other.
        paragraph: The number of its paragraph, from 0 on in reading order.
        characters: In the order of the text.
    """

    box: np.ndarray
    direction: Direction
    paragraph: int
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
    places = list(_places(quads))
    pieces = [(piece, place.direction) for place in places for piece in place.pieces]
    written = read_lines(flat, [quads[piece] for piece, _ in pieces], [direction for _, direction in pieces])
    characters = {piece: found for (piece, _), found in zip(pieces, written, strict=True)}
    lines = [(place, [one for piece in place.pieces for one in characters[piece]]) for place in places]
    kept = [(place, text) for place, text in lines if text]
    by_paragraph = itertools.groupby(kept, lambda line: line[0].paragraph)
    return [
        FoundLine(place.box, place.direction, number, text)
        for number, (_, paragraph) in enumerate(by_paragraph)
        for place, text in paragraph
    ]


def boxes(quads: np.ndarray) -> list[np.ndarray]:
    """The lines of an upright page in reading order, the pieces of each joined: corners (4, 2) each.

    Args:
        quads: As of `read`.
    """
    return [place.box for place in _places(quads)]


class _Place(NamedTuple):
    """Where a line is.

    Attributes:
        box: As of `FoundLine`.
        direction: As of `FoundLine`.
        paragraph: The number of its paragraph, those of blank lines counted.
        pieces: The numbers of its quadrilaterals, in the order of the text.
    """

    box: np.ndarray
    direction: Direction
    paragraph: int
    pieces: list[int]


def _places(quads: np.ndarray) -> Iterator[_Place]:
    """The lines in reading order."""
    paragraph = -1
    for block in layout.arrange(quads):
        around = [_around(quads[line], block.direction) for line in block.lines]
        begins = paragraphs.begin(np.array(around), block.direction).tolist()
        for box, begin, line in zip(around, begins, block.lines, strict=True):
            paragraph += begin
            yield _Place(box, block.direction, paragraph, line)


def _around(quads: np.ndarray, direction: Direction) -> np.ndarray:
    """The corners of a line of several pieces, (4, 2)."""
    first, last = quads[0], quads[-1]
    if direction == "vertical":
        return np.stack([first[0], first[1], last[2], last[3]])
    return np.stack([first[0], last[1], last[2], first[3]])
