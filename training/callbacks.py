"""What happens at the end of each epoch: figures, pictures, the checkpoint, and the end of the run."""

import contextlib
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np

from training import adversary, checkpoint, distribute, normalisation
from training.recipe import GenerationRecipe
from training.task import Task

CHECKPOINT, BEST = "checkpoint.npz", "best.npz"


class EndOfEpoch(keras.callbacks.Callback):
    """Validates, shows and saves; stops the run when it no longer gets better.

    Args:
        task: What is trained.
        workdir: Folder of the run.
        history: The epochs that are done; those that follow are appended.
        run: What tells this run from others, for its checkpoint.
    """

    def __init__(self, task: Task, workdir: Path, history: list[dict[str, Any]], run: dict[str, Any]) -> None:
        super().__init__()
        self._run = run
        self.history = history
        self._task = task
        self._workdir = workdir
        self._started = time.monotonic()

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        self._one_device = distribute.OneDevice(self.model)
        if distribute.is_first():
            self._show(len(self.history), {}, self._task.samples())

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        first = distribute.is_first()
        with averaged(self.model):
            with self._one_device.current() as model, normalisation.refitted(model, self._task):
                figures = self._task.evaluate(model)
                pictures = self._task.pictures(model)
            self.history.append(
                {
                    "training": {name: float(value) for name, value in (logs or {}).items()},
                    "validation": figures,
                    "seconds": time.monotonic() - self._started,
                }
            )
            self._started = time.monotonic()
            if first and self._task.recipe.patience and best_epoch(self.history, self._task.goal) == epoch:
                checkpoint.save(self._workdir / BEST, self.model.variables, {"epoch": epoch})
        if first:
            checkpoint.save(
                self._workdir / CHECKPOINT,
                adversary.state(self.model),
                {"history": self.history, "run": self._run},
            )
            self._show(epoch, figures, pictures)
            print(self._summary(), flush=True)
        # Figures of unlike machines may differ in their last digits: the first one decides for all.
        self.model.stop_training = distribute.gather(np.bool_(has_ended(self.history, self._task)))[0]

    def _show(self, epoch: int, figures: dict[str, float], pictures: dict[str, np.ndarray]) -> None:
        import tensorflow as tf

        save_pictures(self._workdir / "pictures", pictures)
        with tf.summary.create_file_writer(str(self._workdir / "logs" / "validation")).as_default():
            for name, value in figures.items():
                tf.summary.scalar(name, value, step=epoch)
            for name, picture in pictures.items():
                tf.summary.image(name, picture.reshape(1, *picture.shape[:2], -1), step=epoch)

    def _summary(self) -> str:
        last, recipe = self.history[-1], self._task.recipe
        figures = "  ".join(f"{name} {value:.4f}" for name, value in last["validation"].items())
        left = (recipe.epochs - len(self.history)) * float(
            np.mean([past["seconds"] for past in self.history])
        )
        return f"epoch {len(self.history)} of {recipe.epochs}: {figures}; {_duration(left)} left"


class FallingRates(keras.callbacks.Callback):
    """Lets the learning rates of a generator and its discriminator fall, in equal steps from epoch to epoch.

    Args:
        recipe: Tells the rates at the start of the run, and its last share in which they fall towards zero.
    """

    def __init__(self, recipe: GenerationRecipe) -> None:
        super().__init__()
        self._recipe = recipe

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        recipe = self._recipe
        left = (recipe.epochs - epoch) / (recipe.fall * recipe.epochs) if recipe.fall else 1.0
        share = min(1.0, left)
        self.model.optimizer.learning_rate = share * recipe.learning_rate
        self.model.discriminator_optimizer.learning_rate = share * (
            recipe.discriminator_rate or recipe.learning_rate
        )


def save_pictures(folder: Path, pictures: dict[str, np.ndarray]) -> list[Path]:
    """Writes `NAME.png` of each picture, uint8 (H, W) or (H, W, 3); each file whole or not at all.

    Returns:
        The files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / f"{name}.png" for name in pictures]
    for target, picture in zip(files, pictures.values(), strict=True):
        _, png = cv2.imencode(".png", picture if picture.ndim == 2 else picture[..., ::-1])
        with checkpoint.replacing(target) as file:
            file.write(png.tobytes())
    return files


def best_epoch(history: list[dict[str, Any]], goal: str) -> int:
    """The number of the epoch with the best first figure, the earliest of equal ones."""
    firsts = [next(iter(past["validation"].values())) for past in history]
    known = [-math.inf if math.isnan(value) else value if goal == "max" else -value for value in firsts]
    return int(np.argmax(known))


def has_ended(history: list[dict[str, Any]], task: Task) -> bool:
    """Whether all epochs are done, or none was the best for as many as the recipe is patient."""
    patience = task.recipe.patience
    if not history:
        return False
    waited = len(history) - 1 - best_epoch(history, task.goal)
    return len(history) >= task.recipe.epochs or bool(patience and waited >= patience)


@contextlib.contextmanager
def averaged(model: keras.Model) -> Iterator[None]:
    """Inside, the model has the moving average of its weights, where the optimiser keeps one."""
    optimizer = model.optimizer
    if not getattr(optimizer, "use_ema", False):
        yield
        return
    variables = adversary.averaged_variables(model)
    current = [np.asarray(variable).copy() for variable in variables]
    optimizer.finalize_variable_values(variables)
    for variable in variables:  # JAX lets both share memory, and prediction gives it away.
        variable.assign(np.asarray(variable).copy())
    try:
        yield
    finally:
        for variable, value in zip(variables, current, strict=True):
            variable.assign(value)


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"
