"""A run stops, ends and fails as it should, and starts from what others left."""

import dataclasses
import json
import resource
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

import zoo
from tests import made_hands
from training import callbacks, fit, sources
from training.recipe import CharacterRecipe
from training.task import learned_before
from zoo import charset

TINY = CharacterRecipe(
    model="hanzinet",
    sizes={"widths": (4, 8, 16, 16), "depths": (0, 0, 0, 0), "embedding": 8, "dropout": 0.1},
    epochs=3,
    steps=3,
    batch_size=8,
)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_hands.write_data(tmp_path_factory.mktemp("data"))


def test_the_same_seed_gives_the_same_losses(data: Path, tmp_path: Path) -> None:
    losses = []
    for name in ("a", "b"):
        fit.fit(dataclasses.replace(TINY, data=data, ema=0.9), tmp_path / name)
        history = json.loads((tmp_path / name / "result.json").read_text())["history"]
        losses.append([epoch["training"]["loss"] for epoch in history])
    assert losses[0] == losses[1]


def test_the_moving_average_is_what_is_kept(data: Path, tmp_path: Path) -> None:
    recipe = dataclasses.replace(TINY, data=data, ema=0.99)
    model = fit.fit(recipe, tmp_path / "averaged")
    plain = fit.fit(dataclasses.replace(recipe, ema=0.0), tmp_path / "plain")
    moved = [
        np.abs(np.asarray(ours) - np.asarray(theirs)).max()
        for ours, theirs in zip(model.trainable_variables, plain.trainable_variables, strict=True)
    ]
    assert max(moved) > 1e-4
    for ours, kept in zip(zoo.load(tmp_path / "averaged").weights, model.weights, strict=True):
        np.testing.assert_array_equal(ours, kept)


@pytest.mark.parametrize("change", [{"steps": 4}, {"seed": 7}, {"hands": False}, {"stroke_writers": 2}])
def test_a_folder_of_another_run_is_refused(change: dict, data: Path, tmp_path: Path) -> None:
    font = made_hands.write_font(tmp_path / "font.ttf", "一十")
    recipe = dataclasses.replace(TINY, data=data, fonts=(font,), epochs=1, steps=1)
    fit.fit(recipe, tmp_path / "run")
    result = (tmp_path / "run" / "result.json").read_bytes()
    with pytest.raises(
        ValueError, match=rf"has other options or data \(.*{next(iter(change))}.*Train in another"
    ):
        fit.fit(dataclasses.replace(recipe, **change), tmp_path / "run")
    with pytest.raises(ValueError, match=r"has other options or data \(.*fonts"):
        fit.fit(dataclasses.replace(recipe, fonts=()), tmp_path / "run")
    assert (tmp_path / "run" / "result.json").read_bytes() == result


def test_the_hands_of_models_before_are_told(data: Path, tmp_path: Path) -> None:
    font = made_hands.write_font(tmp_path / "font.ttf", "一十")
    recipe = dataclasses.replace(TINY, data=data, epochs=1, steps=1)
    fit.fit(recipe, tmp_path / "first")
    later = dataclasses.replace(recipe, hands=False, fonts=(font,), start=str(tmp_path / "first"))
    fit.fit(later, tmp_path / "second")
    fit.fit(dataclasses.replace(later, start=str(tmp_path / "second")), tmp_path / "third")
    for name in ("second", "third"):
        told = zoo.describe(tmp_path / name)["data"]
        assert (told["hands"], told["hands_before"]) == ([], ["a", "b"])
    assert learned_before([str(tmp_path / "third"), None]) == {
        "hands_before": ["a", "b"],
        "sets_before": [],
    }


def test_the_average_lasts_only_inside() -> None:
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.compile(keras.optimizers.SGD(0.5, use_ema=True, ema_momentum=0.5), "mse", jit_compile=False)
    for _ in range(3):
        model.train_on_batch(np.ones((8, 3)), np.zeros((8, 2)))
    before = np.asarray(model.trainable_variables[0]).copy()
    with callbacks.averaged(model):
        assert np.abs(np.asarray(model.trainable_variables[0]).copy() - before).max() > 1e-3
    np.testing.assert_array_equal(model.trainable_variables[0], before)


