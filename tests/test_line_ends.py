import cv2
import numpy as np
import pytest

from serving import line_ends

_LINE = (100, 200, 400, 240)  # Left, top, right, bottom of a box.


def _page(*marks: tuple[int, int, int, int], grey: int = 0) -> np.ndarray:
    """White paper with a line of strokes in `_LINE`, and marks: left, top, right, bottom."""
    page = np.full((500, 600), 255, np.uint8)
    for left in range(105, 370, 40):
        cv2.rectangle(page, (left, 204), (left + 25, 236), grey, 2)
    for left, top, right, bottom in marks:
        page[top:bottom, left:right] = grey
    return page


def _quad(box: tuple[int, int, int, int] = _LINE) -> np.ndarray:
    left, top, right, bottom = box
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float32)


def _box(quad: np.ndarray) -> tuple[int, ...]:
    return (*quad.min(0).round().astype(int).tolist(), *quad.max(0).round().astype(int).tolist())


@pytest.mark.parametrize("grey", [0, 170])
@pytest.mark.parametrize(
    ("marks", "left", "right"),
    [
        ([(404, 225, 412, 235)], 100, 414),
        ([(86, 205, 94, 215)], 84, 400),
        ([(86, 205, 94, 215), (398, 225, 410, 235)], 84, 412),
        ([(404, 225, 412, 235), (430, 204, 440, 226)], 100, 442),
    ],
)
def test_a_line_gets_the_marks_beside_its_ends(marks: list, left: int, right: int, grey: int) -> None:
    (longer,) = line_ends.lengthened(_page(*marks, grey=grey), _quad()[None])
    assert _box(longer) == pytest.approx((left, 200, right, 240), abs=1)


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_line_that_lies_otherwise_gets_them_too(turns: int) -> None:
    page = np.ascontiguousarray(np.rot90(_page((404, 225, 412, 235)), turns))
    quad = _quad()
    height, width = 500, 600
    for _ in range(turns):
        quad = np.stack([quad[:, 1], width - 1 - quad[:, 0]], 1)
        height, width = width, height
    for shift in range(4):  # Whichever corner comes first.
        (longer,) = line_ends.lengthened(page, np.roll(quad, shift, 0)[None])
        assert np.ptp(longer, axis=0).max() == pytest.approx(314, abs=1)
        kept = np.abs(longer - np.roll(quad, shift, 0)).max(1) < 1e-3
        assert kept.sum() == 2


@pytest.mark.parametrize(
    "mark",
    [
        (404, 225, 405, 226),  # Dirt.
        (404, 190, 408, 260),  # As tall as a rule.
        (404, 230, 600, 232),  # A rule that goes on.
        (404, 200, 436, 240),  # A character, which is found by itself.
        (434, 225, 442, 235),  # Too far.
        (404, 250, 412, 260),  # Of another line.
    ],
)
def test_what_is_no_mark_of_the_line_stays_outside(mark: tuple) -> None:
    (longer,) = line_ends.lengthened(_page(mark), _quad()[None])
    np.testing.assert_array_equal(longer, _quad())


def test_what_another_line_holds_stays_its_own() -> None:
    quads = np.stack([_quad(), _quad((402, 150, 420, 400))])
    page = _page((404, 225, 412, 235))
    np.testing.assert_array_equal(line_ends.lengthened(page, quads)[0], quads[0])
    assert _box(line_ends.lengthened(page, quads[:1])[0])[2] == pytest.approx(414, abs=1)


def test_a_mark_between_two_lines_belongs_to_one_of_them() -> None:
    quads = np.stack([_quad(), _quad((420, 200, 560, 240))])
    longer = line_ends.lengthened(_page((405, 225, 413, 235)), quads)
    assert [_box(quad) == _box(before) for quad, before in zip(longer, quads, strict=True)] == [False, True]


def test_what_is_hardly_longer_than_thick_stays_as_it_is() -> None:
    quads = _quad((100, 200, 140, 240))[None]
    np.testing.assert_array_equal(line_ends.lengthened(_page((144, 225, 152, 235)), quads), quads)


def test_nothing_and_the_edge_of_a_page_are_no_problem() -> None:
    page = _page()
    assert line_ends.lengthened(page, np.empty((0, 4, 2), np.float32)).shape == (0, 4, 2)
    page[20:30, 586:594] = 0
    (longer,) = line_ends.lengthened(page, _quad((100, 0, 580, 40))[None])
    assert _box(longer) == pytest.approx((100, 0, 596, 40), abs=1)
    for nothing in (np.full((1, 4, 2), 50), _quad((100, 50, 400, 50))[None]):
        np.testing.assert_array_equal(line_ends.lengthened(page, nothing.astype(np.float32)), nothing)
