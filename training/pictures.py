"""Pictures for people: sheets of samples and of mistakes."""

import dataclasses
import itertools
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from training import confusions
from training.sources import Glyphs
from zoo import charset

# Pixels of a sheet of confusions, and how many samples it shows of each character.
_CELL, _STEP, _HEAD, _COUNT, _NAME = 64, 70, 28, 70, 56
_RIGHT, _WRONG = 2, 5
_HALF = _NAME + (_RIGHT + _WRONG) * _STEP + 10


def contact_sheet(images: np.ndarray, columns: int = 16) -> np.ndarray:
    """Pictures side by side: uint8 (n, H, W) becomes (rows * (H + 2), columns * (W + 2)).

    Raises:
        ValueError: There are no pictures.
    """
    if not len(images):
        raise ValueError("`images` must hold at least one picture. Received: none.")
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    framed = np.pad(images, ((0, rows * columns - len(images)), (1, 1), (1, 1)), constant_values=128)
    _, height, width = framed.shape
    return framed.reshape(rows, columns, height, width).swapaxes(1, 2).reshape(rows * height, columns * width)


def side_by_side(images: Sequence[np.ndarray]) -> np.ndarray:
    """Pictures of one size in a row with grey lines between them: uint8 (H, W) or (H, W, 3) each."""
    height, _, *channels = images[0].shape
    line = np.full((height, 2, *channels), 128, np.uint8)
    return np.concatenate([part for image in images for part in (image, line)][:-1], axis=1)


def outlined(image: np.ndarray, quads: Sequence[np.ndarray] | np.ndarray) -> np.ndarray:
    """A copy of a picture, uint8 (H, W, 3) RGB, with quadrilaterals, float (4, 2) each, drawn into it."""
    drawn = image.copy()
    cv2.polylines(drawn, [np.rint(quad).astype(np.int32) for quad in quads], True, (220, 30, 30), 2)
    return drawn


def writers_sheet(sources: Sequence[Glyphs], columns: int = 20, rows: int = 40) -> np.ndarray:
    """The same characters in many hands and fonts, one in a row; empty where one lacks a character.

    Args:
        sources: Hands and fonts; at most `rows` are shown, evenly spaced over all.
        columns: How many characters, those that the most of the sources hold.
        rows: How many sources at most.

    Returns:
        uint8 (H, W): a row of 98 pixels for each source, a column of 98 for each character.
    """
    held = np.bincount(np.concatenate([np.unique(source.labels) for source in sources]))
    labels = np.sort(np.argsort(-held, kind="stable")[: min(columns, np.count_nonzero(held))])
    shown = np.unique(np.linspace(0, len(sources) - 1, min(rows, len(sources))).round().astype(int))
    empty = np.full_like(sources[0].images[0], 255)
    cells = []
    for source in (sources[index] for index in shown):
        first = dict(zip(source.labels[::-1].tolist(), source.images[::-1], strict=True))
        cells += [first.get(int(label), empty) for label in labels]
    return contact_sheet(np.stack(cells), len(labels))


def confusion_sheet(
    sources: Sequence[Glyphs],
    answers: Sequence[np.ndarray],
    examples: Sequence[Glyphs] = (),
    characters: Sequence[str] = charset.CHARACTERS,
    font: Path | None = None,
    pairs: int = 20,
) -> np.ndarray:
    """The pairs of characters that are most often taken for each other, one in a row.

    A row names the pair, its mistakes in both directions and the samples that they stand on. Then it
    shows for each of the two, in grey frames, how it is written where it is read right, and in red frames
    the samples that were read as the other one.

    Args:
        sources: What was read.
        answers: int (n,), the class that was read, for each source.
        examples: Stand in for characters of which no sample was read right.
        characters: The character of each class.
        font: A font that holds the characters; without one the pictures alone name them.
        pairs: How many rows there are at most.

    Returns:
        uint8 (H, W, 3).
    """
    labels = np.concatenate([source.labels for source in sources])
    found = confusions.count(labels, np.concatenate(answers))[:pairs]
    read = list(zip(sources, answers, strict=True))
    right = [_only(source, answer == source.labels) for source, answer in read]
    sheet = Image.new("RGB", (_COUNT + 2 * _HALF, _HEAD + max(1, len(found)) * _STEP), "white")
    pen, small = ImageDraw.Draw(sheet), ImageFont.load_default(14)
    large = small if font is None else ImageFont.truetype(str(font), 40)
    for left in (_COUNT + _NAME, _COUNT + _HALF + _NAME):
        pen.text((left, 6), "read right", "dimgrey", small)
        pen.text((left + _RIGHT * _STEP, 6), "read as the other one", "firebrick", small)
    if not found:
        pen.text((10, _HEAD), "no mistakes", "black", small)
    for row, one in enumerate(found):
        top = _HEAD + row * _STEP
        middle = top + _CELL / 2
        pen.text((10, middle), f"{one.mistakes} of\n{sum(one.samples)}", "dimgrey", small, "lm")
        for half, (label, other) in enumerate((one.classes, one.classes[::-1])):
            left = _COUNT + half * _HALF
            if not label:
                pen.text((left, middle), "empty", "black", small, "lm")
            elif font is not None:
                pen.text((left, middle), characters[label], "black", large, "lm")
            usual = _some(right, label, _RIGHT) or _some(examples, label, _RIGHT)
            wrong = _some([_only(source, answer == other) for source, answer in read], label, _WRONG)
            _paste(sheet, usual, (left + _NAME, top), "darkgrey")
            _paste(sheet, wrong, (left + _NAME + _RIGHT * _STEP, top), "firebrick")
    return np.asarray(sheet)


def _only(source: Glyphs, chosen: np.ndarray) -> Glyphs:
    return dataclasses.replace(source, images=source.images[chosen], labels=source.labels[chosen])


def _some(sources: Sequence[Glyphs], label: int, most: int) -> list[np.ndarray]:
    """Samples of a class, from as many of the sources as possible."""
    rounds = itertools.zip_longest(*(source.images[source.labels == label] for source in sources))
    return list(itertools.islice((image for one in rounds for image in one if image is not None), most))


def _paste(sheet: Image.Image, images: Sequence[np.ndarray], place: tuple[int, int], colour: str) -> None:
    """Puts framed pictures side by side."""
    left, top = place
    for image in images:
        small = Image.fromarray(image).resize((_CELL, _CELL), Image.Resampling.BOX)
        sheet.paste(small, (left, top))
        ImageDraw.Draw(sheet).rectangle((left, top, left + _CELL, top + _CELL), outline=colour, width=2)
        left += _STEP
