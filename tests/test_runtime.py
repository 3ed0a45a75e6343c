import json
import os
import threading
from pathlib import Path

import numpy as np
import pytest

from serving import runtime
from serving.runtime import ModelError, Session
from tests import fakes


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    """A tiny TFLite file: `image`, uint8 (N, 8, 8, 1), to `logits`, the sums of rows and of columns."""
    tensorflow = pytest.importorskip("tensorflow", reason="makes the TFLite file for this test")

    class Sums(tensorflow.Module):
        @tensorflow.function(
            input_signature=[tensorflow.TensorSpec((None, 8, 8, 1), tensorflow.uint8, name="image")]
        )
        def serve(self, image):
            plane = tensorflow.cast(image[..., 0], tensorflow.float32)
            return {"logits": tensorflow.concat([tensorflow.reduce_sum(plane, 1), plane[:, 0]], 1)}

    module = Sums()
    folder = tmp_path_factory.mktemp("model")
    tensorflow.saved_model.save(module, str(folder / "saved"), signatures={"serving_default": module.serve})
    converter = tensorflow.lite.TFLiteConverter.from_saved_model(str(folder / "saved"))
    path = folder / "sums.tflite"
    path.write_bytes(converter.convert())
    return path


def test_a_session_takes_and_gives_a_dict_at_any_batch_size(model):
    session = Session(model)
    rng = np.random.default_rng(0)
    for count in (1, 5, 64, 2):
        image = rng.integers(0, 256, (count, 8, 8, 1), np.uint8)
        outputs = session.run({"image": image})
        plane = image[..., 0].astype(np.float32)
        assert list(outputs) == ["logits"]
        np.testing.assert_array_equal(outputs["logits"], np.concatenate([plane.sum(1), plane[:, 0]], 1))


def test_results_survive_the_next_run(model):
    session = Session(model, threads=1)
    first = session.run({"image": np.full((2, 8, 8, 1), 3, np.uint8)})["logits"]
    session.run({"image": np.full((2, 8, 8, 1), 9, np.uint8)})
    assert first[0, 0] == 24


def test_several_threads_may_share_a_session(model):
    session = Session(model, threads=1)
    wrong = []

    def work(value):
        for count in (1, 3, 2) * 20:
            logits = session.run({"image": np.full((count, 8, 8, 1), value, np.uint8)})["logits"]
            if logits.shape[0] != count or (logits[:, 0] != 8 * value).any():
                wrong.append(value)

    threads = [threading.Thread(target=work, args=(value,)) for value in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({}, r"must hold \['image'\]. Received: \[\]"),
        ({"picture": np.zeros((1, 8, 8, 1), np.uint8)}, r"Received: \['picture'\]"),
        ({"image": np.zeros((1, 8, 8, 1), np.float32)}, "must be uint8.*Received: float32"),
        ({"image": np.zeros((1, 9, 8, 1), np.uint8)}, r"\(any, 8, 8, 1\). Received: uint8 \(1, 9, 8, 1\)"),
        ({"image": np.zeros((8, 8, 1), np.uint8)}, r"Received: uint8 \(8, 8, 1\)"),
    ],
)
def test_inputs_that_do_not_fit_are_named(model, inputs, message):
    with pytest.raises(ValueError, match=message):
        Session(model).run(inputs)


def test_all_processors_work_unless_told_otherwise(model):
    assert Session(model).threads == runtime.available_threads() >= 1
    assert Session(model, threads=1).threads == 1
    with pytest.raises(ValueError, match="Received: threads=0"):
        Session(model, threads=0)


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="only Linux says which processors are ours")
def test_threads_are_the_processors_that_the_process_may_use():
    assert runtime.available_threads() == len(os.sched_getaffinity(0))


@pytest.mark.parametrize("content", [b"", b"no model", b"TFL3" * 300])
def test_a_corrupt_model_is_a_clear_error(tmp_path, content):
    path = tmp_path / "model.tflite"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"model\.tflite: LiteRT cannot load this file"):
        Session(path)


