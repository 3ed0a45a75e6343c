"""What a classifier answers to characters."""

import keras
import numpy as np

from training import pipeline
from training.sources import Glyphs


def logits_of(model: keras.Model, source: Glyphs) -> np.ndarray:
    """The logits of all characters of a source, undistorted: float32 (n, classes)."""
    cells = pipeline.clean_cells(source, model.input_shape[1])
    batches = [cells[start : start + 512] for start in range(0, len(cells), 512)]
    return np.concatenate([np.asarray(model.predict_on_batch(batch)["logits"]) for batch in batches])


def best(logits: np.ndarray, count: int = 5) -> np.ndarray:
    """The classes with the highest logits, the highest first: float (n, classes) to int (n, count).

    Fewer than `count` where there are fewer classes.
    """
    count = min(count, logits.shape[1])
    found = np.argpartition(-logits, count - 1, axis=1)[:, :count]
    order = np.argsort(-np.take_along_axis(logits, found, 1), axis=1, kind="stable")
    return np.take_along_axis(found, order, 1)
