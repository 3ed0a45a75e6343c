"""Presets and their figures: exported, measured again, evaluated on folders."""

import dataclasses
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import zoo
from serving import cli, latency, line_reader, measure_characters, report, runtime
from serving import preset as presets
from serving.card import card, licence
from serving.runtime import Session
from tests import made_hands
from training import calibration, fit, labelled, pipeline, sources
from training.recipe import CharacterRecipe, DetectionRecipe, LineRecipe
from zoo import charset

TINY = CharacterRecipe(
    model="hanzinet",
    sizes={"widths": (4, 8, 16, 16), "depths": (0, 0, 1, 0), "embedding": 8},
    epochs=2,
    steps=3,
    batch_size=8,
)
LATENCY = {
    "machine": {"cpu": "an abacus", "cores": 2, "python": "3.11"},
    "batch": 32,
    "milliseconds": {"float32": {"1": 2.0, "2": 1.0}, "int8": {"1": 0.5, "2": 0.25}},
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Training data whose validation writers are c, c again from a scan, and d."""
    folder = made_hands.write_data(tmp_path_factory.mktemp("data"))
    made_hands.write_hand(folder / "hands" / "dev" / "c_scan.npz", 4)
    made_hands.write_hand(folder / "hands" / "dev" / "d.npz", 5, repeats=3)
    return folder


@pytest.fixture(scope="module")
def run(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run."""
    workdir = tmp_path_factory.mktemp("run")
    fit.fit(dataclasses.replace(TINY, data=data), workdir)
    return workdir


@pytest.fixture(scope="module", autouse=True)
def no_clock() -> Iterator[pytest.MonkeyPatch]:
    """Nothing is timed, for that starts processes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(latency, "measure", lambda *_: LATENCY)
        yield patch


@pytest.fixture(scope="module")
def preset(run: Path, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    notes = tmp_path_factory.mktemp("notes") / "notes.md"
    notes.write_text("甲 and 乙 wrote this, under OFL.\n", encoding="utf-8")
    return presets.export_preset(run, "tiny", data, tmp_path_factory.mktemp("presets"), notes)


@pytest.fixture
def copy(preset: Path, tmp_path: Path) -> Path:
    """A preset that a test may change."""
    return Path(shutil.copytree(preset, tmp_path / "copy"))


def _result(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "result.json").read_text(encoding="utf-8"))


def test_a_preset_holds_its_files_and_their_checksums(preset: Path) -> None:
    result = _result(preset)
    assert {path.name for path in preset.iterdir()} == {
        "card.md", "model.tflite", "model.weights.h5", "result.json",
    }  # fmt: skip
    assert set(result["files"]) == {"model.tflite", "model.weights.h5"}
    assert result["files"]["model.tflite"]["bytes"] == os.path.getsize(preset / "model.tflite")
    assert 0.1 < result["temperature"] < 10
    assert [path.name for path in preset.parent.iterdir()] == ["tiny"]


def test_the_integer_file_agrees_with_keras(preset: Path, run: Path, data: Path) -> None:
    model = zoo.load(run)
    cells = pipeline.clean_cells(sources.read_hands(data / "hands" / "dev")[0])
    exact = np.asarray(model.predict_on_batch(cells)["logits"])
    integer = Session(preset / "model.tflite").run({"image": cells})["logits"]
    assert integer.dtype == np.float32
    spread = exact.max() - exact.min()
    np.testing.assert_allclose(integer, exact, atol=0.08 * spread)  # int8 has 256 levels, layer after layer


def test_a_preset_is_measured_on_writers_that_its_calibration_does_not_know(preset: Path, data: Path) -> None:
    result = _result(preset)
    figures = result["validation"]
    assert list(figures["writers"]) == ["c", "c_scan", "d"]
    assert set(figures["calibration"]) == {"cross_fitted"}
    found = figures["calibration"]["cross_fitted"]["writers"]
    session = Session(preset / "model.tflite")
    writers = {one.writer: one for one in sources.read_hands(data / "hands" / "dev")}
    logits = {
        name: session.run({"image": pipeline.clean_cells(one)})["logits"] for name, one in writers.items()
    }
    temperature = calibration.fit_temperature(logits["d"], writers["d"].labels)
    assert found["c"]["temperature"] == found["c_scan"]["temperature"]
    # LiteRT may add in another order for another size of batch.
    assert found["c"]["temperature"] == pytest.approx(temperature, rel=1e-3)
    expected = calibration.fit_text_temperature(
        np.concatenate([logits[name] for name in writers]),
        np.concatenate([one.labels for one in writers.values()]),
    )
    assert result["text_temperature"] == pytest.approx(expected, rel=1e-3)
    assert runtime.preset(preset).writers["d"]["samples"] == 3 * len(made_hands.CHARACTERS)


def test_the_card_tells_sources_figures_and_confusions(preset: Path) -> None:
    text = (preset / "card.md").read_text(encoding="utf-8")
    assert "甲 and 乙 wrote this, under OFL." in text.split("## Training")[1].split("## Validation")[0]
    assert "- hands: a, b." in text
    assert "Writers that the model never saw." in text
    for title in ("Calibration", "Confusions", "Speed", "Limits"):
        assert f"\n\n## {title}\n\n" in text
    assert "| Chinese " in text
    assert "an abacus" in text
    assert "\n\n\n" not in text


def test_a_card_does_not_claim_more_than_was_measured(preset: Path) -> None:
    result = _result(preset) | {"notes": "", "latency": None, "reject_threshold": None}
    result["data"]["hands"] = ["d_scan"]
    result["validation"]["calibration"]["cross_fitted"] = None
    result["validation"]["confusions"] = []
    text = card("tiny", result, (None, 64, 64, 1))
    assert "of writers that it was trained on" in text
    assert "never saw." not in text
    assert "calibration cannot be measured" in text
    assert "Nothing is noted on the licences" in text
    assert "No score is known to be high enough" in text
    assert "No character was read as another one." in text
    assert "## Speed" not in text
    result["data"] |= {"hands": ["b"], "hands_before": ["d_scan"]}
    text = card("tiny", result, (None, 64, 64, 1))
    assert "Writers that a model which this one went on from was trained on: d." in text


@pytest.mark.parametrize(
    ("notes", "data", "said"),
    [
        ("Sources: mine.", {}, r"^Apache-2\.0\.$"),
        ("", {"sets": []}, "not stated, because nothing is noted"),
        ("Sources: mine.", {"sets": ["casia_hwdb"]}, r"that of the public sets .*: casia_hwdb\."),
        ("", {"sets": ["ai_free"], "sets_before": ["casia_hwdb"]}, r": ai_free, casia_hwdb\."),
    ],
)
def test_weights_are_licensed_as_what_they_learned_from_allows(
    notes: str, data: dict[str, Any], said: str
) -> None:
    assert re.search(said, licence({"notes": notes, "data": data}))


def _measured(mistakes: int) -> measure_characters.Measured:
    """What a model answers that is sure of itself, to 200 characters."""
    labels = np.full(200, 1)
    logits = np.tile(np.array([0, 9, 0], np.float32), (200, 1))
    logits[:mistakes] = [0, 0, 9]
    glyphs = sources.Glyphs("z", np.zeros((200, 96, 96), np.uint8), labels, real=True)
    return measure_characters.Measured([glyphs], [], [logits], ["", "一", "丁"])


@pytest.mark.parametrize(
    ("known", "by"),
    [
        ({"temperature": 1.5, "text_temperature": 1.7, "reject_threshold": 0.8}, "mine"),
        ({"recipe": {"start": "hanzinet_s"}}, "hanzinet_s"),
        ({"recipe": {"start": "a_run"}}, None),
        ({"recipe": {"start": None}}, None),
    ],
)
def test_few_mistakes_leave_scores_as_they_were(known: dict[str, Any], by: str | None) -> None:
    measured = _measured(0)
    expected = {"mine": known, "hanzinet_s": zoo.describe("hanzinet_s")}.get(by or "", {})
    assert measured.fit().temperature < 0.2  # They are all read right, so nothing could be too sure.
    found = presets._calibration(measured, Path("mine"), known)
    assert found == {
        "temperature": expected.get("temperature", 1.0),
        "text_temperature": expected.get("text_temperature", 1.0),
        "reject_threshold": expected.get("reject_threshold"),
        "calibrated_by": by,
    }


def test_mistakes_enough_fit_scores(preset: Path) -> None:
    measured = _measured(20)
    found = presets._calibration(measured, Path("mine"), _result(preset))
    assert found["calibrated_by"] is None
    assert found["temperature"] == measured.fit().temperature
    assert calibration.scores_of(measured.logits[0], found["temperature"])[0] == pytest.approx(0.9, abs=0.01)


def test_a_card_names_whose_calibration_it_has(preset: Path) -> None:
    text = card(
        "mine", _result(preset) | {"calibrated_by": "other", "reject_threshold": 0.9}, (None, 64, 64, 1)
    )
    assert "From the score 0.900 on, 99% of the answers of other to" in text
    assert "Temperature and threshold above are those of other" in text


def test_a_preset_is_measured_again_and_keeps_its_model_and_its_notes(copy: Path, data: Path) -> None:
    before, files = _result(copy), {name: (copy / name).read_bytes() for name in presets._MODEL}
    old = before | {"validation": {"writers": {}}}
    del old["notes"], old["reject_threshold"], old["latency"]
    (copy / "result.json").write_text(json.dumps(old), encoding="utf-8")
    notes = copy.parent / "notes.md"
    notes.write_text("Other notes.", encoding="utf-8")
    presets.measure_again(copy, data, notes)
    presets.measure_again(copy, data)
    assert _result(copy) == before | {"notes": "Other notes."}
    assert {name: (copy / name).read_bytes() for name in presets._MODEL} == files
    assert "Other notes." in (copy / "card.md").read_text(encoding="utf-8")
    assert (copy / "card.md").read_text(encoding="utf-8").startswith("# copy\n")


def test_a_damaged_preset_is_not_measured(copy: Path, data: Path) -> None:
    (copy / "model.tflite").write_bytes(b"nothing")
    before = (copy / "result.json").read_bytes()
    with pytest.raises(ValueError, match="the model is damaged"):
        presets.measure_again(copy, data)
    assert (copy / "result.json").read_bytes() == before


def test_notes_that_are_not_there_are_named(
    run: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    notes = tmp_path / "nonotes.md"
    command = ["preset", str(run), "mine", "--data", str(data), "--presets", str(tmp_path)]
    assert cli.main([*command, "--notes", str(notes)]) == 1
    assert capsys.readouterr().err == f"hanzoo: {notes}: there is no such file or folder; check the path\n"


@pytest.mark.parametrize("command", ["evaluate", pytest.param("preset", marks=pytest.mark.slow)])
def test_litert_does_not_greet(command: str, preset: Path, run: Path, data: Path, tmp_path: Path) -> None:
    arguments = {
        "evaluate": [str(preset)],
        "preset": [str(run), "mine", "--presets", str(tmp_path)],
    }
    # LiteRT greets once in a process.
    script = "import sys; from serving import cli, latency; latency.measure = lambda *_: None; sys.exit(cli.main())"
    done = subprocess.run(
        [sys.executable, "-c", script, command, *arguments[command], "--data", str(data)],
        cwd=Path(__file__).resolve().parents[1],
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_notes_that_are_no_text_are_named(copy: Path, data: Path) -> None:
    (copy.parent / "notes.md").write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError, match=r"notes\.md: notes must be text in UTF-8"):
        presets.measure_again(copy, data, copy.parent / "notes.md")


def test_the_report_shows_each_preset(preset: Path, tmp_path: Path) -> None:
    text = report.report(preset.parent, tmp_path)
    assert "## Preset tiny" in text
    assert "fitted on the other writers" in text
    assert "| c_scan " in text
    assert "| 1 thread |" in text


def test_a_run_with_made_up_writers_needs_no_strokes_to_be_measured(
    run: Path, data: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(run, tmp_path / "run")
    result = _result(folder)
    result["recipe"]["stroke_writers"] = 40
    (folder / "result.json").write_text(json.dumps(result), encoding="utf-8")
    assert set(fit.evaluate(folder, data)) == {"mean", "c", "c_scan", "d"}


# ------------------------------------------------------------------------------------------ evaluation


def test_a_folder_of_training_data_is_measured_by_its_validation_writers(run: Path, data: Path) -> None:
    found = measure_characters.evaluate(run, data).report
    expected = fit.evaluate(run, data)
    assert {name: one["top1_float32"] for name, one in found["writers"].items()} | {
        "mean": found["mean"]["top1_float32"]
    } == expected
    assert (found["precision"], found["seen"], found["calibrated_on"]) == ("float32", [], [])
    assert "agreement_int8_float32" not in found
    assert found["calibration"]["shipped"]["writers"]["c"]["temperature"] == 1
    assert found["calibration"]["cross_fitted"]["writers"]["c"]["temperature"] != 1


def test_a_folder_of_hands_is_measured_whole(preset: Path, data: Path) -> None:
    found = measure_characters.evaluate(preset, data / "hands" / "train").report
    assert list(found["writers"]) == ["a", "b"]
    assert found["seen"] == ["a", "b"]
    assert found["samples"] == sum(one["samples"] for one in found["characters"].values())
    assert set(found["characters"]) == set(charset.normalise(made_hands.CHARACTERS))
    shipped = found["calibration"]["shipped"]["writers"]["a"]
    assert shipped["temperature"] == _result(preset)["temperature"]
    assert shipped["threshold"] == _result(preset)["reject_threshold"]
    assert set(found["bytes"]) == {"model.tflite", "model.weights.h5"}


def test_one_file_of_a_hand_is_measured_alone(preset: Path, data: Path) -> None:
    found = measure_characters.evaluate(preset, data / "hands" / "dev" / "c.npz").report
    assert list(found["writers"]) == ["c"]
    assert found["calibration"]["cross_fitted"] is None
    assert found["calibrated_on"] == ["c"]


def test_a_folder_of_pictures_is_measured_whole(preset: Path, tmp_path: Path) -> None:
    folder = made_hands.write_folder(tmp_path / "mine", pictures=2)
    (folder / "一" / "broken.png").write_bytes(b"\x89PNG nothing")
    found = measure_characters.evaluate(preset, folder).report
    assert found["writers"]["mine"]["samples"] == 6
    assert "broken.png" in found["skipped"][0]
    assert found["characters"].keys() == set("一二三")


def test_pictures_that_are_named_by_their_character_are_measured(preset: Path, tmp_path: Path) -> None:
    folder = made_hands.write_folder(tmp_path / "mine", pictures=2)
    for picture in list(folder.glob("*/*.png")):
        picture.rename(folder / f"{picture.parent.name}_{picture.name}")
        if not any(picture.parent.iterdir()):
            picture.parent.rmdir()
    found = measure_characters.evaluate(preset, folder).report
    assert found["writers"]["mine"]["samples"] == 6
    assert found["characters"].keys() == set("一二三")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: None, "must be a folder"),
        (lambda folder: folder.mkdir(), r"must hold hands/dev/\*\.npz"),
        (
            lambda folder: made_hands.write_data(folder).joinpath("hands/dev").rename(folder / "other"),
            "must hold hands/dev",
        ),
        (
            lambda folder: made_hands.write_folder(folder, "一龘"),
            "1 characters that the model does not know: 龘",
        ),
        (lambda folder: (folder / "一").mkdir(parents=True), r"none of its 0 pictures can be read\.$"),
        (
            lambda folder: made_hands.write_hand(made_hands.write_folder(folder) / "x.npz", 4),
            r"holds folders of pictures and x\.npz\. Keep each",
        ),
        (
            lambda folder: (made_hands.write_folder(folder) / "x.zip").write_bytes(b""),
            r"png and x\.zip beside them\. Keep each",
        ),
    ],
)
def test_a_folder_without_labelled_characters_is_told(make, message: str, tmp_path: Path) -> None:
    make(tmp_path / "mine")
    with pytest.raises(ValueError, match=message):
        labelled.read(tmp_path / "mine", charset.CHARACTERS)


def test_a_model_of_other_outputs_is_not_measured() -> None:
    model = zoo.create("crnn", classes=12, height=16, units=8, widths=(4, 8), depth=1)
    with pytest.raises(
        ValueError, match=r"`logits` \(None, 12\).*Received: \{'logits': \(None, None, 12\)\}"
    ):
        measure_characters.measure(model, None, [], charset.CHARACTERS[:12])


def test_the_command_writes_figures_and_a_picture(
    preset: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    file, folder = tmp_path / "figures.json", tmp_path / "shown"
    arguments = ["--data", str(data), "--json", str(file), "--pictures", str(folder)]
    assert cli.main(["evaluate", str(preset), *arguments]) == 0
    shown = capsys.readouterr().out
    found = json.loads(file.read_text(encoding="utf-8"))
    assert (found["model"], found["latency"]) == ("tiny", LATENCY)
    assert found["calibrated_on"] == ["c", "c_scan", "d"]
    assert "(fitted on c, c_scan, d, which flatters it)" in shown
    assert "| c_scan " in shown
    assert "Most confused: " in shown
    assert "an abacus" in shown
    assert cv2.imread(str(folder / "confusions.png")).shape[2] == 3


def test_the_command_tells_what_it_cannot_measure(
    preset: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    assert cli.main(["evaluate", str(preset), "--data", str(tmp_path / "none")]) == 1
    assert "`data` must be a folder" in capsys.readouterr().err
    assert cli.main(["evaluate", "hanzinet_mm"]) == 2
    assert "Did you mean 'hanzinet_m'?" in capsys.readouterr().err


def test_times_are_taken_in_processes_of_their_own(preset: Path, no_clock: pytest.MonkeyPatch) -> None:
    no_clock.undo()
    try:
        found = latency.measure(preset, preset / "model.tflite", threads=(1, 4096), repeat=2)
        with pytest.raises(RuntimeError, match="No trained model"):
            latency.measure(preset / "none", None, threads=(1,))
    finally:
        no_clock.setattr(latency, "measure", lambda *_: LATENCY)
    assert found is not None
    assert found["batch"] == 32
    assert {precision: list(times) for precision, times in found["milliseconds"].items()} == {
        "float32": ["1"],
        "int8": ["1"],
    }
    assert all(0 < time < 1000 for times in found["milliseconds"].values() for time in times.values())


@pytest.mark.slow
def test_a_detector_becomes_a_preset(tmp_path: Path) -> None:
    recipe = DetectionRecipe(
        model="dbnet",
        sizes={"backbone": "mobilenet", "neck": 8, "stride": 2, "factor": 0.25, "separable": True},
        data=made_hands.write_data(tmp_path / "data"),
        size=(128, 128),
        em=(12.0, 16.0),
        epochs=1,
        steps=1,
        batch_size=2,
        validation_pages=2,
    )
    fit.fit(recipe, tmp_path / "run")
    folder = presets.export_preset(tmp_path / "run", "lines", recipe.data, tmp_path / "presets")
    result = _result(folder)
    assert list(result["validation"]) == ["pages", "float32", "int8"]
    assert result["validation"]["int8"].keys() == {"h_mean", "precision", "recall"}
    assert all(time > 0 for time in result["latency"]["milliseconds"].values())
    session = runtime.preset(folder).session()
    assert session.run({"image": np.zeros((1, 128, 128, 3), np.uint8)})["probability"].shape == (1, 64, 64, 1)
    card_text = (folder / "card.md").read_text(encoding="utf-8")
    assert "Finds the lines" in card_text
    assert "| recall of lines" in card_text
    assert "Composed pages of writers that the model never saw" in report.report(
        folder.parent, tmp_path / "none"
    )
    presets.measure_again(folder, recipe.data)
    assert _result(folder)["validation"] == result["validation"]


def test_a_line_reader_becomes_a_preset(tmp_path: Path) -> None:
    classes = len(charset.CHARACTERS)
    recipe = LineRecipe(
        model="linenet",
        sizes={"widths": (4, 4, 4, 4), "depths": (0, 0, 0, 0), "embedding": 4, "context": (3,)},
        data=made_hands.write_data(tmp_path / "data"),
        hands=True,
        widths=(128, 256),
        epochs=1,
        steps=1,
        batch_size=2,
        validation_lines=3,
    )
    fit.fit(recipe, tmp_path / "run")
    folder = presets.export_preset(tmp_path / "run", "whole", recipe.data, tmp_path / "presets")
    result = _result(folder)
    assert list(result["validation"]) == ["lines", "float32", "int8"]
    for precision in ("float32", "int8"):
        figures = result["validation"][precision]
        assert list(figures) == ["error_rate", "error_rate_horizontal", "error_rate_vertical"]
    preset = runtime.preset(folder)
    read = line_reader.LineReader(preset.session(), preset)
    assert read.logits(np.full((64, 200), 255, np.uint8)).shape == (25, classes)
    card_text = (folder / "card.md").read_text(encoding="utf-8")
    assert "Reads a line" in card_text
    assert "| vertical" in card_text
    assert "without a language model" in report.report(folder.parent, tmp_path / "none")
