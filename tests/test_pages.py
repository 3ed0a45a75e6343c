"""Free pages: what is written must lie under the corners that the truth tells, in the order of reading."""

import dataclasses
import json

import cv2
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests import made_hands
from training import pages, photograph, sheets, snapshots, writing
from training.paper import Paper
from training.sources import Glyphs
from zoo import charset

ORDINARY = "一二三十人口日月"
TEXTS = ["一二三十，人口日月。", "日月人口。", "十人「三口」一日，二月。"]
CLEAN = pages.PageStyle(
    width=700, height=600, em=40.0, paper=Paper(colour=(255, 255, 255), grain=0.0), ink="black"
)


def blocks(characters: str, side: int = 64) -> Glyphs:
    """A writer of solid squares: what is ink and what is not is plain to see in any picture."""
    images = np.full((len(characters), 96, 96), 255, np.uint8)
    edge = (96 - side) // 2
    images[:, edge : edge + side, edge : edge + side] = 0
    return Glyphs("blocks", images, np.array(charset.encode(characters), np.int32), real=False)


def dots(characters: str) -> Glyphs:
    """A writer who writes the n-th character, counted from 1, as n dots apart from one another."""
    images = np.full((len(characters), 96, 96), 255, np.uint8)
    for number, image in enumerate(images, 1):
        for dot in range(number):
            row, column = divmod(dot, 4)
            cv2.circle(image, (16 + 21 * column, 20 + 26 * row), 6, 0, -1)
    return Glyphs("dots", images, np.array(charset.encode(characters), np.int32), real=False)


def scribbles(characters: str, samples: int = 2) -> Glyphs:
    """A writer of crude strokes, each character in its own."""
    rng = np.random.default_rng(1)
    images = [made_hands.stroke_image(sign, rng) for sign in characters for _ in range(samples)]
    labels = np.repeat(charset.encode(characters), samples)
    return Glyphs("scribbles", np.stack(images), labels.astype(np.int32), real=False)


WRITER = scribbles(ORDINARY + "，。「」()AbgT0123456789")


def composed(
    style: pages.PageStyle, seed: int = 0, writer: Glyphs = WRITER, texts: list[str] = TEXTS
) -> tuple[np.ndarray, dict]:
    return pages.compose(texts, [writer], style, np.random.default_rng(seed))


def quads_of(truth: dict) -> np.ndarray:
    return np.array([character["quad"] for line in truth["lines"] for character in line["chars"]])


def covered(shape: tuple[int, int], quads: np.ndarray, reach: int = 0) -> np.ndarray:
    """Which pixels lie in quadrilaterals, or within `reach` pixels of them."""
    mask = np.zeros(shape, np.uint8)
    for quad in quads:
        cv2.fillConvexPoly(mask, np.round(quad).astype(np.int32), 1)
    return cv2.dilate(mask, np.ones((2 * reach + 1,) * 2, np.uint8)) > 0


WILD = dataclasses.replace(
    CLEAN,
    manner=writing.Manner(
        slant=0.15,
        turn=0.1,
        uneven_size=0.12,
        uneven_place=0.05,
        drift=0.1,
        pen=4,
        darkness=1.8,
        even=0.7,
        proportional=0.8,
    ),
    slope=0.03,
    loose=0.1,
    crossed=0.1,
    title=1.5,
    page_number=True,
    blocks=2,
    ragged=0.3,
)


@pytest.mark.parametrize("direction", ["horizontal", "vertical"])
@pytest.mark.parametrize("style", [CLEAN, WILD], ids=["clean", "wild"])
def test_every_dark_pixel_lies_under_a_character(style: pages.PageStyle, direction: str) -> None:
    for seed in range(4):
        page, truth = composed(dataclasses.replace(style, direction=direction), seed)
        dark = page.max(2) < 120
        known = list(quads_of(truth)) + [np.array(quad) for quad in truth["ignore"]]
        assert dark.sum() > 1000
        assert not (dark & ~covered(dark.shape, np.array(known), reach=2)).any()


