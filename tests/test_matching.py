"""Found boxes against true ones."""

import numpy as np
import pytest

from training import matching
from training.matching import Counts


def square(left: float, top: float, side: float = 10.0) -> np.ndarray:
    return np.array([left, top]) + np.array([[0, 0], [side, 0], [side, side], [0, side]], np.float32)


def test_each_box_matches_once_and_the_best_one_first() -> None:
    found = np.stack([square(0, 0), square(1, 0), square(30, 30), square(60, 0)])
    true = [square(1, 0), square(30, 32), square(90, 90)]
    counts = matching.count(found, true)
    assert counts == Counts(matched=2, found=4, true=3)
    assert counts.precision == pytest.approx(2 / 4)
    assert counts.recall == pytest.approx(2 / 3)
    assert counts.h_mean == pytest.approx(4 / 7)


def test_too_little_overlap_is_no_match() -> None:
    # A shift by 4 of 10 leaves 60 of 140: below a half.
    assert matching.count(square(0, 0)[None], [square(4, 0)]).matched == 0
    assert matching.count(square(0, 0)[None], [square(3, 0)]).matched == 1


def test_what_is_found_in_an_ignored_place_does_not_count_unless_it_is_right() -> None:
    found = np.stack([square(0, 0), square(50, 50)])
    assert matching.count(found, [square(0, 0)], [square(0, 0, 80)]) == Counts(1, 1, 1)


def test_an_empty_page_without_finds_is_perfect_and_one_with_finds_is_not() -> None:
    nothing = np.empty((0, 4, 2), np.float32)
    assert matching.count(nothing, []).h_mean == 1
    assert matching.count(square(0, 0)[None], []).h_mean == 0
    assert matching.count(nothing, [square(0, 0)]).h_mean == 0


def test_counts_of_pages_add_up() -> None:
    assert Counts(1, 2, 3) + Counts(4, 5, 6) == Counts(5, 7, 9)
