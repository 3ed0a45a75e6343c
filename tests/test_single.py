"""Pictures of one character, and those that only look so to whoever must find one."""

import cv2
import numpy as np
import pytest

from serving import single
from tests import fakes, felt_tip, made_hands
from training import photograph
from training.paper import Paper

WHITE = (255, 255, 255)


def handwritten(character: str) -> np.ndarray:
    """uint8 (288, 288, 3)."""
    image = made_hands.stroke_image(character, np.random.default_rng(0))
    return cv2.cvtColor(cv2.resize(image, None, fx=3, fy=3), cv2.COLOR_GRAY2RGB)


def cut_out(image: np.ndarray) -> np.ndarray:
    """The picture without its margins."""
    rows, columns = np.nonzero(image[..., 0] < 128)
    return np.ascontiguousarray(image[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1])


def blank(kind: str, seed: int, direction: str = "horizontal") -> np.ndarray:
    """An empty sheet, uint8 (900, 700, 3)."""
    return Paper(kind, line_width=2).blank(700, 900, (80.0, 60.0), direction, np.random.default_rng(seed))[0]


@pytest.mark.parametrize("character", [*made_hands.CHARACTERS])
def test_a_character_with_margins_or_in_its_cell_is_one(character: str) -> None:
    image = handwritten(character)
    assert single.is_character(image)
    assert single.is_character(cv2.copyMakeBorder(image, 100, 20, 300, 60, cv2.BORDER_CONSTANT, value=WHITE))
    assert single.is_character(cv2.rectangle(image.copy(), (0, 0), (287, 287), (90, 90, 160), 4))


@pytest.mark.parametrize("character", "十二三六不口")
def test_a_character_in_felt_tip_is_one_even_without_margins(character: str) -> None:
    assert single.is_character(felt_tip.line(character))
    assert single.is_character(cut_out(felt_tip.line(character)))


@pytest.mark.parametrize("direction", ["horizontal", "vertical"])
@pytest.mark.parametrize("kind", ["plain", "ruled", "squared"])
def test_an_empty_sheet_is_no_character(kind: str, direction: str) -> None:
    for seed in range(3):
        assert not single.is_character(blank(kind, seed, direction))


@pytest.mark.parametrize("kind", ["plain", "ruled"])
def test_an_empty_sheet_on_a_dark_table_is_no_character(kind: str) -> None:
    table = np.full((1000, 820, 3), 60, np.uint8)
    table[60:940, 70:750] = blank(kind, 0)[:880, :680]
    assert not single.is_character(table)
    for seed in range(2):
        assert not single.is_character(photograph.scan(blank(kind, seed), np.random.default_rng(seed))[0])


def test_a_page_of_many_characters_is_no_character() -> None:
    page = np.vstack([felt_tip.line("十二三六不口" * 3) for _ in range(14)])
    turn = cv2.getRotationMatrix2D((page.shape[1] / 2, page.shape[0] / 2), 40, 0.7)
    assert not single.is_character(cv2.warpAffine(page, turn, page.shape[1::-1], borderValue=(240, 240, 240)))


def test_the_lines_of_a_cell_do_not_count() -> None:
    image = fakes.one_character(200, 200, 60, 50, 80)
    box, views = single.views(cv2.rectangle(image.copy(), (0, 0), (199, 199), (60, 90, 60), 4), 64)
    expected, unframed = single.views(image, 64)
    np.testing.assert_allclose(box, expected, atol=1)
    np.testing.assert_allclose(
        views[0], unframed[0], atol=40
    )  # The edge of the ink may lie half a pixel off.


def test_a_small_character_of_a_large_sheet_is_seen_at_full_size() -> None:
    sheet = np.full((3508, 2480, 3), 250, np.uint8)
    sheet[3200:3260, 1800:1860] = fakes.one_character(60, 60, 0, 0)
    box, views = single.views(sheet, 64)
    np.testing.assert_allclose(box, [[1800, 3200], [1860, 3200], [1860, 3260], [1800, 3260]], atol=1)
    _, alone = single.views(fakes.one_character(180, 180, 60, 60), 64)
    np.testing.assert_allclose(views[0], alone[0], atol=40)  # Likewise.
    assert single.is_character(sheet)
