"""A page that lies askew is laid straight, read, and its boxes lie where its lines are."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from rapidfuzz.distance import Levenshtein

import serving
from serving import askew
from tests import fakes, felt_tip
from zoo import geometry, manuscript


def leaning(image: np.ndarray, degrees: float) -> tuple[np.ndarray, np.ndarray]:
    """A picture turned anticlockwise on white, and from its pixels before to those after, (2, 3)."""
    there, size = geometry.leaning(image.shape[1], image.shape[0], degrees)
    return cv2.warpAffine(image, there, size, borderValue=(255, 255, 255)), there


@pytest.fixture(scope="module")
def flat() -> np.ndarray:
    """Rows of strokes, uint8 (H, W)."""
    page = np.vstack([manuscript.flatten(felt_tip.line("十二三六不口" * 3)) for _ in range(10)])
    return cv2.copyMakeBorder(page, 60, 60, 60, 60, cv2.BORDER_CONSTANT, value=255)


@pytest.mark.parametrize("sideways", [False, True])
@pytest.mark.parametrize("degrees", [-40, -18, 9, 25, 44])
def test_what_leans_is_laid_straight(flat: np.ndarray, degrees: int, sideways: bool) -> None:
    page, there = leaning(np.rot90(flat) if sideways else flat, degrees)
    straight = askew.straightened(page)
    assert straight is not None
    there, back = (np.vstack([one, [0, 0, 1]]) for one in (there, straight.back))
    whole = np.linalg.inv(there) @ back  # From the straight page to the first one.
    turned_by = np.degrees(np.arctan2(whole[1, 0], whole[0, 0]))
    assert abs((turned_by + 45) % 90 - 45) <= 1.0
    corners = cv2.transform(np.array([[[0, 0], straight.flat.shape[::-1]]], float), straight.back)[0]
    assert np.ptp(corners, axis=0).max() <= np.hypot(*straight.flat.shape) + 1
    # Nothing is cut off.
    ink = 255 - straight.flat.astype(float)
    assert ink.sum() == pytest.approx((255 - page.astype(float)).sum(), rel=0.02)


@pytest.mark.parametrize("degrees", [0, 3, -5])
def test_what_lies_nearly_straight_stays(flat: np.ndarray, degrees: int) -> None:
    assert askew.straightened(leaning(flat, degrees)[0]) is None


@pytest.mark.parametrize("shape", [(1, 1), (1, 600), (3000, 2), (40, 40)])
def test_pictures_of_any_shape_are_looked_at(shape: tuple[int, int]) -> None:
    for grey in (0, 255):
        assert askew.straightened(np.full(shape, grey, np.uint8)) is None


def test_ink_in_opposite_corners_is_looked_at() -> None:
    page = np.full((900, 900), 255, np.uint8)
    page[:60, :60] = page[-3:, -3:] = 0
    assert askew.straightened(page) is None


@pytest.mark.parametrize("degrees", [-15, 30])
def test_a_page_is_read_as_when_it_lies_straight(degrees: int, examples: Path) -> None:
    image = cv2.cvtColor(cv2.imread(str(examples / "note.jpg")), cv2.COLOR_BGR2RGB)
    reader = serving.Reader(threads=1)
    page, there = leaning(image, degrees)
    straight, askew_page = reader.read(image), reader.read(page)
    assert askew_page.layout == "lines"
    assert (askew_page.width, askew_page.height) == (page.shape[1], page.shape[0])
    assert Levenshtein.distance(askew_page.text, straight.text) <= 0.03 * len(straight.text)
    assert len(askew_page.lines) == len(straight.lines)
    for line, other in zip(straight.lines, askew_page.lines, strict=True):
        where = cv2.transform(np.array([line.box]), there)[0]
        height = np.linalg.norm(where[3] - where[0])
        assert np.abs(where - other.box).max() < height
    assert reader.read(page, layout="lines").text == askew_page.text


def test_the_lines_of_a_leaning_page_are_found(examples: Path) -> None:
    image = cv2.cvtColor(cv2.imread(str(examples / "note.jpg")), cv2.COLOR_BGR2RGB)
    page, there = leaning(image, 20)
    straight, found = serving.text_detection(image), serving.text_detection(page)
    assert len(found) == len(straight)
    for line, other in zip(straight, found, strict=True):
        where = cv2.transform(np.array([line]), there)[0]
        assert np.abs(where - other).max() < np.linalg.norm(where[3] - where[0])


def test_a_character_whose_strokes_lean_is_one_character() -> None:
    image = leaning(fakes.one_character(300, 240, 100, 80), 30)[0]
    assert serving.Reader(threads=1).read(image).layout == "char"
