"""The models that an export takes by name, and the inputs that it measures them on."""

from typing import Any

import cv2
import keras
import numpy as np

import zoo
from training import pipeline
from training.characters import CharacterTask
from training.task import Task
from zoo import charset

# Batches as training sees them, from a step that no run reaches.
_UNSEEN_STEP = 10**9
_COUNT = 512
_MOST = 4096
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
        return zoo.create(name, classes=len(charset.CHARACTERS)), False
    return zoo.load(name), True


def of_task(task: Task, part: int = 0) -> dict[str, np.ndarray]:
    """Pictures as training sees them, which no run has seen: `image`, uint8 (n, H, W, C), n about 512.

    Args:
        task: The task.
        part: Other parts are other pictures.
    """
    steps = -(-_COUNT // task.recipe.batch_size)
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
    """Inputs for a model whose data are not at hand: random strokes on white, and normal noise."""
    rng = np.random.default_rng(seed)
    return {tensor.name: _made_up(tensor, count, rng) for tensor in keras.tree.flatten(model.input)}


def _made_up(tensor: Any, count: int, rng: np.random.Generator) -> np.ndarray:
    shape = [side or _OPEN_SIDE for side in tensor.shape[1:]]
    if tensor.dtype != "uint8":
        return rng.normal(size=(count, *shape)).astype(tensor.dtype)
    height, width, channels = shape
    pictures = np.full((count, height, width, channels), 255, np.uint8)
    for picture in pictures:
        drawn = picture[..., 0].copy()
        for _ in range(5 * -(-width // height)):
            # Strokes of a character: none is longer than the line is high.
            points = rng.integers(0, (width, height)) + rng.integers(-height // 3, height // 3 + 1, (3, 2))
            cv2.polylines(drawn, [points.astype(np.int32)], False, 0, max(1, height // 24), cv2.LINE_AA)
        picture[...] = drawn[..., None]
    return pictures


def _joined(batches: list[np.ndarray]) -> np.ndarray:
    """One array of batches; the narrower ones are padded with white on the right."""
    width = max(batch.shape[2] for batch in batches)
    return np.concatenate(
        [
            np.pad(batch, ((0, 0), (0, 0), (0, width - batch.shape[2]), (0, 0)), constant_values=255)
            for batch in batches
        ]
    )
