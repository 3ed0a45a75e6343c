"""A score map of shrunken lines becomes the boxes of the lines.

DBNet learns lines that are shrunk by A (1 - r²) / L, so that neighbours stay apart; A is the area of the
line, L the length of its outline, r the ratio. Here what stands out of the map is grown back. The paper
grows it by 1.5 A' / L', which undoes the shrinking of a square, but leaves half of the height of a long line.
Of a rectangle the exact distance is known, see `boxes`.

Maps are float (h, w). Quadrilaterals are those of the picture: a place of the map covers `scale` by
`scale` pixels, and whole numbers are the middles of pixels.

Reference:
    Liao et al. 2020, https://arxiv.org/abs/1911.08947
"""

import math

import cv2
import numpy as np

RATIO = 0.6
"""How far lines are shrunk. Of the height of a long line r² is left, and what an edge of it is wrong counts 1 / r²
times: the 0.4 of the paper leaves too little of the small lines of a page."""

SMALLEST = 8.0
"""Height in pixels of the smallest line that is learnt and found; what is smaller cannot be read."""

_EDGE = (0.3, 0.7)  # Between these scores a place counts in part, so that edges lie where the score is 0.5.
_NOISE = 4  # Places; less is no line.
_SQUARE = 1.2  # What is less elongated does not show how it is turned.


def boxes(
    probability: np.ndarray,
    threshold: float = 0.3,
    score_threshold: float = 0.6,
    ratio: float = RATIO,
    smallest: float = SMALLEST,
    scale: float = 2.0,
) -> tuple[np.ndarray, np.ndarray]:
    """Finds lines as connected places of high probability.

    Each gives the smallest rectangle around it, grown by the distance D that shrinking took away. With the
    shrunken sides a and b, D (2 a + 2 b + 8 D) = (1 - r²) (a + 2 D) (b + 2 D), a quadratic equation. A line
    may be bent: its area over its length, not the height of the rectangle, is the b of the equation.

    Args:
        probability: How much a place is inside a shrunken line, 0 ... 1.
        threshold: Probability from which a place belongs to a line.
        score_threshold: Mean probability of a line, at least.
        ratio: How far lines are shrunk, as in training.
        smallest: Shorter side of a line in pixels, at least.
        scale: Pixels of the picture for one place of the map, along each side.

    Returns:
        float32 (n, 4, 2), clockwise from the top left one, rectangles that may be turned by up to 45 degrees,
        and the mean probability of each, float32 (n,).

    Raises:
        ValueError: `probability` is no map, or `threshold`, `score_threshold` or `ratio` is not between 0
            and 1.
    """
    _check(probability, threshold=threshold, score_threshold=score_threshold, ratio=ratio)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(
        (probability > threshold).astype(np.uint8), connectivity=8
    )
    quads, scores = [], []
    for label in 1 + np.flatnonzero(stats[1:, cv2.CC_STAT_AREA] >= _NOISE):
        left, top, width, height = stats[label, :4]
        window = (slice(top, top + height), slice(left, left + width))
        rows, columns = np.nonzero(labels[window] == label)
        values = probability[window][rows, columns]
        score = float(values.mean())
        if score < score_threshold:
            continue
        area = float(np.clip((values - _EDGE[0]) / (_EDGE[1] - _EDGE[0]), 0, 1).sum())
        quad = _grown(np.stack([columns + left, rows + top], 1), area, ratio)
        if min(np.linalg.norm(quad[1] - quad[0]), np.linalg.norm(quad[2] - quad[1])) * scale >= smallest:
            quads.append(quad)
            scores.append(score)
    found = (np.reshape(quads, (-1, 4, 2)) + 0.5) * scale - 0.5
    return found.astype(np.float32), np.array(scores, np.float32)


def distance(area: float, length: float, ratio: float = RATIO) -> float:
    """By how much a rectangle was shrunk that now has this area and this longer side."""
    sides, square = length + area / length, ratio**2
    return (math.sqrt(square**2 * sides**2 + 4 * (1 - square**2) * area) - square * sides) / (4 + 4 * square)


def _grown(points: np.ndarray, area: float, ratio: float) -> np.ndarray:
    """The rectangle of a line, float (4, 2), whose shrunken places, int (n, 2), have this area."""
    middle, (width, height), turned = cv2.minAreaRect(points.astype(np.float32))
    if max(width, height) + 1 < _SQUARE * (min(width, height) + 1):
        low, high = points.min(0), points.max(0)
        middle, (width, height), turned = (low + high) / 2, high - low, 0.0
    # The rectangle goes through the middles of the outermost places. How far the line reaches beyond them
    # depends on its angle; its area tells. A bent line has less area than its rectangle.
    beyond = max(0.0, (math.hypot(width - height, 2 * math.sqrt(area)) - (width + height)) / 2)
    sides = np.array([width, height]) + beyond
    sides += 2 * distance(area, sides.max(), ratio)
    if abs(turned) > 45:  # OpenCV 4 gives 0 ... 90 degrees, OpenCV 5 -90 ... 0.
        sides, turned = sides[::-1], turned - math.copysign(90, turned)
    cosine, sine = math.cos(math.radians(turned)), math.sin(math.radians(turned))
    right, down = np.array([cosine, sine]) * sides[0] / 2, np.array([-sine, cosine]) * sides[1] / 2
    return np.asarray(middle) + np.array([-right - down, right - down, right + down, down - right])


def _check(probability: np.ndarray, **shares: float) -> None:
    if probability.ndim != 2 or not probability.size:
        raise ValueError(f"`probability` must be a map (h, w). Received: shape {probability.shape}.")
    for name, share in shares.items():
        if not 0 < share < 1:
            raise ValueError(f"`{name}` must be between 0 and 1. Received: {name}={share}.")
