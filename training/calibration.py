"""Scores that mean what they say: the temperature, its error, and the score below which to reject.

A temperature and a threshold flatter the characters that they were fitted on. `cross_fit` fits them for
each writer on the other writers.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy import optimize

from training import sources

PRECISION = 0.99
"""The share of right answers that the answers above the threshold shall have."""

_MOST_FOLDS = 10
_BINS = 15


@dataclasses.dataclass(frozen=True)
class Calibration:
    """How the scores of a model are made and used.

    Attributes:
        temperature: What logits are divided by.
        threshold: The score from which on answers are accepted; None if no score is precise enough.
    """

    temperature: float
    threshold: float | None


def scores_of(logits: np.ndarray, temperature: float) -> np.ndarray:
    """The score of the first answer, its softmax: float (n, classes) to float64 (n,)."""
    shifted = logits - logits.max(1, keepdims=True)
    return 1 / np.exp(shifted / np.float32(temperature)).sum(1, dtype=np.float64)


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """The temperature with which the score of the first answer tells best whether that is right.

    It makes the mean of (score - right)² least. That of `fit_text_temperature` lowers all scores for the sake of a few
    mistakes that a model is sure of, such as O for 0; this one is at least half of it, because with few mistakes the
    least would be none.

    References:
        Brier 1950, https://doi.org/10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2
        Guo et al. 2017, https://arxiv.org/abs/1706.04599
    """
    right = logits.argmax(1) == labels

    def loss(log_temperature: float) -> float:
        return float(np.mean((scores_of(logits, np.exp(log_temperature)) - right) ** 2))

    return max(_least(loss), fit_text_temperature(logits, labels) / 2)


def fit_text_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """The temperature that makes `softmax(logits / temperature)` most likely, to be weighed against a language model.

    Reference:
        Guo et al. 2017, https://arxiv.org/abs/1706.04599
    """
    shifted = logits - logits.max(1, keepdims=True)
    of_label = shifted[np.arange(len(labels)), labels]

    def loss(log_temperature: float) -> float:
        temperature = np.float32(np.exp(log_temperature))
        totals = np.exp(shifted / temperature).sum(1, dtype=np.float64)
        return float(np.mean(np.log(totals) - of_label / temperature))

    return _least(loss)


def _least(loss: Callable[[float], float]) -> float:
    """The temperature between 0.14 and 7.4 whose logarithm makes a loss least."""
    found = optimize.minimize_scalar(loss, bounds=(-2, 2), method="bounded", options={"xatol": 1e-4})
    return float(np.exp(found.x))


def reject_threshold(scores: np.ndarray, right: np.ndarray, precision: float = PRECISION) -> float | None:
    """The lowest score from which on answers are right often enough.

    Args:
        scores: float (n,), the score of the first answer.
        right: bool (n,), whether it is right.
        precision: The share of the accepted answers that shall be right.

    Returns:
        The threshold; None if no answers, however high their scores, are precise enough.
    """
    order = np.argsort(-scores, kind="stable")
    falling = scores[order]
    shares = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    last_of_equals = np.append(falling[1:] < falling[:-1], True)
    enough = np.flatnonzero((shares >= precision) & last_of_equals)
    return float(falling[enough[-1]]) if len(enough) else None


def fit(logits: np.ndarray, labels: np.ndarray) -> Calibration:
    """The temperature and the threshold of some characters.

    Args:
        logits: float32 (n, classes).
        labels: int (n,), their classes.
    """
    temperature = fit_temperature(logits, labels)
    return Calibration(
        temperature, reject_threshold(scores_of(logits, temperature), logits.argmax(1) == labels)
    )


def cross_fit(
    logits: Sequence[np.ndarray], labels: Sequence[np.ndarray], writers: Sequence[str]
) -> list[Calibration]:
    """Fits one calibration for each source, on the sources of other people.

    Up to ten people are held out one by one; more are held out in ten groups.

    Args:
        logits: float32 (n, classes) of each source.
        labels: int (n,) of each source.
        writers: The name of each source.

    Raises:
        ValueError: All sources are of one person.
    """
    people = sorted({sources.person(writer) for writer in writers})
    if len(people) < 2:
        raise ValueError(f"`writers` must name at least two people. Received: {list(writers)}.")
    folds = [people.index(sources.person(writer)) % _MOST_FOLDS for writer in writers]
    fitted = {}
    for held in set(folds):
        others = [index for index, fold in enumerate(folds) if fold != held]
        fitted[held] = fit(
            np.concatenate([logits[index] for index in others]),
            np.concatenate([labels[index] for index in others]),
        )
    return [fitted[fold] for fold in folds]


def measure(
    logits: Sequence[np.ndarray],
    labels: Sequence[np.ndarray],
    writers: Sequence[str],
    calibrations: Sequence[Calibration],
) -> dict[str, Any]:
    """What scores and thresholds are worth on characters that they were not fitted on.

    Args:
        logits: float32 (n, classes) of each source.
        labels: int (n,) of each source.
        writers: The name of each source.
        calibrations: What each source is measured with.

    Returns:
        `expected_calibration_error` and `bins` of the scores; `precision` and `coverage` of the answers
        from the threshold on, `precision` None where there are none; under `writers` the same without the
        bins for each source, with its `temperature` and `threshold`; and `mean_expected_calibration_error`
        of the sources, in which one that is too sure cannot make up for one that is not sure enough.
    """
    scored = [scores_of(one, used.temperature) for one, used in zip(logits, calibrations, strict=True)]
    right = [one.argmax(1) == truth for one, truth in zip(logits, labels, strict=True)]
    accepted = [
        one >= (np.inf if used.threshold is None else used.threshold)
        for one, used in zip(scored, calibrations, strict=True)
    ]
    together = np.concatenate(scored), np.concatenate(right), np.concatenate(accepted)
    of_writers = {
        writer: dataclasses.asdict(used) | _worth(*of_writer)
        for writer, used, *of_writer in zip(writers, calibrations, scored, right, accepted, strict=True)
    }
    errors = [found["expected_calibration_error"] for found in of_writers.values()]
    return {
        **_worth(*together),
        "mean_expected_calibration_error": float(np.mean(errors)),
        "bins": reliability(*together[:2]),
        "writers": of_writers,
    }


def _worth(scores: np.ndarray, right: np.ndarray, accepted: np.ndarray) -> dict[str, float | None]:
    return {
        "expected_calibration_error": expected_calibration_error(scores, right),
        "precision": float(right[accepted].mean()) if accepted.any() else None,
        "coverage": float(accepted.mean()),
    }


def reliability(scores: np.ndarray, right: np.ndarray, bins: int = _BINS) -> list[dict[str, float]]:
    """The samples, the mean score and the share of right answers in each of the equally wide bins that hold any.

    Arguments as in `expected_calibration_error`.
    """
    index = np.minimum((scores * bins).astype(int), bins - 1)
    return [
        {
            "from": bin / bins,
            "to": (bin + 1) / bins,
            "samples": int((index == bin).sum()),
            "score": float(scores[index == bin].mean()),
            "right": float(right[index == bin].mean()),
        }
        for bin in np.unique(index).tolist()
    ]


def expected_calibration_error(scores: np.ndarray, right: np.ndarray, bins: int = _BINS) -> float:
    """The mean distance between score and accuracy over `bins` equally wide bins of the score.

    Args:
        scores: float (n,), the score of the first answer.
        right: bool (n,), whether it is right.
        bins: Number of bins.
    """
    return sum(
        one["samples"] * abs(one["score"] - one["right"]) for one in reliability(scores, right, bins)
    ) / len(scores)
