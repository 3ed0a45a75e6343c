"""Region and affinity maps become characters and lines.

A character draws a two-dimensional Gaussian into the region map, as wide as the character: its standard
deviation is `SPREAD` sides. So what stands out of the map tells the whole box, and two boxes that only
touch are parted by a valley of a quarter of the height.

Maps are float (h, w). Quadrilaterals are those of the picture: a place of the map covers `scale` by
`scale` pixels, and whole numbers are the middles of pixels.

References:
    Baek et al. 2019, https://arxiv.org/abs/1904.01941
    Vincent and Soille 1991, watersheds by immersion, https://doi.org/10.1109/34.87344
"""

import cv2
import numpy as np

from zoo import geometry

SPREAD = 0.3
"""Standard deviation of the Gaussian of a character, in shares of its side."""

_STEP = 0.05  # Between the levels of the flood.
_CUT = 0.5  # The part of a peak above this share of its height is measured; neighbours stay below it.
_SMALLEST = 10  # Places of a line; less is noise.


def characters(
    region: np.ndarray, threshold: float = 0.6, depth: float = 0.1, angle: float = 0.0, scale: float = 2.0
) -> tuple[np.ndarray, np.ndarray]:
    """Finds characters as the peaks of the region map.

    The map is flooded from the top: peaks that are parted by a valley stay apart, also where the map does
    not sink to the paper between them. The second moments of a peak give the sides of the box.

    Args:
        region: How much a place is the middle of a character, 0 ... 1.
        threshold: Height of the lowest peak.
        depth: How far the map sinks between two characters; a lesser valley is noise within one.
        angle: Of the boxes, clockwise in degrees. A square character does not show in the map how it is
            turned; the line in which it stands does.
        scale: Pixels of the picture for one of the map, along each side.

    Returns:
        float32 (n, 4, 2), clockwise from the top left of the text, and the heights of the peaks, float32
        (n,), at most 1.

    Raises:
        ValueError: `region` is no map, or `threshold` or `depth` is not between 0 and 1.
    """
    _check(region, threshold=threshold, depth=depth)
    basins, count = _flood(region, threshold, depth)
    rows, columns = np.nonzero(basins)
    basin = basins[rows, columns].astype(int) - 1
    values = region[rows, columns].astype(np.float64)
    peaks = np.zeros(count)
    np.maximum.at(peaks, basin, values)

    weights = np.maximum(values - _CUT * peaks[basin], 0)
    total = np.bincount(basin, weights, count)
    turned = np.deg2rad(angle)
    axes = np.array([[np.cos(turned), np.sin(turned)], [-np.sin(turned), np.cos(turned)]])
    places = np.stack([columns, rows], 1) @ axes.T
    middles, sides = np.empty((count, 2)), np.empty((count, 2))
    for axis in (0, 1):
        place = places[:, axis]
        middles[:, axis] = np.bincount(basin, weights * place, count) / total
        squares = np.bincount(basin, weights * (place - middles[basin, axis]) ** 2, count) / total
        sides[:, axis] = np.sqrt(squares / _VARIANCE) / SPREAD
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) / 2
    # A peak of one place has no moments.
    quads = (middles[:, None] + corners * np.maximum(sides, 1)[:, None]) @ axes
    return _on_picture(quads, scale), np.minimum(peaks, 1).astype(np.float32)


