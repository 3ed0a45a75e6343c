"""Lines of text without learning: strokes that are near each other, and the outline of what they make up.

The baseline beside DBNet and CRAFT, as `zoo.rectangles` is beside the finder of cells: the page is thresholded,
ink is spread until the characters of a line touch, and a rectangle is laid around each outline.
"""

import cv2
import numpy as np

from zoo import geometry

_BLOCK = 1 / 30  # Side of the surroundings that tell ink from paper, in shares of the page's shorter side.
_DARKER = 12  # Grey levels by which ink is darker than its surroundings.
_LONGEST = 0.25  # Strokes longer than this share of the page are rules or margins.
_SPREAD = 0.4  # How far ink spreads, in shares of the side of a middle stroke or character.
_SMALLEST = 0.6  # Lines thinner than this share of a middle one are specks.


def lines(image: np.ndarray) -> np.ndarray:
    """Finds lines of text, horizontal or vertical.

    Args:
        image: uint8 (H, W) or (H, W, 3) RGB, dark ink on light paper.

    Returns:
        float32 (n, 4, 2), rectangles that may be turned, clockwise from the corner nearest to the top left.
    """
    grey = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    block = max(3, round(min(grey.shape) * _BLOCK) // 2 * 2 + 1)
    ink = cv2.adaptiveThreshold(grey, 255, cv2.ADAPTIVE_THRESH_MEAN_C, cv2.THRESH_BINARY_INV, block, _DARKER)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(ink)
    sides = stats[:, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]].max(1)
    strokes = (sides >= 3) & (sides < _LONGEST * max(grey.shape))
    strokes[0] = False
    if not strokes.any():
        return np.zeros((0, 4, 2), np.float32)
    # Large ones count more: a character is one part or many.
    side = float(
        np.sqrt(np.average(sides[strokes].astype(float) ** 2, weights=stats[strokes, cv2.CC_STAT_AREA]))
    )
    reach = max(1, round(_SPREAD * side))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    # With room around, or what is at the edge could not spread as far there.
    framed = cv2.copyMakeBorder(
        strokes[labels].astype(np.uint8), reach, reach, reach, reach, cv2.BORDER_CONSTANT, value=0
    )
    spread = cv2.dilate(framed, kernel)
    outlines, _ = cv2.findContours(
        spread, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE, offset=(-reach, -reach)
    )
    quads = []
    for outline in outlines:
        middle, size, turned = cv2.minAreaRect(outline)
        across, down = (length - 2 * reach + 1 for length in size)
        if min(across, down) >= _SMALLEST * side:
            quads.append(geometry.order_corners(cv2.boxPoints((middle, (across, down), turned))))
    return np.reshape(quads, (-1, 4, 2)).astype(np.float32)
