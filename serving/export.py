"""Trained models become files for the device, and presets of the zoo."""

import hashlib
import json
import os
import tempfile
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

import zoo
from serving.runtime import Session
from training import fit, metrics, pipeline
from training.sources import Glyphs
from zoo import charset


def tflite_int8(model: keras.Model, samples: Iterable[np.ndarray]) -> bytes:
    """Converts a model to full-integer TFLite with builtin operators only.

    Args:
        model: Takes `image`, uint8 (N, H, W, C), and gives a dict of float32 outputs.
        samples: Inputs, uint8 (H, W, C), that show the converter which values occur.

    Returns:
        The file. Its input stays uint8 and its outputs stay float32; N may be resized.

    Raises:
        RuntimeError: An operator has no integer form or is not built in.
    """
    representative = [np.asarray(sample)[None] for sample in samples]
    with tempfile.TemporaryDirectory() as folder:
        model.export(folder, format="tf_saved_model", verbose=False)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ({"image": sample} for sample in representative)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = tf.uint8
        try:
            with warnings.catch_warnings():
                # The calibration inside the converter warns of its own interpreter.
                warnings.filterwarnings("ignore", message=r"\s*Warning: tf\.lite\.Interpreter")
                return converter.convert()
        except Exception as error:
            raise RuntimeError(f"{model.name} cannot become an integer TFLite file: {error}") from error


def export_preset(workdir: Path, name: str, data: Path, presets: Path) -> Path:
    """Makes a preset of the zoo from a finished run.

    Writes weights, the int8 TFLite file, `result.json` with the figures of validation writers, and
    `card.md` into `presets/name`; the folder appears whole or not at all.

    Args:
        workdir: Folder of a finished `training.fit.fit`.
        name: Name of the preset.
        data: Folder with `hands/train` and `hands/dev`.
        presets: Folder of all presets.

    Raises:
        FileNotFoundError: The run is not finished.
    """
    result = json.loads((workdir / "result.json").read_text(encoding="utf-8"))
    recipe = result["recipe"]
    model = zoo.create(recipe["model"], classes=len(charset.CHARACTERS), **recipe["sizes"])
    model.load_weights(workdir / "model.weights.h5")
    train = fit.read_hands(data / "hands" / "train")
    sampler = pipeline.CellSampler.of(
        train, recipe["batch_size"], recipe["real_weight"], recipe["blank_share"], recipe["seed"]
    )
    # Distorted cells, as pages bring them, from a step that no run reaches.
    representative = np.concatenate([sampler.batch(10**9 + step)[0] for step in range(4)])
    with tempfile.TemporaryDirectory(dir=presets) as folder:
        target = Path(folder) / name
        target.mkdir()
        (target / "model.tflite").write_bytes(tflite_int8(model, representative))
        model.save_weights(target / "model.weights.h5")
        result |= _measure(model, Session(target / "model.tflite"), fit.read_validation_hands(data))
        result["files"] = {path.name: _describe(path) for path in sorted(target.iterdir())}
        result["charset_sha256"] = hashlib.sha256("\n".join(charset.CHARACTERS).encode()).hexdigest()
        fit.write_json(target / "result.json", result)
        (target / "card.md").write_text(_card(name, result), encoding="utf-8")
        previous = Path(folder) / "previous"
        if (presets / name).exists():
            os.replace(presets / name, previous)
        os.replace(target, presets / name)
    return presets / name


def _measure(model: keras.Model, session: Session, writers: list[Glyphs]) -> dict[str, Any]:
    """Accuracy of the float and the int8 model, and calibration of the int8 one, on validation writers."""
    float_logits = [metrics.logits_of(model, writer) for writer in writers]
    int8_logits = [_run(session, pipeline.clean_cells(writer)) for writer in writers]
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


def _card(name: str, result: dict[str, Any]) -> str:
    """The model card, with the figures of result.json."""
    validation = result["validation"]
    rows = "\n".join(
        f"| {writer} | {figures['samples']:,} | {figures['top1_float32']:.3f} | {figures['top1_int8']:.3f} "
        f"| {figures['top5_int8']:.3f} |"
        for writer, figures in validation["writers"].items()
    )
    training = result["training"]
    return f"""# {name}

Reads one handwritten Traditional Chinese character, a punctuation mark, digit, letter or bopomofo symbol,
or tells that a cell is empty.

- Input `image`: uint8 (N, 64, 64, 1), dark ink on light paper, a cell with 6 % of its surroundings.
- Output `logits`: float32 (N, {len(charset.CHARACTERS):,}), the ids of `zoo.charset`; id 0 is an empty cell.
  Divide by the temperature {result["temperature"]:.3f} before the softmax.
- {result["parameters"]:,} parameters; `model.tflite` takes {result["files"]["model.tflite"]["bytes"]:,} bytes (int8).
- Licence of the weights: Apache-2.0.

## Training

{training["pictures"]:,} distorted pictures of {len(training["hands"])} files of handwriting and
{len(training["fonts"])} fonts, all under open licences (SIL OFL 1.1 and the fonts' own):

- hands: {", ".join(training["hands"])}. The writers are students of a font design course at a Taipei university.
  Public repositories: raylee030/ai2026s (w01), 0mago0/ai2026s (w02), maerennn/ai2026s (w05),
  sean0505tsai/ct2023s (w07), YenChieh0716/ct2023s (w08), UncleAmra (w10), Whitecatuwu (w11), svw2404 (w13),
  and the ct2023s course repositories (s01 to s10).
- fonts: {", ".join(training["fonts"])}.

{training["classes_without_a_sample"]} of the {len(charset.CHARACTERS) - 1:,} characters have no sample.

## Validation

Writers that the model never saw, undistorted characters. The temperature is fitted on the same characters.

| writer | samples | top-1 float32 | top-1 int8 | top-5 int8 |
|---|---|---|---|---|
{rows}

int8 and float32 agree on {validation["agreement_int8_float32"]:.4f} of them; the expected calibration error is
{validation["expected_calibration_error"]:.4f}.

## Limits

Cursive hands and characters outside the charset are read as something else, often with a low score.
Traced handwriting with broken strokes (w12) is read much worse than clean handwriting.
"""
