"""The contour ("rectangle") detector of the research note, kept as the baseline.

The note thresholds the page at 50, follows the outlines, simplifies each with a tolerance of 50
pixels and keeps those with four corners whose box is nearly square. It found 292 of the 400 cells of
its own page.
"""

import cv2
import numpy as np


def find(
    image: np.ndarray,
    threshold: int | None = 50,
    epsilon: float = 50.0,
    aspect: tuple[float, float] = (0.9, 1.1),
    enlarge_to: int | None = None,
) -> np.ndarray:
    """Finds square outlines.

    Args:
        image: uint8 (H, W) or (H, W, 3) RGB.
        threshold: Grey level that parts lines from paper, as in the note; None adapts it to the
            surroundings, for lines that are lighter than that.
        epsilon: Tolerance of the simplified outline in pixels, as in the note; below 1 a share of the
            length of the outline.
        aspect: Smallest and largest width for height of the upright box.
        enlarge_to: Longer side in pixels to which the page is enlarged first; the tolerance of the
            note swallows cells of less than about 100 pixels.

    Returns:
        float32 (N, 4, 2), the upright boxes of the outlines, clockwise from the top left.
    """
    grey = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    scale = 1.0 if enlarge_to is None else enlarge_to / max(grey.shape)
    if scale != 1.0:
        grey = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    if threshold is None:
        block = max(grey.shape) // 80 * 2 + 1
        mask = cv2.adaptiveThreshold(
            grey, 255, cv2.ADAPTIVE_THRESH_MEAN_C, cv2.THRESH_BINARY, max(3, block), 10
        )
    else:
        mask = cv2.threshold(grey, threshold, 255, cv2.THRESH_BINARY)[1]
    outlines, _ = cv2.findContours(mask, cv2.RETR_TREE, cv2.CHAIN_APPROX_SIMPLE)
    boxes = []
    for outline in outlines:
        tolerance = epsilon if epsilon >= 1 else epsilon * cv2.arcLength(outline, True)
        if len(cv2.approxPolyDP(outline, tolerance, True)) != 4:
            continue
        left, top, width, height = cv2.boundingRect(outline)
        if aspect[0] <= width / height <= aspect[1] and width * height > grey.size / 1e5:
            right, bottom = left + width, top + height
            boxes.append([(left, top), (right, top), (right, bottom), (left, bottom)])
    return (np.array(boxes, np.float32).reshape(-1, 4, 2) / scale).astype(np.float32)