def test_a_run_that_no_longer_improves_stops_and_keeps_the_best(data: Path, tmp_path: Path) -> None:
    # A learning rate of nothing: no epoch is better than the first.
    recipe = dataclasses.replace(TINY, data=data, epochs=9, patience=2, learning_rate=1e-12)
    fit.fit(recipe, tmp_path)
    result = json.loads((tmp_path / "result.json").read_text())
    assert len(result["history"]) == 3
    assert result["validation"] == result["history"][0]["validation"]
    fit.fit(recipe, tmp_path)  # Running it again does not go on.
    assert json.loads((tmp_path / "result.json").read_text())["history"] == result["history"]


@pytest.mark.parametrize(
    ("firsts", "goal", "best"),
    [
        ([0.1, 0.3, 0.3], "max", 1),
        ([0.4, 0.3, 0.5], "min", 1),
        ([float("nan"), 0.2], "max", 1),
        ([float("nan"), 0.2], "min", 1),
    ],
)
def test_the_best_epoch(firsts: list[float], goal: str, best: int) -> None:
    assert callbacks.best_epoch([{"validation": {"mean": value}} for value in firsts], goal) == best


def test_a_loss_that_is_no_number_stops_the_run_with_its_checkpoint_whole(data: Path, tmp_path: Path) -> None:
    fit.fit(dataclasses.replace(TINY, data=data, epochs=1), tmp_path)
    whole = (tmp_path / "checkpoint.npz").read_bytes()
    with pytest.raises(RuntimeError, match="NaN or Inf loss"):
        fit.fit(dataclasses.replace(TINY, data=data, learning_rate=1e30, clip_norm=1e30), tmp_path)
    assert (tmp_path / "checkpoint.npz").read_bytes() == whole


