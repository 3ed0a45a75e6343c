"""Where strokes come from: files that hold characters as centre lines in the order of writing.

KanjiVG (https://kanjivg.tagaini.net, CC BY-SA 3.0) comes as one SVG file a character, hanzi-writer-data
(https://hanziwriter.org, Arphic Public License) as one JSON file a character.
"""

import dataclasses
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

import numpy as np
from fontTools.misc import bezierTools
from fontTools.pens.recordingPen import RecordingPen
from fontTools.svgLib.path import parse_path
from scipy import interpolate

from training import sources
from zoo import charset

POINTS = 20
"""Points of a stroke, evenly spaced along it."""


class Part(NamedTuple):
    """A part of a character.

    Attributes:
        name: The part, as a character.
        place: Where it stands, as KanjiVG calls it: "left", "right", "top", "bottom" ..., or nothing.
        start: Its first stroke.
        stop: Behind its last stroke.
    """

    name: str
    place: str
    start: int
    stop: int


@dataclasses.dataclass(frozen=True)
class Strokes:
    """Characters as strokes.

    Attributes:
        name: Of the folder that they come from, and of their form.
        characters: For each character its strokes in the order of writing, float32
            (strokes, POINTS, 2), x to the right and y down, the em square from -0.5 to 0.5.
        parts: For each character its parts, the outer ones before those inside them, where the source tells them.
    """

    name: str
    characters: Mapping[str, np.ndarray]
    parts: Mapping[str, Sequence[Part]] = dataclasses.field(default_factory=dict)


def read_strokes(folder: Path) -> list[Strokes]:
    """Reads the characters of the charset from a folder of `HEX.svg` or `CHARACTER.json` files.

    Args:
        folder: The unpacked `kanji` folder of KanjiVG, whose hand-like forms (`HEX-Kaisho.svg`) become
            a source of their own; or the unpacked `hanzi-writer-data`.

    Raises:
        ValueError: The folder holds no character of the charset, or a file is damaged.
    """
    found: dict[str, dict[str, np.ndarray]] = {}
    parts: dict[str, dict[str, list[Part]]] = {}
    for file, character, form in _files(folder):
        try:
            lines, inside = _read_svg(file) if file.suffix == ".svg" else (_read_json(file), [])
            strokes = [resample(line) for line in lines]
        except (AttributeError, IndexError, KeyError, TypeError, ValueError, ElementTree.ParseError) as error:
            raise ValueError(
                f"{file}: holds no strokes as KanjiVG or hanzi-writer-data write them."
            ) from error
        if strokes:
            found.setdefault(f"{folder.name}{form}", {})[character] = np.stack(strokes).astype(np.float32)
            if inside:
                parts.setdefault(f"{folder.name}{form}", {})[character] = inside
    if not found:
        raise ValueError(f"{folder}: must hold HEX.svg or CHARACTER.json files of characters of the charset.")
    return [
        Strokes(name, _filled(characters), parts.get(name, {})) for name, characters in sorted(found.items())
    ]


def only(source: Strokes, characters: str) -> Strokes:
    """The part of a source that writes these characters."""
    kept = {c: drawn for c, drawn in source.characters.items() if c in characters}
    parts = {c: inside for c, inside in source.parts.items() if c in characters}
    return Strokes(source.name, kept, parts)


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


_SAME = {"⻌": "辶"}  # A radical that KanjiVG calls by two names.
_PATH = "{http://www.w3.org/2000/svg}path"


def _read_svg(file: Path) -> tuple[list[np.ndarray], list[Part]]:
    """The strokes of a KanjiVG file, each (n, 2), and its parts."""
    lines: list[np.ndarray] = []
    parts: list[Part] = []
    for node in ElementTree.parse(file).iter():
        if node.tag == _PATH:
            lines.append(_follow(node.attrib["d"]) / 109 - 0.5)
            continue
        told = {name.rpartition("}")[2]: value for name, value in node.attrib.items()}
        if "element" in told and "part" not in told:  # Not a piece of a part that others interrupt.
            stop = len(lines) + sum(1 for _ in node.iter(_PATH))
            name = _SAME.get(told["element"], told["element"])
            parts.append(Part(name, told.get("position", ""), len(lines), stop))
    return lines, parts


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


def drawn(form: str) -> np.ndarray:
    """Strokes that are written down as text.

    Args:
        form: Strokes, apart by `;`. A stroke is its points in hundredths of the square, x to the right and y down, and
            after `~` a smooth curve through them.

    Returns:
        float32 (strokes, POINTS, 2), the square from -0.5 to 0.5.
    """
    return np.stack([_stroke(part.strip()) for part in form.split(";")])


def _stroke(text: str) -> np.ndarray:
    points = np.array([pair.split(",") for pair in text.removeprefix("~").split()], float) / 100 - 0.5
    if text.startswith("~"):
        along = np.arange(len(points))
        fine = np.linspace(0, len(points) - 1, 8 * len(points))
        points = np.asarray(interpolate.CubicSpline(along, points)(fine))
    return resample(points).astype(np.float32)


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
