"""Fills the rare characters of a user's pictures with generated ones, which only train."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np

import zoo
from training import checkpoint, sources
from training.generator import Generator

MANIFEST = "generated.json"


@dataclasses.dataclass(frozen=True)
class Balanced:
    """What was added.

    Attributes:
        added: Pictures by character.
        short: How many are still missing, by character: the generator's writing was not legible or always the
            same, or its font or the charset lacks the character.
    """

    added: dict[str, int]
    short: dict[str, int]

    def summary(self) -> str:
        """The same in words."""
        lines = [f"{sum(self.added.values())} pictures added to {len(self.added)} characters"]
        if self.short:
            named = ", ".join(f"{character} {count}" for character, count in self.short.items())
            lines.append(f"still missing, not legible, always the same or unknown to the generator: {named}")
        return "\n".join(lines)


def balance(
    folder: Path,
    to: int,
    model: str | Path,
    data: Path | None,
    glyph_font: Path,
    recogniser: str,
    seed: int = 0,
) -> Balanced:
    """Adds generated pictures to the characters that have fewer than `to`.

    They are named `generated_NUMBER.png`; `generated.json` says of each where it comes from. Running it again
    adds only what is missing.

    Args:
        folder: Of pictures, CHARACTER/*.
        to: Pictures that each character shall have.
        model: A generator, as `training.generator.Generator.load` takes it.
        data: Folder with `hands/train`, which a generator that takes samples writes like; None for the
            pictures of `folder` themselves.
        glyph_font: Font of the printed characters.
        recogniser: Preset that says what is legible.
        seed: Of what is drawn.

    Raises:
        ValueError: The folder or the generator cannot be used, or `to` is below 1.
        OSError: The disk is full; each picture is whole or not there.
    """
    if to < 1:
        raise ValueError(f"`to` must be at least 1. Received: to={to}.")
    known = zoo.characters(recogniser)
    manifest = _manifest(folder)
    labels = sources.labels_of_folder(folder)
    counts = {label: sum(1 for file in (folder / label).iterdir() if file.is_file()) for label in labels}
    missing = {label: to - count for label, count in counts.items() if count < to}
    if data is not None:
        hands = sources.read_hands(data / "hands" / "train")
    else:
        # The pictures that a training on this folder validates on give nothing away.
        everything = (*known, *(label for label in labels if label not in known))
        hands, _ = sources.split(sources.read_folder(folder, everything)[0])
    generator = Generator.load(model, glyph_font, hands)
    classes = {label: sources.class_of(label) for label in missing}
    asked = [
        label
        for label, count in missing.items()
        if (index := classes[label]) is not None and generator.knows(index)
        for _ in range(count)
    ]
    ids = np.array([classes[label] for label in asked], np.int32)
    seed += len(manifest)  # Or the pictures of an earlier run come again.
    written, legible = generator.write_legibly(ids, zoo.load(recogniser), seed)
    there = {
        file.read_bytes() for label in missing for file in (folder / label).glob(f"{sources.GENERATED}*")
    }
    added: dict[str, int] = {}
    try:
        for label, image in zip(np.array(asked)[legible].tolist(), written[legible], strict=True):
            content = cv2.imencode(".png", image)[1].tobytes()
            if content in there:
                continue
            there.add(content)
            file = _free(folder / label)
            with checkpoint.replacing(file) as target:
                target.write(content)
            manifest[f"{label}/{file.name}"] = {"generator": Path(model).name, "seed": seed}
            added[label] = added.get(label, 0) + 1
    finally:  # Of the pictures that are there, also where one could not be written.
        with checkpoint.replacing(folder / MANIFEST) as target:
            target.write(json.dumps(manifest, ensure_ascii=False, indent=1).encode() + b"\n")
    short = {label: count - added.get(label, 0) for label, count in missing.items()}
    return Balanced(added, {label: count for label, count in short.items() if count})


def _manifest(folder: Path) -> dict[str, Any]:
    file = folder / MANIFEST
    try:
        manifest = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    except ValueError as error:
        raise ValueError(f"{file}: is no JSON ({error}); mend it, or remove it.") from error
    if not isinstance(manifest, dict):
        raise ValueError(f"{file}: must hold an object. Received: {type(manifest).__name__}.")
    return manifest


def _free(folder: Path) -> Path:
    """The first name of a generated picture that is not taken."""
    number = 1
    while (folder / f"{sources.GENERATED}{number:04}.png").exists():
        number += 1
    return folder / f"{sources.GENERATED}{number:04}.png"
