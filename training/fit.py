"""The only training path: `fit(recipe, workdir)`. The folder is the run; running it again resumes it."""

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

import zoo
from training import adversary, callbacks, checkpoint, distribute, normalisation
from training import recipe as recipes
from training.recipe import CharacterRecipe, GenerationRecipe, Recipe
from training.task import Task
from zoo import gan

_MAY_CHANGE = ("epochs", "patience", "learning_rate", "clip_norm")
"""What a run may go on with after it was stopped: for longer, or more carefully."""


def fit(recipe: Recipe, workdir: Path, across: distribute.Across | None = None) -> keras.Model:
    """Trains a model, or goes on with the run that stands in `workdir`.

    Writes after each epoch `checkpoint.npz`, `pictures/`, and curves for TensorBoard under `logs/`; at
    the end `model.weights.h5` and `result.json`.

    Args:
        recipe: What to train on what.
        workdir: Folder of the run; made if needed. Processes on several machines share it.
        across: What to train on, see `training.distribute`; None for one device.

    Returns:
        The trained model; of a generator, with what it was trained against.

    Raises:
        ValueError: The data cannot be used, or `workdir` holds a run of another recipe or other data.
        RuntimeError: The loss became NaN or infinite; the checkpoint of the epoch before stays.
        OSError: The disk is full; the last checkpoint stays.
    """
    scope = distribute.start(across, recipe.batch_size)
    first = distribute.is_first()
    workdir.mkdir(parents=True, exist_ok=True)
    keras.utils.set_random_seed(recipe.seed)
    keras.config.set_dtype_policy(recipe.precision)
    with scope:
        task: Task = recipe.task()
        model = task.model
        task.compile(model)
        if keras.backend.backend() == "jax":
            model.jit_compile = True  # Otherwise JAX runs operation by operation.
        run = _told(task)
        history = _resume(model, workdir, run)
    if task.skipped and first:
        (workdir / "skipped.txt").write_text("\n".join(task.skipped) + "\n", encoding="utf-8")
        print(f"{len(task.skipped)} files cannot be used; {workdir / 'skipped.txt'} names them", flush=True)
    if not callbacks.has_ended(history, task):
        done = len(history)
        alone_on_tensorflow = across is None and keras.backend.backend() == "tensorflow"
        if alone_on_tensorflow and not isinstance(model, gan.Adversarial):
            _build_metrics(model, task.batches(done * recipe.steps, 1))
        model.fit(
            task.batches(done * recipe.steps, (recipe.epochs - done) * recipe.steps),
            initial_epoch=done,
            epochs=recipe.epochs,
            steps_per_epoch=recipe.steps,
            shuffle=False,
            verbose="auto" if first else 0,
            callbacks=[
                *([keras.callbacks.TensorBoard(workdir / "logs", write_graph=False)] if first else []),
                keras.callbacks.TerminateOnNaN(raise_error=True),
                *([callbacks.FallingRates(recipe)] if isinstance(recipe, GenerationRecipe) else []),
                callbacks.EndOfEpoch(task, workdir, history, run),
            ],
        )
    if recipe.patience:
        checkpoint.load(workdir / callbacks.BEST, model.variables)
    elif recipe.ema:
        model.optimizer.finalize_variable_values(adversary.averaged_variables(model))
    if first:
        with distribute.OneDevice(model).current() as whole:
            _finish(whole, task, history, workdir)
    distribute.gather(np.int32(len(history)))  # No process ends before the files are whole.
    return model


def evaluate(model: str | Path, data: Path | None = None, fonts: Sequence[Path] = ()) -> dict[str, float]:
    """The figures of a trained model on validation data.

    Args:
        model: Name of a preset, or folder of a finished run.
        data: Folder as the recipe of the model takes it.
        fonts: Fonts as the recipe takes them.

    Raises:
        ValueError: There is no such model, or the data cannot be used.
    """
    task = task_of(model, data, fonts)
    return task.evaluate(task.model)


