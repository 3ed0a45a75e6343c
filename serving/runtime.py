"""A LiteRT session: a dict of numpy arrays in, a dict of numpy arrays out. No Keras, no TensorFlow.

Also the presets: the trained models that come with the package.
"""

import contextlib
import dataclasses
import difflib
import functools
import hashlib
import json
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import zoo
from zoo import charset

PRESETS = Path(zoo.__file__).parent / "presets"


class ModelError(ValueError):
    """A model is missing or damaged, so that no image can be read with it."""


class UnknownModelError(ModelError):
    """There is no model of that name, or it is of another kind."""


def available_threads() -> int:
    """The number of processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Session:
    """Runs a TFLite file. May be called from several threads; the calls queue up.

    Args:
        path: The `.tflite` file; it must have one signature.
        threads: How many threads compute; None takes all that the process may use.
        sha256: What the file must hash to, in hexadecimal; None skips the check.

    Raises:
        ModelError: The file is missing, does not match `sha256`, or is no TFLite file.
    """

    def __init__(
        self, path: str | os.PathLike[str], threads: int | None = None, sha256: str | None = None
    ) -> None:
        # Imported here: `import serving` stays quick, and so do errors about images.
        from ai_edge_litert.interpreter import Interpreter

        self.path = Path(path)
        self.threads = available_threads() if threads is None else threads
        if self.threads < 1:
            raise ValueError(f"`threads` must be at least 1. Received: threads={threads}.")
        try:
            content = self.path.read_bytes()
        except OSError as error:
            raise ModelError(f"{self.path}: the model cannot be read: {error.strerror or error}") from error
        if sha256 is not None and hashlib.sha256(content).hexdigest() != sha256:
            raise ModelError(
                f"{self.path}: the model is damaged: its sha256 is not the one that result.json names; "
                "install hanzoo again"
            )
        try:
            self._interpreter = Interpreter(model_content=content, num_threads=self.threads)
            self._interpreter.allocate_tensors()  # Finds a damaged graph now, not at the first run.
            self._runner = self._interpreter.get_signature_runner()
        except (ValueError, RuntimeError) as error:
            raise ModelError(f"{self.path}: LiteRT cannot load this file as a model: {error}") from error
        self._lock = threading.Lock()

    def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Runs the model once, at the batch size of `inputs`.

        LiteRT plans its memory anew when the batch size changes, so equal batches are the fastest.

        Raises:
            ValueError: `inputs` lacks an input of the model, has one too many, or one of another
                type or shape than the model takes.
        """
        self._check(inputs)
        with self._lock:
            return self._runner(**inputs)

    def _check(self, inputs: dict[str, np.ndarray]) -> None:
        wanted = self.inputs
        if set(inputs) != set(wanted):
            raise ValueError(f"`inputs` must hold {sorted(wanted)}. Received: {sorted(inputs)}.")
        for name, value in inputs.items():
            shape, dtype = wanted[name]
            fits = len(shape) == value.ndim and all(
                side in (-1, size) for side, size in zip(shape, value.shape, strict=True)
            )
            if not fits or value.dtype != dtype:
                raise ValueError(
                    f"Input {name!r} must be {np.dtype(dtype).name} {_shape(shape)}. "
                    f"Received: {value.dtype.name} {_shape(value.shape)}."
                )

    @functools.cached_property
    def inputs(self) -> dict[str, tuple[tuple[int, ...], type]]:
        """The shape of each input, -1 for sides of any length, and its type."""
        details = self._runner.get_input_details()
        return {
            name: (tuple(int(side) for side in detail["shape_signature"]), detail["dtype"])
            for name, detail in details.items()
        }


@contextlib.contextmanager
def without_native_messages() -> Iterator[None]:
    """Keeps what C++ libraries print to stderr away; LiteRT greets there and cannot be told not to."""
    sys.stderr.flush()
    try:
        saved = os.dup(2)
    except OSError:  # There is no stderr.
        yield
        return
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)


def _shape(sides: tuple[int, ...]) -> str:
    return f"({', '.join('any' if side < 0 else str(side) for side in sides)})"


