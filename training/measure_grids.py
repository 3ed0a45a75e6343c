"""Measures how well cells are found: `python -m training.measure_grids FOLDER`.

FOLDER holds pages and their `truth.json`, as `training.sheets` writes it. A found cell is right if
it overlaps a true one by IoU >= 0.5, one to one, best first. Pages without cells (plain or ruled
paper) are counted too: whatever is found there is wrong.
"""

import argparse
import dataclasses
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from training import labelled_pages
from zoo import geometry, manuscript, rectangles

_OVERLAP = 0.5


@dataclasses.dataclass(frozen=True)
class Found:
    """What a detector says of a page: cells, float (N, 4, 2), and the (rows, columns) if it knows them."""

    cells: np.ndarray
    shape: tuple[int, int] | None


def _manuscript(image: np.ndarray) -> Found:
    grid = manuscript.find(image)
    if grid is None:
        return Found(np.empty((0, 4, 2), np.float32), None)
    return Found(grid.cells.reshape(-1, 4, 2), (grid.rows, grid.columns))


def _rectangles(image: np.ndarray) -> Found:
    return Found(rectangles.find(image), None)


def _rectangles_adaptive(image: np.ndarray) -> Found:
    return Found(rectangles.find(image, threshold=None, epsilon=0.1, enlarge_to=4200), None)


DETECTORS: dict[str, Callable[[np.ndarray], Found]] = {
    "manuscript": _manuscript,
    "rectangles": _rectangles,
    "rectangles_adaptive": _rectangles_adaptive,
}
"""The detectors: ours, the research note's, and the note's with settings that suit pale lines."""


def match(truth: np.ndarray, found: np.ndarray) -> int:
    """How many cells are found.

    Args:
        truth: float (N, 4, 2), the true cells.
        found: float (M, 4, 2), the found ones.

    Returns:
        Number of pairs, one to one, whose IoU is at least 0.5; the best pairs are made first.
    """
    if not len(truth) or not len(found):
        return 0
    low = np.maximum(truth.min(1)[:, None], found.min(1)[None])
    high = np.minimum(truth.max(1)[:, None], found.max(1)[None])
    near = np.argwhere((high > low).all(2))
    pairs = sorted(((geometry.iou(truth[i], found[j]), int(i), int(j)) for i, j in near), reverse=True)
    true_used: set[int] = set()
    found_used: set[int] = set()
    for overlap, i, j in pairs:
        if overlap >= _OVERLAP and i not in true_used and j not in found_used:
            true_used.add(i)
            found_used.add(j)
    return len(true_used)


def measure(folder: Path, detector: str) -> dict[str, dict[str, float]]:
    """Runs one detector over a folder.

    Returns:
        For each level, and for "all": pages, cells (true ones), found, right, precision, recall,
        right_shape (share of the pages whose rows and columns are right) and seconds (median).

    Raises:
        ValueError: The folder has no truth.json, or a picture is missing or cannot be read.
    """
    truth_file = folder / "truth.json"
    if not truth_file.is_file():
        raise ValueError(f"The folder must hold truth.json. Received: {folder}.")
    pages: dict[str, list[dict[str, float]]] = {}
    for name, truth in json.loads(truth_file.read_text(encoding="utf-8")).items():
        page = _measure_page(labelled_pages.decoded(folder / name), truth, DETECTORS[detector])
        for level in (str(truth.get("level", "-")), "all"):
            pages.setdefault(level, []).append(page)
    return {level: _summary(pages[level]) for level in sorted(pages, key=lambda level: level == "all")}


def _measure_page(
    image: np.ndarray, truth: dict[str, Any], detector: Callable[[np.ndarray], Found]
) -> dict[str, float]:
    start = time.perf_counter()
    found = detector(image)
    seconds = time.perf_counter() - start
    cells = np.array([cell["quad"] for cell in truth.get("cells", [])], np.float32).reshape(-1, 4, 2)
    shape = (truth["rows"], truth["columns"]) if "rows" in truth else None
    return {
        "cells": len(cells),
        "found": len(found.cells),
        "right": match(cells, found.cells),
        "right_shape": found.shape == shape,
        "seconds": seconds,
    }


def _summary(pages: list[dict[str, float]]) -> dict[str, float]:
    cells, found, right = (sum(page[key] for page in pages) for key in ("cells", "found", "right"))
    return {
        "pages": len(pages),
        "cells": cells,
        "found": found,
        "right": right,
        "precision": right / found if found else float(not cells),
        "recall": right / cells if cells else 1.0,
        "right_shape": sum(page["right_shape"] for page in pages) / len(pages),
        "seconds": float(np.median([page["seconds"] for page in pages])),
    }


def table(figures: dict[str, dict[str, dict[str, float]]]) -> str:
    """The figures of {detector: {level: figures}} as a Markdown table."""
    head = ["detector", "level", "pages", "precision", "recall", "right shape", "seconds a page"]
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    for detector, levels in figures.items():
        for level, row in levels.items():
            # The contour detector knows cells, not rows and columns.
            shape = f"{row['right_shape']:.3f}" if detector == "manuscript" else ""
            lines.append(
                f"| {detector} | {level} | {row['pages']} | {row['precision']:.4f} | {row['recall']:.4f} "
                f"| {shape} | {row['seconds']:.2f} |"
            )
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> None:
    """Prints the table of the detectors, and writes the figures if asked to."""
    parser = argparse.ArgumentParser(prog="python -m training.measure_grids", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--detector", choices=DETECTORS, help="only this one")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where the figures are written")
    options = parser.parse_args(arguments)
    names = [options.detector] if options.detector else list(DETECTORS)
    try:
        figures = {name: measure(options.folder, name) for name in names}
    except ValueError as error:
        parser.error(str(error))
    print(table(figures))
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
