"""A trained generator that writes the characters it is asked for."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

import zoo
from training import drawing, metrics, pictures, sources
from zoo import charset, dcgan

_COLUMNS, _ROWS = 16, 8  # Of a sheet.
_ROUNDS = 5  # How often characters that are not read as what they should be are drawn anew.


@dataclasses.dataclass(frozen=True)
class Generator:
    """Writes characters in the hands that it knows, or in the hand of some samples.

    Attributes:
        model: A generator of the zoo that takes a printed glyph.
        described: What stands beside its weights.
        printed: uint8 (classes, size, size), the printed characters; white where the font lacks one.
        hands: The writers whose samples it takes, each uint8 (n, size, size); empty where it needs none.
        writers: The numbers of the writers in whose hands it writes; empty where it knows none.
    """

    model: keras.Model
    described: dict[str, Any]
    printed: np.ndarray
    hands: tuple[np.ndarray, ...] = ()
    writers: tuple[int, ...] = ()

    @classmethod
    def load(cls, name: str | Path, glyph_font: Path, hands: Sequence[sources.Glyphs] = ()) -> "Generator":
        """Loads a trained generator.

        Args:
            name: Preset, or folder of a finished run.
            glyph_font: Font of the printed characters.
            hands: Writers that it shall write like, for a generator that takes samples; else they are not used.

        Raises:
            ValueError: There is no such trained model, it takes no printed characters, or it needs `hands`.
        """
        described = zoo.describe(name)
        if "recipe" not in described:
            raise ValueError(f"{name}: must be a bundled generator or the folder of a finished run.")
        model = zoo.load(name)
        if not isinstance(model.input, dict) or "glyph" not in model.input:
            raise ValueError(
                f"{name}: must start from printed characters, as cgan, pix2pix, cyclegan and fewshot do."
            )
        if "samples" in model.input and not hands:
            raise ValueError(f"{name}: writes like the samples of a hand; there are none.")
        size = model.input["glyph"].shape[1]
        return cls(
            model,
            described,
            drawing.print_table(sources.read_font(glyph_font), size),
            tuple(drawing.shrunk(hand.images, size) for hand in hands) if "samples" in model.input else (),
            tuple(range(len(described["writers"]))) if "writer" in model.input else (),
        )

    def knows(self, label: int) -> bool:
        """Whether the font of the printed characters holds a class."""
        return bool((self.printed[label] < 128).any())

    def write(self, labels: np.ndarray, seed: int = 0) -> np.ndarray:
        """Writes characters, each in a hand drawn at random.

        Args:
            labels: int (n,), ids of `zoo.charset`.
            seed: Of noise and hands.

        Returns:
            uint8 (n, size, size), dark ink on white.

        Raises:
            ValueError: The font lacks a character.
        """
        lacking = [label for label in np.unique(labels).tolist() if not self.knows(label)]
        if lacking:
            raise ValueError(f"The font of the printed characters lacks {charset.decode(lacking)}.")
        rng = np.random.default_rng(seed)
        conditions = {"glyph": self.printed[labels][..., None]}
        if "writer" in self.model.input:
            conditions["writer"] = rng.choice(np.array(self.writers, np.int32), len(labels))
        if "samples" in self.model.input:
            count = self.described["recipe"]["samples"]
            chosen = [self.hands[index] for index in rng.integers(0, len(self.hands), len(labels))]
            conditions["samples"] = drawing.strips(
                np.stack([hand[rng.choice(len(hand), count, replace=len(hand) < count)] for hand in chosen])
            )
        return drawing.draw(self.model, conditions, len(labels), seed)

    def write_legibly(
        self, labels: np.ndarray, recogniser: keras.Model, seed: int = 0
    ) -> tuple[np.ndarray, np.ndarray]:
        """Writes characters, and keeps those that a recogniser reads as what they should be.

        Args:
            labels: As in `write`.
            recogniser: A classifier over the charset.
            seed: As in `write`.

        Returns:
            uint8 (n, size, size), and whether each is legible, bool (n,); the others are white.
        """
        size = self.printed.shape[1]
        written = np.full((len(labels), size, size), 255, np.uint8)
        legible = np.zeros(len(labels), bool)
        for turn in range(_ROUNDS):
            missing = np.flatnonzero(~legible)
            if not len(missing):
                break
            drawn = self.write(labels[missing], seed + 7919 * turn)
            agreed = metrics.read(recogniser, drawn) == labels[missing]
            written[missing[agreed]] = drawn[agreed]
            legible[missing[agreed]] = True
        return written, legible


def sheet(name: str | Path, data: Path | None, glyph_font: Path, seed: int = 0) -> np.ndarray:
    """A contact sheet of what a generator draws: uint8 (H, W).

    Args:
        name: Preset, or folder of a finished run.
        data: Folder with `hands/dev`, whose hands a generator that takes samples writes like.
        glyph_font: Font of the printed characters.
        seed: Of the noise and of what is drawn.

    Raises:
        ValueError: As `Generator.load`.
    """
    count = _COLUMNS * _ROWS
    model = zoo.load(name)
    if not isinstance(model.input, dict):
        raise ValueError(f"{name}: is no generator.")
    if "glyph" not in model.input:
        conditions = {"label": np.arange(count, dtype=np.int32) * dcgan.classes_of(model) // count}
        return pictures.contact_sheet(drawing.draw(model, conditions, count, seed), _COLUMNS)
    hands = [] if data is None else sources.read_hands(data / "hands" / "dev")
    generator = Generator.load(name, glyph_font, hands)
    described = generator.described
    asked = described.get("held_out") or described.get("characters") or "".join(charset.CHARACTERS)
    known = [label for label in charset.encode(asked) if generator.knows(label)]
    labels = np.random.default_rng(seed).choice(known, count)
    return pictures.contact_sheet(generator.write(labels, seed), _COLUMNS)
