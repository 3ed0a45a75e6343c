"""Chalk on a board is read as ink; paper in a dark room stays as it is."""

from pathlib import Path

import cv2
import numpy as np
import pytest

import serving
from serving import blackboard
from tests import fakes, felt_tip


def page(ground: int, stroke: int) -> np.ndarray:
    """Lines in strokes on a ground of these grey levels, with the noise of a camera, uint8 (H, W, 3)."""
    ink = np.vstack([felt_tip.line("十二三六不口" * 2) for _ in range(8)]) < 140
    grey = np.where(ink, stroke, ground) + np.random.default_rng(0).normal(0, 2, ink.shape)
    return np.clip(grey, 0, 255).astype(np.uint8)


@pytest.mark.parametrize(("ground", "stroke"), [(0, 255), (40, 230), (90, 200)])
def test_a_board_is_read_as_its_negative(ground: int, stroke: int) -> None:
    image = page(ground, stroke)
    np.testing.assert_array_equal(blackboard.as_ink(image), 255 - image)
    np.testing.assert_array_equal(blackboard.as_ink(image[..., 0]), 255 - image[..., 0])


@pytest.mark.parametrize(("ground", "stroke"), [(250, 30), (110, 20), (90, 60), (40, 8), (40, 40), (0, 0)])
def test_paper_in_the_light_and_in_the_dark_stays(ground: int, stroke: int) -> None:
    image = page(ground, stroke)
    assert blackboard.as_ink(image) is image


@pytest.mark.parametrize("name", ["essay", "letter", "note", "pupil"])
def test_photographs_stay_however_dark_they_are(name: str, examples: Path) -> None:
    image = cv2.imread(str(examples / f"{name}.jpg"))
    for light in (1.0, 0.4, 0.15):
        darker = np.round(image * light).astype(np.uint8)
        assert blackboard.as_ink(darker) is darker


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (500, 1), (3, 2000, 3)])
def test_pictures_of_any_shape_are_looked_at(shape: tuple[int, ...]) -> None:
    black = np.zeros(shape, np.uint8)
    assert blackboard.as_ink(black) is black


def test_one_white_character_on_black_is_found() -> None:
    image = fakes.one_character(300, 240, 100, 80)
    assert serving.text_detection(255 - image) == serving.text_detection(image)


def test_a_board_has_the_text_of_its_negative() -> None:
    board = page(40, 230)
    reader = serving.Reader(threads=1)
    read = reader.read(board)
    assert len(read.lines) == 8
    assert read == reader.read(255 - board)
