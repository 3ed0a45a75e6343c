from collections.abc import Sequence

import numpy as np
import pytest

from serving import both_styles, context
from serving.lines import ReadLines, Written
from zoo import charset
from zoo.manuscript import Direction

_FLAT = np.full((10, 10), 255, np.uint8)
_QUADS = [np.full((4, 2), number, np.float32) for number in range(4)]


def _line(text: str, *shares: float) -> list[Written]:
    """A line whose characters are as probable as that; the rest falls to blots."""
    others = charset.encode("@#")
    return [
        Written(np.zeros((4, 2), np.float32), ((label, share), *((one, (1 - share) / 4) for one in others)))
        for label, share in zip(charset.encode(text), shares, strict=True)
    ]


def _text(line: Sequence[Written]) -> str:
    return charset.decode(one.alternatives[0][0] for one in line)


class _Readings:
    """Reads what it is told, by the first corner of each line, and remembers what it was asked."""

    def __init__(self, *readings: list[Written]) -> None:
        self.readings = readings
        self.asked: list[int] = []

    def __call__(
        self, flat: np.ndarray, quads: Sequence[np.ndarray], directions: Sequence[Direction]
    ) -> list[list[Written]]:
        assert flat is _FLAT
        assert len(quads) == len(directions)
        numbers = [int(quad[0, 0]) for quad in quads]
        self.asked += numbers
        return [self.readings[number] for number in numbers]


def _read(
    first: ReadLines,
    second: ReadLines,
    *directions: Direction,
    bigram: bool = False,
    columns: bool = False,
) -> list[str]:
    read_in = context.load() if bigram else None
    found = both_styles.read(_FLAT, _QUADS[: len(directions)], directions, first, second, read_in, columns)
    return [_text(line) for line in found]


def test_unsure_rows_are_read_again_and_the_surer_reading_stands() -> None:
    first = _Readings(_line("一二", 0.99, 0.98), _line("三十", 0.99, 0.5), _line("人", 0.9), _line("口", 0.2))
    second = _Readings([], _line("三千", 0.8, 0.9), _line("入", 0.7), _line("日", 0.99))
    rows: list[Direction] = ["horizontal", "horizontal", "horizontal", "vertical"]
    assert _read(first, second, *rows) == ["一二", "三千", "人", "口"]
    assert first.asked == [0, 1, 2, 3]
    assert second.asked == [1, 2]  # Neither the sure row nor the column.


def test_beside_a_bigram_what_is_read_again_stands() -> None:
    first, second = _Readings(_line("大人", 0.9, 0.9)), _Readings(_line("大入", 0.9, 0.6))
    assert _read(first, second, "horizontal", bigram=True) == ["大入"]
    assert _read(first, _Readings([]), "horizontal", bigram=True) == ["大人"]


def test_columns_may_be_read_again_too() -> None:
    first, second = _Readings(_line("口", 0.2)), _Readings(_line("日", 0.99))
    assert _read(first, second, "vertical", columns=True) == ["日"]


def test_a_row_that_one_style_does_not_read_is_left_to_the_other() -> None:
    assert _read(_Readings([]), _Readings(_line("一", 0.3)), "horizontal") == ["一"]
    assert _read(_Readings(_line("一", 0.3)), _Readings([]), "horizontal") == ["一"]
    assert _read(_Readings([]), _Readings([]), "horizontal") == [""]


def test_no_line_is_no_problem() -> None:
    assert _read(_Readings(), _Readings()) == []


@pytest.mark.parametrize("bigram", [False, True])
def test_what_fits_together_is_sure(bigram: bool) -> None:
    first, second = (
        _Readings(_line("中華民國", 0.97, 0.97, 0.97, 0.97)),
        _Readings(_line("申華民國", 1, 1, 1, 1)),
    )
    assert _read(first, second, "horizontal", bigram=bigram) == ["中華民國" if bigram else "申華民國"]


@pytest.mark.parametrize(
    ("places", "expected"), [((0, 60, 110, 170), "一二三十"), ((0, 60, 180, 240), "一二三四十")]
)
@pytest.mark.parametrize("axis", [0, 1])
def test_a_line_in_which_a_character_seems_to_be_passed_over_is_read_again(
    places: tuple[int, ...], expected: str, axis: int
) -> None:
    line = [
        one._replace(quad=np.full((4, 2), [place, 0][:: 1 - 2 * axis], np.float32))
        for place, one in zip(places, _line("一二三十", 0.99, 0.99, 0.99, 0.99), strict=True)
    ]
    assert _read(_Readings(line), _Readings(_line("一二三四十", 1, 1, 1, 1, 1)), "horizontal") == [expected]
