"""SavedModels become TFLite files, in a process of their own, because the converter can crash.

`convert` runs this module as `python -m serving.convert JOB`.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

PRECISIONS = ("float32", "float16", "dynamic", "int8")
"""float32; float16 weights; int8 weights, float32 activations; int8 throughout."""

_MODULE = "serving.convert"
_END_OF_NOISE = "\0"  # What the converter prints comes before it, the message of an error behind it.


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
    with tempfile.TemporaryDirectory(dir=folder) as job:
        arrays: dict[str, Any] = dict(samples or {})
        np.savez(Path(job) / "samples.npz", **arrays)
        content = {
            "saved_model": str(saved_model),
            "folder": str(folder),
            "precisions": list(precisions),
            "compatible": compatible,
        }
        (Path(job) / "job.json").write_text(json.dumps(content), encoding="utf-8")
        child = subprocess.run(
            [sys.executable, "-m", _MODULE, job],
            env=os.environ | {"PYTHONPATH": _search_path(), "TF_CPP_MIN_LOG_LEVEL": "2"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            check=False,
        )
    if child.returncode:
        failed = next((one for one in precisions if not (folder / file_name(one)).exists()), precisions[-1])
        raise RuntimeError(f"{name} cannot become {failed} TFLite: {_reason(child)}")


def _search_path() -> str:
    """Where the child finds the packages of this process, installed or not."""
    return os.pathsep.join([str(Path(__file__).parents[1]), *filter(None, sys.path)])


def _reason(child: subprocess.CompletedProcess[str]) -> str:
    if child.returncode < 0:
        return f"the converter crashed ({signal.Signals(-child.returncode).name})"
    return child.stderr.rpartition(_END_OF_NOISE)[2].strip() or f"the converter ended with {child.returncode}"


def main(job: Path) -> int:
    """Does what `convert` wrote into the folder `job`."""
    content = json.loads((job / "job.json").read_text(encoding="utf-8"))
    folder = Path(content["folder"])
    with np.load(job / "samples.npz") as stored:
        samples = dict(stored)
    try:
        for precision in content["precisions"]:
            converted = _tflite(content["saved_model"], precision, samples, content["compatible"])
            (job / "model.tflite").write_bytes(converted)
            (job / "model.tflite").replace(folder / file_name(precision))
    except Exception as error:
        # Whatever the converter raises is for the parent to tell.
        print(f"{_END_OF_NOISE}{_in_one_line(error)}", file=sys.stderr)
        return 1
    return 0


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
    sys.exit(main(Path(sys.argv[1])))
