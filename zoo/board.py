"""White writing on a dark board, which is shown to all that follows as dark writing on light paper."""

import cv2
import numpy as np

_WORK = 640  # Longer side while the picture is judged.
_DARK = 110  # Median grey below which a picture may show a board.
_AROUND = 31  # Pixels; most of what is around a stroke is ground.
_CONTRAST = 40  # Grey levels between a stroke and its ground.
_MORE = 3.0  # Times as many light strokes as dark ones; paper in the dark has dark ones.


def inked(image: np.ndarray) -> np.ndarray:
    """The picture with dark writing: turned to its negative where light strokes stand on a dark ground.

    Args:
        image: uint8 (H, W) or (H, W, 3) RGB.
    """
    scale = min(1.0, _WORK / max(image.shape[:2]))
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else image
    grey = small if small.ndim == 2 else cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
    if np.median(grey) >= _DARK:
        return image
    ground = cv2.medianBlur(grey, _AROUND)
    light, dark = (int((cv2.subtract(*pair) > _CONTRAST).sum()) for pair in ((grey, ground), (ground, grey)))
    return cv2.bitwise_not(image) if light > _MORE * dark else image
