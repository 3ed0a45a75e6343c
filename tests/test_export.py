"""SavedModel and TFLite files of tiny models: what is in them, and what happens when they cannot be made."""

import contextlib
import io
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import zoo
from serving import convert, export, folders, head, operators, parity, samples
from serving.runtime import Session
from tests import made_hands, tiny
from zoo import crnn

FILES = {"saved_model", "export.json", *map(convert.file_name, convert.PRECISIONS)}


def cells(count: int, seed: int, classes: int = 12, size: int = 32) -> tuple[np.ndarray, np.ndarray]:
    """Crude pictures of `classes` characters: uint8 (count, size, size, 1) and their ids."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, count)
    pictures = [
        made_hands.stroke_image(chr(0x4E00 + label), rng)[:: 96 // size, :: 96 // size] for label in labels
    ]
    return np.stack(pictures)[..., None], labels


def trained(name: str) -> keras.Model:
    """A tiny model that has learned `cells`: the logits of a fresh one are too close to agree on."""
    keras.utils.set_random_seed(0)
    model = zoo.create(name, **tiny.READERS[name])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.01), {"logits": loss}, jit_compile=False)
    model.fit(*cells(512, 0), batch_size=64, epochs=10, verbose=0)
    return model


@pytest.fixture(scope="module")
def model() -> keras.Model:
    return trained("hanzinet")


@pytest.fixture(scope="module")
def exported(model: keras.Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exports") / "tiny"
    export.export(model, folder, {"image": cells(300, 1)[0]}, {"image": cells(100, 2)[0]})
    return folder


def echo(height: int | None, width: int | None, channels: int) -> keras.Model:
    """A model that gives back its picture."""
    image = keras.Input((height, width, channels), dtype="uint8", name="image")
    return keras.Model(image, {"pixels": keras.layers.Rescaling(1.0)(image)}, name="echo")


def encoded(model: keras.Model, folder: Path, *pictures: bytes) -> np.ndarray:
    """What the signature `encoded` of an `echo` gives for some files."""
    export.saved_model(model, folder)
    signature = tf.saved_model.load(str(folder)).signatures["encoded"]
    return signature(image_bytes=tf.constant(list(pictures)))["pixels"].numpy()


def written(image: Image.Image, kind: str) -> bytes:
    file = io.BytesIO()
    image.save(file, kind)
    return file.getvalue()


# ------------------------------------------------------------------------------------------- the files


def test_an_export_holds_its_files_and_a_report(exported: Path) -> None:
    assert {path.name for path in exported.iterdir()} == FILES
    assert [path.name for path in exported.parent.iterdir()] == ["tiny"]
    report = json.loads((exported / "export.json").read_text(encoding="utf-8"))
    assert report["failures"] == []
    assert report["samples"] == 300
    assert set(report["files"]) == FILES - {"export.json"} | {"saved_model encoded"}
    int8 = report["files"]["model_int8.tflite"]
    assert int8["bytes"] == (exported / "model_int8.tflite").stat().st_size
    assert int8["operators"]["CONV_2D"] == 6
    assert int8["agreement"] >= 0.99
    assert set(int8["latency_ms"]) == {"1", "2"}
    assert int8["too_new_for_tflite_runtime"] == ["FULLY_CONNECTED version 12"]
    table = export.table(report)
    assert "model_int8.tflite" in table
    assert "CONV_2D 6" in table


def test_files_take_pixels_in_any_number_and_give_named_floats(exported: Path, model: keras.Model) -> None:
    images, _ = cells(5, 3)
    expected = np.asarray(model.predict_on_batch(images)["logits"])
    for precision in convert.PRECISIONS:
        found = Session(exported / convert.file_name(precision)).run({"image": images})
        assert found["logits"].dtype == np.float32
        # int8 has 256 levels, layer after layer.
        np.testing.assert_allclose(found["logits"], expected, atol=0.08 * np.ptp(expected))


def test_quantised_files_are_small(exported: Path, model: keras.Model) -> None:
    sizes = {one: (exported / convert.file_name(one)).stat().st_size for one in convert.PRECISIONS}
    assert sizes["float32"] > model.count_params() * 4 * 0.98  # Normalisation is folded away.
    assert sizes["float16"] < 0.8 * sizes["float32"]
    assert sizes["dynamic"] < 0.7 * sizes["float32"]
    types = {
        tensor.type
        for tensor in operators.parse((exported / "model_int8.tflite").read_bytes()).subgraphs[0].tensors
        if len(tensor.shape) == 4 and tensor.name.endswith(b"convolution")
    }
    assert types <= {9}  # int8


def test_both_signatures_give_what_keras_gives(exported: Path, model: keras.Model) -> None:
    images, _ = cells(6, 4)
    expected = np.asarray(model.predict_on_batch(images)["logits"])
    signatures = tf.saved_model.load(str(exported / "saved_model")).signatures
    found = signatures["serving_default"](image=tf.constant(images))["logits"]
    np.testing.assert_allclose(found, expected, atol=1e-4)
    files = [written(Image.fromarray(image[..., 0]), "PNG") for image in images]
    found = signatures["encoded"](image_bytes=tf.constant(files))["logits"]
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_the_last_dense_layer_hands_on_its_sums(exported: Path) -> None:
    images, _ = cells(300, 5)
    content = (exported / "model_int8.tflite").read_bytes()
    found = Session(exported / "model_int8.tflite").run({"image": images})["logits"]
    assert len(np.unique(found)) > 256  # The levels of int8.
    assert head.with_float_sums(content) == content


def test_what_joins_several_dense_layers_is_not_quantised(tmp_path: Path) -> None:
    image = keras.Input((8, 8, 1), dtype="uint8", name="image")
    x = keras.layers.Flatten()(keras.layers.Conv2D(4, 3)(keras.layers.Rescaling(1 / 255)(image)))
    members = [keras.layers.Dense(300, bias_initializer="normal")(x) for _ in range(2)]
    outputs = {"logits": keras.layers.Average()(members), "best": keras.layers.Maximum()(members)}
    model = keras.Model(image, outputs, name="joined")
    images = np.random.default_rng(0).integers(0, 256, (50, 8, 8, 1), np.uint8)
    export.tflite(model, tmp_path, ["int8"], {"image": images})
    content = (tmp_path / "model_int8.tflite").read_bytes()
    counted = operators.count(content)
    assert (counted["DEQUANTIZE"], counted["FULLY_CONNECTED"]) == (1, 2)
    measured = parity.measure(model, tmp_path, {"image": images})["model_int8.tflite"]
    assert measured.mean_difference < 0.01  # Of logits up to 2.
    assert measured.agreement is not None
    assert measured.agreement > 0.9  # Of a fresh model, whose best logits are close.


# ------------------------------------------------------------------------------------- encoded pictures


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_png_of_every_kind_is_decoded_as_pillow_does(tmp_path: Path, channels: int, mode: str) -> None:
    rng = np.random.default_rng(0)
    colours = Image.fromarray(rng.integers(0, 256, (24, 20, 4), np.uint8), "RGBA")
    picture = (
        Image.fromarray(np.uint16(rng.integers(0, 65536, (24, 20))))
        if mode == "I;16"
        else colours.convert(mode)
    )
    if mode == "I;16":
        grey = Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8))
    else:
        paper = Image.new("RGBA", (20, 24), "white")
        grey = Image.alpha_composite(paper, picture.convert("RGBA"))
    expected = np.asarray(grey.convert("L" if channels == 1 else "RGB"), np.float32)
    found = encoded(echo(24, 20, channels), tmp_path / "m", written(picture, "PNG"))[0]
    np.testing.assert_allclose(found, expected.reshape(24, 20, channels), atol=1.01)  # Rounding.


def test_jpeg_in_grey_and_in_colours_is_decoded(tmp_path: Path) -> None:
    ramp = np.tile(np.arange(0, 240, 10, np.uint8), (24, 1))
    grey, colours = Image.fromarray(ramp), Image.fromarray(np.stack([ramp, ramp.T, 255 - ramp], 2))
    model = echo(24, 24, 3)
    found = encoded(model, tmp_path / "m", written(grey, "JPEG"), written(colours, "JPEG"))
    for image, expected in zip(found, (grey, colours), strict=True):
        again = np.asarray(Image.open(io.BytesIO(written(expected, "JPEG"))).convert("RGB"), np.float32)
        assert np.abs(image - again).mean() < 2  # Two decoders round differently.


def test_a_picture_of_another_size_is_resized(tmp_path: Path) -> None:
    large = Image.fromarray(np.repeat(np.repeat(np.eye(8, dtype=np.uint8) * 255, 8, 0), 8, 1))
    found = encoded(echo(8, 8, 1), tmp_path / "m", written(large, "PNG"))[0, ..., 0]
    assert (found.argmax(1) == np.arange(8)).all()
    assert found.min() < 30


def test_lines_keep_their_proportions_and_are_padded_with_paper(tmp_path: Path) -> None:
    short, long = Image.new("L", (40, 32)), Image.new("L", (300, 64))
    found = encoded(echo(16, None, 1), tmp_path / "m", written(short, "PNG"), written(long, "PNG"))
    assert found.shape == (2, 16, 96, 1)  # 300 * 16 / 64 = 75, and the next multiple of 32
    assert (found[0, :, :20] == 0).all()
    assert (found[0, :, 20:] == 255).all()
    assert (found[1, :, :75] == 0).all()
    assert (found[1, :, 75:] == 255).all()


def test_pages_keep_their_size(tmp_path: Path) -> None:
    found = encoded(echo(None, None, 3), tmp_path / "m", written(Image.new("RGB", (33, 64)), "PNG"))
    assert found.shape == (1, 64, 64, 3)
    assert (found[0, :, :33] == 0).all()
    assert (found[0, :, 33:] == 255).all()


def test_what_is_no_picture_is_an_error(tmp_path: Path) -> None:
    export.saved_model(echo(16, None, 1), tmp_path)
    signature = tf.saved_model.load(str(tmp_path)).signatures["encoded"]
    png = written(Image.new("L", (20, 20)), "PNG")
    jpeg = written(Image.new("L", (20, 20)), "JPEG")
    huge = png[:16] + (30_000).to_bytes(4, "big") * 2 + png[24:]
    thin = png[:16] + (9_000_000).to_bytes(4, "big") + (1).to_bytes(4, "big") + png[24:]
    for data in (
        b"",
        b"no picture",
        png[:20],
        png[:50],
        jpeg[:100],
        jpeg[:20],
        written(Image.new("L", (9, 9)), "GIF"),
    ):
        with pytest.raises(tf.errors.InvalidArgumentError):
            signature(image_bytes=tf.constant([png, data]))
    for data in (huge, thin):
        with pytest.raises(tf.errors.InvalidArgumentError, match="at most 40,000,000 pixels"):
            signature(image_bytes=tf.constant([png, data]))


# -------------------------------------------------------------------------------------------- recurrent


@pytest.mark.slow
def test_recurrent_models_are_unrolled_for_int8(tmp_path: Path) -> None:
    keras.utils.set_random_seed(1)
    model = crnn.crnn(8, height=16, units=8, widths=(4, 8), depth=1)
    lines = np.random.default_rng(0).integers(0, 256, (24, 16, 16, 1), np.uint8)
    export.tflite(model, tmp_path, representative={"image": lines})
    assert {path.name for path in tmp_path.iterdir()} == FILES - {"saved_model", "export.json"}
    measured = parity.measure(model, tmp_path, {"image": lines})
    assert measured["model_float32.tflite"].difference < 1e-4
    assert measured["model_dynamic.tflite"].difference < 0.05
    assert measured["model_int8.tflite"].mean_difference < 0.1  # int8 has 256 levels, step after step.
    contents = {name: (tmp_path / name).read_bytes() for name in measured}
    assert all(operators.batch(content) == 1 for content in contents.values())
    assert "WHILE" in operators.count(contents["model_float32.tflite"])
    assert "WHILE" not in operators.count(contents["model_int8.tflite"])
    wide = np.full((1, 16, 64, 1), 255, np.uint8)
    assert Session(tmp_path / "model_float32.tflite").run({"image": wide})["logits"].shape == (1, 16, 8)


# --------------------------------------------------------------------------------------------- failures


@pytest.fixture
def converter(monkeypatch: pytest.MonkeyPatch) -> Iterator[convert._Converter]:
    """One whose process has not started yet."""
    fresh = convert._Converter()
    monkeypatch.setattr(convert, "_CONVERTER", fresh)
    yield fresh
    fresh._end()


def test_an_operator_that_is_not_built_in_fails_the_export(tmp_path: Path) -> None:
    image = keras.Input((4, 4, 1), dtype="uint8", name="image")
    outputs = {"pixels": keras.ops.erfinv(keras.layers.Rescaling(1 / 256)(image))}
    model = keras.Model(image, outputs, name="odd")
    samples = {"image": np.zeros((2, 4, 4, 1), np.uint8)}
    with pytest.raises(RuntimeError, match=r"odd cannot become float32 TFLite: .*not built in: Erfinv"):
        export.export(model, tmp_path / "out", samples, precisions=["float32"])
    assert list(tmp_path.iterdir()) == []


def test_a_crash_of_the_converter_is_a_message(
    model: keras.Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, converter: convert._Converter
) -> None:
    (tmp_path / "crashing.py").write_text(
        "import os, signal\ninput()\nos.kill(os.getpid(), signal.SIGSEGV)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(convert, "_MODULE", "crashing")
    with pytest.raises(RuntimeError, match=r"hanzinet cannot become float16 TFLite: .*crashed \(SIGSEGV\)"):
        export.export(model, tmp_path / "out", {"image": cells(2, 0)[0]}, precisions=["float16"])
    assert not (tmp_path / "out").exists()
    assert not list(tmp_path.glob(".out*"))
    monkeypatch.undo()
    monkeypatch.setattr(convert, "_CONVERTER", converter)
    export.tflite(model, tmp_path, ["float16"])
    assert (tmp_path / "model_float16.tflite").exists()


def test_one_process_converts_one_model_after_the_other(
    model: keras.Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, converter: convert._Converter
) -> None:
    export.tflite(model, tmp_path, ["float32"])
    started, written = converter._process, (tmp_path / "model_float32.tflite").read_bytes()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RuntimeError, match="hanzinet cannot become float32 TFLite"):
        convert.convert("hanzinet", Path("nothing"), Path(), ["float32"])
    export.tflite(model, Path(), ["float32"])
    assert converter._process is started
    assert (tmp_path / "model_float32.tflite").read_bytes() == written


def test_what_cannot_be_asked_for_is_refused(model: keras.Model, tmp_path: Path) -> None:
    samples = {"image": cells(2, 0)[0]}
    with pytest.raises(ValueError, match=r"must be some of float32, .* Received: \['int4'\]"):
        export.export(model, tmp_path / "out", samples, precisions=["int4"])
    with pytest.raises(ValueError, match="`representative` must show int8"):
        export.export(model, tmp_path / "out", samples, precisions=["int8"])
    (tmp_path / "essay.txt").write_text("mine")
    with pytest.raises(ValueError, match=r"files of other origin\. Received: \['essay.txt'\]"):
        export.export(model, tmp_path, samples, precisions=["float32"])
    assert [path.name for path in tmp_path.iterdir()] == ["essay.txt"]
    with pytest.raises(ValueError, match="No trained model 'hanzinot'"):
        export.export_named("hanzinot", tmp_path / "out")


@contextlib.contextmanager
def small_disk() -> Iterator[None]:
    """Lets no file grow beyond 8 KiB; not longer than needed, as the log of the tests is a file too."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.usefixtures("converter")
