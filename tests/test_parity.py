"""The comparison of files with Keras: what is measured, and what misses the limits."""

from pathlib import Path

import keras
import numpy as np
import pytest

from serving import export, parity


def dense(inputs: list[keras.KerasTensor], output: str = "logits", seed: int = 0) -> keras.Model:
    keras.utils.set_random_seed(seed)
    x = keras.layers.Concatenate()(inputs) if len(inputs) > 1 else keras.layers.Flatten()(inputs[0])
    x = keras.layers.Rescaling(1 / 255)(x)
    return keras.Model(inputs, {output: keras.layers.Dense(6)(x)}, name="dense")


def test_the_worst_output_counts_in_shares_of_its_scale() -> None:
    expected = {"logits": np.array([[10.0, 0, 5]]), "scores": np.array([[0.5, 0.1, 0.2]])}
    found = {"logits": np.array([[9.5, 0, 5]]), "scores": np.array([[0.5, 0.4, 0.2]])}
    one = parity.compare(expected, found)
    assert one.difference == pytest.approx(0.3)
    assert one.mean_difference == pytest.approx(0.1)
    assert one.scale == 1
    assert one.agreement == 1


def test_each_output_counts_for_itself() -> None:
    expected = {name: np.zeros((10, 10)) for name in ("probability", "threshold")}
    found = {"probability": np.eye(1, 100).reshape(10, 10) * 0.5, "threshold": np.full((10, 10), 0.4)}
    one = parity.compare(expected, found)
    assert one.difference == pytest.approx(0.5)
    assert one.mean_difference == pytest.approx(0.4)


@pytest.mark.parametrize("output", ["logits", "image"])
@pytest.mark.parametrize("name", ["saved_model", "model_float16.tflite", "model_int8.tflite"])
def test_outputs_that_are_no_numbers_miss_the_limits(output: str, name: str) -> None:
    expected = {output: np.eye(4), "other": np.eye(4)}
    for broken in (output, "other"):
        found = expected | {broken: np.full((4, 4), np.nan)}
        assert parity.failures({name: parity.compare(expected, found)})


def test_top_1_is_compared_at_each_step_of_a_line() -> None:
    expected = np.zeros((2, 5, 3))
    expected[..., 1] = 1
    found = expected.copy()
    found[0, 0] = (3, 0, 0)
    assert parity.compare({"logits": expected}, {"logits": found}).agreement == pytest.approx(0.9)


def test_answers_that_are_equally_good_may_change_places() -> None:
    expected = np.array([[20.0, 19.99, 0], [20.0, 19.97, 0]])
    found = np.array([[19.99, 20.0, 0], [19.97, 20.0, 0]])
    assert parity.compare({"logits": expected}, {"logits": found}).agreement == 0.5


def test_models_without_logits_have_no_top_1() -> None:
    maps = np.random.default_rng(0).random((2, 8, 8, 1))
    one = parity.compare({"maps": maps}, {"maps": maps + 0.01})
    assert one.agreement is None
    assert parity.failures({"model_int8.tflite": one}) == []
    (failure,) = parity.failures({"model_float32.tflite": one, "model_float16.tflite": one})[:1]
    assert failure.startswith("model_float32.tflite: the largest difference is 1.0e-02")
    far = parity.compare({"maps": maps}, {"maps": maps + 0.05})
    assert "mean difference is 5.0e-02" in parity.failures({"model_int8.tflite": far})[0]


def test_a_place_of_a_picture_may_differ_by_a_quarter_of_a_grey_level() -> None:
    pictures = np.full((2, 8, 8, 1), 255.0)
    for gap, missed in ((0.25, []), (0.26, ["largest difference is 1.0e-03"])):
        found = pictures.copy()
        found[0, 3, 3] -= gap
        sentences = parity.failures(
            {"model_float32.tflite": parity.compare({"image": pictures}, {"image": found})}
        )
        assert len(sentences) == len(missed)
        assert all(part in sentence for part, sentence in zip(missed, sentences, strict=True))


@pytest.mark.parametrize(
    ("name", "wrong", "passes"),
    [
        ("saved_model encoded", 0, True),
        ("saved_model", 1, False),
        ("model_float32.tflite", 1, False),
        ("model_float16.tflite", 1, True),
        ("model_float16.tflite", 2, False),
        ("model_dynamic.tflite", 10, True),
        ("model_dynamic.tflite", 11, False),
        ("model_int8.tflite", 10, True),
        ("model_int8.tflite", 11, False),
    ],
)
def test_every_precision_has_its_limit(name: str, wrong: int, passes: bool) -> None:
    expected = np.tile([0.0, 1.0], (1000, 1))
    found = expected.copy()
    found[:wrong, 0] = 1 + 1e-5
    found[:wrong, 1] = 1
    exact = parity.compare({"logits": expected}, {"logits": found})
    assert (parity.failures({name: exact}) == []) == passes


def test_other_outputs_than_those_of_keras_are_refused() -> None:
    with pytest.raises(ValueError, match="must hold the outputs of Keras"):
        parity.compare({"logits": np.zeros((2, 3))}, {"logits": np.zeros((2, 4))})


def test_a_file_of_other_weights_is_found(tmp_path: Path) -> None:
    image = keras.Input((4, 4, 1), dtype="uint8", name="image")
    samples = {"image": np.random.default_rng(0).integers(0, 256, (100, 4, 4, 1), np.uint8)}
    other = dense([image], seed=1)
    export.saved_model(other, tmp_path / "saved_model")
    assert parity.failures(parity.measure(other, tmp_path, samples)) == []
    missed = parity.failures(parity.measure(dense([image]), tmp_path, samples))
    assert len(missed) == 4  # Agreement and difference, of each signature.


def test_models_of_several_inputs_are_compared_by_their_names(tmp_path: Path) -> None:
    inputs = [keras.Input((5,), name="noise"), keras.Input((2,), name="label")]
    model = dense(inputs, "image")
    rng = np.random.default_rng(0)
    samples = {"label": rng.random((10, 2), np.float32), "noise": rng.random((10, 5), np.float32)}
    report = export.export(model, tmp_path / "out", samples, samples, ["float32", "int8"])
    assert report["failures"] == []
    assert set(report["files"]) == {"saved_model", "model_float32.tflite", "model_int8.tflite"}
    assert report["files"]["saved_model"]["agreement"] is None