@pytest.mark.parametrize("direction", ["horizontal", "vertical"])
def test_corners_of_a_character_are_those_of_its_ink_turned_with_its_line(direction: str) -> None:
    manner = dataclasses.replace(WILD.manner, spacing=0.6, proportional=0.0, stops=0.0, turn=0.0)
    # A number of the page may stand in the last line, which leans into the margin.
    style = dataclasses.replace(
        WILD, direction=direction, manner=manner, crossed=0.0, pitch=2.0, page_number=False
    )
    page, truth = composed(style, 3, scribbles(ORDINARY + "，。"))  # Letters would touch one another.
    ink = 255 - page.max(2)
    angles = []
    for line in truth["lines"]:
        for character in line["chars"]:
            quad = np.array(character["quad"])
            across, down = quad[1] - quad[0], quad[3] - quad[0]
            angles.append(np.arctan2(across[1], across[0]))
            # Corners are told in tenths of a pixel, and the smallest mark has sides of some pixels.
            assert abs(across @ down) < 0.1 * np.hypot(*across) * np.hypot(*down)
            rows, columns = np.nonzero((ink > 60) & covered(ink.shape, quad[None], reach=3))
            cosine, sine = np.cos(angles[-1]), np.sin(angles[-1])
            frame = np.array([[cosine, sine], [-sine, cosine]])
            points = np.stack([columns, rows], 1) @ frame.T
            corners = quad @ frame.T
            # 1.6 pixels: the soft edge of strokes is a pixel wide, and pixels stand aslant.
            np.testing.assert_allclose(points.min(0), corners.min(0), atol=1.6)
            np.testing.assert_allclose(points.max(0), corners.max(0), atol=1.6)
    assert 0.015 < np.median(angles) < 0.045


@pytest.mark.parametrize("direction", ["horizontal", "vertical"])
def test_line_is_the_rectangle_around_its_characters(direction: str) -> None:
    _, truth = composed(dataclasses.replace(WILD, direction=direction))
    for line in truth["lines"]:
        quad = np.array(line["quad"])
        sides = np.roll(quad, -1, 0) - quad
        points = np.array([character["quad"] for character in line["chars"]]).reshape(-1, 2)
        for corner, side in zip(quad, sides, strict=True):
            offsets = points - corner
            inside = (side[0] * offsets[:, 1] - side[1] * offsets[:, 0]) / np.hypot(*side)
            assert abs(inside.min()) < 0.3  # Corners are told in tenths of a pixel.


def test_text_is_that_of_the_characters_and_of_the_lines() -> None:
    for direction in ("horizontal", "vertical"):
        _, truth = composed(dataclasses.replace(WILD, direction=direction))
        assert truth["text"] == "\n".join(line["text"] for line in truth["lines"])
        for line in truth["lines"]:
            assert line["text"] == "".join(character["text"] for character in line["chars"])
        assert charset.supports(truth["text"].replace("\n", ""))


@pytest.mark.parametrize("direction", ["horizontal", "vertical"])
def test_what_stands_under_a_quad_is_its_character(direction: str) -> None:
    style = dataclasses.replace(CLEAN, direction=direction, em=48.0)
    page, truth = composed(style, writer=dots(ORDINARY), texts=["一二三十人口日月"])
    for line in truth["lines"]:
        for character in line["chars"]:
            left, top = np.floor(np.min(character["quad"], 0)).astype(int)
            right, bottom = np.ceil(np.max(character["quad"], 0)).astype(int) + 1
            count, _ = cv2.connectedComponents((page[top:bottom, left:right, 0] < 128).astype(np.uint8))
            assert count - 1 == ORDINARY.index(character["text"]) + 1


def test_lines_of_a_row_of_text_run_downwards_and_those_of_columns_to_the_left() -> None:
    for seed in range(3):
        _, truth = composed(CLEAN, seed)
        middles = np.array([line["quad"] for line in truth["lines"]]).mean(1)
        assert (np.diff(middles[:, 1]) > 20).all()
        along = [np.mean([c["quad"] for c in line["chars"]], 1)[:, 0] for line in truth["lines"]]
        assert all((np.diff(places) > 0).all() for places in along)
        _, truth = composed(dataclasses.replace(CLEAN, direction="vertical"), seed)
        middles = np.array([line["quad"] for line in truth["lines"]]).mean(1)
        assert (np.diff(middles[:, 0]) < -20).all()
        along = [np.mean([c["quad"] for c in line["chars"]], 1)[:, 1] for line in truth["lines"]]
        assert all((np.diff(places) > 0).all() for places in along)


