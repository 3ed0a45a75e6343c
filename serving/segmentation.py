"""Reads a line character by character: ink is cut into parts, and the best run of parts makes the text.

A line is cut where it may be cut, rather too often than too seldom. Runs of neighbouring parts are candidates
for a character; each is laid into a cell of its own and read as a cell of manuscript paper is. The best path
covers all parts with candidates. It follows what the recogniser is sure of, the lengths and gaps of candidates,
and, where there is one, how likely a character follows another. What a candidate scores counts by its length, so
that one wide character and two narrow ones that share its ink compare fairly.

References:
    Casey and Lecolinet 1996, segmentation led by recognition, https://doi.org/10.1109/34.506792
    Wang, Yin and Liu 2012, handwritten Chinese lines in this way, https://doi.org/10.1109/TPAMI.2011.264
"""

import dataclasses
import functools
import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import cv2
import numpy as np

from serving import context, second_look
from serving.ahead import ahead
from serving.cells import BATCH, MARGIN
from zoo import charset, ctc, geometry, kinds, ngram
from zoo.manuscript import Direction

WEIGHT = 0.05
"""What log P(next | previous) of a bigram counts beside the recogniser. It only helps to find the path; more cuts
characters apart to get usual text. `serving.context` then chooses the characters of the path."""


Recogniser = Callable[[np.ndarray], np.ndarray]
"""From cells, uint8 (n, size, size), n at most `BATCH`, to logits, float (n, classes), divided by the
temperature of texts; class 0 is the empty cell."""

# Lengths are in em, the side of the square of an ordinary character, scores in nats, unless something else is
# said. All were chosen on lines that the writers of the training set wrote.

# What is written.
_STROKE = 0.25  # Shares of the contrast of ink: from this on it is a stroke,
_CORE = 0.45  # if somewhere it is as dark as this;
_RULE = 0.15  # printed rules may be fainter.
_SPECK = 0.0006  # Smaller areas, in square em, are dirt.
_BAND = 0.75  # How far from the middle of the line the middle of a stroke may be,
_EDGE = 0.5  # and that of a stroke at the edge of the picture, which may belong to a neighbouring line.
_TALL = 0.85  # Height of the ink of an ordinary character.

# Parts.
_OVERLAP = 0.5  # Strokes that share more of the shorter one's length are one part.
_TOUCHING = 0.95  # A part that is this long may be two characters,
_THIN = 0.22  # and be cut where no more ink than this is crossed,
_APART = 0.2  # so far from its ends and from other cuts;
_STEEP = 0.17  # or where this much more or less ink is crossed, as between a character and a mark,
_BESIDE = 0.12  # so far from those.
_BAR = 4.0  # What is this long and cannot be cut is no writing.

# Candidates.
_PARTS = 5
_LONGEST = 1.3
_WIDEST = 0.7  # The widest gap within a character, that of 二.

# The best path.
_EACH = 0.5  # For each character;
_GAP = 2.0  # for each em of gaps within it;
_LONG = 2.0  # for each share of its length that is more than that of an ordinary one;
_NARROW = 1.0  # and for the share that a Chinese character lacks of ordinary room,
_ROOM = 0.5  # which counts half of the gaps beside it up to this one,
_SPACING = 0.3  # and is as long as the character and this.
_BLANK = 0.9  # Probability of an empty cell from which on a candidate is dirt.
_NEAR = 1.0  # An answer whose log probability is this much lower counts too: 一 beside a dash.
_SURE = -0.3  # Log probability from which on a character tells how long the others are,
_LEAST = 0.2  # and the least emphasis of a short one.
_BEAM = 8  # Last characters of the paths that are followed, where a bigram tells them apart.
_LOOKS = 3  # How often a path may change after a closer look at what is in doubt on it.
_RANGE = 20.0  # Its log probabilities of different characters are hardly farther apart.


@dataclasses.dataclass(frozen=True)
class Strip:
    """A straightened line.

    Attributes:
        image: uint8 (H, W), evenly lit, dark ink on white paper, as `zoo.manuscript.flatten` makes it.
        direction: How its characters follow each other.
    """

    image: np.ndarray
    direction: Direction = "horizontal"


