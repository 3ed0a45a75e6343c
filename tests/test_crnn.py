"""The two line readers: shapes, sizes, learning, and the same answers from TFLite."""

import warnings
from pathlib import Path

import keras
import numpy as np
import pytest

import zoo.crnn
from zoo import ctc

TINY = {"crnn": {"height": 16, "units": 4, "widths": (4, 6)}, "crnn_vgg": {"units": 4, "factor": 1 / 64}}
NAMES = ["crnn", "crnn_vgg"]


def build(name: str, classes: int = 5, **sizes) -> keras.Model:
    keras.utils.set_random_seed(1)
    return getattr(zoo.crnn, name)(classes, **(TINY[name] | sizes))


def lines(model: keras.Model, count: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, model.input_shape[1], width, 1), np.uint8)


def test_the_deep_reader_has_the_parameters_of_the_paper() -> None:
    # Table 2 of Shi et al.: 8.3 M; their letters and digits and the blank are 37 classes.
    model = zoo.crnn.crnn_vgg(37)
    trained = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
    assert trained == 8_326_693
    assert model.input_shape == (None, 32, None, 1)


@pytest.mark.parametrize("name", NAMES)
def test_any_width_gives_a_vote_every_four_pixels(name: str) -> None:
    model = build(name)
    for width in (8, 64, 102):
        logits = model(lines(model, 2, width))["logits"]
        assert tuple(logits.shape) == (2, zoo.crnn.steps(width), 5) == (2, width // 4, 5)
        assert logits.dtype == "float32"


@pytest.mark.parametrize("name", NAMES)
def test_columns_are_the_time_steps(name: str) -> None:
    """Ink at one place moves the features of the columns there, and of no others."""
    model = build(name)
    columns = keras.Model(model.input, model.get_layer("columns").output)
    paper = np.full((1, model.input_shape[1], 256, 1), 255, np.uint8)
    inked = paper.copy()
    inked[:, :, 128:132] = 0
    moved = np.abs(np.asarray(columns(inked)) - np.asarray(columns(paper)))[0].max(-1)
    touched = np.flatnonzero(moved > 1e-6)
    assert len(touched)
    assert 32 in range(touched.min(), touched.max() + 1)
    assert touched.min() > 20
    assert touched.max() < 44


@pytest.mark.parametrize("name", NAMES)
def test_every_column_sees_both_ends_of_the_line(name: str) -> None:
    model = build(name)
    image = lines(model, 1, 48)
    before = np.asarray(model(image)["logits"])[0]
    for end in (slice(0, 4), slice(-4, None)):
        other = image.copy()
        other[:, :, end] = 255 - other[:, :, end]
        assert (np.abs(np.asarray(model(other)["logits"])[0] - before).max(-1) > 0).all()


@pytest.mark.slow
def test_a_line_reader_learns_and_reads_padding_as_nothing() -> None:
    """Two kinds of strokes stand for two characters, white paper follows on the right."""
    rng = np.random.default_rng(0)
    model = build("crnn", classes=3, units=16, depth=1, dropout=0.0)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.8  # A short training.

    def batch(count: int) -> tuple[np.ndarray, np.ndarray]:
        images = np.full((count, 16, 64, 1), 255, np.uint8)
        labels = np.zeros((count, 3), np.int32)
        for line in range(count):
            text = rng.integers(1, 3, rng.integers(1, 4))
            labels[line, : len(text)] = text
            for place, label in enumerate(text):
                left = 2 + 18 * place + rng.integers(0, 3)
                if label == 1:
                    images[line, 2:14, left + 4 : left + 7] = 0
                else:
                    images[line, 6:9, left : left + 11] = 0
        return images, labels

    model.compile(
        keras.optimizers.Adam(1e-2, global_clipnorm=5.0),
        loss={"logits": keras.losses.CTC()},
        jit_compile=False,
    )
    for _ in range(60):
        model.train_on_batch(*batch(16))
    images, labels = batch(32)
    logits = model.predict_on_batch(images)["logits"]
    readings = ctc.read_batch(logits)
    assert [reading.ids for reading in readings] == [tuple(text[text > 0].tolist()) for text in labels]
    assert all(reading.spans[-1][1] <= 4 + 5 * len(reading.ids) for reading in readings)
    assert [ctc.prefix_beam(line)[0].ids for line in logits] == [reading.ids for reading in readings]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.slow
@pytest.mark.parametrize("width", [None, 40])
def test_tflite_answers_as_keras_does(name: str, width: int | None, tmp_path: Path) -> None:
    tf = pytest.importorskip("tensorflow")
    interpreter = pytest.importorskip("ai_edge_litert.interpreter")
    model = build(name, width=width)
    signature = keras.InputSpec("uint8", (1, model.input_shape[1], width, 1), name="image")
    model.export(tmp_path, format="tf_saved_model", input_signature=[signature], verbose=False)
    converter = tf.lite.TFLiteConverter.from_saved_model(str(tmp_path))
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    session = interpreter.Interpreter(model_content=converter.convert())
    for wide in (40,) if width else (40, 64):
        image = lines(model, 1, wide)
        session.resize_tensor_input(session.get_input_details()[0]["index"], image.shape)
        session.allocate_tensors()
        answer = session.get_signature_runner()(image=image)["logits"]
        np.testing.assert_allclose(answer, model(image)["logits"], atol=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_a_network_with_its_steps_written_out_answers_alike(name: str) -> None:
    rolled, unrolled = build(name), build(name, width=24, unroll=True)
    unrolled.set_weights(rolled.get_weights())
    image = lines(rolled, 2, 24)
    np.testing.assert_allclose(unrolled(image)["logits"], rolled(image)["logits"], atol=1e-5)


@pytest.mark.parametrize(
    ("name", "sizes", "message"),
    [
        ("crnn", {"height": 18}, "`height` must be a multiple of 4. Received: height=18"),
        ("crnn", {"width": 250}, "`width` must be a multiple of 4, .* Received: width=250"),
        ("crnn", {"depth": 0}, "depth=0"),
        ("crnn", {"unroll": True}, "`unroll` must come with a `width`"),
        ("crnn_vgg", {"height": 40}, "`height` must be a multiple of 16. Received: height=40"),
        ("crnn_vgg", {"width": 0}, "`width` must be a multiple of 4"),
    ],
)
def test_sizes_that_do_not_fit_are_named(name: str, sizes: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build(name, **sizes)


def test_the_builders_warn_of_nothing() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name in NAMES:
            build(name, width=16)
