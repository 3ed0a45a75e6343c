"""The task of reading single characters."""

import dataclasses
import functools
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np
import tensorflow as tf

import zoo
from training import (
    distillation,
    glyphs,
    metrics,
    optimizer,
    pictures,
    pipeline,
    signs,
    sources,
    strokes,
    writing,
)
from training.recipe import CharacterRecipe
from training.task import learned_before
from zoo import charset, emphasis, narrowing, widening


class CharacterTask:
    """Classifies the characters of hands and fonts, or of a user's folder of pictures.

    Where there is no folder of data, a part of the sets, or a font or made-up writer, validates, see
    `sources.hold_out`.

    Args:
        recipe: What to train on what.

    Raises:
        ValueError: The data hold no characters, or characters outside the charset although the recipe
            does not add them; there is nothing to train on; or models that it goes on from, or learns from,
            do not fit.
    """

    goal: Literal["max", "min"] = "max"

    def __init__(self, recipe: CharacterRecipe) -> None:
        self.recipe = recipe
        self.characters = zoo.characters(recipe.start) if recipe.start else charset.CHARACTERS
        self.skipped: list[str] = []
        train, self.validation = self._read_data()
        # Models that do not go together are told before fonts are drawn and writers made up.
        self.model = self._build()
        self._teacher = self._load_teacher()
        hands = [*(train if recipe.hands else ()), *self._read_sets()]
        fonts = [sources.read_font(font) for font in recipe.fonts]
        generated = [hand for folder in recipe.generated for hand in sources.read_hands(folder)]
        drawn = signs.read_all(recipe.strokes)
        written = (
            [strokes.only(source, recipe.characters) for source in drawn] if recipe.characters else drawn
        )
        made_up = glyphs.made_up_writers(written, recipe.stroke_writers, recipe.seed)
        if not self.validation:
            hands, fonts, made_up, self.validation = sources.hold_out(hands, fonts, made_up)
        seen = {source.writer for source in (*hands, *fonts, *made_up)}
        self._origin = {
            "hands": [source.writer for source in hands],
            **learned_before(
                (recipe.start, recipe.teacher, recipe.head_from, recipe.narrow_from, recipe.widen_from)
            ),
            "sets": [Path(name).name for name in recipe.sets],
            "fonts": [source.writer for source in fonts],
            "generated_hands": len(generated),
            "generators": [sources.generator_of(folder) for folder in recipe.generated],
            "strokes": list(dict.fromkeys(source.name for source in drawn)),
            "stroke_writers": len(made_up),
            "unseen": [source.writer for source in self.validation if source.writer not in seen],
        }
        drawn_hands = [dataclasses.replace(hand, real=False) for hand in generated]
        self.train = [writing.both_ways(source) for source in (*hands, *fonts, *made_up, *drawn_hands)]
        if not self.train:
            raise ValueError(
                "There is nothing to train on: give fonts, strokes, generated hands or public sets besides `hands=False`."
            )
        if (recipe.data / "hands").is_dir():
            sources.check_apart(self.train, [source for source in self.validation if source.real])
        if recipe.characters:
            self.train = [sources.only(source, charset.encode(recipe.characters)) for source in self.train]
            self.validation = [
                sources.only(source, charset.encode(recipe.characters)) for source in self.validation
            ]
        self._answers: list[np.ndarray] = []

    def _read_data(self) -> tuple[list[sources.Glyphs], list[sources.Glyphs]]:
        """What of `data` trains, and what validates; nothing where sources that need no folder stand for it."""
        recipe = self.recipe
        if (recipe.data / "hands").is_dir():
            return (
                sources.read_hands(recipe.data / "hands" / "train", recipe.chinese_only),
                sources.read_hands(recipe.data / "hands" / "dev"),
            )
        if recipe.data.exists():
            return self._read_folder(recipe.data)
        if recipe.data == CharacterRecipe.data and (recipe.fonts or recipe.strokes or recipe.sets):
            return [], []
        raise ValueError(
            f"`data` must be a folder. Received: {recipe.data}. "
            "To train without one, leave `data` out and give fonts, strokes or sets."
        )

    def _read_folder(self, folder: Path) -> tuple[list[sources.Glyphs], list[sources.Glyphs]]:
        labels = sources.labels_of_folder(folder)
        new = [label for label in labels if label not in self.characters and sources.class_of(label) is None]
        if new and not self.recipe.add_characters:
            raise ValueError(
                f"{folder}: holds {len(new)} characters that the charset lacks: {''.join(new[:20])}. "
                "Remove them, or pass --add-characters."
            )
        self.characters = (*self.characters, *new)
        glyphs, self.skipped = sources.read_folder(folder, self.characters)
        train, validation = sources.split(glyphs)
        if not len(validation[0].labels):
            raise ValueError(f"{glyphs.writer}: at least one character needs 5 readable pictures.")
        generated, unreadable = sources.read_folder(folder, self.characters, generated=True)
        self.skipped += unreadable
        if len(generated.labels):
            train.append(generated)
        return train, validation

    def _read_sets(self) -> list[sources.Glyphs]:
        hands = []
        for name in self.recipe.sets:
            from training import datasets  # Brings tensorflow-datasets, which the other data do not need.

            dropped = datasets.Dropped()
            hands += datasets.hands(name, dropped)
            self.skipped += dropped.unreadable
        return hands

    def _build(self) -> keras.Model:
        classes = len(self.characters)
        if self.recipe.start is not None:
            model = zoo.load(self.recipe.start)
            size = self.recipe.sizes.get("size", model.input_shape[1])
            if size != model.input_shape[1]:
                model = zoo.with_size(model, size)
            return zoo.with_classes(model, classes)
        model = zoo.create(self.recipe.model, classes=classes, **self.recipe.sizes)
        if self.recipe.head_from is not None:
            _copy_head(zoo.load(self.recipe.head_from), model)
        if self.recipe.narrow_from is not None:
            narrowing.narrow(zoo.load(self.recipe.narrow_from), model)
        if self.recipe.widen_from is not None:
            widening.widen(zoo.load(self.recipe.widen_from), model)
        return model

    def _load_teacher(self) -> keras.Model | None:
        name = self.recipe.teacher
        if name is None:
            return None
        if zoo.characters(name) != self.characters:
            raise ValueError(f"`teacher` must know the same characters. Received: {name}.")
        teacher = zoo.load(name)
        if teacher.input_shape[1:] != self.model.input_shape[1:]:
            raise ValueError(
                f"`teacher` must take pictures of {self.model.input_shape[1:]}, as the model does. "
                f"Received: one of {teacher.input_shape[1:]}."
            )
        return teacher

    @functools.cached_property
    def sampler(self) -> pipeline.CellSampler:
        """What the batches are drawn from."""
        recipe = self.recipe
        steps = recipe.epochs * recipe.steps
        return pipeline.CellSampler.of(
            self.train,
            recipe.batch_size,
            recipe.real_weight,
            recipe.blank_share,
            recipe.seed,
            size=self.model.input_shape[1],
            characters=self.characters,
            fade=(round(steps * (1 - recipe.fade)), steps) if recipe.fade else None,
        )

    def compile(self, model: keras.Model) -> None:
        recipe = self.recipe
        prior = np.log(emphasis.of(self.characters))
        loss = functools.partial(crossentropy, prior=prior, smoothing=recipe.label_smoothing)
        accuracy = keras.metrics.sparse_categorical_accuracy
        if recipe.teacher is not None:
            loss = functools.partial(
                distillation.crossentropy,
                prior=prior,
                share=recipe.teacher_share,
                temperature=recipe.teacher_temperature,
            )
            accuracy = distillation.accuracy
        model.compile(
            optimizer=optimizer.adamw(self.recipe),
            loss={"logits": loss},
            metrics={"logits": [keras.metrics.MeanMetricWrapper(accuracy, name="accuracy")]},
            jit_compile=False,  # oneDNN is faster on a CPU.
        )

    def batches(self, first_step: int, steps: int) -> tf.data.Dataset:
        drawn = pipeline.train_batches(self.sampler, first_step, steps)
        if self._teacher is None:
            return drawn
        return distillation.with_answers(drawn, self._teacher, self.recipe.teacher_temperature)

    def evaluate(self, model: keras.Model) -> dict[str, float]:
        self._answers = [metrics.logits_of(model, source).argmax(1) for source in self.validation]
        shares = {
            source.writer: float(np.mean(answers == source.labels))
            for source, answers in zip(self.validation, self._answers, strict=True)
        }
        return {"mean": float(np.mean(list(shares.values()))), **shares}

    def samples(self) -> dict[str, np.ndarray]:
        images, _ = self.sampler.batch(0)
        return {
            "writers": pictures.writers_sheet(self.train),
            "training": pictures.contact_sheet(images[..., 0]),
        }

    def pictures(self, model: keras.Model) -> dict[str, np.ndarray]:
        return {"confusions": pictures.confusion_sheet(self.validation, self._answers, self.train)}

    def facts(self) -> dict[str, Any]:
        seen = np.unique(np.concatenate([source.labels for source in self.train]))
        return {
            "added_characters": "".join(self.characters[len(charset.CHARACTERS) :]),
            "data": {
                **self._origin,
                "classes_without_a_sample": len(self.characters) - 1 - len(seen),
                "skipped_files": len(self.skipped),
            },
        }