@dataclasses.dataclass(frozen=True)
class Segment:
    """A character of a line.

    Attributes:
        quad: Corners of the box around its ink, clockwise from the top left, float32 (4, 2), in pixels of the
            strip.
        alternatives: Classes and their probabilities among the characters, the one that was read first.
    """

    quad: np.ndarray
    alternatives: tuple[tuple[int, float], ...]


class _Answers(NamedTuple):
    """What the recogniser says of candidates.

    Attributes:
        classes: The most probable characters, the best first, int (n, k).
        scores: Their log probabilities, float (n, k).
        blank: Log probability of the empty cell, float (n,).
    """

    classes: np.ndarray
    scores: np.ndarray
    blank: np.ndarray


def read_lines(
    strips: Sequence[Strip],
    recogniser: Recogniser,
    size: int,
    bigram: ngram.Bigram | None = None,
    weight: float = WEIGHT,
    closer: Recogniser | None = None,
) -> list[list[Segment]]:
    """Reads lines of text.

    Args:
        strips: The lines, each of any size.
        recogniser: Reads cells.
        size: Side of a cell in pixels.
        bigram: Tells how likely a character follows another.
        weight: What the bigram counts beside the recogniser.
        closer: Reads cells with more care. It is shown what is in doubt where the best path is.

    Returns:
        The characters of each line, in the order of the text; none for a line without ink.

    Raises:
        ValueError: The image of a strip is no uint8 (H, W) with pixels.
    """
    for strip in strips:
        image = strip.image
        if image.ndim != 2 or image.dtype != np.uint8 or not image.size:
            raise ValueError(
                f"`image` of a strip must be uint8 (H, W) with pixels. Received: {image.dtype} {image.shape}."
            )
    lattices: list[_Lattice] = []

    def crops() -> Iterator[np.ndarray]:
        for strip in strips:
            lattices.append(_Lattice(strip))
            yield from lattices[-1].crops(size, range(len(lattices[-1].candidates)))

    answers = _recognised(crops(), recogniser)
    stops = np.cumsum([0, *(len(lattice.candidates) for lattice in lattices)]).tolist()
    found = [
        _Reading(lattice, _Answers(*(field[start:stop] for field in answers)), bigram, weight)
        for lattice, (start, stop) in zip(lattices, itertools.pairwise(stops), strict=True)
    ]
    if closer is not None:
        _look_again(found, closer, size)
    return [reading.lattice.segments(reading.path, reading.answers) for reading in found]


def _look_again(found: Sequence["_Reading"], closer: Recogniser, size: int) -> None:
    """Has what is in doubt read again, which may change the best paths, and these as well."""
    for _ in range(_LOOKS):
        doubtful = [(reading, reading.in_doubt()) for reading in found]
        crops = (reading.lattice.crops(size, chosen) for reading, chosen in doubtful if len(chosen))
        answers = _recognised(itertools.chain.from_iterable(crops), closer)
        start = 0
        for reading, chosen in doubtful:
            stop = start + len(chosen)
            reading.look_again(chosen, _Answers(*(field[start:stop] for field in answers)))
            start = stop


def _recognised(crops: Iterable[np.ndarray], recogniser: Recogniser) -> _Answers:
    """What the recogniser says of cells, uint8 (size, size) each; only two batches of them are held at a time."""
    remaining = iter(crops)
    batches = iter(lambda: list(itertools.islice(remaining, BATCH)), [])
    answers = []
    for batch in ahead(batches):
        logits = recogniser(np.stack(batch))
        total = ctc.log_sum_exp(logits)
        count = min(context.FOLLOWED, logits.shape[1] - 1)
        classes = np.argpartition(logits[:, 1:], -count, axis=1)[:, -count:] + 1
        order = np.argsort(-np.take_along_axis(logits, classes, 1), axis=1, kind="stable")
        classes = np.take_along_axis(classes, order, 1)
        scores = np.take_along_axis(logits, classes, 1) - total
        answers.append(_Answers(classes, scores, logits[:, ctc.BLANK] - total[:, 0]))
    if not answers:
        return _Answers(np.empty((0, 1), int), np.empty((0, 1)), np.empty(0))
    return _Answers(*map(np.concatenate, zip(*answers, strict=True)))


