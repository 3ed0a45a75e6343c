"""A page that lies askew: by which angle its lines lean, and the page laid straight.

Dark pixels are summed along every angle; where the sums change most sharply from row to row, or from column to column,
lies the text, or the rules it stands on (Postl, Detection of linear oblique structures and skew scan in digitized
documents, ICPR 1986).
"""

from typing import NamedTuple

import cv2
import numpy as np

from zoo import geometry

_SIDE = 512  # Longer side while the angle is measured.
_INK = 200  # What is darker then; thin strokes are pale.
_MOST_PIXELS = 20_000  # Of ink are looked at.
_ANGLES = np.arange(-45, 46)  # Degrees; a quarter of a turn more lies the same.
_LEANS = 7  # Degrees from which on lines are found and read worse.
# Times as sharp as straight ahead: pages that lean have 5 and more, words of two or three characters whose strokes
# lean up to 3.6.
_CLEARLY = 4.0
_SMOOTH = np.hanning(9) / np.hanning(9).sum()  # Pixels fall in rows at 0 and 45 degrees; ink does not.


class Straight(NamedTuple):
    """A page laid straight.

    Attributes:
        flat: uint8 (h, w), white where the page has nothing.
        back: From pixels of `flat` to those of the page as it lies, float64 (2, 3).
    """

    flat: np.ndarray
    back: np.ndarray


def straightened(flat: np.ndarray) -> Straight | None:
    """Lays a page straight, or upside down or on one of its sides; None where it lies straight enough.

    Args:
        flat: uint8 (H, W), from `zoo.manuscript.flatten`.
    """
    degrees = _lean(flat)
    if not degrees:
        return None
    height, width = flat.shape
    there, size = geometry.leaning(width, height, degrees)
    turned = cv2.warpAffine(flat, there, size, flags=cv2.INTER_LINEAR, borderValue=255)
    return Straight(turned, cv2.invertAffineTransform(there))


def _lean(flat: np.ndarray) -> float:
    """By how many degrees lines fall to the right, -45 to 45; 0 where they lie straight enough or nothing tells."""
    scale = _SIDE / max(flat.shape)
    width, height = (max(1, round(side * scale)) for side in flat.shape[::-1])
    y, x = np.nonzero(cv2.resize(flat, (width, height), interpolation=cv2.INTER_AREA) < _INK)
    if not len(x):
        return 0.0
    ink = np.stack([x, y]) - np.array([[x.mean()], [y.mean()]])
    if len(x) > _MOST_PIXELS:
        ink = np.random.default_rng(0).choice(ink, _MOST_PIXELS, axis=1, replace=False)
    sharp = np.array([_sharpness(ink, np.radians(angle)) for angle in _ANGLES])
    best = int(sharp.argmax())
    straight_ahead = sharp[np.abs(_ANGLES) <= 1].max()
    leans = abs(_ANGLES[best]) >= _LEANS and sharp[best] > _CLEARLY * straight_ahead
    return float(_ANGLES[best]) if leans else 0.0


def _sharpness(ink: np.ndarray, angle: float) -> float:
    """How sharply the sums of ink, (2, n) points around their middle, change across lines of an angle in radians."""
    cosine, sine = np.cos(angle), np.sin(angle)
    along = np.array([[cosine, sine], [-sine, cosine]]) @ ink
    places = np.round(along).astype(int)
    sums = (np.convolve(np.bincount(row - row.min()), _SMOOTH) for row in places)
    return max(float(np.square(np.diff(each)).sum()) for each in sums)
