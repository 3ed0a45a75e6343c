"""The task of reading lines."""

import functools
from collections.abc import Callable
from typing import Any, Literal

import keras
import numpy as np
import tensorflow as tf
from keras import ops
from rapidfuzz.distance import Levenshtein

import zoo
from training import glyphs, lines, optimizer, pictures, signs, sources, strips, texts
from training.recipe import LineRecipe
from training.sources import Glyphs
from training.task import learned_before
from zoo import charset, ctc, linenet
from zoo.strips import HEIGHT

_BATCH = 32  # Lines of one prediction.
_NEVER = -1e4  # Logarithm of the probability of a class that stands for none.


class LineTask:
    """Reads lines that hands and fonts write, composed as the run goes.

    Lines of an alphabet are validated by other lines of the same hands and fonts, and by lines of those that the
    recipe holds out; strips by those of the latter alone, horizontal and vertical ones apart.

    Args:
        recipe: What to train on what.

    Raises:
        ValueError: There are no hands and fonts, the alphabet repeats a character, a source lacks the
            whole alphabet, lines are longer than the network has steps, strips do not fit the network, or the
            recogniser is not the network of one character.
    """

    goal: Literal["max", "min"] = "min"

    def __init__(self, recipe: LineRecipe) -> None:
        self.recipe = recipe
        self.skipped: list[str] = []
        ids = charset.encode(recipe.alphabet) if recipe.alphabet else range(1, len(charset.CHARACTERS))
        self.alphabet = tuple(ids)
        hands = recipe.data / "hands"
        self.train = sources.read_hands(hands / "train", recipe.chinese_only) if recipe.hands else []
        self.train += [sources.read_font(font) for font in recipe.fonts]
        drawn = signs.read_all(recipe.strokes)
        self.train += glyphs.made_up_writers(drawn, recipe.stroke_writers, recipe.seed)
        self.unseen = [sources.read_font(font) for font in recipe.unseen_fonts]
        if recipe.hands:
            self.unseen += sources.read_hands(hands / "dev")
        sources.check_apart(self.train, self.unseen)
        self.model = self._build()
        classes = self.model.output["logits"].shape[-1]
        if classes != len(self.alphabet) + 1:
            raise ValueError(
                "`alphabet` must be that of the model that the run starts from. "
                f"Received: {len(self.alphabet)} characters for {classes} classes."
            )
        sentences, self._left_out = self._read_texts() if recipe.widths else ((), 0)
        self._sentences, self._held_out = texts.split(sentences)
        self._sampler = self._sample(self.train, recipe.batch_size, recipe.seed, recipe.growth)
        self._texts: list[tuple[str, str]] = []

    def _build(self) -> keras.Model:
        recipe = self.recipe
        if recipe.start:
            model = zoo.load(recipe.start)
        else:
            model = zoo.create(recipe.model, classes=len(self.alphabet) + 1, **recipe.sizes)
            if recipe.recogniser is not None:
                linenet.from_recogniser(model, zoo.load(recipe.recogniser))
        if recipe.widths and (recipe.start or recipe.recogniser):
            linenet.keep_normalisation(model)
        return model

    def _read_texts(self) -> tuple[tuple[str, ...], int]:
        """The sentences of strips, and how many were left out."""
        height = self.model.input_shape[1]
        if height != HEIGHT:
            raise ValueError(f"`model` must read strips of {HEIGHT} pixels. Received: height={height}.")
        files = self.recipe.texts or texts.of_folder(self.recipe.data)
        read = texts.read_texts(files) or texts.invented(self.train, self.recipe.seed)
        kept = texts.apart(read, texts.passages_of(self.recipe.without))
        if not kept:
            raise ValueError(f"`without`: all {len(read)} sentences share a passage with these files.")
        return tuple(kept), len(read) - len(kept)

    def _sample(self, writers: list[Glyphs], count: int, seed: int, growth: int = 0) -> Any:
        """What draws batches of `count` lines."""
        recipe = self.recipe
        if recipe.widths:
            return strips.StripSampler.of(self._sentences, writers, recipe.widths, count, seed)
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
        recipe, seed = self.recipe, self.recipe.seed + 1_000_003
        count = recipe.validation_lines
        if recipe.widths:
            widths, writers = (max(recipe.widths),), self.unseen or self.train
            sentences = self._held_out or self._sentences
            drawn: dict[str, Any] = {
                f"error_rate_{name}": strips.StripSampler.of(
                    sentences, writers, widths, count, seed, vertical=share
                )
                for name, share in (("horizontal", 0.0), ("vertical", 1.0))
            }
        else:
            drawn = {"error_rate": self._sample(self.train, count, seed)}
            for number, writer in enumerate(self.unseen, 1):
                drawn[f"error_rate_{writer.writer}"] = self._sample([writer], count, seed + number)
        return {name: sampler.batch(0) for name, sampler in drawn.items()}

    def compile(self, model: keras.Model) -> None:
        model.compile(
            optimizer=optimizer.adamw(self.recipe),
            loss={"logits": ctc_loss},
            jit_compile=False,  # oneDNN is faster on a CPU.
        )

    def batches(self, first_step: int, steps: int) -> tf.data.Dataset:
        return lines.train_batches(self._sampler, first_step, steps)

    def evaluate(self, model: keras.Model) -> dict[str, float]:
        return self.measure(lambda images: np.asarray(model.predict_on_batch(images)["logits"]))

    def measure(self, predict: Callable[[np.ndarray], np.ndarray]) -> dict[str, float]:
        """The figures of whatever reads the validation lines.

        Args:
            predict: From pictures, uint8 (n, height, width, 1), to logits, float32 (n, steps, classes).
        """
        read = {
            name: [
                (self._text(text), self._text(reading.ids))
                for text, reading in zip(labels, readings_of(predict, images), strict=True)
            ]
            for name, (images, labels) in self.validation.items()
        }
        self._texts = next(iter(read.values()))
        figures = {name: character_error_rate(one) for name, one in read.items()}
        if self.recipe.widths:
            every = [text for one in read.values() for text in one]
            figures = {"error_rate": character_error_rate(every)} | figures
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
            mistakes = next(iter(self.validation.values()))[0][wrong[:32], ..., 0]
            shown["mistakes"] = pictures.contact_sheet(mistakes, columns=2)
        return shown

    def _started_without(self) -> bool:
        """Whether the model that the run starts from never read the sentences that are held out."""
        start = self.recipe.start
        return start is None or bool(zoo.describe(start).get("data", {}).get("held_out_all_along"))

    def facts(self) -> dict[str, Any]:
        return {
            "alphabet": self.recipe.alphabet,
            "data": {
                "hands": [source.writer for source in self.train if source.real],
                **learned_before((self.recipe.start, self.recipe.recogniser)),
                "fonts": [source.writer for source in self.train if not source.real],
                "unseen": [source.writer for source in self.unseen],
                "sentences": len(self._sentences),
                "sentences_left_out": self._left_out,
                "sentences_held_out": len(self._held_out),
                "held_out_all_along": bool(self._held_out) and self._started_without(),
            },
            "mistakes": [
                {"written": written, "read": read} for written, read in self._texts if written != read
            ][:20],
        }


