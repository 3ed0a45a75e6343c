"""What the characters beside a character say of it.

A recogniser sees one character at a time and cannot tell 一 from a dash, nor 日 from 曰, where a pen draws them
alike. The most probable characters of each place are the states of a hidden Markov model whose transitions are a
bigram; forward and backward sums over all readings of the text give each place's probabilities anew.

numpy only.

References:
    Rabiner 1989, forward and backward sums, https://doi.org/10.1109/5.18626
"""

import functools
import itertools
from collections.abc import Sequence

import numpy as np

from serving import runtime
from zoo import ctc

FILE = runtime.PRESETS / "bigram" / "model.npz"
"""The bigram that comes with the package; the card beside it tells what it was counted in."""

WEIGHT = 0.7
"""What log P(next | previous) counts beside the recogniser. Chosen on sentences that were not counted, written with
characters of the validation writers."""

FOLLOWED = 24
"""Classes of a place among which its neighbours choose. Where a recogniser is wrong, what was written is often far
down, and the bigram tells it from all those that do not fit."""

_LEAST = 1e-5  # Smaller shares are not followed.

Alternatives = tuple[tuple[int, float], ...]
"""Classes and their probabilities among the characters, the best first."""


@functools.cache
def load() -> ctc.Bigram:
    """The bigram that comes with the package.

    Raises:
        serving.runtime.ModelError: It is missing or damaged.
    """
    try:
        return ctc.Bigram.load(FILE)
    except (OSError, ValueError) as error:
        raise runtime.ModelError(f"the bigram cannot be read: {error}; install hanzoo again") from error


def reread(text: Sequence[Alternatives], bigram: ctc.Bigram, weight: float = WEIGHT) -> list[Alternatives]:
    """Reads a text once more, each character beside the others.

    Args:
        text: What may be written at each place, in the order of the text.
        bigram: Tells how likely a character follows another.
        weight: What the bigram counts beside the recogniser.

    Returns:
        The same classes at each place with their probabilities in this text, the best first.
    """
    if len(text) < 2:
        return list(text)
    states = [_state(one) for one in text]
    steps = [
        weight * bigram.log_probability(before[:, None], after[None])
        for (before, _), (after, _) in itertools.pairwise(states)
    ]
    forward = [states[0][1]]
    for step, (_, shares) in zip(steps, states[1:], strict=True):
        forward.append(np.logaddexp.reduce(forward[-1][:, None] + step, axis=0) + shares)
    backward = [np.zeros(len(states[-1][0]))]
    for step, (_, shares) in zip(reversed(steps), reversed(states[1:]), strict=True):
        backward.append(np.logaddexp.reduce(step + (backward[-1] + shares)[None], axis=1))
    return [
        _weighed(one, ahead + behind)
        for one, ahead, behind in zip(text, forward, reversed(backward), strict=True)
    ]


def _followed(alternatives: Alternatives) -> list[int]:
    """The numbers of the alternatives that are followed: the likely ones, the first one if there is none."""
    return [number for number, (_, share) in enumerate(alternatives) if share >= _LEAST] or [0]


def _state(alternatives: Alternatives) -> tuple[np.ndarray, np.ndarray]:
    """The classes of a place that are followed, and the logarithms of their shares."""
    classes, shares = zip(*(alternatives[number] for number in _followed(alternatives)), strict=True)
    return np.array(classes, np.int64), np.log(np.maximum(shares, _LEAST))


def _weighed(alternatives: Alternatives, logs: np.ndarray) -> Alternatives:
    """The alternatives, the best first: those that were followed with new shares of what they had together."""
    shares = [share for _, share in alternatives]
    followed = _followed(alternatives)
    new = np.exp(logs - logs.max())
    new *= min(1.0, sum(shares[number] for number in followed)) / new.sum()
    for number, share in zip(followed, new.tolist(), strict=True):
        shares[number] = share
    weighed = ((label, share) for (label, _), share in zip(alternatives, shares, strict=True))
    return tuple(sorted(weighed, key=lambda one: -one[1]))
