"""The task of drawing characters."""

import functools
import importlib
from typing import Any, Literal

import keras
import numpy as np
import tensorflow as tf

import zoo
from training import drawing, metrics, pictures, sources
from training.drawing import Pens
from training.recipe import GenerationRecipe
from zoo import charset, dcgan, gan, kinds

ADVERSARIES = {
    "gan": "zoo.gan:Gan",
    "dcgan": "zoo.dcgan:Dcgan",
    "wgan": "zoo.wgan:Wgan",
    "wgan_gp": "zoo.wgan:WganGp",
    "cgan": "zoo.cgan:Cgan",
    "pix2pix": "zoo.pix2pix:Pix2Pix",
    "cyclegan": "zoo.cyclegan:CycleGan",
    "fewshot": "zoo.fewshot:FewShot",
    "progan": "zoo.progan:Progan",
    "stylegan": "zoo.stylegan:Stylegan",
}
"""What trains each generator, as "module:class"."""

OF_WRITERS = frozenset({"cgan", "pix2pix"})
"""Generators that know their writers by number."""

OF_CHARACTERS = frozenset({"dcgan", "wgan_gp"})
"""Generators that know few characters by number."""

_SIZE = 64
_ROWS, _COLUMNS = 8, 16  # Of the sheet.
_FEWEST = 200  # Pictures that the distances need.
_COMPARED = 20_000  # Pictures that train among which copies are looked for.


