"""The same inputs through Keras, SavedModel and TFLite: the differences in a table."""

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import cv2
import keras
import numpy as np
import tensorflow as tf

from serving import encoded, operators
from serving.convert import PRECISIONS, file_name
from serving.runtime import Session

Arrays = Mapping[str, np.ndarray]

_BATCH = 64
_TIE = 1e-3  # Of the scale: nearer logits are in no order that rounding must keep.


@dataclasses.dataclass(frozen=True)
class Comparison:
    """How far the outputs of a file are from those of Keras, the worst output of several.

    Attributes:
        difference: The largest absolute difference.
        mean_difference: The mean absolute difference, of the output where its share of the scale is largest.
        scale: The largest absolute value of the output in Keras, at least 1.
        agreement: The share of the top-1 answers of `logits` that are the same, over the last axis, or for
            Keras as good as its own to a thousandth of the scale; None for a model without logits.
    """

    difference: float
    mean_difference: float
    scale: float
    agreement: float | None


@dataclasses.dataclass(frozen=True)
class Limits:
    """What a file must keep. Differences are shares of `Comparison.scale`.

    Attributes:
        agreement: The least share of equal top-1 answers.
        difference: The largest difference of logits; of quantised models it says nothing about answers.
        place: The same of a single place of a map or picture, a quarter of a grey level: what normalises each
            picture by itself enlarges the rounding of a sum where a channel is nearly even.
        mean_difference: The largest mean difference of maps or pictures.
    """

    agreement: float
    difference: float
    place: float
    mean_difference: float


LIMITS = {
    "saved_model": Limits(1.0, 1e-4, 1e-3, 1e-4),
    "float32": Limits(1.0, 1e-4, 1e-3, 1e-4),
    "float16": Limits(0.999, np.inf, np.inf, 2e-3),
    "dynamic": Limits(0.99, np.inf, np.inf, 0.02),
    "int8": Limits(0.99, np.inf, np.inf, 0.02),
}
"""By precision; the SavedModel computes what Keras computes."""


def measure(model: keras.Model, folder: Path, samples: Arrays) -> dict[str, Comparison]:
    """Runs the files of an export, and compares each with the model that they were made from.

    Args:
        model: The model.
        folder: Of `serving.export.export`: `saved_model/` and `model_*.tflite`; what is missing is
            left out.
        samples: Inputs by name, (n, ...) each.

    Returns:
        "saved_model", "saved_model encoded" and the names of the files, with what was found. The encoded
        signature sees the pictures as PNG.
    """
    expected = _in_batches(_of_keras(model), samples)
    found = {}
    if (folder / "saved_model").is_dir():
        signatures = tf.saved_model.load(str(folder / "saved_model")).signatures
        found["saved_model"] = compare(
            expected, _in_batches(_of_signature(signatures["serving_default"]), samples)
        )
        if "encoded" in signatures:
            # Open sides are padded in the graph; Keras sees the same padding.
            padded = {"image": _padded(samples["image"], model.inputs[0].shape)}
            found["saved_model encoded"] = compare(
                _in_batches(_of_keras(model), padded),
                _in_batches(_of_signature(signatures["encoded"]), {"image_bytes": _as_png(samples["image"])}),
            )
    for precision in PRECISIONS:
        path = folder / file_name(precision)
        if path.exists():
            batch = operators.batch(path.read_bytes()) or _BATCH
            found[path.name] = compare(expected, _in_batches(Session(path).run, samples, batch))
    return found


def compare(expected: Arrays, found: Arrays) -> Comparison:
    """Compares two dicts of outputs.

    Raises:
        ValueError: Their names or shapes differ.
    """
    if {name: value.shape for name, value in expected.items()} != {
        name: value.shape for name, value in found.items()
    }:
        raise ValueError(
            "`found` must hold the outputs of Keras. "
            f"Received: {_shapes(found)} instead of {_shapes(expected)}."
        )
    scales = {name: max(1.0, float(np.abs(value).max())) for name, value in expected.items()}
    gaps = {name: np.abs(value - found[name]) for name, value in expected.items()}
    largest, means = (
        {name: float(of(gap)) / scales[name] for name, gap in gaps.items()} for of in (np.max, np.mean)
    )
    worst = list(largest)[np.argmax(list(largest.values()))]
    agreement = None
    if "logits" in expected:
        logits, answers = expected["logits"], found["logits"].argmax(-1)
        answered = np.take_along_axis(logits, answers[..., None], -1)[..., 0]
        agreement = float(np.mean(answered >= logits.max(-1) - _TIE * scales["logits"]))
    return Comparison(
        difference=largest[worst] * scales[worst],
        mean_difference=float(np.max(list(means.values()))) * scales[worst],
        scale=scales[worst],
        agreement=agreement,
    )


def failures(measured: Mapping[str, Comparison]) -> list[str]:
    """A sentence for each limit that is missed; empty where a model passes."""
    found = []
    for name, one in measured.items():
        limits = LIMITS[precision_of(name)]
        if one.agreement is not None and one.agreement < limits.agreement:
            found.append(
                f"{name}: {one.agreement:.2%} of the top-1 answers are those of Keras; "
                f"at least {limits.agreement:.1%} must be."
            )
        largest = limits.place if one.agreement is None else limits.difference
        if not one.difference / one.scale <= largest:  # NaN is no match.
            found.append(
                f"{name}: the largest difference is {one.difference / one.scale:.1e} of the output's scale; "
                f"at most {largest:.0e} is allowed."
            )
        if one.agreement is None and not one.mean_difference / one.scale <= limits.mean_difference:
            found.append(
                f"{name}: the mean difference is {one.mean_difference / one.scale:.1e} of the output's scale; "
                f"at most {limits.mean_difference:.0e} is allowed."
            )
    return found


def precision_of(name: str) -> str:
    """The key in `LIMITS` of a key of `measure`."""
    return next((one for one in PRECISIONS if file_name(one) == name), "saved_model")


def _in_batches(run: Callable[[dict], Arrays], inputs: Arrays, batch: int = _BATCH) -> dict[str, np.ndarray]:
    count = len(next(iter(inputs.values())))
    parts = [
        run({name: value[start : start + batch] for name, value in inputs.items()})
        for start in range(0, count, batch)
    ]
    return {name: np.concatenate([np.asarray(part[name]) for part in parts]) for name in parts[0]}


def _of_keras(model: keras.Model) -> Callable[[dict], Arrays]:
    names = [tensor.name for tensor in keras.tree.flatten(model.input)]
    return lambda inputs: model.predict_on_batch(
        keras.tree.pack_sequence_as(model.input, [inputs[name] for name in names])
    )


def _of_signature(signature: Callable[..., Arrays]) -> Callable[[dict], Arrays]:
    return lambda inputs: signature(**{name: tf.constant(value) for name, value in inputs.items()})


def _as_png(images: Iterable[np.ndarray]) -> np.ndarray:
    """PNG of uint8 (H, W, 1) or RGB (H, W, 3) pictures: an array of bytes."""
    return np.array([cv2.imencode(".png", image[..., ::-1])[1].tobytes() for image in images], object)


def _padded(images: np.ndarray, shape: tuple[int | None, ...]) -> np.ndarray:
    rest = [
        -size % encoded.MULTIPLE if side is None else 0
        for size, side in zip(images.shape[1:3], shape[1:3], strict=True)
    ]
    return np.pad(images, ((0, 0), (0, rest[0]), (0, rest[1]), (0, 0)), constant_values=255)


def _shapes(outputs: Arrays) -> dict[str, tuple[int, ...]]:
    return {name: value.shape for name, value in outputs.items()}
