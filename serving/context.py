"""What the characters beside a character say of it.

A recogniser sees one character at a time and cannot tell 一 from a dash, nor 日 from 曰, where a pen draws them
alike. The most probable characters of two neighbouring places are the states of a hidden Markov model whose transitions
are a trigram; forward and backward sums over all readings of the text give each place's probabilities anew.

numpy only.

References:
    Rabiner 1989, forward and backward sums, https://doi.org/10.1109/5.18626
"""

import functools
from collections.abc import Sequence

import numpy as np

from serving import runtime
from zoo import ngram

FILE = runtime.PRESETS / "ngram" / "model.npz"
"""The trigram that comes with the package; the card beside it tells what it was counted in."""

WEIGHT = 0.8
"""What log P(next | two before) counts beside the recogniser. Chosen on sentences that were not counted, written with
characters of the validation writers."""

FOLLOWED = 24
"""Classes of a place among which its neighbours choose. Where a recogniser is wrong, what was written is often far
down, and the trigram tells it from all those that do not fit."""

_LEAST = 1e-5  # Smaller shares are not followed.

Alternatives = tuple[tuple[int, float], ...]
"""Classes and their probabilities among the characters, the best first."""


@functools.cache
def load() -> ngram.Trigram:
    """The trigram that comes with the package.

    Raises:
        serving.runtime.ModelError: It is missing or damaged.
    """
    try:
        return ngram.Trigram.load(FILE)
    except (OSError, ValueError) as error:
        raise runtime.ModelError(f"the n-gram file cannot be read: {error}; install hanzoo again") from error


def reread(
    text: Sequence[Alternatives], trigram: ngram.Trigram, weight: float = WEIGHT
) -> list[Alternatives]:
    """Reads a text once more, each character beside the others.

    Args:
        text: What may be written at each place, in the order of the text.
        trigram: Tells how likely a character follows the two before it.
        weight: What it counts beside the recogniser.

    Returns:
        The same classes at each place with their probabilities in this text, the best first.
    """
    if len(text) < 2:
        return list(text)
    _, shares, steps = _followed_along(text, trigram, weight)
    forward = [shares[0][None]]
    for step, share in zip(steps, shares[1:], strict=True):
        forward.append(_scaled(step.onward(forward[-1]) * share))
    backward = [np.ones_like(forward[-1])]
    for step, share in zip(reversed(steps), reversed(shares[1:]), strict=True):
        backward.append(_scaled(step.back(backward[-1] * share)))
    return [
        _weighed(one, (ahead * behind).sum(0))
        for one, ahead, behind in zip(text, forward, reversed(backward), strict=True)
    ]


def evidence(text: Sequence[Alternatives], trigram: ngram.Trigram, weight: float = WEIGHT) -> float:
    """How well what was read fits together: the logarithm of all readings' shares, in the mean of the characters.

    It compares readings of the same ink that part it differently.

    Args:
        text: As of `reread`, of one place or more.
        trigram: As of `reread`.
        weight: As of `reread`.
    """
    first, shares, steps = _followed_along(text, trigram, weight)
    forward = (shares[0] * np.exp(weight * trigram.bigram.log_probability(ngram.BLANK, first)))[None]
    total = 0.0
    for step, share in zip(steps, shares[1:], strict=True):
        total += float(np.log(forward.sum()))
        forward = step.onward(_scaled(forward)) * share
    return (total + float(np.log(forward.sum()))) / len(text)


def _followed_along(
    text: Sequence[Alternatives], trigram: ngram.Trigram, weight: float
) -> tuple[np.ndarray, tuple[np.ndarray, ...], list[ngram.Step]]:
    """What is followed: the classes of the first place, the shares of each, and the steps to those behind it.

    A state is a pair of neighbours; the first character follows an unknown one.
    """
    classes, shares = zip(*(_followed_of(one) for one in text), strict=True)
    return classes[0], shares, list(trigram.along(classes, weight))


def _scaled(chances: np.ndarray) -> np.ndarray:
    """Chances that sum to 1, so that those of a long text do not become too small for a float."""
    return np.asarray(chances / chances.sum())


def _followed(alternatives: Alternatives) -> list[int]:
    """The numbers of the alternatives that are followed: the likely ones, the first one if there is none."""
    return [number for number, (_, share) in enumerate(alternatives) if share >= _LEAST] or [0]


def _followed_of(alternatives: Alternatives) -> tuple[np.ndarray, np.ndarray]:
    """The classes of a place that are followed, and their shares."""
    classes, shares = zip(*(alternatives[number] for number in _followed(alternatives)), strict=True)
    return np.array(classes, np.int64), np.maximum(shares, _LEAST)


def _weighed(alternatives: Alternatives, chances: np.ndarray) -> Alternatives:
    """The alternatives, the best first: those that were followed with new shares of what they had together."""
    shares = [share for _, share in alternatives]
    followed = _followed(alternatives)
    new = chances * (min(1.0, sum(shares[number] for number in followed)) / chances.sum())
    for number, share in zip(followed, new.tolist(), strict=True):
        shares[number] = share
    weighed = ((label, share) for (label, _), share in zip(alternatives, shares, strict=True))
    return tuple(sorted(weighed, key=lambda one: -one[1]))
