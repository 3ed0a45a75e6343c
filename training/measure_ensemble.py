"""What an ensemble gains and costs: `python -m training.measure_ensemble DATA MODEL MODEL...`.

The factors of the weighted ensemble are fitted on the other validation writers than the one they are
measured on.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

import zoo
from training import fit, metrics, operations, sources, weigh
from training.sources import Glyphs


def measure(models: dict[str, keras.Model], writers: Sequence[Glyphs]) -> dict[str, Any]:
    """Accuracy per writer, operations and time of each model, and of their ensembles.

    Args:
        models: Classifiers by name, with the same classes.
        writers: Files of validation writers; of at least two people.
    """
    logits = {
        name: [metrics.logits_of(model, writer) for writer in writers] for name, model in models.items()
    }
    stacked = [np.stack(of_writer) for of_writer in zip(*logits.values(), strict=True)]
    factors = [_factors(writers, stacked, sources.person(held.writer)) for held in writers]
    joins: dict[str, Callable[[int], np.ndarray]] = {
        "average": lambda index: stacked[index].mean(0),
        "weighted": lambda index: np.tensordot(factors[index], stacked[index], 1),
        "maximum": lambda index: stacked[index].max(0),
    }
    counts = {name: operations.multiply_adds(model) for name, model in models.items()}
    times = {name: _milliseconds(model) for name, model in models.items()}
    rows = {name: _row(writers, logits[name].__getitem__, counts[name], times[name]) for name in models}
    together = sum(counts.values()), sum(times.values())
    return rows | {f"{name} of all": _row(writers, join, *together) for name, join in joins.items()}


def _factors(writers: Sequence[Glyphs], stacked: Sequence[np.ndarray], held: str) -> np.ndarray:
    """What fits best the writers who are not `held`."""
    others = [index for index, writer in enumerate(writers) if sources.person(writer.writer) != held]
    return weigh.fit(
        np.concatenate([stacked[index] for index in others], axis=1),
        np.concatenate([writers[index].labels for index in others]),
    )


def _row(
    writers: Sequence[Glyphs], answer: Callable[[int], np.ndarray], count: int, milliseconds: float
) -> dict[str, Any]:
    shares = {
        writer.writer: float(np.mean(answer(index).argmax(1) == writer.labels))
        for index, writer in enumerate(writers)
    }
    return {"multiply_adds": count, "milliseconds": milliseconds, "top1": shares}


def _milliseconds(model: keras.Model, repeats: int = 7) -> float:
    """Median time of one picture in a batch of 64, in Keras on this machine."""
    batch = np.zeros((64, *model.input_shape[1:]), np.uint8)
    model.predict_on_batch(batch)
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        model.predict_on_batch(batch)
        times.append((time.perf_counter() - start) * 1000 / len(batch))
    return statistics.median(times)


def table(rows: dict[str, Any]) -> str:
    """The figures as a Markdown table."""
    writers = list(next(iter(rows.values()))["top1"])
    head = ["model", "million multiply-adds", "ms a character", "mean", *writers]
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    for name, row in rows.items():
        shares = [row["top1"][writer] for writer in writers]
        cells = [f"{value:.4f}" for value in (float(np.mean(shares)), *shares)]
        front = [name, f"{row['multiply_adds'] / 1e6:.1f}", f"{row['milliseconds']:.2f}"]
        lines.append(f"| {' | '.join(front + cells)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.measure_ensemble", description=__doc__)
    parser.add_argument("data", type=Path, help="folder with hands/dev")
    parser.add_argument("models", nargs="+", help="presets, or folders of finished runs")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where the figures are written")
    options = parser.parse_args()
    models = {Path(model).name: zoo.load(model) for model in options.models}
    rows = measure(models, sources.read_hands(options.data / "hands" / "dev"))
    print(table(rows))
    if options.json:
        fit.write_json(options.json, rows)


if __name__ == "__main__":
    main()
