"""The factors of a weighted ensemble, found on validation data."""

from collections.abc import Sequence

import numpy as np
from scipy import optimize, special


def fit(logits: Sequence[np.ndarray] | np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The factors that make `softmax(sum(factor * logits))` most likely.

    Args:
        logits: float (n, classes) of each member.
        labels: int (n,).

    Returns:
        float64 (members,), none below 0.
    """
    stacked = np.asarray(logits, np.float64)
    places = np.arange(len(labels))

    def loss(factors: np.ndarray) -> tuple[float, np.ndarray]:
        joined = np.tensordot(factors, stacked, 1)
        scores = special.softmax(joined, axis=1)
        value = float(np.mean(special.logsumexp(joined, axis=1) - joined[places, labels]))
        expected = np.einsum("nc,mnc->m", scores, stacked) / len(labels)
        return value, expected - stacked[:, places, labels].mean(1)

    start = np.full(len(logits), 1 / len(logits))
    return optimize.minimize(loss, start, jac=True, bounds=[(0, None)] * len(logits)).x
