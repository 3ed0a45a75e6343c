"""Recipes of detectors."""

import dataclasses

from training.recipe import DetectionRecipe, Recipe

_SMALL = DetectionRecipe(
    model="dbnet_s",
    chinese_only=("w10",),
    epochs=20,
    steps=300,
    batch_size=4,
    learning_rate=3e-3,
    ema=0.998,
)

RECIPES: dict[str, Recipe] = {
    # Small ones; the bundled dbnet_s is of this kind. Some hours each on two cores.
    "dbnet_s": _SMALL,
    "craft_s": dataclasses.replace(_SMALL, model="craft_s"),
    # The networks of the papers, which two cores do not train; for an accelerator.
    "dbnet": dataclasses.replace(_SMALL, model="dbnet", batch_size=8, learning_rate=1e-3),
    "craft": dataclasses.replace(_SMALL, model="craft", batch_size=8, learning_rate=1e-3),
    # For trying things out: small pictures and a few minutes.
    "dbnet_tiny": dataclasses.replace(
        _SMALL,
        model="dbnet",
        sizes={"backbone": "mobilenet", "neck": 16, "stride": 4, "factor": 0.5, "separable": True},
        size=(320, 320),
        em=(14.0, 40.0),
        epochs=2,
        steps=20,
        validation_pages=8,
    ),
}
