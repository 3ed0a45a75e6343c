import io
import json
import threading
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from rapidfuzz.distance import Levenshtein

import serving
from serving import cells, finder, line_reader, ocr, orientation, runtime, single
from serving import context as contexts
from serving.images import ImageError
from serving.ocr import LayoutError, Reader
from tests import fakes
from zoo import charset, geometry, manuscript

ROWS = ["_甲乙_", "_丙,_", "_乙甲_", "____"]


@pytest.fixture
def reader(tmp_path, monkeypatch):
    monkeypatch.setattr(runtime, "Session", fakes.FakeSession)
    return Reader(fakes.preset(tmp_path / "fake"))


@pytest.fixture
def page(monkeypatch):
    """A page whose cells are known, so that these tests do not hang on finding them."""
    image, cells = fakes.sheet(ROWS)

    def lay(direction, rows=ROWS):
        image, cells = fakes.sheet(rows)
        grid = manuscript.Grid(len(rows), len(rows[0]), cells, direction, 1.0)
        monkeypatch.setattr(manuscript, "find", lambda _: grid)
        return image

    lay.image, lay.cells = image, cells
    return lay


@pytest.mark.parametrize("name", ["dbnet_s", "line_s"])
def test_what_reads_no_single_characters_is_refused(name):
    with pytest.raises(runtime.ModelError, match=f"{name} reads no single characters; .* such as hanzinet_m"):
        Reader(name).load()


def test_a_file_that_reads_another_size_than_is_said_of_it_is_refused(reader, monkeypatch):
    monkeypatch.setattr(fakes.FakeSession, "inputs", {"image": ((-1, 48, 48, 1), np.uint8)})
    with pytest.raises(
        runtime.ModelError, match=r"must read `image` of \(64, 64, 1\), .*Received: \(48, 48, 1\)"
    ):
        reader.load()


def test_columns_are_read_from_right_to_left(reader, page):
    result = reader.read(page("vertical"))
    assert result.layout == "grid"
    assert result.direction == "vertical"
    assert result.text == "乙，甲\n甲丙乙"


def test_rows_are_read_from_left_to_right(reader, page):
    result = reader.read(page("horizontal"))
    assert result.text == "甲乙\n丙，\n乙甲"


def test_a_sheet_without_gutters_is_read_as_it_is_written(reader, page):
    down = ["_" * 7 + character * 2 + "_" for character in "甲乙丙乙甲乙丙乙"]
    assert reader.read(page(None, down)).direction == "vertical"
    across = ["甲乙丙乙甲乙丙乙", "甲乙______", "________", "________"]
    assert reader.read(page(None, across)).direction == "horizontal"


def test_a_line_reaches_from_its_first_to_its_last_character(reader, page):
    first = reader.read(page("vertical")).lines[0]
    left, top, cell = 50 + 2 * fakes.CELL, 50, fakes.CELL
    assert first.box == (
        (left, top),
        (left + cell, top),
        (left + cell, top + 3 * cell),
        (left, top + 3 * cell),
    )
    across = reader.read(page("horizontal")).lines[0]
    assert across.box[0] == (50 + cell, 50)
    assert across.box[2] == (50 + 3 * cell, 50 + cell)


def test_a_paragraph_of_a_sheet_begins_with_two_empty_cells_or_after_an_empty_line(reader, page):
    rows = ["甲乙丙甲", "_乙丙甲", "__丙甲", "甲乙__", "____", "甲乙丙_", "__丙_"]
    across = reader.read(page("horizontal", rows))
    assert [line.paragraph for line in across.lines] == [0, 0, 1, 1, 2, 3]
    assert {line.direction for line in across.lines} == {"horizontal"}
    down = reader.read(page("vertical", ["".join(column) for column in zip(*rows[::-1], strict=True)]))
    assert [line.paragraph for line in down.lines] == [0, 0, 1, 1, 2, 3]
    assert {line.direction for line in down.lines} == {"vertical"}


def test_blank_cells_inside_a_line_are_left_out(reader, page):
    result = reader.read(page("horizontal", ["甲_乙"]))
    assert result.text == "甲乙"
    assert len(result.lines[0].characters) == 2
    assert result.lines[0].box[2][0] == 50 + 3 * fakes.CELL


