"""Real pages to train detectors on: pictures with the places of their lines.

A folder holds the pictures and `truth.json`, as `python -m training.pages` writes it: for each picture its
`lines`, each with a `quad`, its corners clockwise from the top left of the text in pixels, and its `text`.
`chars`, the same of each character, may be missing: pages that only lines are marked on are enough. `ignore`,
corners of what is neither text nor paper, may be missing as well.
"""

import dataclasses
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from training import pages, weak
from training.writing import Line

_UPRIGHT = 1.5  # A line this many times as high as wide is a column, where its page does not say so.


@dataclasses.dataclass(frozen=True)
class LabelledLine:
    """A line of which the text and the place are known.

    Attributes:
        text: Its characters, without blanks.
        quad: Corners clockwise from the top left of the text, float32 (4, 2).
        vertical: Whether the characters stand below each other.
        characters: The corners of each, float32 (n, 4, 2); None where nobody marked them.
    """

    text: str
    quad: np.ndarray
    vertical: bool
    characters: np.ndarray | None = None


@dataclasses.dataclass(frozen=True)
class LabelledPage:
    """A picture with its lines.

    Attributes:
        name: Of its file.
        level: How hard it is to read; empty where `truth.json` does not say it.
        image: uint8 (height, width, 3) RGB.
        lines: In any order.
        ignore: Corners of what is neither text nor paper, float32 (n, 4, 2).
    """

    name: str
    level: str
    image: np.ndarray
    lines: tuple[LabelledLine, ...]
    ignore: np.ndarray


def decoded(picture: Path) -> np.ndarray:
    """A picture as uint8 (height, width, 3) RGB, turned as its camera says.

    Raises:
        ValueError: It cannot be read, or ends early.
    """
    try:
        with Image.open(picture) as opened:
            return np.asarray(ImageOps.exif_transpose(opened).convert("RGB"))
    except Exception as error:  # Pillow raises nearly everything on a damaged file.
        raise ValueError(
            f"{picture}: cannot be read as a picture ({error}); copy it again, or take it out of truth.json."
        ) from error


def read(folder: Path, decode: Callable[[Path], np.ndarray] = decoded) -> list[LabelledPage]:
    """Reads the pages of a folder.

    Args:
        folder: Where they are.
        decode: Reads a picture, uint8 (height, width, 3) RGB; raises ValueError where it cannot.

    Raises:
        ValueError: `truth.json` is missing or damaged, or it names a picture that cannot be read.
    """
    file = folder / "truth.json"
    try:
        truths = json.loads(file.read_text(encoding="utf-8"))
        marked = {name: _marked(truth) for name, truth in sorted(truths.items())}
    except (OSError, KeyError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"{file}: does not tell where the lines of pages are ({error}).") from error
    return [
        LabelledPage(Path(name).name, level, decode(folder / name), lines, ignore)
        for name, (level, lines, ignore) in marked.items()
    ]


def complete(page: LabelledPage, region_of: Callable[[np.ndarray], np.ndarray] | None) -> pages.Page:
    """A page with all its characters; those that nobody marked are guessed.

    Args:
        page: The page.
        region_of: The network that guesses, see `training.weak`; without it they are evenly spaced.
    """
    lines = []
    for line in page.lines:
        if line.characters is not None:
            lines.append(Line(line.text, line.quad, line.characters))
        else:
            found, confidence = weak.pseudo_characters(
                page.image, line.quad, len(line.text), region_of or _sees_nothing, line.vertical
            )
            # A guess may find one more or one less.
            text = line.text[: len(found)].ljust(len(found), "？")
            lines.append(Line(text, line.quad, found, confidence))
    return pages.Page(page.image, tuple(lines), page.ignore)


def _sees_nothing(image: np.ndarray) -> np.ndarray:
    return np.zeros((image.shape[0] // 2, image.shape[1] // 2), np.float32)


def _marked(truth: dict[str, Any]) -> tuple[str, tuple[LabelledLine, ...], np.ndarray]:
    """The level, the lines and what is ignored of a page, as `LabelledPage` holds them."""
    lines = [_line(line, truth.get("direction")) for line in truth["lines"]]
    return (
        str(truth.get("level", "")),
        tuple(line for line in lines if line.text),
        _quads(truth.get("ignore", [])),
    )


def _line(line: dict[str, Any], direction: str | None) -> LabelledLine:
    (quad,) = _quads([line["quad"]])
    text = "".join(line["text"].split())
    characters = _quads([one["quad"] for one in line["chars"]]) if line.get("chars") else None
    if characters is not None and len(characters) != len(text):
        raise ValueError(f"a line of {len(text)} characters has {len(characters)} in `chars`")
    across, down = np.linalg.norm(quad[1] - quad[0]), np.linalg.norm(quad[3] - quad[0])
    vertical = down > _UPRIGHT * across if direction is None else direction == "vertical"
    return LabelledLine(text, quad, bool(vertical), characters)


def _quads(listed: Sequence[Any]) -> np.ndarray:
    quads = np.array(listed, np.float32)
    if quads.size and quads.shape[1:] != (4, 2):
        raise ValueError(f"a quad has four corners (x, y); received {listed[0]}")
    return quads.reshape(-1, 4, 2)