def lines(
    region: np.ndarray,
    affinity: np.ndarray,
    threshold: float = 0.6,
    low: float = 0.4,
    link: float = 0.4,
    scale: float = 2.0,
) -> tuple[np.ndarray, np.ndarray]:
    """Finds lines, or words where the affinity map parts them, as connected characters.

    Args:
        region: How much a place is the middle of a character, 0 ... 1.
        affinity: How much a place is halfway between two neighbours of a line, of the same shape.
        threshold: Height of the highest peak of a line, at least.
        low: Height from which a place belongs to a character.
        link: Height from which a place joins two characters.
        scale: Pixels of the picture for one of the map, along each side.

    Returns:
        float32 (n, 4, 2), clockwise from the top left one, rectangles that may be turned, and the height of
        the highest peak of each, float32 (n,), at most 1.

    Raises:
        ValueError: The maps are none or differ in shape, or a height is not between 0 and 1.
    """
    _check(region, threshold=threshold, low=low, link=link)
    if affinity.shape != region.shape:
        raise ValueError(
            f"`affinity` must have the shape of `region`, {region.shape}. Received: {affinity.shape}."
        )
    text = region > low
    joined = (text | (affinity > link)).astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(joined, connectivity=4)
    # At this height the Gaussian of a character is narrower than the character. The authors widen the line
    # by the root of its thickness, which suits one size of text; a share of the thickness suits all.
    narrowed = 2 * SPREAD * np.sqrt(2 * np.log(1 / low))
    quads, scores = [], []
    for label in range(1, count):
        left, top, width, height, area = stats[label]
        if area < _SMALLEST:
            continue
        window = (slice(top, top + height), slice(left, left + width))
        # What only joins characters may stand out of the line.
        rows, columns = np.nonzero((labels[window] == label) & text[window])
        score = region[window][rows, columns].max(initial=0)
        if score < threshold:
            continue
        quads.append(_rectangle(np.stack([columns + left, rows + top], 1), narrowed))
        scores.append(min(score, 1))
    return _on_picture(np.reshape(quads, (-1, 4, 2)), scale), np.array(scores, np.float32)


def _flood(region: np.ndarray, threshold: float, depth: float) -> tuple[np.ndarray, int]:
    """The basins of the peaks, uint16 (h, w) with 0 for none, and their number.

    OpenCV's watershed floods by the differences of neighbours, not by the heights, and so cuts through
    the slopes of a peak.
    """
    basins = np.zeros(region.shape, np.uint16)
    count = 0
    for level in np.arange(1 - _STEP, _CUT * threshold - _STEP, -_STEP):
        above = region > level
        basins = _grown(basins, above)
        _, labels = cv2.connectedComponents(above.astype(np.uint8), connectivity=4)
        free = above & (basins == 0)
        high = np.unique(labels[free & (region >= max(level + depth, threshold))])
        numbers = np.zeros(labels.max() + 1, np.uint16)
        numbers[high] = np.arange(count + 1, count + 1 + len(high))
        basins = np.where(free, numbers[labels], basins)
        count += len(high)
    return basins, count


def _grown(basins: np.ndarray, above: np.ndarray) -> np.ndarray:
    """The basins, each spread over what is connected to it and nearer to it than to the others."""
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    while True:
        reached = above & (basins == 0) & (cv2.dilate(basins, cross) > 0)
        if not reached.any():
            return basins
        basins = np.where(reached, cv2.dilate(basins, cross), basins)


def _rectangle(points: np.ndarray, narrowed: float) -> np.ndarray:
    """The rectangle around a line whose thickness is `narrowed` to this share, float (4, 2)."""
    middle, sides, turned = cv2.minAreaRect(points.astype(np.float32))
    # Points are the middles of places, which are one wide.
    long, short = max(sides) + 1, min(sides) + 1
    if long < 1.1 * short:  # One character, about as wide as high, is upright.
        low, high = points.min(0), points.max(0)
        middle, sides, turned = (low + high) / 2, high - low, 0.0
    grown = np.asarray(sides) + 1 + short * (1 / narrowed - 1)
    corners = cv2.boxPoints((tuple(map(float, middle)), tuple(map(float, grown)), turned))
    return geometry.order_corners(corners)


def _on_picture(quads: np.ndarray, scale: float) -> np.ndarray:
    return ((quads + 0.5) * scale - 0.5).astype(np.float32)


def _check(region: np.ndarray, **heights: float) -> None:
    if region.ndim != 2 or not region.size:
        raise ValueError(f"`region` must be a map (h, w). Received: shape {region.shape}.")
    for name, height in heights.items():
        if not 0 < height < 1:
            raise ValueError(f"`{name}` must be between 0 and 1. Received: {name}={height}.")


def _variance() -> float:
    """Of a normalised Gaussian along one axis, where it is weighted by its height above `_CUT`."""
    reach = 2 * np.log(1 / _CUT)  # The square of the radius at which it sinks to `_CUT`.
    mass = (1 - _CUT) - _CUT * reach / 2
    return float((2 - (reach + 2) * _CUT - _CUT * reach**2 / 4) / mass / 2)


_VARIANCE = _variance()