class _Lattice:
    """The candidates of a line.

    Attributes:
        candidates: First part and the one after the last of each, int (n, 2).
    """

    def __init__(self, strip: Strip) -> None:
        self._vertical = strip.direction == "vertical"
        self._grey = _without_rules(np.ascontiguousarray(strip.image.T if self._vertical else strip.image))
        self._owner, self._course = _parts(self._grey)
        bounds = _bounds(self._owner)
        count = len(bounds)
        # Parts may overlap: a gap lies between all that is before and all that is after, and may be
        # negative.
        reached = np.maximum.accumulate(bounds[:, 1, 0])
        coming = np.minimum.accumulate(bounds[::-1, 0, 0])[::-1]
        self._gaps = np.full(count + 1, np.inf)
        self._gaps[1:-1] = (coming[1:] - reached[:-1]) / self._course.em
        runs, boxes = [], []
        for first in range(count):
            for stop in range(first + 1, min(first + _PARTS, count) + 1):
                low, high = bounds[first:stop, 0].min(0), bounds[first:stop, 1].max(0)
                wide = high[0] - low[0] > _LONGEST * self._course.em or self._gaps[stop - 1] > _WIDEST
                if stop > first + 1 and wide:
                    break
                runs.append((first, stop))
                boxes.append((low, high))
        self.candidates = np.array(runs, int).reshape(-1, 2)
        # The low and the high corner of each, along and across.
        self._boxes = np.array(boxes, float).reshape(-1, 2, 2)

    def crops(self, size: int, chosen: Sequence[int] | np.ndarray) -> Iterator[np.ndarray]:
        """The chosen candidates in cells of their own, uint8 (size, size) each."""
        em = self._course.em
        pad, grey, owner = self._padded
        runs, boxes = self.candidates[chosen], self._boxes[chosen]
        lengths = boxes[:, 1] - boxes[:, 0]
        sides = np.maximum(em, 1.05 * lengths.max(1))[:, None]
        middles = boxes.mean(1)
        # A mark keeps its place in the line; the ink of a tall character is brought to the middle.
        place = np.maximum(0.0, 1 - lengths[:, 1] / (0.9 * _TALL * em))
        middles[:, 1] += place * (self._course.middle(middles[:, 0]) - middles[:, 1])
        reach = sides * (0.5 + MARGIN) + 2
        starts = np.maximum(middles - reach + pad, 0).astype(int)
        ends = (middles + reach + pad).astype(int) + 1
        square = np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]])
        quads = (middles + pad - starts - 0.5)[:, None] + square * sides[:, None]
        for (first, stop), (left, top), (right, bottom), quad in zip(
            runs.tolist(), starts.tolist(), ends.tolist(), quads, strict=True
        ):
            window = slice(top, bottom), slice(left, right)
            alone = grey[window].copy()
            alone[(owner[window] < first) | (owner[window] >= stop)] = 255
            crop = geometry.rectify(alone, quad[None], size, MARGIN)[0]
            yield crop.T if self._vertical else crop

    @functools.cached_property
    def _padded(self) -> tuple[int, np.ndarray, np.ndarray]:
        """Pixels of paper around the line, the line with them, and the part that each pixel is nearest to."""
        pad = round(_LONGEST * self._course.em)
        grey = cv2.copyMakeBorder(self._grey, pad, pad, pad, pad, cv2.BORDER_CONSTANT, value=255)
        near = _nearest(self._owner)
        return pad, grey, cv2.copyMakeBorder(near, pad, pad, pad, pad, cv2.BORDER_CONSTANT, value=-1)

    def path(self, answers: _Answers, bigram: ngram.Bigram | None, weight: float) -> list[tuple[int, int]]:
        """The candidates of the best path, each with the number of the answer that it takes.

        Args:
            answers: To the candidates.
            bigram: As of `read_lines`.
            weight: As of `read_lines`.
        """
        lengths = (self._boxes[:, 1, 0] - self._boxes[:, 0, 0]) / self._course.em
        possible = answers.scores > answers.scores[:, :1] - _NEAR
        chinese = (_chinese()[np.minimum(answers.classes, len(_chinese()) - 1)] & possible).any(1)
        typical = _TALL
        path: list[tuple[int, int]] = []
        for model in (None, bigram):
            costs = self._costs(lengths, typical, chinese)
            emphasis = np.maximum(lengths / typical, _LEAST)
            path = _best_path(self.candidates, answers, emphasis, costs, model, weight)
            # What the first round is sure of tells how long the characters of this line are.
            sure = [lengths[one] for one, _ in path if chinese[one] and answers.scores[one, 0] > _SURE]
            typical = float(np.median(sure)) if len(sure) > 2 else _TALL
        return path

    def segments(self, path: Sequence[tuple[int, int]], answers: _Answers) -> list[Segment]:
        """The characters of a path."""
        return [self._segment(candidate, choice, answers) for candidate, choice in path]

    def _costs(self, lengths: np.ndarray, typical: float, chinese: np.ndarray) -> np.ndarray:
        """What the geometry of each candidate costs, (n,).

        Args:
            lengths: Of the candidates, (n,).
            typical: Length of an ordinary character of this line.
            chinese: Whether each may be a Chinese character, (n,).
        """
        starts, stops = self.candidates.T
        blanks = np.concatenate([[0, 0], np.cumsum(np.clip(self._gaps[1:-1], 0, None))])
        inside = blanks[stops] - blanks[starts + 1]
        beside = np.minimum(self._gaps, _ROOM) / 2
        room = lengths + beside[starts] + beside[stops]
        narrow = np.where(chinese, np.maximum(1 - room / (typical + _SPACING), 0), 0)
        long = np.maximum(lengths / typical - 1, 0)
        return np.asarray(_EACH + _GAP * inside + _LONG * long + _NARROW * narrow)

    def _segment(self, candidate: int, choice: int, answers: _Answers) -> Segment:
        low, high = self._boxes[candidate]
        if self._vertical:
            low, high = low[::-1], high[::-1]
        # The corners are the edges of pixels, whose middles have whole numbers.
        (left, top), (right, bottom) = low - 0.5, high - 0.5
        quad = np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float32)
        classes = answers.classes[candidate].tolist()
        # Among the characters, without the empty cell.
        shares = np.exp(answers.scores[candidate]) / max(-np.expm1(answers.blank[candidate]), 1e-300)
        order = [choice, *(other for other in range(len(classes)) if other != choice)]
        alternatives = tuple((classes[index], min(float(shares[index]), 1.0)) for index in order)
        return Segment(quad, alternatives)


