"""Finished runs become presets: weights, the integer TFLite file, figures and a model card.

`python -m serving.preset PRESET --data DATA` measures a preset anew; its model stays as it is.
"""

import argparse
import hashlib
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import zoo
from serving import card as cards
from serving import (
    convert,
    export,
    folders,
    generator_tables,
    latency,
    measure_characters,
    measure_detection,
    measure_lines,
    runtime,
    samples,
)
from serving.runtime import Session
from training import fit
from training.calibration import Calibration
from training.characters import CharacterTask
from training.detection import DetectionTask
from training.recipe import GenerationRecipe
from training.recognition import LineTask
from zoo import charset

_TFLITE = "model.tflite"
_MODEL = (_TFLITE, zoo.WEIGHTS)
_RESULT, _CARD = "result.json", "card.md"
_NAMES = frozenset([*_MODEL, _RESULT, _CARD])
_CALIBRATION = ("temperature", "text_temperature", "reject_threshold")
_FEWEST_MISTAKES = 20  # Of validation characters, to fit a calibration on.


def export_preset(
    workdir: Path,
    name: str,
    data: Path,
    presets: Path,
    notes: Path | None = None,
    fonts: Sequence[Path] = (),
    strokes: Sequence[Path] = (),
    sets: Sequence[str] = (),
) -> Path:
    """Makes a preset of the zoo from a finished run.

    Writes weights, the int8 TFLite file, `result.json` with the figures of validation writers, and
    `card.md` into `presets/name`; the folder appears whole or not at all. A generator has no TFLite file there, and
    its figures are those of the run.

    Args:
        workdir: Folder of a finished `training.fit.fit`.
        name: Name of the preset.
        data: Folder with `hands/train` and `hands/dev`, or of pictures, as for training.
        presets: Folder of all presets.
        notes: What the card shall say of the training, such as sources and licences: Markdown in UTF-8.
        fonts: As for training; without a folder of data, what validated there is measured.
        strokes: As `fonts`.
        sets: As `fonts`.

    Returns:
        The folder of the preset.

    Raises:
        ValueError: The run is not finished, its recipe is of another kind, or the data or the notes cannot be
            used.
        RuntimeError: The model does not become an integer TFLite file.
        OSError: The disk is full; an earlier preset stays as it was.
    """
    result = zoo.describe(workdir) | {"notes": _read(notes)}
    if "recipe" in result and result["recipe"]["kind"] == GenerationRecipe.__name__:
        with folders.replacing(presets / name, _NAMES) as target:
            zoo.load(workdir)  # What cannot be loaded becomes no preset.
            shutil.copyfile(workdir / zoo.WEIGHTS, target / zoo.WEIGHTS)
            _write(target, result, generator_tables.card(name, result))
        return presets / name
    task = _task(workdir, data, fonts, strokes, sets)
    representative = samples.of_task(task)
    with folders.replacing(presets / name, _NAMES) as target:
        export.tflite(export.deployed(task.model), target, ["int8"], representative)
        (target / convert.file_name("int8")).rename(target / _TFLITE)
        zoo.save_weights(task.model, target / zoo.WEIGHTS)
        _describe(target, name, result, workdir, task)
    return presets / name


def measure_again(folder: Path, data: Path, notes: Path | None = None) -> None:
    """Writes `result.json` and `card.md` of a preset anew; its weights and its TFLite file stay.

    Args:
        folder: Of the preset.
        data: As in `export_preset`.
        notes: As in `export_preset`; without them the earlier ones stay.

    Raises:
        ValueError: There is no preset, its files are damaged, or the data or the notes cannot be used.
        OSError: The disk is full; the preset stays as it was.
    """
    with runtime.without_native_messages():
        runtime.preset(folder).session()  # Compares the file with its checksum.
    result = zoo.describe(folder)
    result["notes"] = _read(notes) or result.get("notes", "")
    task = _task(folder, data)
    with folders.replacing(folder, _NAMES) as target:
        for name in _MODEL:
            shutil.copyfile(folder / name, target / name)
        _describe(target, folder.resolve().name, result, folder, task)


def _read(notes: Path | None) -> str:
    try:
        return notes.read_text(encoding="utf-8").strip() if notes is not None else ""
    except UnicodeDecodeError as error:
        raise ValueError(f"{notes}: notes must be text in UTF-8 ({error}).") from error


