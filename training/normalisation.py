"""Batch normalisation that fits averaged weights.

While it trains, a layer keeps the mean and variance of what the weights of the moment make. Under the moving average
of the weights these are other ones, and a deep network that normalises by the wrong ones is of no use.

Reference:
    Izmailov et al. 2018, averaged weights, https://arxiv.org/abs/1803.05407
"""

import contextlib
from collections.abc import Iterator

import keras
import numpy as np

from training.task import Task
from zoo import gan

_BATCHES = 20  # Or those of an epoch, where it has fewer.


def refit(model: keras.Model, task: Task) -> None:
    """Gives the normalisation of a model the mean and variance of batches that no step of the run draws.

    Args:
        model: Its layers that do not train stay as they are, and so do generators and what keeps no average.
        task: Draws the batches.
    """
    recipe, layers = task.recipe, _layers(model)
    if not recipe.ema or isinstance(model, gan.Adversarial) or not layers:
        return
    momenta = [layer.momentum for layer in layers]
    try:
        batches = task.batches(recipe.epochs * recipe.steps, min(_BATCHES, recipe.steps))
        for done, batch in enumerate(batches):
            for layer in layers:
                layer.momentum = done / (done + 1)  # The mean of all batches.
            model(batch[0], training=True)
    finally:
        for layer, momentum in zip(layers, momenta, strict=True):
            layer.momentum = momentum


@contextlib.contextmanager
def refitted(model: keras.Model, task: Task) -> Iterator[None]:
    """Inside, the normalisation of the model is that of `refit`. The states of its random numbers come back too."""
    variables = model.non_trainable_variables
    before = [np.asarray(variable).copy() for variable in variables]
    try:
        refit(model, task)
        yield
    finally:
        for variable, value in zip(variables, before, strict=True):
            variable.assign(value)


def _layers(model: keras.Model) -> list[keras.layers.BatchNormalization]:
    return [
        layer
        for layer in model._flatten_layers()
        if isinstance(layer, keras.layers.BatchNormalization) and layer.trainable
    ]
