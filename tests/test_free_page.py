"""Pages without cells. A stand-in knows where the lines are; the bundled recogniser reads them."""

import numpy as np
import pytest

from serving import Reader, free_page, line_ends
from serving.lines import Written
from tests import fakes, felt_tip
from zoo import manuscript

# 六 and 不 look like nothing upside down.
PLACES = {"六口三不六": (60, 80), "口不二六": (60, 240), "三六不": (60, 400)}


def _page(vertical: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """A page of three lines, or of three columns from the right to the left, and their boxes from the first on."""
    page = np.full((560, 640, 3), 240, np.uint8)
    quads = []
    for text, (along, across) in PLACES.items():
        drawn = felt_tip.line(text, vertical)
        left, top = (500 - across, along) if vertical else (along, across)
        page[top : top + drawn.shape[0], left : left + drawn.shape[1]] = drawn
        right, bottom = left + drawn.shape[1] - 13, top + drawn.shape[0] - 13
        quads.append([[left + 12, top + 12], [right, top + 12], [right, bottom], [left + 12, bottom]])
    return page, np.array(quads, np.float32)


def _turned(page: np.ndarray, quads: np.ndarray, quarters: int) -> tuple[np.ndarray, np.ndarray]:
    """After quarters of a turn to the right; the corners keep their order."""
    for _ in range(quarters):
        quads = np.stack([len(page) - 1 - quads[..., 1], quads[..., 0]], -1)
        page = np.rot90(page, -1)
    return np.ascontiguousarray(page), quads


def _reader(quads: np.ndarray, **given: object) -> Reader:
    # What the lines say is no text.
    reader = Reader(threads=1, context=False, **given)
    reader.__dict__["_finder"] = fakes.Finder(quads)
    return reader


@pytest.mark.parametrize("quarters", range(4))
@pytest.mark.parametrize("vertical", [False, True])
def test_a_page_is_read_however_it_lies(vertical: bool, quarters: int) -> None:
    image, quads = _turned(*_page(vertical), quarters)
    page = _reader(quads).read(image, layout="lines")
    assert page.text == "\n".join(PLACES)
    assert (page.layout, page.direction) == ("lines", "vertical" if vertical else "horizontal")
    assert (page.height, page.width) == image.shape[:2]
    # The boxes are those of the picture as it was given, from the top left of the text on.
    np.testing.assert_allclose([line.box for line in page.lines], quads, atol=1)
    upright, _ = _page(vertical)
    first = np.array(page.lines[0].characters[0].box)
    start = np.array([110, 130] if not vertical else [470, 110])  # The middle of its square.
    (middle,) = _turned(upright, start[None, None], quarters)[1][0]
    np.testing.assert_allclose(first.mean(0), middle, atol=8)


@pytest.mark.parametrize("vertical", [False, True])
def test_a_page_is_read_line_by_line(vertical: bool) -> None:
    image, quads = _page(vertical)
    reader = _reader(quads, style="lines")
    reader.load()
    page = reader.read(image, layout="lines")
    assert page.text == "\n".join(PLACES)
    np.testing.assert_allclose([line.box for line in page.lines], quads, atol=1)


def test_pieces_of_a_line_are_joined() -> None:
    image, quads = _page()
    first = quads[0]
    cut = 60 + 20 + 2.9 * felt_tip.STEP
    halves = [first.copy(), first.copy()]
    halves[0][1:3, 0], halves[1][[0, 3], 0] = cut - 4, cut + 4
    page = _reader(np.array([*halves, *quads[1:]])).read(image, layout="lines")
    assert page.text == "\n".join(PLACES)
    np.testing.assert_allclose(page.lines[0].box, first, atol=1)


def test_a_mark_beside_the_end_of_a_line_belongs_to_it() -> None:
    image, quads = _page()
    right = int(quads[0, 1, 0])
    image[160:172, right + 8 : right + 18] = 40
    flat = manuscript.flatten(image)
    longer = line_ends.lengthened(flat, quads)
    boxes = free_page.boxes(longer)
    seen: list[np.ndarray] = []

    def read_lines(flat: np.ndarray, lines: list[np.ndarray], directions: list[str]) -> list[list[Written]]:
        seen.extend(lines)
        return [[] for _ in lines]

    free_page.read(flat, longer, read_lines)
    for found in (boxes, seen):
        assert found[0][1:3, 0] == pytest.approx(right + 21, abs=2)
        np.testing.assert_array_equal(found[1:], quads[1:])


def test_lines_that_are_blank_are_left_out() -> None:
    image, quads = _page()
    blank = np.array([[[60, 520], [400, 520], [400, 550], [60, 550]]], np.float32)
    page = _reader(np.concatenate([quads, blank])).read(image, layout="lines")
    assert page.text == "\n".join(PLACES)


@pytest.mark.parametrize("blank", [set(), {0}, {3}, {0, 1}])
def test_paragraphs_are_numbered_whichever_lines_are_blank(blank: set[int]) -> None:
    starts = {0: [0], 1: [60, 0, 0], 2: [60, 0, 0, 0]}  # A heading of one line, two paragraphs.
    quads, numbers = [], []
    for paragraph, indents in starts.items():
        for indent in indents:
            top = 100 + 60 * len(quads) + (90 if paragraph else 0)
            quads.append([[100 + indent, top], [700, top], [700, top + 40], [100 + indent, top + 40]])
            numbers.append(paragraph)

    def read_lines(flat: np.ndarray, lines: list[np.ndarray], directions: list[str]) -> list[list[Written]]:
        sign = Written(np.zeros((4, 2), np.float32), ((1, 1.0),))
        order = [int(np.abs(np.array(quads) - line).sum((1, 2)).argmin()) for line in lines]
        return [[] if line in blank else [sign] for line in order]

    found = free_page.read(np.zeros((900, 800), np.uint8), np.array(quads, np.float32)[::-1], read_lines)
    kept = [number for line, number in enumerate(numbers) if line not in blank]
    assert [line.paragraph for line in found] == [number - kept[0] for number in kept]


@pytest.mark.parametrize("quarters", [0, 1])
def test_lines_tell_their_own_direction_and_paragraph(quarters: int) -> None:
    image, quads = _page()
    column, (place,) = _page(vertical=True)[0][:, 300:], _page(vertical=True)[1][:1] - [300, 0]
    picture = np.concatenate([image, column], 1)
    both = np.concatenate([quads, place[None] + np.float32([640, 0])])
    picture, turned = _turned(picture, both, quarters)
    page = _reader(turned).read(picture, layout="lines")
    assert [(line.direction, line.paragraph) for line in page.lines] == [("horizontal", 0)] * 3 + [
        ("vertical", 1)
    ]
    assert page.direction == "horizontal"
    listed = page.to_dict()["lines"]
    assert [(line["direction"], line["paragraph"]) for line in listed] == [("horizontal", 0)] * 3 + [
        ("vertical", 1)
    ]


def test_a_page_without_lines_has_none() -> None:
    page = _reader(np.empty((0, 4, 2))).read(np.full((300, 200, 3), 240, np.uint8), layout="lines")
    assert (page.layout, page.direction, page.lines) == ("lines", "horizontal", ())
