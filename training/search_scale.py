"""The search of EfficientNet's first step: `python -m training.search_scale DATA`.

For every alpha, beta and gamma on a grid with alpha * beta^2 * gamma^2 about 2, trains a small EfficientNet
that is scaled by them (phi = 1), and prints operations beside accuracy. On a small budget the order
of near candidates is chance; the table shows by how much the accuracies differ at all.
"""

import argparse
import dataclasses
import itertools
import tempfile
from pathlib import Path

from training import fit, operations, sources
from training.recipe import CharacterRecipe
from zoo.efficientnet import Factors

WIDTH, DEPTH, SIZE = 0.35, 0.5, 32
"""The network that is scaled: a share of B0 that trains in a minute."""


def candidates(step: float = 0.1, tolerance: float = 0.05) -> list[Factors]:
    """The grid: multiples of `step` from 1 on whose operations are 2, give or take a share of `tolerance`."""
    values = [1 + step * index for index in range(round(1 / step) + 1)]
    grid = [Factors(*(round(value, 6) for value in row)) for row in itertools.product(values, repeat=3)]
    return [factors for factors in grid if abs(factors.operations / 2 - 1) <= tolerance]


def scaled(factors: Factors, recipe: CharacterRecipe) -> CharacterRecipe:
    """The recipe with the small network scaled by `factors`."""
    sizes = {
        "channels": 1,
        "width": WIDTH * factors.beta,
        "depth": DEPTH * factors.alpha,
        "size": 4 * round(SIZE * factors.gamma / 4),
        "embedding": 64,
        "drop_connect": 0.0,
    }
    return dataclasses.replace(recipe, model="efficientnet_b0", sizes=sizes)


def search(recipe: CharacterRecipe, grid: list[Factors]) -> list[tuple[Factors, int, float]]:
    """Operations and accuracy on validation writers of each candidate, best accuracy first."""
    rows = []
    for factors in grid:
        with tempfile.TemporaryDirectory() as workdir:
            trained = scaled(factors, recipe)
            model = fit.fit(trained, Path(workdir))
            figures = fit.evaluate(workdir, recipe.data)
        rows.append((factors, operations.multiply_adds(model), figures["mean"]))
    return sorted(rows, key=lambda row: -row[2])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.search_scale", description=__doc__)
    parser.add_argument("data", type=Path, help="folder with hands/train and hands/dev")
    parser.add_argument("--characters", type=int, default=100, help="how many characters are told apart")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--step", type=float, default=0.1, help="of the grid")
    options = parser.parse_args()
    recipe = CharacterRecipe(
        model="efficientnet_b0",
        data=options.data,
        characters=sources.frequent_characters(options.data, options.characters),
        epochs=options.epochs,
        steps=options.steps,
        batch_size=64,
    )
    rows = search(recipe, candidates(options.step))
    print("\nalpha  beta  gamma  operations of phi=1  million multiply-adds  accuracy")
    for factors, count, accuracy in rows:
        print(
            f"{factors.alpha:5.2f} {factors.beta:5.2f} {factors.gamma:6.2f} {factors.operations:20.2f} "
            f"{count / 1e6:22.1f} {accuracy:9.3f}"
        )


if __name__ == "__main__":
    main()