def test_a_full_disk_leaves_the_earlier_export(model: keras.Model, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "export.json").write_text("earlier")
    export.saved_model(model, tmp_path / "saved")
    with (
        small_disk(),
        pytest.raises(OSError, match=r"the SavedModel cannot be written: .*(File too large|No space)"),
    ):
        export.export(model, tmp_path / "out", {"image": cells(2, 0)[0]}, precisions=["float32"])
    with (
        small_disk(),
        pytest.raises(RuntimeError, match=r"hanzinet cannot become float32 TFLite: .*File too large"),
    ):
        export.tflite(model, tmp_path, ["float32"], saved=tmp_path / "saved")
    assert (tmp_path / "out" / "export.json").read_text() == "earlier"
    assert not list(tmp_path.glob(".*"))


@pytest.mark.slow
def test_a_killed_export_leaves_the_earlier_one(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "export.json").write_text("earlier")
    script = (
        "import sys, pathlib, numpy, zoo\nfrom serving import export\nfrom tests import tiny\n"
        "model = zoo.create('hanzinet', **tiny.READERS['hanzinet'])\n"
        "export.export(model, pathlib.Path(sys.argv[1]), {'image': numpy.zeros((1, 32, 32, 1), 'uint8')},"
        " precisions=['float32'])"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(folder)], cwd=Path(__file__).parents[1], stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 120
    while not list(tmp_path.glob(".out.*/saved_model")) and time.monotonic() < deadline:
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert [path.name for path in folder.iterdir()] == ["export.json"]
    assert (folder / "export.json").read_text() == "earlier"
    with folders.replacing(folder, FILES) as fresh:
        (fresh / "export.json").write_text("later")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert (folder / "export.json").read_text() == "later"


