"""Characters and lines: their maps, and what is found in exact maps."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training import regions as targets
from zoo import geometry, regions

# A place of the map is two pixels, and an edge is found to a quarter of a place. Where all four edges of
# the smallest box drawn here, 16 pixels, are as far inwards as that, 15 * 15 of 16 * 16 pixels are left.
LEAST_IOU = 15 * 15 / (16 * 16)

UNIT = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)


def box(x: float, y: float, width: float, height: float | None = None) -> np.ndarray:
    """The corners of an upright box, or of a square."""
    return UNIT * [width, width if height is None else height] + [x, y]


def turned(quads: np.ndarray, angle: float, middle: tuple[float, float]) -> np.ndarray:
    """Quadrilaterals turned clockwise by degrees."""
    cosine, sine = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
    return (np.asarray(quads) - middle) @ np.array([[cosine, sine], [-sine, cosine]]) + middle


def best_ious(found: np.ndarray, true: np.ndarray) -> list[float]:
    """Of each true box, the overlap with the found box that fits best."""
    return [max((geometry.iou(one, quad) for one in found), default=0.0) for quad in true]


def as_columns(quads: np.ndarray) -> np.ndarray:
    """Quadrilaterals of a page whose rows become columns; corners still start at the top left."""
    return np.asarray(quads)[..., [0, 3, 2, 1], ::-1]


@st.composite
def scattered(draw: st.DrawFn, sides: int = 3, cell: int = 44) -> list[np.ndarray]:
    """Boxes of 16 pixels and more that may touch, and do not overlap: one in each cell of a square."""
    share, side = st.floats(0, 1), st.floats(16, cell)
    boxes = []
    for number in range(sides * sides):
        width, height, across, down = draw(side), draw(side), draw(share), draw(share)
        x, y = number % sides * cell, number // sides * cell
        boxes.append(box(x + across * (cell - width), y + down * (cell - height), width, height))
    return boxes


# ------------------------------------------------------------------------------------ the maps to learn


def test_a_character_is_a_gaussian_of_its_size() -> None:
    region, affinity = targets.maps([[box(20.5, 10.5, 40, 24)]], 60, 90)
    rows, columns = np.mgrid[:30, :45] * 2 + 0.5  # The middles of the places, in pixels.
    across, down = (columns - 40.5) / (0.3 * 40), (rows - 22.5) / (0.3 * 24)
    far = np.maximum(abs(columns - 40.5) / 40, abs(rows - 22.5) / 24)  # In sides.
    # The Gaussian is sampled at 64 places, and warping rounds to 1/32 of one.
    np.testing.assert_allclose(region[far < 0.7], np.exp(-(across**2 + down**2) / 2)[far < 0.7], atol=0.01)
    assert region[far > 0.7].max() < 0.06  # It ends at 0.75 sides, where its height is 0.04.
    assert not region[far > 0.8].any()
    assert not affinity.any()


def test_the_gaussian_follows_the_perspective() -> None:
    quad = np.array([[20, 20], [80, 30], [90, 100], [30, 80]])
    region, _ = targets.maps([[quad]], 120, 120)
    row, column = np.unravel_index(region.argmax(), region.shape)
    # Where the diagonals cross: on both lines from corner to corner.
    for start, end in ((quad[0], quad[2]), (quad[1], quad[3])):
        way = (end - start) / np.linalg.norm(end - start)
        place = np.array([column, row]) * 2 + 0.5 - start
        assert abs(way[0] * place[1] - way[1] * place[0]) < 2  # One place.
    assert region.max() > 0.98


def test_affinity_lies_between_the_triangles_of_neighbours() -> None:
    """The box from middle to middle, between the upper and the lower triangles: two thirds of the height."""
    _, affinity = targets.maps([[box(10.5, 20.5, 30), box(50.5, 20.5, 30)]], 80, 100)
    between, _ = targets.maps([[box(25.5, 25.5, 40, 20)]], 80, 100)
    np.testing.assert_allclose(affinity, between, atol=1e-3)  # float32 corners


@given(scattered())
@settings(deadline=None, max_examples=25)
def test_a_mirrored_page_has_mirrored_maps(boxes: list[np.ndarray]) -> None:
    """Lines become columns: what holds for horizontal text holds for vertical text."""
    rows = [boxes[number : number + 3] for number in (0, 3, 6)]
    columns = [as_columns(row) for row in rows]
    for horizontal, vertical in zip(
        targets.maps(rows, 132, 150), targets.maps(columns, 150, 132), strict=True
    ):
        np.testing.assert_allclose(horizontal, vertical.T, atol=0.01)  # Warping rounds to 1/32 of a place.


@pytest.mark.parametrize("vertical", [False, True])
def test_no_affinity_joins_two_lines(vertical: bool) -> None:
    lines = [[box(10 + 30 * x, 10 + 60 * y, 24) for x in range(3)] for y in range(2)]
    _, affinity = targets.maps(as_columns(lines) if vertical else lines, 120, 120)
    assert affinity.max() > 0.98
    assert not (affinity[:, 20:32] if vertical else affinity[20:32]).any()  # Halfway between the lines.


def test_what_lies_outside_the_picture_is_cut_off() -> None:
    whole, _ = targets.maps([[box(40, 40, 30)]], 120, 120)
    part, _ = targets.maps([[box(-10, -10, 30)], [box(500, 40, 30)]], 70, 70)
    np.testing.assert_allclose(part, whole[25:60, 25:60], atol=1e-6)


def test_pages_may_be_empty_or_odd() -> None:
    for lines in ([], [[]]):
        region, affinity = targets.maps(lines, 31, 41)
        assert region.shape == affinity.shape == (15, 20)
        assert not region.any()
    assert region.dtype == affinity.dtype == np.float32


@pytest.mark.parametrize(
    ("quad", "message"),
    [
        (np.array([[0, 0], [9, 9], [9, 0], [0, 9]]), "convex quadrilaterals. Received: .*9.0"),
        (np.zeros((4, 2)), "convex quadrilaterals"),
        (np.zeros((5, 2)), r"of shape \(4, 2\). Received: \(5, 2\)"),
    ],
)
def test_what_is_no_character_is_refused(quad: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        targets.maps([[box(0, 0, 9)], [quad]], 32, 32)


def test_small_marks_are_filled_out_around_their_middle() -> None:
    flat, dot = box(30, 22, 20, 2), box(60, 30, 4)
    line = np.array([box(0, 10, 24), flat, dot, box(80, 10, 24), box(110, 10, 24)])
    filled = targets.filled_out(line)
    np.testing.assert_allclose(filled[[0, 3, 4]], line[[0, 3, 4]])
    np.testing.assert_allclose(filled[1], box(30, 23 - 8.4, 20, 16.8), atol=1e-4)  # 0.7 of 24, in float32.
    np.testing.assert_allclose(filled[2], box(62 - 8.4, 32 - 8.4, 16.8), atol=1e-4)
    np.testing.assert_allclose(
        targets.filled_out(turned(line, 30, (0, 0))), turned(filled, 30, (0, 0)), atol=1e-3
    )


@pytest.mark.parametrize("vertical", [False, True])
def test_a_filled_out_mark_does_not_break_its_line(vertical: bool) -> None:
    line = np.array(
        [box(10, 20, 24), box(36, 36, 5), box(100, 20, 24), box(126, 20, 24)]
    )  # A comma, a space.
    line = as_columns(line) if vertical else line
    assert len(regions.lines(*targets.maps([line], 160, 160))[0]) > 1
    region, affinity = targets.maps([targets.filled_out(line)], 160, 160)
    assert len(regions.lines(region, affinity)[0]) == 1
    assert len(regions.characters(region)[0]) == 4


def test_confidence_is_that_of_the_least_sure_line() -> None:
    lines = np.array([box(9.5, 9.5, 40, 20), box(29.5, 9.5, 40, 20)])
    confidence = targets.confidence_map(lines, [0.5, 0.75], 40, 80)
    assert confidence.shape == (20, 40)
    assert confidence[10, [2, 10, 20, 30, 37]].tolist() == [1, 0.5, 0.5, 0.75, 1]
    assert (targets.confidence_map(np.empty((0, 4, 2)), [], 40, 80) == 1).all()


# ----------------------------------------------------------------------------------- characters found


@given(scattered())
@settings(deadline=None, max_examples=50)
def test_characters_are_found_in_their_maps(boxes: list[np.ndarray]) -> None:
    # Outside its box a Gaussian is below a quarter, so neighbours do not reach what is measured.
    region, _ = targets.maps([boxes], 132, 132)
    found, scores = regions.characters(region)
    assert len(found) == len(boxes)
    assert min(best_ious(found, boxes)) >= LEAST_IOU
    assert found.dtype == scores.dtype == np.float32
    assert scores.min() > 0.9


@given(scattered(), st.floats(-45, 45))
@settings(deadline=None, max_examples=50)
def test_turned_characters_are_found_with_the_angle_of_their_line(
    boxes: list[np.ndarray], angle: float
) -> None:
    quads = turned(np.array(boxes) + 34, angle, (100, 100))
    found, _ = regions.characters(targets.maps([quads], 200, 200)[0], angle=angle)
    assert len(found) == len(boxes)
    assert min(best_ious(found, quads)) >= LEAST_IOU


def test_a_turned_square_keeps_its_size() -> None:
    quads = turned([box(40, 40, 30)], 30, (55, 55))
    found, _ = regions.characters(targets.maps([quads], 110, 110)[0])
    np.testing.assert_allclose(found[0], box(40, 40, 30), atol=0.5)


def test_corners_run_clockwise_from_the_top_left() -> None:
    found, _ = regions.characters(targets.maps([[box(20, 30, 30, 40)]], 100, 100)[0])
    np.testing.assert_allclose(found[0], box(20, 30, 30, 40), atol=0.5)  # A quarter of a place.


def test_overlapping_characters_stay_apart() -> None:
    """At 0.6 sides from each other the map sinks to exp(-1/2) = 0.61 between them, above what is measured."""
    quads = [box(20, 20, 40), box(44, 20, 40), box(20, 80, 40), box(20, 104, 40)]
    found, _ = regions.characters(targets.maps([quads], 160, 120)[0])
    assert len(found) == 4
    middles = np.array(quads).mean(1)
    nearest = np.abs(found.mean(1)[:, None] - middles).max(-1).min(0)
    assert nearest.max() < 4  # Each loses the slope that the other hides: a tenth of the side.


def test_noise_makes_no_characters() -> None:
    quads = [box(20 + 40 * x, 20 + 40 * y, 34) for x in range(4) for y in range(4)]
    region, _ = targets.maps([quads], 200, 200)
    noise = np.random.default_rng(0).uniform(-0.045, 0.045, region.shape)
    found, _ = regions.characters((0.85 * region + noise).astype(np.float32))  # Twice 0.045 is below `depth`.
    assert len(found) == len(quads)
    assert min(best_ious(found, quads)) > 0.8  # 34 pixels, and an edge moves by a pixel: (32 / 34)² = 0.89.


def test_the_height_of_a_peak_does_not_change_its_box() -> None:
    region, _ = targets.maps([[box(20, 30, 30, 40)]], 100, 100)
    full, _ = regions.characters(region)
    weak, scores = regions.characters(region * np.float32(0.65))
    np.testing.assert_allclose(weak, full, atol=0.1)
    assert scores == pytest.approx([0.65], abs=0.01)
    assert len(regions.characters(region * np.float32(0.55))[0]) == 0


def test_blank_maps_hold_nothing() -> None:
    blank = np.zeros((40, 50), np.float32)
    for quads, scores in (regions.characters(blank), regions.lines(blank, blank + 1)):
        assert quads.shape == (0, 4, 2)
        assert scores.shape == (0,)


def test_a_map_that_is_high_all_over_is_one_character() -> None:
    found, scores = regions.characters(np.full((20, 30), 1.2, np.float32))
    assert len(found) == 1
    assert scores.tolist() == [1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.zeros((4, 4, 1)),), r"`region` must be a map \(h, w\). Received: shape \(4, 4, 1\)"),
        ((np.zeros((4, 4)), 1.0), "`threshold` must be between 0 and 1. Received: threshold=1.0"),
        ((np.zeros((4, 4)), 0.6, 0.0), "`depth` must be between 0 and 1. Received: depth=0.0"),
    ],
)
def test_heights_out_of_range_are_named(arguments: tuple, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        regions.characters(*arguments)


# ----------------------------------------------------------------------------------------- lines found


def page(vertical: bool, gap: float = 1.2, side: float = 28) -> tuple[np.ndarray, np.ndarray]:
    """Three lines of five characters around (150, 150), and the boxes of the lines."""
    lines = np.array(
        [
            [box(150 + (x - 2.5) * gap * side, 150 + (1.8 * y - 2.3) * side, side) for x in range(5)]
            for y in range(3)
        ]
    )
    boxes = np.stack([lines[:, 0, 0], lines[:, -1, 1], lines[:, -1, 2], lines[:, 0, 3]], 1)
    return (as_columns(lines), as_columns(boxes)) if vertical else (lines, boxes)


@given(st.booleans(), st.floats(-40, 40), st.floats(1, 1.6))
@settings(deadline=None, max_examples=40)
def test_lines_survive_a_rotation(vertical: bool, angle: float, gap: float) -> None:
    lines, boxes = page(vertical, gap)
    lines, boxes = (turned(quads, angle, (150, 150)) for quads in (lines, boxes))
    found, scores = regions.lines(*targets.maps(lines, 300, 300))
    assert len(found) == 3
    # Edges lie on places, of two pixels: a line 28 pixels thick may lose one at each edge, which leaves
    # (26 / 28) * (138 / 140) = 0.915 of the shortest, and the edges turn a little.
    assert min(best_ious(found, boxes)) >= 0.9
    assert scores.min() > 0.9


def test_without_affinity_each_character_stands_alone() -> None:
    lines, _ = page(vertical=False)
    region, affinity = targets.maps(lines, 300, 300)
    found, _ = regions.lines(region, np.zeros_like(affinity))
    assert len(found) == 15
    assert min(best_ious(found, np.concatenate(lines))) > 0.85  # One pixel at each edge: (26 / 28)².


def test_boxes_of_lines_grow_with_the_text() -> None:
    sizes = []
    for grow in (1, 3):
        line = [box(grow * (10 + 30 * x), grow * 20, grow * 24) for x in range(4)]
        found, _ = regions.lines(*targets.maps([line], grow * 70, grow * 150))
        sizes.append(np.ptp(found[0], axis=0) / grow)
    np.testing.assert_allclose(sizes[0], sizes[1], atol=2)  # A place of the smaller map.


def test_noise_and_faint_text_are_no_lines() -> None:
    region, affinity = targets.maps([[box(20, 20, 30), box(54, 20, 30)]], 80, 100)
    assert len(regions.lines(region * np.float32(0.55), affinity)[0]) == 0
    specks = np.zeros_like(region)
    specks[5:8, 5:8] = 1
    assert len(regions.lines(specks, np.zeros_like(specks))[0]) == 0


@pytest.mark.parametrize("scale", [2.0, 5.0])
def test_boxes_are_those_of_a_picture_of_any_scale(scale: float) -> None:
    """A picture enlarged from two pixels a place to more has the same boxes, enlarged."""
    maps = targets.maps([[box(20, 20, 30), box(54, 20, 30)]], 80, 100)
    for find in (
        lambda **kinds: regions.lines(*maps, **kinds),
        lambda **kinds: regions.characters(maps[0], **kinds),
    ):
        (shown, _), (enlarged, _) = find(), find(scale=scale)
        np.testing.assert_allclose((shown + 0.5) * scale / 2 - 0.5, enlarged, atol=1e-3)  # float32


def test_maps_that_differ_in_shape_are_refused() -> None:
    with pytest.raises(ValueError, match=r"shape of `region`, \(4, 4\). Received: \(4, 5\)"):
        regions.lines(np.zeros((4, 4)), np.zeros((4, 5)))
