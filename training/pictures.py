"""Pictures for people: sheets of samples and of mistakes."""

import collections
from collections.abc import Sequence

import cv2
import numpy as np

from training.sources import Glyphs


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


def writers_sheet(sources: Sequence[Glyphs], columns: int = 20, rows: int = 40) -> np.ndarray:
    """The same characters in many hands and fonts, one in a row; empty where one lacks a character.

    Args:
        sources: Hands and fonts; at most `rows` are shown, evenly spaced over all.
        columns: How many characters, those that the most of the sources hold.
        rows: How many sources at most.
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
    sources: Sequence[Glyphs], answers: Sequence[np.ndarray], examples: Sequence[Glyphs], pairs: int = 32
) -> np.ndarray:
    """The most frequent mistakes, the most frequent first, eight triples in a row.

    Each triple shows what was written, an example of the character that it is, and an example of the
    one that was read; an empty cell stands for a character without an example.

    Args:
        sources: What was read.
        answers: int (n,), the class that was read, for each source.
        examples: Where the examples are taken from.
        pairs: How many mistakes are shown.
    """
    counts: collections.Counter[tuple[int, int]] = collections.Counter()
    written: dict[tuple[int, int], np.ndarray] = {}
    for source, read in zip(sources, answers, strict=True):
        for index in np.flatnonzero(read != source.labels):
            pair = int(source.labels[index]), int(read[index])
            counts[pair] += 1
            written.setdefault(pair, source.images[index])
    first: dict[int, np.ndarray] = {}
    for example in examples:
        labels, places = np.unique(example.labels, return_index=True)
        for label, place in zip(labels, places, strict=True):
            first.setdefault(int(label), example.images[place])
    empty = np.full((64, 64), 255, np.uint8)
    cells: list[np.ndarray] = [] if counts else [empty, empty, empty]
    for pair, _ in counts.most_common(pairs):
        triple = written[pair], first.get(pair[0], empty), first.get(pair[1], empty)
        cells += [cv2.resize(image, (64, 64), interpolation=cv2.INTER_AREA) for image in triple]
    return contact_sheet(np.stack(cells), columns=24)
