import numpy as np
import pytest

from zoo.paragraphs import begin


def lines(indents, em=40, pitch=60, length=600, drift=0.0):
    """Rows that start so many em further, each row by `drift` em more; all end at one margin."""
    starts = [100 + em * (indent + drift * row) for row, indent in enumerate(indents)]
    tops = [100 + pitch * row for row in range(len(indents))]
    right = 100 + length
    return np.array(
        [[[x, y], [right, y], [right, y + em], [x, y + em]] for x, y in zip(starts, tops, strict=True)]
    )


def turned(quads, degrees):
    angle = np.deg2rad(degrees)
    return quads @ np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])


def down(quads):
    """The page turned to the right: rows become columns."""
    return np.roll(np.stack([900 - quads[..., 1], quads[..., 0]], -1), 1, axis=1)


PAGES = {
    "even": [0, 0, 0, 0, 0],
    "two characters": [2, 0, 0, 2, 0, 0, 0, 2],
    "one character": [0.9, 0, 0.1, 0.9, 0, -0.1],
    "a little uneven": [0.3, 0, 0.5, -0.2, 0.4, 0],
    "paragraphs of two lines": [2, 0, 2, 0, 2, 0],
    "paragraphs of one line among others": [2, 0, 0, 2, 2, 0, 0, 0],
    "a signature": [0, 0, 0, 9],
    "continued items": [0, 2, 2, 0, 2, 2],
    "one line": [3],
}


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("degrees", [0, -8, 8])
@pytest.mark.parametrize("drift", [0.0, 0.08, -0.08])
@pytest.mark.parametrize("direction", ["horizontal", "vertical"])
def test_an_indented_line_begins_a_paragraph(name, degrees, drift, direction):
    quads = turned(lines(PAGES[name], drift=drift), degrees)
    found = begin(quads if direction == "horizontal" else down(quads), direction)
    usual = float(np.sort(PAGES[name])[(len(PAGES[name]) - 1) // 2])
    expected = [row == 0 or indent > usual + 0.7 for row, indent in enumerate(PAGES[name])]
    assert found.tolist() == expected


def test_what_follows_in_the_same_row_begins_no_paragraph():
    quads = lines([0, 0, 0, 0])
    quads[2] = quads[1] + [300, 5]  # A second piece of that row.
    assert begin(quads, "horizontal").tolist() == [True, False, False, False]
