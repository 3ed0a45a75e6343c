"""How well the boxes that a detector finds match those that are there."""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from zoo import geometry


class Counts(NamedTuple):
    """Boxes of some pages.

    Attributes:
        matched: Found boxes that belong to a true one.
        found: Found boxes.
        true: Boxes that are there.
    """

    matched: int = 0
    found: int = 0
    true: int = 0

    def __add__(self, other: "Counts") -> "Counts":  # type: ignore[override]
        return Counts(*(mine + others for mine, others in zip(self, other, strict=True)))

    @property
    def precision(self) -> float:
        """Share of the found boxes that are right; 1 where nothing was found."""
        return self.matched / self.found if self.found else 1.0

    @property
    def recall(self) -> float:
        """Share of the true boxes that were found; 1 where there are none."""
        return self.matched / self.true if self.true else 1.0

    @property
    def h_mean(self) -> float:
        """The harmonic mean of precision and recall; 1 where nothing is there and nothing was found."""
        both = self.found + self.true
        return 2 * self.matched / both if both else 1.0


def count(
    found: np.ndarray, true: Sequence[np.ndarray], ignored: Sequence[np.ndarray] = (), least: float = 0.5
) -> Counts:
    """Matches boxes one to one, those that overlap most first.

    Args:
        found: float (n, 4, 2), convex.
        true: float (4, 2) each, convex.
        ignored: What is neither text nor paper, float (4, 2) each: a found box whose middle lies in one, and that
            matches nothing, does not count.
        least: Intersection over union of boxes that match, at least.
    """
    overlaps = [
        (overlap, index, other)
        for index, box in enumerate(found)
        for other, quad in enumerate(true)
        if _touch(box, quad) and (overlap := geometry.iou(box, quad)) >= least
    ]
    pairs: dict[int, int] = {}
    for _, index, other in sorted(overlaps, reverse=True):
        if index not in pairs and other not in pairs.values():
            pairs[index] = other
    counted = [
        index in pairs or not any(holds(quad, box.mean(0)) for quad in ignored)
        for index, box in enumerate(found)
    ]
    return Counts(len(pairs), sum(counted), len(true))


def _touch(first: np.ndarray, second: np.ndarray) -> bool:
    return bool((first.min(0) < second.max(0)).all() and (second.min(0) < first.max(0)).all())


def holds(quad: np.ndarray, point: np.ndarray) -> bool:
    """Whether a point (2,) lies in a polygon, float (n, 2)."""
    x, y = point.tolist()
    return cv2.pointPolygonTest(np.asarray(quad, np.float32), (x, y), False) >= 0
