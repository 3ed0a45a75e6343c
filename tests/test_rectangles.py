import cv2
import numpy as np

from zoo import rectangles


def _page(colour: int) -> np.ndarray:
    """A sheet of 3 x 4 separate boxes of 120 pixels."""
    page = np.full((700, 800), 255, np.uint8)
    for row in range(3):
        for column in range(4):
            left, top = 60 + 170 * column, 60 + 200 * row
            cv2.rectangle(page, (left, top), (left + 120, top + 120), colour, 3)
    return page


def _number_of_places(boxes: np.ndarray) -> int:
    return len({tuple(np.round(box.mean(0) / 20).astype(int)) for box in boxes})


def test_the_note_finds_large_black_boxes() -> None:
    assert _number_of_places(rectangles.find(_page(0))) == 12
    assert _number_of_places(rectangles.find(cv2.cvtColor(_page(0), cv2.COLOR_GRAY2RGB))) == 12


def test_the_note_misses_lines_lighter_than_its_threshold() -> None:
    assert len(rectangles.find(_page(120))) == 0
    assert _number_of_places(rectangles.find(_page(120), threshold=None, epsilon=0.1)) == 12


def test_the_aspect_is_that_of_the_note() -> None:
    page = np.full((400, 600), 255, np.uint8)
    cv2.rectangle(page, (50, 50), (250, 170), 0, 3)
    assert len(rectangles.find(page)) == 0
    assert len(rectangles.find(page, aspect=(1.5, 1.8))) > 0


def test_boxes_come_back_in_pixels_of_the_given_page() -> None:
    boxes = rectangles.find(_page(0), epsilon=0.1, enlarge_to=1600)
    assert boxes.dtype == np.float32
    assert np.abs(boxes[:, 0] - [60, 60]).sum(1).min() <= 6  # a line is 3 pixels wide on each side


def test_blank_paper_has_no_boxes() -> None:
    assert rectangles.find(np.full((300, 400), 255, np.uint8)).shape == (0, 4, 2)