def test_a_full_disk_is_told_and_costs_nothing(data: Path, tmp_path: Path) -> None:
    fit.fit(dataclasses.replace(TINY, data=data, epochs=1), tmp_path)
    whole = (tmp_path / "checkpoint.npz").read_bytes()
    script = (
        "import resource, signal, sys\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({len(whole) // 2}, {resource.RLIM_INFINITY}))\n"
        "from serving import cli\n"
        "sys.exit(cli.main(sys.argv[1:]))\n"
    )
    command = [
        sys.executable,
        "-c",
        script,
        "train",
        "hanzinet_tiny",
        str(tmp_path / "new"),
        "--data",
        str(data),
    ]
    done = subprocess.run(
        [*command, "--steps", "1", "--epochs", "1", "--batch-size", "4"],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 1
    assert "checkpoint.npz" in done.stderr
    assert "stays as it was" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list((tmp_path / "new").glob("*.tmp"))


def test_a_users_folder_of_pictures_fine_tunes_a_run(data: Path, tmp_path: Path) -> None:
    fit.fit(dataclasses.replace(TINY, data=data, epochs=1), tmp_path / "first")
    folder = made_hands.write_folder(tmp_path / "mine")
    (folder / "一" / "broken.png").write_bytes(b"\x89PNG nothing")
    Image.new("L", (64, 64), 255).save(folder / "二" / "empty.png")
    recipe = dataclasses.replace(
        TINY, data=folder, start=str(tmp_path / "first"), learning_rate=1e-12, epochs=1
    )
    tuned = fit.fit(recipe, tmp_path / "second")
    result = json.loads((tmp_path / "second" / "result.json").read_text())
    assert result["data"]["skipped_files"] == 2
    log = (tmp_path / "second" / "skipped.txt").read_text(encoding="utf-8")
    assert "broken.png" in log
    assert "empty.png: it shows no ink" in log
    first = zoo.load(tmp_path / "first")
    for ours, theirs in zip(tuned.trainable_weights, first.trainable_weights, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6, err_msg=ours.path)


def test_a_run_goes_on_at_another_size(data: Path, tmp_path: Path) -> None:
    fit.fit(dataclasses.replace(TINY, data=data, epochs=1), tmp_path / "first")
    size = zoo.load(tmp_path / "first").input_shape[1] // 2
    recipe = dataclasses.replace(
        TINY, data=data, start=str(tmp_path / "first"), sizes={"size": size}, epochs=1
    )
    assert fit.fit(recipe, tmp_path / "second").input_shape[1] == size
    assert zoo.load(tmp_path / "second").input_shape[1] == size


def test_new_characters_join_behind_the_old_ones(data: Path, tmp_path: Path) -> None:
    fit.fit(dataclasses.replace(TINY, data=data, epochs=1), tmp_path / "first")
    folder = made_hands.write_folder(tmp_path / "mine", "一二龘")
    recipe = dataclasses.replace(
        TINY, data=folder, start=str(tmp_path / "first"), learning_rate=1e-12, epochs=1
    )
    with pytest.raises(ValueError, match="1 characters that the charset lacks: 龘"):
        fit.fit(recipe, tmp_path / "refused")
    grown = fit.fit(dataclasses.replace(recipe, add_characters=True), tmp_path / "second")
    first = zoo.load(tmp_path / "first")
    assert grown.get_layer("scores").output.shape == (None, len(charset.CHARACTERS) + 1)
    old = np.asarray(first.get_layer("scores").kernel)
    np.testing.assert_allclose(np.asarray(grown.get_layer("scores").kernel)[:, :-1], old, atol=1e-6)
    assert zoo.characters(tmp_path / "second")[-1] == "龘"
    # A third run goes on from the second and knows its character.
    third = dataclasses.replace(recipe, start=str(tmp_path / "second"))
    assert fit.fit(third, tmp_path / "third").count_params() == grown.count_params()
    assert set(fit.evaluate(str(tmp_path / "third"), folder)) == {"mean", "mine"}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: None, "must be a folder"),
        (lambda folder: folder.mkdir(), "must hold hands/train"),
        (lambda folder: (folder / "一二").mkdir(parents=True), "named by one character"),
        (lambda folder: (folder / "一").mkdir(parents=True), "none of its 0 pictures can be read"),
        (lambda folder: made_hands.write_folder(folder, pictures=3), "needs 5 readable pictures"),
    ],
)
def test_a_folder_that_cannot_be_used_is_told(make, message: str, tmp_path: Path) -> None:
    make(tmp_path / "mine")
    with pytest.raises(ValueError, match=message):
        fit.fit(dataclasses.replace(TINY, data=tmp_path / "mine"), tmp_path / "run")


def test_pictures_of_a_folder_stand_as_hands_do(tmp_path: Path) -> None:
    folder = made_hands.write_folder(tmp_path / "mine", "一。")
    # White on black, and ink on nothing, are read as ink on paper.
    ink = made_hands.stroke_image("一", np.random.default_rng(0))
    Image.fromarray(255 - ink).save(folder / "一" / "inverted.png")
    Image.merge("LA", [Image.fromarray(ink), Image.fromarray(255 - ink)]).save(folder / "一" / "alpha.png")
    glyphs, skipped = sources.read_folder(folder, charset.CHARACTERS)
    assert not skipped
    assert len(glyphs.images) == 14
    one, stop = (glyphs.images[glyphs.labels == charset.encode(c)[0]] for c in "一。")
    assert (one < 128).any((1, 2)).all()
    assert (one > 250).mean() > 0.7
    assert np.ptp(np.nonzero(stop[0] < 128)[0]) < 24  # a full stop stays small
    train, validation = sources.split(glyphs)
    assert len(train[0].labels) + len(validation[0].labels) == 14
    assert set(validation[0].labels) == set(glyphs.labels)
