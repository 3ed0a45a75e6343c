"""Where characters come from: files of real handwriting and fonts.

A source is read whole into `Glyphs`: every character on an em square of its own, dark on light,
in its natural size and place, so that a full stop stays small and low.
"""

import dataclasses
import functools
import json
import zipfile
import zlib
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
from fontTools import ttLib
from PIL import Image, ImageDraw, ImageFont, ImageOps

from zoo import charset

EM = 96
"""Side of the em square of a glyph in pixels."""

GENERATED = "generated_"
"""How the names of pictures begin that a generator made; they train, and never validate."""

MADE_BY = "made_by.json"
"""The file that tells how the hands of a folder were made up."""

FILL = 0.8
"""Share of the em square that a writer's ordinary character takes up."""


@dataclasses.dataclass(frozen=True)
class Glyphs:
    """Characters of one writer or font.

    Attributes:
        writer: Who wrote them: the name of the file or folder, or that of a made-up writer.
        images: uint8 (n, 96, 96), dark ink on white.
        labels: int32 (n,), ids of `zoo.charset`, or of the characters that a training adds.
        real: Whether a hand wrote them, as opposed to a font or made-up writer.
    """

    writer: str
    images: np.ndarray
    labels: np.ndarray
    real: bool


def class_of(label: str) -> int | None:
    """The id of a label that is written as the character of its class, else None.

    NFKC also folds ① into 1, ² into 2 and the upright lines ︳ and ︴ into _; those look different and must not be trained
    as one.
    """
    if len(label) != 1 or not charset.supports(label):
        return None
    plain = charset.normalise(label)
    same_shape = label == plain or "\u2e80" <= label <= "\u2fdf" or label >= "\u3400"
    folded = (
        "\ufe33" <= label <= "\ufe34"
        or "\u3200" <= label <= "\u33ff"
        or "\ufe4d" <= label <= "\ufe6f"
        or label >= "\uff5f"
    )
    return charset.encode(label)[0] if same_shape and not folded else None


