"""Which lines were never written."""

import dataclasses

import pytest

from serving import legible
from serving.page import Character, Line, Page

BOX = ((0.0, 0.0),) * 4


def page(*texts: str, score: float = 0.5, layout: str = "lines") -> Page:
    lines = tuple(Line(BOX, text, score, tuple(Character(BOX, one, score) for one in text)) for text in texts)
    return Page("", 200, 200, layout, "horizontal", lines)


@pytest.mark.parametrize("text", ["0" * 40, "3" + "0" * 30, "。" * 9 + "，", "：：：：：：：：：", "o" * 8])
def test_a_row_of_holes_is_no_line(text: str) -> None:
    assert legible.only(page(text, "王大明", score=0.9)) == page("王大明", score=0.9)
    assert legible.only(page(text, score=0.9)).lines == ()


@pytest.mark.parametrize("text", ["100000000人", "0912345678", "第一章………………………三", "哈" * 12, "一" * 9])
def test_numbers_leaders_and_laughter_stay(text: str) -> None:
    assert legible.only(page(text)) == page(text)


@pytest.mark.parametrize("layout", ["grid", "lines"])
def test_doubtful_marks_alone_are_grain(layout: str) -> None:
    assert legible.only(page("。，，o。。", ".!", layout=layout)).lines == ()
    for stays in (page("。，！", score=0.9), page("。，", "好。"), page("100"), page("000", score=0.9)):
        stays = dataclasses.replace(stays, layout=layout)
        assert legible.only(stays) == stays


def test_a_single_mark_and_a_blank_page_stay() -> None:
    for stays in (page("。", score=0.3, layout="char"), page(layout="grid")):
        assert legible.only(stays) == stays