class _Reading:
    """What a line is read as so far.

    Args:
        lattice: Its candidates.
        answers: To them.
        bigram: As of `read_lines`.
        weight: As of `read_lines`.

    Attributes:
        lattice: As given.
        answers: As given, some of them after a closer look.
        path: The best one.
    """

    def __init__(
        self, lattice: _Lattice, answers: _Answers, bigram: ngram.Bigram | None, weight: float
    ) -> None:
        self.lattice, self.answers = lattice, answers
        self._bigram, self._weight = bigram, weight
        self._seen = np.zeros(len(lattice.candidates), bool)
        self.path = lattice.path(answers, bigram, weight)

    def in_doubt(self) -> np.ndarray:
        """The candidates that a closer look may help to tell apart, int (k,).

        They are in doubt and lie where one of the best path is; elsewhere most are in doubt too, because they are no
        characters.
        """
        candidates = self.lattice.candidates
        doubt = (self.answers.scores[:, 0] < np.log(second_look.DOUBT)) & ~self._seen
        covered = np.zeros(candidates.max(initial=0) + 1, int)
        for one, _ in self.path:
            if doubt[one]:
                covered[slice(*candidates[one])] = 1
        before = np.cumsum(covered) - covered
        return np.flatnonzero(doubt & (before[candidates[:, 1]] > before[candidates[:, 0]]))

    def look_again(self, chosen: np.ndarray, answers: _Answers) -> None:
        """Takes other answers to the chosen candidates, int (k,)."""
        if len(chosen):
            for field, new in zip(self.answers, answers, strict=True):
                field[chosen] = new
            self._seen[chosen] = True
            self.path = self.lattice.path(self.answers, self._bigram, self._weight)