def test_every_cell_is_listed_in_reading_order(reader, page):
    image = page("vertical")
    grid = reader.read(image).grid
    assert (grid.rows, grid.columns, len(grid.cells)) == (4, 4, 16)
    assert grid.cells[0] == tuple(map(tuple, page.cells[0, 3].tolist()))
    assert grid.cells[1] == tuple(map(tuple, page.cells[1, 3].tolist()))
    assert grid.cells[-1] == tuple(map(tuple, page.cells[3, 0].tolist()))


def test_blank_page_has_no_lines(reader, page):
    result = reader.read(page("vertical", ["__", "__"]))
    assert result.text == ""
    assert result.lines == ()
    assert len(result.grid.cells) == 4


def test_five_alternatives_come_with_scores_and_never_a_blank(reader, page):
    for line in reader.read(page("vertical")).lines:
        for character in line.characters:
            texts = [text for text, _ in character.alternatives]
            scores = [score for _, score in character.alternatives]
            assert len(texts) == len(set(texts)) == 5
            assert all(len(text) == 1 for text in texts)
            assert (character.text, character.score) == character.alternatives[0]
            assert scores == sorted(scores, reverse=True)
            assert sum(scores) <= 1 + 1e-6  # float32
        assert line.score == pytest.approx(np.mean([character.score for character in line.characters]))


def test_temperature_softens_the_scores():
    logits = np.zeros((1, len(ocr.charset.CHARACTERS)), np.float32)
    logits[0, 7] = 12
    scores = [
        ocr._Recogniser(_Fixed(logits), _preset(temperature))
        .alone(np.zeros((1, 64, 64), np.uint8))[0]
        .alternatives[0][1]
        for temperature in (1.0, 2.0)
    ]
    others = len(ocr.charset.CHARACTERS) - 2
    assert scores[0] == pytest.approx(np.exp(12) / (np.exp(12) + others), rel=1e-5)  # float32
    assert scores[1] == pytest.approx(np.exp(6) / (np.exp(6) + others), rel=1e-5)


def test_what_stands_alone_is_looked_at_again_and_cells_are_not():
    logits = np.zeros((1, len(ocr.charset.CHARACTERS)), np.float32)
    session = _Fixed(logits)
    seen = []
    recogniser = ocr._Recogniser(session, _preset(1.0))
    session.run = lambda inputs: (
        seen.append(inputs["image"]) or {"logits": np.repeat(logits, len(inputs["image"]), 0)}
    )
    crop = np.full((1, 64, 64), 255, np.uint8)
    crop[0, 30:34, 8:56] = 0
    recogniser(crop)
    assert len(seen) == 1
    recogniser.alone(crop)
    assert [len(one) for one in seen] == [1, 1, 2]
    assert [np.array_equal(one[0, ..., 0], crop[0]) for one in seen] == [True, True, False]


def test_an_overwhelming_blank_leaves_finite_scores():
    logits = np.zeros((1, len(ocr.charset.CHARACTERS)), np.float32)
    logits[0, 0] = 1000
    (reading,) = ocr._Recogniser(_Fixed(logits), _preset(1.0))(np.zeros((1, 64, 64), np.uint8))
    assert reading.blank
    assert all(np.isfinite(score) for _, score in reading.alternatives)
    assert len(reading.alternatives) == contexts.FOLLOWED


def test_cells_go_through_the_network_in_batches_of_one_size(reader, page):
    image = page("horizontal", ["甲乙丙甲乙丙甲乙丙甲乙丙"] * 12)
    reader.read(image)
    assert reader._recogniser._session.batches == [cells.BATCH] * 3


def test_the_network_is_shown_faint_writing_but_no_empty_cells(reader, page):
    image = page("horizontal", ["甲_乙", "___", "__丙"])
    paper = np.random.default_rng(0).normal(235, 2, image.shape).round()
    faint = np.clip(np.where(image < 128, paper - 20, paper), 0, 255).astype(np.uint8)
    reader.read(faint)
    assert reader._recogniser._session.batches == [3]


