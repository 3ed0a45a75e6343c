"""The task of reading lines."""

import functools
from typing import Any, Literal

import keras
import numpy as np
import tensorflow as tf
from rapidfuzz.distance import Levenshtein

import zoo
from training import lines, optimizer, pictures, sources
from training.recipe import LineRecipe
from training.sources import Glyphs
from zoo import charset, ctc


class LineTask:
    """Reads lines that hands and fonts write, composed as the run goes.

    The validation lines are other lines of the same hands and fonts, and lines of those that the
    recipe holds out.

    Args:
        recipe: What to train on what.

    Raises:
        ValueError: There are no hands and fonts, the alphabet repeats a character, a source lacks the
            whole alphabet, or lines are longer than the network has steps.
    """

    goal: Literal["max", "min"] = "min"

    def __init__(self, recipe: LineRecipe) -> None:
        self.recipe = recipe
        self.skipped: list[str] = []
        ids = charset.encode(recipe.alphabet) if recipe.alphabet else range(1, len(charset.CHARACTERS))
        self.alphabet = tuple(ids)
        hands = recipe.data / "hands" / "train"
        self.train = sources.read_hands(hands) if recipe.hands else []
        self.train += [sources.read_font(font) for font in recipe.fonts]
        self.unseen = [sources.read_font(font) for font in recipe.unseen_fonts]
        if recipe.hands:
            self.unseen += sources.read_hands(recipe.data / "hands" / "dev")
        self.model = (
            zoo.load(recipe.start)
            if recipe.start
            else zoo.create(recipe.model, classes=len(self.alphabet) + 1, **recipe.sizes)
        )
        classes = self.model.output["logits"].shape[-1]
        if classes != len(self.alphabet) + 1:
            raise ValueError(
                "`alphabet` must be that of the model that the run starts from. "
                f"Received: {len(self.alphabet)} characters for {classes} classes."
            )
        self._sampler = self._sample(self.train, recipe.batch_size, recipe.seed, recipe.growth)
        self._texts: list[tuple[str, str]] = []

    def _sample(self, writers: list[Glyphs], count: int, seed: int, growth: int = 0) -> lines.LineSampler:
        recipe = self.recipe
        return lines.LineSampler.of(
            writers,
            self.alphabet,
            count,
            seed,
            height=self.model.input_shape[1],
            shortest=recipe.shortest,
            longest=recipe.longest,
            growth=growth,
        )

    @functools.cached_property
    def validation(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Pictures and labels that no step of the run draws, by the name of their figure."""
        seed = self.recipe.seed + 1_000_003
        drawn = {"error_rate": self._sample(self.train, self.recipe.validation_lines, seed)}
        for number, writer in enumerate(self.unseen, 1):
            sampler = self._sample([writer], self.recipe.validation_lines, seed + number)
            drawn[f"error_rate_{writer.writer}"] = sampler
        return {name: sampler.batch(0) for name, sampler in drawn.items()}

    def compile(self, model: keras.Model) -> None:
        model.compile(
            optimizer=optimizer.adamw(self.recipe),
            loss={"logits": keras.losses.CTC()},
            jit_compile=False,  # oneDNN is faster on a CPU.
        )

    def batches(self, first_step: int, steps: int) -> tf.data.Dataset:
        return lines.train_batches(self._sampler, first_step, steps)

    def evaluate(self, model: keras.Model) -> dict[str, float]:
        figures = {}
        self._texts = []
        for name, (images, labels) in self.validation.items():
            readings = [ctc.greedy(logits) for logits in logits_of(model, images)]
            texts = [
                (self._text(text), self._text(reading.ids))
                for text, reading in zip(labels, readings, strict=True)
            ]
            figures[name] = character_error_rate(texts)
            self._texts = self._texts or texts
        return figures

    def _text(self, labels: Any) -> str:
        return charset.decode(self.alphabet[label - 1] for label in labels if label)

    def samples(self) -> dict[str, np.ndarray]:
        images, _ = self._sampler.batch(self.recipe.epochs * self.recipe.steps)
        return {"training": pictures.contact_sheet(images[:32, ..., 0], columns=2)}

    def pictures(self, model: keras.Model) -> dict[str, np.ndarray]:
        shown = {}
        wrong = [index for index, (written, read) in enumerate(self._texts) if written != read]
        if wrong:
            mistakes = self.validation["error_rate"][0][wrong[:32], ..., 0]
            shown["mistakes"] = pictures.contact_sheet(mistakes, columns=2)
        return shown

    def facts(self) -> dict[str, Any]:
        return {
            "alphabet": charset.decode(self.alphabet),
            "data": {
                "hands": [source.writer for source in self.train if source.real],
                "fonts": [source.writer for source in self.train if not source.real],
                "unseen": [source.writer for source in self.unseen],
            },
            "mistakes": [
                {"written": written, "read": read} for written, read in self._texts if written != read
            ][:20],
        }


def logits_of(model: keras.Model, images: np.ndarray, batch: int = 64) -> np.ndarray:
    """The votes of all columns of lines: uint8 (n, height, width, 1) to float32 (n, steps, classes)."""
    parts = [images[start : start + batch] for start in range(0, len(images), batch)]
    return np.concatenate([np.asarray(model.predict_on_batch(part)["logits"]) for part in parts])


def character_error_rate(texts: list[tuple[str, str]]) -> float:
    """Edits that turn what was read into what was written, per character written.

    Args:
        texts: For each line what was written and what was read.

    Raises:
        ValueError: Nothing was written.
    """
    written = sum(len(text) for text, _ in texts)
    if not written:
        raise ValueError("`texts` must hold a character that was written. Received: none.")
    return sum(Levenshtein.distance(text, read) for text, read in texts) / written
