"""Which pictures are turned to their negative."""

import cv2
import numpy as np
import pytest

from zoo import board


def _written(paper: int, ink: int, size: tuple[int, int] = (400, 300)) -> np.ndarray:
    image = np.full((*size, 3), paper, np.uint8)
    for row in range(40, size[0] - 40, 60):
        for left in range(30, size[1] - 50, 40):
            cv2.line(image, (left, row), (left + 24, row), (ink,) * 3, 4)
            cv2.line(image, (left + 12, row - 14), (left + 12, row + 14), (ink,) * 3, 4)
    return image


@pytest.mark.parametrize("size", [(400, 300), (2000, 1500)])
def test_white_writing_on_a_board_turns_dark(size: tuple[int, int]) -> None:
    chalk = _written(50, 220, size)
    np.testing.assert_array_equal(board.inked(chalk), 255 - chalk)
    np.testing.assert_array_equal(board.inked(chalk[..., 0]), 255 - chalk[..., 0])


def test_paper_stays_as_it_is() -> None:
    table = np.full((900, 700, 3), 40, np.uint8)
    table[250:650, 200:500] = _written(200, 30)
    dark = np.zeros((200, 200, 3), np.uint8)
    for image in (_written(250, 20), _written(95, 20), table, dark):
        np.testing.assert_array_equal(board.inked(image), image)
