"""Reads strips of lines as a whole: a network slides along each, and CTC makes text of what it sees."""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from serving import context, runtime
from serving.ahead import ahead
from zoo import ctc, strips

MODEL = "line_s"
"""The preset that reads lines."""

# In pixels. Steps of widths, so that LiteRT seldom plans its memory anew; longer lines are read in parts.
_STEP, _WIDEST = 256, 2048
_AFTER = 48  # Of paper behind a strip: the answer to a small mark may come behind its ink.
_OVERLAP = 352  # Of two parts: the network sees 175 pixels to either side.
_BEAM, _TOP = 8, 5  # Texts and classes that the search follows,
_LEAST = -8.0  # and their least log probability;
_MARGIN = 12.0  # texts that are less probable by more than this, as a logarithm, are not followed either.
_GAP = 9  # Pixels over which ink is averaged.
_AWAY = 0.05  # What being off half-way by the height of the strip counts beside ink that fills a column.


class Seen(NamedTuple):
    """A character of a strip.

    Attributes:
        start: Where it begins, in pixels of the strip.
        stop: Where it ends; between two characters this is where the least ink is.
        alternatives: The best classes with their probabilities among all characters, the one that was read first.
    """

    start: float
    stop: float
    alternatives: tuple[tuple[int, float], ...]


class LineReader:
    """Reads strips.

    Args:
        session: Runs the network, from `image`, uint8 (1, 64, width, 1), to `logits`, float32
            (1, width // 8, classes).
        preset: Which characters its classes are, and what the logits are divided by.
    """

    def __init__(self, session: runtime.Session, preset: runtime.Preset) -> None:
        self._session = session
        self._characters = preset.characters
        self._temperature = preset.temperature

    def __call__(self, images: Sequence[np.ndarray], inks: Sequence[np.ndarray]) -> list[list[Seen]]:
        """Reads strips.

        Args:
            images: uint8 (64, w) each, dark ink on light paper.
            inks: Which of their pixels are ink, uint8 (64, w) of 0 and 1 each.

        Returns:
            The characters of each strip from left to right.

        Raises:
            serving.runtime.ModelError: The model has other classes than its preset says.
        """
        order = np.argsort([image.shape[1] for image in images], kind="stable").tolist()
        answers = ahead(self.logits(_with_room(images[place])) for place in order)
        seen: list[list[Seen]] = [[] for _ in images]
        for place, logits in zip(order, answers, strict=True):
            seen[place] = _characters(logits, inks[place])
        return seen

    def logits(self, image: np.ndarray) -> np.ndarray:
        """What the network answers along a strip, uint8 (64, w): float32 (steps, classes), a step for 8 pixels."""
        steps = -(-image.shape[1] // strips.STEP)
        if image.shape[1] <= _WIDEST:
            return self._part(image)[:steps]
        parts = []
        half = _OVERLAP // 2 // strips.STEP
        for start in range(0, image.shape[1] - _OVERLAP, _WIDEST - _OVERLAP):
            answers = self._part(image[:, start : start + _WIDEST])
            last = start + _WIDEST >= image.shape[1]
            parts.append(answers[half if start else 0 : None if last else -half])
        return np.concatenate(parts)[:steps]

    def _part(self, image: np.ndarray) -> np.ndarray:
        width = -(-image.shape[1] // _STEP) * _STEP
        padded = np.full((1, strips.HEIGHT, width, 1), strips.shade(image), np.uint8)
        padded[0, :, : image.shape[1], 0] = image
        logits = self._session.run({"image": padded})["logits"][0]
        if logits.shape[1] != len(self._characters):
            raise runtime.ModelError(
                f"{self._session.path}: the model must have a logit for each of the "
                f"{len(self._characters)} classes. Received: {logits.shape[1]}."
            )
        return logits / np.float32(self._temperature)


def _with_room(image: np.ndarray) -> np.ndarray:
    """A strip and the paper behind it."""
    return np.pad(image, ((0, 0), (0, _AFTER)), constant_values=strips.shade(image))


def _characters(logits: np.ndarray, ink: np.ndarray) -> list[Seen]:
    """The most probable text of a strip, and where it stands."""
    scores = logits - ctc.log_sum_exp(logits).astype(logits.dtype)  # Doubles would take thrice the time.
    # What the search looks at: a hundred classes or two. The others would change all paths alike.
    likely = (scores >= _LEAST).any(0)
    likely[ctc.BLANK] = True
    names = np.flatnonzero(likely)
    searched = scores[:, names]
    best = ctc.prefix_beam(searched, _BEAM, _TOP, least=_LEAST, margin=_MARGIN)[0].ids
    if not best:
        return []
    spans = np.array(ctc.align(searched, best))
    edges = _edges(ink, (spans.sum(1) - 1) / 2 * strips.STEP)
    return [
        Seen(start, stop, _alternatives(np.exp(scores[first:last, 1:]).sum(0), int(label)))
        for (start, stop), (first, last), label in zip(
            itertools.pairwise(edges), spans.tolist(), names[list(best)], strict=True
        )
    ]


def _edges(ink: np.ndarray, middles: np.ndarray) -> list[float]:
    """Where characters begin and end whose middles are about there, in pixels of the strip.

    Between two of them it is where the least ink is, and if there is none at several places, nearest to half-way.
    """
    height, width = ink.shape
    # Over a few columns: the gap between two characters is wider than those inside of one.
    covered = cv2.blur(ink.mean(0, dtype=np.float32)[None], (_GAP, 1))[0]
    middles = np.clip(middles, 0, width - 1)
    edges = [0.0]
    for left, right in itertools.pairwise(middles.tolist()):
        columns = np.arange(int(left), max(int(left), int(right)) + 1)
        away = np.abs(columns - (left + right) / 2) / height
        edges.append(float(columns[np.argmin(covered[columns] + _AWAY * away)]))
    return [*edges, float(width)]


def _alternatives(chances: np.ndarray, label: int) -> tuple[tuple[int, float], ...]:
    """The best classes of a place with their shares, one of them first; `chances` lack the blank."""
    shares = chances / max(float(chances.sum()), 1e-30)
    count = min(context.FOLLOWED, len(shares))
    found = np.argpartition(shares, -count)[-count:]
    order = [
        label - 1,
        *(one for one in found[np.argsort(-shares[found], kind="stable")] if one != label - 1),
    ]
    return tuple((int(one) + 1, min(1.0, float(shares[one]))) for one in order[:count])
