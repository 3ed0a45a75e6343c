"""Pages through several readers, side by side: error rate, lines found, time, memory, size.

Each reader has a process of its own, which is this file run as a program: it reads the first page once more at the
end of its start, then each page once, on all processors.
"""

import argparse
import dataclasses
import json
import resource
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import tqdm
from rapidfuzz.distance import Levenshtein

import zoo
from serving import benchmark, images, page_readers, reading_tables, standing
from serving.evaluate import names_of, plain
from training import matching


@dataclasses.dataclass(frozen=True)
class TruePage:
    """A page of which everything is known.

    Attributes:
        path: Its picture.
        group: The level of difficulty, or whatever else `truth.json` says under `level`.
        quads: Corners of its lines in reading order, float32 (n, 4, 2).
        texts: Their texts.
        ignore: Corners of what is neither text nor paper, float32 (m, 4, 2).
    """

    path: Path
    group: str
    quads: np.ndarray
    texts: tuple[str, ...]
    ignore: np.ndarray


def read_truth(folder: Path) -> list[TruePage]:
    """Reads the `truth.json` of a folder, as `training.labelled_pages` describes it, the lines in reading order.

    Raises:
        ValueError: It is missing or damaged.
    """
    file = folder / "truth.json"
    try:
        truths = json.loads(file.read_text(encoding="utf-8"))
        if lost := sorted(name for name in truths if not (folder / name).is_file()):
            raise ValueError(f"there is no {lost[0]}")
        return [
            TruePage(
                folder / name,
                str(truth.get("level", "pages")),
                _quads(line["quad"] for line in truth["lines"]),
                tuple(line["text"] for line in truth["lines"]),
                _quads(truth.get("ignore", ())),
            )
            for name, truth in sorted(truths.items())
        ]
    except (OSError, KeyError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"{file}: does not tell where the lines of pages are ({error}).") from error


def _quads(quads: Any) -> np.ndarray:
    return np.array(list(quads), np.float32).reshape(-1, 4, 2)


def compare(folders: Sequence[Path], names: Sequence[str]) -> dict[str, Any]:
    """Measures readers on the pages of folders.

    Args:
        folders: Each with `truth.json`. Where there are several, each is a group of its own.
        names: Of `page_readers.PAGE_READERS`.

    Returns:
        `machine`, `pages`, and for each reader under `readers` its `version`, the `bytes` of its files, its `seconds`
        of a page (median), `megabytes` (peak of its process), and under `groups` for each level of difficulty
        `error_rate` in the order in which it reads the lines, `error_rate_ordered` with its lines in the true order,
        and the `h_mean` of its lines at an IoU of 0.5. A reader that cannot be used has `missing`, the reason.

    Raises:
        zoo.UnknownNameError: A reader is unknown.
        ValueError: `truth.json` is missing or damaged, a picture cannot be read, or two folders have the same name.
        RuntimeError: A reader failed.
    """
    unknown = sorted(set(names) - set(page_readers.PAGE_READERS))
    if unknown:
        known = ", ".join(map(repr, page_readers.PAGE_READERS))
        received = ", ".join(map(repr, unknown))
        raise zoo.UnknownNameError(f"--readers must be of {known}. Received: {received}.")
    pages = [
        dataclasses.replace(page, group=folder_name) if len(folders) > 1 else page
        for folder, folder_name in zip(folders, names_of(folders), strict=True)
        for page in read_truth(folder)
    ]
    for page in pages:  # Before any is measured: a reader may take an hour.
        images.decode(page.path)
    reasons = page_readers.missing(names)
    readers: dict[str, Any] = {}
    for name in tqdm.tqdm(names, desc="readers", disable=None):
        if name in reasons:
            readers[name] = {"missing": reasons[name]}
            continue
        reader = page_readers.PAGE_READERS[name]
        answers, megabytes = _run(name, pages)
        readers[name] = {
            "version": reader.version(),
            "bytes": sum(path.stat().st_size for path in reader.files()),
            "seconds": statistics.median(answer["seconds"] for answer in answers),
            "megabytes": megabytes,
            "groups": _figures(pages, [answer["lines"] for answer in answers]),
        }
    return {
        "machine": benchmark.machine(),
        "models": standing.files(),
        "pages": len(pages),
        "readers": readers,
    }


def _run(name: str, pages: Sequence[TruePage]) -> tuple[list[dict[str, Any]], float]:
    """What the process of a reader answers to each page, and the most memory it took, in megabytes."""
    command = [sys.executable, "-m", "serving.compare", name, *(str(page.path) for page in pages)]
    done = subprocess.run(command, capture_output=True, text=True)
    answers = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"seconds"')]
    if done.returncode or len(answers) != len(pages):
        raise RuntimeError(f"{name} failed: {done.stderr.strip()[-2000:]}")
    return answers, max(answer["megabytes"] for answer in answers)


