import cv2
import numpy as np
import pytest

from zoo import contours, geometry


def _page(lines: list[tuple[int, int, int]], vertical: bool = False) -> tuple[np.ndarray, list[np.ndarray]]:
    """Lines of crosses of 40 pixels, each left, top and number of crosses, and their corners."""
    image, quads = np.full((900, 900), 255, np.uint8), []
    for left, top, count in lines:
        for number in range(count):
            x, y = (left, top + 50 * number) if vertical else (left + 50 * number, top)
            cv2.line(image, (x, y + 20), (x + 40, y + 20), 40, 3)
            cv2.line(image, (x + 20, y), (x + 20, y + 40), 40, 3)
        long = 50 * count - 10
        across, down = (40, long) if vertical else (long, 40)
        right, bottom = left + across, top + down
        quads.append(np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float32))
    return image, quads


@pytest.mark.parametrize("vertical", [False, True])
def test_characters_that_are_near_each_other_are_a_line(vertical: bool) -> None:
    lines = [(80, 80, 12), (80, 240, 9), (80, 400, 12)]
    image, true = _page([(y, x, n) if vertical else (x, y, n) for x, y, n in lines], vertical)
    found = contours.lines(image)
    assert found.dtype == np.float32
    assert len(found) == 3
    assert all(max(geometry.iou(box, quad) for box in found) > 0.85 for quad in true)


def test_a_line_at_the_edge_is_as_large_as_elsewhere() -> None:
    image, (true,) = _page([(80, 80, 12)])
    (found,) = contours.lines(image[80:, 80:])
    assert geometry.iou(found, true - 80) > 0.85


def test_rules_and_specks_are_no_lines() -> None:
    image, true = _page([(80, 80, 12)])
    cv2.line(image, (20, 300), (880, 300), 120, 2)
    cv2.circle(image, (500, 600), 3, 60, -1)
    (found,) = contours.lines(cv2.cvtColor(image, cv2.COLOR_GRAY2RGB))
    assert geometry.iou(found, true[0]) > 0.85


def test_lines_that_are_closer_than_their_characters_run_together() -> None:
    """What learning is for."""
    image, _ = _page([(80, 80, 3), (80, 125, 3)])
    assert len(contours.lines(image)) == 1


@pytest.mark.parametrize("shape", [(1, 1), (3, 2000), (300, 300, 3)])
def test_an_empty_page_has_no_lines(shape: tuple[int, ...]) -> None:
    assert contours.lines(np.full(shape, 255, np.uint8)).shape == (0, 4, 2)
