"""The measurement of training rates measures what it says."""

from pathlib import Path

import keras
import numpy as np
import pytest

from tests import made_hands
from training import measure_rate
from training.recipe import CharacterRecipe


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_hands.write_data(tmp_path_factory.mktemp("data"))


def test_cached_batches_are_those_of_the_recipe_again_and_again(data: Path) -> None:
    tiny = {"widths": (4, 4, 4, 4), "embedding": 4}
    task = measure_rate.CachedRecipe(model="hanzinet", sizes=tiny, data=data, batch_size=4).task()
    drawn = list(task.batches(0, 10).as_numpy_iterator())
    assert len(drawn) == 10
    for step in (0, 1, 9):
        for expected, found in zip(task.sampler.batch(step % 8), drawn[step], strict=True):
            np.testing.assert_array_equal(expected, found)


def test_a_folder_that_is_not_there_is_told_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["measure_rate", "nowhere"])
    with pytest.raises(SystemExit) as ended:
        measure_rate.main()
    assert ended.value.code == 1
    assert capsys.readouterr().err.startswith("hanzoo: `data` must be a folder. Received: nowhere.")


def test_bare_steps_train(data: Path) -> None:
    tiny = {"widths": (4, 4, 4, 4), "embedding": 4}
    task = CharacterRecipe(model="hanzinet", sizes=tiny, data=data, batch_size=4).task()
    task.compile(task.model)
    measure_rate.bare_steps(task.model, [task.sampler.batch(0)], 3)
    assert int(task.model.optimizer.iterations.numpy()) == 3


def test_the_loop_is_measured_beside_the_bare_steps(data: Path) -> None:
    figures = measure_rate.loop(data, "hanzinet_tiny", rounds=2, steps=2)
    assert figures["batch_size"] == 128
    # So few and small steps are mostly the work between epochs; only the order of magnitude is known.
    assert 0.001 < figures["share"] < 2
    assert figures["bare"] > 10


def test_both_precisions_are_timed_and_the_policy_is_left_as_it_was() -> None:
    rates = measure_rate.precisions("hanzinet_tiny", rounds=1, steps=1, batch_size=2)
    assert rates.keys() == {"float32", "mixed_bfloat16"}
    assert min(rates.values()) > 0
    assert keras.config.dtype_policy().name == "float32"


def test_the_pipeline_is_timed_alone(data: Path) -> None:
    assert measure_rate.pipeline(data, "hanzinet_tiny", rounds=1, steps=1) > 0


def test_the_table_shows_every_figure() -> None:
    table = measure_rate.table(
        {
            "machine": {"cpu": "A processor", "cores": 2, "python": "3.11.7"},
            "loop": {"hanzinet_m": {"batch_size": 128, "fit": 930.0, "bare": 1000.0, "share": 0.93}},
            "precision": {"vgg16": {"float32": 50.0, "mixed_bfloat16": 75.0}},
            "pipeline": {"hanzinet_m": 1234.0},
        }
    )
    assert "| hanzinet_m | 1000 | 930 | 93.0% | 1234 |" in table
    assert "| vgg16 | plain convolutions | 50 | 75 | 1.50 |" in table