@functools.cache
def _chinese() -> np.ndarray:
    """Whether each class is a Chinese character, bool; the last place is for all that a training added."""
    known = [kinds.kind(character) == "Chinese" for character in charset.CHARACTERS[1:]]
    return np.array([False, *known, True])


class _Path(NamedTuple):
    """The best way to a place between parts that ends in one character.

    Attributes:
        score: Of the way.
        last: Class of its last character.
        step: The last candidate, and which of its answers; None at the start and for dirt.
        before: The way to the candidate.
    """

    score: float
    last: int
    step: tuple[int, int] | None = None
    before: "_Path | None" = None


def _best_path(
    candidates: np.ndarray,
    answers: _Answers,
    emphasis: np.ndarray,
    costs: np.ndarray,
    bigram: ngram.Bigram | None,
    weight: float,
) -> list[tuple[int, int]]:
    """The best run of candidates that covers all parts.

    Args:
        candidates: First part and the one after the last of each, (n, 2), in the order of the first parts.
        answers: To the candidates.
        emphasis: What the recogniser's answer to each counts, (n,).
        costs: Of each, (n,).
        bigram: As of `read_lines`.
        weight: As of `read_lines`.

    Returns:
        Candidates and which of their answers, without the dirt.
    """
    count = 1 if bigram is None else answers.classes.shape[1]
    dirt = answers.blank > np.log(_BLANK)
    scores = emphasis[:, None] * answers.scores[:, :count]
    # What no pair with the character before it, nor with the one after it, makes up for is not followed.
    followed = (scores >= scores[:, :1] - 2 * weight * _RANGE) & ~dirt[:, None]
    numbers, choices = np.nonzero(followed)
    classes, scores = answers.classes[numbers, choices], scores[numbers, choices] - costs[numbers]
    passed = (emphasis * answers.blank - costs).tolist()
    stops = candidates[:, 1].tolist()
    best: list[dict[int, _Path]] = [{} for _ in range(max(stops, default=0) + 1)]
    best[0][ctc.BLANK] = _Path(0.0, ctc.BLANK)

    def follow(path: _Path, stop: int) -> None:
        if path.last not in best[stop] or path.score > best[stop][path.last].score:
            best[stop][path.last] = path

    places = np.arange(len(best))
    of_candidates = np.searchsorted(candidates[:, 0], places).tolist()
    of_answers = np.searchsorted(candidates[numbers, 0], places).tolist()
    for place, (ones, answered) in enumerate(zip(_spans(of_candidates), _spans(of_answers), strict=True)):
        paths = sorted(best[place].values(), key=lambda path: -path.score)[:_BEAM]
        for one in ones:
            if dirt[one]:
                for path in paths:
                    follow(_Path(path.score + passed[one], path.last, None, path), stops[one])
        span = slice(answered.start, answered.stop)
        totals = np.array([[path.score] for path in paths]) + scores[span]
        if bigram is not None:
            last = np.array([path.last for path in paths])[:, None]
            totals += weight * bigram.log_probability(last, classes[span])
        for total, before, one, choice, label in zip(
            totals.max(0).tolist(),
            totals.argmax(0).tolist(),
            numbers[span].tolist(),
            choices[span].tolist(),
            classes[span].tolist(),
            strict=True,
        ):
            last_class = ctc.BLANK if bigram is None else label
            follow(_Path(total, last_class, (one, choice), paths[before]), stops[one])
    steps = []
    way: _Path | None = max(best[-1].values(), key=lambda path: path.score)
    while way is not None:
        if way.step is not None:
            steps.append(way.step)
        way = way.before
    return steps[::-1]


def _spans(starts: Sequence[int]) -> Iterator[range]:
    """From where each span starts to where the next one does; the last one is left out."""
    return itertools.starmap(range, itertools.pairwise(starts))


