"""The maps of shrunken lines and of thresholds, place by place against distances that OpenCV measures."""

import cv2
import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from training import shrink

SIDE = 96


def rectangle(x: float, y: float, width: float, height: float, angle: float = 0.0) -> np.ndarray:
    """The corners of a rectangle around (x, y), turned clockwise by degrees, clockwise from the top left."""
    cosine, sine = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
    corners = np.array([[-width, -height], [width, -height], [width, height], [-width, height]]) / 2
    return corners @ np.array([[cosine, sine], [-sine, cosine]]) + [x, y]


def bent(x: float, y: float, length: float, height: float, bend: float) -> np.ndarray:
    """The outline of a line from left to right whose middle is lower than its ends."""
    along = np.linspace(-1, 1, 9)
    lower = y + bend * (1 - along**2)
    middle, half = np.stack([x + along * length / 2, lower], 1), np.array([0, height / 2])
    return np.concatenate([middle - half, middle[::-1] + half])


@st.composite
def outlines(draw: st.DrawFn) -> np.ndarray:
    """Lines inside the picture or partly outside."""
    x, y, length = draw(st.floats(20, 76)), draw(st.floats(20, 76)), draw(st.floats(30, 80))
    height = draw(st.floats(0.3, 0.8)) * length
    if draw(st.booleans()):
        return bent(x, y, length, height, draw(st.floats(-12, 12)))
    return rectangle(x, y, length, height, draw(st.floats(-90, 90)))


