"""Lines that are read in both styles: as a whole, and where that is unsure character by character as well.

The two err in different places: a line reader sees how characters run into each other, and passes over some; a reader of
characters sees each of them alone. What the line reader is sure of is right more often, and is read once.
"""

from collections.abc import Sequence

import numpy as np

from serving import context
from serving.lines import ReadLines, Written
from zoo import ctc
from zoo.manuscript import Direction

SURE = 0.98
"""Mean probability of the characters of a line from which on it is not read again: so most lines are read once."""

_STEP = 1.5  # Where neighbours are so many times as far apart as is usual in their line, one may have been passed over.


def read(
    flat: np.ndarray,
    quads: Sequence[np.ndarray],
    directions: Sequence[Direction],
    first: ReadLines,
    second: ReadLines,
    bigram: ctc.Bigram | None = None,
    columns: bool = True,
) -> list[list[Written]]:
    """Reads lines, in both styles where the first one is unsure.

    Args:
        flat: As of `serving.lines.read`.
        quads: As of `serving.lines.read`.
        directions: As of `serving.lines.read`.
        first: Reads all lines.
        second: Reads those among them that are unsure; what it reads there stands, without a bigram where it is surer.
        bigram: Tells how likely a character follows another, which makes readings sure too.
        columns: Whether vertical lines are read by `second` too.

    Returns:
        The characters of each line in the order of the text.
    """
    found = first(flat, quads, directions)
    unsure = [
        number
        for number, (line, direction) in enumerate(zip(found, directions, strict=True))
        if (columns or direction == "horizontal") and not _is_sure(line, bigram)
    ]
    again = second(flat, [quads[number] for number in unsure], [directions[number] for number in unsure])
    for number, line in zip(unsure, again, strict=True):
        # Without a bigram, the line reader knows best what fits together.
        if line and (bigram is not None or _certainty(line, None) > _certainty(found[number], None)):
            found[number] = line
    return found


def _is_sure(line: Sequence[Written], bigram: ctc.Bigram | None) -> bool:
    """Whether the characters of a line are probable, and none seems to have been passed over."""
    if _certainty(line, bigram) < SURE:
        return False
    steps = np.linalg.norm(np.diff([one.quad.mean(0) for one in line], axis=0), axis=1)
    return not len(steps) or bool(steps.max() <= _STEP * np.median(steps))


def _certainty(line: Sequence[Written], bigram: ctc.Bigram | None) -> float:
    """The mean probability of the characters of a line beside each other; 0 where there are none."""
    alternatives = [one.alternatives for one in line]
    if bigram is not None:
        alternatives = context.reread(alternatives, bigram)
    return float(np.mean([best for (_, best), *_ in alternatives])) if alternatives else 0.0