def readings_of(predict: Callable[[np.ndarray], np.ndarray], images: np.ndarray) -> list[ctc.Reading]:
    """What a line reader reads by the best path; arguments as of `LineTask.measure`."""
    readings: list[ctc.Reading] = []
    for start in range(0, len(images), _BATCH):
        readings += ctc.read_batch(predict(images[start : start + _BATCH]))
    return readings


def ctc_loss(labels: Any, logits: Any) -> Any:
    """The loss of `keras.losses.CTC`, for each line.

    The classes that a line does not hold count as one, whose probability is what the others leave: among
    thousands of classes this takes a ninth of the time.

    Args:
        labels: int (lines, longest), padded with the blank, 0, on the right.
        logits: float (lines, steps, classes).

    Returns:
        float (lines,).
    """
    labels = ops.cast(labels, "int32")
    same = ops.cast(labels[:, :, None] == labels[:, None, :], "int32")
    # Each character goes by the first place at which the line has it; the blank stays 0.
    names = ops.where(labels > 0, ops.cast(ops.argmax(same, axis=2), "int32") + 1, 0)
    places = ops.arange(1, ops.shape(labels)[1] + 1, dtype="int32")
    held = ops.pad(names == places, ((0, 0), (1, 0)), constant_values=True)
    ids = ops.pad(labels, ((0, 0), (1, 0)))
    votes = ops.take_along_axis(ops.log_softmax(logits), ids[:, None, :], axis=2)
    votes = ops.where(held[:, None, :], votes, _NEVER)
    others = ops.log(ops.maximum(1 - ops.sum(ops.exp(votes), axis=-1, keepdims=True), 1e-7))
    lengths = ops.sum(ops.cast(labels > 0, "int32"), axis=1)
    steps = ops.full_like(lengths, ops.shape(logits)[1])
    return ops.ctc_loss(names, ops.concatenate([votes, others], axis=-1), lengths, steps, mask_index=0)


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
