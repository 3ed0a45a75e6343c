"""Batch normalisation of averaged weights."""

import dataclasses
from typing import Any

import keras
import numpy as np
import pytest

from training import normalisation
from training.recipe import Recipe


@dataclasses.dataclass
class Task:
    """Draws batches whose mean is the number of their step."""

    recipe: Recipe = dataclasses.field(default_factory=lambda: Recipe("none", epochs=2, steps=5, ema=0.9))

    def batches(self, first_step: int, steps: int) -> list[tuple[Any, None]]:
        rng = np.random.default_rng(0)
        drawn = [
            rng.normal(step, 2.0, (4000, 1)).astype(np.float32)
            for step in range(first_step, first_step + steps)
        ]
        return [(batch, None) for batch in drawn]


@pytest.fixture
def model() -> keras.Model:
    inner = keras.Sequential([keras.Input((1,)), keras.layers.BatchNormalization(name="inner")])
    fixed = keras.layers.BatchNormalization(trainable=False, name="fixed")
    return keras.Sequential([keras.Input((1,)), inner, fixed])


def _statistics(layer: keras.layers.BatchNormalization) -> tuple[float, float]:
    return np.asarray(layer.moving_mean).item(), np.asarray(layer.moving_variance).item()


@pytest.mark.parametrize(("steps", "drawn"), [(5, range(10, 15)), (25, range(50, 70))])
def test_mean_and_variance_are_those_of_batches_that_no_step_draws(
    model: keras.Model, steps: int, drawn: range
) -> None:
    layer = model.layers[0].layers[0]
    normalisation.refit(model, Task(Recipe("none", epochs=2, steps=steps, ema=0.9)))
    mean, variance = _statistics(layer)
    assert mean == pytest.approx(np.mean(drawn), abs=0.1)
    assert variance == pytest.approx(4.0, rel=0.02)
    assert layer.momentum == 0.99
    assert _statistics(model.layers[1]) == (0.0, 1.0)  # It does not train.


def test_they_last_only_inside(model: keras.Model) -> None:
    layer = model.layers[0].layers[0]
    with normalisation.refitted(model, Task()):
        assert _statistics(layer)[0] > 10
    assert _statistics(layer) == (0.0, 1.0)


def test_a_model_without_normalisation_draws_nothing() -> None:
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    normalisation.refit(model, _NoBatches())


def test_without_an_average_of_weights_nothing_changes(model: keras.Model) -> None:
    normalisation.refit(model, _NoBatches(Recipe("none")))


class _NoBatches(Task):
    def batches(self, first_step: int, steps: int) -> list[tuple[Any, None]]:
        raise AssertionError("no batch is needed")
