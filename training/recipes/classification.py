"""Recipes of character classifiers."""

import dataclasses

from training.recipe import CharacterRecipe

# What the stages of the bundled readers share.
_BUNDLED = CharacterRecipe(
    model="hanzinet_m",
    sizes={"size": 64},
    steps=1000,
    learning_rate=6e-3,
    real_weight=6.0,
    chinese_only=("w10",),  # Its sheet names signs and radicals by other rows.
)
_SLIM = dataclasses.replace(_BUNDLED, model="hanzinet_slim")

RECIPES = {
    # At 48 pixels a picture costs half as much to learn from; hanzinet_slim goes on from there with `--from`, and
    # hanzinet_slim_again from the end of that with other made-up writers. hanzinet_s starts from the channels of the
    # mean of the two, see `training.soup`, with `--narrow-from` and learns from its answers with `--teacher`.
    # hanzinet_m grows from that mean with `--widen-from` and learns from the answers of the mean and of hanzinet_s.
    # hanzinet_m_last and hanzinet_s_last go on, as they do with what `examples/accelerate.py` leaves.
    "hanzinet_slim_48": dataclasses.replace(_SLIM, sizes={"size": 48}, epochs=20),
    "hanzinet_slim": dataclasses.replace(_SLIM, epochs=24, learning_rate=4e-3, fade=0.3),
    "hanzinet_slim_again": dataclasses.replace(
        _SLIM, epochs=13, learning_rate=2e-3, fade=0.3, stroke_writers=80
    ),
    "hanzinet_m": dataclasses.replace(_BUNDLED, epochs=14, learning_rate=1e-3, fade=0.6, teacher_share=0.6),
    "hanzinet_m_last": dataclasses.replace(
        _BUNDLED, epochs=5, learning_rate=5e-4, fade=0.9, stroke_writers=24
    ),
    "hanzinet_s": dataclasses.replace(_BUNDLED, model="hanzinet_s", epochs=16, learning_rate=4e-3, fade=0.3),
    "hanzinet_s_last": dataclasses.replace(
        _BUNDLED,
        model="hanzinet_s",
        epochs=3,
        steps=700,
        learning_rate=5e-4,
        fade=0.9,
        stroke_writers=12,
    ),
    # The networks of the research note, at sizes that two cores train in an hour or so.
    "vgg16": CharacterRecipe(
        model="vgg16",
        sizes={
            "size": 40,
            "channels": 1,
            "width": 0.25,
            "dense": 384,
            "dropout": 0.05,
            "normalise": True,
            "embedding": 192,
        },
        head_from="hanzinet_m",
        epochs=24,
        steps=250,
        batch_size=64,
        learning_rate=2e-3,
    ),
    "efficientnet_b0": CharacterRecipe(
        model="efficientnet_b0",
        sizes={"size": 48, "channels": 1, "dropout": 0.0, "drop_connect": 0.0, "embedding": 192},
        head_from="hanzinet_m",
        epochs=14,
        steps=250,
        batch_size=64,
        learning_rate=3e-3,
    ),
    # For trying things out: a small network and a few minutes.
    "hanzinet_tiny": CharacterRecipe(
        model="hanzinet",
        sizes={"widths": (8, 16, 32, 64), "depths": (0, 0, 0, 0), "embedding": 32},
        epochs=2,
        steps=50,
    ),
}
