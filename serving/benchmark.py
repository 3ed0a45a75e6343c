"""Measures how fast pages are read: `python -m serving.benchmark PAGE`.

Every figure comes from a fresh process that sees one processor or all of them.
"""

import argparse
import contextlib
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

if TYPE_CHECKING:
    from serving.ocr import Reader

STAGES = ("decode", "flatten", "find", "crop", "recognise", "assemble")


def warm(page: str, repeat: int) -> dict[str, Any]:
    """Reads a page again and again in this process.

    Returns:
        `milliseconds`, the median of `repeat` readings after one that does not count; `stages`, the
        median milliseconds of each of `STAGES` where none begins before another has ended; `layout` and
        `characters` of the page.
    """
    from serving.ocr import Reader

    reader = Reader()
    result = reader.read(page)
    totals = [_seconds(reader, page) for _ in range(repeat)]
    shares: dict[str, list[float]] = defaultdict(list)
    for _ in range(repeat):
        spent: dict[str, float] = defaultdict(float)
        with _stopwatches(spent):
            total = _seconds(reader, page)
        spent["assemble"] = total - sum(spent.values())
        for stage in STAGES:
            shares[stage].append(spent[stage])
    return {
        "layout": result.layout,
        "characters": sum(len(line.characters) for line in result.lines),
        "cells": len(result.grid.cells) if result.grid else None,
        "milliseconds": 1000 * statistics.median(totals),
        "stages": {stage: 1000 * statistics.median(times) for stage, times in shares.items()},
    }


def _seconds(reader: "Reader", page: str) -> float:
    start = time.perf_counter()
    reader.read(page)
    return time.perf_counter() - start


@contextlib.contextmanager
def _stopwatches(spent: dict[str, float]) -> Iterator[None]:
    """Measures the functions that the reader calls, one after another, so that it is the real reader that is measured."""
    from serving import ahead, images, ocr, runtime
    from zoo import geometry, manuscript

    running: list[str] = []

    def timed(stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            if running:  # A stage inside a stage belongs to the outer one.
                return function(*arguments, **options)
            running.append(stage)
            start = time.perf_counter()
            try:
                return function(*arguments, **options)
            finally:
                spent[stage] += time.perf_counter() - start
                running.pop()

        return call

    with contextlib.ExitStack() as stack:
        for module in (ahead, ocr):
            stack.enter_context(mock.patch.object(module, "meanwhile", lambda work, threads=1: work))
        for owner, name, stage in (
            (images, "decode", "decode"),
            (manuscript, "flatten", "flatten"),
            (manuscript, "find", "find"),
            (geometry, "rectify", "crop"),
            (runtime.Session, "run", "recognise"),
        ):
            stack.enter_context(mock.patch.object(owner, name, timed(stage, getattr(owner, name))))
        yield


_COLD = """
import sys
from serving.cli import main
status = main(["read", "--json", sys.argv[1]])
with open("/proc/self/status") as file:
    peak = next(line for line in file if line.startswith("VmHWM"))
print(peak.split()[1], file=sys.stderr)
sys.exit(status)
"""


def cold(page: str) -> dict[str, float]:
    """Runs `hanzoo read` once in a fresh process: `seconds`, and `megabytes` of memory at the peak."""
    start = time.perf_counter()
    process = subprocess.run([sys.executable, "-c", _COLD, page], capture_output=True, text=True)
    seconds = time.perf_counter() - start
    if process.returncode:
        raise RuntimeError(f"`hanzoo read {page}` failed: {process.stdout}{process.stderr}")
    return {"seconds": seconds, "megabytes": int(process.stderr.split()[-1]) / 1024}


@contextlib.contextmanager
def only_processors(processors: set[int]) -> Iterator[None]:
    """Child processes see only these."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, processors)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def machine() -> dict[str, Any]:
    """What figures of speed belong to: `cpu`, the `cores` that this process may use, and `python` (Linux)."""
    return {
        "cpu": _cpu_model(),
        "cores": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
    }


def machine_in_words(machine: dict[str, Any]) -> str:
    """What `machine` found, for people."""
    cores = machine["cores"]
    return f"{machine['cpu']}, {cores} core{'s' * (cores != 1)}, Python {machine['python']}"


def _cpu_model() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def measure(page: str, repeat: int = 20) -> dict[str, Any]:
    """Measures one page on one processor and on all that this process may use (Linux).

    Returns:
        `machine`, `page`, and under `runs` one dict for each number of threads: `threads`, `cold`
        (of three starts, the shortest time and the most memory) and `warm`.
    """
    from serving import standing

    available = sorted(os.sched_getaffinity(0))
    runs = []
    for count in sorted({1, len(available)}):
        with only_processors(set(available[:count])):
            starts = [cold(page) for _ in range(3)]
            command = [sys.executable, "-m", "serving.benchmark", page, "--repeat", str(repeat), "--warm"]
            process = subprocess.run(command, capture_output=True, text=True)
            if process.returncode:
                raise RuntimeError(f"`{' '.join(command)}` failed: {process.stderr}")
        cold_start = {
            "seconds": min(start["seconds"] for start in starts),
            "megabytes": max(start["megabytes"] for start in starts),
        }
        runs.append({"threads": count, "cold": cold_start, "warm": json.loads(process.stdout)})
    return {
        "machine": machine(),
        "models": standing.files(),
        "page": Path(page).name,
        "runs": runs,
    }


def table(figures: dict[str, Any]) -> str:
    """The figures as a table in Markdown."""
    runs = figures["runs"]
    warm_run = runs[0]["warm"]
    what = f"{warm_run['cells']} cells, " if warm_run["cells"] else ""
    head = (
        f"{figures['page']}: {what}{warm_run['characters']} characters, layout {warm_run['layout']}; "
        f"{machine_in_words(figures['machine'])}. The stages, as long as they take one after another:"
    )
    rows = [["", *(f"{run['threads']} thread{'s' * (run['threads'] > 1)}" for run in runs)]]
    rows.append(["warm, median", *(f"{run['warm']['milliseconds']:.0f} ms" for run in runs)])
    for stage in STAGES:
        cells = []
        for run in runs:
            stages = run["warm"]["stages"]
            cells.append(f"{stages[stage]:.1f} ms ({stages[stage] / sum(stages.values()):.0%})")
        rows.append([f"- {stage}", *cells])
    rows.append(["cold start, `hanzoo read`", *(f"{run['cold']['seconds']:.2f} s" for run in runs)])
    rows.append(["peak memory", *(f"{run['cold']['megabytes']:.0f} MB" for run in runs)])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [" | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    rule = " | ".join(["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])])
    return "\n".join([head, "", *(f"| {line} |" for line in [lines[0], rule, *lines[1:]])])


def main() -> None:
    """Prints the table; `--json FILE` writes the figures as well."""
    parser = argparse.ArgumentParser(prog="python -m serving.benchmark", description=__doc__.splitlines()[0])
    parser.add_argument("page", metavar="PAGE")
    parser.add_argument("--repeat", type=int, default=20, help="readings of the page (default: 20)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to FILE")
    parser.add_argument("--warm", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.repeat < 1:
        parser.error(f"--repeat must be at least 1. Received: {options.repeat}")
    if options.warm:
        print(json.dumps(warm(options.page, options.repeat)))
        return
    try:
        figures = measure(options.page, options.repeat)
    except RuntimeError as error:
        sys.exit(f"hanzoo: {error}")
    print(table(figures))
    if options.json is not None:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