class _Course:
    """Where the middle of a line runs, and how large its characters are.

    Args:
        ink: bool (H, W).

    Attributes:
        em: Side of the square of an ordinary character, in pixels.
    """

    def __init__(self, ink: np.ndarray) -> None:
        height, width = ink.shape
        reach = max(2, round(0.35 * height))  # Half a window: most windows see a whole character.
        filled = ink.any(0)
        tops = np.where(filled, ink.argmax(0), height)
        bottoms = np.where(filled, height - ink[::-1].argmax(0), 0)
        starts = range(0, max(1, width - reach), reach)
        low = np.array([tops[start : start + 2 * reach].min() for start in starts])
        high = np.array([bottoms[start : start + 2 * reach].max() for start in starts])
        tall = high - low
        chosen = tall >= max(1, 0.6 * np.percentile(tall, 80))  # Others show marks, or nothing.
        if not chosen.any():
            self.em, self._places, self._middles = float(height), np.zeros(1), np.array([height / 2])
            return
        # The picture shows one line, so its height bounds the em, and stands for it where only marks are seen.
        em = float(np.median(tall[chosen])) / _TALL
        self.em = float(np.clip(em, 0.55 * height, 1.1 * height)) if em > 0.4 * height else 0.9 * height
        self._places = np.array(starts)[chosen] + reach
        middles = np.pad((low + high)[chosen] / 2, 2, "edge")
        self._middles = np.median(np.lib.stride_tricks.sliding_window_view(middles, 5), axis=1)

    def middle(self, along: float | np.ndarray) -> np.ndarray:
        """Where the middle of the line is at places along it, in pixels."""
        return np.asarray(np.interp(along, self._places, self._middles))


def levels(grey: np.ndarray) -> tuple[float, float, float]:
    """The lightest grey of strokes, of the core of strokes, and of rules; all are darker than the grain of paper."""
    counts, greys = np.bincount(grey.ravel(), minlength=256), np.arange(256)
    # The middle of what is light, because bold ink may cover more than half of a line.
    light = np.where(greys > cv2.threshold(grey, 0, 255, cv2.THRESH_OTSU)[0], counts, 0)
    paper = _quantile(light, 0.5) if light.any() else 255.0
    lighter = np.where(greys > paper, light, 0)
    grain = 1.5 * (_quantile(lighter, 0.5) - paper) if lighter.sum() > 0.1 * grey.size else 0.0
    ink = max(1.0, paper - _quantile(counts, 0.03))
    stroke, core, rule = (
        paper - max(share * ink, factor * grain, least)
        for share, factor, least in ((_STROKE, 3, 10), (_CORE, 4.5, 20), (_RULE, 2, 8))
    )
    return stroke, core, rule


def _quantile(counts: np.ndarray, share: float) -> float:
    """What `numpy.quantile` gives for values of which there are so many each, (256,), without sorting them."""
    place = share * (int(counts.sum()) - 1)
    low, high = np.searchsorted(np.cumsum(counts), [int(place), math.ceil(place)], side="right").tolist()
    return float(low + (place - int(place)) * (high - low))


def _without_rules(grey: np.ndarray) -> np.ndarray:
    """Paints printed rules with paper, along the line and, on squared paper, across it."""
    height, width = grey.shape
    stroke, _, faint = levels(grey)
    dark = (grey < faint).astype(np.uint8)
    thickness = max(3, round(0.12 * height))
    # A short picture may show a single stroke.
    along = _rules(dark, min(2.2 * height, max(0.9 * width, 1.3 * height)), thickness)
    across = _rules(np.ascontiguousarray(dark.T), 0.97 * height, thickness).T
    # A few strokes may be as high as the picture.
    if cv2.connectedComponents(np.ascontiguousarray(across))[0] - 1 < max(3, 0.3 * width / height):
        across = np.zeros_like(across)
    strokes = ((grey < stroke) & (along + across == 0)).astype(np.uint8)
    for rules, step in ((along, (2, 1)), (across, (1, 2))):
        if rules.any():
            grey = np.where((rules > 0) & ~_crossed(rules, strokes, step, thickness), np.uint8(255), grey)
    return grey