def read_hand(path: Path, chinese_only: bool = False) -> Glyphs:
    """Reads a file of one writer's characters.

    Args:
        path: A `.npz` file, named for its writer (`NAME.npz`; `NAME_scan.npz` is the same writer again), with
            `images`, uint8 (n, 96, 96), cropped to the ink and centred, and `labels`, str (n,). With `bbox`, (n, 4), x0 y0 x1 y1 of the ink on the sheet that it was cut
            from, and `canvas`, (rows, columns) of that sheet, characters get their size and place back;
            without both they stay as they are, so that a full stop stands in the middle.
        chinese_only: Leaves out what is not labelled as a Chinese character, as signs and radicals.

    Raises:
        ValueError: The file is damaged, lacks an array, or holds no character of the charset.
    """
    arrays = read_arrays(path)
    missing = {"images", "labels"} - set(arrays)
    missing |= ({"bbox", "canvas"} - set(arrays)) if {"bbox", "canvas"} & set(arrays) else set()
    if missing:
        raise ValueError(
            f"{path}: must hold images and labels, and both bbox and canvas or neither. Missing: {sorted(missing)}."
        )
    images, names = arrays["images"], arrays["labels"].astype(str)
    if names.ndim != 1:
        raise ValueError(f"{path}: labels must be (n,). Received: {names.shape}.")
    if images.dtype != np.uint8 or images.shape != (len(names), EM, EM):
        raise ValueError(
            f"{path}: images must be uint8 ({len(names)}, {EM}, {EM}), one for each label. "
            f"Received: {images.dtype} {images.shape}."
        )
    if "bbox" in arrays:
        _check_places(path, arrays["bbox"], arrays["canvas"], len(names))
    classes = [class_of(name) for name in names]
    if chinese_only:
        classes = [label if _is_chinese(name) else None for label, name in zip(classes, names, strict=True)]
    chosen = [index for index, label in enumerate(classes) if label is not None]
    if not chosen:
        raise ValueError(f"{path}: holds no character of the charset.")
    if "bbox" in arrays:
        placed = _placed(images, arrays["bbox"], arrays["canvas"], names, chosen)
    else:
        placed = images[chosen]
    labels = np.array([classes[index] for index in chosen], np.int32)
    return Glyphs(path.stem, placed, labels, real=True)


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a `.npz` file by name, of any shape and of the dtypes in which they were written.

    Raises:
        ValueError: The file is damaged or of another kind, or an array holds objects.
        OSError: It cannot be read.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as data:
            return {name: data[name] for name in data.files}
    except (ValueError, TypeError, AttributeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(
            f"{path}: is no whole .npz file of numbers and text. Copy it again, or write it anew with numpy.savez."
        ) from error


def _check_places(path: Path, boxes: np.ndarray, canvas: np.ndarray, count: int) -> None:
    """Raises a ValueError where boxes of ink are none, or the size of the sheet is none."""
    if (
        boxes.shape != (count, 4)
        or canvas.shape != (2,)
        or {boxes.dtype.kind, canvas.dtype.kind} - set("iuf")
    ):
        raise ValueError(
            f"{path}: bbox must be numbers ({count}, 4), and canvas numbers (2,). "
            f"Received: {boxes.dtype} {boxes.shape} and {canvas.dtype} {canvas.shape}."
        )
    sides = np.asarray(boxes[:, 2:], np.float64) - boxes[:, :2]
    if not (
        np.isfinite(sides).all() and (sides > 0).all() and np.isfinite(canvas).all() and (canvas > 0).all()
    ):
        raise ValueError(
            f"{path}: each bbox must be left, top, right and bottom of ink, and canvas the sides of a sheet. "
            f"Received: sides from {sides.min():g} on, and canvas {canvas.tolist()}."
        )


def _placed(
    images: np.ndarray, boxes: np.ndarray, canvas: np.ndarray, names: np.ndarray, chosen: list[int]
) -> np.ndarray:
    """The chosen characters in the size and place in which they stand on the sheet."""
    sides = np.maximum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1])
    scale = scale_of(sides, names.tolist())
    middle = np.array([canvas[1], canvas[0]], np.float32) / 2
    return np.stack([place_ink(images[index], boxes[index], middle, scale) for index in chosen])


def scale_of(sides: np.ndarray, names: Sequence[str]) -> float:
    """What makes a writer's ordinary character take up its share of the em square.

    Args:
        sides: float (n,), the longer side of each character's ink.
        names: The characters; punctuation counts only where there is nothing else.
    """
    chinese = np.array([_is_chinese(name) for name in names])
    return FILL * EM / float(np.median(sides[chinese] if chinese.any() else sides))


def _is_chinese(name: str) -> bool:
    """Whether a label is an ordinary Chinese character, no radical and no sign such as 〇."""
    return "\u4e00" <= name <= "\u9fff"


def person(writer: str) -> str:
    """Who wrote a source: `NAME` and `NAME_scan` are the same hand."""
    return writer.removesuffix("_scan")


def check_apart(train: Sequence[Glyphs], validation: Sequence[Glyphs]) -> None:
    """Makes sure that nobody, and no font, is on both sides.

    Raises:
        ValueError: Somebody is.
    """
    sides = [{person(source.writer) for source in side} for side in (train, validation)]
    if both := sides[0] & sides[1]:
        raise ValueError(f"A writer must either train or validate. In both: {', '.join(sorted(both))}.")


def read_hands(folder: Path, chinese_only: Collection[str] = ()) -> list[Glyphs]:
    """All hands of a folder, `*.npz`.

    Args:
        folder: Where the files are.
        chinese_only: Writers of whom only Chinese characters are read.

    Raises:
        ValueError: The folder holds none.
    """
    files = sorted(folder.glob("*.npz"))
    if not files:
        raise ValueError(f"`data` must hold {folder.parent.name}/{folder.name}/*.npz. Received: {folder}.")
    return [read_hand(file, file.stem in chinese_only) for file in files]


def generator_of(folder: Path) -> str:
    """The generator that made up the hands of a folder; the folder's own name where it does not tell."""
    file = folder / MADE_BY
    return (
        Path(json.loads(file.read_text(encoding="utf-8"))["generator"]).name if file.exists() else folder.name
    )