def test_tiers_are_read_one_after_the_other() -> None:
    _, truth = composed(dataclasses.replace(CLEAN, tiers=2, indent=0.0))
    middles = np.array([line["quad"] for line in truth["lines"]]).mean(1)
    half = len(middles) // 2
    assert middles[:half, 0].max() < 350 < middles[half:, 0].min()
    assert middles[half, 1] < middles[half - 1, 1]


def test_same_seed_makes_the_same_page() -> None:
    made = [composed(pages.random_page_style(np.random.default_rng(5)), 5) for _ in range(2)]
    np.testing.assert_array_equal(made[0][0], made[1][0])
    assert made[0][1] == made[1][1]
    assert composed(CLEAN, 6)[1]["text"] != composed(CLEAN, 7)[1]["text"]
    json.dumps(made[0][1])


def test_writer_of_few_characters_fills_the_page_with_them() -> None:
    _, truth = composed(CLEAN, writer=scribbles("人口"), texts=["日月盈昃，辰宿列張。"])
    assert set(truth["text"]) == {"人", "口", "\n"}
    assert len(truth["lines"]) == CLEAN.rows
    _, truth = composed(CLEAN, writer=scribbles("。"), texts=["日月盈昃。"])
    assert set(truth["text"]) <= {"。", "\n"}
    assert len(truth["lines"]) > 1


def test_every_character_of_the_writer_comes_up() -> None:
    seen = set()
    for seed in range(6):
        seen |= set(charset.normalise(composed(dataclasses.replace(CLEAN, em=16.0), seed)[1]["text"]))
    assert seen >= {charset.CHARACTERS[label] for label in WRITER.labels}


def test_samples_without_ink_leave_the_page_blank() -> None:
    writer = dataclasses.replace(WRITER, images=np.full_like(WRITER.images, 255))
    page, truth = composed(CLEAN, writer=writer)
    assert (truth["text"], truth["lines"]) == ("", [])
    assert page.min() == 255


def test_what_is_crossed_out_is_ignored_and_no_part_of_the_text() -> None:
    style = dataclasses.replace(CLEAN, crossed=0.4)
    page, truth = composed(style, writer=blocks(ORDINARY, side=40))
    assert len(truth["ignore"]) > 10
    plain = np.zeros(page.shape[:2], bool)
    plain |= covered(plain.shape, quads_of(truth))
    for quad in truth["ignore"]:
        inside = covered(plain.shape, np.array([quad])) & ~plain
        assert (page[inside].max(1) < 128).sum() > 50


@pytest.mark.parametrize("level", ["scan", "phone"])
def test_truth_moves_with_the_picture(level: str) -> None:
    style = dataclasses.replace(CLEAN, width=1300, height=1500, em=70.0, manner=writing.Manner(spacing=0.5))
    for seed in range(2):
        page, truth = composed(style, seed, writer=blocks(ORDINARY), texts=["人口日月"])
        picture, warp = photograph.LEVELS[level](page, np.random.default_rng(seed))
        moved = pages.move_truth(truth, warp)
        assert picture.shape[:2] == (moved["height"], moved["width"])
        assert moved["text"] == truth["text"]
        assert "cells" not in moved
        assert_dark_under(picture, quads_of(moved))


def assert_dark_under(picture: np.ndarray, quads: np.ndarray) -> None:
    """Blocks must be darker than what is around them, on each of their sides."""
    grey = cv2.GaussianBlur(picture.max(2), (0, 0), 1).astype(int)
    height, width = grey.shape
    for quad in quads:
        middle = quad.mean(0)
        for edge in (quad + np.roll(quad, -1, 0)) / 2:
            way = (edge - middle) / np.hypot(*(edge - middle))
            # 5 pixels: blur and the curl within a character move an edge by less.
            inner, outer = (np.rint(edge + step * way).astype(int) for step in (-5, 5))
            if (outer >= 0).all() and (outer < [width, height]).all() and (inner >= 0).all():
                assert grey[inner[1], inner[0]] < grey[outer[1], outer[0]] - 15


