"""Spaces between Latin words."""

import numpy as np
import pytest

from serving import words
from serving.page import Character


def _characters(text: str, gaps: dict[int, float], angle: float = 0.0) -> list[Character]:
    """Characters 20 wide and 30 high, 4 apart but where `gaps` says, turned by an angle."""
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    left, characters = 0.0, []
    for place, one in enumerate(text):
        left += gaps.get(place, 4.0)
        corners = np.array([[left, 0], [left + 20, 0], [left + 20, 30], [left, 30]]) @ turn
        characters.append(Character(tuple(map(tuple, corners.tolist())), one, 1.0))
        left += 20
    return characters


@pytest.mark.parametrize("angle", [0.0, 0.3])
@pytest.mark.parametrize(
    ("text", "gaps", "expected"),
    [
        ("atlast", {2: 20.0}, "at last"),
        ("Oh,no", {3: 15.0}, "Oh, no"),
        ("atlast", {2: 8.0}, "atlast"),  # Writing is uneven.
        ("我是Ann", {2: 20.0}, "我是Ann"),
        ("12月3日", {1: 20.0, 3: 20.0}, "12月3日"),
        ("ab", {}, "ab"),
        ("a", {}, "a"),
    ],
)
def test_wide_gaps_part_latin_words(text: str, gaps: dict[int, float], expected: str, angle: float) -> None:
    assert words.text_of(_characters(text, gaps, angle), "horizontal") == expected


def test_letters_that_are_all_far_apart_are_one_word() -> None:
    assert words.text_of(_characters("spaced", dict.fromkeys(range(1, 6), 20.0)), "horizontal") == "spaced"


def test_a_column_has_no_spaces() -> None:
    assert words.text_of(_characters("atlast", {2: 40.0}), "vertical") == "atlast"
