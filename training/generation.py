"""The task of drawing characters."""

import dataclasses
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
UNSEEN = "_unseen"
"""How the names of figures end that stand on hands that did not train."""


@dataclasses.dataclass(frozen=True)
class _Asked:
    """What is drawn to measure: what real hands wrote, and the conditions of the same characters.

    Attributes:
        pens: The real characters, n.
        conditions: What a generator takes besides noise, (n, ...) each.
        features: Of the real ones, float (n, features).
        usual: How far real ones are from the nearest that trains beside themselves, float (m,).
    """

    pens: Pens
    conditions: dict[str, np.ndarray]
    features: np.ndarray
    usual: np.ndarray


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
        self._started = zoo.describe(recipe.start) if recipe.start else {}
        if self._started.get("model", recipe.model) != recipe.model:
            raise ValueError(f"{recipe.start}: must be a {recipe.model}. Received: {self._started['model']}.")
        self.characters, held_out = self._split(writers, everything)
        self.train = everything.only(np.isin(everything.labels, self.characters))
        self._few = charset.decode(self.characters) if recipe.characters else ""
        self._places = np.zeros(len(charset.CHARACTERS), np.int32)
        self._places[self.characters] = np.arange(len(self.characters))
        if recipe.moved:
            if self._adversary.NEEDS:
                raise ValueError(f"`moved` is for models from noise alone. Received: {recipe.model}.")
            self.train = self.train.centred()
        self.held_out = everything.only(np.isin(everything.labels, held_out) & everything.real)
        self._check()
        conditioned = {"writers": len(everything.names)} if "writer" in self._adversary.NEEDS else {}
        known = dict(conditioned) if recipe.model in OF_WRITERS else {}
        if recipe.model in OF_CHARACTERS:
            known["classes"] = len(self._few)
        generator = (
            zoo.load(recipe.start) if recipe.start else zoo.create(recipe.model, **recipe.sizes, **known)
        )
        few = self._started.get("characters")
        if dcgan.classes_of(generator) and recipe.start and few != self._few:
            raise ValueError(
                f"{recipe.start} draws {few}: give the same --characters. Received: {self._few!r}."
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
        if self.recipe.start and self.recipe.held_out:  # It has seen all others.
            asked = charset.encode(self._started.get("held_out", ""))
            held_out = [label for label in asked if label in known]
        else:
            chinese = [label for label in known if kinds.kind(charset.CHARACTERS[label]) == kinds.KINDS[0]]
            also = charset.encode(self.recipe.also_held_out)
            if unknown := set(also) - set(known):
                raise ValueError(
                    f"`also_held_out`: no hand and no font holds {charset.decode(sorted(unknown))}."
                )
            held_out = list(dict.fromkeys([*chinese[: self.recipe.held_out], *also]))
        return sorted(set(known) - set(held_out)), held_out

    def _check(self) -> None:
        for purpose, count in (
            ("to train on", len(self.train.labels)),
            ("by hands to measure on", len(self._measured.labels)),
            ("to draw (`drawn`)", self.recipe.drawn),
        ):
            if count < _FEWEST:
                raise ValueError(f"A generator needs {_FEWEST} pictures {purpose}. Received: {count}.")

    def _check_writers(self) -> None:
        """What a run starts from may know its writers by number; other hands than those can only be shown to it."""
        known, ours = self._started.get("writers"), list(self.train.names)
        if "writer" in self.model.generator.input and known not in (None, ours):
            raise ValueError(
                f"{self.recipe.start} writes in the hands of {', '.join(known)}: give the same data and fonts. "
                f"Received: {', '.join(ours)}."
            )

    def compile(self, model: keras.Model) -> None:
        self._check_writers()
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

    def _shown(
        self, pens: Pens, chosen: np.ndarray, rng: np.random.Generator, samples: Pens | None = None
    ) -> dict[str, np.ndarray]:
        """Pictures with their conditions; samples of a hand come from what trains, or from `samples`."""
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
            shown["samples"] = (samples or self.train).samples_of(
                pens.writers[chosen], self.recipe.samples, rng
            )
        return shown

    def inputs(self, count: int, part: int = 0) -> dict[str, np.ndarray]:
        """What the generator takes, (count, ...) each, drawn from what it measures on.

        Args:
            count: How many.
            part: Other parts are drawn anew.
        """
        rng = np.random.default_rng([self.recipe.seed, 2**30 + part])
        pens = self._measured
        shown = self._shown(pens, rng.integers(0, len(pens.labels), count), rng)
        if "printed" in shown:
            shown["glyph"] = shown.pop("printed")
        if "writer" in shown and (known := self._started.get("writers")):
            shown["writer"] %= len(known)  # Some hand that it knows.
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

    @property
    def _measured(self) -> Pens:
        """What hands wrote of the characters that are held out where there are any, else of those that train."""
        return self.held_out if self.recipe.held_out else self.train.only(self.train.real)

    @functools.cached_property
    def _asked(self) -> _Asked:
        """Hands that train."""
        return self._ask(self._measured)

    @functools.cached_property
    def _unseen(self) -> _Asked | None:
        """Hands that did not train, `hands/dev`, for a generator that writes like samples; None without them."""
        folder = self.recipe.data / "hands" / "dev"
        if "samples" not in self._adversary.NEEDS or not any(folder.glob("*.npz")):
            return None
        pens = Pens.of(sources.read_hands(folder), self.train.images.shape[1])
        pens = dataclasses.replace(pens, printed=self.train.printed)
        held_out = np.isin(pens.labels, self.held_out.labels)
        # A writer shows samples of other characters than those that are asked for.
        samples = pens.only(~held_out)
        asked = pens.only(held_out & np.isin(pens.writers, samples.writers))
        return self._ask(asked, samples) if len(asked.labels) >= _FEWEST else None

    def _ask(self, pens: Pens, samples: Pens | None = None) -> _Asked:
        rng = np.random.default_rng([self.recipe.seed, 2**31])
        count = min(self.recipe.drawn, len(pens.labels))
        chosen = rng.choice(len(pens.labels), count, replace=False)
        conditions = self._shown(pens, chosen, rng, samples)
        if pens.printed is not None and conditions.keys() & {"glyph", "printed"}:
            # Here, the very character, and nobody tells where the pen wrote it.
            conditions["glyph"] = pens.printed[pens.labels[chosen]][..., None]
        pens = pens.only(chosen)
        features = self._features(pens.images)
        usual = (
            metrics.nearest(features, self._trained_on)
            if self.recipe.held_out
            else metrics.nearest_others(
                self._trained_on, self._compared.writers, min(1000, int(self._compared.real.sum()))
            )
        )
        return _Asked(pens, conditions, features, usual)

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
    def _compared(self) -> Pens:
        """Pictures that train, among which copies are looked for; those of hands first."""
        rng = np.random.default_rng([self.recipe.seed, 2**32])
        real = self.train.real
        order = np.concatenate([rng.permutation(np.flatnonzero(part)) for part in (real, ~real)])
        return self.train.only(order[:_COMPARED])

    @functools.cached_property
    def _trained_on(self) -> np.ndarray:
        return self._features(self._compared.images)

    def draw(self, model: gan.Adversarial) -> np.ndarray:
        """The pictures that the figures of hands that train stand on: uint8 (n, size, size)."""
        return self._drawn(model, self._asked)

    def _drawn(self, model: gan.Adversarial, asked: _Asked) -> np.ndarray:
        return drawing.draw(model, asked.conditions, len(asked.pens.labels), self.recipe.seed)

    def evaluate(self, model: gan.Adversarial) -> dict[str, float]:
        figures = self._figures(model, self._asked)
        if self._unseen is not None:
            figures |= {name + UNSEEN: value for name, value in self._figures(model, self._unseen).items()}
        return figures

    def _figures(self, model: gan.Adversarial, asked: _Asked) -> dict[str, float]:
        drawn = self._drawn(model, asked)
        pens = asked.pens
        found = metrics.features_of(self._seer, drawn)
        read = metrics.read(self._recogniser, drawn)
        named = {"glyph", "label"} & set(model.generator.input)
        if named:
            labels = pens.labels
            agreed = read == labels
        else:  # Nobody asked for a certain character: any that trains will do, and it is what it is read as.
            labels, agreed = read, np.isin(read, self.characters)
        figures = {
            "kid": metrics.kid(asked.features, found),
            "fid": metrics.fid(asked.features, found),
            "agreement": float(agreed.mean()),
            "diversity": metrics.diversity(found, labels) / metrics.diversity(asked.features, pens.labels),
            "copy_rate": metrics.copy_rate(found, self._trained_on, asked.usual),
        }
        if self._few and not named:
            figures["evenness"] = metrics.evenness(read[agreed], len(self.characters))
        if {"writer", "samples"} & set(asked.conditions) and len(np.unique(pens.writers)) > 1:
            figures["style"] = metrics.style_discrepancy(
                metrics.looks(pens.images), metrics.looks(drawn), pens.writers, pens.writers
            )
        return figures

    def samples(self) -> dict[str, np.ndarray]:
        return {
            "training": pictures.contact_sheet(self.batch(0)["image"][: _ROWS * _COLUMNS, ..., 0], _COLUMNS)
        }

    def pictures(self, model: gan.Adversarial) -> dict[str, np.ndarray]:
        """What it draws; beneath each other the print, the drawn and the real one where it starts from print."""
        drawn = self.draw(model)[: _ROWS * _COLUMNS]
        asked = self._asked
        if "glyph" not in asked.conditions:
            return {"drawn": pictures.contact_sheet(drawn, _COLUMNS)}
        rows = [
            part[start : start + _COLUMNS]
            for start in range(0, _ROWS * _COLUMNS // 2, _COLUMNS)
            for part in (asked.conditions["glyph"][..., 0], drawn, asked.pens.images)
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