def frequent_characters(data: Path, count: int) -> str:
    """The `count` characters that the most hands of `data` hold, training and validation hands alike."""
    hands = read_hands(data / "hands" / "train") + read_hands(data / "hands" / "dev")
    held = np.bincount(np.concatenate([np.unique(hand.labels) for hand in hands]))
    return charset.decode(np.argsort(-held, kind="stable")[: min(count, np.count_nonzero(held))].tolist())


def labels_of_folder(folder: Path) -> list[str]:
    """The characters that have a folder of pictures in `folder`, sorted.

    Raises:
        ValueError: There is none, or a folder's name is not one character.
    """
    if not folder.is_dir():
        raise ValueError(f"`data` must be a folder. Received: {folder}.")
    labels = sorted(path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    if not labels:
        raise ValueError(
            f"{folder}: must hold hands/train/*.npz, or a folder of pictures for each character (CHARACTER/*.png)."
        )
    longer = [label for label in labels if len(label) != 1]
    if longer:
        raise ValueError(f"{folder}: a folder of pictures is named by one character. Received: {longer[:5]}.")
    return labels


def read_folder(folder: Path, characters: Sequence[str], generated: bool = False) -> tuple[Glyphs, list[str]]:
    """Reads a folder of pictures for each character, `CHARACTER/*`, of one or several writers.

    Each picture shows one cell, or is cut to the ink; all are scaled alike, so that ordinary
    characters take up their share of the em square.

    Args:
        folder: As `labels_of_folder` checks it.
        characters: The character of each class.
        generated: Whether to read what `hanzoo balance` added, instead of everything else.

    Returns:
        The characters, and a line for each picture that cannot be read, with the reason. Of generated ones
        there may be none.

    Raises:
        ValueError: No picture can be read, or a folder is named by none of the characters.
    """
    classes = {character: index for index, character in enumerate(characters) if index}
    pictures, labels, names, skipped = [], [], [], []
    for label in labels_of_folder(folder):
        index = classes[label] if label in classes else class_of(label)
        if index is None:
            raise ValueError(f"{folder / label}: `characters` must hold {label!r}.")
        for file in sorted((folder / label).iterdir()):
            if file.name.startswith(GENERATED) != generated:
                continue
            try:
                pictures.append(read_picture(file))
            except (OSError, ValueError) as error:
                skipped.append(f"{file}: {error}")
            else:
                labels.append(index)
                names.append(label)
    if not pictures and not generated:
        first = f" {skipped[0]}" if skipped else ""
        raise ValueError(f"{folder}: none of its {len(skipped)} pictures can be read.{first}")
    images = place_pictures(pictures, names) if pictures else np.zeros((0, EM, EM), np.uint8)
    return Glyphs(folder.name, images, np.array(labels, np.int32), real=not generated), skipped


def place_pictures(pictures: Sequence[np.ndarray], names: Sequence[str]) -> np.ndarray:
    """Pictures of single characters on em squares, scaled alike.

    Args:
        pictures: uint8 (H, W) each, dark ink on light paper.
        names: The character of each; punctuation counts for the scale only where there is nothing else.

    Returns:
        uint8 (n, 96, 96).
    """
    boxes = [ink_box(picture) for picture in pictures]
    shares = [
        max(x1 - x0, y1 - y0) / max(p.shape) for p, (x0, y0, x1, y1) in zip(pictures, boxes, strict=True)
    ]
    scale = scale_of(np.array(shares), names)
    placed = []
    for picture, box in zip(pictures, boxes, strict=True):
        height, width = picture.shape
        ink = picture[box[1] : box[3], box[0] : box[2]]
        middle = np.array([width, height], np.float32) / 2
        placed.append(place_ink(ink, np.array(box, np.float32), middle, scale / max(picture.shape)))
    return np.stack(placed)


def only(glyphs: Glyphs, classes: Sequence[int]) -> Glyphs:
    """The characters of some classes.

    Raises:
        ValueError: There are none.
    """
    kept = np.isin(glyphs.labels, classes)
    if not kept.any():
        raise ValueError(f"{glyphs.writer}: holds none of the characters that the recipe names.")
    return dataclasses.replace(glyphs, images=glyphs.images[kept], labels=glyphs.labels[kept])


def split(glyphs: Glyphs, every: int = 10, at_least: int = 5) -> tuple[list[Glyphs], list[Glyphs]]:
    """Splits characters whose writers are not known into a part to train on and one to validate on.

    Args:
        glyphs: The characters.
        every: One of so many samples of a character validates.
        at_least: Characters with fewer samples only train.
    """
    order = np.argsort(glyphs.labels, kind="stable")
    counts = np.bincount(glyphs.labels)
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order)) - starts[glyphs.labels[order]]
    held = (rank % every == 0) & (counts[glyphs.labels] >= at_least)
    return (
        [dataclasses.replace(glyphs, images=glyphs.images[~held], labels=glyphs.labels[~held])],
        [dataclasses.replace(glyphs, images=glyphs.images[held], labels=glyphs.labels[held])],
    )


