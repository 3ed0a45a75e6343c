"""Lines composed of characters, and their labels."""

import dataclasses

import cv2
import numpy as np
import pytest

from training import lines
from training.sources import Glyphs
from zoo import charset, crnn, ctc

TEXT = "一二三十人口日月"
ALPHABET = tuple(charset.encode(TEXT))


def writer(name: str, alphabet: tuple[int, ...] = ALPHABET, repeats: int = 2) -> Glyphs:
    """Every character is a column of as many dots as its place in the alphabet says."""
    labels = np.repeat(alphabet, repeats).astype(np.int32)
    images = np.full((len(labels), 96, 96), 255, np.uint8)
    for image, label in zip(images, labels, strict=True):
        for dot in range(ALPHABET.index(label) + 1):
            cv2.circle(image, (48, 10 + 11 * dot), 4, 0, -1)
    return Glyphs(name, images, labels, real=False)


@pytest.fixture(scope="module")
def sampler() -> lines.LineSampler:
    return lines.LineSampler.of([writer("a"), writer("b")], ALPHABET, batch_size=6, seed=4, height=32)


def columns_with_ink(image: np.ndarray) -> np.ndarray:
    return np.flatnonzero(image.astype(int).min(0) < np.median(image) - 35)


def test_a_batch_is_paper_with_dark_ink_and_labels_padded_with_blanks(sampler: lines.LineSampler) -> None:
    images, labels = sampler.batch(3)
    assert images.dtype == np.uint8
    assert images.shape == (6, 32, sampler.width(12), 1)
    assert labels.dtype == np.int32
    assert labels.shape == (6, 12)
    for image, text in zip(images[..., 0], labels, strict=True):
        length = int((text > 0).sum())
        assert 8 <= length <= 12
        assert (text[length:] == ctc.BLANK).all()
        assert text.max() <= len(ALPHABET)
        assert np.median(image) > 180
        inked = columns_with_ink(image)
        assert inked.min() < 40
        assert inked.max() < image.shape[1] - 2
    ctc.check_labels(labels, crnn.steps(images.shape[2]), len(ALPHABET) + 1)


def test_shorter_lines_leave_more_paper_on_the_right(sampler: lines.LineSampler) -> None:
    images, labels = zip(*(sampler.batch(step) for step in range(8)), strict=True)
    lengths = (np.concatenate(labels) > 0).sum(1)
    ends = np.array([columns_with_ink(image[..., 0]).max() for image in np.concatenate(images)])
    assert np.corrcoef(lengths, ends)[0, 1] > 0.5
    assert ends[lengths == 8].mean() < ends[lengths == 12].mean() - 30


def test_batches_are_the_same_for_a_seed_and_a_step(sampler: lines.LineSampler) -> None:
    drawn = list(lines.train_batches(sampler, 5, 3))
    assert len(drawn) == 3
    for step, (images, labels) in enumerate(drawn, 5):
        expected = sampler.batch(step)
        np.testing.assert_array_equal(images, expected[0])
        np.testing.assert_array_equal(labels, expected[1])
    other = dataclasses.replace(sampler, seed=5)
    assert not np.array_equal(sampler.batch(5)[0], other.batch(5)[0])
    assert not np.array_equal(sampler.batch(5)[0], sampler.batch(6)[0])


def test_a_line_has_one_writer() -> None:
    few, many = writer("few", ALPHABET[:3]), writer("many", ALPHABET[3:])
    mixed = lines.LineSampler.of([few, many], ALPHABET, batch_size=40, seed=0)
    for text in mixed.batch(0)[1]:
        by_first_writer = text[text > 0] <= 3
        assert by_first_writer.all() or not by_first_writer.any()


def test_labels_name_what_is_drawn() -> None:
    still = lines.Handwriting((0.9, 0.9), (1.0, 1.0), 0, 0, 0, 0, 0, 0)
    sampler = lines.LineSampler.of([writer("a")], ALPHABET, 8, 0, 96, 3, 3, handwriting=still)
    for image, text in zip(*sampler.batch(0), strict=True):
        _, ink = cv2.threshold(image[..., 0], 0, 255, cv2.THRESH_BINARY_INV | cv2.THRESH_OTSU)
        dots = cv2.connectedComponentsWithStats(ink)[3][1:]
        columns, counts = np.unique(
            np.round((dots[:, 0] - dots[:, 0].min()) / (0.9 * 96)), return_counts=True
        )
        np.testing.assert_array_equal(columns, range(3))
        np.testing.assert_array_equal(counts, text)


def test_lines_and_alphabet_grow() -> None:
    alphabet = tuple(range(1, 101))
    glyphs = Glyphs("a", np.zeros((100, 96, 96), np.uint8), np.array(alphabet, np.int32), real=True)
    sampler = lines.LineSampler.of([glyphs], alphabet, 32, 0, growth=10)
    widths, longest, highest = [], [], []
    for step in range(12):
        images, labels = sampler.batch(step)
        assert images.shape[2] == sampler.width(labels.shape[1])
        widths.append(images.shape[2])
        longest.append(int((labels > 0).sum(1).max()))
        highest.append(int(labels.max()))
    assert widths == sorted(widths)
    assert longest[0] <= 2
    assert longest[-1] == 12
    assert highest[0] <= 10 < 90 < highest[-1]
    drawn = [images.shape[2] for images, _ in lines.train_batches(sampler, 0, 12)]
    assert drawn == widths


def test_many_wide_characters_stay_on_the_strip() -> None:
    ink = np.full((32, 32), 255, np.uint8)
    wide = lines.Handwriting(size=(1.0, 1.0), advance=(2.0, 2.0), uneven=0, rotation=0, shear=0, elastic=0)
    picture = lines.write_line([ink] * 6, 128, np.random.default_rng(0), wide)
    assert picture.shape == (32, 128)
    assert picture[16, -40:].min() < 128  # the last character is there


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sources": []}, "0 sources"),
        ({"shortest": 5, "longest": 4}, "shortest=5, longest=4"),
        ({"height": 4}, "height=4"),
        ({"alphabet": (1, 1)}, "`alphabet` must hold different characters"),
        ({"alphabet": (0, 1)}, "`alphabet` must hold different characters"),
        ({"alphabet": (4000, 4001)}, "Each writer must hold characters of `alphabet`. Received: a"),
        ({"height": 8}, "line 0 needs 23 of steps="),
    ],
)
def test_lines_that_cannot_be_written_are_named(changes: dict, message: str) -> None:
    whole = {"sources": [writer("a")], "alphabet": ALPHABET, "batch_size": 2, "seed": 0}
    with pytest.raises(ValueError, match=message):
        lines.LineSampler.of(**(whole | changes))
