"""Bright writing on a dark ground, such as chalk on a board: it is read as its negative."""

import cv2
import numpy as np

_SIDE = 400  # Longer side while the ground is looked at.
_REACH = 51  # Pixels around each one whose middle grey is the ground.
_GROUND = 128  # Four fifths of a board are darker.
_STROKE = 0.1  # Of the way from the ground to white or to black, at least, is a stroke.
_GRAIN = 30.0  # A darker ground counts as one of that grey: its grain is a large share of it.
_CLEARLY = 2.0  # Times as much is brighter than the ground as is darker.


def as_ink(image: np.ndarray) -> np.ndarray:
    """The negative of a picture whose writing is brighter than the dark ground it stands on; others as they are.

    Paper in a dark room stays as it is: its writing is darker still.

    Args:
        image: uint8 (H, W) or (H, W, 3) RGB.
    """
    scale = min(1.0, _SIDE / max(image.shape[:2]))
    width, height = (max(1, round(side * scale)) for side in image.shape[1::-1])
    small = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    grey = small if small.ndim == 2 else cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
    if np.percentile(grey, 80) >= _GROUND:
        return image
    ground = cv2.medianBlur(grey, _REACH)
    # As shares of what is possible: in the dark, ink is no more than a few grey levels darker than paper.
    brighter = cv2.subtract(grey, ground) / (255.0 - np.minimum(ground, _GROUND))
    darker = cv2.subtract(ground, grey) / np.maximum(ground, _GRAIN)
    bright, dark = (float(some[some >= _STROKE].sum()) for some in (brighter, darker))
    return 255 - image if bright > _CLEARLY * dark else image
