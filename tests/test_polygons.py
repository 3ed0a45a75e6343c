"""Boxes of lines, from the maps that a network learns."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.test_shrink import bent, rectangle
from training import shrink
from zoo import geometry, polygons

SIDE = 480


def shown(lines: list[np.ndarray], ratio: float = 0.6, stride: int = 2, softness: float = 0.0) -> np.ndarray:
    """The probability map of lines on a square page, its edges as blurred as a network's."""
    text = shrink.targets(lines, SIDE, SIDE, stride=stride, ratio=ratio)["probability"][..., 0].copy()
    return cv2.GaussianBlur(text, (0, 0), softness) if softness else text


def tolerance(ratio: float, stride: int) -> float:
    """In pixels: an edge of the map is known to half a place, and growing back a long line multiplies how wrong
    its height is by 1 / r²; its middle is known to half a place too, and its angle moves the corners by almost
    as much."""
    return stride * (0.5 / ratio**2 + 0.9)


@st.composite
def turned_lines(draw: st.DrawFn) -> np.ndarray:
    """Lines up to thirty times as long as high, near the middle of the page.

    The shortest are 24 pixels longer than high: a few places of a coarse map show no direction otherwise. Near
    45 degrees a corner more or less decides which one is the first.
    """
    height = draw(st.floats(14, 60))
    length = draw(st.floats(max(1.6 * height, height + 24), min(30 * height, 440)))
    angle = draw(st.floats(-38, 38))
    x, y = draw(st.floats(236, 244)), draw(st.floats(236, 244))
    if draw(st.booleans()):
        length, height = height, length
    return rectangle(x, y, length, height, angle)


@given(turned_lines(), st.sampled_from([(0.4, 1), (0.6, 1), (0.6, 2), (0.8, 2)]))
@settings(deadline=None, max_examples=60)
def test_a_shrunken_line_grows_back(line: np.ndarray, sizes: tuple[float, int]) -> None:
    ratio, stride = sizes
    found, scores = polygons.boxes(shown([line], ratio, stride), ratio=ratio, scale=stride)
    assert found.shape == (1, 4, 2)
    assert scores.tolist() == [1]
    assert np.abs(found[0] - line).max() <= tolerance(ratio, stride)


@given(st.floats(1, 900), st.floats(1, 900), st.floats(0.05, 0.95))
def test_the_distance_undoes_that_of_the_paper(width: float, height: float, ratio: float) -> None:
    moved = width * height * (1 - ratio**2) / (2 * (width + height))
    area, length = (width - 2 * moved) * (height - 2 * moved), max(width, height) - 2 * moved
    assert polygons.distance(area, length, ratio) == pytest.approx(moved)


def test_the_growth_of_the_paper_is_that_of_a_square() -> None:
    """1.5 A / L, which leaves half of the height of a line that is twenty times as long."""
    assert polygons.distance(100, 10, ratio=0.4) == pytest.approx(1.5 * 100 / 40, rel=0.05)
    moved = polygons.distance(19.2 * 0.2, 19.2, ratio=0.4)
    assert 0.2 + 2 * moved == pytest.approx(1)
    of_paper = 1.5 * (19.2 * 0.2) / (2 * (19.2 + 0.2))
    assert 0.2 + 2 * of_paper < 0.5


@given(turned_lines())
@settings(deadline=None, max_examples=15)
def test_soft_edges_lie_where_the_probability_is_a_half(line: np.ndarray) -> None:
    sharp, soft = shown([line]), shown([line], softness=0.7)
    (expected,), _ = polygons.boxes(sharp, ratio=0.6)
    (found,), _ = polygons.boxes(soft, ratio=0.6)
    # Places of low probability beyond the edge may widen the box by one on each side; blurred corners are lost.
    assert np.abs(found - expected).max() <= 2.5


def page(angle: float) -> list[np.ndarray]:
    """Seven lines of different lengths around the middle of the page."""
    rows = [rectangle(240 + 10 * (n % 3), 120 + 40 * n, 300 - 30 * (n % 4), 30) for n in range(7)]
    cosine, sine = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
    return [(row - 240) @ np.array([[cosine, sine], [-sine, cosine]]) + 240 for row in rows]


def worst_overlap(found: np.ndarray, lines: list[np.ndarray]) -> float:
    """Of the lines, each with the box that fits it best."""
    return min(max(geometry.iou(box, line) for box in found) for line in lines)


@given(st.floats(-180, 180))
@settings(deadline=None, max_examples=15)
def test_boxes_survive_a_rotation(angle: float) -> None:
    lines = page(angle)
    found, _ = polygons.boxes(shown(lines), ratio=0.6)
    assert len(found) == len(lines)
    # Of 30 pixels an edge may lose or gain what an ideal map leaves open, on both sides.
    assert worst_overlap(found, lines) >= 1 - 2 * tolerance(0.6, 2) / 30


