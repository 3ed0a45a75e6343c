"""Pseudo characters of lines whose text is known, with a stand-in for the network."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training import regions, weak
from zoo import geometry

# A line of 64 pixels across has characters of 32 places. Their edges are found to a quarter of a place, in
# a map that was warped twice: where each is off by half a place, 31 * 31 of 32 * 32 places are left.
LEAST_IOU = 31 * 31 / (32 * 32)


def written(length: int, side: float, angle: float, vertical: bool) -> tuple[np.ndarray, np.ndarray]:
    """The corners of a line, turned clockwise around the middle of a page of 400 pixels, and its characters."""
    starts = (np.arange(length) - length / 2) * side
    unit = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * side
    along = np.array([0, 1] if vertical else [1, 0])
    quads = unit + starts[:, None, None] * along - (1 - along) * side / 2
    cosine, sine = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
    quads = quads @ np.array([[cosine, sine], [-sine, cosine]]) + 200
    first, last = quads[0], quads[-1]
    line = [first[0], first[1], last[2], last[3]] if vertical else [first[0], last[1], last[2], first[3]]
    return np.array(line), quads


def drawn(quads: np.ndarray) -> np.ndarray:
    """A page, uint8 (400, 400, 3), whose ink is the region map of its characters."""
    ink, _ = regions.maps([2 * np.asarray(quads) + 0.5], 800, 800)
    return np.repeat(np.rint(255 * (1 - ink)).astype(np.uint8)[..., None], 3, axis=2)


def exact(image: np.ndarray) -> np.ndarray:
    """A network that finds the characters of `drawn` without fail."""
    height, width = image.shape[:2]
    ink = 1 - image[..., 0] / np.float32(255)
    return cv2.resize(ink, (width // 2, height // 2), interpolation=cv2.INTER_AREA)


def blank(image: np.ndarray) -> np.ndarray:
    return np.zeros((image.shape[0] // 2, image.shape[1] // 2), np.float32)


def finds(count: int) -> Callable[[np.ndarray], np.ndarray]:
    """A network that finds so many characters side by side, whatever it sees."""

    def region_of(image: np.ndarray) -> np.ndarray:
        height, width = image.shape[:2]
        line, quads = written(count, 1, 0, vertical=False)
        places = (quads - line[0]) / (line[2] - line[0]) * [width, height] - 0.5
        return regions.maps([places], height, width)[0]

    return region_of


lengths = st.integers(1, 8)


@given(lengths, st.floats(20, 48), st.floats(-180, 180), st.booleans())
@settings(deadline=None, max_examples=30)
def test_characters_of_an_exact_map_are_right_and_sure(
    length: int, side: float, angle: float, vertical: bool
) -> None:
    line, quads = written(length, side, angle, vertical)
    found, confidence = weak.pseudo_characters(drawn(quads), line, length, exact, vertical)
    assert confidence == 1
    assert found.shape == (length, 4, 2)
    assert found.dtype == np.float32
    # In reading order, and their corners from the top left of the text.
    assert all(
        geometry.iou(one, quad) >= LEAST_IOU and np.abs(one - quad).max() < 0.1 * side
        for one, quad in zip(found, quads, strict=True)
    )


@given(lengths, st.floats(20, 48), st.floats(-180, 180), st.booleans())
@settings(deadline=None, max_examples=30)
def test_a_blank_map_gives_equal_parts_that_are_half_sure(
    length: int, side: float, angle: float, vertical: bool
) -> None:
    line, quads = written(length, side, angle, vertical)
    image = np.full((400, 400, 3), 255, np.uint8)
    found, confidence = weak.pseudo_characters(image, line, length, blank, vertical)
    assert confidence == 0.5
    np.testing.assert_allclose(found, quads, atol=0.01)  # float32 corners, through a matrix and back


def test_equal_parts_follow_the_perspective() -> None:
    line = np.array([[50, 60], [350, 100], [340, 150], [60, 120]])
    found, _ = weak.pseudo_characters(np.zeros((400, 400, 3), np.uint8), line, 3, blank)
    np.testing.assert_allclose(found[0][[0, 3]], line[[0, 3]], atol=0.01)
    np.testing.assert_allclose(found[2][[1, 2]], line[[1, 2]], atol=0.01)
    np.testing.assert_allclose(found[:-1, [1, 2]], found[1:, [0, 3]], atol=0.01)


@pytest.mark.parametrize(
    ("length", "count", "kept", "confidence"),
    [(5, 5, 5, 1.0), (5, 4, 4, 0.8), (4, 5, 5, 0.75), (4, 2, 2, 0.5), (5, 2, 5, 0.5), (3, 5, 3, 0.5), (2, 5, 2, 0.5)],
)  # fmt: skip
def test_confidence_is_how_well_the_counts_agree(
    length: int, count: int, kept: int, confidence: float
) -> None:
    """The paper's (l - min(l, |l - l_c|)) / l, and equal parts where it is below a half."""
    line, _ = written(length, 40, 0, vertical=False)
    image = np.zeros((400, 400, 3), np.uint8)
    found, sure = weak.pseudo_characters(image, line, length, finds(count))
    assert (len(found), sure) == (kept, confidence)


@pytest.mark.parametrize("vertical", [False, True])
def test_the_network_sees_the_line_upright_at_its_size(vertical: bool) -> None:
    seen = []

    def region_of(image: np.ndarray) -> np.ndarray:
        seen.append(image)
        return exact(image)

    line, quads = written(3, 100, 30, vertical)
    weak.pseudo_characters(drawn(quads), line, 3, region_of, vertical, thickness=48)
    assert seen[0].shape == ((144, 48, 3) if vertical else (48, 144, 3))
    assert seen[0].dtype == np.uint8
    middle = seen[0][..., 0][24::48, 24::48].ravel()
    assert middle.max() < 40  # Ink, which the filter before the resampling spreads a little.


def test_a_line_may_leave_the_page() -> None:
    line = np.array([[-20, 380], [380, 380], [380, 420], [-20, 420]])
    found, _ = weak.pseudo_characters(np.zeros((400, 400, 3), np.uint8), line, 10, blank)
    np.testing.assert_allclose(found[0][0], [-20, 380], atol=0.01)


@pytest.mark.parametrize(
    ("line", "figures", "message"),
    [
        (np.ones((4, 2)), {}, "`quad` must be the corners of a quadrilateral"),
        (np.zeros((3, 2)), {}, "`quad` must be the corners of a quadrilateral"),
        (np.array([[500, 0], [600, 0], [600, 50], [500, 50]]), {}, "`quad` must lie on the image of 400 by 400"),
        (np.array([[0, 0], [90, 0], [90, 30], [0, 30]]), {"length": 0}, "Received: length=0"),
        (np.array([[0, 0], [90, 0], [90, 30], [0, 30]]), {"thickness": 0}, "thickness=0"),
    ],
)  # fmt: skip
def test_what_is_no_line_is_named(line: np.ndarray, figures: dict, message: str) -> None:
    image = np.zeros((400, 400, 3), np.uint8)
    with pytest.raises(ValueError, match=message):
        weak.pseudo_characters(image, line, **({"length": 3, "region_of": blank} | figures))
