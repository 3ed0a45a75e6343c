"""The search over alpha, beta and gamma, and the operations that it prints."""

import dataclasses
from pathlib import Path

import pytest

import zoo
from tests import made_hands
from training import operations, search_scale, sources
from training.recipe import CharacterRecipe
from zoo.efficientnet import Factors


def test_the_papers_operations_are_counted() -> None:
    assert operations.multiply_adds(zoo.create("vgg16")) / 1e9 == pytest.approx(15.5, rel=0.01)
    assert operations.multiply_adds(zoo.create("efficientnet_b0")) / 1e9 == pytest.approx(0.39, rel=0.02)


def test_members_of_an_ensemble_are_counted() -> None:
    members = ("vgg16", {"width": 0.125, "dense": 16})
    joined = zoo.create("ensemble", classes=5, size=32, members=(members, members))
    alone = zoo.create("vgg16", classes=5, size=32, channels=1, **members[1])
    assert operations.multiply_adds(joined) == 2 * operations.multiply_adds(alone)


def test_all_candidates_double_the_operations() -> None:
    grid = search_scale.candidates()
    assert Factors(1.2, 1.1, 1.2) in grid
    assert len(set(grid)) == len(grid) > 10
    assert all(1.9 <= factors.operations <= 2.1 for factors in grid)


@pytest.mark.slow
def test_the_search_returns_operations_beside_accuracy(tmp_path: Path) -> None:
    data = made_hands.write_data(tmp_path / "data")
    assert set(sources.frequent_characters(data, 4)) < set(made_hands.CHARACTERS)
    recipe = CharacterRecipe(
        model="efficientnet_b0", data=data, characters="一二三", epochs=1, steps=1, batch_size=4
    )
    grid = [Factors(1.0, 1.0, 1.4), Factors(2.0, 1.0, 1.0)]
    rows = search_scale.search(recipe, grid)
    assert {row[0] for row in rows} == set(grid)
    assert rows[0][2] >= rows[1][2]
    wide = search_scale.scaled(grid[0], recipe).sizes
    assert (wide["size"], wide["depth"]) == (44, 0.5)
    with pytest.raises(ValueError, match="holds none of the characters"):
        dataclasses.replace(recipe, characters="龍").task()
