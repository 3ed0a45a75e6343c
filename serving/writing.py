"""Writes a text in the hand of a few samples."""

from pathlib import Path

import numpy as np

from training import callbacks, sources
from training.generator import Generator
from training.sources import Glyphs
from zoo import charset

_PICTURES = {".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp"}


def write(text: str, like: Path, out: Path, model: str | Path, glyph_font: Path, seed: int = 0) -> None:
    """Writes a text as a picture.

    Args:
        text: What to write; a line break starts a new line, a space stays empty.
        like: Folder of pictures of single characters in the hand, or a `.npz` file of `sources.read_hand`.
        out: The PNG file.
        model: A few-shot generator: preset, or folder of a finished run.
        glyph_font: Font of the printed characters.
        seed: Of what varies.

    Raises:
        ValueError: The text is empty or holds unknown characters, there are no readable samples, or the
            generator writes no given characters.
        OSError: The file cannot be written.
    """
    lines = text.strip("\n").split("\n")
    unknown = {c for line in lines for c in line if not c.isspace() and not charset.supports(c)}
    if unknown or not text.strip():
        raise ValueError(
            f"The charset lacks {''.join(sorted(unknown))}." if unknown else "There is no text to write."
        )
    generator = Generator.load(model, glyph_font, [_read_samples(like)])
    rows = [list(line) for line in lines]
    ids = np.array([charset.encode(c)[0] for row in rows for c in row if not c.isspace()], np.int32)
    drawn = iter(generator.write(ids, seed))
    size = generator.printed.shape[1]
    page = np.full((len(rows) * size, max(map(len, rows)) * size), 255, np.uint8)
    for top, row in enumerate(rows):
        for left, character in enumerate(row):
            if not character.isspace():
                page[top * size : (top + 1) * size, left * size : (left + 1) * size] = next(drawn)
    out.parent.mkdir(parents=True, exist_ok=True)
    callbacks.save_pictures(out.parent, {out.stem: page})


def _read_samples(like: Path) -> Glyphs:
    """The samples of a hand; what they show does not matter."""
    if like.suffix == ".npz":
        return sources.read_hand(like)
    files = sorted(path for path in like.rglob("*") if path.suffix.lower() in _PICTURES)
    pictures, reasons = [], []
    for file in files:
        try:
            pictures.append(sources.read_picture(file))
        except (OSError, ValueError) as error:
            reasons.append(f"{file.name}: {error}")
    if not pictures:
        raise ValueError(
            f"{like}: must hold pictures of single characters. "
            f"{len(files)} pictures, none readable. {reasons[0] if reasons else ''}".rstrip()
        )
    images = sources.place_pictures(pictures, ["字"] * len(pictures))
    return Glyphs(like.name, images, np.zeros(len(images), np.int32), real=True)