def test_closing_mark_stays_on_its_line_and_a_word_whole() -> None:
    hand, manner = writing.Hand(WRITER), writing.Manner(latin=1.0, spacing=0.0)

    def lines(text: str, length: float) -> list[str]:
        signs = hand.signs(text, manner, 40, "horizontal", np.random.default_rng(0))
        wrapped = writing.wrap(signs, length, 0.0, manner)
        return ["".join(sign.character for sign in chosen) for chosen, _ in wrapped]

    assert lines("人口日，月十", 3.0) == ["人口日，", "月十"]
    assert lines("人口bTb日月", 3.9) == ["人口", "bTb日", "月"]
    assert lines("bTbTbTbT", 3.0) == ["bTb", "TbT", "bT"]  # No line has room for the whole word.


def test_blanks_leave_room_and_no_character() -> None:
    hand, manner = writing.Hand(WRITER), writing.Manner(spacing=0.0)
    signs = hand.signs(
        hand.legible("\u3000人 口\u3000日", np.random.default_rng(0)),
        manner,
        40,
        "vertical",
        np.random.default_rng(0),
    )
    ((chosen, places),) = writing.wrap(signs, 20.0, 2.0, manner)
    assert "".join(sign.character for sign in chosen) == "人口日"
    np.testing.assert_allclose(places, [2.0, 3.35, 5.35])


def test_latin_letters_are_narrower_than_characters_in_rows() -> None:
    narrow = np.full((2, 96, 96), 255, np.uint8)
    narrow[:, 20:76, 40:56] = 0
    writer = Glyphs("bars", narrow, np.array(charset.encode("b人"), np.int32), real=False)
    signs = writing.Hand(writer).signs("b人", writing.Manner(), 40, "horizontal", np.random.default_rng(0))
    assert signs[0].high - signs[0].low < 0.4 < signs[1].high - signs[1].low == 1.0


def test_brackets_stand_in_rows_and_lie_in_columns() -> None:
    image = np.full((96, 96), 255, np.uint8)
    image[10:80, 60:64] = 0
    for form in (image, image.T):  # Hands and fonts hold both.
        writer = Glyphs("brackets", form[None], np.array(charset.encode("「"), np.int32), real=False)
        for direction, tall in (("horizontal", True), ("vertical", False)):
            (sign,) = writing.Hand(writer).signs(
                "「", writing.Manner(), 96, direction, np.random.default_rng(0)
            )
            assert (np.ptp(sign.outline[:, 1]) > np.ptp(sign.outline[:, 0])) == tall


def test_signs_that_turn_in_a_column_are_taken_both_ways() -> None:
    standing = np.full((96, 96), 255, np.uint8)
    standing[10:80, 60:64] = 0
    images = np.stack([standing, standing, standing.T, standing])
    writer = Glyphs("signs", images, np.array(charset.encode("人「…—"), np.int32), real=True)
    taken = writing.both_ways(writer)
    assert taken.labels.tolist() == charset.encode("人「…—「…")
    assert taken.real
    np.testing.assert_array_equal(taken.images[:4], images)
    for image, tall in zip(taken.images[4:], (False, True), strict=True):
        rows, columns = np.nonzero(image == 0)
        assert (np.ptp(rows) > np.ptp(columns)) == tall
    again = writing.both_ways(dataclasses.replace(writer, images=taken.images[4:], labels=taken.labels[4:]))
    np.testing.assert_array_equal(again.images[2:], images[1:3])  # What is turned back is as it was.


def test_a_writer_of_nothing_that_turns_stays_as_he_is() -> None:
    writer = scribbles(ORDINARY)
    assert writing.both_ways(writer) is writer


def test_stops_stand_low_in_rows_and_high_in_columns() -> None:
    image = np.full((96, 96), 255, np.uint8)
    image[75:85, 10:20] = 0
    writer = Glyphs("stops", image[None], np.array(charset.encode("。"), np.int32), real=False)
    for direction, high in (("horizontal", False), ("vertical", True)):
        (sign,) = writing.Hand(writer).signs("。", writing.Manner(), 96, direction, np.random.default_rng(0))
        assert (sign.outline.mean(0) > 0.5).tolist() == [high, not high]


def test_a_stop_that_is_hardly_seen_stays_where_it_is() -> None:
    ink = np.zeros((96, 96), np.uint8)
    ink[75:85, 10:20] = 115
    np.testing.assert_array_equal(sheets.stop_in_column(ink), ink)
    ink *= 2
    assert sheets.stop_in_column(ink)[:48, 48:].any()


