"""Connectionist temporal classification: the text in the scores of the columns of a line.

A network votes, column by column, for a class or for the blank (id 0). A path names one class for each
column; its text is the path with repeats merged and blanks left out. numpy only, so that the device
decodes as training does.

References:
    Graves et al. 2006, CTC, https://www.cs.toronto.edu/~graves/icml_2006.pdf
    Hannun et al. 2014, prefix beam search with a language model, https://arxiv.org/abs/1408.2873
"""

import dataclasses
import math
import os
import zipfile
from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

BLANK = 0
"""The class that stands for no character."""

_NEVER = -math.inf
_Answer = TypeVar("_Answer")


@dataclasses.dataclass(frozen=True)
class Reading:
    """The text of one line.

    Attributes:
        ids: The classes of its characters.
        score: Natural logarithm of its probability; see the decoder for what it counts.
        spans: The first step of each character and the step after its last one; None where the
            decoder sums over many paths.
    """

    ids: tuple[int, ...]
    score: float
    spans: tuple[tuple[int, int], ...] | None = None


class Bigram:
    """How likely a character follows another: P(next | previous) = kept + rest(previous) * P(next).

    The file keeps the pairs that matter; what it leaves out falls to P(next), so what follows a
    character always sums to 1. After the blank, which stands for an unknown character, P(next) alone
    counts.

    Args:
        unigram: float (classes,), P(next); 0 for the blank, above 0 for every other class.
        starts: int (classes + 1,); the pairs of class p are `starts[p]:starts[p + 1]`.
        following: int (pairs,), the next classes, ascending for each class.
        shares: float (pairs,), the kept part of P(next | previous).

    Raises:
        ValueError: The arrays do not fit together, or are no probabilities.
    """

    def __init__(
        self, unigram: np.ndarray, starts: np.ndarray, following: np.ndarray, shares: np.ndarray
    ) -> None:
        self.unigram = np.asarray(unigram, np.float64)
        self.starts = np.asarray(starts, np.int64)
        self.following = np.asarray(following, np.int64)
        self.shares = np.asarray(shares, np.float64)
        self._check()
        self.unigram = self.unigram / self.unigram.sum()  # The file rounds.
        pairs = np.diff(self.starts)
        owners = np.repeat(np.arange(self.classes), pairs)
        self.rest = 1 - np.bincount(owners, self.shares, minlength=self.classes)
        if self.rest.min() <= 0:
            raise ValueError(
                f"`shares` must sum to less than 1 for each class. Received: {1 - self.rest.min()}."
            )
        self._pairs = owners * self.classes + self.following
        if (np.diff(self._pairs) <= 0).any():
            raise ValueError("`following` must ascend for each class.")
        self._typical = float(np.median(self.unigram[1:]))

    def _check(self) -> None:
        if self.unigram.ndim != 1 or len(self.unigram) < 2 or self.starts.shape != (self.classes + 1,):
            raise ValueError(
                "`starts` must hold one more number than `unigram`. "
                f"Received: {self.unigram.shape} and {self.starts.shape}."
            )
        if self.unigram[BLANK] != 0 or not (self.unigram[1:] > 0).all() or abs(self.unigram.sum() - 1) > 1e-3:
            raise ValueError("`unigram` must be 0 for the blank, above 0 for the others, and sum to 1.")
        if self.starts[0] != 0 or (np.diff(self.starts) < 0).any() or self.starts[1] != 0:
            raise ValueError("`starts` must ascend from 0, and give the blank no pairs.")
        pairs = (self.starts[-1],)
        if self.following.shape != pairs or self.shares.shape != pairs:
            raise ValueError(
                "`following` and `shares` must hold as many pairs as `starts` says. "
                f"Received: {self.following.shape}, {self.shares.shape} and {pairs}."
            )
        if len(self.following) and not (
            self.following.min() > BLANK and self.following.max() < self.classes and self.shares.min() >= 0
        ):
            raise ValueError("`following` must hold classes other than the blank, `shares` no negatives.")

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Bigram":
        """Reads a file that `training.bigram` wrote.

        Args:
            path: `.npz` with `unigram` float32 (classes,), `starts` uint32 (classes + 1,), `following`
                uint16 (pairs,) and `levels` uint8 (pairs,): a level of n is a share of
                exp(-n * `step`), with `step` a float.

        Raises:
            OSError: The file cannot be read.
            ValueError: It is no such file.
        """
        try:
            with open(path, "rb") as file, np.load(file, allow_pickle=False) as data:
                missing = {"unigram", "starts", "following", "levels", "step"} - set(data.files)
                if missing:
                    raise ValueError(f"it lacks {', '.join(sorted(missing))}")
                shares = np.exp(-float(data["step"]) * data["levels"].astype(np.float64))
                return cls(data["unigram"], data["starts"], data["following"], shares)
        except (ValueError, TypeError, EOFError, KeyError, zipfile.BadZipFile) as error:
            raise ValueError(f"{os.fspath(path)}: this is no bigram file: {error}") from error

    @property
    def classes(self) -> int:
        """Number of classes, the blank included."""
        return len(self.unigram)

    def log_probability(
        self, previous: int | np.ndarray, following: Sequence[int] | np.ndarray
    ) -> np.ndarray:
        """log P(next | previous) for pairs of classes.

        Args:
            previous: Classes, int of any shape; the blank stands for an unknown character, as does a class that a
                training added.
            following: Next classes, int of a shape that fits that of `previous`, none of them the blank. One that a
                training added is as likely as most that never followed.

        Returns:
            float64 of the shape of both together.
        """
        previous, following = np.asarray(previous, np.int64), np.asarray(following, np.int64)
        previous = np.where(previous < self.classes, previous, BLANK)
        added = following >= self.classes
        unigram = np.where(added, self._typical, self.unigram[np.where(added, BLANK, following)])
        probability = self.rest[previous] * unigram
        if len(self._pairs):
            wanted = previous * self.classes + following
            place = np.minimum(np.searchsorted(self._pairs, wanted), len(self._pairs) - 1)
            probability = probability + np.where(
                (self._pairs[place] == wanted) & ~added, self.shares[place], 0
            )
        return np.log(probability)


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """Log probabilities of the last axis, float64."""
    scores = np.asarray(logits, np.float64)
    return scores - log_sum_exp(scores)