def test_a_model_for_other_characters_is_an_error(reader, page):
    reader._recogniser._session = _Fixed(np.zeros((1, 10), np.float32))
    with pytest.raises(runtime.ModelError, match="a logit for each"):
        reader.read(page("vertical", ["甲"]))


def test_one_character_is_read_wherever_it_stands(reader):
    for left, top in ((0, 0), (100, 40), (240, 140)):
        result = reader.read(fakes.one_character(300, 200, left, top))
        assert result.layout == "char"
        assert result.direction == "horizontal"
        assert result.text == "田"
        assert result.lines[0].box == result.lines[0].characters[0].box
        corners = np.array(result.lines[0].box)
        expected = [[left, top], [left + 60, top], [left + 60, top + 60], [left, top + 60]]
        np.testing.assert_allclose(corners, expected, atol=1)  # The edge of the ink may be soft.
        assert result.grid is None


@pytest.mark.parametrize("side", [12, 40, 90, 500, 2400])
def test_one_character_is_read_at_any_size(reader, side):
    image = fakes.one_character(round(1.3 * side), round(1.2 * side), side // 6, side // 10, side)
    result = reader.read(image, layout="char")
    assert result.text == "田"
    left, top = side // 6, side // 10
    corners = [[left, top], [left + side, top], [left + side, top + side], [left, top + side]]
    # The ink of a large picture is looked for at 640 pixels.
    np.testing.assert_allclose(result.lines[0].box, corners, atol=max(1, 1.3 * side / 640 * 1.5))


def test_faint_writing_in_uneven_light_is_read(reader):
    ink = fakes.one_character(300, 240, 100, 80) == 0
    light = np.linspace(180, 250, 300)[None, :, None]
    image = np.where(ink, light * 0.8, light).astype(np.uint8)
    assert reader.read(image, layout="char").text == "田"


def test_the_grain_of_blank_paper_is_no_writing(reader):
    rng = np.random.default_rng(0)
    image = np.clip(rng.normal(230, 8, (200, 200)), 0, 255).astype(np.uint8)
    assert reader.read(image, layout="char").text == ""


def test_small_ink_is_a_mark_where_that_is_the_likelier_reading(reader):
    reader._recogniser._session = _Doubtful()
    assert reader.read(fakes.one_character(200, 200, 20, 120, 36), layout="char").text == "。"
    assert reader.read(fakes.one_character(100, 100, 10, 10, 80), layout="char").text == "田"


def test_a_character_is_not_read_from_the_picture_of_a_mark(reader):
    assert reader.read(fakes.one_character(200, 200, 20, 120, 36), layout="char").text == "田"


def test_specks_do_not_stretch_the_box_of_a_character():
    image = fakes.one_character(200, 200, 60, 60, 80)
    image[3, 3] = image[198, 190] = 0
    box, _ = single.views(image, ocr.SIZE)
    np.testing.assert_allclose(box, [[60, 60], [140, 60], [140, 140], [60, 140]], atol=1)  # soft edges


def test_a_dark_picture_is_no_character(reader):
    assert reader.read(np.zeros((90, 70), np.uint8)).lines == ()
    assert reader.read(np.zeros((90, 70), np.uint8), "char").lines == ()


def test_blank_picture_has_no_lines(reader):
    result = reader.read(np.full((90, 120, 3), 255, np.uint8))
    assert (result.layout, result.text, result.lines) == ("char", "", ())
    assert (result.width, result.height) == (120, 90)


def test_tiny_and_thin_pictures_are_read_without_an_error(reader):
    for shape in ((1, 1), (1, 50), (50, 1), (2, 300)):
        for value in (0, 255):
            reader.read(np.full(shape, value, np.uint8), layout="char")


def test_grid_without_manuscript_paper_is_an_error(reader):
    with pytest.raises(LayoutError, match="no manuscript paper was found"):
        reader.read(np.full((100, 100), 255, np.uint8), layout="grid")


def test_lines_without_the_model_that_finds_them_are_an_error(reader, monkeypatch):
    monkeypatch.setattr(finder, "MODEL", "dbnet_missing")
    with pytest.raises(LayoutError, match="layout 'lines' needs the model that finds lines: No preset named"):
        reader.read(np.full((100, 100), 255, np.uint8), layout="lines")


def _box(left: float, top: float, right: float, bottom: float) -> list[list[float]]:
    return [[left, top], [right, top], [right, bottom], [left, bottom]]


@pytest.mark.parametrize(
    ("found", "lines", "score", "layout"),
    [
        ([], [], 0.0, "char"),
        ([_box(30, 30, 170, 170)], ["甲"], 0.9, "char"),  # The character, taken for a short line;
        ([_box(30, 30, 95, 170), _box(105, 30, 170, 170)], ["甲", "乙"], 0.2, "char"),  # or its two halves.
        ([_box(30, 30, 170, 95), _box(30, 105, 170, 170)], ["甲乙", "丙甲"], 0.95, "lines"),
        (
            [_box(30, 30, 170, 50), _box(30, 60, 170, 80), _box(30, 90, 110, 110)],
            ["甲", "乙", "丙"],
            0.2,
            "lines",
        ),
        ([_box(30, 30, 170, 50)], ["甲乙丙"], 0.2, "lines"),
        ([_box(30, 30, 170, 170)], [], 0.0, "lines"),
    ],
)
def test_a_picture_without_cells_is_read_as_what_it_looks_like(
    reader, monkeypatch, found, lines, score, layout
):
    image = np.full((200, 200, 3), 240, np.uint8)
    image[30:171, 30:171] = 0
    image[50:151, 50:151] = 240
    quads = np.array(found, np.float32).reshape(-1, 4, 2)
    monkeypatch.setattr(manuscript, "find", lambda _: None)
    reader.__dict__["_finder"] = fakes.Finder(quads)
    box = ((0.0, 0.0),) * 4
    characters = [tuple(serving.page.Character(box, one, score) for one in line) for line in lines]
    read = tuple(serving.page.Line(box, "", score, line) for line in characters)
    written = serving.page.Page("", 200, 200, "lines", "horizontal", read)
    monkeypatch.setattr(reader, "_read_lines", lambda *_: written)
    monkeypatch.setattr(fakes.FakeSession, "run", _sure_of_one)
    assert reader.read(image).layout == layout
    assert reader.read(image, layout="lines").layout == "lines"


def _sure_of_one(self, inputs):
    logits = np.full((len(inputs["image"]), len(charset.CHARACTERS)), -100, np.float32)
    logits[:, charset.encode("田")[0]], logits[:, charset.encode("由")[0]] = 1.0, 0.0
    return {"logits": logits}  # 0.66 after the temperature


def test_neighbours_help_to_read_a_character_unless_they_are_not_asked(tmp_path, monkeypatch):
    # Whether the second character is 是 or 足 cannot be seen.
    first, likely, other = charset.encode("不是足")
    logits = np.full((4, len(charset.CHARACTERS)), -100, np.float32)
    logits[0, first], logits[1, other], logits[1, likely], logits[2:, 0] = 9, 9, 8.9, 9
    monkeypatch.setattr(runtime, "Session", lambda *_: _EachItsOwn(logits))
    texts = {}
    for context in (True, False):
        reader = Reader(fakes.preset(tmp_path / str(context)), context=context)
        image, quads = fakes.sheet(["甲乙__"])
        grid = manuscript.Grid(1, 4, quads, "horizontal", 1.0)
        monkeypatch.setattr(manuscript, "find", lambda _, grid=grid: grid)
        page = reader.read(image, layout="grid")
        texts[context] = page.text
        alternatives = dict(page.lines[0].characters[1].alternatives)
        assert alternatives.keys() >= {"是", "足"}
    assert texts == {True: "不是", False: "不足"}


def test_unknown_layout_is_an_error(reader):
    with pytest.raises(ValueError, match="Received: layout='table'"):
        reader.read(np.full((100, 100), 255, np.uint8), layout="table")


def test_a_file_of_several_pages_names_read_pages(reader):
    data = io.BytesIO()
    pages = [Image.fromarray(np.full((80, 60 + 10 * n, 3), 255, np.uint8)) for n in range(3)]
    pages[0].save(data, "TIFF", save_all=True, append_images=pages[1:])
    with pytest.raises(ValueError, match=r"read_pages.*Received: 3 pages"):
        reader.read(data.getvalue())
    assert [page.width for page in reader.read_pages(data.getvalue())] == [60, 70, 80]


def test_a_picture_that_cannot_be_decoded_is_an_error(reader):
    with pytest.raises(ImageError):
        reader.read(b"no picture")


def test_the_model_loads_with_the_first_picture(tmp_path):
    reader = Reader(tmp_path / "missing")
    with pytest.raises(runtime.ModelError):
        reader.read(np.zeros((80, 80), np.uint8), layout="char")


def test_the_image_is_named_as_it_was_given(reader, tmp_path):
    path = tmp_path / "字.png"
    Image.new("RGB", (80, 80), "white").save(path)
    assert reader.read(path).image == str(path)
    assert reader.read(path.read_bytes()).image == ""


def test_a_page_becomes_the_json_of_the_contract(reader, page):
    answer = reader.read(page("vertical")).to_dict()
    assert list(answer) == ["image", "width", "height", "layout", "direction", "text", "lines", "grid"]
    assert json.loads(json.dumps(answer)) == answer
    line = answer["lines"][0]
    assert list(line) == ["box", "text", "score", "direction", "paragraph", "characters"]
    assert (line["direction"], line["paragraph"]) == ("vertical", 0)
    assert line["box"][0] == [50.0 + 2 * fakes.CELL, 50.0]
    character = line["characters"][1]
    assert list(character) == ["box", "text", "score", "alternatives"]
    assert character["text"] == "，"
    assert character["alternatives"][0] == ["，", character["score"]]
    assert round(character["score"], 4) == character["score"]
    assert list(answer["grid"]) == ["rows", "columns", "cells"]
    assert len(answer["grid"]["cells"]) == 16


def test_a_page_prints_its_text(reader, page):
    result = reader.read(page("vertical"))
    assert str(result) == result.text
    assert repr(result) == "<Page without a name: grid 4 x 4, vertical, 2 lines, 6 characters>"


def test_text_detection_lists_quads_or_boxes(page):
    quads = serving.text_detection(page("vertical"))
    assert len(quads) == 16
    left, top, cell = 50 + 3 * fakes.CELL, 50, fakes.CELL
    assert quads[0] == [(left, top), (left + cell, top), (left + cell, top + cell), (left, top + cell)]
    boxes = serving.text_detection(page("vertical"), form="xywh")
    assert boxes[0] == [left, top, cell, cell]
    with pytest.raises(ValueError, match="Received: form='polygon'"):
        serving.text_detection(page("vertical"), form="polygon")


def test_text_detection_guesses_the_direction_from_the_ink(page):
    down = ["_" * 7 + character * 2 + "_" for character in "甲乙丙乙甲乙丙乙"]
    assert serving.text_detection(page(None, down))[0][0] == (50 + 9 * fakes.CELL, 50)


def test_text_detection_finds_the_one_character():
    image = np.full((100, 200), 255, np.uint8)
    assert serving.text_detection(image) == []
    ((x, y, width, height),) = serving.text_detection(fakes.one_character(200, 100, 50, 30), form="xywh")
    assert abs(np.array([x, y, width, height]) - [50, 30, 60, 60]).max() <= 1


def test_text_detection_lists_the_lines_that_are_read():
    file = Path(__file__).parents[1] / "examples" / "note.jpg"
    read = serving.Reader().read(file)
    assert read.layout == "lines"
    assert len(read.lines) > 4
    np.testing.assert_allclose(serving.text_detection(file), [line.box for line in read.lines], atol=0.01)


def test_text_detection_stays_inside_the_picture():
    image = cv2.imread(str(Path(__file__).parents[1] / "examples" / "note.jpg"))
    left, top = np.min(serving.text_detection(image), axis=(0, 1)).astype(int) + 8
    cut = np.ascontiguousarray(image[top:, left:])  # Through the first strokes of the lines.
    quads = np.array(serving.text_detection(cut))
    assert quads.min() == 0
    assert (quads <= cut.shape[1::-1]).all()
    for (x, y, width, height), quad in zip(serving.text_detection(cut, form="xywh"), quads, strict=True):
        np.testing.assert_allclose([x, y, x + width, y + height], [*quad.min(0), *quad.max(0)], atol=1)
        assert cut[y : y + height, x : x + width].shape[:2] == (height, width)


def test_what_is_written_beside_the_cells_of_squared_paper_is_read_as_lines(monkeypatch):
    image = cv2.imread(str(Path(__file__).parents[1] / "examples" / "note.jpg"))
    reader = serving.Reader(threads=1)
    plain = reader.read(image)
    for place in range(20, max(image.shape[:2]), 57):
        image[place : place + 2] = np.minimum(image[place : place + 2], 150)
        image[:, place : place + 2] = np.minimum(image[:, place : place + 2], 150)
    assert manuscript.find(image) is not None
    page = reader.read(image)
    assert page.layout == "lines"
    assert Levenshtein.distance(page.text, plain.text) <= 0.15 * len(plain.text)
    assert reader.read(image, layout="grid").layout == "grid"
    # One word that was found does not stand for all of them.
    found = reader._find_lines(image, manuscript.flatten(image))
    word = found._replace(quads=found.quads[:1])
    monkeypatch.setattr(reader, "_find_lines", lambda *_: word)
    assert reader.read(image).layout == "grid"
    # Without a model that finds or reads lines, the cells are all there is.
    for module in (finder, line_reader):
        with monkeypatch.context() as patch:
            patch.setattr(module, "MODEL", "missing")
            assert serving.Reader(threads=1).read(image).layout == "grid"


def test_once_a_grid_is_found_lines_are_looked_for_no_further(monkeypatch):
    image = cv2.imread(str(Path(__file__).parents[1] / "examples" / "pupil.jpg"))
    reader = serving.Reader(threads=2)
    grid, until = manuscript.find(image), finder.LineFinder.until
    overs, looking = [], threading.Event()

    def begun(self, over):
        overs.append(over)
        looking.set()
        return until(self, over)

    def found(image):
        assert looking.wait(60)  # In another thread, meanwhile.
        assert not overs[0].is_set()
        return grid

    monkeypatch.setattr(finder.LineFinder, "until", begun)
    monkeypatch.setattr(manuscript, "find", found)
    assert reader.read(image).layout == "grid"
    assert overs[0].is_set()


def test_a_page_that_nothing_is_found_on_is_looked_at_in_even_light():
    image = cv2.imread(str(Path(__file__).parents[1] / "examples" / "note.jpg"))
    faint = (60 + 0.06 * image).astype(np.uint8)
    reader = serving.Reader(threads=1)
    assert not len(reader._finder(faint)[0])
    page = reader.read(faint)
    assert (page.layout, len(page.lines)) == ("lines", len(reader.read(image).lines))


def _written(kind, examples):
    """A picture of writing, uint8 (H, W, 3), and its layout."""
    name, layout = {"sheet": ("pupil", "grid"), "page": ("note", "lines")}.get(kind, ("letter", "line"))
    image = cv2.imread(str(examples / f"{name}.jpg"))
    if layout != "line":
        return image, layout
    cells = manuscript.find(image).cells
    # Without the printed lines, and as far from each other as in the sheet.
    inner = geometry.rectify(manuscript.flatten(image), cells[1], 76, margin=-0.12)
    inner = np.pad(inner, ((0, 0), (10, 10), (10, 10)), constant_values=255)
    image = np.repeat((np.hstack if kind == "row" else np.vstack)(list(inner))[..., None], 3, axis=2)
    return cv2.copyMakeBorder(image, *[20] * 4, cv2.BORDER_CONSTANT, value=(255, 255, 255)), layout


@pytest.mark.parametrize("kind", ["sheet", "page", "row"])
def test_what_may_be_turned_is_read_both_ways(kind, examples, monkeypatch):
    image, layout = _written(kind, examples)
    reader = serving.Reader(threads=1)
    upright = reader.read(image, layout)
    monkeypatch.setattr(ocr, "_UPRIGHT", 1.1)
    monkeypatch.setattr(orientation, "turns", lambda *_: (2, False))
    assert reader.read(image, layout) == upright
    turned = reader.read(np.ascontiguousarray(np.rot90(image, 2)), layout)
    assert Levenshtein.distance(turned.text, upright.text) <= 0.1 * len(upright.text)


@pytest.mark.parametrize("kind", ["sheet", "row", "column"])
def test_sheets_and_lines_are_read_however_they_lie(kind, examples):
    image, layout = _written(kind, examples)
    reader = serving.Reader(threads=1)
    upright = reader.read(image, layout)
    height, width = image.shape[:2]
    for quarters in (1, 2, 3):
        page = reader.read(np.ascontiguousarray(np.rot90(image, quarters)), layout)
        assert (page.layout, page.direction) == (layout, upright.direction)
        assert (page.width, page.height) == ((height, width) if quarters % 2 else (width, height))
        assert Levenshtein.distance(page.text, upright.text) <= 0.1 * len(upright.text)
        expected = geometry.turned(np.array([line.box for line in upright.lines]), quarters, width, height)
        np.testing.assert_allclose([line.box for line in page.lines], expected, atol=4)
        if upright.grid:
            expected = geometry.turned(np.array(upright.grid.cells), quarters, width, height)
            np.testing.assert_allclose(page.grid.cells, expected, atol=4)


def test_text_recognition_gives_the_text(reader, page, monkeypatch):
    monkeypatch.setattr(ocr, "_reader", lambda: reader)
    assert serving.text_recognition(page("vertical")) == "乙，甲\n甲丙乙"


def test_a_drawn_sheet_is_found_and_read(reader):
    rows = ["甲乙丙甲乙丙甲乙丙甲", *["乙丙甲_乙甲丙乙甲丙"] * 6, "丙甲乙_______", "_" * 10, "_" * 10]
    image, cells = fakes.sheet(rows)
    result = reader.read(image)
    assert result.layout == "grid"
    assert (result.grid.rows, result.grid.columns) == (10, 10)
    found = np.array(result.grid.cells).reshape(-1, 8)
    wanted = cells.reshape(-1, 8)
    distance = np.abs(found[:, None] - wanted[None]).max(2).min(1)
    assert distance.max() <= 4  # A fifteenth of a cell.
    assert sum(len(line.characters) for line in result.lines) == sum(len(r.replace("_", "")) for r in rows)


class _Fixed:
    path = Path("fixed.tflite")
    inputs = fakes.FakeSession.inputs

    def __init__(self, logits):
        self.logits = logits

    def run(self, inputs):
        return {"logits": np.repeat(self.logits, len(inputs["image"]), 0)}


class _EachItsOwn(_Fixed):
    """Has an answer for each crop."""

    def run(self, inputs):
        return {"logits": np.resize(self.logits, (len(inputs["image"]), self.logits.shape[1]))}


class _Doubtful(fakes.FakeSession):
    """Unsure about ink that fills its picture, and sure about a full stop where it is small."""

    def run(self, inputs):
        logits = super().run(inputs)["logits"] / 10
        small = (inputs["image"] < 128).mean((1, 2, 3)) < 0.1
        logits[small, ocr.charset.encode("。")[0]] = 20
        return {"logits": logits}


def test_crops_have_the_size_that_the_model_reads(reader, page):
    page("horizontal")
    reader._recogniser.size = 48
    shapes = []
    answer = reader._recogniser._session.run
    reader._recogniser._session.run = lambda inputs: (
        shapes.append(inputs["image"].shape[1:]) or answer(inputs)
    )
    reader.read(fakes.sheet(ROWS)[0], layout="grid")
    reader.read(fakes.one_character(100, 100, 10, 10, 80), layout="char")
    assert set(shapes) == {(48, 48, 1)}
    assert runtime.Preset(Path("tiny"), {"size": 48}).size == 48


def _preset(temperature: float, added: str = "") -> runtime.Preset:
    return runtime.Preset(Path("tiny"), {"temperature": temperature, "added_characters": added})


def test_characters_that_a_training_added_are_read():
    logits = np.zeros((1, len(ocr.charset.CHARACTERS) + 1), np.float32)
    logits[0, -1] = 9
    recogniser = ocr._Recogniser(_Fixed(logits), _preset(1.0, added="龘"))
    (reading,) = recogniser(np.zeros((1, 64, 64), np.uint8))
    assert recogniser.characters[reading.alternatives[0][0]] == "龘"