def hold_out(
    hands: Sequence[Glyphs], fonts: Sequence[Glyphs], made_up: Sequence[Glyphs]
) -> tuple[list[Glyphs], list[Glyphs], list[Glyphs], list[Glyphs]]:
    """Sets apart what validates, where nobody did.

    It is a share of the samples of hands, see `split`, if they wrote characters often enough; else one source that never
    trains: the last of several hands, else the last font, else the last made-up writer. Where there is only one font or
    made-up writer, it does both.

    Args:
        hands: Characters of public sets.
        fonts: Characters of fonts.
        made_up: Characters of made-up writers.

    Returns:
        The hands, fonts and made-up writers that train, and what validates.

    Raises:
        ValueError: There is one hand only, which wrote no character often enough.
    """
    parts = [split(hand) for hand in hands]
    held = [part for _, (part,) in parts if len(part.labels)]
    if held:
        return [part for (part,), _ in parts], [*fonts], [*made_up], held
    everything = [*hands, *fonts, *made_up]
    if len(everything) < 2:
        if hands:
            raise ValueError(
                f"{hands[0].writer}: at least one character needs 5 samples, so that one can validate. "
                "Give more, or fonts or strokes beside them."
            )
        return [], [*fonts], [*made_up], everything
    last = [*hands[:0:-1], *fonts[::-1], *made_up[::-1]][0]
    hands, fonts, made_up = (
        [one for one in kind if person(one.writer) != person(last.writer)] for kind in (hands, fonts, made_up)
    )
    return hands, fonts, made_up, [last]


def read_picture(file: Path) -> np.ndarray:
    """A picture as uint8 (H, W), dark ink on light paper; what is transparent is paper.

    Raises:
        ValueError: It is no picture, is damaged, holds no ink, or is too small or too large.
        OSError: It cannot be read.
    """
    try:
        with Image.open(file) as opened:
            size = opened.size
            rgba = _rgba(opened) if 4 <= min(size) <= max(size) <= 4096 else None
    except OSError:
        raise
    except Exception as error:  # Pillow raises nearly everything on a damaged file.
        raise ValueError(f"it cannot be decoded ({error}).") from error
    if rgba is None:
        raise ValueError(f"its sides must be 4 to 4,096 pixels. Received: {size}.")
    paper = Image.new("RGBA", rgba.size, "white")
    grey = np.asarray(Image.alpha_composite(paper, rgba).convert("L"))
    edge = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    if np.median(edge) < 128:
        grey = 255 - grey
    if grey.min() > 200 or grey.min() == grey.max():
        raise ValueError("it shows no ink.")
    return grey


def _rgba(opened: Image.Image) -> Image.Image:
    upright = ImageOps.exif_transpose(opened)
    if upright.mode.startswith("I"):  # Pillow would make all but the darkest of 16 bits white.
        upright = Image.fromarray((np.asarray(upright) >> 8).astype(np.uint8))
    return upright.convert("RGBA")


