"""Lines that are read in both styles where the first one is unsure: as a whole, and character by character.

The two err in different places: a line reader sees how characters run into each other, and passes over some; a reader of
characters sees each of them alone, and takes parts of one for several. Rows are read as a whole at first; columns, which
have to be parted all the same, character by character. Most lines are sure then, and read once. Of the others both
readings are joined as an ensemble: where they found the same ink, the means of their answers count. Elsewhere they part
it differently; the line then has the characters of the one that makes more sense.
"""

from collections.abc import Callable, Sequence

import numpy as np

from serving import context
from serving.lines import ReadLines, Written
from zoo import ngram
from zoo.manuscript import Direction

ReadWhole = Callable[
    [np.ndarray, Sequence[np.ndarray], Sequence[Direction], Sequence[Sequence[Written]]], list[list[Written]]
]
"""As `ReadLines`; last come the characters of the vertical lines among them, one list each, as they were parted."""

SURE = 0.98
"""Mean probability of the characters of a line from which on it is not read again: so most lines are read once."""

_STEP = 1.5  # Where neighbours are so many times as far apart as is usual in their line, one may have been passed over.
_SHARED = 0.5  # Characters that share more of the shorter one's length are the same.
_WHOLE = 0.3  # What the line reader's answer counts; the recogniser's the rest.


def read(
    flat: np.ndarray,
    quads: Sequence[np.ndarray],
    directions: Sequence[Direction],
    whole: ReadWhole,
    single: ReadLines,
    trigram: ngram.Trigram | None = None,
) -> list[list[Written]]:
    """Reads lines, in both styles where the first one is unsure.

    Args:
        flat: As of `serving.lines.read`.
        quads: As of `serving.lines.read`.
        directions: As of `serving.lines.read`.
        whole: Reads lines as a whole.
        single: Reads them character by character.
        trigram: Tells how likely a character follows the two before it, which makes readings sure. Without one
            readings are not joined; the surer one stands.

    Returns:
        The characters of each line in the order of the text.
    """

    def asked(numbers: Sequence[int]) -> tuple[list[np.ndarray], list[Direction]]:
        return [quads[number] for number in numbers], [directions[number] for number in numbers]

    rows = [number for number, direction in enumerate(directions) if direction == "horizontal"]
    columns = [number for number, direction in enumerate(directions) if direction == "vertical"]
    wholes = dict(zip(rows, whole(flat, *asked(rows), []), strict=True))
    singles = dict(zip(columns, single(flat, *asked(columns)), strict=True))
    found = wholes | singles
    unsure_rows = [number for number in rows if not _is_sure(found[number], trigram)]
    unsure_columns = [number for number in columns if not _is_sure(found[number], trigram)]
    parted = [singles[number] for number in unsure_columns]
    wholes |= zip(unsure_columns, whole(flat, *asked(unsure_columns), parted), strict=True)
    singles |= zip(unsure_rows, single(flat, *asked(unsure_rows)), strict=True)
    for number in unsure_rows + unsure_columns:
        corners = np.asarray(quads[number], float)
        axis = corners[1 if directions[number] == "horizontal" else 3] - corners[0]
        found[number] = _joined(wholes[number], singles[number], axis, trigram)
    return [found[number] for number in range(len(quads))]


def _is_sure(line: Sequence[Written], trigram: ngram.Trigram | None) -> bool:
    """Whether the characters of a line are probable, and none seems to have been passed over."""
    if _certainty(line, trigram) < SURE:
        return False
    steps = np.linalg.norm(np.diff([one.quad.mean(0) for one in line], axis=0), axis=1)
    return not len(steps) or bool(steps.max() <= _STEP * np.median(steps))


def _certainty(line: Sequence[Written], trigram: ngram.Trigram | None) -> float:
    """The mean probability of the characters of a line beside each other; 0 where there are none."""
    alternatives = [one.alternatives for one in line]
    if trigram is not None:
        alternatives = context.reread(alternatives, trigram)
    return float(np.mean([best for (_, best), *_ in alternatives])) if alternatives else 0.0


def _joined(
    whole: list[Written], single: list[Written], axis: np.ndarray, trigram: ngram.Trigram | None
) -> list[Written]:
    """What both readings of a line say together; `axis`, (2,), points along the line."""
    if not whole or not single:
        return single or whole
    if trigram is None:
        # The line reader knows best what fits together.
        return single if _certainty(single, None) > _certainty(whole, None) else whole
    by_whole, by_single = list(whole), list(single)
    for one, other in _same(whole, single, axis):
        alternatives = _mean(whole[one].alternatives, single[other].alternatives)
        by_whole[one] = by_whole[one]._replace(alternatives=alternatives)
        by_single[other] = by_single[other]._replace(alternatives=alternatives)
    return max(
        by_single, by_whole, key=lambda line: context.evidence([one.alternatives for one in line], trigram)
    )


def _same(whole: Sequence[Written], single: Sequence[Written], axis: np.ndarray) -> list[list[int]]:
    """Which characters of two readings are the same: those that overlap with each other and no third."""
    low, high = (
        [end([one.quad @ axis for one in line], axis=1) for line in (whole, single)]
        for end in (np.min, np.max)
    )
    shared = np.minimum(high[0][:, None], high[1]) - np.maximum(low[0][:, None], low[1])
    shorter = np.minimum((high[0] - low[0])[:, None], high[1] - low[1])
    overlap = shared > _SHARED * shorter
    alone = overlap & (overlap.sum(1, keepdims=True) == 1) & (overlap.sum(0) == 1)
    return np.argwhere(alone).tolist()


def _mean(whole: context.Alternatives, single: context.Alternatives) -> context.Alternatives:
    """The classes of two answers with the means of their shares, the best first."""
    shares = {label: (1 - _WHOLE) * share for label, share in single}
    for label, share in whole:
        shares[label] = shares.get(label, 0.0) + _WHOLE * share
    return tuple(sorted(shares.items(), key=lambda one: -one[1])[: context.FOLLOWED])