def log_sum_exp(logits: np.ndarray) -> np.ndarray:
    """The log of the sum of exp(logits) over the last axis, which stays with a length of 1: float64."""
    most = logits.max(-1, keepdims=True)
    return np.asarray(most + np.log(np.exp(logits - most).sum(-1, keepdims=True, dtype=np.float64)))


def greedy(logits: np.ndarray) -> Reading:
    """Reads the most probable path.

    Args:
        logits: float (steps, classes).

    Returns:
        The text of the path, the log probability of that path alone, and where each character stands.

    Raises:
        ValueError: `logits` has another form, or holds a value that is not finite.
    """
    scores = _checked(logits)
    path = scores.argmax(1)
    score = float(scores[np.arange(len(path)), path].sum())
    edges = np.flatnonzero(np.diff(path)) + 1
    starts, stops = [0, *edges.tolist()], [*edges.tolist(), len(path)]
    runs = [(int(path[a]), (a, b)) for a, b in zip(starts, stops, strict=True) if a < b and path[a] != BLANK]
    return Reading(tuple(label for label, _ in runs), score, tuple(span for _, span in runs))


def prefix_beam(
    logits: np.ndarray,
    beam_width: int = 16,
    top: int = 8,
    bigram: Bigram | None = None,
    weight: float = 0.5,
    bonus: float = 0.0,
    least: float = -math.inf,
) -> list[Reading]:
    """Searches for the most probable text, summed over its paths.

    Args:
        logits: float (steps, classes).
        beam_width: How many beginnings of the text survive each step.
        top: How many of the most probable classes of a step are looked at; the blank always is.
        bigram: Also scores each character by the one before it.
        weight: What log P(next | previous) counts beside the network.
        bonus: What each character adds to the score, against the bigram's liking for short texts.
        least: Classes of a step with a lower log probability are not looked at; most steps are sure of one.

    Returns:
        At most `beam_width` texts, the best first. The score of a text is the log probability of the
        paths to it that the beam kept, and for each character `weight` * log P(next | previous) and
        `bonus` where there is a bigram.

    Raises:
        ValueError: `logits` has another form or holds a value that is not finite, `beam_width` or
            `top` is below 1, or the bigram has other classes.
    """
    scores = _checked(logits)
    if beam_width < 1 or top < 1:
        raise ValueError(f"`beam_width` and `top` must be at least 1. Received: {beam_width=}, {top=}.")
    if bigram is not None and bigram.classes != scores.shape[1]:
        raise ValueError(
            "`bigram` must have the classes of `logits`. "
            f"Received: {bigram.classes} and {scores.shape[1]} classes."
        )
    # For each prefix: log P of its paths that end in a blank, of those that end in its last
    # character, and what the bigram says of it.
    beam: dict[tuple[int, ...], tuple[float, float, float]] = {(): (0.0, _NEVER, 0.0)}
    for step in scores:
        classes = _top_classes(step, top, least)
        values = step[classes].tolist()
        names = classes.tolist()
        blank = float(step[BLANK])
        grown: dict[tuple[int, ...], list[float]] = {}
        for prefix, (in_blank, in_last, language) in beam.items():
            last = prefix[-1] if prefix else BLANK
            total = _add(in_blank, in_last)
            stay = grown.setdefault(prefix, [_NEVER, _NEVER, language])
            stay[0] = _add(stay[0], total + blank)
            if bigram is not None and names:
                added = (language + bonus + weight * bigram.log_probability(last, classes)).tolist()
            else:
                added = [0.0] * len(names)
            for name, value, with_language in zip(names, values, added, strict=True):
                if name == last:
                    stay[1] = _add(stay[1], in_last + value)
                    source = in_blank  # Only a blank parts two equal characters.
                    if source == _NEVER:
                        continue
                else:
                    source = total
                longer = grown.setdefault((*prefix, name), [_NEVER, _NEVER, with_language])
                longer[1] = _add(longer[1], source + value)
        kept = sorted(grown.items(), key=lambda item: -(_add(item[1][0], item[1][1]) + item[1][2]))
        beam = {prefix: (a, b, language) for prefix, (a, b, language) in kept[:beam_width]}
    return [Reading(prefix, _add(a, b) + language) for prefix, (a, b, language) in beam.items()]