def test_a_page_on_its_side_has_the_same_boxes() -> None:
    text = shown(page(8))
    found, scores = polygons.boxes(text, ratio=0.6)
    aside, others = polygons.boxes(np.ascontiguousarray(np.rot90(text)), ratio=0.6)
    back = np.stack([SIDE - 1 - aside[..., 1], aside[..., 0]], -1)
    assert worst_overlap(back, list(found)) > 0.999  # float32
    assert sorted(scores) == sorted(others)


def test_corners_run_clockwise_from_the_top_left() -> None:
    for line in (rectangle(240, 240, 200, 40, 20), rectangle(240, 240, 40, 200, -20)):
        (found,), _ = polygons.boxes(shown([line]), ratio=0.6)
        np.testing.assert_allclose(found, line, atol=tolerance(0.6, 2))


@pytest.mark.parametrize("angle", [0, 90])
def test_a_bend_is_not_multiplied(angle: float) -> None:
    """The box of a bent line is as high as line and bend together."""
    outline = bent(0, 0, 400, 40, 12)
    if angle:
        outline = outline[:, ::-1]
    (found,), _ = polygons.boxes(shown([outline + 240]), ratio=0.6)
    left, top = found.min(0)
    right, bottom = found.max(0)
    expected = (40 + 12, 400) if angle else (400, 40 + 12)
    # The ends of a bent line are not upright, and its box is that of the middle line.
    np.testing.assert_allclose([right - left, bottom - top], expected, atol=tolerance(0.6, 2) + 2)


def test_one_character_is_upright() -> None:
    """A blurred square does not show how it is turned."""
    (found,), _ = polygons.boxes(shown([rectangle(240, 240, 44, 44, 31)], softness=3.0), ratio=0.6)
    assert np.ptp(found[[0, 3], 0]) == np.ptp(found[[0, 1], 1]) == 0


def test_blank_maps_hold_nothing() -> None:
    for level in (0.0, 0.3):
        found, scores = polygons.boxes(np.full((40, 50), level, np.float32))
        assert found.shape == (0, 4, 2)
        assert scores.shape == (0,)
        assert found.dtype == scores.dtype == np.float32


def test_a_map_that_is_high_all_over_is_one_line() -> None:
    found, scores = polygons.boxes(np.full((20, 60), 0.9, np.float32), ratio=0.6, scale=4)
    moved = polygons.distance(20 * 60, 60, 0.6) * 4
    low, right, bottom = -0.5 - moved, 239.5 + moved, 79.5 + moved
    np.testing.assert_allclose(
        found[0], [[low, low], [right, low], [right, bottom], [low, bottom]], rtol=1e-5
    )
    assert scores == pytest.approx([0.9])


def test_what_is_faint_small_or_a_speck_is_no_line() -> None:
    line = rectangle(240, 240, 200, 30)
    text = shown([line])
    assert len(polygons.boxes(text * np.float32(0.55), ratio=0.6)[0]) == 0
    assert len(polygons.boxes(text * np.float32(0.55), ratio=0.6, score_threshold=0.5)[0]) == 1
    assert len(polygons.boxes(text, ratio=0.6, smallest=40)[0]) == 0
    text[10, 10:13] = 1
    assert len(polygons.boxes(text, ratio=0.6, smallest=0)[0]) == 1


def test_the_score_is_the_mean_probability_of_the_line() -> None:
    text = shown([rectangle(240, 100, 200, 30), rectangle(240, 300, 200, 30)])
    text[:100] *= np.float32(0.7)
    assert sorted(polygons.boxes(text, ratio=0.6)[1]) == pytest.approx([0.7, 1.0])


@pytest.mark.parametrize("scale", [2.0, 5.0])
def test_boxes_are_those_of_a_picture_of_any_scale(scale: float) -> None:
    text = shown(page(5))
    expected, found = polygons.boxes(text, ratio=0.6)[0], polygons.boxes(text, ratio=0.6, scale=scale)[0]
    np.testing.assert_allclose((expected + 0.5) * scale / 2 - 0.5, found, rtol=1e-5)  # float32


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.zeros((4, 4, 1)),), r"`probability` must be a map \(h, w\). Received: shape \(4, 4, 1\)"),
        ((np.zeros((4, 4)), 1.0), "`threshold` must be between 0 and 1. Received: threshold=1.0"),
        ((np.zeros((4, 4)), 0.3, 0.0), "`score_threshold` must be between 0 and 1"),
        ((np.zeros((4, 4)), 0.3, 0.6, 1.5), "`ratio` must be between 0 and 1. Received: ratio=1.5"),
    ],
)
def test_shares_out_of_range_are_named(arguments: tuple, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        polygons.boxes(*arguments)
