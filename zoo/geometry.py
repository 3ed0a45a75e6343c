"""Quadrilaterals: crops that are straightened, and their overlap."""

import cv2
import numpy as np


def rectify(image: np.ndarray, quads: np.ndarray, size: int, margin: float = 0.0) -> np.ndarray:
    """Cuts quadrilaterals out of an image and straightens each to a square.

    Args:
        image: uint8 (H, W) or (H, W, 3).
        quads: float (N, 4, 2), corners clockwise from the top left, in pixels.
        size: Side of the squares in pixels.
        margin: How much around each quadrilateral is shown, as a share of its side.

    Returns:
        uint8 (N, size, size) or (N, size, size, 3); what lies outside the image repeats its border.
    """
    crops = np.empty((len(quads), size, size, *image.shape[2:]), np.uint8)
    inner = size / (1 + 2 * margin)
    low, high = (size - inner) / 2 - 0.5, (size + inner) / 2 - 0.5
    square = np.array([[low, low], [high, low], [high, high], [low, high]], np.float32)
    height, width = image.shape[:2]
    for crop, quad in zip(crops, np.asarray(quads, np.float32), strict=True):
        # Only the surroundings are filtered and sampled, not the page.
        reach = margin * np.ptp(quad, axis=0).max() * 2 + 2
        left, top = np.maximum(np.floor(quad.min(0) - reach), 0).astype(int)
        right, bottom = np.minimum(np.ceil(quad.max(0) + reach), [width, height]).astype(int)
        if right <= left or bottom <= top:
            crop[...] = 255
            continue
        part = image[top:bottom, left:right]
        shrink = float(np.sqrt(max(cv2.contourArea(quad), 1.0))) / inner
        if shrink > 1.3:  # A filter before the resampling, or thin strokes fall between the pixels.
            part = cv2.GaussianBlur(part, (0, 0), 0.35 * shrink)
        matrix = cv2.getPerspectiveTransform(quad - np.array([left, top], np.float32), square)
        cv2.warpPerspective(
            part, matrix, (size, size), dst=crop, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
    return crops


def order_corners(quad: np.ndarray) -> np.ndarray:
    """The corners of a convex quadrilateral, float32 (4, 2), clockwise from the top left one."""
    # OpenCV counts y upwards here: what it calls counterclockwise is clockwise on the page.
    points = cv2.convexHull(np.asarray(quad, np.float32).reshape(-1, 1, 2), clockwise=False).reshape(-1, 2)
    if len(points) != 4:
        raise ValueError(
            f"`quad` must be four corners of a convex quadrilateral. Received: {np.asarray(quad).tolist()}."
        )
    return np.roll(points, -int(np.argmin(points.sum(1))), axis=0)


def iou(first: np.ndarray, second: np.ndarray) -> float:
    """Intersection over union of two convex polygons, float (N, 2) each; 0 where they are empty."""
    a = cv2.convexHull(np.asarray(first, np.float32))
    b = cv2.convexHull(np.asarray(second, np.float32))
    # OpenCV 5 gives None for the hull of a single point.
    if a is None or b is None or min(len(a), len(b)) < 3:
        return 0.0
    common = cv2.intersectConvexConvex(a, b)[0]
    union = cv2.contourArea(a) + cv2.contourArea(b) - common
    return float(common / union) if union > 0 else 0.0