def test_a_truncated_model_is_a_clear_error(model, tmp_path):
    content = model.read_bytes()
    path = tmp_path / "model.tflite"
    for tenth in range(10):
        path.write_bytes(content[: len(content) * tenth // 10])
        with pytest.raises(ModelError, match="LiteRT cannot load this file"):
            Session(path)


def test_a_missing_model_is_a_clear_error(tmp_path):
    with pytest.raises(ModelError, match="cannot be read: No such file"):
        Session(tmp_path / "model.tflite")


def test_a_changed_model_does_not_match_its_sha256(tmp_path):
    folder = fakes.preset(tmp_path / "fake")
    (folder / "model.tflite").write_bytes(b"b model")
    with pytest.raises(ModelError, match="damaged: its sha256 is not the one"):
        runtime.preset(folder).session()


def test_a_preset_knows_its_figures(tmp_path):
    preset = runtime.preset(fakes.preset(tmp_path / "fake"))
    assert (preset.name, preset.temperature, preset.text_temperature) == ("fake", 1.5, 1.5)
    assert preset.bytes == 7
    assert preset.writers == {"w06": {"samples": 100, "top1_int8": 0.9712}}


def test_a_folder_needs_no_slash_and_bundled_models_win(tmp_path, monkeypatch):
    fakes.preset(tmp_path / "mine")
    fakes.preset(tmp_path / "hanzinet_m")
    monkeypatch.chdir(tmp_path)
    assert runtime.preset("mine").folder == Path("mine")
    assert runtime.preset("hanzinet_m").folder == runtime.PRESETS / "hanzinet_m"


def test_unknown_preset_suggests_the_nearest(tmp_path, monkeypatch):
    monkeypatch.setattr(runtime, "PRESETS", tmp_path)
    fakes.preset(tmp_path / "hanzinet_m")
    assert runtime.names() == ["hanzinet_m"]
    with pytest.raises(ModelError, match=r"No preset named 'hanzinet_mm'\. Did you mean 'hanzinet_m'\?"):
        runtime.preset("hanzinet_mm")


@pytest.mark.parametrize(
    "result",
    [
        "{",
        "[]",
        "{}",
        json.dumps({"files": {"model.tflite": {"sha256": "", "bytes": 7}}}),
        json.dumps({"temperature": 0, "files": {"model.tflite": {"sha256": "0" * 64, "bytes": 7}}}),
        json.dumps({"text_temperature": -1, "files": {"model.tflite": {"sha256": "0" * 64, "bytes": 7}}}),
    ],
)
def test_damaged_figures_of_a_preset_are_a_clear_error(tmp_path, result):
    folder = fakes.preset(tmp_path / "fake")
    (folder / "result.json").write_text(result)
    with pytest.raises(ModelError, match=r"result\.json: must name the sha256"):
        runtime.preset(folder)


def test_a_preset_for_other_characters_is_an_error(tmp_path):
    folder = fakes.preset(tmp_path / "fake")
    result = json.loads((folder / "result.json").read_text())
    (folder / "result.json").write_text(json.dumps(result | {"charset_sha256": "0" * 64}))
    with pytest.raises(ModelError, match="trained for other characters"):
        runtime.preset(folder)


def test_every_preset_that_ships_loads():
    for name in runtime.names():
        preset = runtime.preset(name)
        if preset.result["recipe"]["kind"] == "DetectionRecipe":
            page = np.full((1, *preset.result["recipe"]["size"], 3), 255, np.uint8)
            probability = preset.session().run({"image": page})["probability"]
            assert probability.max() < 0.1, "white paper has no lines"
            continue
        if preset.result["recipe"]["kind"] == "LineRecipe":
            strip = np.full((1, 64, 256, 1), 255, np.uint8)
            assert (preset.session().run({"image": strip})["logits"].argmax(2) == 0).all(), (
                "white paper is blank"
            )
            continue
        white = np.full((3, preset.size, preset.size, 1), 255, np.uint8)
        logits = preset.session().run({"image": white})["logits"]
        assert logits.dtype == np.float32
        assert (logits.argmax(1) == 0).all(), "white paper must be a blank cell"
