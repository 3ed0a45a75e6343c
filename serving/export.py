"""Models become SavedModel and TFLite files, and a report of what the files keep of the model."""

import dataclasses
import json
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from serving import convert, encoded, folders, operators, parity
from serving import samples as samples_of
from serving.convert import PRECISIONS, file_name
from serving.runtime import Session
from training import fit
from zoo import dbnet, progan, stylegan

REPORT = "export.json"

_NAMES = frozenset(["saved_model", REPORT, *map(file_name, PRECISIONS)])
_OPTION = "--compatible"
_LATENCY_RUNS = 100
_LATENCY_SECONDS = 1.0


def export(
    model: keras.Model,
    folder: Path,
    samples: Mapping[str, np.ndarray],
    representative: Mapping[str, np.ndarray] | None = None,
    precisions: Sequence[str] = (),
    compatible: bool = False,
) -> dict[str, Any]:
    """Writes `saved_model/`, `model_PRECISION.tflite` and `export.json` into a folder, and measures them.

    The folder appears whole or not at all; an earlier export in it is replaced.

    Args:
        model: Takes named inputs, such as `image`, uint8 (N, H, W, C), and gives a dict of float32
            outputs.
        folder: Made if needed; must hold nothing but an earlier export.
        samples: Inputs by name, (n, ...) each, on which the files are compared with the model.
        representative: The same, of other samples, that show the integer file which values occur.
        precisions: Some of `PRECISIONS`; none for all that the model can become.
        compatible: Give each dense layer one scale, which tflite-runtime 2.14 can run.

    Returns:
        What stands in `export.json`; under `failures` a sentence for each limit of `parity` that is
        missed.

    Raises:
        ValueError: A precision is unknown, int8 lacks its representative samples, or `folder` holds
            other files.
        RuntimeError: The model does not become a TFLite file; nothing is written.
        OSError: The disk is full; nothing is written.
    """
    with folders.replacing(folder, _NAMES) as fresh:
        saved_model(model, fresh / "saved_model")
        wanted = precisions or _possible(model, representative)
        tflite(model, fresh, wanted, representative, compatible, fresh / "saved_model")
        measured = parity.measure(model, fresh, samples)
        report = {
            "model": model.name,
            "parameters": model.count_params(),
            "samples": len(next(iter(samples.values()))),
            "files": {
                name: dataclasses.asdict(one) | _facts(fresh / name.split()[0], samples)
                for name, one in measured.items()
            },
            "failures": parity.failures(measured),
        }
        (fresh / REPORT).write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return report


def export_named(
    name: str,
    folder: Path,
    data: Path | None = None,
    precisions: Sequence[str] = (),
    compatible: bool = False,
    fonts: Sequence[Path] = (),
    glyph_font: Path | None = None,
) -> dict[str, Any]:
    """Exports a trained model on the data of its recipe, or a model of the zoo with fresh weights.

    Args:
        name: A preset, the folder of a finished run, or one of `zoo.names()`.
        folder: As in `export`.
        data: Folder as the recipe of a trained model takes it; without it and `fonts` the files are measured
            on random strokes (a classifier on those that it is sure of), and int8 is left out.
        precisions: As in `export`; none for all that can be made.
        compatible: As in `export`.
        fonts: Fonts as the recipe of a trained model takes them.
        glyph_font: Font of the printed characters, as the recipe of a generator takes it.

    Returns:
        As `export`.

    Raises:
        ValueError: As `export`; or there is no such model, or its data cannot be used.
        RuntimeError: As `export`.
        OSError: As `export`.
    """
    model, is_trained = samples_of.find(name)
    if is_trained and (data or fonts):
        task = fit.task_of(name, data, fonts, glyph_font)
        measured_on, representative = samples_of.unseen(task), samples_of.of_task(task)
    elif is_trained:
        measured_on, representative = samples_of.clear(model), None
    else:
        measured_on, representative = samples_of.made_up(model), samples_of.made_up(model, seed=1)
    return export(deployed(model), folder, measured_on, representative, precisions, compatible)


def deployed(model: keras.Model) -> keras.Model:
    """The part of a model that is used once it is trained; most are used as they are."""
    return dbnet.inference(model) if "threshold" in model.output else model


