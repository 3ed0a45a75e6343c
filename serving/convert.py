"""SavedModels become TFLite files, in a process of their own, because the converter can crash.

`convert` starts this module as `python -m serving.convert` and hands it one job after the other: to load TensorFlow
takes longer than to convert a small model.
"""

import atexit
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

PRECISIONS = ("float32", "float16", "dynamic", "int8")
"""float32; float16 weights; int8 weights, float32 activations; int8 throughout."""

_MODULE = "serving.convert"


def file_name(precision: str) -> str:
    """The name of the TFLite file of a precision."""
    return f"model_{precision}.tflite"


def convert(
    name: str,
    saved_model: Path,
    folder: Path,
    precisions: Sequence[str],
    samples: Mapping[str, np.ndarray] | None = None,
    compatible: bool = False,
) -> None:
    """Converts a SavedModel to TFLite files with builtin operators only.

    Args:
        name: What errors call the model.
        saved_model: Folder of a SavedModel; its signature `serving_default` is converted.
        folder: Where `file_name(precision)` is written for each precision.
        precisions: Some of `PRECISIONS`.
        samples: Inputs by name, (n, ...) each, that show which values occur; int8 needs them.
        compatible: Give each dense layer one scale, which tflite-runtime 2.14 can run.

    Raises:
        RuntimeError: The converter fails or crashes, or an operator is not built in or has no integer form.
    """
    folder = folder.absolute()  # The process may work in another folder.
    with tempfile.TemporaryDirectory(dir=folder) as job:
        arrays: dict[str, Any] = dict(samples or {})
        np.savez(Path(job) / "samples.npz", **arrays)
        reason = _CONVERTER.ask(
            {
                "job": job,
                "saved_model": str(saved_model.absolute()),
                "folder": str(folder),
                "precisions": list(precisions),
                "compatible": compatible,
            }
        )
    if reason:
        failed = next((one for one in precisions if not (folder / file_name(one)).exists()), precisions[-1])
        raise RuntimeError(f"{name} cannot become {failed} TFLite: {reason}")


class _Converter:
    """The process that converts. It serves until this one ends; after a crash the next job starts another."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._lock = threading.Lock()
        atexit.register(self._end)

    def ask(self, job: Mapping[str, Any]) -> str:
        """Has a job done, and tells why it failed; nothing if it did not."""
        with self._lock:
            if self._process is None or self._process.poll() is not None:
                self._end()
                self._process = self._start()
            answer = ""
            try:
                assert self._process.stdin is not None
                assert self._process.stdout is not None
                with contextlib.suppress(BrokenPipeError):
                    print(json.dumps(job), file=self._process.stdin, flush=True)
                    answer = self._process.stdout.readline()
                return json.loads(answer) if answer else self._end_of(self._process)
            finally:
                if not answer:  # Nor may the next job get the answer to one that was interrupted.
                    self._end()

    @staticmethod
    def _start() -> subprocess.Popen[str]:
        search_path = os.pathsep.join([str(Path(__file__).parents[1]), *filter(None, sys.path)])
        return subprocess.Popen(
            [sys.executable, "-m", _MODULE],
            env=os.environ | {"PYTHONPATH": search_path, "TF_CPP_MIN_LOG_LEVEL": "2"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    @staticmethod
    def _end_of(process: subprocess.Popen[str]) -> str:
        code = process.wait()
        if code < 0:
            return f"the converter crashed ({signal.Signals(-code).name})"
        return f"the converter ended with {code}"

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            with contextlib.suppress(BrokenPipeError):
                self._process.communicate()
            self._process = None


_CONVERTER = _Converter()


def main() -> None:
    """Does the jobs that `_Converter` writes, a line of JSON each, and answers each with a line."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    with open(os.devnull, "w") as nothing:
        os.dup2(nothing.fileno(), sys.stdout.fileno())  # What the converter prints is no answer.
    for line in sys.stdin:
        print(json.dumps(_do(**json.loads(line))), file=answers, flush=True)


def _do(job: str, saved_model: str, folder: str, precisions: Sequence[str], compatible: bool) -> str:
    """Converts; `job` is a folder with `samples.npz`. Tells why it failed."""
    try:
        with np.load(Path(job) / "samples.npz") as stored:
            samples = dict(stored)
        for precision in precisions:
            converted = _tflite(saved_model, precision, samples, compatible)
            (Path(job) / "model.tflite").write_bytes(converted)
            (Path(job) / "model.tflite").replace(Path(folder) / file_name(precision))
    except Exception as error:
        # Whatever the converter raises is for the other process to tell.
        return _in_one_line(error)
    return ""


def _tflite(saved_model: str, precision: str, samples: Mapping[str, np.ndarray], compatible: bool) -> bytes:
    import tensorflow as tf

    from serving import head

    converter = tf.lite.TFLiteConverter.from_saved_model(saved_model, signature_keys=["serving_default"])
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    converter._experimental_disable_per_channel_quantization_for_dense_layers = compatible
    if precision != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if precision == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if precision != "int8":
        return converter.convert()
    converter.representative_dataset = lambda: _rows(samples)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    if all(array.dtype == np.uint8 for array in samples.values()):
        converter.inference_input_type = tf.uint8
    return head.with_float_sums(converter.convert())


def _rows(samples: Mapping[str, np.ndarray]) -> Iterator[dict[str, np.ndarray]]:
    for row in range(len(next(iter(samples.values())))):
        yield {name: array[row : row + 1] for name, array in samples.items()}


def _in_one_line(error: Exception) -> str:
    lines: list[str] = [line.strip() for line in str(error).splitlines() if line.strip()]
    for line in lines:
        for kind in ("TF Select ops: ", "Custom ops: "):
            if line.startswith(kind):
                return f"it needs operators that are not built in: {line.removeprefix(kind)}"
    return lines[0] if lines else type(error).__name__


if __name__ == "__main__":
    main()
