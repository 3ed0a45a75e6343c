"""What `fit` asks of a task: a model, batches, figures and pictures."""

from collections.abc import Iterable
from typing import Any, Literal, Protocol

import keras
import numpy as np
import tensorflow as tf

import zoo
from training.recipe import Recipe


def learned_before(models: Iterable[str | None]) -> dict[str, list[str]]:
    """What models, and those that they went on from, were trained on, as `result.json` tells it.

    Args:
        models: Names of presets, or folders; None is passed over.

    Returns:
        The names of hands as `hands_before`, of public sets as `sets_before`.
    """
    data = [zoo.describe(model).get("data", {}) for model in models if model]
    return {
        f"{kind}_before": sorted(
            {name for one in data for name in (*one.get(kind, ()), *one.get(f"{kind}_before", ()))}
        )
        for kind in ("hands", "sets")
    }


class Task(Protocol):
    """Classifiers, line readers, detectors and generators train alike; here is where they differ.

    Reading the data is the constructor's work; it raises ValueError for data that cannot be used.

    Attributes:
        recipe: What it was made from.
        model: A model of the zoo with fresh weights, or with those that the recipe starts from.
        skipped: A line for each file of the data that cannot be used, with the reason.
        goal: Whether the first figure of `evaluate` shall grow or shrink.
    """

    @property
    def recipe(self) -> Recipe: ...  # What tasks hold is more precise.

    model: keras.Model
    skipped: list[str]
    goal: Literal["max", "min"]

    def compile(self, model: keras.Model) -> None:
        """Gives the model its optimizer, losses and metrics."""

    def batches(self, first_step: int, steps: int) -> tf.data.Dataset:
        """The batches of `steps` steps from `first_step` on; the same seed and step give the same batch."""

    def evaluate(self, model: keras.Model) -> dict[str, float]:
        """The figures of the validation data. The first one tells which epoch is the best."""

    def samples(self) -> dict[str, np.ndarray]:
        """What the run trains on, for people: uint8 (H, W) or (H, W, 3) by a name that serves as a file name."""

    def pictures(self, model: keras.Model) -> dict[str, np.ndarray]:
        """What the model does, for people, as `samples`; called after `evaluate` with the same model."""

    def facts(self) -> dict[str, Any]:
        """What `result.json` says of the data, and what a preset needs besides its weights."""
