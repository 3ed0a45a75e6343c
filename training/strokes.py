"""Where strokes come from: files that hold characters as centre lines in the order of writing.

KanjiVG (https://kanjivg.tagaini.net, CC BY-SA 3.0) comes as one SVG file a character, hanzi-writer-data
(https://hanziwriter.org, Arphic Public License) as one JSON file a character.
"""

import dataclasses
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from fontTools.misc import bezierTools
from fontTools.pens.recordingPen import RecordingPen
from fontTools.svgLib.path import parse_path

from training import sources
from zoo import charset

POINTS = 20
"""Points of a stroke, evenly spaced along it."""


@dataclasses.dataclass(frozen=True)
class Strokes:
    """Characters as strokes.

    Attributes:
        name: Of the folder that they come from, and of their form.
        characters: For each character its strokes in the order of writing, float32
            (strokes, POINTS, 2), x to the right and y down, the em square from -0.5 to 0.5.
    """

    name: str
    characters: Mapping[str, np.ndarray]


def read_strokes(folder: Path) -> list[Strokes]:
    """Reads the characters of the charset from a folder of `HEX.svg` or `CHARACTER.json` files.

    Args:
        folder: The unpacked `kanji` folder of KanjiVG, whose hand-like forms (`HEX-Kaisho.svg`) become
            a source of their own; or the unpacked `hanzi-writer-data`.

    Raises:
        ValueError: The folder holds no character of the charset, or a file is damaged.
    """
    found: dict[str, dict[str, np.ndarray]] = {}
    for file, character, form in _files(folder):
        try:
            lines = _read_svg(file) if file.suffix == ".svg" else _read_json(file)
            strokes = [resample(line) for line in lines]
        except (AttributeError, IndexError, KeyError, TypeError, ValueError, ElementTree.ParseError) as error:
            raise ValueError(
                f"{file}: holds no strokes as KanjiVG or hanzi-writer-data write them."
            ) from error
        if strokes:
            found.setdefault(f"{folder.name}{form}", {})[character] = np.stack(strokes).astype(np.float32)
    if not found:
        raise ValueError(f"{folder}: must hold HEX.svg or CHARACTER.json files of characters of the charset.")
    return [Strokes(name, _filled(characters)) for name, characters in sorted(found.items())]


def only(source: Strokes, characters: str) -> Strokes:
    """The part of a source that writes these characters."""
    return Strokes(source.name, {c: drawn for c, drawn in source.characters.items() if c in characters})


def _files(folder: Path) -> Iterator[tuple[Path, str, str]]:
    """The files of the charset's characters: path, character, and what a file name adds to it."""
    known = set(charset.CHARACTERS[1:])
    for file in sorted(folder.glob("*.svg")):
        named = re.fullmatch(r"([0-9a-f]{5})(-Kaisho)?", file.stem)
        if named and chr(int(named[1], 16)) in known:
            yield file, chr(int(named[1], 16)), named[2] or ""
    for file in sorted(folder.glob("*.json")):
        if file.stem in known:
            yield file, file.stem, ""


def _read_svg(file: Path) -> list[np.ndarray]:
    """The strokes of a KanjiVG file, each (n, 2)."""
    paths = ElementTree.parse(file).iter("{http://www.w3.org/2000/svg}path")
    return [_follow(path.attrib["d"]) / 109 - 0.5 for path in paths]


def _follow(path: str) -> np.ndarray:
    """Points along an SVG path of lines and cubic curves."""
    pen = RecordingPen()
    parse_path(path, pen)
    points: list[tuple[float, float]] = []
    for operation, operands in pen.value:
        if operation == "curveTo":
            times = np.linspace(0, 1, 9)[1:]
            points += [bezierTools.cubicPointAtT(points[-1], *operands, time) for time in times]
        else:
            points += operands
    return np.array(points, np.float64)


def _read_json(file: Path) -> list[np.ndarray]:
    """The strokes of a hanzi-writer-data file, each (n, 2)."""
    medians = json.loads(file.read_text(encoding="utf-8"))["medians"]
    return [np.array(median, np.float64) * (1, -1) / 1024 + (-0.5, 900 / 1024 - 0.5) for median in medians]


def resample(line: np.ndarray) -> np.ndarray:
    """`POINTS` points, evenly spaced along a line (n, 2)."""
    lengths = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(line, axis=0).T))])
    places = np.linspace(0, lengths[-1], POINTS)
    return np.stack([np.interp(places, lengths, line[:, axis]) for axis in (0, 1)], axis=-1)


def _filled(characters: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The same characters at a size at which an ordinary one takes up its share of the em square."""
    sides = [np.ptp(strokes.reshape(-1, 2), axis=0).max() for strokes in characters.values()]
    scale = np.float32(sources.FILL / np.median(sides))
    return {character: strokes * scale for character, strokes in characters.items()}
