"""Finished runs become presets: weights, the integer TFLite file, figures and a model card."""

import hashlib
from pathlib import Path
from typing import Any

import keras
import numpy as np

import zoo
from serving import convert, export, folders, samples
from serving.runtime import Session
from training import fit, metrics, pipeline
from training.characters import CharacterTask
from training.sources import Glyphs
from zoo import charset

_NAMES = frozenset(["model.tflite", zoo.WEIGHTS, "result.json", "card.md"])


def export_preset(workdir: Path, name: str, data: Path, presets: Path) -> Path:
    """Makes a preset of the zoo from a finished run of a recipe for characters.

    Writes weights, the int8 TFLite file, `result.json` with the figures of validation writers, and
    `card.md` into `presets/name`; the folder appears whole or not at all.

    Args:
        workdir: Folder of a finished `training.fit.fit`.
        name: Name of the preset.
        data: Folder with `hands/train` and `hands/dev`, or of pictures, as for training.
        presets: Folder of all presets.

    Returns:
        The folder of the preset.

    Raises:
        ValueError: The run is not finished, its recipe is not one for characters, or the data cannot be
            used.
        RuntimeError: The model does not become an integer TFLite file.
        OSError: The disk is full; an earlier preset stays as it was.
    """
    result = zoo.describe(workdir)
    task = fit.task_of(workdir, data)
    representative = samples.of_task(task)
    if not isinstance(task, CharacterTask):
        raise ValueError(f"`workdir` must hold a run of a recipe for characters. Received: {task.recipe}.")
    model = task.model
    with folders.replacing(presets / name, _NAMES) as target:
        export.tflite(model, target, ["int8"], representative)
        (target / convert.file_name("int8")).rename(target / "model.tflite")
        model.save_weights(target / zoo.WEIGHTS)
        result |= _measure(model, Session(target / "model.tflite"), task.validation)
        result["files"] = {path.name: _describe(path) for path in sorted(target.iterdir())}
        result["charset_sha256"] = hashlib.sha256("\n".join(charset.CHARACTERS).encode()).hexdigest()
        fit.write_json(target / "result.json", result)
        (target / "card.md").write_text(_card(name, result, model.input_shape), encoding="utf-8")
    return presets / name


def _measure(model: keras.Model, session: Session, writers: list[Glyphs]) -> dict[str, Any]:
    """Accuracy of the float and the int8 model, and calibration of the int8 one, on validation writers."""
    float_logits = [metrics.logits_of(model, writer) for writer in writers]
    cells = [pipeline.clean_cells(writer, model.input_shape[1]) for writer in writers]
    int8_logits = [_run(session, one) for one in cells]
    together, labels = np.concatenate(int8_logits), np.concatenate([writer.labels for writer in writers])
    temperature = metrics.fit_temperature(together, labels)
    scaled = np.exp((together - together.max(1, keepdims=True)) / temperature)
    scores = scaled.max(1) / scaled.sum(1)
    right = together.argmax(1) == labels
    return {
        "temperature": temperature,
        "validation": {
            "writers": {
                writer.writer: {
                    "samples": len(writer.labels),
                    "top1_float32": float(np.mean(exact.argmax(1) == writer.labels)),
                    "top1_int8": float(np.mean(integer.argmax(1) == writer.labels)),
                    "top5_int8": float(
                        np.mean((np.argsort(-integer, 1)[:, :5] == writer.labels[:, None]).any(1))
                    ),
                }
                for writer, exact, integer in zip(writers, float_logits, int8_logits, strict=True)
            },
            "agreement_int8_float32": float(
                np.mean(together.argmax(1) == np.concatenate(float_logits).argmax(1))
            ),
            "expected_calibration_error": metrics.expected_calibration_error(scores, right),
        },
    }


def _run(session: Session, cells: np.ndarray) -> np.ndarray:
    chunks = [cells[start : start + 64] for start in range(0, len(cells), 64)]
    return np.concatenate([session.run({"image": chunk})["logits"] for chunk in chunks])


def _describe(path: Path) -> dict[str, Any]:
    return {"sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "bytes": path.stat().st_size}


def _card(name: str, result: dict[str, Any], shape: tuple[int | None, ...]) -> str:
    """The model card, with the figures of result.json."""
    validation, data = result["validation"], result["data"]
    rows = "\n".join(
        f"| {writer} | {figures['samples']:,} | {figures['top1_float32']:.3f} | {figures['top1_int8']:.3f} "
        f"| {figures['top5_int8']:.3f} |"
        for writer, figures in validation["writers"].items()
    )
    _, height, width, channels = shape
    classes = result["sizes"]["classes"]
    return f"""# {name}

Reads one handwritten Traditional Chinese character, a punctuation mark, digit, letter or bopomofo symbol,
or tells that a cell is empty.

- Input `image`: uint8 (N, {height}, {width}, {channels}), dark ink on light paper, a cell with 6 % of its
  surroundings.
- Output `logits`: float32 (N, {classes:,}), the ids of `zoo.characters`; id 0 is an empty cell.
  Divide by the temperature {result["temperature"]:.3f} before the softmax.
- {result["parameters"]:,} parameters; `model.tflite` takes {result["files"]["model.tflite"]["bytes"]:,} bytes
  (int8; the last layer gives its sums as float32).
- Licence of the weights: Apache-2.0.

## Training

{result["training"]["pictures"]:,} distorted pictures of {len(data["hands"])} files of handwriting and
{len(data["fonts"])} fonts.

- hands: {", ".join(data["hands"]) or "none"}.
- fonts: {", ".join(data["fonts"]) or "none"}.

{data["classes_without_a_sample"]} of the {classes - 1:,} characters have no sample.

## Validation

Writers that the model never saw, undistorted characters. The temperature is fitted on the same characters.

| writer | samples | top-1 float32 | top-1 int8 | top-5 int8 |
|---|---|---|---|---|
{rows}

int8 and float32 agree on {validation["agreement_int8_float32"]:.4f} of them; the expected calibration error is
{validation["expected_calibration_error"]:.4f}.

## Limits

Cursive hands and characters outside the charset are read as something else, often with a low score.
Handwriting with broken strokes is read much worse than clean handwriting.
"""
