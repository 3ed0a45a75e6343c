from collections.abc import Sequence

import numpy as np
import pytest

from serving import both_styles, context
from serving.lines import Written
from zoo import charset
from zoo.manuscript import Direction

_FLAT = np.full((10, 10), 255, np.uint8)
_QUADS = [np.array([[0, 0], [60, 0], [60, 60], [0, 60]], np.float32) + number for number in range(4)]


def _line(text: str, *shares: float, rest: str = "@#") -> list[Written]:
    """A line of characters side by side, downwards to the right, that are as probable as that; the rest falls to others."""
    others = charset.encode(rest)
    left = [(1 - share) / len(others) for share in shares]
    return [
        Written(
            np.array([[0, 0], [8, 0], [8, 8], [0, 8]], np.float32) + 10 * place,
            ((label, share), *((one, part) for one in others)),
        )
        for place, (label, share, part) in enumerate(zip(charset.encode(text), shares, left, strict=True))
    ]


def _text(line: Sequence[Written]) -> str:
    return charset.decode(one.alternatives[0][0] for one in line)


class _Readings:
    """Reads what it is told, by the first corner of each line, and remembers what it was asked."""

    def __init__(self, *readings: list[Written]) -> None:
        self.readings = readings
        self.asked: list[int] = []
        self.parted: list[str] = []

    def __call__(
        self,
        flat: np.ndarray,
        quads: Sequence[np.ndarray],
        directions: Sequence[Direction],
        parted: Sequence[Sequence[Written]] = (),
    ) -> list[list[Written]]:
        assert flat is _FLAT
        assert len(quads) == len(directions)
        numbers = [int(quad[0, 0]) for quad in quads]
        self.asked += numbers
        self.parted += map(_text, parted)
        return [self.readings[number] for number in numbers]


def _read(whole: _Readings, single: _Readings, *directions: Direction, trigram: bool = False) -> list[str]:
    read_in = context.load() if trigram else None
    found = both_styles.read(_FLAT, _QUADS[: len(directions)], directions, whole, single, read_in)
    return [_text(line) for line in found]


def test_unsure_rows_are_read_again_and_the_surer_reading_stands() -> None:
    whole = _Readings(_line("一二", 0.99, 0.98), _line("三十", 0.99, 0.5), _line("人", 0.9))
    single = _Readings([], _line("三千", 0.8, 0.9), _line("入", 0.7))
    assert _read(whole, single, "horizontal", "horizontal", "horizontal") == ["一二", "三千", "人"]
    assert (whole.asked, single.asked) == ([0, 1, 2], [1, 2])


def test_columns_are_read_as_a_whole_only_where_their_characters_are_unsure() -> None:
    whole = _Readings([], [], _line("日", 0.99), _line("人", 0.6))
    single = _Readings(_line("一", 0.99), _line("二", 0.99), _line("口", 0.2), _line("入", 0.7))
    columns: list[Direction] = ["vertical"] * 4
    assert _read(whole, single, *columns) == ["一", "二", "日", "入"]
    assert (whole.asked, single.asked) == ([2, 3], [0, 1, 2, 3])
    assert whole.parted == ["口", "入"]


def test_rows_and_columns_keep_their_order() -> None:
    whole = _Readings(_line("一", 0.99), [], _line("三", 0.3), _line("口", 0.99))
    single = _Readings([], _line("二", 0.99), _line("王", 0.9), _line("日", 0.2))
    ways: list[Direction] = ["horizontal", "vertical", "horizontal", "vertical"]
    assert _read(whole, single, *ways) == ["一", "二", "王", "口"]
    assert (whole.asked, single.asked) == ([0, 2, 3], [1, 3, 2])


@pytest.mark.parametrize("direction", ["horizontal", "vertical"])
def test_where_both_found_the_same_ink_their_answers_are_joined(direction: Direction) -> None:
    # What neither reading has first wins where both think it possible.
    whole, single = _Readings(_line("鴨", 0.6, rest="狗")), _Readings(_line("雞", 0.4, rest="狗鵝"))
    quads = [np.array([[0, 0], [9, 0], [9, 99], [0, 99]], np.float32)]
    ((one,),) = both_styles.read(_FLAT, quads, [direction], whole, single, context.load())
    shares = {charset.decode([label]): share for label, share in one.alternatives}
    assert shares == pytest.approx({"狗": 0.33, "雞": 0.28, "鵝": 0.21, "鴨": 0.18})
    assert next(iter(shares)) == "狗"


def test_characters_that_only_one_found_are_those_that_make_more_sense() -> None:
    two, one = _line("日本", 0.9, 0.9), _line("曰", 0.9)
    one[0] = one[0]._replace(quad=np.array([[0, 0], [18, 0], [18, 18], [0, 18]], np.float32))
    assert _read(_Readings(one), _Readings(two), "horizontal", trigram=True) == ["日本"]
    assert _read(_Readings(two), _Readings(one), "horizontal", trigram=True) == ["日本"]
    # Parts of a character may be as sure as it is, and more of them.
    whole, parts = _line("國有林地", *[0.8] * 4), _line("國有木木地", *[0.8] * 5)
    for line in (whole, parts):
        for place in range(2, len(line)):  # No ink of the one is that of a single one of the other.
            line[place] = line[place]._replace(quad=np.array([[20, 20], [70, 20], [70, 70], [20, 70]]))
    assert _read(_Readings(whole), _Readings(parts), "horizontal", trigram=True) == ["國有林地"]
    assert _read(_Readings(parts), _Readings(whole), "horizontal", trigram=True) == ["國有林地"]


def test_a_row_that_one_style_does_not_read_is_left_to_the_other() -> None:
    for trigram in (False, True):
        assert _read(_Readings([]), _Readings(_line("一", 0.3)), "horizontal", trigram=trigram) == ["一"]
        assert _read(_Readings(_line("一", 0.3)), _Readings([]), "horizontal", trigram=trigram) == ["一"]
        assert _read(_Readings([]), _Readings([]), "horizontal", trigram=trigram) == [""]


def test_no_line_is_no_problem() -> None:
    assert _read(_Readings(), _Readings()) == []


@pytest.mark.parametrize("trigram", [False, True])
def test_what_fits_together_is_sure(trigram: bool) -> None:
    whole, single = (
        _Readings(_line("中華民國", 0.97, 0.97, 0.97, 0.97)),
        _Readings(_line("申華民國", 1, 1, 1, 1)),
    )
    assert _read(whole, single, "horizontal", trigram=trigram) == ["中華民國" if trigram else "申華民國"]


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
