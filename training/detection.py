"""The task of finding lines and characters on pages."""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any, Literal

import keras
import numpy as np
import tensorflow as tf

import zoo
from training import (
    glyphs,
    labelled_pages,
    optimizer,
    pages,
    pictures,
    regions,
    shrink,
    signs,
    snapshots,
    sources,
    texts,
)
from training.matching import Counts, count
from training.recipe import DetectionRecipe
from training.sources import Glyphs
from training.task import learned_before
from zoo import craft, dbnet, polygons
from zoo import regions as peaks

_BATCH = 4  # Pages of one prediction.
_SHOWN = 4  # Pages of a picture for people.
_ACROSS, _ALONG = 96, 512  # Sides of what shows one line to a CRAFT; the second one or a multiple of it.


@dataclasses.dataclass(frozen=True)
class Family:
    """What the detectors of one paper have in common.

    Attributes:
        targets: From a page and the stride of the maps to what each output learns, float32 (h, w, 2): a map, and
            how much its places count.
        losses: Of each output.
        weights: Of the losses.
        lines: From the maps of a page, float32 (h, w) each, and their stride to lines, float32 (n, 4, 2).
        characters: The same for characters; None for detectors that find none.
    """

    targets: Callable[[pages.Page, int], dict[str, np.ndarray]]
    losses: Callable[[], dict[str, keras.losses.Loss]]
    weights: dict[str, float]
    lines: Callable[[dict[str, np.ndarray], int], np.ndarray]
    characters: Callable[[dict[str, np.ndarray], int], np.ndarray] | None = None


def _craft_targets(page: pages.Page, stride: int) -> dict[str, np.ndarray]:
    height, width = page.image.shape[:2]
    drawn = regions.maps([list(regions.filled_out(line.characters)) for line in page.lines], height, width)
    unsure = [line.quad for line in page.lines] + list(page.ignore)
    confidences = [line.confidence for line in page.lines] + [0.0] * len(page.ignore)
    counted = regions.confidence_map(np.reshape(unsure, (-1, 4, 2)), confidences, height, width)
    return {
        name: np.stack([one, counted], -1) for name, one in zip(("region", "affinity"), drawn, strict=True)
    }


def _dbnet_targets(page: pages.Page, stride: int) -> dict[str, np.ndarray]:
    height, width = page.image.shape[:2]
    return shrink.targets([line.quad for line in page.lines], height, width, list(page.ignore), stride)


CRAFT = Family(
    _craft_targets,
    lambda: {"region": craft.MapLoss(), "affinity": craft.MapLoss()},
    {"region": 1.0, "affinity": 1.0},
    lambda maps, stride: peaks.lines(maps["region"], maps["affinity"], scale=stride)[0],
    lambda maps, stride: peaks.characters(maps["region"], scale=stride)[0],
)
DBNET = Family(
    _dbnet_targets,
    dbnet.losses,
    dbnet.LOSS_WEIGHTS,
    lambda maps, stride: polygons.boxes(maps["probability"], scale=stride)[0],
)
FAMILIES = {"craft": CRAFT, "craft_s": CRAFT, "dbnet": DBNET, "dbnet_s": DBNET}
"""By the name of the model."""