@given(st.integers(0, 2**32 - 1))
@example(71401)  # A number of three digits in the right corner.
@settings(max_examples=12, deadline=None)
def test_random_pages_hold_their_writing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    style = pages.random_page_style(rng)
    scale = 500 / max(style.width, style.height)  # Smaller, so that the test is quick.
    style = dataclasses.replace(
        style, width=round(style.width * scale), height=round(style.height * scale), em=style.em * scale
    )
    page, truth = composed(style, seed)
    assert page.shape == (style.height, style.width, 3)
    assert page.dtype == np.uint8
    corners = quads_of(truth)
    assert corners.min() > -2
    assert (corners < [style.width + 2, style.height + 2]).all()
    assert truth["lines"]


def test_rules_lie_under_the_rows_of_writing() -> None:
    paper = Paper("ruled", colour=(255, 255, 255), line_colour=(0, 200, 0), grain=0.0)
    style = dataclasses.replace(CLEAN, paper=paper, margins=(0.9, 1.0, 0.9, 1.0))
    page, truth = composed(style)
    rules = np.flatnonzero((page[:, 25] != 255).any(1))  # Left of the writing.
    rules = rules[np.diff(rules, prepend=-9) > 3]  # The first pixel of each.
    assert len(rules) >= style.rows
    np.testing.assert_allclose(np.diff(rules), style.pitch * style.em, atol=1)
    for line in truth["lines"]:
        middle = np.mean(line["quad"], 0)[1]
        assert abs((middle - rules[0]) / (style.pitch * style.em) % 1 - 0.5) < 0.15  # Between two rules.


def test_squares_holes_margins_and_print_are_on_the_paper() -> None:
    rng = np.random.default_rng(0)
    paper = Paper("squared", step=0.5, margin=0.2, frame=True, holes=3, header="No.", grain=0.0)
    page, printed = paper.blank(400, 600, (30.0, 60.0), "vertical", rng)
    assert page.shape == (600, 400, 3)
    bare, _ = Paper().blank(400, 600, (30.0, 60.0), "vertical", np.random.default_rng(0))
    assert (page != bare).any(2).mean() > 0.03
    (quad,) = printed
    left, top, right, bottom = *quad.min(0).astype(int), *quad.max(0).astype(int)
    without = dataclasses.replace(paper, header="").blank(
        400, 600, (30.0, 60.0), "vertical", np.random.default_rng(0)
    )
    rows, columns = np.nonzero((page != without[0]).any(2))
    assert left <= columns.min()
    assert top <= rows.min()
    assert columns.max() <= right
    assert rows.max() <= bottom


@pytest.fixture(scope="module")
def sampler() -> snapshots.PageSampler:
    return snapshots.PageSampler.of(["人口日月"], [blocks(ORDINARY, 60)], 320, 400, 2, 3, em=(20.0, 40.0))


def test_a_step_draws_the_same_pictures_again(sampler: snapshots.PageSampler) -> None:
    first, again, other = sampler.batch(4), sampler.batch(4), sampler.batch(5)
    assert len(first) == 2
    for one, two, three in zip(first, again, other, strict=True):
        assert one.image.shape == (320, 400, 3)
        assert one.image.dtype == np.uint8
        np.testing.assert_array_equal(one.image, two.image)
        assert [line.text for line in one.lines] == [line.text for line in two.lines]
        assert (one.image != three.image).any()


def test_pictures_show_ink_under_their_characters(sampler: snapshots.PageSampler) -> None:
    darker = []
    for step in range(10):
        for picture in sampler.batch(step):
            grey = picture.image.mean(2)
            for line in picture.lines:
                assert len(line.text) == len(line.characters)
                assert line.quad.shape == (4, 2)
                for quad in line.characters:
                    middle = quad.mean(0)
                    assert (middle >= 0).all()
                    assert (middle < [400, 320]).all()
                    bare = covered(grey.shape, quad[None], 4) & ~covered(grey.shape, quad[None], 1)
                    darker.append(np.median(grey[bare]) - np.median(grey[covered(grey.shape, quad[None])]))
    assert len(darker) > 200
    # Ink may be faint, and neighbours touch: nearly all are darker than what is around them.
    assert np.mean(np.array(darker) > 8) > 0.95


