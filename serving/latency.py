"""Measures how fast models are.

`measure` takes every figure from a fresh process that sees as many processors as it shall have threads.
"""

import argparse
import functools
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from serving import benchmark
from serving.runtime import Session, available_threads

BATCH = 32


def measure(
    model: str | Path, tflite: Path | None, threads: Sequence[int] = (1, 2), repeat: int = 15
) -> dict[str, Any] | None:
    """Measures batches of 32 characters.

    Args:
        model: Name of a preset, or folder of a model, that Keras runs.
        tflite: Its TFLite file, if it has one.
        threads: Numbers of threads; those that this process may not use are left out.
        repeat: Batches of which the median is taken, after one that does not count.

    Returns:
        `machine`, `batch`, and under `milliseconds` of each precision and number of threads the time of
        one character. None on systems that cannot tie a process to processors.

    Raises:
        RuntimeError: The model does not run.
    """
    if not hasattr(os, "sched_setaffinity"):
        return None
    available = sorted(os.sched_getaffinity(0))
    command = [sys.executable, "-m", "serving.latency", str(model), "--repeat", str(repeat)]
    if tflite is not None:
        command += ["--tflite", str(tflite)]
    found: dict[str, dict[str, float]] = {}
    for count in threads:
        if count > len(available):
            continue
        with benchmark.only_processors(set(available[:count])):
            process = subprocess.run(command, capture_output=True, text=True)
        if process.returncode:
            raise RuntimeError(f"`{' '.join(command)}` failed: {process.stderr}")
        for precision, milliseconds in json.loads(process.stdout.splitlines()[-1]).items():
            found.setdefault(precision, {})[str(count)] = milliseconds
    return {"machine": benchmark.machine(), "batch": BATCH, "milliseconds": found}


def milliseconds(run: Callable[[], object], repeat: int = 15) -> float:
    """The time of a run: the median, after one that does not count."""
    run()
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return 1000 * statistics.median(times)


def of_picture(tflite: Path, picture: np.ndarray) -> dict[str, Any]:
    """Measures a TFLite file that takes one picture at a time, in this process.

    Args:
        tflite: Takes `image`.
        picture: uint8 (1, height, width, channels).

    Returns:
        `machine`, and under `milliseconds` the time of the picture by the number of threads.
    """
    times = {}
    for threads in range(1, min(2, available_threads()) + 1):
        session = Session(tflite, threads)
        times[str(threads)] = milliseconds(functools.partial(session.run, {"image": picture}))
    return {"machine": benchmark.machine(), "milliseconds": times}


def main() -> None:
    """Prints the milliseconds of a character of each precision, on the processors that the process sees."""
    import zoo

    parser = argparse.ArgumentParser(prog="python -m serving.latency", description=__doc__)
    parser.add_argument("model", metavar="MODEL")
    parser.add_argument("--tflite", type=Path, metavar="FILE")
    parser.add_argument("--repeat", type=int, default=15)
    options = parser.parse_args()
    model = zoo.load(options.model)
    pictures = np.zeros((BATCH, *model.input_shape[1:]), np.uint8)
    found = {"float32": milliseconds(lambda: model.predict_on_batch(pictures), options.repeat) / BATCH}
    if options.tflite is not None:
        session = Session(options.tflite)
        found["int8"] = milliseconds(lambda: session.run({"image": pictures}), options.repeat) / BATCH
    print(json.dumps(found))


if __name__ == "__main__":
    main()