def _task(
    folder: Path,
    data: Path,
    fonts: Sequence[Path] = (),
    strokes: Sequence[Path] = (),
    sets: Sequence[str] = (),
) -> CharacterTask | DetectionTask | LineTask:
    task = fit.task_of(folder, data, fonts, strokes=strokes, sets=sets)
    if isinstance(task, CharacterTask | DetectionTask) or (isinstance(task, LineTask) and task.recipe.widths):
        return task
    raise ValueError(
        f"{folder}: must hold a reader of characters or of strips, or a detector. Received: {task.recipe.model}."
    )


def _describe(
    target: Path,
    name: str,
    result: dict[str, Any],
    model: Path,
    task: CharacterTask | DetectionTask | LineTask,
) -> None:
    """Measures the files in `target`, and writes `result.json` and `card.md` beside them.

    Args:
        target: Holds the TFLite file and the weights.
        name: Of the preset.
        result: What is known of the model so far.
        model: Folder from which Keras loads the same model.
        task: Its model and its validation data.
    """
    result |= {
        "files": {file: _facts(target / file) for file in _MODEL},
        "charset_sha256": hashlib.sha256("\n".join(charset.CHARACTERS).encode()).hexdigest(),
    }
    with runtime.without_native_messages():
        session = Session(target / _TFLITE)
    if isinstance(task, DetectionTask):
        result |= measure_detection.measure(task, session)
        card = measure_detection.card(name, result)
    elif isinstance(task, LineTask):
        result |= measure_lines.measure(task, session)
        card = measure_lines.card(name, result)
    else:
        result |= _of_characters(task, session, model, result)
        card = cards.card(name, result, task.model.input_shape)
    _write(target, result, card)


def _write(target: Path, result: dict[str, Any], card: str) -> None:
    fit.write_json(target / _RESULT, result)
    (target / _CARD).write_text(card, encoding="utf-8")


def _of_characters(
    task: CharacterTask, session: Session, model: Path, known: dict[str, Any]
) -> dict[str, Any]:
    measured = measure_characters.measure(task.model, session, task.validation, task.characters)
    return {
        "size": task.model.input_shape[1],
        **_calibration(measured, model, known),
        "validation": measured.figures(),
        "latency": latency.measure(model, session.path),
    }


def _calibration(measured: measure_characters.Measured, model: Path, known: dict[str, Any]) -> dict[str, Any]:
    """What makes scores of logits, `calibrated_by` being the preset that it is taken over from, None if it is fitted.

    Few mistakes tell of chance: of characters that are all read right, the surest scores would be the best.
    """
    fitted, text_temperature = measured.fit(), measured.fit_text_temperature()
    if measured.mistakes < _FEWEST_MISTAKES:
        start = known.get("recipe", {}).get("start")
        for name, result in ((model.resolve().name, known), (start, _preset_of(start))):
            if set(_CALIBRATION) <= set(result):
                return {field: result[field] for field in _CALIBRATION} | {"calibrated_by": name}
        fitted, text_temperature = Calibration(max(1.0, fitted.temperature), None), max(1.0, text_temperature)
    values = fitted.temperature, text_temperature, fitted.threshold
    return dict(zip(_CALIBRATION, values, strict=True)) | {"calibrated_by": None}


def _preset_of(name: str | None) -> dict[str, Any]:
    """What is known of a bundled preset; nothing of another model."""
    try:
        return zoo.describe(name) if name else {}
    except ValueError:
        return {}


def _facts(path: Path) -> dict[str, Any]:
    return {"sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "bytes": path.stat().st_size}


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m serving.preset", description="Measure a preset anew; its model stays as it is."
    )
    parser.add_argument("folder", type=Path, metavar="PRESET", help="folder of the preset")
    parser.add_argument("--data", type=Path, required=True, help="folder as for training")
    parser.add_argument("--notes", type=Path, metavar="FILE", help="what the card says of the training")
    options = parser.parse_args()
    try:
        measure_again(options.folder, options.data, options.notes)
    except (ValueError, OSError, RuntimeError) as error:
        sys.exit(f"hanzoo: {error}")


if __name__ == "__main__":
    main()
