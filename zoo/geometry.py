"""Quadrilaterals: their ends, crops that are straightened, and their overlap."""

import cv2
import numpy as np


def middles(quads: np.ndarray, direction: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where lines of text start and end, and how thick they are.

    Args:
        quads: float (n, 4, 2), corners clockwise from the top left of the text.
        direction: How they are written, "horizontal" or "vertical".

    Returns:
        The middles of the edges where they start and end, (n, 2) each, and the mean length of both, (n,).
    """
    first, second, third, fourth = quads.transpose(1, 0, 2)
    if direction == "vertical":
        first, second, third, fourth = second, third, fourth, first
    thick = (np.linalg.norm(fourth - first, axis=1) + np.linalg.norm(third - second, axis=1)) / 2
    return (first + fourth) / 2, (second + third) / 2, thick


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


def straighten(
    image: np.ndarray, quad: np.ndarray, thickness: int, vertical: bool = False, margin: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """Cuts a line out of an image and lays it upright.

    Args:
        image: uint8 (H, W) or (H, W, 3).
        quad: Corners of the line, clockwise from the top left of the text, float (4, 2), in pixels.
        thickness: Pixels across the straightened line, its margins included.
        vertical: Whether the characters stand below each other.
        margin: How much around the line is shown on all sides, as a share of what it measures across.

    Returns:
        The line, uint8 (thickness, w) or (h, thickness) if vertical, with the image's channels, w and h even; what
        lies outside the image repeats its border. And the matrix (3, 3) from the image to the line.

    Raises:
        ValueError: `quad` is no quadrilateral on the image, or `thickness` is below 1.
    """
    corners = np.ascontiguousarray(quad, np.float32)
    if thickness < 1:
        raise ValueError(f"`thickness` must be at least 1. Received: thickness={thickness}.")
    if corners.shape != (4, 2) or cv2.contourArea(corners) < 1:
        raise ValueError(f"`quad` must be the corners of a quadrilateral. Received: {corners.tolist()}.")
    top, right, bottom, left = np.linalg.norm(np.roll(corners, -1, axis=0) - corners, axis=1)
    wide, high = float(max(top, bottom)), float(max(left, right))
    around = margin * (wide if vertical else high)
    enlarge = thickness / ((wide if vertical else high) + 2 * around)
    width, height = (
        thickness if across == vertical else 2 * max(1, round((side + 2 * around) * enlarge / 2))
        for side, across in ((wide, True), (high, False))
    )
    # Whole numbers are the middles of pixels, on the image and on the line.
    low = np.float32(around * enlarge - 0.5)
    right_edge, bottom_edge = width - 1 - low, height - 1 - low
    target = np.array([[low, low], [right_edge, low], [right_edge, bottom_edge], [low, bottom_edge]])
    # Only the surroundings are filtered and sampled, not the page.
    reach = 2 + 2 / enlarge + 2 * around
    start = np.clip(np.floor(corners.min(0) - reach), 0, None).astype(int)
    end = np.clip(np.ceil(corners.max(0) + reach), 0, image.shape[1::-1]).astype(int)
    if (end <= start).any():
        raise ValueError(
            f"`quad` must lie on the image of {image.shape[1]} by {image.shape[0]} pixels. "
            f"Received: {corners.tolist()}."
        )
    part = image[start[1] : end[1], start[0] : end[0]]
    if enlarge < 1:  # A filter before the resampling, or thin strokes fall between the pixels.
        part = cv2.GaussianBlur(part, (0, 0), 0.35 / enlarge)
    matrix = cv2.getPerspectiveTransform((corners - start).astype(np.float32), target.astype(np.float32))
    straight = cv2.warpPerspective(
        part, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return straight, matrix @ np.array([[1, 0, -start[0]], [0, 1, -start[1]], [0, 0, 1]])


def turned(points: np.ndarray, quarters: int, width: int, height: int) -> np.ndarray:
    """Where points of a picture lie after it was turned by quarters, anticlockwise, as `numpy.rot90` does it.

    Args:
        points: float (..., 2), x and y, in pixels.
        quarters: Of a full turn; negative ones are clockwise.
        width: Of the picture before.
        height: Of the picture before.
    """
    for _ in range(quarters % 4):
        points = np.stack([points[..., 1], width - 1 - points[..., 0]], axis=-1)
        width, height = height, width
    return points


def leaning(width: int, height: int, degrees: float) -> tuple[np.ndarray, tuple[int, int]]:
    """How a picture turns anticlockwise about its middle, and nothing of it is cut off.

    Args:
        width: Of the picture in pixels.
        height: Likewise.
        degrees: The angle.

    Returns:
        From pixels of the picture to those of the turned one, float64 (2, 3), and the width and height of that.
    """
    there = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0)
    sine, cosine = abs(there[0, 1]), abs(there[0, 0])
    size = round(width * cosine + height * sine), round(width * sine + height * cosine)
    there[:, 2] += (size[0] - width) / 2, (size[1] - height) / 2
    return there, size


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
