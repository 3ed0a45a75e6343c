"""Whether a picture shows one character, and where."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from serving import single
from tests import made_hands
from training import sources


def _page(height: int, width: int) -> np.ndarray:
    return np.full((height, width, 3), 250, np.uint8)


def _ruled() -> np.ndarray:
    page = _page(1600, 1200)
    page[100::90] = page[101::90] = 120
    return page


def _squared() -> np.ndarray:
    page = _ruled()
    page[:, 60::90] = page[:, 61::90] = 120
    return page


def _on_a_table() -> np.ndarray:
    page = np.full((900, 1200, 3), 60, np.uint8)
    page[80:820, 100:1100] = 250
    return page


def _full_of_text() -> np.ndarray:
    page = _page(1200, 1200)
    for row in range(60, 1140, 40):
        for left in range(60, 1140, 30):
            cv2.rectangle(page, (left, row), (left + 18, row + 20), (20, 20, 20), 2)
    return page


@pytest.mark.parametrize("make", [_ruled, _squared, _on_a_table, _full_of_text, lambda: _page(300, 300)])
def test_what_is_no_character(make) -> None:
    assert not single.is_character(make())


@pytest.mark.parametrize("side", [64, 300, 1000])
@pytest.mark.parametrize("character", "一口十.")
def test_what_is_one(character: str, side: int) -> None:
    page = _page(side, side)
    low, high, pen = side // 8, side - side // 8, max(2, side // 14)
    ink = (30, 30, 30)
    if character == "口":
        cv2.rectangle(page, (low, low), (high, high), ink, pen)
    if character in "一十":
        cv2.line(page, (low, side // 2), (high, side // 2), ink, pen)
    if character == "十":
        cv2.line(page, (side // 2, low), (side // 2, high), ink, pen)
    if character == ".":
        cv2.circle(page, (side // 3, 2 * side // 3), pen, ink, -1)
    assert single.is_character(page)


def test_written_characters_are_characters(tmp_path: Path) -> None:
    made_hands.write_hand(tmp_path / "a.npz", 1)
    hand = sources.read_hand(tmp_path / "a.npz")
    for image in hand.images:
        picture = cv2.resize(image, (200, 200), interpolation=cv2.INTER_CUBIC)
        assert single.is_character(np.repeat(picture[..., None], 3, axis=2))


def test_a_small_character_on_a_large_sheet_is_seen_closely() -> None:
    page = _page(3500, 2500)
    page[1000:1060, 700:706] = page[1027:1033, 673:733] = 30
    box, shown = single.views(page, 64)
    assert box is not None
    np.testing.assert_allclose(box, [[673, 1000], [733, 1000], [733, 1060], [673, 1060]], atol=4)
    assert (shown[0] < 128).mean() > 0.05
