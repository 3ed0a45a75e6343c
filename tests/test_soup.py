"""The mean of several runs."""

from pathlib import Path

import numpy as np
import pytest

import zoo
from tests import tiny
from training import fit, soup


def saved(folder: Path, value: float, **sizes: object) -> Path:
    model = zoo.create("hanzinet", **tiny.READERS["hanzinet"] | sizes)
    for weight in model.weights:
        weight.assign(np.full(weight.shape, value))
    zoo.save(model, folder)
    return folder


def test_each_weight_is_the_mean_of_those_of_all_models(tmp_path: Path) -> None:
    folders = [saved(tmp_path / str(value), value) for value in (1.0, 2.0, 6.0)]
    mean = soup.mean(folders)
    assert all((np.asarray(weight) == 3.0).all() for weight in mean.weights)
    zoo.save(mean, tmp_path / "mean")
    assert zoo.load(tmp_path / "mean").built_by_zoo == zoo.load(folders[0]).built_by_zoo


def test_the_mean_of_runs_tells_of_the_training_of_the_last_one(tmp_path: Path) -> None:
    folders = [saved(tmp_path / name, value) for name, value in (("a", 1.0), ("b", 2.0))]
    soup.save(folders, tmp_path / "mean")
    assert zoo.describe(tmp_path / "mean").keys() == {"model", "sizes", "files"}
    run = zoo.describe(folders[1]) | {
        "recipe": {"kind": "CharacterRecipe", "model": "hanzinet"},
        "training": {"pictures": 7},
        "data": {"hands": ["w"], "hands_before": ["v"], "sets": ["casia"]},
        "validation": {"mean": 0.5},
        "history": [],
    }
    fit.write_json(folders[1] / "result.json", run)
    (folders[1] / "model.json").unlink()
    for _ in range(2):  # The second time into what is there.
        soup.save(folders, tmp_path / "mean")
        told = zoo.describe(tmp_path / "mean")
        assert (told["recipe"], told["training"]) == (run["recipe"], run["training"])
        assert told["mean_of"] == ["a", "b"]
        assert told["data"] == {
            "hands": ["w"],
            "hands_before": ["v", "w"],
            "sets": ["casia"],
            "sets_before": ["casia"],
        }
        assert not {"validation", "history"} & told.keys()  # Those of the mean are others.
        assert all((np.asarray(weight) == 1.5).all() for weight in zoo.load(tmp_path / "mean").weights)
    assert {path.name for path in (tmp_path / "mean").iterdir()} == {"result.json", zoo.WEIGHTS}


def test_answers_of_networks_that_differ_are_averaged(tmp_path: Path) -> None:
    one, other = saved(tmp_path / "one", 0.01), saved(tmp_path / "other", 0.02, embedding=4)
    soup.save([one, other], tmp_path / "both", apart=True)
    pictures = np.random.default_rng(0).integers(0, 256, (3, *zoo.load(one).input_shape[1:]), np.uint8)
    first, second, both = (
        zoo.load(folder).predict_on_batch(pictures)["logits"] for folder in (one, other, tmp_path / "both")
    )
    np.testing.assert_allclose(both, (first + second) / 2, rtol=1e-5, atol=1e-6)


def test_networks_that_differ_are_named(tmp_path: Path) -> None:
    one, other = saved(tmp_path / "one", 1.0), saved(tmp_path / "other", 1.0, embedding=4)
    with pytest.raises(ValueError, match="must be the same network"):
        soup.mean([one, other])
    with pytest.raises(ValueError, match="two or more"):
        soup.mean([one])
