"""Pseudo characters: what CRAFT learns from pages of which only the lines and their texts are known.

The network that is still learning looks at one straightened line. How well the number of characters that
it finds agrees with the text tells how far they are to be believed; `training.regions.confidence_map`
hands that to the loss.

Reference:
    Baek et al. 2019, section 3.2.2, https://arxiv.org/abs/1904.01941
"""

from collections.abc import Callable

import cv2
import numpy as np

from zoo import geometry, regions

_UNSURE = 0.5  # The confidence in characters that are merely evenly spaced.


def pseudo_characters(
    image: np.ndarray,
    line: np.ndarray,
    length: int,
    region_of: Callable[[np.ndarray], np.ndarray],
    vertical: bool = False,
    thickness: int = 64,
) -> tuple[np.ndarray, float]:
    """Finds the characters of a line whose text is known.

    Args:
        image: The page, uint8 (H, W, 3).
        line: Corners of the line, clockwise from the top left of the text, float (4, 2), in pixels.
        length: Number of its characters, without spaces.
        region_of: The interim network, from a picture, uint8 (h, w, 3) with even sides, to its region map,
            float (h // 2, w // 2).
        vertical: Whether the characters stand below each other.
        thickness: Pixels across the straightened line: the size of the text that the network sees.

    Returns:
        float32 (n, 4, 2), the characters in reading order, in pixels of the page; and the confidence in
        them, 0.5 ... 1. Where fewer than half of them agree with the text, `length` evenly spaced ones
        with a confidence of 0.5.

    Raises:
        ValueError: `length` or `thickness` is below 1, or `line` is no quadrilateral on the page.
    """
    if length < 1:
        raise ValueError(f"`length` must be at least 1. Received: length={length}.")
    straight, matrix = geometry.straighten(image, line, thickness, vertical)
    found, _ = regions.characters(region_of(straight))
    confidence = (length - min(length, abs(length - len(found)))) / length
    if confidence < _UNSURE:
        found, confidence = _evenly_spaced(straight.shape[:2], length, vertical), _UNSURE
    order = np.argsort(found[:, :, 1 if vertical else 0].mean(1), kind="stable")
    on_page = cv2.perspectiveTransform(found[order].reshape(-1, 1, 2), np.linalg.inv(matrix))
    return on_page.reshape(-1, 4, 2).astype(np.float32), confidence


def _evenly_spaced(size: tuple[int, int], length: int, vertical: bool) -> np.ndarray:
    """A straightened line of this height and width cut into equal boxes, float32 (length, 4, 2)."""
    along = int(vertical)
    box = np.array(size[::-1], np.float32)
    box[along] /= length
    boxes = np.tile(np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32) * box, (length, 1, 1))
    boxes[:, :, along] += box[along] * np.arange(length, dtype=np.float32)[:, None]
    return boxes - np.float32(0.5)
