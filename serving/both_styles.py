"""Lines that are read in both styles: as a whole, and where that is unsure character by character as well.

The two err in different places: a line reader sees how characters run into each other, a reader of characters sees each
of them alone. What either is surer of is right more often.
"""

from collections.abc import Sequence

import numpy as np

from serving import context
from serving.lines import ReadLines, Written
from zoo import ctc
from zoo.manuscript import Direction

SURE = 0.97
"""Mean probability of the characters of a line from which on it is not read again: so most lines are read once."""


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
        second: Reads those among them that are unsure.
        bigram: Tells how likely a character follows another, which makes readings sure too.
        columns: Whether vertical lines are read by `second` too.

    Returns:
        The characters of each line in the order of the text, as they were read more surely.
    """
    found = first(flat, quads, directions)
    unsure = {
        number: certainty
        for number, (line, direction) in enumerate(zip(found, directions, strict=True))
        if (columns or direction == "horizontal") and (certainty := _certainty(line, bigram)) < SURE
    }
    again = second(flat, [quads[number] for number in unsure], [directions[number] for number in unsure])
    for (number, certainty), line in zip(unsure.items(), again, strict=True):
        if _certainty(line, bigram) > certainty:
            found[number] = line
    return found


def _certainty(line: Sequence[Written], bigram: ctc.Bigram | None) -> float:
    """The mean probability of the characters of a line beside each other; 0 where there are none."""
    alternatives = [one.alternatives for one in line]
    if bigram is not None:
        alternatives = context.reread(alternatives, bigram)
    return float(np.mean([best for (_, best), *_ in alternatives])) if alternatives else 0.0