def signed_distances(outline: np.ndarray, stride: int) -> np.ndarray:
    """Of the places of the map to the outline, in pixels, positive inside."""
    contour = outline.astype(np.float32)
    middles = np.arange(SIDE // stride) * stride + (stride - 1) / 2
    return np.array([[cv2.pointPolygonTest(contour, (x, y), True) for x in middles] for y in middles])


@given(outlines(), st.sampled_from([0.4, 0.6]), st.sampled_from([2, 4]))
@example(bent(20, 23.5, 30, 9.375, 7), 0.4, 2)  # Bent so far that it counts as thinner than 8 pixels.
@settings(deadline=None, max_examples=25)
def test_the_maps_follow_the_distance_to_the_outline(outline: np.ndarray, ratio: float, stride: int) -> None:
    maps = shrink.targets([outline], SIDE, SIDE, stride=stride, ratio=ratio, smallest=0)
    distances = signed_distances(outline, stride)
    area, length = (
        cv2.contourArea(outline.astype(np.float32)),
        cv2.arcLength(outline.astype(np.float32), True),
    )
    moved = area * (1 - ratio**2) / length
    # Of thinner ones less than a place would be left; they are ignored.
    assume(shrink._thickness(area, length) - 2 * moved >= stride)
    # Places this near to an edge may fall on either side of it: the corners are float32 for OpenCV.
    sure = np.minimum(abs(distances - moved), abs(distances + moved)) > 1e-3
    probability, counted = maps["probability"][..., 0], maps["probability"][..., 1]
    np.testing.assert_array_equal(probability[sure], (distances >= moved)[sure])
    assert (counted == 1).all()
    threshold, bordered = maps["threshold"][..., 0], maps["threshold"][..., 1]
    np.testing.assert_array_equal(bordered[sure], (distances > -moved)[sure])
    falling = 0.7 - 0.4 * np.minimum(abs(distances) / moved, 1)
    np.testing.assert_allclose(threshold, falling, atol=1e-4)  # float32
    assert maps["binary"] is maps["probability"]


def test_the_distance_is_that_of_the_paper() -> None:
    """40 x 20 pixels and r = 0.4: A (1 - r²) / L = 800 · 0.84 / 120 = 5.6."""
    maps = shrink.targets([rectangle(49.5, 49.5, 40, 20)], 100, 100, stride=1, ratio=0.4)
    rows, columns = np.nonzero(maps["probability"][..., 0])
    assert (columns.min(), columns.max()) == (36, 63)  # 29.5 + 5.6 = 35.1 pixels from the left edge.
    assert (rows.min(), rows.max()) == (46, 53)
    rows, columns = np.nonzero(maps["threshold"][..., 1])
    assert (columns.min(), columns.max()) == (24, 75)  # 29.5 - 5.6 = 23.9
    assert (rows.min(), rows.max()) == (34, 65)


@given(outlines())
@settings(deadline=None, max_examples=15)
def test_either_way_round_and_any_first_corner_give_the_same_maps(outline: np.ndarray) -> None:
    expected = shrink.targets([outline], SIDE, SIDE)
    for other in (outline[::-1], np.roll(outline, 2, axis=0), np.repeat(outline, 2, axis=0)):
        for name, one in shrink.targets([other], SIDE, SIDE).items():
            # Sums in another order move an edge by a rounding error: over one place at most.
            assert (abs(one - expected[name]) > 1e-4).sum() <= 1


def test_a_mirrored_page_has_mirrored_maps() -> None:
    """Lines become columns: what holds for horizontal text holds for vertical text."""
    lines = [rectangle(50, 25, 80, 20, 7), rectangle(45, 60, 70, 24, 7)]
    horizontal = shrink.targets(lines, 90, 100, ignored=[rectangle(50, 60, 20, 20)])
    vertical = shrink.targets([line[:, ::-1] for line in lines], 100, 90, ignored=[rectangle(60, 50, 20, 20)])
    for name, one in horizontal.items():
        np.testing.assert_allclose(one, vertical[name].transpose(1, 0, 2), atol=1e-4)  # float32


@given(st.floats(5, 12), st.floats(60, 88), st.floats(-90, 90), st.sampled_from([1, 2]))
@settings(deadline=None, max_examples=60)
def test_what_is_left_of_a_line_hangs_together(
    height: float, length: float, angle: float, stride: int
) -> None:
    maps = shrink.targets([rectangle(48, 48, length, height, angle)], SIDE, SIDE, stride=stride, smallest=0)
    text, counted = maps["probability"][..., 0], maps["probability"][..., 1]
    parts = cv2.connectedComponents(text.astype(np.uint8), connectivity=8)[0] - 1
    assert parts == (1 if counted.all() else 0)


def test_neighbours_that_touch_stay_apart() -> None:
    lines = [rectangle(50, 20 + 24 * number, 90, 24) for number in range(3)]
    text = shrink.targets(lines, 100, 100)["probability"][..., 0]
    assert cv2.connectedComponents(text.astype(np.uint8))[0] - 1 == 3
    overlapping = shrink.targets(lines, 100, 100)["threshold"]
    assert overlapping[..., 0].max() <= np.float32(0.7)


def test_the_highest_threshold_of_neighbours_counts() -> None:
    first, second = rectangle(50, 30, 80, 24), rectangle(50, 50, 80, 24)
    both = shrink.targets([first, second], 80, 100)["threshold"]
    alone = [shrink.targets([one], 80, 100)["threshold"] for one in (first, second)]
    np.testing.assert_array_equal(both, np.maximum(*alone))


def test_what_is_ignored_does_not_count() -> None:
    line = rectangle(50, 30, 80, 24)
    maps = shrink.targets([line], 80, 100, ignored=[rectangle(30, 30, 20, 20), rectangle(50, 70, 60, 10)])
    counted = maps["probability"][..., 1]
    assert counted[15, [8, 10, 15, 19, 21]].tolist() == [1, 0, 0, 0, 1]
    assert counted[35, 25] == 0
    np.testing.assert_array_equal(
        maps["probability"][..., 0], shrink.targets([line], 80, 100)["binary"][..., 0]
    )


@pytest.mark.parametrize(
    ("height", "options"),
    [(7.5, {}), (11.5, {"smallest": 12}), (12, {"ratio": 0.4, "stride": 4}), (12, {"ratio": 0.2})],
)
def test_lines_too_small_to_learn_are_ignored(height: float, options: dict) -> None:
    """Of 12 pixels r = 0.4 leaves about 2.6, less than a place of 4; r = 0.2 leaves about 1."""
    maps = shrink.targets([rectangle(48, 48, 80, height)], SIDE, SIDE, **options)
    assert not maps["probability"][..., 0].any()
    assert not maps["threshold"][..., 1].any()
    ignored = shrink.targets([], SIDE, SIDE, ignored=[rectangle(48, 48, 80, height)], **options)
    np.testing.assert_array_equal(maps["probability"], ignored["probability"])
    assert not maps["probability"][..., 1].all()


def test_a_bend_does_not_make_a_line_thick() -> None:
    """Its thickness counts, not the height of the box around it."""
    outline = bent(48, 40, 80, 7, 20)
    assert not shrink.targets([outline], SIDE, SIDE)["probability"][..., 0].any()


def test_what_lies_outside_the_picture_is_cut_off() -> None:
    whole = shrink.targets([rectangle(60, 60, 70, 30, 5)], 120, 120)
    part = shrink.targets([rectangle(10, 10, 70, 30, 5), rectangle(500, 20, 70, 30)], 70, 70)
    for name, one in part.items():
        np.testing.assert_allclose(one, whole[name][25:60, 25:60], atol=1e-5)  # float32


def test_pages_may_be_empty_or_odd() -> None:
    maps = shrink.targets([], 31, 41)
    assert list(maps) == ["probability", "threshold", "binary"]
    assert {(one.shape, one.dtype.name) for one in maps.values()} == {((15, 20, 2), "float32")}
    assert not maps["probability"][..., 0].any()
    assert maps["probability"][..., 1].all()
    assert not maps["threshold"][..., 1].any()


@pytest.mark.parametrize(
    ("outline", "message"),
    [
        (np.zeros((4, 3)), "three corners"),
        (np.array([[0, 0], [9, 9], [9, 9], [0, 0]]), r"three corners \(x, y\) or more. Received: .*9.0"),
        (np.array([[0, 0], [9, np.nan], [9, 0]]), "Received: .*nan"),
    ],
)
def test_what_is_no_outline_is_refused(outline: np.ndarray, message: str) -> None:
    for lines, ignored in (([outline], []), ([], [outline])):
        with pytest.raises(ValueError, match=message):
            shrink.targets(lines, 32, 32, ignored=ignored)


@pytest.mark.parametrize("ratio", [0.0, 1.0])
def test_a_ratio_that_shrinks_nothing_is_refused(ratio: float) -> None:
    with pytest.raises(ValueError, match=f"`ratio` must be between 0 and 1. Received: ratio={ratio}"):
        shrink.targets([], 32, 32, ratio=ratio)
