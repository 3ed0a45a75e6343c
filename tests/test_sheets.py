"""Tests of the composer of manuscript paper, with a hand that draws random strokes."""

import json
import zlib

import cv2
import numpy as np
import pytest

from training import sheets

CHESS = "甲乙丙丁戊己庚辛壬癸"


def scribble(character: str) -> np.ndarray:
    """Draws a character as random strokes that reach the edges of its em square, always the same."""
    if character in "﹁﹂":
        raise KeyError(character)
    rng = np.random.default_rng(zlib.crc32(character.encode()))
    square = np.full((96, 96), 255, np.uint8)
    for start, end in rng.integers(4, 92, (6, 2, 2)):
        cv2.line(square, start.tolist(), end.tolist(), 0, 4, cv2.LINE_AA)
    cv2.line(square, (4, 4), (92, 92), 0, 4, cv2.LINE_AA)
    return square


def blank_and_written(sheet: sheets.Sheet, text: str, seed: int) -> tuple[np.ndarray, np.ndarray, dict]:
    empty, _ = sheets.compose("", sheet, scribble, np.random.default_rng(seed), ink="black")
    page, truth = sheets.compose(text, sheet, scribble, np.random.default_rng(seed), ink="black")
    return empty, page, truth


def test_paragraph_is_indented_by_two_blank_cells_and_wraps():
    sheet = sheets.Sheet(rows=5, columns=3)
    laid_out = sheets.lay_out("一二三四五\n六", sheet)
    assert laid_out == ["", "", "一", "二", "三", "四", "五", "", "", "", "", "", "六", "", ""]


def test_paragraph_with_its_own_indentation_keeps_it():
    sheet = sheets.Sheet(rows=2, columns=4, direction="horizontal")
    assert sheets.lay_out("\u3000題\n文", sheet) == ["", "題", "", "", "", "", "文", ""]


def test_text_beyond_the_last_cell_is_left_out():
    sheet = sheets.Sheet(rows=2, columns=2)
    assert sheets.lay_out("一二三四五", sheet) == ["", "", "一", "二"]


def test_empty_text_leaves_every_cell_blank():
    sheet = sheets.Sheet(rows=3, columns=2, direction="horizontal")
    page, truth = sheets.compose("", sheet, scribble, np.random.default_rng(0))
    assert [cell["text"] for cell in truth["cells"]] == [""] * 6
    assert (truth["text"], truth["lines"]) == ("", [])
    assert page.shape == (truth["height"], truth["width"], 3)


def test_vertical_cells_run_down_the_columns_from_the_right():
    sheet = sheets.Sheet(rows=3, columns=4, gutter=20, fold=70)
    _, truth = sheets.compose(CHESS, sheet, scribble, np.random.default_rng(0))
    places = [(cell["row"], cell["column"]) for cell in truth["cells"]]
    assert places[:4] == [(0, 3), (1, 3), (2, 3), (0, 2)]
    assert truth["text"] == "甲\n乙丙丁\n戊己庚\n辛壬癸"
    right, left = np.array(truth["lines"][1]["quad"]), np.array(truth["lines"][2]["quad"])
    assert right[:, 0].min() > left[:, 0].max()


def test_horizontal_cells_run_along_the_rows_from_the_top():
    sheet = sheets.Sheet(rows=3, columns=4, direction="horizontal", gutter=20)
    _, truth = sheets.compose(CHESS, sheet, scribble, np.random.default_rng(0))
    assert [(cell["row"], cell["column"]) for cell in truth["cells"][:5]] == [
        (0, 0),
        (0, 1),
        (0, 2),
        (0, 3),
        (1, 0),
    ]
    assert truth["text"] == "甲乙\n丙丁戊己\n庚辛壬癸"
    first = truth["cells"][2]["quad"][0], truth["cells"][3]["quad"][2]
    assert (truth["lines"][0]["quad"][0], truth["lines"][0]["quad"][2]) == first


@pytest.mark.parametrize("seed", range(6))
def test_ink_lies_in_the_quads_of_the_written_cells(seed: int):
    sheet = sheets.Sheet(rows=6, columns=6, gutter=15, direction=("vertical", "horizontal")[seed % 2])
    empty, page, truth = blank_and_written(sheet, CHESS * 3, seed)
    ink = empty.astype(int).sum(2) - page.astype(int).sum(2) > 100
    written = np.zeros(ink.shape, np.uint8)
    for cell in truth["cells"]:
        quad = np.array(cell["quad"]).round().astype(np.int32)
        inside = cv2.fillConvexPoly(np.zeros(ink.shape, np.uint8), quad, 1)
        # 40 pixels: a scribble's one long stroke alone covers more.
        assert (ink[inside == 1].sum() > 40) or not cell["text"]
        written |= inside if cell["text"] else 0
    # 4 %: a careless writer crosses the lines, and these scribbles fill their em squares.
    assert ink[written == 0].sum() < 0.04 * ink.sum()


