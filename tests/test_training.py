"""A tiny run from data to weights: training, resuming."""

import dataclasses
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import keras
import numpy as np
import pytest

import zoo
from serving import cli
from tests import made_hands
from training import checkpoint, fit, pipeline, recipe, sources
from training.recipe import CharacterRecipe, to_json
from zoo import charset

TINY = CharacterRecipe(
    model="hanzinet",
    sizes={"widths": (4, 8, 16, 16), "depths": (0, 0, 1, 0), "embedding": 8},
    epochs=2,
    steps=3,
    batch_size=8,
)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_hands.write_data(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def run(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run."""
    workdir = tmp_path_factory.mktemp("run")
    fit.fit(dataclasses.replace(TINY, data=data), workdir)
    return workdir


def test_batches_are_the_same_for_a_seed_and_a_step(data: Path) -> None:
    hands = sources.read_hands(data / "hands" / "train")
    sampler = pipeline.CellSampler.of(hands, 64, real_weight=3.0, blank_share=0.2, seed=5)
    images, labels = sampler.batch(7)
    assert images.shape == (64, 64, 64, 1)
    assert set(labels) <= {0, *hands[0].labels}
    assert 2 <= np.sum(labels == 0) <= 30  # 13 of 64 are expected to be blank
    for expected, drawn in zip(
        (images, labels), next(iter(pipeline.train_batches(sampler, 7, 1))), strict=True
    ):
        np.testing.assert_array_equal(expected, drawn)
    assert not np.array_equal(images, sampler.batch(8)[0])


def test_signs_are_drawn_by_how_pages_need_them() -> None:
    text = "天夭一ㄧ。<A_"
    images = np.full((len(text), 96, 96), 255, np.uint8)
    hand = sources.Glyphs("one", images, np.array(charset.encode(text), np.int32), real=True)
    sampler = pipeline.CellSampler.of([hand], 1, real_weight=1.0, blank_share=0.0, seed=0)
    shares = np.diff(sampler.shares, prepend=0.0)
    np.testing.assert_allclose(shares / shares[0], [1, 0.4, 1, 0.4, 4, 2, 2, 0.4])


def test_a_model_starts_from_the_head_of_another(data: Path, run: Path) -> None:
    recipe = dataclasses.replace(
        TINY, data=data, head_from=str(run), sizes=TINY.sizes | {"widths": (8, 8, 8, 24)}
    )
    head, wider = zoo.load(run).get_layer("scores"), recipe.task().model
    for expected, copied in zip(head.get_weights(), wider.get_layer("scores").get_weights(), strict=True):
        np.testing.assert_array_equal(expected, copied)


def test_a_model_starts_from_the_channels_of_a_wider_one(data: Path, run: Path) -> None:
    recipe = dataclasses.replace(
        TINY, data=data, narrow_from=str(run), sizes=TINY.sizes | {"widths": (3, 8, 12, 16)}
    )
    wide, narrow = (
        model.get_layer("stage0_down").get_weights()[0] for model in (zoo.load(run), recipe.task().model)
    )
    kept = [any(np.array_equal(one, other) for other in wide.T) for one in narrow.T]
    assert kept == [True] * 3


def test_a_model_grows_from_a_smaller_one(data: Path, run: Path) -> None:
    sizes = TINY.sizes | {"widths": (8, 12, 16, 24), "depths": (0, 1, 1, 0)}
    small = zoo.load(run)
    pictures = np.random.default_rng(0).integers(0, 256, (4, *small.input_shape[1:]), np.uint8)
    large = dataclasses.replace(TINY, data=data, widen_from=str(run), sizes=sizes).task().model
    np.testing.assert_allclose(large(pictures)["logits"], small(pictures)["logits"], rtol=1e-3, atol=1e-4)


def test_a_model_starts_from_one_model_only() -> None:
    with pytest.raises(ValueError, match=r"starts from one other model\. Received: start, widen_from\."):
        dataclasses.replace(TINY, start="a", widen_from="b")


def test_a_head_of_another_rank_is_refused(data: Path, run: Path) -> None:
    recipe = dataclasses.replace(TINY, data=data, head_from=str(run), sizes=TINY.sizes | {"embedding": 7})
    with pytest.raises(ValueError, match=r"`head_from` must be a preset whose last layer"):
        recipe.task()


def test_distortions_fade_at_the_end_of_a_run(data: Path) -> None:
    recipe = dataclasses.replace(TINY, data=data, epochs=10, steps=10, fade=0.2)
    assert recipe.task().sampler.fade == (80, 100)
    hands = sources.read_hands(data / "hands" / "train")
    constant, fading = (pipeline.CellSampler.of(hands, 32, 3.0, 0.0, 5, fade=fade) for fade in (None, (4, 6)))
    np.testing.assert_array_equal(constant.batch(4)[0], fading.batch(4)[0])
    assert not np.array_equal(constant.batch(5)[0], fading.batch(5)[0])
    np.testing.assert_array_equal(constant.batch(5)[1], fading.batch(5)[1])


def test_made_up_writers_train_beside_hands(data: Path, tmp_path: Path) -> None:
    (tmp_path / "一.json").write_text(json.dumps({"medians": [[[0, 400], [1000, 400]]]}), encoding="utf-8")
    recipe = dataclasses.replace(TINY, data=data, strokes=(tmp_path,), stroke_writers=3)
    task = recipe.task()
    assert [source.writer for source in task.train if not source.real] == [
        "made-up writer 0",
        "made-up writer 1",
        "made-up writer 2",
    ]
    assert task.facts()["data"]["strokes"] == [tmp_path.name]
    assert task.facts()["data"]["stroke_writers"] == 3
    assert "strokes" not in to_json(recipe)


def test_a_writer_who_trains_and_validates_is_refused(tmp_path: Path) -> None:
    data = made_hands.write_data(tmp_path)
    made_hands.write_hand(data / "hands" / "dev" / "a_scan.npz", 9)
    with pytest.raises(ValueError, match=r"must either train or validate\. In both: a\."):
        dataclasses.replace(TINY, data=data).task()


def test_a_run_without_any_source_is_refused(data: Path) -> None:
    with pytest.raises(ValueError, match="nothing to train on"):
        dataclasses.replace(TINY, data=data, hands=False).task()
    with pytest.raises(ValueError, match="`epochs` must be above 0"):
        dataclasses.replace(TINY, epochs=0)


def test_a_sheet_shows_what_a_recipe_trains_on(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["sheet", "hanzinet_tiny", str(tmp_path / "sheet"), "--data", str(data)]) == 0
    files = [f"{tmp_path / 'sheet' / name}.png" for name in ("writers", "training")]
    assert capsys.readouterr().out.splitlines() == files
    writers, training = (
        cv2.imread(str(tmp_path / "sheet" / f"{name}.png"), 0) for name in ("writers", "training")
    )
    assert writers.shape == (2 * 98, 10 * 98)  # Two hands, ten characters, and frames of a pixel.
    assert training.shape == (8 * 66, 16 * 66)
    assert training.std() > 20
    assert cli.main(["sheet", "hanzinet_tiny", str(tmp_path), "--data", str(tmp_path / "none")]) == 1
    assert "`data` must be a folder" in capsys.readouterr().err


def test_a_run_leaves_weights_and_figures(run: Path) -> None:
    result = json.loads((run / "result.json").read_text(encoding="utf-8"))
    assert result["training"]["pictures"] == 48
    assert result["data"]["hands"] == ["a", "b"]
    assert set(result["validation"]) == {"mean", "c"}
    assert len(result["history"]) == 2
    assert all((run / "pictures" / f"{name}.png").exists() for name in ("writers", "training", "confusions"))
    assert (run / "model.weights.h5").exists()
    assert not list(run.glob("*.tmp"))


def test_the_weights_of_a_run_hold_no_state_of_the_optimizer(run: Path) -> None:
    model = zoo.load(run)
    zoo.save(model, run.parent / "bare")
    written, bare = (folder / zoo.WEIGHTS for folder in (run, run.parent / "bare"))
    assert written.stat().st_size == bare.stat().st_size


def test_a_run_that_is_interrupted_ends_like_an_undisturbed_one(
    data: Path, run: Path, tmp_path: Path
) -> None:
    script = (
        "import sys, pathlib; from tests.test_training import TINY; from training import fit; import dataclasses\n"
        "fit.fit(dataclasses.replace(TINY, data=pathlib.Path(sys.argv[1])), pathlib.Path(sys.argv[2]))"
    )
    root = Path(__file__).resolve().parents[1]
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(data), str(tmp_path)],
        cwd=root,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 120
    while (
        not (tmp_path / "checkpoint.npz").exists() and process.poll() is None and time.monotonic() < deadline
    ):
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert (tmp_path / "checkpoint.npz").exists()
    model = fit.fit(dataclasses.replace(TINY, data=data), tmp_path)
    undisturbed = zoo.create(TINY.model, classes=4972, **TINY.sizes)
    undisturbed.load_weights(run / "model.weights.h5")
    for ours, theirs in zip(model.weights, undisturbed.weights, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6, err_msg=ours.path)


def test_a_damaged_or_foreign_checkpoint_is_named(data: Path, run: Path, tmp_path: Path) -> None:
    whole = (run / "checkpoint.npz").read_bytes()
    (tmp_path / "checkpoint.npz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match="the checkpoint cannot be read"):
        fit.fit(dataclasses.replace(TINY, data=data), tmp_path)
    (tmp_path / "checkpoint.npz").write_bytes(whole)
    other = dataclasses.replace(TINY, data=data, sizes=TINY.sizes | {"embedding": 12})
    with pytest.raises(ValueError, match="a model of other sizes"):
        fit.fit(other, tmp_path)
    assert (tmp_path / "checkpoint.npz").read_bytes() == whole


def test_a_checkpoint_brings_back_every_variable(tmp_path: Path) -> None:
    def build() -> keras.Model:
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
        model.compile("adam", "mse", jit_compile=False)
        model.optimizer.build(model.trainable_variables)
        return model

    def state(model: keras.Model) -> list[keras.Variable]:
        return [*model.variables, *model.optimizer.variables]

    trained = build()
    trained.fit(np.ones((8, 3)), np.zeros((8, 2)), verbose=0)
    checkpoint.save(tmp_path / "c.npz", state(trained), {"epoch": 4})
    fresh = build()
    assert checkpoint.load(tmp_path / "c.npz", state(fresh)) == {"epoch": 4}
    for ours, theirs in zip(fresh.optimizer.variables, trained.optimizer.variables, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_data_folder_without_hands_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"must hold hands/train/\*\.npz, or a folder of pictures"):
        fit.fit(dataclasses.replace(TINY, data=tmp_path), tmp_path / ".run")
    (tmp_path / "hands").mkdir()
    with pytest.raises(ValueError, match=r"must hold hands/train/\*\.npz"):
        fit.fit(dataclasses.replace(TINY, data=tmp_path), tmp_path / ".run")


def test_unknown_names_answer_with_the_nearest_one() -> None:
    with pytest.raises(ValueError, match=r"No model named 'hanzinet_mm'\. Did you mean 'hanzinet_m'\?"):
        zoo.create("hanzinet_mm")
    with pytest.raises(ValueError, match="Did you mean 'hanzinet_m'"):
        recipe.find("hanzinet_mm")
    for name in recipe.names():
        assert recipe.find(name).model in zoo.names()


def test_sizes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match=r"multiple of 16\. Received: size=60"):
        zoo.create("hanzinet", classes=10, size=60)
    with pytest.raises(ValueError, match="must name the same stages"):
        zoo.create("hanzinet", classes=10, depths=(1,))
