"""Which characters a model takes for which."""

import collections
import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Confusion:
    """Two classes that are taken for each other.

    Attributes:
        classes: The two, the smaller id first.
        read_as: How often the first was read as the second, and the second as the first.
        samples: How often the first was written, and the second.
    """

    classes: tuple[int, int]
    read_as: tuple[int, int]
    samples: tuple[int, int]

    @property
    def mistakes(self) -> int:
        """The mistakes in both directions."""
        return sum(self.read_as)


def count(labels: np.ndarray, answers: np.ndarray) -> list[Confusion]:
    """All pairs that were taken for each other, those with the most mistakes first.

    Of pairs with equally many mistakes, the one with fewer samples comes first.

    Args:
        labels: int (n,), the classes that were written.
        answers: int (n,), the classes that were read.
    """
    written = collections.Counter(labels.tolist())
    wrong = answers != labels
    mistakes = collections.Counter(zip(labels[wrong].tolist(), answers[wrong].tolist(), strict=True))
    pairs = {(min(pair), max(pair)) for pair in mistakes}
    found = [
        Confusion(
            (first, second),
            (mistakes[first, second], mistakes[second, first]),
            (written[first], written[second]),
        )
        for first, second in pairs
    ]
    return sorted(found, key=lambda one: (-one.mistakes, sum(one.samples), one.classes))
