"""The models that an export takes by name, and the inputs that it measures them on."""

import math
from typing import Any

import cv2
import keras
import numpy as np

import zoo
from training import detection, generation, pipeline
from training.characters import CharacterTask
from training.task import Task
from zoo import charset

# Batches as training sees them, from a step that no run reaches.
_UNSEEN_STEP = 10**9
_COUNT = 512
_MOST = 4096
_WRITERS = 10  # Of a generator with fresh weights.
_PAGE = {"height": 640, "width": 640}  # Of a detector with fresh weights.
_PAGES = 64  # To show an int8 file of a detector which values occur.
_OPEN_SIDE = 128  # What made-up pictures take for a side that a model leaves open.


def find(name: str) -> tuple[keras.Model, bool]:
    """The model of a preset or a run, or one of the zoo with fresh weights; and whether it is trained.

    Raises:
        ValueError: There is none of this name, or its files are damaged.
    """
    try:
        zoo.describe(name)
    except ValueError:
        if name not in zoo.names():
            raise
        return _fresh(name), False
    return zoo.load(name), True


def _fresh(name: str) -> keras.Model:
    if name in detection.FAMILIES:
        return zoo.create(name, **_PAGE)
    if name not in generation.ADVERSARIES:
        return zoo.create(name, classes=len(charset.CHARACTERS))
    return zoo.create(name, **({"writers": _WRITERS} if name in generation.OF_WRITERS else {}))


def of_task(task: Task, part: int = 0) -> dict[str, np.ndarray]:
    """Pictures as training sees them, which no run has seen: `image`, uint8 (n, H, W, C), n about 512, of pages fewer.

    Args:
        task: The task.
        part: Other parts are other pictures.

    Returns:
        Of a generator, what it takes.
    """
    if isinstance(task, generation.GenerationTask):
        return task.inputs(_COUNT, part)
    steps = -(-(_PAGES if isinstance(task, detection.DetectionTask) else _COUNT) // task.recipe.batch_size)
    batches = task.batches(_UNSEEN_STEP + part * steps, steps)
    return {"image": _joined([np.asarray(batch[0]) for batch in batches.take(steps)])}


def unseen(task: Task) -> dict[str, np.ndarray]:
    """Pictures to measure on: characters of validation writers, or of another task as `of_task`."""
    if not isinstance(task, CharacterTask):
        return of_task(task, part=1)
    size = task.model.input_shape[1]
    cells = np.concatenate([pipeline.clean_cells(writer, size) for writer in task.validation])
    return {"image": cells[:: -(-len(cells) // _MOST)]}


def made_up(model: keras.Model, count: int = 64, seed: int = 0) -> dict[str, np.ndarray]:
    """Inputs for a model whose data are not at hand: random strokes on white, normal noise, the first writers
    or characters.
    """
    rng = np.random.default_rng(seed)
    return {tensor.name: _made_up(tensor, count, rng) for tensor in keras.tree.flatten(model.input)}


def clear(model: keras.Model) -> dict[str, np.ndarray]:
    """As `made_up`; for a trained classifier, the quarter of the pictures whose answers it is surest of.

    Random strokes are no characters: on many of them two answers are about as good, and rounding decides.
    """
    answers = model.output.get("logits")
    if isinstance(model.input, dict) or answers is None or answers.ndim != 2:
        return made_up(model)
    pictures = made_up(model, 256)["image"]
    logits = np.sort(model.predict(pictures, batch_size=32, verbose=0)["logits"], -1)
    surest = np.argsort(logits[:, -2] - logits[:, -1])[: len(logits) // 4]
    return {"image": pictures[surest]}


def _made_up(tensor: Any, count: int, rng: np.random.Generator) -> np.ndarray:
    shape = [side or _OPEN_SIDE for side in tensor.shape[1:]]
    if tensor.dtype == "int32":
        return rng.integers(0, 2, (count, *shape), np.int32)
    if tensor.dtype != "uint8":
        return rng.normal(size=(count, *shape)).astype(tensor.dtype)
    *several, height, width, channels = shape
    pictures = np.full((count * math.prod(several), height, width, channels), 255, np.uint8)
    for picture in pictures:
        drawn = picture[..., 0].copy()
        for _ in range(5 * -(-width // height)):
            # Strokes of a character: none is longer than the line is high.
            points = rng.integers(0, (width, height)) + rng.integers(-height // 3, height // 3 + 1, (3, 2))
            cv2.polylines(drawn, [points.astype(np.int32)], False, 0, max(1, height // 24), cv2.LINE_AA)
        picture[...] = drawn[..., None]
    return pictures.reshape(count, *shape)


def _joined(batches: list[np.ndarray]) -> np.ndarray:
    """One array of batches; the narrower ones are padded with white on the right."""
    width = max(batch.shape[2] for batch in batches)
    return np.concatenate(
        [
            np.pad(batch, ((0, 0), (0, 0), (0, width - batch.shape[2]), (0, 0)), constant_values=255)
            for batch in batches
        ]
    )
