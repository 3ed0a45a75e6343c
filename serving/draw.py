"""A page drawn over its image: cells, lines, and what was read."""

import contextlib
import functools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from serving.page import Box, Page

_CELL, _LINE, _SURE, _UNSURE = (150, 190, 235), (40, 160, 70), (200, 30, 30), (240, 130, 0)
_DOUBTFUL = 0.5  # Below this score a character is drawn in the other colour.

# Names that Debian, Fedora, Arch, macOS and Windows give to fonts with Traditional Chinese.
_FONTS = (
    "NotoSansCJK-Regular.ttc",
    "NotoSansTC-Regular.otf",
    "NotoSerifCJK-Regular.ttc",
    "SourceHanSansTC-Regular.otf",
    "LXGWWenKai-Regular.ttf",
    "wqy-zenhei.ttc",
    "wqy-microhei.ttc",
    "uming.ttc",
    "ukai.ttc",
    "bkai00mp.ttf",
    "DroidSansFallbackFull.ttf",
    "PingFang.ttc",
    "STHeiti Light.ttc",
    "msjh.ttc",
    "mingliu.ttc",
)


@functools.cache
def find_font() -> Path | None:
    """A font of this system that draws Traditional Chinese; None where there is none."""
    for candidate in [*_FONTS, *_listed_fonts()]:
        try:
            # Pillow looks a bare name up in the system's folders of fonts.
            font = ImageFont.truetype(candidate, 24)
        except OSError:
            continue
        if isinstance(font.path, str) and _draws_chinese(font):
            return Path(font.path)
    return None


def _listed_fonts() -> list[str]:
    """The fonts that fontconfig, where it is installed, lists for Traditional Chinese."""
    if shutil.which("fc-list") is None:
        return []
    command = ["fc-list", ":lang=zh-tw", "file"]
    try:
        listed = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return []
    return sorted(line.strip().rstrip(":") for line in listed.stdout.splitlines())


def _draws_chinese(font: ImageFont.FreeTypeFont) -> bool:
    """Whether 繁 and 體 look different: a font without them draws the same empty box twice."""
    first, second = (bytes(font.getmask(character)) for character in "繁體")
    return first != second


def draw(page: Page, image: np.ndarray, font: Path | None = None) -> Image.Image:
    """Draws a page over its image.

    Cells are outlined in blue and lines in green. The text stands in the upper right of each
    character's box, in red, or in orange where its score is below 0.5.

    Args:
        page: What was read.
        image: uint8 (H, W, 3) RGB, the picture that it was read from.
        font: A font with Chinese characters; without one only boxes are drawn.

    Raises:
        ValueError: `image` has another size than the page.
    """
    height, width = image.shape[:2]
    if (width, height) != (page.width, page.height):
        raise ValueError(
            f"`image` must be the one that was read, {page.width} x {page.height} pixels. "
            f"Received: {width} x {height}."
        )
    # Paler, so that the drawing stands out from the writing.
    picture = Image.fromarray(255 - (255 - image) // 5 * 3)
    pen = ImageDraw.Draw(picture)
    stroke = max(round(max(width, height) / 1500), 1)
    for cell in page.grid.cells if page.grid else ():
        _outline(pen, cell, _CELL, stroke)
    for line in page.lines:
        _outline(pen, line.box, _LINE, stroke)
        for character in line.characters:
            if page.grid is None:
                _outline(pen, character.box, _CELL, stroke)
            if font is not None:
                _write(pen, character.box, character.text, character.score, font)
    return picture


def _outline(pen: ImageDraw.ImageDraw, box: Box, colour: tuple[int, int, int], stroke: int) -> None:
    pen.line([*box, box[0]], fill=colour, width=stroke)


def _write(pen: ImageDraw.ImageDraw, box: Box, text: str, score: float, font: Path) -> None:
    corners = np.array(box)
    side = float(min(np.linalg.norm(corners[1] - corners[0]), np.linalg.norm(corners[2] - corners[1])))
    size = max(round(0.45 * side), 8)
    right, top = corners[1]
    colour = _SURE if score >= _DOUBTFUL else _UNSURE
    pen.text((right - 2, top + 1), text, fill=colour, font=_sized(font, size), anchor="ra")


@functools.lru_cache(maxsize=64)
def _sized(font: Path, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(font), size)


def save(picture: Image.Image, path: Path) -> None:
    """Writes a PNG file whole or not at all.

    Raises:
        OSError: The file cannot be written.
    """
    with _replacing(path) as file:
        picture.save(file, "PNG")


def save_text(text: str, path: Path) -> None:
    """Writes a text file, UTF-8, whole or not at all.

    Raises:
        OSError: The file cannot be written.
    """
    with _replacing(path) as file:
        file.write(text.encode())


@contextlib.contextmanager
def _replacing(path: Path) -> Iterator[IO[bytes]]:
    """A file of another name first, which is then renamed."""
    name = None
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem[:40]}-", suffix=path.suffix)
        with os.fdopen(handle, "wb") as file:
            yield file
        # mkstemp gives the file to its owner alone; a drawing is for everyone whom umask allows.
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(name, 0o666 & ~mask)
        os.replace(name, path)
    except BaseException as error:
        if name is not None:
            Path(name).unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise OSError(error.errno, error.strerror or str(error), str(path)) from error
        raise