def _crossed(rules: np.ndarray, strokes: np.ndarray, step: tuple[int, int], thickness: int) -> np.ndarray:
    """Where strokes cross rules: they are seen on both sides.

    Args:
        rules: uint8 (H, W), 1 on rules.
        strokes: uint8 (H, W), 1 on strokes beside them.
        step: Rows and columns of two pixels across the rules.
        thickness: The largest of a rule.

    Returns:
        bool (H, W).
    """
    reached = []
    for anchor in ((0, 0), (step[1] - 1, step[0] - 1)):
        side = strokes
        for _ in range(thickness + 2):  # A rule is shown with a pixel on both sides.
            side = cv2.dilate(side, np.ones(step, np.uint8), anchor=anchor) & (rules | strokes)
        reached.append(side > 0)
    return np.asarray(reached[0] & reached[1])


def _rules(dark: np.ndarray, length: float, thickness: int) -> np.ndarray:
    """Thin lines along the rows.

    Args:
        dark: uint8 (H, W), 1 where it is dark.
        length: The least length of a line in pixels.
        thickness: The largest.

    Returns:
        uint8 (H, W), 1 on lines and next to them.
    """
    closed = cv2.morphologyEx(dark, cv2.MORPH_CLOSE, np.ones((1, 5), np.uint8))
    # Shorter runs than the whole line, because no line follows the rows to the pixel.
    runs = cv2.morphologyEx(closed, cv2.MORPH_OPEN, np.ones((1, max(3, round(length / 3))), np.uint8))
    if not runs.any():
        return runs
    # With paper around: what is outside the picture must not make a line thick.
    framed = cv2.copyMakeBorder(runs, thickness, thickness, 0, 0, cv2.BORDER_CONSTANT, value=0)
    thick = cv2.morphologyEx(framed, cv2.MORPH_OPEN, np.ones((thickness + 1, 1), np.uint8))
    lines = cv2.dilate(cv2.subtract(framed, thick)[thickness:-thickness], np.ones((3, 3), np.uint8))
    _, labels, statistics, _ = cv2.connectedComponentsWithStats(lines, connectivity=8)
    long = statistics[:, cv2.CC_STAT_WIDTH] >= length
    long[0] = False
    return np.asarray(long[labels], np.uint8)


def _parts(grey: np.ndarray) -> tuple[np.ndarray, _Course]:
    """Groups the strokes of a line.

    Args:
        grey: uint8 (H, W), the line from left to right, without rules.

    Returns:
        The part of each pixel, int32 (H, W), from 0 on from left to right, -1 for paper and dirt; and the
        course of the line.
    """
    stroke, core, _ = levels(grey)
    _, labels, statistics, _ = cv2.connectedComponentsWithStats(
        (grey < stroke).astype(np.uint8), connectivity=8
    )
    strong = np.zeros(len(statistics), bool)
    strong[labels[grey < core]] = True
    course = _Course(strong[labels])
    em, height = course.em, len(grey)
    left, top, width, tall, area = statistics.T
    off = np.abs(top + tall / 2 - course.middle(left + width / 2)) / em
    cut = (top <= 0) | (top + tall >= height)
    written = strong & (area >= max(3.0, _SPECK * em**2)) & (off < np.where(cut, _EDGE, _BAND))
    owner = np.full(grey.shape, -1, np.int32)
    part = 0
    groups = _grouped(left, left + width, np.flatnonzero(written))
    group_of = np.full(len(statistics), -1)
    for group, (_, _, members) in enumerate(groups):
        group_of[members] = group
    for group, (start, stop, _) in enumerate(groups):
        strokes = group_of[labels[:, start:stop]] == group
        places = _cuts(strokes, em)
        for low, high in itertools.pairwise([0, *places, stop - start]):
            inside = strokes[:, low:high]
            if inside.any() and high - low < _BAR * em:
                owner[:, start + low : start + high][inside] = part
                part += 1
    return owner, course


