import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from training import photograph, sheets
from zoo import geometry, manuscript


def scribble(character: str) -> np.ndarray:
    """A hand that draws some strokes, the same for the same character."""
    rng = np.random.default_rng(ord(character))
    square = np.full((96, 96), 255, np.uint8)
    for _ in range(int(rng.integers(3, 9))):
        start, end = rng.integers(12, 84, (2, 2))
        cv2.line(square, start.tolist(), end.tolist(), 0, 4, cv2.LINE_AA)
    return square


def _text(rng: np.random.Generator, sheet: sheets.Sheet) -> str:
    """Paragraphs that fill about half of a sheet."""
    left, paragraphs = sheet.rows * sheet.columns // 2, []
    while left > 0:
        length = int(rng.integers(5, 60))
        paragraphs.append("".join(chr(code) for code in rng.integers(0x4E00, 0x9F00, length)))
        left -= length
    return "\n".join(paragraphs)


def _share_found(grid: manuscript.Grid | None, truth: dict) -> float:
    """The share of true cells that the cell of the same row and column overlaps by half."""
    if grid is None or (grid.rows, grid.columns) != (truth["rows"], truth["columns"]):
        return 0.0
    hits = [
        geometry.iou(grid.cells[cell["row"], cell["column"]], np.array(cell["quad"])) >= 0.5
        for cell in truth["cells"]
    ]
    return float(np.mean(hits))


@pytest.mark.parametrize("seed", range(8))
def test_a_flat_sheet_of_any_shape_is_found_whole(seed: int) -> None:
    rng = np.random.default_rng(seed)
    sheet = sheets.random_sheet(rng)
    page, truth = sheets.compose(_text(rng, sheet), sheet, scribble, rng)
    grid = manuscript.find(page)
    assert _share_found(grid, truth) == 1, sheet
    assert grid is not None
    assert grid.direction in (None, truth["direction"])


def test_the_ink_of_a_page_has_a_box_without_specks() -> None:
    flat = np.full((200, 300), 255, np.uint8)
    assert manuscript.ink_box(flat) is None
    flat[40:90, 60:160] = 0
    flat[5:8, 5:8] = 0  # Nine of 5,000 pixels.
    assert manuscript.ink_box(flat) == (60, 40, 100, 50)
    flat[100:105, 200:204] = 0
    assert manuscript.ink_box(flat) == (60, 40, 144, 65)


@pytest.mark.slow
def test_photographed_sheets_are_found() -> None:
    shares = []
    for seed in range(12):
        rng = np.random.default_rng(100 + seed)
        sheet = sheets.random_sheet(rng)
        page, truth = sheets.compose(_text(rng, sheet), sheet, scribble, rng)
        photo, mover = photograph.phone(page, rng, 0.4)
        shares.append(_share_found(manuscript.find(photo), photograph.move_truth(truth, mover)))
    assert np.mean(np.array(shares) > 0.95) >= 0.75, shares  # other shapes than the development set has


def test_a_turned_sheet_keeps_its_top_left() -> None:
    rng = np.random.default_rng(3)
    sheet = sheets.random_sheet(rng)
    page, truth = sheets.compose("", sheet, scribble, rng)
    height, width = page.shape[:2]
    for angle in (-14, -5, 5, 14):
        matrix = cv2.getRotationMatrix2D((width / 2, height / 2), angle, 0.8)
        turned = cv2.warpAffine(page, matrix, (width, height), borderValue=(255, 255, 255))
        moved = json.loads(json.dumps(truth))
        for cell in moved["cells"]:
            cell["quad"] = (np.array(cell["quad"]) @ matrix[:, :2].T + matrix[:, 2]).tolist()
        assert _share_found(manuscript.find(turned), moved) == 1, angle


def test_what_is_no_manuscript_paper_has_no_grid() -> None:
    rng = np.random.default_rng(0)
    ruled = np.full((900, 700), 255, np.uint8)
    ruled[60::60] = 90
    writing = np.full((900, 700), 255, np.uint8)
    for row in range(8):
        for column in range(9):
            character = scribble(chr(0x4E00 + 9 * row + column))[:70, :70]
            top, left = 40 + 100 * row + int(rng.integers(-4, 5)), 20 + 74 * column
            writing[top : top + 70, left : left + 70] = character
    for image in (
        np.full((600, 500), 255, np.uint8),
        np.zeros((600, 500), np.uint8),
        rng.integers(0, 256, (500, 600), dtype=np.uint8),
        cv2.resize(scribble("永"), (400, 400)),
        ruled,
        writing,
        np.minimum(writing, ruled),
        np.full((1, 1), 7, np.uint8),
        np.full((3, 5000), 255, np.uint8),
    ):
        assert manuscript.find(image) is None