def test_lines_of_the_paper_lie_on_the_edges_of_the_quads():
    sheet = sheets.Sheet(rows=4, columns=5, gutter=17.5, line_colour=(0, 0, 0), paper=(255, 255, 255))
    page, truth = sheets.compose("", sheet, scribble, np.random.default_rng(0))
    for cell in truth["cells"]:
        for corner in cell["quad"]:
            column, row = np.array(corner).round().astype(int)
            assert page[row, column].max() < 140  # Lines are two pixels wide, so half is left at worst.
        column, row = np.mean(cell["quad"], 0).round().astype(int)
        assert page[row, column].min() == 255


def test_brackets_without_a_vertical_form_are_turned():
    def corner(character: str) -> np.ndarray:
        if character != "「":
            raise KeyError(character)
        square = np.full((96, 96), 255, np.uint8)
        square[10:14, 10:86] = 0  # One level stroke at the top stands at the right once it is turned.
        return square

    sheet = sheets.Sheet(
        rows=1, columns=1, cell=(96, 96), frame=0, paper=(255, 255, 255), line_colour=(255,) * 3
    )
    page, truth = sheets.compose("\u3000", sheet, corner, np.random.default_rng(0))
    assert page.min() == 255
    sheet = sheets.Sheet(
        rows=3, columns=1, cell=(96, 96), frame=0, paper=(255, 255, 255), line_colour=(255,) * 3
    )
    page, truth = sheets.compose("「", sheet, corner, np.random.default_rng(0))
    rows, columns = np.nonzero(page.min(2) < 150)
    left, right = truth["cells"][2]["quad"][0][0], truth["cells"][2]["quad"][1][0]
    assert np.ptp(rows) > 2 * np.ptp(columns)
    assert columns.mean() > (left + right) / 2
    assert truth["text"] == "「"


def test_character_that_the_hand_lacks_leaves_its_cell_blank():
    def no_hand(character: str) -> np.ndarray:
        raise KeyError(character)

    _, truth = sheets.compose("字", sheets.Sheet(rows=3, columns=1), no_hand, np.random.default_rng(0))
    assert truth["text"] == ""


def test_same_seed_makes_the_same_page():
    pages = []
    for _ in range(2):
        rng = np.random.default_rng(7)
        pages.append(sheets.compose(CHESS, sheets.random_sheet(rng), scribble, rng))
    np.testing.assert_array_equal(pages[0][0], pages[1][0])
    assert pages[0][1] == pages[1][1]
    json.dumps(pages[0][1])


@pytest.mark.parametrize("seed", range(40))
def test_random_sheets_are_pages_with_their_cells_inside(seed: int):
    sheet = sheets.random_sheet(np.random.default_rng(seed))
    width, height = sheet.size()
    corners = sheet.cells().reshape(-1, 2)
    assert corners.min() > 0
    assert (corners < [width, height]).all()
    assert max(width, height) < 2200
    assert sheet.rows * sheet.columns == len(sheet.reading_order()) == len(set(sheet.reading_order()))


def test_caption_is_told_in_ignore():
    sheet = sheets.Sheet(rows=4, columns=6, caption="4x6=24", frame=1)
    plain = sheets.compose("", sheets.Sheet(rows=4, columns=6), scribble, np.random.default_rng(0))[0]
    page, truth = sheets.compose("", sheet, scribble, np.random.default_rng(0))
    rows, columns = np.nonzero((page != plain).any(2))
    (quad,) = np.array(truth["ignore"])
    assert (quad[0] <= [columns.min(), rows.min()]).all()
    assert (quad[2] >= [columns.max(), rows.max()]).all()


def test_unknown_ink_is_refused():
    with pytest.raises(ValueError, match="must be one of blue, black, pencil"):
        sheets.compose("", sheets.Sheet(2, 2), scribble, np.random.default_rng(0), ink="blood")


def test_unknown_direction_is_refused():
    with pytest.raises(ValueError, match="must be vertical or horizontal"):
        sheets.Sheet(2, 2, direction="sideways")


def test_fold_needs_an_even_number_of_columns():
    with pytest.raises(ValueError, match="even number of columns"):
        sheets.Sheet(2, 3, fold=40)


def test_set_of_pages_is_written_with_its_truth(tmp_path, monkeypatch):
    monkeypatch.setattr(sheets.glyphs, "FontHand", lambda path, size: scribble)
    (tmp_path / "text.txt").write_text("天地玄黃，宇宙洪荒。\n日月盈昃，辰宿列張。\n", encoding="utf-8")
    arguments = [
        str(tmp_path / "set"),
        "--fonts",
        "hand.ttf",
        "--text",
        str(tmp_path / "text.txt"),
        "--count",
        "2",
    ]
    sheets.main(arguments)
    truths = json.loads((tmp_path / "set" / "truth.json").read_text(encoding="utf-8"))
    rows = (tmp_path / "set" / "manifest.tsv").read_text(encoding="utf-8").splitlines()
    assert [row.split("\t")[0] for row in rows] == list(truths)
    for name, truth in truths.items():
        assert cv2.imread(str(tmp_path / "set" / name)).shape[:2] == (truth["height"], truth["width"])
    assert [truth["level"] for truth in truths.values()] == ["flat", "scan"]
    assert rows[0].split("\t")[1] == next(iter(truths.values()))["text"].replace("\n", "\\n")