@given(st.integers(0, 2**32 - 1))
def test_other_marks_leave_the_words_as_they_are(seed: int) -> None:
    text = "人口、日月；十三。"
    marked = pages._with_other_marks(text, np.random.default_rng(seed))
    assert [sign for sign in marked if sign in ORDINARY] == list("人口日月十三")
    (pair,) = [pair for pair in pages._QUOTES if pair[0] in marked]
    assert marked.count(pair[0]) == marked.count(pair[1]) == 1
    assert 1 < marked.index(pair[1]) - marked.index(pair[0]) <= pages._QUOTED + 1 or marked.endswith(pair)
    assert sum(sign in pages._STOPS for sign in marked) == 3


def test_paragraphs_ask_exclaim_and_quote_though_their_text_does_not() -> None:
    hand, rng = writing.Hand(scribbles(ORDINARY, samples=1)), np.random.default_rng(0)
    written = [pages.paragraph(["一二三十，人口日月。"], hand, rng) for _ in range(200)]
    for sign in "？！…「《":
        assert 2 <= sum(sign in text for text in written) < 60
    assert sum("人口日月。" in text for text in written) > 120


def test_a_line_that_is_cut_keeps_the_characters_that_are_seen() -> None:
    characters = np.array(
        [[[x, 10.0], [x + 8, 10], [x + 8, 20], [x, 20]] for x in (0, 20, 40, 60)], np.float32
    )
    line = writing.Line("人口日月", np.array([[0, 10], [68, 10], [68, 20], [0, 20]], np.float32), characters)
    warp = photograph.Warp(np.array([[1.0, 0, -30], [0, 1, 0], [0, 0, 1]]), 25, 40)
    (kept,) = snapshots._moved([line, dataclasses.replace(line, characters=characters - 50)], warp)
    assert kept.text == "日"
    np.testing.assert_allclose(kept.quad, [[10, 10], [18, 10], [18, 20], [10, 20]], atol=1e-3)
    np.testing.assert_allclose(kept.characters, kept.quad[None], atol=1e-3)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: dataclasses.replace(CLEAN, direction="sideways"), "`direction` must be horizontal or"),
        (lambda: dataclasses.replace(CLEAN, ink="blood"), "`ink` must be one of blue, black, pencil, red"),
        (lambda: dataclasses.replace(CLEAN, width=200), "room for a line of four characters"),
        (lambda: dataclasses.replace(CLEAN, height=180, pitch=3.0), "room for a line of four characters"),
        (lambda: Paper("lined"), "`kind` must be plain, ruled or squared. Received: kind='lined'"),
        (lambda: Paper(step=0), "`step` must be above 0. Received: step=0"),
        (lambda: composed(CLEAN, texts=[]), "0 sentences and 1 writers"),
        (lambda: pages.compose(TEXTS, [], CLEAN, np.random.default_rng(0)), "3 sentences and 0 writers"),
        (lambda: snapshots.PageSampler.of(TEXTS, [], 320, 320, 1, 0), "3 sentences and 0 writers"),
        (lambda: snapshots.PageSampler.of(TEXTS, [WRITER], 320, 320, 1, 0, em=(20, 80)), "`em` must be at"),
    ],
)
def test_pages_that_cannot_be_written_are_named(make, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_set_of_pages_is_written_with_its_truth(tmp_path) -> None:
    made_hands.write_data(tmp_path)
    made_hands.write_font(tmp_path / "boxes.ttf")
    (tmp_path / "text.txt").write_text("一二三十人口日月。\n人口，日月。\n", encoding="utf-8")
    arguments = ["--fonts", tmp_path / "boxes.ttf", "--hands", tmp_path / "hands" / "train"]
    arguments += ["--text", tmp_path / "text.txt", "--count", "2", "--chinese-only", "a"]
    pages.main([str(tmp_path / "set"), *map(str, arguments)])
    truths = json.loads((tmp_path / "set" / "truth.json").read_text(encoding="utf-8"))
    rows = (tmp_path / "set" / "manifest.tsv").read_text(encoding="utf-8").splitlines()
    assert [row.split("\t")[0] for row in rows] == list(truths)
    assert [truth["level"] for truth in truths.values()] == ["flat", "scan"]
    for name, truth in truths.items():
        assert cv2.imread(str(tmp_path / "set" / name)).shape[:2] == (truth["height"], truth["width"])
        assert truth["source"] in ("a", "b", "boxes")
        assert truth["layout"] == "lines"
