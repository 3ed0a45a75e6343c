"""What `fit` has to know of a model that trains against another: what to keep, to average and to hand out."""

import keras

from zoo import gan


def product(model: keras.Model) -> keras.Model:
    """What a run hands out: the model itself, or the generator that it trains."""
    return model.generator if isinstance(model, gan.Adversarial) else model


def averaged_variables(model: keras.Model) -> list[keras.Variable]:
    """What `model.optimizer` trains."""
    return model.drawing_variables() if isinstance(model, gan.Adversarial) else model.trainable_variables


def state(model: keras.Model) -> list[keras.Variable]:
    """All that a run needs to go on: the weights, and what the optimizers keep. Their order stays the same."""
    if not model.optimizer.built:
        model.optimizer.build(averaged_variables(model))
    kept = [*model.variables, *model.optimizer.variables]
    if isinstance(model, gan.Adversarial):
        kept += model.discriminator_optimizer.variables
    return kept