def align(logits: np.ndarray, ids: Sequence[int]) -> tuple[tuple[int, int], ...]:
    """Where the characters of a text stand, on its most probable path.

    Args:
        logits: float (steps, classes).
        ids: The classes of the text, none of them the blank.

    Returns:
        The first step of each character and the step after its last one.

    Raises:
        ValueError: `logits` has another form or holds a value that is not finite, or the text needs more steps.
    """
    scores = _checked(logits)
    if steps_needed(ids) > len(scores):
        raise ValueError(
            f"`logits` must have a step for each character and one between equal neighbours. "
            f"Received: {len(scores)} steps for {steps_needed(ids)}."
        )
    if not len(ids):
        return ()
    # Blanks stand at the even places of the path, and may be left out where two characters differ.
    places = np.zeros(2 * len(ids) + 1, np.int64)
    places[1::2] = ids
    skips = np.zeros(len(places), bool)
    skips[3::2] = places[3::2] != places[1:-2:2]
    best = np.full(len(places), _NEVER)
    best[:2] = scores[0, places[:2]]
    ways = np.zeros((len(scores), len(places)), np.int64)
    for step in range(1, len(scores)):
        moves = np.full((3, len(places)), _NEVER)
        moves[0] = best
        moves[1, 1:] = best[:-1]
        moves[2, 2:] = np.where(skips[2:], best[:-2], _NEVER)
        ways[step] = moves.argmax(0)
        best = moves.max(0) + scores[step, places]
    place = len(places) - 1 if best[-1] > best[-2] else len(places) - 2
    path = np.empty(len(scores), np.int64)
    for step in range(len(scores) - 1, -1, -1):
        path[step] = place
        place -= ways[step, place]
    wanted = np.arange(1, len(places), 2)
    starts, stops = (np.searchsorted(path, wanted, side) for side in ("left", "right"))
    return tuple(zip(starts.tolist(), stops.tolist(), strict=True))


