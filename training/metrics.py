"""Figures of merit."""

import keras
import numpy as np
from scipy import optimize

from training import pipeline
from training.sources import Glyphs


def accuracy_by_writer(model: keras.Model, sources: list[Glyphs]) -> dict[str, float]:
    """The share of characters whose first answer is right, for each writer."""
    return {
        source.writer: float(np.mean(logits_of(model, source).argmax(1) == source.labels))
        for source in sources
    }


def logits_of(model: keras.Model, source: Glyphs) -> np.ndarray:
    """The logits of all characters of a source, undistorted: float32 (n, classes)."""
    cells = pipeline.clean_cells(source, model.input_shape[1])
    batches = [cells[start : start + 512] for start in range(0, len(cells), 512)]
    return np.concatenate([np.asarray(model.predict_on_batch(batch)["logits"]) for batch in batches])


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """The temperature that makes `softmax(logits / temperature)` most likely.

    Reference:
        Guo et al. 2017, https://arxiv.org/abs/1706.04599
    """
    shifted = logits - logits.max(1, keepdims=True)

    def loss(log_temperature: float) -> float:
        scaled = shifted / np.exp(log_temperature)
        right = scaled[np.arange(len(labels)), labels]
        return float(np.mean(np.log(np.exp(scaled).sum(1)) - right))

    return float(np.exp(optimize.minimize_scalar(loss, bounds=(-2, 2), method="bounded").x))


def expected_calibration_error(scores: np.ndarray, right: np.ndarray, bins: int = 15) -> float:
    """The mean distance between score and accuracy over `bins` equally wide bins of the score.

    Args:
        scores: float (n,), the score of the first answer.
        right: bool (n,), whether it is right.
        bins: Number of bins.
    """
    index = np.minimum((scores * bins).astype(int), bins - 1)
    counts = np.bincount(index, minlength=bins)
    gaps = np.abs(np.bincount(index, scores - right, minlength=bins))
    return float(gaps.sum() / counts.sum())
