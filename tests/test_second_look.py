"""Characters in doubt are looked at again."""

import cv2
import numpy as np

from serving import second_look


def _lines(*degrees: float) -> np.ndarray:
    pictures = np.full((len(degrees), 64, 64), 255, np.uint8)
    for picture, angle in zip(pictures, np.deg2rad(degrees), strict=True):
        reach = np.array([np.cos(angle), np.sin(angle)]) * 24
        ends = np.rint(31.5 - reach).astype(int), np.rint(31.5 + reach).astype(int)
        cv2.line(picture, tuple(map(int, ends[0])), tuple(map(int, ends[1])), 0, 3)
    return pictures


class _Recogniser:
    """Is sure of class 1 where a stroke lies level, of class 2 where it stands upright, and else in doubt."""

    def __init__(self) -> None:
        self.seen: list[int] = []

    def __call__(self, crops: np.ndarray) -> np.ndarray:
        self.seen.append(len(crops))
        ink = 255.0 - crops
        level, upright = ink.sum(2).max(1) / ink.sum((1, 2)), ink.sum(1).max(1) / ink.sum((1, 2))
        return np.stack([np.full(len(crops), 1.0), 20 * level, 20 * upright], 1).astype(np.float32)


def test_a_leaning_character_is_read_once_it_is_turned() -> None:
    pictures, run = _lines(9, -9, 81), _Recogniser()
    assert np.ptp(run(pictures), axis=1).max() < 6
    answers = second_look.logits(run, pictures)
    assert answers.argmax(1).tolist() == [1, 1, 2]
    alone = _Recogniser()(pictures)
    assert (np.sort(answers, 1)[:, -1] > np.sort(alone, 1)[:, -1]).all()


def test_only_what_is_in_doubt_is_looked_at_again() -> None:
    run = _Recogniser()
    pictures = _lines(0, 40, 90, 0)
    answers = second_look.logits(run, pictures)
    assert run.seen == [4, 2]
    np.testing.assert_array_equal(answers[[0, 2, 3]], _Recogniser()(pictures)[[0, 2, 3]])


def test_nothing_in_doubt_costs_nothing() -> None:
    run = _Recogniser()
    second_look.logits(run, _lines(0, 90))
    assert run.seen == [2]