def saved_model(model: keras.Model, folder: Path) -> None:
    """Writes a SavedModel.

    Its signature `serving_default` takes the inputs of the model by their names. Where the model takes
    one picture, `encoded` takes `image_bytes`, string (N,), PNG or JPEG as `serving.encoded` reads them.
    Both give the outputs of the model.

    Raises:
        OSError: The folder cannot be written.
    """
    endpoints = {"serving_default": (_function(model), _specs(model))}
    shapes = [(tensor.name, len(tensor.shape), tensor.dtype) for tensor in model.inputs]
    if shapes == [("image", 4, "uint8")]:
        read = encoded.reader(model)
        spec = tf.TensorSpec((None,), tf.string, name="image_bytes")
        endpoints["encoded"] = (lambda image_bytes: model(read(image_bytes), training=False), [spec])
    _write(model, endpoints, folder)


def tflite(
    model: keras.Model,
    folder: Path,
    precisions: Sequence[str] = PRECISIONS,
    representative: Mapping[str, np.ndarray] | None = None,
    compatible: bool = False,
    saved: Path | None = None,
) -> None:
    """Writes `model_PRECISION.tflite` for each precision, with builtin operators only.

    The converter runs in a process of its own. Files of recurrent models take a batch of 1, and as int8
    the width of `representative`; other files take any batch. The int8 file takes uint8 pictures and
    gives float32 outputs.

    Args:
        model: As in `export`.
        folder: An existing folder.
        precisions: As in `export`.
        representative: As in `export`.
        compatible: As in `export`.
        saved: What `saved_model` wrote of the model, where that stands already.

    Raises:
        ValueError: A precision is unknown, or int8 lacks its representative samples.
        RuntimeError: The converter fails or crashes, or an operator is not built in or has no integer form.
        OSError: The folder cannot be written.
    """
    unknown = sorted(set(precisions) - set(PRECISIONS))
    if unknown:
        raise ValueError(f"`precisions` must be some of {', '.join(PRECISIONS)}. Received: {unknown}.")
    if "int8" in precisions and not representative:
        raise ValueError(
            "`representative` must show int8 which values occur: give the data that the model trained on, --data. "
            "Received: None."
        )
    if "int8" in precisions and _has(model, _ROOTS):
        raise ValueError(
            f"`precisions` must leave int8 out for {model.name}, whose instances are normalised: "
            "as integers, the roots of their variances make LiteRT abort or the pictures wrong."
        )
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        source = Path(temporary) / "source"
        floats = list(precisions)
        if _has(model, _RECURRENT) and "int8" in precisions and representative:
            floats.remove("int8")
            unrolled = _unrolled(model, representative)
            _write(unrolled, {"serving_default": (_function(unrolled), _specs(unrolled))}, source)
            convert.convert(model.name, source, folder, ["int8"], representative, compatible)
        if _has(model, _FIXED_BATCH):
            source = Path(temporary) / "batch_of_one"
            _write(model, {"serving_default": (_function(model), _specs(model, batch=1))}, source)
        elif saved is not None:
            source = saved
        else:
            _write(model, {"serving_default": (_function(model), _specs(model))}, source)
        if floats:
            convert.convert(model.name, source, folder, floats, representative, compatible)


