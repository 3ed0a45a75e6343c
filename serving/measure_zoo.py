"""The published networks at full size: `python -m serving.measure_zoo`.

Each is built with fresh weights, trained one step on one picture, saved, exported and timed. It shows that
the whole family runs, and what it costs; none of them is trained here.
"""

import argparse
import functools
import tempfile
from pathlib import Path
from typing import Any

import keras
import numpy as np

import zoo
from serving import convert, export, latency, samples
from serving.runtime import Session
from training import fit, operations

NAMES = ("vgg16", *(f"efficientnet_b{phi}" for phi in range(8)))
_PRECISIONS = ("float32", "int8")
_RUNS = 5  # Of which the median is taken.


def measure(name: str, **sizes: Any) -> dict[str, Any]:
    """Parameters, operations, bytes and seconds of one model.

    Args:
        name: A classifier in `zoo.names()`.
        sizes: Of its builder; none for the published ones.
    """
    model = zoo.create(name, **sizes)
    pictures = samples.made_up(model, count=2)
    model.compile(
        keras.optimizers.SGD(0.01),
        {"logits": keras.losses.SparseCategoricalCrossentropy(from_logits=True)},
        jit_compile=False,
    )
    one = pictures["image"][:1]
    step = latency.milliseconds(
        functools.partial(model.train_on_batch, one, np.zeros(1, np.int32)), repeat=_RUNS
    )
    row: dict[str, Any] = {
        "size": model.input_shape[1],
        "parameters": model.count_params(),
        "multiply_adds": operations.multiply_adds(model),
        "train_seconds": step / 1000,
    }
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        zoo.save(model, folder)
        row["weights_bytes"] = (folder / zoo.WEIGHTS).stat().st_size
        export.saved_model(model, folder / "saved_model")
        export.tflite(model, folder, _PRECISIONS, pictures, saved=folder / "saved_model")
        for precision in _PRECISIONS:
            file = folder / convert.file_name(precision)
            session = Session(file)
            once = latency.milliseconds(functools.partial(session.run, {"image": one}), repeat=_RUNS)
            row[precision] = {"bytes": file.stat().st_size, "seconds": once / 1000}
    return row


def table(rows: dict[str, Any]) -> str:
    """The figures as a Markdown table."""
    head = [
        "model", "pixels", "parameters", "billion multiply-adds", "train step s", "weights MB",
        "float32 MB", "float32 ms", "int8 MB", "int8 ms",
    ]  # fmt: skip
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    for name, row in rows.items():
        files = [
            cell
            for precision in _PRECISIONS
            for cell in (f"{row[precision]['bytes'] / 1e6:.1f}", f"{row[precision]['seconds'] * 1000:.0f}")
        ]
        front = [
            name, str(row["size"]), f"{row['parameters']:,}", f"{row['multiply_adds'] / 1e9:.2f}",
            f"{row['train_seconds']:.2f}", f"{row['weights_bytes'] / 1e6:.1f}",
        ]  # fmt: skip
        lines.append(f"| {' | '.join(front + files)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m serving.measure_zoo", description=__doc__)
    parser.add_argument("names", nargs="*", default=NAMES, help="some of the published networks")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where the figures are written")
    options = parser.parse_args()
    rows = {}
    for name in options.names:
        rows[name] = measure(name)
        print(table({name: rows[name]}).splitlines()[-1], flush=True)
        keras.backend.clear_session()
    if options.json:
        fit.write_json(options.json, rows)


if __name__ == "__main__":
    main()