def _copy_head(source: keras.Model, model: keras.Model) -> None:
    """Gives `model` the last layer with weights of `source`.

    Raises:
        ValueError: The two layers differ in shape.
    """
    new, old = (next(layer for layer in reversed(m.layers) if layer.weights) for m in (model, source))
    shapes = [[tuple(weight.shape) for weight in layer.weights] for layer in (new, old)]
    if shapes[0] != shapes[1]:
        raise ValueError(
            f"`head_from` must be a preset whose last layer has weights of {shapes[0]}. "
            f"Received: {shapes[1]}."
        )
    new.set_weights(old.get_weights())


def crossentropy(labels: Any, logits: Any, prior: np.ndarray, smoothing: float = 0.0) -> Any:
    """Cross-entropy of logits (N, classes) with ids (N,), a share of the target spread over all classes.

    The logits are asked to be those of classes that are all as likely; `prior`, (classes,), is the logarithm of how
    much more often each is drawn, see `zoo.emphasis`.
    """
    logits = logits + prior
    loss = keras.ops.sparse_categorical_crossentropy(labels, logits, from_logits=True)
    if not smoothing:
        return loss
    even = -keras.ops.mean(keras.ops.log_softmax(logits), axis=-1)
    return (1 - smoothing) * loss + smoothing * even
