import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo import geometry

SQUARE = np.array([[10, 20], [50, 20], [50, 60], [10, 60]], np.float32)


def test_an_upright_square_is_cut_as_it_stands() -> None:
    image = np.random.default_rng(0).integers(0, 256, (80, 90), dtype=np.uint8)
    quad = np.array(
        [[[19.5, 9.5], [51.5, 9.5], [51.5, 41.5], [19.5, 41.5]]]
    )  # pixels 20 ... 51 and 10 ... 41
    np.testing.assert_array_equal(geometry.rectify(image, quad, 32)[0], image[10:42, 20:52])


def test_a_margin_shows_the_surroundings() -> None:
    image = np.full((100, 100), 255, np.uint8)
    image[30:70, 30:70] = 0
    crop = geometry.rectify(image, np.array([[[30, 30], [70, 30], [70, 70], [30, 70]]]), 64, margin=0.1)[0]
    dark = np.flatnonzero(crop[32] < 128)
    assert abs(len(dark) - 64 / 1.2) <= 1


def test_colour_and_places_outside_the_image_are_kept() -> None:
    image = np.full((20, 20, 3), (10, 20, 30), np.uint8)
    crops = geometry.rectify(image, np.stack([SQUARE - 40, SQUARE]), 16)
    assert crops.shape == (2, 16, 16, 3)
    assert geometry.rectify(image[..., 0], np.empty((0, 4, 2)), 16).shape == (0, 16, 16)


def test_turned_corners_turn_the_crop() -> None:
    image = np.random.default_rng(1).integers(0, 256, (64, 64), dtype=np.uint8)
    quad = np.array([[15.5, 15.5], [47.5, 15.5], [47.5, 47.5], [15.5, 47.5]])
    upright, turned = geometry.rectify(image, np.stack([quad, np.roll(quad, -1, axis=0)]), 32)
    # One grey level: the resampling rounds.
    np.testing.assert_allclose(np.rot90(upright).astype(int), turned.astype(int), atol=1)


corner = st.floats(-8, 8)


@given(st.lists(corner, min_size=8, max_size=8), st.integers(0, 3), st.booleans())
def test_corners_are_ordered_from_any_start(jitter: list[float], start: int, mirrored: bool) -> None:
    quad = SQUARE + np.reshape(jitter, (4, 2)).astype(np.float32)
    shuffled = np.roll(quad[::-1] if mirrored else quad, start, axis=0)
    np.testing.assert_array_equal(geometry.order_corners(shuffled), quad)


def test_corners_of_no_quadrilateral_are_refused() -> None:
    with pytest.raises(ValueError, match="four corners of a convex quadrilateral"):
        geometry.order_corners(np.array([[0, 0], [10, 0], [5, 1], [5, 9]]))


@given(st.lists(corner, min_size=8, max_size=8), st.lists(corner, min_size=8, max_size=8))
def test_the_overlap_is_symmetric_and_a_share(first: list[float], second: list[float]) -> None:
    a = SQUARE + np.reshape(first, (4, 2)).astype(np.float32)
    b = SQUARE + np.reshape(second, (4, 2)).astype(np.float32)
    assert geometry.iou(a, b) == pytest.approx(geometry.iou(b, a), abs=1e-4)  # float32 polygons
    assert 0 <= geometry.iou(a, b) <= 1 + 1e-5
    assert geometry.iou(a, a) == pytest.approx(1, abs=1e-4)


def test_known_overlaps() -> None:
    assert geometry.iou(SQUARE, SQUARE + np.float32([20, 0])) == pytest.approx(1 / 3)
    assert geometry.iou(SQUARE, SQUARE + 100) == 0


@pytest.mark.parametrize("vertical", [False, True])
def test_a_turned_line_is_laid_upright_with_its_margin(vertical: bool) -> None:
    drawn = np.full((200, 200, 3), 255, np.uint8)
    line = np.array([[60, 80], [140, 80], [140, 100], [60, 100]], np.float32)
    if vertical:
        line = np.array([[80, 60], [100, 60], [100, 140], [80, 140]], np.float32)
    turn = cv2.getRotationMatrix2D((100, 100), -15, 1.0)  # Clockwise on the page.
    quad = cv2.transform(line[None], turn)[0]
    cv2.fillConvexPoly(drawn, np.rint(quad * 16).astype(np.int32), (0, 0, 0), cv2.LINE_AA, 4)
    straight, matrix = geometry.straighten(drawn, quad, 28, vertical, margin=0.2)
    # 20 pixels across and 4 of margin on both sides are 28; 80 along are 88.
    assert straight.shape == ((88, 28, 3) if vertical else (28, 88, 3))
    assert straight[7:-7, 7:-7].max() < 60
    assert (straight[:, 1] if vertical else straight[1]).min() > 200
    moved = cv2.perspectiveTransform(quad[None], matrix)[0]
    edge = 4 - 0.5  # Whole numbers are the middles of pixels.
    np.testing.assert_allclose(moved[0], [edge, edge], atol=0.01)
    np.testing.assert_allclose(moved[2], np.array(straight.shape[1::-1]) - 1 - edge, atol=0.01)


@given(st.integers(-4, 7), st.integers(1, 9), st.integers(1, 9))
def test_points_turn_with_their_picture(quarters: int, width: int, height: int) -> None:
    image = np.arange(width * height).reshape(height, width)
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    points = geometry.turned(np.stack([x, y], -1), quarters, width, height)
    np.testing.assert_array_equal(np.rot90(image, quarters)[points[..., 1], points[..., 0]], image)


@pytest.mark.parametrize("degrees", [0, 10, -35, 90, 200])
def test_a_picture_that_turns_is_not_cut_off(degrees: float) -> None:
    there, (width, height) = geometry.leaning(120, 50, degrees)
    corners = np.array([[[0, 0], [120, 0], [120, 50], [0, 50]]], float)
    turned = cv2.transform(corners, there)[0]
    np.testing.assert_allclose(turned.min(0), 0, atol=0.51)
    np.testing.assert_allclose(turned.max(0), [width, height], atol=0.51)
    along = turned[1] - turned[0]
    # Anticlockwise for who looks at it: y grows downwards.
    assert np.degrees(np.arctan2(-along[1], along[0])) % 360 == pytest.approx(degrees % 360, abs=1e-6)
