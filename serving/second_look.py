"""Characters in doubt are shown to the recogniser again, turned a little to either side.

Hands lean; a character that a recogniser is sure of once it is turned is worth another look. Most characters are clear
at once. What a line may be cut into is in doubt where it is no character; only what lies where the line itself is in
doubt is looked at again (`serving.segmentation`). Cells of manuscript paper are read once, for their printed lines would
turn as well.

Reference:
    Krizhevsky et al. 2012, answers averaged over several views of a picture, https://doi.org/10.1145/3065386
"""

from collections.abc import Callable

import cv2
import numpy as np

DOUBT = 0.9
"""Scores below it are looked at again."""

_TURNS = (-9.0, 9.0)  # Degrees.


def logits(run: Callable[[np.ndarray], np.ndarray], crops: np.ndarray) -> np.ndarray:
    """What a recogniser answers in the end: of characters in doubt, the mean over all views.

    Args:
        run: From crops, uint8 (n, size, size), to a fresh array of logits, float32 (n, classes), whose softmax are
            scores; n is up to twice N.
        crops: uint8 (N, size, size), dark ink on white, N at least 1.

    Returns:
        float32 (N, classes).
    """
    answers = run(crops)
    scores = 1 / np.exp(answers - answers.max(1, keepdims=True)).sum(1)
    doubtful = np.flatnonzero(scores < DOUBT)
    if len(doubtful):
        turned = np.concatenate([_turned(crops[doubtful], degrees) for degrees in _TURNS])
        again = np.split(run(turned), len(_TURNS))
        answers[doubtful] = np.mean([answers[doubtful], *again], axis=0)
    return answers


def _turned(crops: np.ndarray, degrees: float) -> np.ndarray:
    size = crops.shape[1]
    middle = (size - 1) / 2
    turn = cv2.getRotationMatrix2D((middle, middle), degrees, 1.0)
    return np.stack(
        [cv2.warpAffine(crop, turn, (size, size), borderMode=cv2.BORDER_REPLICATE) for crop in crops]
    )