def _figures(pages: Sequence[TruePage], answers: Sequence[page_readers.Found]) -> dict[str, dict[str, float]]:
    edits: dict[str, np.ndarray] = defaultdict(lambda: np.zeros(3))
    lines: dict[str, matching.Counts] = defaultdict(matching.Counts)
    for page, found in zip(pages, answers, strict=True):
        true = plain("".join(page.texts))
        kept = [(quad, text) for quad, text in found if not _outside(quad, page)]
        own, ordered = ("".join(text for _, text in one) for one in (kept, in_true_order(kept, page.quads)))
        edits[page.group] += [
            Levenshtein.distance(plain(own), true),
            Levenshtein.distance(plain(ordered), true),
            len(true),
        ]
        lines[page.group] += matching.count(_quads(quad for quad, _ in kept), list(page.quads))
    return {
        group: {
            "error_rate": edits[group][0] / edits[group][2],
            "error_rate_ordered": edits[group][1] / edits[group][2],
            "h_mean": lines[group].h_mean,
        }
        for group in sorted(edits)
    }


def in_true_order(found: page_readers.Found, quads: np.ndarray) -> page_readers.Found:
    """Found lines in the order of the true ones that they cover most of; parts of one line by their place in it.

    Args:
        found: Lines in any order.
        quads: The true lines in reading order, float32 (n, 4, 2).
    """

    def place(line: tuple[list[list[float]], str]) -> tuple[int, float]:
        quad = np.array(line[0], np.float32)
        overlaps = [cv2.intersectConvexConvex(quad, true)[0] for true in quads]
        if not overlaps or max(overlaps) == 0:
            return len(quads), 0.0
        best = int(np.argmax(overlaps))
        middles = (quads[best] + np.roll(quads[best], -1, axis=0)) / 2
        across, down = middles[1] - middles[3], middles[2] - middles[0]
        along = across if np.linalg.norm(across) > np.linalg.norm(down) else down
        return best, float(quad.mean(0) @ along)

    return sorted(found, key=place)


def _outside(quad: list[list[float]], page: TruePage) -> bool:
    """Whether the middle of a line that is no true one lies in what is neither text nor paper."""
    box = np.array([quad], np.float32)
    ignored = any(matching.holds(other, box[0].mean(0)) for other in page.ignore)
    return ignored and not matching.count(box, list(page.quads)).matched


def table(result: dict[str, Any]) -> str:
    """The result as a Markdown table, a chart and the readers that are missing."""
    readers = {name: one for name, one in result["readers"].items() if "missing" not in one}
    groups = list(next(iter(readers.values()))["groups"]) if readers else []
    head = ["reader", "version", "MB on disk", "MB of memory", "seconds a page"]
    head += [
        f"{group}: {figure}" for group in groups for figure in ("errors", "in true order", "h-mean of lines")
    ]
    rows = [
        [
            name,
            one["version"],
            f"{one['bytes'] / 1e6:.1f}",
            f"{one['megabytes']:.0f}",
            f"{one['seconds']:.2f}",
            *(f"{value:.3f}" for group in groups for value in one["groups"][group].values()),
        ]
        for name, one in readers.items()
    ]
    machine = benchmark.machine_in_words(result["machine"])
    parts = [f"{result['pages']} pages; {machine}.", reading_tables.markdown(head, rows)]
    parts += [_chart(readers, group) for group in groups]
    parts += [
        f"Not measured: {name}: {one['missing']}"
        for name, one in result["readers"].items()
        if "missing" in one
    ]
    return "\n\n".join(parts)


def _chart(readers: dict[str, Any], group: str) -> str:
    """Bars of the error rates, in the language that Markdown viewers draw charts from."""
    names = ", ".join(json.dumps(name) for name in readers)
    rates = ", ".join(f"{one['groups'][group]['error_rate_ordered']:.3f}" for one in readers.values())
    return (
        f'```mermaid\nxychart-beta\n  title "Character error rate, {group}, lines in true order"\n'
        f'  x-axis [{names}]\n  y-axis "errors a character"\n  bar [{rates}]\n```'
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m serving.compare", description=__doc__)
    parser.add_argument("name", choices=page_readers.PAGE_READERS)
    parser.add_argument("pages", type=Path, nargs="+")
    options = parser.parse_args()
    read = page_readers.PAGE_READERS[options.name].make()
    read(images.decode(options.pages[0])[0])
    for path in options.pages:
        image = images.decode(path)[0]
        start = time.perf_counter()
        lines = read(image)
        seconds = time.perf_counter() - start
        answer = {"seconds": seconds, "megabytes": _peak(), "lines": lines}
        print(json.dumps(answer, ensure_ascii=False), flush=True)


def _peak() -> float:
    """The most memory that this process, or a program that it ran, has taken so far, in megabytes (Linux)."""
    # What the system tells of a process itself would count its parent too, as it was when it made the process.
    own = next(line for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line)
    programs = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return max(int(own.split()[1]), programs) / 1024


if __name__ == "__main__":
    main()
