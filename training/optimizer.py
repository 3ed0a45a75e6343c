"""The optimizer of what learns from labels."""

import keras

from training.recipe import SupervisedRecipe


def adamw(recipe: SupervisedRecipe) -> keras.optimizers.Optimizer:
    """A fresh optimizer for a whole run: the rate rises to its highest, then a half cosine to zero."""
    steps = recipe.epochs * recipe.steps
    rise = max(1, round(recipe.warmup * steps))
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0, max(1, steps - rise), warmup_target=recipe.learning_rate, warmup_steps=rise
    )
    average = {"use_ema": True, "ema_momentum": recipe.ema} if recipe.ema else {}
    optimizer = keras.optimizers.AdamW(
        schedule, weight_decay=recipe.weight_decay, global_clipnorm=recipe.clip_norm, **average
    )
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer
