"""The maps that DBNet learns: shrunken lines, and thresholds along their borders.

The paper moves the outline of a line inwards and outwards by A (1 - r²) / L, A its area, L the length of the
outline, r the ratio. A place lies inside the moved outline where its distance to the outline says so; that
distance makes the thresholds as well, and lets an edge fall between two places.

Coordinates are those of `zoo.polygons`: whole numbers are the middles of pixels.

References:
    Liao et al. 2020, https://arxiv.org/abs/1911.08947
    Vatti 1992, moved outlines, https://doi.org/10.1145/129902.129906
"""

import math
from collections.abc import Sequence

import numpy as np

from zoo.polygons import RATIO, SMALLEST

_LOW, _HIGH = 0.3, 0.7  # Thresholds far from the outline and on it.


def targets(
    lines: Sequence[np.ndarray],
    height: int,
    width: int,
    ignored: Sequence[np.ndarray] = (),
    stride: int = 2,
    ratio: float = RATIO,
    smallest: float = SMALLEST,
) -> dict[str, np.ndarray]:
    """Draws the lines of a page.

    Args:
        lines: The outline of each, float (K, 2), K at least 3, in pixels of the picture, either way round. What
            lies outside the picture is cut off.
        height: Height of the picture in pixels.
        width: Width of the picture in pixels.
        ignored: Outlines of what is neither text nor paper, such as words that are crossed out.
        stride: Pixels of the picture for one place of the maps, along each side.
        ratio: How far lines are shrunk, r.
        smallest: Height in pixels of the smallest line that is learnt. Smaller ones are ignored, and so are
            those of which less than the width of a place would be left.

    Returns:
        For each output of `zoo.dbnet`, float32 (height // stride, width // stride, 2), the map to learn and how
        much each place counts, 0 or 1. `probability` and `binary` are 1 in the shrunken lines, 0 elsewhere;
        nothing ignored counts. `threshold` falls from 0.7 on an outline to 0.3 where it was moved to; it counts
        up to the outline that was moved outwards.

    Raises:
        ValueError: An outline is none, or `ratio` is not between 0 and 1.
    """
    if not 0 < ratio < 1:
        raise ValueError(f"`ratio` must be between 0 and 1. Received: ratio={ratio}.")
    shape = (height // stride, width // stride)
    text, counted, borders, bordered = np.zeros((4, *shape), np.float32)
    counted[:] = 1
    borders[:] = _LOW
    unread = [_checked(outline) for outline in ignored]
    for outline in map(_checked, lines):
        area, length = _measured(outline)
        thickness = _thickness(area, length)
        moved = area * (1 - ratio**2) / length
        if thickness < smallest or thickness - 2 * moved < stride:
            unread.append(outline)
            continue
        corners, reach = _on_map(outline, stride), moved / stride
        window = _window(corners, reach, shape)
        inside, distances = _inside(corners, window), _distances(corners, window)
        text[window][inside & (distances >= reach)] = 1
        bordered[window][inside | (distances < reach)] = 1
        falling = np.float32(_HIGH) - distances * np.float32((_HIGH - _LOW) / reach)
        np.maximum(borders[window], falling, out=borders[window])
    for outline in unread:
        corners = _on_map(outline, stride)
        window = _window(corners, 0, shape)
        counted[window][_inside(corners, window)] = 0
    probability = np.stack([text, counted], -1)
    return {"probability": probability, "threshold": np.stack([borders, bordered], -1), "binary": probability}


def _checked(outline: np.ndarray) -> np.ndarray:
    """The corners of an outline, float64 (K, 2); one that is given twice counts once."""
    points = np.asarray(outline, np.float64)
    if points.ndim == 2 and points.shape[1] == 2 and np.isfinite(points).all():
        different = points[(points != np.roll(points, 1, axis=0)).any(1)]
        if len(different) >= 3:
            return different
    raise ValueError(f"An outline must have three corners (x, y) or more. Received: {points.tolist()}.")


def _measured(outline: np.ndarray) -> tuple[float, float]:
    """Area and length."""
    following = np.roll(outline, -1, axis=0)
    area = abs(np.sum(outline[:, 0] * following[:, 1] - outline[:, 1] * following[:, 0])) / 2
    return float(area), float(np.linalg.norm(following - outline, axis=1).sum())


def _thickness(area: float, length: float) -> float:
    """The shorter side of the rectangle of this area and this length of outline, also of a bent one."""
    return length / 4 - math.sqrt(max(0.0, (length / 4) ** 2 - area))


def _on_map(outline: np.ndarray, stride: int) -> np.ndarray:
    return (outline + 0.5) / stride - 0.5


def _window(points: np.ndarray, margin: float, shape: tuple[int, int]) -> tuple[slice, slice]:
    """The part of a map that holds some points and a margin around them."""
    limits = np.array(shape[::-1])
    left, top = np.clip(np.floor(points.min(0) - margin), 0, limits).astype(int).tolist()
    right, bottom = np.clip(np.ceil(points.max(0) + margin) + 1, 0, limits).astype(int).tolist()
    return slice(top, bottom), slice(left, right)


def _inside(outline: np.ndarray, window: tuple[slice, slice]) -> np.ndarray:
    """Which places of a window lie inside an outline: bool (h, w)."""
    rows, columns = np.ogrid[window]
    starts, ends = outline[:, :, None, None], np.roll(outline, -1, axis=0)[:, :, None, None]
    # An edge to the right of a place takes it in or out.
    passed = (starts[:, 1] <= rows) != (ends[:, 1] <= rows)
    with np.errstate(divide="ignore", invalid="ignore"):  # Level edges pass no row.
        crossings = starts[:, 0] + (rows - starts[:, 1]) * ((ends - starts)[:, 0] / (ends - starts)[:, 1])
    return np.logical_xor.reduce(columns < np.where(passed, crossings, -np.inf))


def _distances(outline: np.ndarray, window: tuple[slice, slice]) -> np.ndarray:
    """The distance of each place of a window to an outline: float32 (h, w)."""
    rows, columns = np.ogrid[window]
    edges = np.roll(outline, -1, axis=0) - outline
    lengths = np.linalg.norm(edges, axis=1)[:, None, None]
    directions = edges[:, :, None, None] / lengths[:, None]
    middles = (outline + edges / 2)[:, :, None, None]
    x, y = columns - middles[:, 0], rows - middles[:, 1]
    along = (x * directions[:, 0]).astype(np.float32) + (y * directions[:, 1]).astype(np.float32)
    aside = (x * directions[:, 1]).astype(np.float32) - (y * directions[:, 0]).astype(np.float32)
    beyond = np.maximum(np.abs(along) - (lengths / 2).astype(np.float32), 0)
    return np.sqrt((beyond**2 + aside**2).min(0))