def test_paper_of_ten_thousand_squares_is_found() -> None:
    page = np.full((1600, 1600), 245, np.uint8)
    page[30:1561:15, 30:1531] = page[30:1531, 30:1561:15] = 120
    grid = manuscript.find(page)
    assert grid is not None
    assert grid.rows * grid.columns > 9000
    assert grid.cells[0, 0].mean(0) == pytest.approx([37.5, 37.5], abs=2)


def test_flattening_takes_out_the_light_and_keeps_the_ink() -> None:
    light = np.linspace(90, 250, 600)[None].repeat(500, 0)
    page = light.copy()
    page[100:400:50, 50:550] *= 0.4
    flat = manuscript.flatten(page.astype(np.uint8))
    assert flat.shape == (500, 600)
    assert flat.dtype == np.uint8
    assert flat[125, 50:550].min() > 235
    assert flat[150, 60:540].max() < 110


def test_cells_are_read_down_the_columns_or_along_the_rows() -> None:
    grid = manuscript.Grid(2, 3, np.zeros((2, 3, 4, 2), np.float32), None, 1.0)
    assert manuscript.reading_order(grid, "vertical") == [(0, 2), (1, 2), (0, 1), (1, 1), (0, 0), (1, 0)]
    assert manuscript.reading_order(grid, "horizontal") == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]


@pytest.mark.parametrize("quarters", range(4))
def test_a_grid_is_turned_with_its_picture(quarters: int) -> None:
    x, y = np.meshgrid(np.arange(4) * 10.0, np.arange(3) * 10.0)
    corners = np.stack([x, y], -1)
    cells = np.stack([corners[:-1, :-1], corners[:-1, 1:], corners[1:, 1:], corners[1:, :-1]], axis=2)
    image = np.zeros((21, 31), int)
    for row in range(2):
        for column in range(3):
            image[10 * row + 1 : 10 * row + 10, 10 * column + 1 : 10 * column + 10] = 3 * row + column + 1
    turned = manuscript.Grid(2, 3, cells, "vertical", 0.5).turned(quarters, 31, 21)
    assert turned.direction == ("horizontal" if quarters % 2 else "vertical")
    assert (turned.rows, turned.columns, turned.score) == (*turned.cells.shape[:2], 0.5)
    places = turned.cells.mean(2).astype(int)
    picture = np.rot90(image, quarters)
    np.testing.assert_array_equal(
        picture[places[..., 1], places[..., 0]], np.rot90(np.arange(1, 7).reshape(2, 3), quarters)
    )
    # Each corner from the one before, the first from the last.
    sides = turned.cells - np.roll(turned.cells, 1, axis=2)
    assert (sides[:, :, 1] == [10, 0]).all()
    assert (sides[:, :, 2] == [0, 10]).all()


def test_the_blanks_tell_how_a_sheet_is_written() -> None:
    written = np.ones((6, 8), bool)
    written[0, :2] = written[2, 5:] = written[3, :2] = written[5, 3:] = False
    grid = manuscript.Grid(6, 8, np.zeros((6, 8, 4, 2), np.float32), None, 1.0)
    assert manuscript.guess_direction(grid, written) == "horizontal"
    turned = manuscript.Grid(8, 6, np.zeros((8, 6, 4, 2), np.float32), None, 1.0)
    assert manuscript.guess_direction(turned, np.rot90(written, -1)) == "vertical"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("level", "least"), [("flat", 0.995), ("scan", 0.995), ("phone", 0.98), ("hard", 0.9)]
)
def test_the_development_pages_are_found(shared: Path, level: str, least: float) -> None:
    truth = json.loads((shared / "dev" / "grid" / "truth.json").read_text(encoding="utf-8"))
    pages = [(name, page) for name, page in truth.items() if page["level"] == level]
    shares = [
        _share_found(manuscript.find(cv2.imread(str(shared / "dev" / "grid" / name))[..., ::-1]), page)
        for name, page in pages
    ]
    # A sheet of another shape than the true one counts nothing here, so this asks more than the cells alone.
    assert np.mean(shares) >= least - (0.1 if level == "hard" else 0), dict(
        zip(dict(pages), shares, strict=True)
    )