class GenerationTask:
    """Draws characters like those of hands and fonts.

    Args:
        recipe: What to train on what.

    Raises:
        ValueError: The hands hold too few characters, or the model starts from printed characters and there is
            no font of them.
    """

    goal: Literal["max", "min"] = "min"

    def __init__(self, recipe: GenerationRecipe) -> None:
        self.recipe = recipe
        self.skipped: list[str] = []
        module, name = ADVERSARIES[recipe.model].split(":")
        self._adversary: type[gan.Adversarial] = getattr(importlib.import_module(module), name)
        if self._adversary.NEEDS & {"glyph", "printed"} and recipe.glyph_font is None:
            raise ValueError(f"{recipe.model} starts from printed characters: give --glyph-font FILE.")
        if recipe.characters and self._adversary.NEEDS:
            raise ValueError(f"`characters` is for models from noise alone. Received: {recipe.model}.")
        writers = sources.read_hands(recipe.data / "hands" / "train", recipe.chinese_only)
        writers += [sources.read_font(font) for font in recipe.fonts]
        printed = None if recipe.glyph_font is None else sources.read_font(recipe.glyph_font)
        size = 28 if recipe.model == "gan" else recipe.sizes.get("size", _SIZE)
        everything = Pens.of(writers, size, printed)
        self.characters, held_out = self._split(writers, everything)
        self.train = everything.only(np.isin(everything.labels, self.characters))
        self._few = charset.decode(self.characters) if recipe.characters else ""
        self._places = np.zeros(len(charset.CHARACTERS), np.int32)
        self._places[self.characters] = np.arange(len(self.characters))
        if recipe.moved:
            if self._adversary.NEEDS:
                raise ValueError(f"`moved` is for models from noise alone. Received: {recipe.model}.")
            self.train = self.train.centred()
        self.held_out = everything.only(np.isin(everything.labels, held_out))
        self._check()
        conditioned = {"writers": len(everything.names)} if "writer" in self._adversary.NEEDS else {}
        known = dict(conditioned) if recipe.model in OF_WRITERS else {}
        if recipe.model in OF_CHARACTERS:
            known["classes"] = len(self._few)
        generator = (
            zoo.load(recipe.start) if recipe.start else zoo.create(recipe.model, **recipe.sizes, **known)
        )
        if dcgan.classes_of(generator) and recipe.start:
            known_by_number = zoo.describe(recipe.start).get("characters")
            if known_by_number != self._few:
                raise ValueError(
                    f"{recipe.start} draws {known_by_number}: give the same --characters. Received: {self._few!r}."
                )
        # What a run starts from is grown.
        growth = 0 if recipe.start else recipe.growth * recipe.batch_size
        growing = {"growth": growth} if recipe.model == "progan" else {}
        self.model = self._adversary(generator, **conditioned, **growing, **recipe.adversary)

    def _split(self, writers: list[sources.Glyphs], everything: Pens) -> tuple[list[int], list[int]]:
        """The characters that train, and those that only measure."""
        held = np.bincount(
            np.concatenate([np.unique(writer.labels) for writer in writers]),
            minlength=len(charset.CHARACTERS),
        )
        if self.recipe.characters:
            asked = list(dict.fromkeys(charset.encode(self.recipe.characters)))
            lacking = [label for label in asked if not held[label]]
            if lacking:
                raise ValueError(f"`characters`: no hand and no font holds {charset.decode(lacking)}.")
            return asked, []
        known = [label for label in np.argsort(-held, kind="stable").tolist() if held[label]]
        if self.recipe.glyph_font is not None and everything.printed is not None:
            drawn = set(np.flatnonzero((everything.printed < 128).any((1, 2))).tolist())
            known = [label for label in known if label in drawn]
        chinese = [label for label in known if kinds.kind(charset.CHARACTERS[label]) == kinds.KINDS[0]]
        held_out = chinese[: self.recipe.held_out]
        return sorted(set(known) - set(held_out)), held_out

    def _check(self) -> None:
        needed = [("to train on", self.train)]
        if self.recipe.held_out:
            needed.append(("to measure on", self.held_out))
        for purpose, pens in needed:
            if len(pens.labels) < _FEWEST:
                raise ValueError(
                    f"A generator needs {_FEWEST} pictures {purpose}. Received: {len(pens.labels)}."
                )

    def compile(self, model: keras.Model) -> None:
        recipe = self.recipe
        average = {"use_ema": True, "ema_momentum": recipe.ema} if recipe.ema else {}

        def optimizer(rate: float, **options: Any) -> keras.optimizers.Optimizer:
            if recipe.rule == "rmsprop":
                # A critic with clipped weights gives slopes far below the root of Keras's epsilon.
                return keras.optimizers.RMSprop(rate, epsilon=1e-16, **options)
            return keras.optimizers.Adam(rate, recipe.beta_1, recipe.beta_2, **options)

        model.compile(
            optimizer(recipe.learning_rate, **average),
            optimizer(recipe.discriminator_rate or recipe.learning_rate),
        )

    def batch(self, step: int) -> dict[str, np.ndarray]:
        """The batch of a step: `image`, uint8 (batch, size, size, 1), and what the model needs besides."""
        rng = np.random.default_rng([self.recipe.seed, int(step)])
        chosen = rng.integers(0, len(self.train.labels), self.recipe.batch_size * self.model.critic_steps)
        shown = self._shown(self.train, chosen, rng)
        if self.recipe.moved:
            shown["image"] = drawing.moved(shown["image"][..., 0], rng)[..., None]
        return shown

    def _shown(self, pens: Pens, chosen: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Pictures with their conditions; samples come from what trains, never from what measures."""
        shown = {"image": pens.images[chosen][..., None]}
        if dcgan.classes_of(self.model.generator):
            shown["label"] = self._places[pens.labels[chosen]]
        needs = self._adversary.NEEDS
        if pens.printed is not None and "glyph" in needs:
            shown["glyph"] = drawing.laid_over(pens.printed[pens.labels[chosen]], pens.images[chosen])[
                ..., None
            ]
        if pens.printed is not None and "printed" in needs:
            others = rng.integers(0, len(pens.labels), len(chosen))
            shown["printed"] = pens.printed[pens.labels[others]][..., None]
        if "writer" in needs:
            shown["writer"] = pens.writers[chosen]
        if "samples" in needs:
            shown["samples"] = self.train.samples_of(pens.writers[chosen], self.recipe.samples, rng)
        return shown

    def inputs(self, count: int, part: int = 0) -> dict[str, np.ndarray]:
        """What the generator takes, (count, ...) each, drawn from what it measures on.

        Args:
            count: How many.
            part: Other parts are drawn anew.
        """
        rng = np.random.default_rng([self.recipe.seed, 2**30 + part])
        pens, _, _ = self._asked
        shown = self._shown(pens, rng.integers(0, len(pens.labels), count), rng)
        if "printed" in shown:
            shown["glyph"] = shown.pop("printed")
        return {
            name: (
                rng.standard_normal((count, *tensor.shape[1:]), np.float32)
                if name == "noise"
                else shown[name]
            )
            for name, tensor in self.model.generator.input.items()
        }

    def batches(self, first_step: int, steps: int) -> tf.data.Dataset:
        specs = {name: (value.shape, tf.as_dtype(value.dtype)) for name, value in self.batch(0).items()}

        def drawn(number: np.ndarray) -> list[np.ndarray]:
            batch = self.batch(int(number))
            return [batch[name] for name in specs]

        def make(step: tf.Tensor) -> dict[str, tf.Tensor]:
            made = tf.numpy_function(drawn, [step], [dtype for _, dtype in specs.values()], stateful=False)
            return {
                name: tf.ensure_shape(value, shape)
                for (name, (shape, _)), value in zip(specs.items(), made, strict=True)
            }

        return tf.data.Dataset.range(first_step, first_step + steps).map(make).prefetch(4)

    @functools.cached_property
    def _asked(self) -> tuple[Pens, np.ndarray, dict[str, np.ndarray]]:
        """What is drawn to measure: real pictures, which of them, and their conditions.

        Characters that were held out where there are any, else those that train.
        """
        rng = np.random.default_rng([self.recipe.seed, 2**31])
        pens = self.held_out if len(self.held_out.labels) else self.train
        count = min(self.recipe.drawn, len(pens.labels))
        chosen = rng.choice(len(pens.labels), count, replace=False)
        conditions = self._shown(pens, chosen, rng)
        if pens.printed is not None and conditions.keys() & {"glyph", "printed"}:
            # Here, the very character, and nobody tells where the pen wrote it.
            conditions["glyph"] = pens.printed[pens.labels[chosen]][..., None]
        return pens, chosen, conditions

    @functools.cached_property
    def _recogniser(self) -> keras.Model:
        return zoo.load(self.recipe.recogniser)

    @functools.cached_property
    def _seer(self) -> keras.Model:
        return metrics.feature_model(self._recogniser)

    def _features(self, images: np.ndarray) -> np.ndarray:
        """Features of real pictures, moved as those that train."""
        if self.recipe.moved:
            images = drawing.moved(images, np.random.default_rng([self.recipe.seed, 2**33]))
        return metrics.features_of(self._seer, images)

    @functools.cached_property
    def _real(self) -> np.ndarray:
        """Features of the real pictures that are compared with."""
        pens, chosen, _ = self._asked
        return self._features(pens.images[chosen])

    @functools.cached_property
    def _trained_on(self) -> tuple[np.ndarray, np.ndarray]:
        """Features of pictures that train, and how far real ones are from the nearest of them."""
        rng = np.random.default_rng([self.recipe.seed, 2**32])
        order = rng.permutation(len(self.train.labels))[:_COMPARED]
        features = self._features(self.train.images[order])
        if len(self.held_out.labels):
            return features, metrics.nearest(self._real, features)
        return features, metrics.nearest_others(features, self.train.writers[order])

    def draw(self, model: gan.Adversarial) -> np.ndarray:
        """The pictures that every figure stands on: uint8 (n, size, size)."""
        _, chosen, conditions = self._asked
        return drawing.draw(model, conditions, len(chosen), self.recipe.seed)

    def evaluate(self, model: gan.Adversarial) -> dict[str, float]:
        drawn = self.draw(model)
        pens, chosen, conditions = self._asked
        found = metrics.features_of(self._seer, drawn)
        read = metrics.read(self._recogniser, drawn)
        asked = {"glyph", "label"} & set(model.generator.input)
        if asked:
            labels = pens.labels[chosen]
            agreed = read == labels
        else:  # Nobody asked for a certain character: any that trains will do, and it is what it is read as.
            labels, agreed = read, np.isin(read, self.characters)
        figures = {
            "kid": metrics.kid(self._real, found),
            "fid": metrics.fid(self._real, found),
            "agreement": float(agreed.mean()),
            "diversity": metrics.diversity(found, labels)
            / metrics.diversity(self._real, pens.labels[chosen]),
            "copy_rate": metrics.copy_rate(found, *self._trained_on),
        }
        if self._few and not asked:
            figures["evenness"] = metrics.evenness(read[agreed], len(self.characters))
        if "writer" in conditions:
            writers = pens.writers[chosen]
            figures["style"] = metrics.style_discrepancy(
                metrics.looks(pens.images[chosen]), metrics.looks(drawn), writers, writers
            )
        return figures

    def samples(self) -> dict[str, np.ndarray]:
        return {
            "training": pictures.contact_sheet(self.batch(0)["image"][: _ROWS * _COLUMNS, ..., 0], _COLUMNS)
        }

    def pictures(self, model: gan.Adversarial) -> dict[str, np.ndarray]:
        """What it draws; beneath each other the print, the drawn and the real one where it starts from print."""
        drawn = self.draw(model)[: _ROWS * _COLUMNS]
        pens, chosen, conditions = self._asked
        if "glyph" not in conditions:
            return {"drawn": pictures.contact_sheet(drawn, _COLUMNS)}
        rows = [
            part
            for start in range(0, _ROWS * _COLUMNS // 2, _COLUMNS)
            for part in (
                conditions["glyph"][start : start + _COLUMNS, ..., 0],
                drawn[start : start + _COLUMNS],
                pens.images[chosen[start : start + _COLUMNS]],
            )
        ]
        return {"drawn": pictures.contact_sheet(np.concatenate(rows), _COLUMNS)}

    def facts(self) -> dict[str, Any]:
        return {
            "characters": self._few,
            "held_out": charset.decode(np.unique(self.held_out.labels).tolist()),
            "writers": list(self.train.names),
            "data": {
                "pictures": len(self.train.labels),
                "characters": len(self.characters),
                "writers": len(self.train.names),
            },
        }
