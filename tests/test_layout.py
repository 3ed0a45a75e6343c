import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.layout import Block, arrange


def box(left, top, width, height):
    return [[left, top], [left + width, top], [left + width, top + height], [left, top + height]]


def rows(count, left=100, top=100, length=600, em=40, pitch=60):
    """Horizontal lines below each other; every third one is the short end of a paragraph."""
    return [box(left, top + row * pitch, length / (1 + row % 3 // 2 * 2), em) for row in range(count)]


def columns(count, right=900, top=100, length=600, em=40, pitch=60):
    """Vertical lines from right to left."""
    return [box(right - em - row * pitch, top, em, length / (1 + row % 3 // 2 * 2)) for row in range(count)]


def characters(lines, em=40):
    """The characters of lines, a comma among every five; and how many each line has."""
    quads, counts = [], []
    for line in lines:
        (left, top), (right, bottom) = line[0], line[2]
        count = round(max(right - left, bottom - top) / em)
        for place in range(count):
            x, y = (left + place * em, top) if right - left > bottom - top else (left, top + place * em)
            quads.append(box(x + 4, y + 26, 8, 10) if place % 5 == 3 else box(x + 3, y + 3, em - 6, em - 6))
        counts.append(count)
    return quads, counts


def turned(quads, degrees, keystone=0.0):
    """The quadrilaterals as a camera sees them that is turned, and tilted so that lines converge."""
    angle = np.deg2rad(degrees)
    matrix = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    points = (np.array(quads, float) - 500) @ matrix.T
    depth = 1 + keystone * points.sum(-1, keepdims=True) / 1000
    return points / depth + 500


def read(blocks):
    return [number for block in blocks for line in block.lines for number in line]


def two_columns(title=True, count=6):
    heading = [box(330, 20, 340, 50)] if title else []
    return [*heading, *rows(count, 100, length=360), *rows(count, 540, length=360)]


PAGES = {
    "horizontal": rows(9),
    "vertical": columns(9),
    "two columns": two_columns(title=False),
    "title above two columns": two_columns(),
    "two tiers of vertical text": [*columns(7, length=350), *columns(7, top=530, length=350)],
    "page number below two columns": [*two_columns(), box(160, 520, 30, 30)],
    "page number below vertical text": [*columns(9), box(600, 760, 30, 30)],
    "empty row between columns": [*two_columns(), *np.add(two_columns(False), [0, 480]).tolist()],
}


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize(("degrees", "keystone"), [(0, 0.0), (-6, 0.0), (8, 0.0), (3, 0.12), (-3, -0.12)])
def test_lines_are_read_in_order(name, degrees, keystone):
    blocks = arrange(turned(PAGES[name], degrees, keystone))
    assert read(blocks) == list(range(len(PAGES[name])))
    assert {block.direction for block in blocks} == {"vertical" if "vertical" in name else "horizontal"}


@pytest.mark.parametrize("name", ["horizontal", "vertical", "two columns", "title above two columns"])
@pytest.mark.parametrize("degrees", [0, -5, 5])
def test_characters_are_joined_to_lines(name, degrees):
    quads, counts = characters(PAGES[name])
    blocks = arrange(turned(quads, degrees))
    assert read(blocks) == list(range(len(quads)))
    assert [len(line) for block in blocks for line in block.lines] == counts


@pytest.mark.parametrize("name", ["horizontal", "vertical"])
@pytest.mark.parametrize(("degrees", "keystone"), [(-4, 0.0), (4, 0.0), (2, 0.35), (-2, -0.2)])
def test_upright_boxes_of_characters_show_how_a_page_is_turned(name, degrees, keystone):
    quads, counts = characters(PAGES[name])
    seen = turned(quads, degrees, keystone)
    low, high = seen.min(1), seen.max(1)
    upright = np.stack(
        [low, np.stack([high[:, 0], low[:, 1]], 1), high, np.stack([low[:, 0], high[:, 1]], 1)], 1
    )
    blocks = arrange(upright)
    assert read(blocks) == list(range(len(quads)))
    assert [len(line) for block in blocks for line in block.lines] == counts


def test_a_mark_far_below_the_middle_belongs_to_its_line():
    words = [box(100 + 45 * place, 100, 38, 38) for place in range(12)]
    page = [*words[:5], box(330, 142, 8, 12), *words[5:], *rows(3, top=175)]
    blocks = arrange(np.array(page, float))
    assert blocks[0].lines[0] == list(range(13))


def test_pieces_of_a_line_are_joined_from_left_to_right():
    pieces = [box(100, 100, 200, 40), box(330, 104, 150, 38), box(500, 98, 300, 42), box(100, 160, 500, 40)]
    assert arrange(np.array(pieces, float)[[3, 1, 0, 2]]) == [Block("horizontal", [[2, 1, 3], [0]])]


def test_columns_are_no_pieces_of_one_line():
    blocks = arrange(np.array(two_columns(title=False), float))
    assert [len(line) for block in blocks for line in block.lines] == [1] * 12


def test_a_note_in_the_margin_is_a_block_of_its_own():
    page = [*(box(40, 220 + 60 * row, 90, 30) for row in range(2)), *rows(8, 220)]
    assert [block.lines for block in arrange(np.array(page, float))] == [
        [[0], [1]],
        [[number] for number in range(2, 10)],
    ]


def test_a_signature_on_the_right_stays_below_the_text():
    page = [*rows(4), box(500, 340, 200, 40), box(100, 400, 200, 40)]
    assert read(arrange(np.array(page, float))) == list(range(6))


@pytest.mark.parametrize("keystone", [0.2, 0.3, -0.15])
def test_lines_that_converge_keep_their_order(keystone):
    page = [box(560, 40, 200, 40), *rows(12, top=90, pitch=50), box(560, 690, 200, 40)]
    assert read(arrange(turned(page, 0, keystone))) == list(range(14))


def test_a_horizontal_heading_stands_before_vertical_text():
    blocks = arrange(np.array([box(300, 20, 400, 45), *columns(8), box(400, 800, 200, 40)], float))
    assert [block.direction for block in blocks] == ["horizontal", "vertical", "horizontal"]
    assert read(blocks) == list(range(10))


H, V = "horizontal", "vertical"
BLOCKS = {
    "rows left of columns": [(H, rows(8, 80, 120, length=640)), (V, columns(5, 1700, 120, length=900))],
    "columns left of rows": [(V, columns(5, 500, 120)), (H, rows(8, 980, 120, length=680))],
    "columns right of rows": [(V, columns(8, 1700, 120)), (H, rows(5, 80, 120, length=640))],
    "rows right of columns": [(H, rows(5, 980, 120, length=640)), (V, columns(8, 800, 120))],
    "columns in a corner of rows": [
        (H, rows(4, length=1200)),
        (H, rows(6, top=340, length=700)),
        (V, columns(6, 1300, 360, length=340)),
        (H, rows(4, top=760, length=1200)),
    ],
    "rows in a corner of columns": [
        (V, columns(3, 1300, length=900)),
        (V, columns(7, 1120, length=400)),
        (H, rows(6, 720, 580, length=400)),
        (V, columns(5, 680, length=900)),
    ],
    "a column in the margin of rows": [(H, rows(12, length=900)), (V, columns(1, 1150, 400))],
    "two characters end the columns": [
        (H, rows(8, 80, 120, length=640)),
        (V, [*columns(2, 1700, 120), box(1540, 120, 40, 78)]),
    ],
}


@pytest.mark.parametrize("name", BLOCKS)
@pytest.mark.parametrize(("degrees", "keystone"), [(0, 0.0), (-6, 0.0), (8, 0.0), (2, 0.08)])
def test_a_block_that_is_written_across_the_others_stays_whole(name, degrees, keystone):
    page = [(direction, line) for direction, lines in BLOCKS[name] for line in lines]
    blocks = arrange(turned([line for _, line in page], degrees, keystone))
    assert read(blocks) == list(range(len(page)))
    assert [block.direction for block in blocks for _ in block.lines] == [direction for direction, _ in page]


@pytest.mark.parametrize(("top", "place"), [(90, 4), (620, 12)])
def test_what_is_written_over_the_rows_stays_whole_and_leaves_their_order(top, place):
    page = [*rows(12, length=900), *columns(2, 700, top, length=250)]
    found = read(arrange(np.array(page, float)))
    assert [number for number in found if number < 12] == list(range(12))
    assert found.index(13) == found.index(12) + 1
    assert found.index(12) == place


PARAGRAPHS = {
    "horizontal": [rows(5, left, top, length=360) for left in (100, 540) for top in (100, 100 + 5 * 60 + 50)],
    "vertical": [
        columns(5, right, top, length=360) for top in (100, 540) for right in (900, 900 - 5 * 60 - 50)
    ],
}


@pytest.mark.parametrize("direction", PARAGRAPHS)
@pytest.mark.parametrize(("degrees", "keystone"), [(0, 0.0), (-6, 0.0), (8, 0.0), (3, 0.1)])
def test_columns_of_paragraphs_are_read_one_after_another(direction, degrees, keystone):
    blocks = arrange(turned(list(itertools.chain(*PARAGRAPHS[direction])), degrees, keystone))
    assert read(blocks) == list(range(20))
    assert [len(block.lines) for block in blocks] == [5] * 4


def test_an_empty_row_ends_columns_where_what_follows_does_not_leave_their_gutter():
    page = [*two_columns(False), *rows(2, 100, 510, length=800), *rows(3, 100, 650, length=360)]
    page += rows(3, 540, 650, length=360)
    assert read(arrange(np.array(page, float))) == list(range(len(page)))


def test_an_empty_row_ends_columns_where_one_of_them_ends():
    page = [*two_columns(False), *rows(3, 100, 510, length=360)]
    assert read(arrange(np.array(page, float))) == list(range(len(page)))


@pytest.mark.parametrize("direction", ["horizontal", "vertical"])
@pytest.mark.parametrize("close", [{0}, {0, 1}, {4}, {3, 4, 8}, set(range(9))])
@pytest.mark.parametrize("title", [True, False])
def test_pieces_are_not_joined_over_a_gutter_that_runs_on(direction, close, title):
    # In some rows the columns come nearer than 1.6 em.
    first = [box(100, 100 + 60 * row, 360 if row in close else 340, 40) for row in range(9)]
    second = [box(510 if row in close else 530, 100 + 60 * row, 360, 40) for row in range(9)]
    page = np.array([*([box(250, 20, 400, 40)] if title else []), *first, *second], float)
    if direction == "vertical":  # The page turned to the right.
        page = np.roll(np.stack([900 - page[..., 1], page[..., 0]], -1), 1, axis=1)
    blocks = arrange(page)
    assert {block.direction for block in blocks} == {direction}
    assert read(blocks) == list(range(len(page)))
    assert all(len(line) == 1 for block in blocks for line in block.lines)


def test_two_halves_of_the_lines_of_a_poem_are_joined():
    quads = [
        half
        for row in range(4)
        for half in (box(100, 100 + 60 * row, 240, 40), box(390, 100 + 60 * row, 240, 40))
    ]
    assert arrange(np.array(quads, float)) == [Block("horizontal", [[0, 1], [2, 3], [4, 5], [6, 7]])]


def test_pieces_are_joined_over_a_gap_that_whole_lines_cross():
    pieces = [box(100, 100, 360, 40), box(510, 100, 360, 40), box(100, 160, 360, 40), box(510, 160, 360, 40)]
    page = [
        *pieces,
        *rows(1, top=220, length=770),
        *rows(1, top=280, length=770),
        *rows(1, top=40, length=770),
    ]
    assert read(arrange(np.array(page, float))) == [6, *range(6)]


@pytest.mark.parametrize("off", [-15, 25])  # Of its left side; its middle is half an em off.
@pytest.mark.parametrize("gap", [58, 62])
def test_a_page_number_is_no_piece_of_the_column_above_it(off: int, gap: int) -> None:
    page = columns(9)
    last = np.array(page[4])
    number = box(last[:, 0].min() + off, last[:, 1].max() + gap, 30, 30)
    assert read(arrange(np.array([*page, number], float))) == list(range(10))


def test_in_one_row_the_left_comes_first():
    page = [box(100, 104, 200, 40), box(560, 96, 140, 40), *rows(4, top=170)]
    assert read(arrange(np.array(page, float))) == list(range(6))


def test_an_empty_row_parts_blocks():
    page = [*rows(3), *rows(3, top=400)]
    assert [len(block.lines) for block in arrange(np.array(page, float))] == [3, 3]


def test_one_line_shows_its_direction():
    assert arrange(np.array([box(0, 0, 300, 40)], float)) == [Block("horizontal", [[0]])]
    assert arrange(np.array([box(0, 0, 40, 300)], float)) == [Block("vertical", [[0]])]


def test_a_page_without_text_has_no_blocks():
    assert arrange(np.empty((0, 4, 2))) == []


@pytest.mark.parametrize("quads", [np.zeros((3, 4)), np.zeros((2, 3, 2)), np.full((1, 4, 2), np.nan)])
def test_what_is_no_quadrilateral_is_refused(quads):
    with pytest.raises(ValueError, match=r"`quads` must be finite, \(n, 4, 2\)\."):
        arrange(quads)


@settings(max_examples=40, deadline=None)
@given(
    name=st.sampled_from(sorted(PAGES)),
    seed=st.integers(0, 2**32 - 1),
    degrees=st.floats(-8, 8),
    scale=st.floats(0.2, 5),
)
def test_neither_shuffling_nor_small_turns_nor_size_change_the_order(name, seed, degrees, scale):
    quads = turned(PAGES[name], degrees) * scale
    rng = np.random.default_rng(seed)
    # A detector sees every corner a little elsewhere.
    quads += rng.uniform(-2, 2, quads.shape) * scale
    mixed = rng.permutation(len(quads))
    assert [int(mixed[number]) for number in read(arrange(quads[mixed]))] == list(range(len(quads)))


@settings(max_examples=40, deadline=None)
@given(
    numbers=st.lists(
        st.tuples(*[st.integers(0, 60)] * 2, st.integers(0, 30), st.integers(0, 30)), min_size=1, max_size=20
    ),
    seed=st.integers(0, 2**32 - 1),
)
def test_any_quadrilaterals_are_placed_once_and_in_an_order_of_their_own(numbers, seed):
    quads = np.array([box(*number) for number in numbers], float)
    found = read(arrange(quads))
    assert sorted(found) == list(range(len(quads)))
    mixed = np.random.default_rng(seed).permutation(len(quads))
    # Equal quadrilaterals may change places.
    np.testing.assert_array_equal(quads[found], quads[mixed][read(arrange(quads[mixed]))])


def test_corners_in_a_wrong_order_lose_no_quadrilateral():
    quads = np.array(rows(5), float)
    for shift, flip in itertools.product(range(4), (1, -1)):
        assert sorted(read(arrange(np.roll(quads, shift, axis=1)[:, ::flip]))) == list(range(5))
