"""Lines in felt tip, of characters that every recogniser knows."""

import cv2
import numpy as np

STEP = 72
"""From one character to the next, in pixels."""

# In a square of 60 pixels.
_STROKES = {
    "十": [((5, 28), (55, 26)), ((30, 4), (29, 57))],
    "二": [((15, 18), (45, 16)), ((5, 48), (55, 46))],
    "三": [((12, 10), (48, 9)), ((16, 29), (44, 28)), ((4, 51), (56, 49))],
    "六": [((28, 2), (32, 10)), ((5, 20), (55, 18)), ((22, 28), (6, 56)), ((36, 28), (54, 56))],
    "不": [((6, 10), (54, 8)), ((32, 9), (6, 40)), ((30, 22), (29, 58)), ((34, 26), (52, 38))],
    "口": [((12, 12), (14, 50)), ((12, 12), (48, 11)), ((48, 11), (46, 50)), ((13, 48), (46, 47))],
}


def line(text: str, vertical: bool = False) -> np.ndarray:
    """A line on its own paper, uint8 (H, W, 3), 20 pixels around the squares of its characters."""
    long, thick = 28 + STEP * len(text), 100
    picture = np.full((long, thick, 3) if vertical else (thick, long, 3), 240, np.uint8)
    for number, character in enumerate(text):
        corner = np.array([20, 20 + STEP * number] if vertical else [20 + STEP * number, 20])
        for start, end in _STROKES[character]:
            cv2.line(
                picture, (corner + start).tolist(), (corner + end).tolist(), (40, 40, 60), 4, cv2.LINE_AA
            )
    return picture