@dataclasses.dataclass(frozen=True)
class Preset:
    """A trained model in a folder: `model.tflite` and the figures about it in `result.json`."""

    folder: Path
    result: dict[str, Any]

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def temperature(self) -> float:
        """What the logits of a character are divided by, so that the score of the first answer is calibrated."""
        return float(self.result.get("temperature", 1.0))

    @property
    def text_temperature(self) -> float:
        """What logits are divided by where they are weighed against a language model."""
        return float(self.result.get("text_temperature", self.temperature))

    @property
    def characters(self) -> tuple[str, ...]:
        """The character of each class: those of the charset, then those that its training added."""
        return (*charset.CHARACTERS, *self.result.get("added_characters", ""))

    @property
    def size(self) -> int:
        """Side of the crops that the model reads, in pixels."""
        return int(self.result.get("size", 64))

    @property
    def bytes(self) -> int:
        """Size of the model file."""
        return int(self.result["files"]["model.tflite"]["bytes"])

    @property
    def writers(self) -> dict[str, dict[str, float]]:
        """The figures of each validation writer, such as `samples`, `top1_int8` and `top5_int8`."""
        return self.result.get("validation", {}).get("writers", {})

    @property
    def figures(self) -> dict[str, dict[str, float]]:
        """What was validated: the figures of each writer, or of composed pages or lines for what finds or reads lines."""
        validation = self.result.get("validation", {})
        if "int8" not in validation:
            return self.writers
        return {f"composed {'lines' if 'lines' in validation else 'pages'}": validation["int8"]}

    def session(self, threads: int | None = None) -> Session:
        """A session of the model, its file checked against `result.json`."""
        digest = self.result["files"]["model.tflite"]["sha256"]
        return Session(self.folder / "model.tflite", threads, digest)


def names() -> list[str]:
    """The names of the presets that come with the package and run on a device, sorted."""
    return sorted(file.parent.name for file in PRESETS.glob("*/model.tflite"))


def preset(model: str | os.PathLike[str]) -> Preset:
    """The preset of that name, or the one in that folder.

    Raises:
        UnknownModelError: There is none, or it is none for a device.
        ModelError: Its `result.json` is damaged.
    """
    bundled = PRESETS / model
    folder = bundled if isinstance(model, str) and (bundled / "result.json").exists() else Path(model)
    try:
        result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
        found = Preset(folder, result)
        if "model.tflite" not in result["files"]:
            raise UnknownModelError(
                f"{folder}: holds no model.tflite; `hanzoo preset` makes one of the run of a reader."
            )
        if not isinstance(result.get("recipe", {}), dict) or found.size < 1:
            raise ValueError("the recipe is an object, and the size of the pictures a number above 0")
        if not isinstance(result.get("added_characters", ""), str):
            raise ValueError("the added characters are a text")
        valid = min(found.temperature, found.text_temperature) > 0
        if len(result["files"]["model.tflite"]["sha256"]) != 64 or not found.bytes or not valid:
            raise ValueError("the sha256 has 64 digits, the size and the temperatures are above 0")
        same = result.get("charset_sha256", _charset_sha256()) == _charset_sha256()
    except UnknownModelError:
        raise
    except (FileNotFoundError, NotADirectoryError) as error:
        if not isinstance(model, str):
            raise UnknownModelError(f"{folder}: holds no preset: there is no result.json.") from error
        near = difflib.get_close_matches(model, names(), n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise UnknownModelError(f"No preset named {model!r}.{hint} `hanzoo list` lists all.") from error
    except OSError as error:
        raise ModelError(f"{folder / 'result.json'}: cannot be read: {error.strerror or error}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(
            f"{folder / 'result.json'}: must name the sha256 and the bytes of model.tflite ({error!r})"
        ) from error
    if not same:
        raise ModelError(f"{folder}: the model was trained for other characters than zoo/charset.txt lists")
    return found


def _charset_sha256() -> str:
    return hashlib.sha256("\n".join(charset.CHARACTERS).encode()).hexdigest()