def table(report: Mapping[str, Any]) -> str:
    """The report of `export` for a person to read."""
    rows = [["file", "bytes", "largest difference", "same top-1", "1 thread", "2 threads", "tflite-runtime"]]
    for name, one in report["files"].items():
        agreement = one["agreement"]
        latency = one.get("latency_ms", {})
        old = one.get("too_new_for_tflite_runtime")
        rows.append(
            [
                name,
                f"{one['bytes']:,}",
                f"{one['difference']:.2g} of {one['scale']:.3g}",
                "" if agreement is None else f"{agreement:.2%}",
                *(f"{latency[threads]:.2f} ms" if latency else "" for threads in ("1", "2")),
                "" if old is None else f"with {_OPTION}" if old else "yes",
            ]
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
    for name, one in report["files"].items():
        if one.get("too_new_for_tflite_runtime"):
            lines.append(f"{name}: tflite-runtime 2.14 lacks {', '.join(one['too_new_for_tflite_runtime'])}")
    for name, one in report["files"].items():
        if "operators" in one:
            counted = ", ".join(f"{operator} {times}" for operator, times in one["operators"].items())
            lines.append(f"{name}: {counted}")
    return "\n".join(lines)


def _facts(path: Path, samples: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Size, and of a TFLite file operators and latency."""
    if path.is_dir():
        return {"bytes": sum(file.stat().st_size for file in path.rglob("*") if file.is_file())}
    content = path.read_bytes()
    return {
        "bytes": len(content),
        "operators": operators.count(content),
        "too_new_for_tflite_runtime": operators.too_new_for_tflite_runtime(content),
        "latency_ms": {str(threads): _latency(path, threads, samples) for threads in (1, 2)},
    }


def _latency(path: Path, threads: int, samples: Mapping[str, np.ndarray]) -> float:
    """The median time of one input, in milliseconds."""
    session = Session(path, threads)
    one = {name: value[:1] for name, value in samples.items()}
    for _ in range(3):
        session.run(one)
    times: list[float] = []
    while len(times) < _LATENCY_RUNS and sum(times) < _LATENCY_SECONDS:
        start = time.perf_counter()
        session.run(one)
        times.append(time.perf_counter() - start)
    return 1e3 * float(np.median(times))


def _function(model: keras.Model) -> Callable[..., Any]:
    return lambda *tensors: model(keras.tree.pack_sequence_as(model.input, list(tensors)), training=False)


def _specs(model: keras.Model, batch: int | None = None) -> list[tf.TensorSpec]:
    return [
        tf.TensorSpec((batch or tensor.shape[0], *tensor.shape[1:]), tensor.dtype, name=tensor.name)
        for tensor in keras.tree.flatten(model.input)
    ]


def _write(
    model: keras.Model,
    endpoints: Mapping[str, tuple[Callable[..., Any], list[tf.TensorSpec]]],
    folder: Path,
) -> None:
    # Not Keras' ExportArchive, which writes every variable twice.
    module = tf.Module()
    module.weights = [variable.value for variable in model.variables]
    signatures = {
        name: tf.function(function, input_signature=specs).get_concrete_function()
        for name, (function, specs) in endpoints.items()
    }
    try:
        tf.saved_model.save(module, str(folder), signatures)
    except tf.errors.OpError as error:
        raise OSError(f"{folder}: the SavedModel cannot be written: {error.message}") from error


def _possible(model: keras.Model, representative: Mapping[str, np.ndarray] | None) -> list[str]:
    integer = bool(representative) and not _has(model, _ROOTS)
    return [one for one in PRECISIONS if one != "int8" or integer]


_ROOTS = (keras.layers.GroupNormalization, progan.PixelNormalization, stylegan.ModulatedConvolution)
_RECURRENT = (keras.layers.RNN, keras.layers.Bidirectional)
# Their shapes depend on the batch, which the converter cannot express with builtin operators.
_FIXED_BATCH = (*_RECURRENT, keras.layers.UpSampling2D)


def _has(model: keras.Model, kinds: tuple[type, ...]) -> bool:
    return any(isinstance(layer, kinds) for layer in _layers(model))


def _layers(model: keras.Model) -> Iterable[keras.layers.Layer]:
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _layers(layer)
        else:
            yield layer


def _unrolled(model: keras.Model, representative: Mapping[str, np.ndarray]) -> keras.Model:
    """A copy with a batch of 1, the sides of the samples, and its time steps written out one by one."""

    def copy(layer: keras.layers.Layer) -> keras.layers.Layer:
        config = layer.get_config()
        inner = [config, *(config[key]["config"] for key in ("layer", "backward_layer") if config.get(key))]
        for one in inner:
            if "unroll" in one:
                one["unroll"] = True
        return type(layer).from_config(config)

    tensors = [
        keras.Input(representative[tensor.name].shape[1:], 1, tensor.dtype, name=tensor.name)
        for tensor in keras.tree.flatten(model.input)
    ]
    inputs = keras.tree.pack_sequence_as(model.input, tensors)
    clone = keras.models.clone_model(model, input_tensors=inputs, clone_function=copy, recursive=True)
    clone.set_weights(model.get_weights())
    return clone
