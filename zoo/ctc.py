"""Connectionist temporal classification: the text in the scores of the columns of a line.

A network votes, column by column, for a class or for the blank (id 0). A path names one class for each
column; its text is the path with repeats merged and blanks left out. numpy only, so that the device
decodes as training does.

References:
    Graves et al. 2006, CTC, https://www.cs.toronto.edu/~graves/icml_2006.pdf
    Hannun et al. 2014, prefix beam search with a language model, https://arxiv.org/abs/1408.2873
"""

import dataclasses
import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import numpy as np

from zoo.ngram import BLANK as BLANK
from zoo.ngram import Bigram

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
    margin: float = math.inf,
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
        margin: Beginnings whose score is lower than the best one's by more do not survive either.

    Returns:
        At most `beam_width` texts, the best first. The score of a text is the log probability of the
        paths to it that the beam kept, and for each character `weight` * log P(next | previous) and
        `bonus` where there is a bigram.

    Raises:
        ValueError: `logits` has another form or holds a value that is not finite, `beam_width` or
            `top` is below 1, `margin` below 0, or the bigram has other classes.
    """
    scores = _checked(logits)
    if beam_width < 1 or top < 1:
        raise ValueError(f"`beam_width` and `top` must be at least 1. Received: {beam_width=}, {top=}.")
    if not margin >= 0:
        raise ValueError(f"`margin` must be at least 0. Received: {margin=}.")
    if bigram is not None and bigram.classes != scores.shape[1]:
        raise ValueError(
            "`bigram` must have the classes of `logits`. "
            f"Received: {bigram.classes} and {scores.shape[1]} classes."
        )
    # For each prefix: log P of its paths that end in a blank, of those that end in its last
    # character, and what the bigram says of it.
    beam: dict[tuple[int, ...], list[float]] = {(): [0.0, _NEVER, 0.0]}
    for step, classes in zip(scores, _top_classes(scores, top, least), strict=True):
        blank = float(step[BLANK])
        if not len(classes):
            beam = {
                prefix: [_add(a, b) + blank, _NEVER, language] for prefix, (a, b, language) in beam.items()
            }
            continue
        values, names = step[classes].tolist(), classes.tolist()
        grown: dict[tuple[int, ...], list[float]] = {}
        for prefix, (in_blank, in_last, language) in beam.items():
            last = prefix[-1] if prefix else BLANK
            total = _add(in_blank, in_last)
            stay = grown.setdefault(prefix, [_NEVER, _NEVER, language])
            stay[0] = _add(stay[0], total + blank)
            if bigram is not None:
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
        scored = {prefix: _add(a, b) + language for prefix, (a, b, language) in grown.items()}
        kept = sorted(scored, key=scored.__getitem__, reverse=True)[:beam_width]
        lowest = scored[kept[0]] - margin
        beam = {prefix: grown[prefix] for prefix in kept if scored[prefix] >= lowest}
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


def _top_classes(scores: np.ndarray, top: int, least: float) -> Iterator[np.ndarray]:
    """The most probable classes of each step, at most `top` and none less than `least`; the blank left out, ascending."""
    steps, classes = np.nonzero(scores >= least)
    bounds = np.searchsorted(steps, np.arange(len(scores) + 1)).tolist()
    for step, (start, stop) in enumerate(itertools.pairwise(bounds)):
        likely = classes[start:stop]
        if len(likely) > top:
            likely = np.sort(likely[np.argpartition(scores[step, likely], -top)[-top:]])
        yield likely[likely != BLANK]


def _add(a: float, b: float) -> float:
    """log(exp(a) + exp(b))."""
    if a < b:
        a, b = b, a
    return a if b == _NEVER else a + math.log1p(math.exp(b - a))
