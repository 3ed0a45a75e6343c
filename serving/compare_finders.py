"""Compares what finds lines, on pages that tell where their lines are: `python -m serving.compare_finders FOLDER`."""

import argparse
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from serving import benchmark, finder, images, reading_tables, runtime, standing
from training import fit, labelled_pages, pictures
from training.matching import Counts, count
from zoo import contours

Finder = Callable[[np.ndarray], np.ndarray]
"""From a page, uint8 (H, W, 3) RGB, to the corners of its lines, float32 (n, 4, 2)."""


def finders(craft: Path | None = None) -> dict[str, Finder]:
    """What finds lines, by name.

    Args:
        craft: Folder of a preset of a CRAFT, as `hanzoo preset` makes it; None leaves it out.

    Raises:
        serving.runtime.ModelError: A preset is missing or damaged.
    """
    found: dict[str, Finder] = {
        "contours": contours.lines,
        finder.MODEL: _network(finder.MODEL, finder.of_dbnet),
    }
    if craft is not None:
        found[craft.name] = _network(craft, finder.of_craft)
    return found


def _network(model: str | Path, lines_of: finder.LinesOf) -> Finder:
    lines = finder.LineFinder.of_preset(runtime.preset(model), lines_of=lines_of)
    return lambda image: lines(image)[0]


def measure(
    pages: Sequence[labelled_pages.LabelledPage], found_by: dict[str, Finder], drawn: Path | None = None
) -> dict[str, Any]:
    """How well each finder finds the lines of labelled pages, and how long a page takes.

    Args:
        pages: The pages.
        found_by: The finders by name.
        drawn: Folder for `NAME_PICTURE.jpg`, each page with the lines that a finder finds on it; None for none.

    Returns:
        `machine` and `finders`: under the name of each `lines`, with the counts of all pages and of each level
        (matched, found and true lines), and `seconds`, the median of the pages.
    """
    if drawn is not None:
        drawn.mkdir(parents=True, exist_ok=True)
    results = {}
    for name, find in found_by.items():
        counts: dict[str, Counts] = defaultdict(Counts)
        seconds = []
        for page in pages:
            start = time.perf_counter()
            quads = find(page.image)
            seconds.append(time.perf_counter() - start)
            own = count(quads, [line.quad for line in page.lines], list(page.ignore))
            for group in filter(None, ("all", page.level)):
                counts[group] += own
            if drawn is not None:
                shown = cv2.cvtColor(pictures.outlined(page.image, quads), cv2.COLOR_RGB2BGR)
                cv2.imwrite(str(drawn / f"{name}_{Path(page.name).stem}.jpg"), shown)
        lines = {group: one._asdict() for group, one in counts.items()}
        results[name] = {"lines": lines, "seconds": statistics.median(seconds)}
    return {"machine": benchmark.machine(), "models": standing.files(), "finders": results}


def table(result: dict[str, Any]) -> str:
    """The result as a Markdown table."""
    groups = list(next(iter(result["finders"].values()))["lines"])
    rows, lines = [], 0
    for name, one in result["finders"].items():
        counts = [Counts(**one["lines"][group]) for group in groups]
        lines = counts[0].true
        both = [f"{figure:.3f}" for figure in (counts[0].precision, counts[0].recall)]
        rows.append([name, *(f"{each.h_mean:.3f}" for each in counts), *both, f"{one['seconds']:.2f}"])
    head = ["finder", *(f"h-mean, {group}" for group in groups), "precision", "recall", "seconds a page"]
    return (
        f"{lines:,} lines; those match that overlap by half (IoU). Networks are int8. "
        f"{benchmark.machine_in_words(result['machine'])}.\n\n{reading_tables.markdown(head, rows)}"
    )


def main() -> None:
    """Prints the table; writes the figures, and the pages with what was found, to files."""
    parser = argparse.ArgumentParser(prog="python -m serving.compare_finders", description=__doc__)
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="pages with truth.json")
    parser.add_argument("--craft", type=Path, metavar="FOLDER", help="preset of a CRAFT, of `hanzoo preset`")
    parser.add_argument(
        "--drawn", type=Path, metavar="FOLDER", help="write the pages with the found lines here"
    )
    parser.add_argument("--json", type=Path, default=Path("results/finders/result.json"))
    options = parser.parse_args()
    try:
        pages = labelled_pages.read(options.folder, lambda picture: images.decode(picture)[0])
        result = measure(pages, finders(options.craft), options.drawn)
        fit.write_json(options.json, result)
    except (ValueError, OSError) as error:
        parser.exit(1, f"hanzoo: {error}\n")
    print(table(result))


if __name__ == "__main__":
    main()
