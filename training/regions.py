"""The maps that CRAFT learns: characters and their neighbourhood as Gaussians.

Coordinates and spread are those of `zoo.regions`: whole numbers are the middles of pixels, and a place
of a map covers two by two of them.

Reference:
    Baek et al. 2019, section 3.2, https://arxiv.org/abs/1904.01941
"""

import functools
from collections.abc import Sequence

import cv2
import numpy as np

from zoo.regions import SPREAD

_SCALE = 2  # Pixels of the picture for one place of a map.
_REACH = 1.5  # Sides of the Gaussian's window in those of the quadrilateral, as in the authors' program.
_WINDOW = 64  # Side of the Gaussian that is warped.


def maps(lines: Sequence[Sequence[np.ndarray]], height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Draws the characters of a page.

    Args:
        lines: For each line, in reading order, the corners of its characters in pixels of the picture: float
            (4, 2), convex, clockwise from the top left of the character; ink boxes want `filled_out`. What
            lies outside the picture is cut off.
        height: Height of the picture in pixels.
        width: Width of the picture in pixels.

    Returns:
        The region and the affinity map, float32 (height // 2, width // 2) each, 0 ... 1.

    Raises:
        ValueError: A character is no convex quadrilateral.
    """
    region, affinity = np.zeros((2, height // _SCALE, width // _SCALE), np.float32)
    for line in lines:
        if not len(line):
            continue
        quads = np.asarray(line, np.float32)
        if quads.shape[1:] != (4, 2):
            raise ValueError(f"`lines` must hold characters of shape (4, 2). Received: {quads.shape[1:]}.")
        if not (convex := _convex(quads)).all():
            raise ValueError(
                f"`lines` must hold convex quadrilaterals. Received: {quads[~convex][0].tolist()}."
            )
        _draw(region, quads)
        between = _between(quads)
        # Characters that overlap may have no space between them to speak of.
        _draw(affinity, between[_convex(between)])
    return region, affinity


def filled_out(line: np.ndarray, share: float = 0.7) -> np.ndarray:
    """Widens the ink boxes of small marks.

    The Gaussian of a comma or of 一, as small as its ink, falls between the places of the map. And the
    affinity between it and its neighbour stays so near to it that the line breaks: a mark of half a side is
    joined to a character up to 1.9 sides away, one of 0.7 to a character up to 2.8 sides away.

    Args:
        line: Corners of the ink of the characters of a line, float (n, 4, 2), clockwise from the top left.
        share: Of the median width and height of its characters; what is less is widened to it.

    Returns:
        float32 (n, 4, 2), each around the middle that it had.
    """
    quads = np.asarray(line, np.float32)
    for before, after in (((0, 3), (1, 2)), ((0, 1), (3, 2))):  # Left and right, top and bottom.
        across = (quads[:, after] - quads[:, before]).mean(1)
        length = np.linalg.norm(across, axis=1)
        missing = np.maximum(share * np.median(length) / length - 1, 0)[:, None, None] * across[:, None] / 2
        quads = quads.copy()
        quads[:, before] -= missing
        quads[:, after] += missing
    return quads


def confidence_map(lines: np.ndarray, confidences: Sequence[float], height: int, width: int) -> np.ndarray:
    """How far each place of the maps is to be believed.

    Args:
        lines: Lines whose characters are a guess of `training.weak`: float (n, 4, 2), in pixels.
        confidences: How sure the guess of each is, 0 ... 1. Where lines overlap, the lowest counts.
        height: Height of the picture in pixels.
        width: Width of the picture in pixels.

    Returns:
        float32 (height // 2, width // 2), 1 outside the lines.
    """
    confidence = np.ones((height // _SCALE, width // _SCALE), np.float32)
    for quad, value in zip(lines, confidences, strict=True):
        inside = np.zeros(confidence.shape, np.uint8)
        cv2.fillConvexPoly(inside, np.rint(_on_map(np.asarray(quad))).astype(np.int32), 1)
        np.minimum(confidence, np.float32(value), out=confidence, where=inside > 0)
    return confidence


def _between(quads: np.ndarray) -> np.ndarray:
    """The affinity boxes of a line, float32 (n - 1, 4, 2), of its characters, (n, 4, 2).

    The diagonals of a character part it into four triangles. The corners are the middles of the two
    triangles along the line, of one character and of the next.
    """
    if len(quads) < 2:
        return np.empty((0, 4, 2), np.float32)
    middles = quads.mean(1)
    way = middles[-1] - middles[0]
    right, down = (quads[:, 1] - quads[:, 0]).mean(0), (quads[:, 3] - quads[:, 0]).mean(0)
    horizontal = abs(way @ right) / np.linalg.norm(right) >= abs(way @ down) / np.linalg.norm(down)
    # The sides of a character on both sides of the line: its top and bottom, or its left and right.
    sides = ((0, 1), (3, 2)) if horizontal else ((0, 3), (1, 2))
    first, second = ((quads[:, a] + quads[:, b] + middles) / 3 for a, b in sides)
    return np.stack([first[:-1], first[1:], second[1:], second[:-1]], 1)


def _draw(drawn: np.ndarray, quads: np.ndarray) -> None:
    """Warps the Gaussian into each quadrilateral of the picture; where two meet, the higher value stays."""
    corners = _on_map(quads)
    middles = _crossings(corners)[:, None]
    corners = middles + np.float32(_REACH) * (corners - middles)
    limits = np.array(drawn.shape[::-1])
    lows = np.clip(np.floor(corners.min(1)), 0, limits).astype(int)
    highs = np.clip(np.ceil(corners.max(1)) + 1, 0, limits).astype(int)
    square = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32) * _WINDOW - np.float32(0.5)
    corners = np.ascontiguousarray(corners - lows[:, None], np.float32)
    for target, (left, top), (right, bottom) in zip(corners, lows.tolist(), highs.tolist(), strict=True):
        if left < right and top < bottom:
            matrix = cv2.getPerspectiveTransform(square, target)
            window = drawn[top:bottom, left:right]
            np.maximum(
                window, cv2.warpPerspective(_gaussian(), matrix, (right - left, bottom - top)), out=window
            )


def _crossings(quads: np.ndarray) -> np.ndarray:
    """Where the diagonals of each convex quadrilateral cross: there the middle of a square comes to lie."""
    first, second, edge = quads[:, 2] - quads[:, 0], quads[:, 3] - quads[:, 1], quads[:, 1] - quads[:, 0]
    return quads[:, 0] + (_cross(edge, second) / _cross(first, second))[:, None] * first


def _convex(quads: np.ndarray) -> np.ndarray:
    """Which of the quadrilaterals, (n, 4, 2), turn the same way at each corner: bool (n,)."""
    edges = np.roll(quads, -1, axis=1) - quads
    turns = _cross(edges, np.roll(edges, -1, axis=1))
    return np.all(turns > 0, axis=1) | np.all(turns < 0, axis=1)


def _cross(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return first[..., 0] * second[..., 1] - first[..., 1] * second[..., 0]


@functools.cache
def _gaussian() -> np.ndarray:
    """A Gaussian of height 1 in a square window, float32."""
    places = ((np.arange(_WINDOW) + 0.5) / _WINDOW - 0.5) * _REACH / SPREAD
    along = np.exp(-(places**2) / 2)
    return np.outer(along, along).astype(np.float32)


def _on_map(quad: np.ndarray) -> np.ndarray:
    return ((quad + 0.5) / _SCALE - 0.5).astype(np.float32)
