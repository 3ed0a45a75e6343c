"""Strips of lines: drawn, cut out, laid out, and their labels."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import made_hands
from training import sources, strips
from training.sources import Glyphs
from training.writing import Line
from zoo import charset, ctc
from zoo.strips import STEP, lay_out

TEXTS = ("一二三十人口，日月。", "人人口口日日月月。")


@pytest.fixture(scope="module")
def writers(tmp_path_factory: pytest.TempPathFactory) -> list[Glyphs]:
    data = made_hands.write_data(tmp_path_factory.mktemp("data"))
    return sources.read_hands(data / "hands" / "train")


def sampler(writers: list[Glyphs], **sizes) -> strips.StripSampler:
    return strips.StripSampler.of(
        TEXTS, writers, **({"widths": (256, 128), "batch_size": 4, "seed": 3} | sizes)
    )


@pytest.mark.parametrize("vertical", [0.0, 1.0])
def test_strips_are_paper_with_dark_ink_and_labels_that_fit_their_steps(
    writers: list[Glyphs], vertical: float
) -> None:
    drawn = sampler(writers, vertical=vertical)
    widths = set()
    for step in range(6):
        images, labels = drawn.batch(step)
        assert images.dtype == np.uint8
        assert images.shape == (4, 64, images.shape[2], 1)
        assert labels.dtype == np.int32
        widths.add(images.shape[2])
        ctc.check_labels(labels, images.shape[2] // STEP, len(charset.CHARACTERS))
        assert (labels[:, 0] != ctc.BLANK).all()
        assert set(charset.decode(labels[labels > 0].tolist())) <= set(
            charset.normalise(made_hands.CHARACTERS)
        )
        assert (np.median(images, axis=(1, 2, 3)) > images.min((1, 2, 3))).all()
    assert widths == {128, 256}


def test_a_step_is_drawn_again_in_the_same_way(writers: list[Glyphs]) -> None:
    for first, second in zip(sampler(writers).batch(5), sampler(writers).batch(5), strict=True):
        np.testing.assert_array_equal(first, second)
    for other in (sampler(writers).batch(6), sampler(writers, seed=4).batch(5)):
        assert not np.array_equal(sampler(writers).batch(5)[0][:, :, :128], other[0][:, :, :128])


def test_longer_texts_take_longer_strips(writers: list[Glyphs]) -> None:
    images, labels = sampler(writers, widths=(512,), batch_size=24, vertical=1.0).batch(0)
    # Laid out, each character takes about as much room; what follows the last one is even.
    ends = [int(np.flatnonzero(np.ptp(image[..., 0], axis=0) > 8).max()) for image in images]
    assert np.corrcoef((labels > 0).sum(1), ends)[0, 1] > 0.8


def test_random_sentences_hold_each_character_equally_often(writers: list[Glyphs]) -> None:
    mixed = "".join(sampler(writers).random)
    counts = np.bincount(charset.encode(mixed), minlength=len(charset.CHARACTERS))
    assert set(counts[1:].tolist()) == {counts[1]}


def test_hands_write_more_often_than_fonts_and_full_sets_more_than_small_ones(writers: list[Glyphs]) -> None:
    hand = writers[0]
    font = Glyphs("font", hand.images, hand.labels, real=False)
    small = Glyphs("small", hand.images[:2], hand.labels[:2], real=True)
    shares = sampler([hand, font, small]).shares
    assert shares.sum() == pytest.approx(1)
    assert shares[0] > shares[1]
    assert shares[0] > shares[2]


def test_a_line_that_is_too_long_is_cut_before_the_next_character() -> None:
    strip = np.full((64, 300), 255, np.uint8)
    quads = np.array([[[x, 10], [x + 40, 10], [x + 40, 50], [x, 50]] for x in range(5, 300, 50)], np.float32)
    for quad in quads.astype(int):
        strip[10:50, quad[0, 0] : quad[1, 0]] = 0
    line = Line("一二三十人口", quads[0], quads)
    cut_out = strips._CutOut(strip, line, [], np.eye(3))
    assert strips._cut(cut_out, 304)[1] == line.text
    shown, text = strips._cut(cut_out, 180)
    assert text == "一二三"
    assert shown.shape == (64, 155)
    assert (shown[:, 150:] == 255).all()
    assert strips._cut(cut_out, 40)[1] == ""


def test_what_is_crossed_out_is_shown_and_not_read() -> None:
    column = np.full((200, 64), 255, np.uint8)
    quads = np.array([[[10, y], [54, y], [54, y + 40], [10, y + 40]] for y in (10, 60, 110, 160)], np.float32)
    shades = (10, 60, 110, 160)
    for quad, shade in zip(quads.astype(int), shades, strict=True):
        column[quad[0, 1] : quad[2, 1], 10:54] = shade
    line = Line("一三十", quads[0], quads[[0, 2, 3]])
    cut_out = strips._CutOut(column, line, [quads[1]], np.eye(3))
    strip, text = strips._laid_out(cut_out, 256, np.random.default_rng(0))
    assert text == "一三十"
    assert strip.shape == (64, 256)
    assert [int(strip[32, 32 + 64 * place]) for place in range(4)] == list(shades)
    assert strips._laid_out(cut_out, 128, np.random.default_rng(0))[1] == "一"


@given(
    heights=st.lists(st.integers(4, 46), min_size=1, max_size=6),
    gaps=st.lists(st.integers(2, 30), min_size=7, max_size=7),
)
@settings(max_examples=20, deadline=None)
def test_a_column_is_laid_out_in_order_and_its_characters_keep_their_size(
    heights: list[int], gaps: list[int]
) -> None:
    starts = np.cumsum([gaps[0], *(h + gap for h, gap in zip(heights[:-1], gaps[1:], strict=False))])
    spans = np.stack([starts, starts + heights], 1)
    column = np.full((int(spans[-1, 1]) + gaps[-1], 64), 255, np.uint8)
    for number, (start, end) in enumerate(spans):
        column[start:end, 24:40] = 20 * number
    strip, places = lay_out(column, spans)
    assert strip.shape == (64, 64 * len(heights))
    assert places.tolist() == [[64 * number, 64 * number + 64] for number in range(len(heights))]
    for number, height in enumerate(heights):
        piece = strip[:, 64 * number : 64 * (number + 1)]
        assert (piece == 20 * number).sum() == 16 * height
        assert ((piece == 20 * number) | (piece == 255)).all()


def test_a_piece_that_is_higher_than_the_strip_is_made_smaller() -> None:
    column = np.full((140, 64), 255, np.uint8)
    column[10:130, 20:40] = 0
    strip, places = lay_out(column, np.array([[10, 130]]))
    assert strip.shape == (64, 30)  # 64 * 64 of the 136 pixels that are shown.
    assert places.tolist() == [[0, 30]]
    assert strip[4:60].min(1).max() < 40


@given(
    angle=st.floats(-0.3, 0.3),
    length=st.floats(60, 600),
    thickness=st.floats(20, 60),
    direction=st.sampled_from(["horizontal", "vertical"]),
    seed=st.integers(0, 99),
)
@settings(max_examples=30, deadline=None)
def test_a_found_line_lies_near_its_ink(
    angle: float, length: float, thickness: float, direction: str, seed: int
) -> None:
    wide, high = (length, thickness) if direction == "horizontal" else (thickness, length)
    upright = np.array([[0, 0], [wide, 0], [wide, high], [0, high]])
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    found = strips._found((upright @ turn).astype(np.float32), 20.0, direction, np.random.default_rng(seed))
    moved = (found @ turn.T - upright) * [[-1, -1], [1, -1], [1, 1], [-1, 1]]
    # A third of the thickness and a little at most, and noise of five standard deviations.
    assert moved.min() > -0.05 * thickness - 0.08 * thickness
    assert moved.max() < 0.35 * thickness + 0.08 * thickness
    assert cv2.isContourConvex(found)


def test_what_does_not_fit_is_named(writers: list[Glyphs], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Received: 2 sentences and 0 writers"):
        sampler([])
    for widths in ((), (64,), (260, 256)):
        with pytest.raises(ValueError, match="`widths` must hold multiples of 8 from 128 on"):
            sampler(writers, widths=widths)
    column = np.full((100, 64), 255, np.uint8)
    for spans in (np.zeros((0, 2)), np.array([[100, 120]]), np.array([[-9, 0]])):
        with pytest.raises(ValueError, match=r"`spans` must lie within 0 \.\.\. 100"):
            lay_out(column, spans)
