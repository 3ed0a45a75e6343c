"""Lines of pages of all sizes and scales, with a stand-in for the network."""

import itertools
import threading
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving import finder
from serving.finder import LineFinder
from training import shrink
from zoo import geometry

SIZE = 320


class Network:
    """Sees lines as solid bars of ink, from 10 pixels of thickness on, as `training.shrink` draws them."""

    def __init__(self, least: float = 10.0, most: float = SIZE) -> None:
        self.calls = 0
        self._least = least
        self._most = most

    def run(self, inputs: dict[str, np.ndarray]) -> dict[str, Any]:
        self.calls += 1
        (image,) = inputs["image"]
        assert image.shape == (SIZE, SIZE, 3)
        contours, _ = cv2.findContours(
            (image[..., 0] < 128).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE
        )
        bars = [cv2.boxPoints(cv2.minAreaRect(contour)) for contour in contours if len(contour) > 2]
        thick = [
            bar
            for bar in bars
            if self._least <= np.linalg.norm(bar[[1, 3]] - bar[0], axis=1).min() <= self._most
        ]
        return {"probability": shrink.targets(thick, SIZE, SIZE)["probability"][None, ..., :1]}


def page(height: int, width: int, bars: list[tuple[int, int, int, int]]) -> tuple[np.ndarray, np.ndarray]:
    """A white page with bars, left, top, width and height, and their corners."""
    image = np.full((height, width), 255, np.uint8)
    for left, top, across, down in bars:
        image[top : top + down, left : left + across] = 0
    corners = [
        [[left, top], [left + across, top], [left + across, top + down], [left, top + down]]
        for left, top, across, down in bars
    ]
    return image, np.array(corners, np.float32) - 0.5


def matches(found: np.ndarray, true: np.ndarray) -> int:
    return sum(max((geometry.iou(box, quad) for box in found), default=0) > 0.7 for quad in true)


def test_a_page_of_good_size_is_seen_once() -> None:
    image, true = page(300, 260, [(20, 30, 200, 30), (20, 90, 150, 30)])
    network = Network()
    found, scores = LineFinder(network, (SIZE, SIZE))(image)
    assert network.calls == 1
    assert matches(found, true) == len(found) == 2
    assert (scores > 0.9).all()


def test_what_nobody_waits_for_any_more_is_looked_for_no_further() -> None:
    image, true = page(300, 260, [(20, 30, 200, 30)])
    network, over = Network(), threading.Event()
    find = LineFinder(network, (SIZE, SIZE)).until(over)
    assert matches(find(image)[0], true) == 1
    over.set()
    with pytest.raises(finder.AbandonedError):
        find(image)
    assert network.calls == 1


def test_the_view_that_shows_clearly_more_counts() -> None:
    bars = [(20, 30, 200, 30), (20, 90, 150, 30), (20, 150, 14, 30)]
    (faint, _), (whole, true), (alike, _) = (page(300, 260, bars[:count]) for count in (1, 3, 2))
    find = LineFinder(Network(), (SIZE, SIZE))
    assert matches(finder.best(find, [faint, whole])[0], true) == 3
    assert matches(finder.best(find, [whole, faint])[0], true) == 3
    assert len(finder.best(find, [alike, whole])[0]) == 2  # A speck more is not.
    nothing = np.full_like(whole, 255)
    assert len(finder.best(find, [nothing, nothing])[0]) == 0
    assert len(finder.best(find, [nothing, faint])[0]) == 1


def test_small_writing_is_seen_again_in_tiles() -> None:
    bars = [(50, top, 1100, 36) for top in range(60, 1000, 80)]
    image, true = page(1100, 1200, bars)
    network = Network(least=6)
    found, _ = LineFinder(network, (SIZE, SIZE))(image)
    assert network.calls > 9
    assert matches(found, true) == len(found) == len(true)


@pytest.mark.parametrize(("sure", "count"), [(0.65, 6), (1.0, 1)])
def test_a_page_of_unsure_lines_is_looked_at_more_closely(sure: float, count: int) -> None:
    class Unsure(Network):
        def run(self, inputs: dict[str, np.ndarray]) -> dict[str, Any]:
            return {"probability": sure * super().run(inputs)["probability"]}

    bars = [(40, 40, 560, 70), *((40, top, 560, 44) for top in range(150, 600, 90))]
    image, true = page(640, 640, bars)
    found, _ = LineFinder(Unsure(least=28), (SIZE, SIZE))(image)  # At first it sees the thickest one alone.
    assert matches(found, true) == len(found) == count


def test_writing_too_small_to_be_seen_at_once_is_found() -> None:
    image, _ = page(60, 12_000, [(30, 15, 11_900, 30)])
    network = Network()
    found, _ = LineFinder(network, (SIZE, SIZE))(image)
    assert network.calls <= 2 * finder._MOST_TILES
    assert len(found) >= 1
    assert found[..., 0].min() < 60
    assert found[..., 0].max() > 11_800


def test_the_maps_of_a_craft_are_joined_from_tiles_too() -> None:
    class Craft(Network):
        def run(self, inputs: dict[str, np.ndarray]) -> dict[str, Any]:
            found = super().run(inputs)["probability"]
            return {"region": found, "affinity": np.zeros_like(found)}

    image, true = page(1100, 1200, [(50, top, 1100, 36) for top in range(60, 1000, 80)])
    network = Craft(least=6)
    found, scores = LineFinder(network, (SIZE, SIZE), finder.of_craft)(image)
    assert network.calls > 9
    assert len(found) == len(true)
    assert (scores > 0.9).all()
    # The middles of the lines; how far a character reaches beyond its peak, CRAFT learns.
    np.testing.assert_allclose(np.sort(found.mean(1)[:, 1]), np.sort(true.mean(1)[:, 1]), atol=3)


def test_large_writing_is_reduced() -> None:
    image, true = page(320, 320, [(20, 100, 280, 120)])
    network = Network()
    found, _ = LineFinder(network, (SIZE, SIZE))(image)
    assert network.calls == 2
    assert matches(found, true) == len(found) == 1


@pytest.mark.parametrize(("most", "calls"), [(60, 2), (30, 3)])
def test_writing_too_large_to_be_seen_is_found_from_afar(most: int, calls: int) -> None:
    image, true = page(300, 320, [(20, 100, 280, 100)])
    network = Network(most=most)
    found, _ = LineFinder(network, (SIZE, SIZE))(image)
    assert network.calls == calls
    assert matches(found, true) == len(found) == 1


@pytest.mark.parametrize("shape", [(1, 1), (4000, 3), (3, 4000), (5000, 5000)])
def test_an_empty_page_of_any_shape_has_no_lines(shape: tuple[int, int]) -> None:
    network = Network()
    found, scores = LineFinder(network, (SIZE, SIZE))(np.full(shape, 255, np.uint8))
    assert found.shape == (0, 4, 2)
    assert scores.shape == (0,)
    assert network.calls <= 2 * finder._MOST_TILES


@settings(deadline=None, max_examples=50)
@given(length=st.integers(1, 5000))
def test_tiles_cover_all_and_overlap(length: int) -> None:
    starts = finder._starts(length, SIZE)
    assert starts[0] == 0
    assert starts[-1] + SIZE >= length
    assert all(start % 32 == 0 for start in starts)
    assert all(after - before <= SIZE - finder._OVERLAP + 32 for before, after in itertools.pairwise(starts))
    assert len(starts) == len(set(starts))
