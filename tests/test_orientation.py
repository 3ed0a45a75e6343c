import numpy as np
import pytest

from serving import orientation

SIZE = 32


def _page() -> tuple[np.ndarray, np.ndarray]:
    """Two lines of corners "┏", which have their ink above and on the left, and the boxes of the lines."""
    page = np.full((400, 600), 255, np.uint8)
    for top in (80, 240):
        for left in range(60, 540, 60):
            page[top + 8 : top + 52, left + 8 : left + 16] = 0
            page[top + 8 : top + 16, left + 8 : left + 52] = 0
    quads = [[[60, top], [539, top], [539, top + 59], [60, top + 59]] for top in (80, 240)]
    return page, np.array(quads, np.float32)


def _turned(page: np.ndarray, quads: np.ndarray, quarters: int) -> tuple[np.ndarray, np.ndarray]:
    """The page after quarter turns to the right, its boxes again from the top left on, as a detector gives them."""
    for _ in range(quarters):
        x, y = quads[..., 0], quads[..., 1]
        quads = np.roll(np.stack([len(page) - 1 - y, x], -1), 1, axis=1)
        page = np.rot90(page, -1)
    return np.ascontiguousarray(page), quads


def _corners(crops: np.ndarray) -> np.ndarray:
    """How much of the ink is above and on the left."""
    ink = 255.0 - crops
    half = SIZE // 2
    return ink[:, :half, :half].sum((1, 2)) / ink.sum((1, 2))


@pytest.mark.parametrize("quarters", range(4))
def test_a_turned_page_is_turned_back(quarters: int) -> None:
    page, quads = _turned(*_page(), quarters)
    assert orientation.turns(page, quads, _corners, SIZE)[0] == quarters


def test_columns_are_looked_at_from_above_downwards() -> None:
    page, _ = _page()
    columns = np.array([[[x, 80], [x + 59, 80], [x + 59, 299], [x, 299]] for x in (60, 120)], np.float32)
    page[140:240] = page[80:180]  # Characters below each other, without a gap.
    assert orientation.turns(page, columns, _corners, SIZE) == (0, True)
    assert orientation.turns(*_turned(page, columns, 3), _corners, SIZE) == (3, True)


@pytest.mark.parametrize(("surer", "answer"), [(0.01, (0, True)), (0.2, (1, False)), (0.4, (1, True))])
def test_it_is_told_whether_a_page_is_surely_turned(surer: float, answer: tuple[int, bool]) -> None:
    page, quads = _page()
    seen: list[int] = []

    def certainties(crops: np.ndarray) -> np.ndarray:
        seen.append(len(crops))
        return np.repeat([0.4, 0.4 + surer, 0.3, 0.3], len(crops) // 4)

    assert orientation.turns(page, quads, certainties, SIZE) == answer
    assert seen == [4 * 16]  # Each character once in each position.


def test_a_page_without_lines_stays_as_it_is() -> None:
    page, _ = _page()
    assert orientation.turns(page, np.empty((0, 4, 2), np.float32), _corners, SIZE) == (0, True)