def task_of(
    model: str | Path,
    data: Path | None = None,
    fonts: Sequence[Path] = (),
    glyph_font: Path | None = None,
    strokes: Sequence[Path] = (),
    sets: Sequence[str] = (),
) -> Task:
    """The task that a trained model was trained on, with the model.

    Arguments and errors as in `evaluate`; `glyph_font` is the font of the characters that a generator starts from,
    `strokes` and `sets` are as the recipe takes them.
    """
    described = zoo.describe(model)
    if "recipe" not in described:
        raise ValueError(f"`model` must be a preset or a finished run, with a recipe. Received: {model}.")
    recipe = recipes.from_json(described["recipe"])
    given: dict[str, Any] = {
        "data": data,
        "fonts": tuple(fonts),
        "glyph_font": glyph_font,
        "strokes": tuple(strokes),
        "sets": tuple(sets),
    }
    changes = {name: value for name, value in given.items() if value and hasattr(recipe, name)}
    if isinstance(recipe, CharacterRecipe):  # What holds for training only.
        changes |= {"hands": True, "add_characters": False}
        changes |= dict.fromkeys(("teacher", "head_from", "narrow_from", "widen_from"))
    if isinstance(recipe, GenerationRecipe):  # The model tells what was held out from it.
        changes["also_held_out"] = ""
    return dataclasses.replace(recipe, start=str(model), **changes).task()


def _told(task: Task) -> dict[str, Any]:
    """What stays the same in a run however often it is resumed, as JSON holds it."""
    recipe = {name: value for name, value in recipes.to_json(task.recipe).items() if name not in _MAY_CHANGE}
    sources = recipes.sources_of(task.recipe)
    del sources["data"]  # The folder may be called otherwise elsewhere; what it holds is told.
    run = {"recipe": recipe, "sources": sources, "data": task.facts()["data"]}
    return json.loads(json.dumps(run, default=str))


def _resume(model: keras.Model, workdir: Path, run: dict[str, Any]) -> list[dict[str, Any]]:
    """The history of the run so far, and its state in the model.

    Raises:
        ValueError: The checkpoint is of another run than `run`, what `_told` tells.
    """
    path = workdir / callbacks.CHECKPOINT
    distribute.check_shared(path)
    progress = checkpoint.load(path, adversary.state(model))
    if progress is None:
        return []
    parts = ((run[part], progress.get("run", {}).get(part, {})) for part in run)
    changed = sorted(name for now, then in parts for name in now if now[name] != then.get(name))
    if changed:
        raise ValueError(
            f"{path}: the run that stands there has other options or data ({', '.join(changed)}). "
            "Train in another folder, or delete it."
        )
    return progress["history"]


def _build_metrics(model: keras.Model, batches: tf.data.Dataset) -> None:
    """Makes the variables of losses and metrics, which Keras makes in the first step; then TensorFlow traces it again."""
    images, targets = next(iter(batches))
    outputs = model(images, training=False)
    model.compute_loss(images, targets, outputs, training=False)
    model.compute_metrics(images, targets, outputs)
    model.reset_metrics()


def _finish(model: keras.Model, task: Task, history: list[dict[str, Any]], workdir: Path) -> None:
    """Writes the weights and then `result.json`, which says that the run is whole."""
    recipe = task.recipe
    normalisation.refit(model, task)
    model = adversary.product(model)
    weights = workdir / zoo.WEIGHTS
    zoo.save_weights(model, workdir / "unfinished.weights.h5")
    (workdir / "unfinished.weights.h5").replace(weights)
    best = callbacks.best_epoch(history, task.goal) if recipe.patience else len(history) - 1
    write_json(
        workdir / "result.json",
        {
            **model.built_by_zoo,
            "recipe": recipes.to_json(recipe),
            "parameters": model.count_params(),
            "training": {
                "pictures": len(history) * recipe.steps * recipe.batch_size,
                "epochs": len(history),
                "seconds": round(sum(past["seconds"] for past in history)),
            },
            **task.facts(),
            "validation": history[best]["validation"],
            "history": history,
            "files": {
                zoo.WEIGHTS: {
                    "sha256": hashlib.sha256(weights.read_bytes()).hexdigest(),
                    "bytes": weights.stat().st_size,
                }
            },
        },
    )


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Writes a JSON file whole or not at all; makes its folder if needed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with checkpoint.replacing(path) as file:
        file.write(json.dumps(content, ensure_ascii=False, indent=1, default=str).encode() + b"\n")
