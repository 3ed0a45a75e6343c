import os
import stat

import numpy as np
import pytest
from PIL import Image, ImageFont

from serving import draw
from serving.page import Cells, Character, Line, Page
from tests import fakes


@pytest.fixture
def image():
    return fakes.sheet(["甲乙", "__"])[0]


@pytest.fixture
def page(image):
    _, cells = fakes.sheet(["甲乙", "__"])
    boxes = [tuple(map(tuple, cell.tolist())) for cell in cells.reshape(-1, 4, 2)]
    characters = (Character(boxes[0], "甲", 0.9), Character(boxes[1], "乙", 0.2))
    box = (boxes[0][0], boxes[1][1], boxes[1][2], boxes[0][3])
    line = Line(box, "甲乙", 0.55, characters)
    height, width = image.shape[:2]
    return Page("page.png", width, height, "grid", "horizontal", (line,), Cells(2, 2, tuple(boxes)))


@pytest.fixture
def font():
    found = draw.find_font()
    if found is None:
        pytest.skip("this system has no font with Chinese characters")
    return found


def colours(picture):
    return set(map(tuple, np.asarray(picture).reshape(-1, 3).tolist()))


def test_cells_and_lines_are_outlined(page, image):
    picture = draw.draw(page, image)
    assert picture.size == (page.width, page.height)
    (left, top), *_, (_, bottom) = page.grid.cells[2]
    assert picture.getpixel((left, (top + bottom) / 2)) == draw._CELL
    assert draw._LINE in colours(picture)
    assert draw._SURE not in colours(picture)


def test_text_is_written_over_its_cell_in_the_colour_of_its_score(page, image, font):
    picture = draw.draw(page, image, font)
    boxes = [np.array(cell) for cell in page.grid.cells]
    inks = [
        colours(picture.crop((*box[0].astype(int), *box[2].astype(int)))) & {draw._SURE, draw._UNSURE}
        for box in boxes
    ]
    assert inks == [{draw._SURE}, {draw._UNSURE}, set(), set()]


def test_the_image_stays_as_it_was(page, image, font):
    before = image.copy()
    draw.draw(page, image, font)
    np.testing.assert_array_equal(image, before)


def test_a_page_over_another_image_is_an_error(page):
    with pytest.raises(ValueError, match="Received: 10 x 20"):
        draw.draw(page, np.zeros((20, 10, 3), np.uint8))


def test_the_font_draws_chinese(font):
    drawn = ImageFont.truetype(str(font), 24)
    assert bytes(drawn.getmask("繁")) != bytes(drawn.getmask("體"))


def test_a_font_without_chinese_is_not_taken(monkeypatch):
    class Empty:
        def getmask(self, character):
            return b"box"

    assert not draw._draws_chinese(Empty())
    monkeypatch.setattr(draw, "_FONTS", ("no such font.ttf",))
    monkeypatch.setattr(draw, "_listed_fonts", list)
    draw.find_font.cache_clear()
    try:
        assert draw.find_font() is None
    finally:
        draw.find_font.cache_clear()


def test_a_drawing_appears_whole_or_not_at_all(tmp_path):
    target = tmp_path / "page.png"
    target.write_bytes(b"the drawing before")

    class Broken:
        def save(self, file, kind):
            file.write(b"half")
            raise OSError("No space left on device")

    with pytest.raises(OSError, match="No space left"):
        draw.save(Broken(), target)
    assert target.read_bytes() == b"the drawing before"
    assert os.listdir(tmp_path) == ["page.png"]
    draw.save(Image.new("RGB", (20, 10)), target)
    assert os.listdir(tmp_path) == ["page.png"]
    with Image.open(target) as picture:
        assert picture.size == (20, 10)


@pytest.mark.skipif(os.name != "posix", reason="permissions are those of POSIX")
def test_a_drawing_has_ordinary_permissions(tmp_path):
    draw.save(Image.new("RGB", (20, 10)), tmp_path / "page.png")
    (tmp_path / "other").touch()
    assert stat.S_IMODE(os.stat(tmp_path / "page.png").st_mode) == stat.S_IMODE(
        os.stat(tmp_path / "other").st_mode
    )


def test_corners_stay_inside_the_picture() -> None:
    box = ((-5.0, 3.0), (30.0, -1.0), (25.5, 12.0), (0.0, 9.0))
    line = Line(box, "字", 1.0, (Character(box, "字", 1.0),))
    page = Page("", 25, 10, "grid", "horizontal", (line,), Cells(1, 1, (box,))).clipped()
    inside = ((0.0, 3.0), (25.0, 0.0), (25.0, 10.0), (0.0, 9.0))
    assert page.lines[0].box == page.lines[0].characters[0].box == inside
    assert page.grid == Cells(1, 1, (inside,))
    assert page.to_dict()["lines"][0]["box"] == [list(corner) for corner in inside]
