"""Handwriting and fonts that the tests make for themselves."""

from pathlib import Path

import numpy as np
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from PIL import Image

CHARACTERS = "一二三十人口日月，。"


def stroke_image(character: str, rng: np.random.Generator) -> np.ndarray:
    """A crude picture of a character, the same shape for the same character: uint8 (96, 96)."""
    shape = np.random.default_rng(ord(character))
    image = np.full((96, 96), 255, np.uint8)
    side = 12 if character in "，。" else 80
    left = (96 - side) // 2
    for _ in range(3):
        row, column = shape.integers(0, side - 3, 2) + rng.integers(0, 2)
        if shape.random() < 0.5:
            image[left + row : left + row + 3, left : left + side] = 0
        else:
            image[left : left + side, left + column : left + column + 3] = 0
    return image


def write_hand(path: Path, seed: int, repeats: int = 2) -> None:
    """Writes a file of one writer in the form that `training.sources.read_hand` reads."""
    rng = np.random.default_rng(seed)
    labels = [character for character in CHARACTERS for _ in range(repeats)]
    images = np.stack([stroke_image(label, rng) for label in labels])
    boxes = np.array([(60, 320, 100, 360) if label in "，。" else (50, 50, 350, 350) for label in labels])
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, images=images, labels=np.array(labels), bbox=boxes, canvas=np.array([400, 400]))


def write_data(folder: Path, repeats: int = 2) -> Path:
    """A data folder with two writers to train on and one to validate on."""
    write_hand(folder / "hands" / "train" / "a.npz", 1, repeats)
    write_hand(folder / "hands" / "train" / "b.npz", 2, repeats)
    write_hand(folder / "hands" / "dev" / "c.npz", 3, repeats)
    return folder


def write_folder(folder: Path, characters: str = "一二三", pictures: int = 6) -> Path:
    """A user's folder of pictures, CHARACTER/*.png."""
    rng = np.random.default_rng(0)
    for character in characters:
        (folder / character).mkdir(parents=True)
        for number in range(pictures):
            image = Image.fromarray(stroke_image(character, rng))
            image.save(folder / character / f"{number}.png")
    return folder


def write_font(path: Path, characters: str = "一十。①") -> Path:
    """A TrueType font in which each of `characters` is a box of its own width."""
    names = [f"glyph{index}" for index in range(len(characters))]
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder([".notdef", *names])
    builder.setupCharacterMap(
        {ord(character): name for character, name in zip(characters, names, strict=True)}
    )
    glyphs = {".notdef": TTGlyphPen(None).glyph()}
    for index, name in enumerate(names):
        pen = TTGlyphPen(None)
        right = 300 + 150 * index
        pen.moveTo((100, 0))
        pen.lineTo((100, 600))
        pen.lineTo((right, 600))
        pen.lineTo((right, 0))
        pen.closePath()
        glyphs[name] = pen.glyph()
    builder.setupGlyf(glyphs)
    builder.setupHorizontalMetrics(dict.fromkeys([".notdef", *names], (1000, 100)))
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": "Boxes", "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost()
    builder.save(path)
    return path