def test_what_a_process_of_the_same_number_left_goes_away(tmp_path: Path) -> None:
    left = tmp_path / f".out.0.{os.getpid()}.unfinished"
    left.mkdir()
    with folders.replacing(tmp_path / "out", ["file"]) as fresh:
        with folders.replacing(tmp_path / "out", ["file"]) as other:
            (other / "file").write_text("second")
        (fresh / "file").write_text("first")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert (tmp_path / "out" / "file").read_text() == "first"


def test_folders_are_replaced_where_the_system_cannot_exchange_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, "_exchanged", lambda one, other: False)
    for content in ("earlier", "later"):
        with folders.replacing(tmp_path / "out", ["file"]) as fresh:
            (fresh / "file").write_text(content)
        assert (tmp_path / "out" / "file").read_text() == content
    with contextlib.suppress(KeyError), folders.replacing(tmp_path / "out", ["file"]) as fresh:
        (fresh / "file").write_text("never")
        raise KeyError
    assert (tmp_path / "out" / "file").read_text() == "later"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


# ------------------------------------------------------------------------------------------ by a name


def test_a_trained_model_without_data_is_measured_on_strokes(model: keras.Model, tmp_path: Path) -> None:
    zoo.save(model, tmp_path / "model")
    report = export.export_named(str(tmp_path / "model"), tmp_path / "out")
    assert report["samples"] == 64
    assert set(report["files"]) == FILES - {"export.json", "model_int8.tflite"} | {"saved_model encoded"}
    with pytest.raises(ValueError, match="`representative` must show int8"):
        export.export_named(str(tmp_path / "model"), tmp_path / "out", precisions=["int8"])


@pytest.mark.parametrize("name", [pytest.param("hanzinet_m", marks=pytest.mark.slow), "hanzinet_s"])
def test_bundled_readers_are_exported_without_data(name: str, tmp_path: Path) -> None:
    report = export.export_named(name, tmp_path / "out", precisions=["dynamic"])
    assert report["failures"] == []
    assert report["files"]["model_dynamic.tflite"]["agreement"] == 1


def test_made_up_inputs_fit_the_model() -> None:
    strokes = samples.made_up(crnn.crnn(8, height=16, units=4, widths=(4, 4), depth=1), count=3)["image"]
    assert strokes.shape == (3, 16, 128, 1)
    assert strokes.dtype == np.uint8
    assert 0 < np.mean(strokes < 128) < 0.5
    noise = keras.Input((7,), name="noise")
    model = keras.Model(noise, {"image": keras.layers.Dense(2)(noise)})
    assert samples.made_up(model, count=3)["noise"].shape == (3, 7)
