"""Every model of the zoo builds, trains a step, saves and loads."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest

import zoo
from serving import convert, export, samples
from tests import tiny

# The tiny B1 to B7 are the network of B0, which trains and is exported for all.
_SAME = [f"efficientnet_b{phi}" for phi in range(1, 8)]
# The same layers as `hanzinet_m`, in other numbers; it is exported for all.
_ALIKE = [*_SAME, "hanzinet_s", "hanzinet_slim"]
# What takes half a minute or more; every run exports a small network of each kind, CRNN in `test_crnn` and DBNet in
# `test_dbnet`.
_SLOW = [
    "efficientnet_b0",
    "craft",
    "craft_s",
    "crnn",
    "crnn_vgg",
    "dbnet",
    "dbnet_s",
    "ensemble",
    "hanzinet_m",
    "line_s",
    "vgg16",
]


def _inputs(model: keras.Model, count: int = 4) -> np.ndarray:
    shape = [side or 64 for side in model.input_shape[1:]]
    return np.random.default_rng(0).integers(0, 256, (count, *shape), np.uint8)


def test_every_name_has_a_tiny_size() -> None:
    assert {*tiny.READERS, *tiny.DETECTORS, *tiny.GENERATORS} == set(zoo.names())


_LOOKING = tiny.READERS | tiny.DETECTORS
"""What takes pictures alone."""


@pytest.mark.parametrize("name", [name for name in _LOOKING if name not in _SAME])
def test_a_model_trains_a_step_saves_and_loads(name: str, tmp_path: Path) -> None:
    keras.utils.set_random_seed(0)
    model = zoo.create(name, **_LOOKING[name])
    images = _inputs(model)
    assert model.input.dtype == "uint8"
    assert model.input.name == "image"
    # A graph takes longer to trace than a step takes.
    model.compile(keras.optimizers.SGD(0.1), loss=tiny.loss(model), run_eagerly=True)
    before = model.predict_on_batch(images)
    loss = model.train_on_batch(images, tiny.targets(model, images, tiny.labels(model, len(images))))
    assert np.isfinite(loss).all()
    after = model.predict_on_batch(images)
    assert all(value.dtype == np.float32 for value in after.values())
    assert any(np.abs(after[key] - before[key]).max() > 1e-6 for key in after)
    zoo.save(model, tmp_path)
    loaded = zoo.load(tmp_path)
    loaded.run_eagerly = True
    for key, value in loaded.predict_on_batch(images).items():
        np.testing.assert_array_equal(value, after[key])
    assert {path.name for path in tmp_path.iterdir()} == {"model.json", "model.weights.h5"}


_EXPORTED = [
    pytest.param(name, marks=[pytest.mark.slow] if name in _SLOW else [])
    for name in _LOOKING
    if name not in _ALIKE
]


@pytest.mark.parametrize("name", _EXPORTED)
def test_a_model_exports_with_parity(name: str, tmp_path: Path) -> None:
    keras.utils.set_random_seed(0)
    model = zoo.create(name, **_LOOKING[name])
    tiny.teach(model)
    shown, asked = ({"image": tiny.pictures(model, seed=seed)[0]} for seed in (1, 2))
    report = export.export(export.deployed(model), tmp_path, asked, shown)
    assert report["failures"] == []
    if name == "craft_s":
        # The size of the picture is no part of the weights.
        assert (tmp_path / "model_int8.tflite").stat().st_size <= 1_000_000
    assert {path.name for path in tmp_path.iterdir()} == {
        "export.json", "saved_model", *(f"model_{precision}.tflite" for precision in convert.PRECISIONS),
    }  # fmt: skip


_FLOAT = {"cyclegan", "pix2pix", "progan", "stylegan"}
"""Generators whose roots of variances have no integer form."""


@pytest.mark.parametrize("name", sorted(_FLOAT))
def test_roots_of_integer_variances_are_refused(name: str, tmp_path: Path) -> None:
    model = zoo.create(name, **tiny.GENERATORS[name])
    with pytest.raises(ValueError, match="must leave int8 out"):
        export.tflite(model, tmp_path, ["int8"], samples.made_up(model))


_LIKE_DCGAN = ("wgan", "wgan_gp")


@pytest.mark.parametrize("name", _LIKE_DCGAN)
@pytest.mark.parametrize("more", [{}, {"classes": 2}])
def test_a_wasserstein_generator_is_that_of_dcgan(name: str, more: dict) -> None:
    ours, dcgan = (zoo.create(one, **tiny.GENERATORS[one], **more) for one in (name, "dcgan"))
    assert [layer.__class__ for layer in ours.layers] == [layer.__class__ for layer in dcgan.layers]
    ours.set_weights(dcgan.get_weights())
    asked = samples.made_up(dcgan, seed=1)
    np.testing.assert_array_equal(*(model.predict_on_batch(asked)["image"] for model in (ours, dcgan)))


@pytest.mark.parametrize(
    ("name", "more"),
    [*((name, {}) for name in tiny.GENERATORS if name not in _LIKE_DCGAN), ("dcgan", {"classes": 2})],
)
def test_a_generator_saves_loads_and_exports_with_parity(name: str, more: dict, tmp_path: Path) -> None:
    keras.utils.set_random_seed(0)
    model = zoo.create(name, **tiny.GENERATORS[name], **more)
    shown, asked = (samples.made_up(model, seed=seed) for seed in (1, 2))
    zoo.save(model, tmp_path / "saved")
    before = model.predict_on_batch(asked)["image"]
    size = model.output["image"].shape[1]
    assert before.shape == (64, size, size, 1)
    assert before.dtype == np.float32
    assert before.min() >= 0
    assert before.max() <= 255
    np.testing.assert_array_equal(zoo.load(tmp_path / "saved").predict_on_batch(asked)["image"], before)
    report = export.export(model, tmp_path / "exported", asked, shown)
    assert report["failures"] == []
    possible = {f"model_{one}.tflite" for one in convert.PRECISIONS if one != "int8" or name not in _FLOAT}
    assert {file for file in report["files"] if file.startswith("model_")} == possible


def test_a_damaged_or_missing_model_is_named(tmp_path: Path) -> None:
    zoo.save(zoo.create("hanzinet", **tiny.READERS["hanzinet"]), tmp_path)
    weights = tmp_path / "model.weights.h5"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\0\1")
    with pytest.raises(ValueError, match="damaged: its sha256"):
        zoo.load(tmp_path)
    weights.unlink()
    with pytest.raises(ValueError, match="holds no model of the zoo"):
        zoo.load(tmp_path)
    (tmp_path / "model.json").write_text("{")
    with pytest.raises(ValueError, match="is no JSON"):
        zoo.load(tmp_path)
    with pytest.raises(ValueError, match=r"No trained model 'hanzinet_mm'\. Did you mean 'hanzinet_m'\?"):
        zoo.load("hanzinet_mm")


def test_only_models_of_the_zoo_are_saved(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"must come from zoo\.create"):
        zoo.save(keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]), tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_a_bundled_preset_loads_with_its_characters() -> None:
    model = zoo.load("hanzinet_m")
    assert model.count_params() == zoo.describe("hanzinet_m")["parameters"]
    characters = zoo.characters("hanzinet_m")
    assert len(characters) == model.get_layer("scores").kernel.shape[-1]
    assert characters[0] == ""
    assert "說" in characters


def test_another_size_keeps_the_weights_and_the_sums_over_the_map() -> None:
    old = zoo.create("hanzinet", **tiny.READERS["hanzinet"])
    new = zoo.with_size(old, 64)
    assert new.input_shape == (None, 64, 64, 1)
    assert new.built_by_zoo["sizes"] == {**tiny.READERS["hanzinet"], "size": 64}
    for ours, theirs in zip(new.weights, old.weights, strict=True):
        if "places" in theirs.path:
            assert (ours.shape[:2], theirs.shape[:2]) == ((4, 4), (2, 2))
            ours, theirs = np.asarray(ours).sum((0, 1)), np.asarray(theirs).sum((0, 1))
        np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_a_model_whose_dense_layers_span_the_map_has_one_size() -> None:
    with pytest.raises(ValueError, match="weights that depend on its size"):
        zoo.with_size(zoo.create("vgg16", **tiny.READERS["vgg16"]), 64)


def test_more_classes_keep_the_old_ones() -> None:
    old = zoo.create("hanzinet", **tiny.READERS["hanzinet"])
    new = zoo.with_classes(old, 15)
    images = _inputs(old)
    expected = old.predict_on_batch(images)["logits"]
    np.testing.assert_allclose(new.predict_on_batch(images)["logits"][:, :12], expected, atol=1e-5)
    assert json.dumps(new.built_by_zoo["sizes"])
