"""Every model of the zoo at a size that a test builds in a moment."""

from collections.abc import Callable

import keras
import numpy as np

_EFFICIENTNET = {"classes": 12, "size": 32, "channels": 1, "width": 0.1, "depth": 0.3, "embedding": 16}

SIZES: dict[str, dict] = {
    "vgg16": {"classes": 12, "size": 32, "channels": 1, "width": 0.125, "dense": 32, "normalise": True},
    **{f"efficientnet_b{phi}": _EFFICIENTNET for phi in range(8)},
    "hanzinet": {
        "classes": 12,
        "size": 32,
        "widths": (8, 8, 16, 16),
        "depths": (0, 1, 0, 0),
        "embedding": 16,
    },
    "hanzinet_m": {"classes": 12},
    "ensemble": {
        "classes": 12,
        "size": 32,
        "members": (
            ("vgg16", {"width": 0.125, "dense": 32, "normalise": True}),
            ("efficientnet_b0", {"width": 0.1, "depth": 0.3}),
        ),
    },
}


def loss(model: keras.Model) -> dict[str, Callable]:
    """What a model of the zoo trains with, by the shape of its output."""
    if model.output["logits"].ndim == 3:  # (N, steps, classes)
        return {"logits": keras.losses.CTC()}
    return {"logits": keras.losses.SparseCategoricalCrossentropy(from_logits=True)}


def labels(model: keras.Model, count: int) -> np.ndarray:
    """Labels that fit the output of a model: int32 (count,), or (count, 3) of a line reader."""
    rng = np.random.default_rng(1)
    return rng.integers(1, 12, (count, 3) if model.output["logits"].ndim == 3 else count).astype(np.int32)
