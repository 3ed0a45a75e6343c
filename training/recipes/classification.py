"""Recipes of character classifiers."""

from training.recipe import CharacterRecipe

RECIPES = {
    # The first bundled reader: about a million pictures, an hour on two cores.
    "hanzinet_m": CharacterRecipe(model="hanzinet_m"),
    # For trying things out: a small network and a few minutes.
    "hanzinet_tiny": CharacterRecipe(
        model="hanzinet",
        sizes={"widths": (8, 16, 32, 64), "depths": (0, 0, 0, 0), "embedding": 32},
        epochs=2,
        steps=50,
    ),
}