def ink_box(picture: np.ndarray) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of the ink."""
    ink = picture < (int(picture.min()) + int(picture.max())) / 2
    rows, columns = np.nonzero(ink)
    return int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1


def place_ink(image: np.ndarray, box: np.ndarray, middle: np.ndarray, scale: float) -> np.ndarray:
    """Puts the ink of a cropped character back to its size and place on the em square.

    Args:
        image: uint8 (h, w), dark ink on white.
        box: float (4,), left, top, right and bottom of the ink on its sheet.
        middle: float (2,), x and y of the middle of that sheet.
        scale: Pixels of the em square for one of the sheet.

    Returns:
        uint8 (96, 96), dark ink on white.
    """
    rows, columns = np.nonzero(image < 250)
    square = np.full((EM, EM), 255, np.uint8)
    if not len(rows):
        return square
    ink = image[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    size = np.clip((box[2:] - box[:2]) * scale, 3, EM - 2)
    width, height = (round(float(value)) for value in size)
    offset = ((box[:2] + box[2:]) / 2 - middle) * scale
    left, top = np.clip(EM / 2 + offset - size / 2, 0, EM - size).round().astype(int)
    resized = Image.fromarray(ink).resize((width, height), Image.Resampling.BOX)
    square[top : top + height, left : left + width] = np.asarray(resized)
    return square


def open_font(path: Path, size: int = EM) -> tuple[ImageFont.FreeTypeFont, frozenset[int]]:
    """Opens a TrueType, OpenType or WOFF2 font: the font at `size` pixels, and its code points.

    Raises:
        ValueError: The file is no such font.
        OSError: It cannot be read.
    """
    try:
        with path.open("rb") as file, ttLib.TTFont(file, fontNumber=0, lazy=True) as font:
            covered = frozenset(font.getBestCmap() or ())
    except ttLib.TTLibError as error:
        raise ValueError(f"{path}: is no TrueType, OpenType or WOFF2 font ({error}).") from error
    return ImageFont.truetype(str(path), size), covered


def draw_character(font: ImageFont.FreeTypeFont, character: str) -> np.ndarray:
    """Draws one character, its em square fitted to the picture, as uint8 (size, size), dark on white."""
    size = int(font.size)
    image = Image.new("L", (size, size), 255)
    ascent, descent = font.getmetrics()
    width = font.getlength(character)
    top = (size - (ascent + descent)) / 2
    ImageDraw.Draw(image).text(((size - width) / 2, top), character, fill=0, font=font)
    return np.asarray(image)


def read_font(path: Path) -> Glyphs:
    """Draws every character of the charset that a font holds.

    Args:
        path: The font's file, or the folder of a font that is cut into slices of code points (`*.woff2`).

    Raises:
        ValueError: A file is no font, or the font holds no character of the charset.
        OSError: It cannot be read.
    """
    files = sorted(path.glob("*.woff2")) if path.is_dir() else [path]
    images, labels = [], []
    seen: set[str] = set()
    for file in files:
        font, covered = open_font(file)
        for form, index in _forms().items():
            if form in seen or ord(form) not in covered:
                continue
            image = draw_character(font, form)
            if (image < 128).sum() >= 4:  # An empty glyph stands for a missing one.
                seen.add(form)
                images.append(image)
                labels.append(index)
    if not images:
        raise ValueError(f"A font must hold characters of the charset. Received: {path}.")
    return Glyphs(files[0].stem, np.stack(images), np.array(labels, np.int32), real=False)


@functools.cache
def _forms() -> dict[str, int]:
    """What a font may draw for each class: the character, its vertical form and its full-width form."""
    vertical = {"「": "﹁", "」": "﹂", "『": "﹃", "』": "﹄", "(": "︵", ")": "︶", "—": "︱"}
    return {
        form: index
        for index, character in enumerate(charset.CHARACTERS)
        for form in (character, vertical.get(character, ""), _wide(character))
        if form
    }


def _wide(character: str) -> str:
    """The full-width form of an ASCII punctuation mark, as it stands in a cell."""
    if len(character) == 1 and "!" <= character <= "~" and not character.isalnum():
        return chr(ord(character) + 0xFEE0)
    return ""