def read_batch(
    logits: np.ndarray,
    lengths: Sequence[int] | np.ndarray | None = None,
    decoder: Callable[[np.ndarray], _Answer] = greedy,  # type: ignore[assignment]
) -> list[_Answer]:
    """Reads several lines.

    Args:
        logits: float (lines, steps, classes).
        lengths: How many steps of each line count; None counts all of them.
        decoder: Reads one line, such as `functools.partial(prefix_beam, top=4)`.

    Returns:
        What the decoder answers to each line.

    Raises:
        ValueError: A length lies outside 0 ... steps, or there is not one for each line.
    """
    if logits.ndim != 3:
        raise ValueError(f"`logits` must be (lines, steps, classes). Received: {logits.shape}.")
    steps = logits.shape[1]
    chosen = [steps] * len(logits) if lengths is None else [int(length) for length in lengths]
    if len(chosen) != len(logits) or not all(0 <= length <= steps for length in chosen):
        raise ValueError(
            f"`lengths` must hold a number of steps, 0 ... {steps}, for each of {len(logits)} lines. "
            f"Received: {chosen}."
        )
    return [decoder(line[:length]) for line, length in zip(logits, chosen, strict=True)]


def steps_needed(labels: Sequence[int] | np.ndarray) -> int:
    """How many steps the shortest path to a text takes: equal neighbours need a blank between them.

    Args:
        labels: Classes of one line; blanks (the padding of a batch) do not count.
    """
    text = np.asarray(labels)
    text = text[text != BLANK]
    return len(text) + int((text[1:] == text[:-1]).sum())


def check_labels(labels: np.ndarray, steps: int, classes: int) -> None:
    """Checks that a network can learn the labels of a batch; CTC losses accept any without a word.

    Args:
        labels: int (lines, longest), padded with the blank at the end.
        steps: Number of steps of the network, or of the shortest line.
        classes: Number of classes, the blank included.

    Raises:
        ValueError: Labels are no such array, hold an unknown class, a blank before a character, or
            more characters than `steps` can tell apart.
    """
    labels = np.asarray(labels)
    if labels.ndim != 2 or labels.dtype.kind not in "iu":
        raise ValueError(
            f"`labels` must be whole numbers (lines, longest). Received: {labels.dtype} {labels.shape}."
        )
    if labels.size and not 0 <= labels.min() <= labels.max() < classes:
        raise ValueError(
            f"`labels` must lie in 0 ... {classes - 1}. Received: {labels.min()} ... {labels.max()}."
        )
    for line, text in enumerate(labels):
        if ((text[:-1] == BLANK) & (text[1:] != BLANK)).any():
            raise ValueError(f"`labels` must hold blanks at the end only. Received: line {line}: {text}.")
        if steps_needed(text) > steps:
            raise ValueError(
                "A line must have a step for each character and one between equal neighbours. "
                f"Received: line {line} needs {steps_needed(text)} of steps={steps}."
            )


def _checked(logits: np.ndarray) -> np.ndarray:
    logits = np.asarray(logits)
    if logits.ndim != 2 or logits.shape[1] < 2:
        raise ValueError(f"`logits` must be (steps, classes), 2 classes or more. Received: {logits.shape}.")
    if not np.isfinite(logits).all():
        raise ValueError("`logits` must be finite. Received: NaN or infinity among them.")
    return log_softmax(logits) if len(logits) else logits.astype(np.float64)


def _top_classes(step: np.ndarray, top: int, least: float) -> np.ndarray:
    """The most probable classes of a step, at most `top` and none less than `least`; the blank left out, ascending."""
    classes = np.flatnonzero(step >= least)
    if len(classes) > top:
        classes = np.sort(classes[np.argpartition(step[classes], -top)[-top:]])
    return classes[classes != BLANK]


def _add(a: float, b: float) -> float:
    """log(exp(a) + exp(b))."""
    if a < b:
        a, b = b, a
    return a if b == _NEVER else a + math.log1p(math.exp(b - a))