def _grouped(starts: np.ndarray, stops: np.ndarray, strokes: np.ndarray) -> list[tuple[int, int, list[int]]]:
    """Joins strokes that lie over one another along the line.

    Args:
        starts: Of all strokes, (n,).
        stops: Of all strokes, (n,).
        strokes: Which of them count.

    Returns:
        Start, stop and strokes of each group, in the order of their middles.
    """
    groups = [(int(starts[stroke]), int(stops[stroke]), [stroke]) for stroke in strokes.tolist()]
    before = -1
    while len(groups) != before:  # A group that has grown may lie over another one.
        before = len(groups)
        joined: list[tuple[int, int, list[int]]] = []
        for start, stop, members in sorted(groups, key=lambda group: group[0] + group[1]):
            if joined:
                first, last, others = joined[-1]
                if min(last, stop) - max(first, start) > _OVERLAP * min(last - first, stop - start):
                    joined[-1] = (min(first, start), max(last, stop), others + members)
                    continue
            joined.append((start, stop, members))
        groups = joined
    return groups


def _cuts(strokes: np.ndarray, em: float) -> list[int]:
    """Columns at which a part may be cut, ascending.

    Args:
        strokes: bool (H, w), the part.
        em: In pixels.
    """
    width = strokes.shape[1]
    apart = round(_APART * em)
    free = np.zeros(width, bool)  # Where another cut may lie.
    free[apart + 1 : width - apart] = True
    cuts: list[int] = []
    if width >= _TOUCHING * em:
        reach = max(1, round(0.04 * em))
        ink = cv2.blur(strokes.sum(0, dtype=np.float32)[None], (2 * reach + 1, 1))[0]
        lowest = cv2.erode(ink[None], np.ones((1, 2 * reach + 1), np.uint8))[0]
        thin = np.flatnonzero((ink <= lowest) & (ink <= _THIN * em))
        for column in thin[np.argsort(ink[thin], kind="stable")].tolist():
            if free[column]:
                cuts.append(column)
                free[max(0, column - apart) : column + apart + 1] = False
        beside = round(_BESIDE * em)
        for column in _steps(ink, em, reach, beside):
            if min(abs(column - other) for other in (0, *cuts, width)) > beside:
                cuts.append(column)
    return sorted(cuts)


def _steps(ink: np.ndarray, em: float, reach: int, apart: int) -> list[int]:
    """Columns with thin ink on one side, and with much more on the other.

    Args:
        ink: That each column crosses, in pixels, (w,).
        em: In pixels.
        reach: On both sides of a column, where the ink is compared.
        apart: How far the change must be the greatest.
    """
    if len(ink) <= 2 * reach:
        return []
    before, after = ink[: -2 * reach], ink[2 * reach :]
    change = np.abs(after - before)
    greatest = cv2.dilate(change[None], np.ones((1, 2 * apart + 1), np.uint8))[0]
    steep = (change >= greatest) & (change >= _STEEP * em) & (np.minimum(before, after) <= _THIN * em)
    return (np.flatnonzero(steep) + reach).tolist()


def _bounds(owner: np.ndarray) -> np.ndarray:
    """The low and the high corner of each part, along and across, the high one excluded, float (n, 2, 2)."""
    rows, columns = np.nonzero(owner >= 0)
    parts = owner[rows, columns]
    if not len(parts):
        return np.empty((0, 2, 2))
    order = np.argsort(parts, kind="stable")
    starts = np.flatnonzero(np.diff(parts[order], prepend=-1))  # All parts have pixels.
    corners = [
        [np.minimum.reduceat(places[order], starts), np.maximum.reduceat(places[order], starts) + 1]
        for places in (columns, rows)
    ]
    return np.array(corners, float).transpose(2, 1, 0)


def _nearest(owner: np.ndarray) -> np.ndarray:
    """The part that is nearest to each pixel, so that the soft edges of strokes go with them."""
    if (owner < 0).all():
        return owner
    paper = (owner < 0).astype(np.uint8)
    _, labels = cv2.distanceTransformWithLabels(paper, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    parts = np.full(int(labels.max()) + 1, -1, owner.dtype)
    parts[labels[paper == 0]] = owner[paper == 0]
    return parts[labels]
