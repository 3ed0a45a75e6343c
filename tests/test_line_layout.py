"""Pictures of one line, read with the bundled recogniser."""

from pathlib import Path

import numpy as np
import pytest

from serving import Reader, lines
from serving.evaluate import Errors, read_labelled
from tests import felt_tip
from zoo import manuscript


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader(threads=1, style="characters")


@pytest.mark.parametrize("vertical", [False, True])
def test_a_line_is_read_with_the_places_of_its_characters(reader: Reader, vertical: bool) -> None:
    page = reader.read(felt_tip.line("十口三二", vertical), layout="line")
    assert (page.layout, page.text) == ("line", "十口三二")
    assert page.direction == ("vertical" if vertical else "horizontal")
    (line,) = page.lines
    boxes = np.array([character.box for character in line.characters])
    along, across = (1, 0) if vertical else (0, 1)
    # The ink of each is somewhere in its square.
    starts, ends = boxes[..., along].min(1), boxes[..., along].max(1)
    np.testing.assert_array_less(20 + felt_tip.STEP * np.arange(4), starts + 4)
    np.testing.assert_array_less(ends, 80 + felt_tip.STEP * np.arange(4) + 4)
    assert boxes[..., across].min() > 15
    assert boxes[..., across].max() < 85
    first = line.characters[0]
    assert first.alternatives[0] == ("十", first.score)
    whole = np.array(line.box)
    assert (whole.min(0) <= boxes.min((0, 1)) + 1).all()
    assert (whole.max(0) >= boxes.max((0, 1)) - 1).all()


def test_a_blank_picture_has_no_line(reader: Reader) -> None:
    page = reader.read(np.full((60, 400, 3), 250, np.uint8), layout="line")
    assert (page.layout, page.direction, page.lines) == ("line", "horizontal", ())


@pytest.mark.parametrize("shape", [(1, 1), (1, 90), (90, 1), (3, 300)])
def test_tiny_and_thin_pictures_are_read_without_an_error(reader: Reader, shape: tuple[int, int]) -> None:
    for value in (0, 255):
        reader.read(np.full(shape, value, np.uint8), layout="line")


def test_a_very_wide_strip_is_read(reader: Reader) -> None:
    strip = np.full((100, 12_000, 3), 240, np.uint8)
    for start in range(0, 11_000, 2000):
        strip[:, start : start + 316] = felt_tip.line("十口三二")
    assert reader.read(strip, layout="line").text == "十口三二" * 6


def test_the_box_of_a_dash_is_a_quarter_as_high_as_its_picture() -> None:
    flat = np.full((80, 200), 255, np.uint8)
    flat[40:43, 50:150] = 0
    found = lines.only_line(flat)
    assert found is not None
    quad, direction = found
    assert direction == "horizontal"
    np.testing.assert_allclose(quad, [[50, 31], [149, 31], [149, 51], [50, 51]], atol=0.5)


def test_real_lines_are_read(reader: Reader, shared: Path) -> None:
    """Of a neat hand that no model trains on: fewer errors than one in ten."""
    errors = Errors()
    for line in read_labelled(shared / "dev" / "line_w06")[:12]:
        errors.add(reader.read(line.path, layout="line").text, line.text)
    assert errors.rate < 0.1


def test_a_line_turns_up_where_it_is_on_the_picture(reader: Reader) -> None:
    picture = np.full((300, 700, 3), 240, np.uint8)
    picture[120:220, 200:516] = felt_tip.line("十口三二")
    flat = manuscript.flatten(picture)
    found = lines.only_line(flat)
    assert found is not None
    quad, _ = found
    np.testing.assert_allclose(quad[0], [225, 142], atol=20)
    page = reader.read(picture, layout="line")
    assert page.text == "十口三二"
    np.testing.assert_allclose(np.array(page.lines[0].characters[0].box).mean(0), [250, 170], atol=6)
