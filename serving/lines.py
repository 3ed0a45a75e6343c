"""Lines on a picture, straightened and read."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import cv2
import numpy as np

from serving import segmentation
from zoo import geometry, ngram, paper
from zoo.manuscript import Direction, ink_box

THICKNESS = 72
"""Of a straightened line in pixels: a character is about as large as in the cells that the recogniser learnt."""

_MARGIN = 0.1  # Around a line, in shares of its thickness: strokes reach beyond the box that is found.
_PATCH = 12  # Side in pixels of what tells the grain of the paper: small enough to fit between characters.


class Written(NamedTuple):
    """A character of a line.

    Attributes:
        quad: Corners of its ink, clockwise from the top left of the text, float32 (4, 2), in pixels of the page.
        alternatives: The best classes with their probabilities among all characters.
    """

    quad: np.ndarray
    alternatives: tuple[tuple[int, float], ...]


ReadLines = Callable[[np.ndarray, Sequence[np.ndarray], Sequence[Direction]], list[list[Written]]]
"""From a flattened page, the corners of its lines and their directions to the characters of each, see `read`."""


def only_line(flat: np.ndarray) -> tuple[np.ndarray, Direction] | None:
    """The line of a picture that shows one: the upright box around its ink, and its direction.

    Args:
        flat: uint8 (H, W), from `zoo.manuscript.flatten`.

    Returns:
        The corners, float32 (4, 2), clockwise from the top left, and "vertical" where the ink is higher than
        wide; None where there is no ink.
    """
    box = ink_box(flat)
    if box is None:
        return None
    left, top, width, height = box
    size = np.array([width - 1, height - 1])
    # A line of dashes has no height.
    missing = np.maximum(0, max(1, size.min(), round(0.25 * min(flat.shape))) - size) / 2
    x, y = np.array([left, top]) - missing
    right, bottom = np.array([left, top]) + size + missing
    quad = np.array([[x, y], [right, y], [right, bottom], [x, bottom]], np.float32)
    return quad, "vertical" if bottom - y > right - x else "horizontal"


def read(
    flat: np.ndarray,
    quads: Sequence[np.ndarray],
    directions: Sequence[Direction],
    recogniser: segmentation.Recogniser,
    size: int,
    bigram: ngram.Bigram | None = None,
    closer: segmentation.Recogniser | None = None,
) -> list[list[Written]]:
    """Reads lines character by character.

    Args:
        flat: The page, uint8 (H, W), from `zoo.manuscript.flatten`.
        quads: Corners of the lines, clockwise from the top left of the text, float (4, 2) each.
        directions: How the characters of each line follow each other.
        recogniser: Reads cells, see `segmentation.Recogniser`.
        size: Side of a cell in pixels.
        bigram: Tells how likely a character follows another.
        closer: As of `segmentation.read_lines`.

    Returns:
        The characters of each line in the order of the text.
    """
    cut = straightened(flat, quads, directions, THICKNESS, _MARGIN)
    shown = [
        segmentation.Strip(image, direction) for (image, _), direction in zip(cut, directions, strict=True)
    ]
    return [
        [Written(on_page(segment.quad, matrix), segment.alternatives) for segment in segments]
        for segments, (_, matrix) in zip(
            segmentation.read_lines(shown, recogniser, size, bigram, closer=closer), cut, strict=True
        )
    ]


def straightened(
    flat: np.ndarray,
    quads: Sequence[np.ndarray],
    directions: Sequence[Direction],
    thickness: int,
    margin: float,
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Cuts lines out of a page and makes their paper white.

    Args:
        flat: As of `read`.
        quads: As of `read`.
        directions: As of `read`.
        thickness: Of the straightened lines in pixels.
        margin: What is shown around a line, in shares of its thickness.

    Returns:
        Each line, uint8 (thickness, w) or (h, thickness) if vertical, and the matrix from the page to it, (3, 3).
    """
    cut = [
        geometry.straighten(flat, quad, thickness, direction == "vertical", margin)
        for quad, direction in zip(quads, directions, strict=True)
    ]
    grain = paper.grain(np.concatenate([paper.squares(image, _PATCH) for image, _ in cut])) if cut else 0.0
    return [(paper.whiten(image, grain), matrix) for image, matrix in cut]


def on_page(quad: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Corners on a straightened line, (4, 2), as corners on its page, float32 (4, 2)."""
    return cv2.perspectiveTransform(quad[None].astype(np.float32), np.linalg.inv(matrix))[0]