class DetectionTask:
    """Finds lines, and characters, on pages that are composed as the run goes.

    Validation pages are written by hands that do not train.

    Args:
        recipe: What to train on what.

    Raises:
        ValueError: There is nobody who writes, or the model is no detector.
    """

    goal: Literal["max", "min"] = "max"

    def __init__(self, recipe: DetectionRecipe) -> None:
        self.recipe = recipe
        self.skipped: list[str] = []
        if recipe.model not in FAMILIES:
            raise ValueError(f"`model` must be one of {', '.join(FAMILIES)}. Received: {recipe.model}.")
        self._family = FAMILIES[recipe.model]
        hands = recipe.data / "hands"
        self.train = sources.read_hands(hands / "train", recipe.chinese_only) if hands.is_dir() else []
        self.train += [sources.read_font(font) for font in recipe.fonts]
        drawn = signs.read_all(recipe.strokes)
        self.train += glyphs.made_up_writers(drawn, recipe.stroke_writers, recipe.seed)
        if not self.train:
            raise ValueError(f"{recipe.data}: holds no hands: give fonts or strokes.")
        if hands.is_dir():
            self.validation = sources.read_hands(hands / "dev")
            sources.check_apart(self.train, self.validation)
        else:
            self.validation = self.train
        self._texts = texts.read_texts(recipe.texts or texts.of_folder(recipe.data)) or texts.invented(
            self.train, recipe.seed
        )
        height, width = recipe.size
        self.model = zoo.create(recipe.model, height=height, width=width, **recipe.sizes)
        if recipe.start is not None:
            self.model.set_weights(zoo.load(recipe.start).get_weights())
        self._given = self._read_pages()
        self._stride = height // next(iter(self.model.output.values())).shape[1]
        self._found: list[tuple[pages.Page, dict[str, np.ndarray], np.ndarray]] = []

    def _read_pages(self) -> list[pages.Page]:
        marked = [page for folder in self.recipe.pages for page in labelled_pages.read(folder)]
        region_of = None
        if self._family is CRAFT and self.recipe.start is not None:
            region_of = functools.partial(_region_of, {self.recipe.size: self.model})
        return [labelled_pages.complete(page, region_of) for page in marked]

    def _sampler(
        self, writers: Sequence[Glyphs], count: int, seed: int, given: Sequence[pages.Page] = ()
    ) -> snapshots.PageSampler:
        recipe = self.recipe
        return snapshots.PageSampler.of(self._texts, writers, *recipe.size, count, seed, recipe.em, given)

    @functools.cached_property
    def sampler(self) -> snapshots.PageSampler:
        """What the batches are drawn from."""
        return self._sampler(self.train, self.recipe.batch_size, self.recipe.seed, self._given)

    @functools.cached_property
    def validation_pages(self) -> list[pages.Page]:
        """Pages that no step of the run draws."""
        seed = self.recipe.seed + 1_000_003
        return self._sampler(self.validation, self.recipe.validation_pages, seed).batch(0)

    def compile(self, model: keras.Model) -> None:
        model.compile(
            optimizer=optimizer.adamw(self.recipe),
            loss=self._family.losses(),
            loss_weights=self._family.weights,
            jit_compile=False,  # oneDNN is faster on a CPU.
        )

    def batch(self, step: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """The batch of a step: uint8 (batch, height, width, 3), and what each output learns from it."""
        drawn = self.sampler.batch(step)
        maps = [self._family.targets(page, self._stride) for page in drawn]
        return np.stack([page.image for page in drawn]), {
            name: np.stack([one[name] for one in maps]) for name in maps[0]
        }

    def batches(self, first_step: int, steps: int) -> tf.data.Dataset:
        height, width = self.recipe.size
        outputs = {name: (*output.shape[1:3], 2) for name, output in self.model.output.items()}

        def drawn(number: np.ndarray) -> list[np.ndarray]:
            images, maps = self.batch(int(number))
            return [images, *(maps[name] for name in outputs)]

        def make(step: tf.Tensor) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
            kinds = [tf.uint8] + [tf.float32] * len(outputs)
            images, *maps = tf.numpy_function(drawn, [step], kinds, stateful=False)
            shaped = {
                name: tf.ensure_shape(one, (self.recipe.batch_size, *shape))
                for (name, shape), one in zip(outputs.items(), maps, strict=True)
            }
            return tf.ensure_shape(images, (self.recipe.batch_size, height, width, 3)), shaped

        steps_of_run = tf.data.Dataset.range(first_step, first_step + steps)
        return steps_of_run.map(make, num_parallel_calls=2).prefetch(4)

    def evaluate(self, model: keras.Model) -> dict[str, float]:
        return self.measure(model.predict_on_batch)

    def measure(self, predict: Callable[[np.ndarray], dict[str, Any]]) -> dict[str, float]:
        """The figures of whatever makes maps of the validation pages.

        Args:
            predict: From pictures, uint8 (n, height, width, 3), to float32 maps (n, h, w, 1) by their names.
        """
        self._found = []
        lines, characters = Counts(), Counts()
        for start in range(0, len(self.validation_pages), _BATCH):
            part = self.validation_pages[start : start + _BATCH]
            predicted = predict(np.stack([page.image for page in part]))
            for index, page in enumerate(part):
                maps = {name: np.asarray(one[index, ..., 0]) for name, one in predicted.items()}
                found = self._family.lines(maps, self._stride)
                lines += count(found, [line.quad for line in page.lines], list(page.ignore))
                if self._family.characters is not None:
                    single = self._family.characters(maps, self._stride)
                    true = [quad for line in page.lines for quad in regions.filled_out(line.characters)]
                    characters += count(single, true, list(page.ignore))
                self._found.append((page, maps, found))
        figures = {"h_mean": lines.h_mean, "precision": lines.precision, "recall": lines.recall}
        if self._family.characters is not None:
            figures |= {"characters": characters.h_mean}
        return figures

    def samples(self) -> dict[str, np.ndarray]:
        drawn = self._sampler(self.train, _SHOWN, self.recipe.seed, self._given).batch(0)
        return {
            "training": pictures.side_by_side(
                [pictures.outlined(page.image, [line.quad for line in page.lines]) for page in drawn]
            )
        }

    def pictures(self, model: keras.Model) -> dict[str, np.ndarray]:
        shown = self._found[:_SHOWN]
        first = next(iter(model.output))
        return {
            "found": pictures.side_by_side(
                [pictures.outlined(page.image, found) for page, _, found in shown]
            ),
            first: pictures.side_by_side([_grey(maps[first]) for _, maps, _ in shown]),
        }

    def facts(self) -> dict[str, Any]:
        return {
            "data": {
                "hands": [source.writer for source in self.train if source.real],
                **learned_before((self.recipe.start,)),
                "fonts_and_made_up": [source.writer for source in self.train if not source.real],
                "unseen": [source.writer for source in self.validation],
                "sentences": len(self._texts),
                "pages": len(self._given),
            }
        }


def _region_of(models: dict[tuple[int, int], keras.Model], image: np.ndarray) -> np.ndarray:
    """The region map of a straightened line, uint8 (h, w, 3) with even sides: float32 (h // 2, w // 2).

    Args:
        models: The network by the height and width of its pictures; of what is lacking, the first is copied.
        image: The line.
    """
    height, width = image.shape[:2]
    size = (_canvas(height), _canvas(width))
    if size not in models:
        first = next(iter(models.values()))
        built = first.built_by_zoo
        sizes = {**built["sizes"], "height": size[0], "width": size[1]}
        models[size] = zoo.create(built["model"], **sizes)
        models[size].set_weights(first.get_weights())
    page = np.full((1, *size, 3), 255, np.uint8)
    page[0, :height, :width] = image
    return np.asarray(models[size].predict_on_batch(page)["region"])[0, : height // 2, : width // 2, 0]


def _canvas(side: int) -> int:
    return _ACROSS if side <= _ACROSS else _ALONG * -(-side // _ALONG)


def _grey(one: np.ndarray) -> np.ndarray:
    return (255 * np.clip(one, 0, 1)).astype(np.uint8)
