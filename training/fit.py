"""The only training path: `fit(recipe, workdir)`. The folder is the run; running it again resumes it."""

import dataclasses
import json
import os
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np

import zoo
from training import checkpoint, metrics, pipeline, sources
from training.recipe import CharacterRecipe
from zoo import charset


def fit(recipe: CharacterRecipe, workdir: Path) -> keras.Model:
    """Trains a model, or goes on with the run that stands in `workdir`.

    Writes `checkpoint.npz` after each epoch, curves for TensorBoard under `logs/`, and at the end
    `model.weights.h5` and `result.json`.

    Args:
        recipe: What to train on what.
        workdir: Folder of the run; made if needed.

    Returns:
        The trained model.

    Raises:
        ValueError: The data folder holds no training hands, or a checkpoint does not fit.
    """
    workdir.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    keras.utils.set_random_seed(recipe.seed)
    model = zoo.create(recipe.model, classes=len(charset.CHARACTERS), **recipe.sizes)
    model.compile(
        optimizer=_optimizer(recipe),
        loss={"logits": keras.losses.SparseCategoricalCrossentropy(from_logits=True)},
        metrics={"logits": [keras.metrics.SparseCategoricalAccuracy(name="accuracy")]},
        jit_compile=False,  # oneDNN is faster on a CPU.
    )
    state = workdir / "checkpoint.npz"
    done = checkpoint.load(state, model)
    train, validation = read_training_sources(recipe), read_validation_hands(recipe.data)
    sampler = pipeline.CellSampler.of(
        train, recipe.batch_size, recipe.real_weight, recipe.blank_share, recipe.seed
    )
    logs = keras.callbacks.TensorBoard(workdir / "logs", write_graph=False)
    figures: dict[str, float] = {}
    for epoch in range(done, recipe.epochs):
        model.fit(
            pipeline.train_batches(sampler, epoch * recipe.steps, recipe.steps),
            initial_epoch=epoch,
            epochs=epoch + 1,
            shuffle=False,
            callbacks=[logs, keras.callbacks.TerminateOnNaN(raise_error=True)],
        )
        checkpoint.save(state, model, epoch + 1)
        figures = metrics.accuracy_by_writer(model, validation)
        print("  ".join(f"{writer} {share:.4f}" for writer, share in figures.items()), flush=True)
    figures = figures or metrics.accuracy_by_writer(model, validation)
    model.save_weights(workdir / "unfinished.weights.h5")
    os.replace(workdir / "unfinished.weights.h5", workdir / "model.weights.h5")
    write_json(
        workdir / "result.json",
        {
            "model": recipe.model,
            "recipe": dataclasses.asdict(dataclasses.replace(recipe, data=Path("data"), fonts=())),
            "parameters": model.count_params(),
            "training": {
                "pictures": recipe.epochs * recipe.steps * recipe.batch_size,
                "hands": [source.writer for source in train if source.real],
                "fonts": [source.writer for source in train if not source.real],
                "classes_without_a_sample": len(charset.CHARACTERS)
                - 1
                - len(np.unique(np.concatenate([source.labels for source in train]))),
                "seconds_of_the_last_start": round(time.monotonic() - started),
            },
            "validation": {"top1_float32": figures},
        },
    )
    return model


def read_training_sources(recipe: CharacterRecipe) -> list[sources.Glyphs]:
    """All hands of `data/hands/train` and all fonts of a recipe."""
    hands = read_hands(recipe.data / "hands" / "train")
    fonts = [
        sources.read_font(sorted(font.glob("*.woff2")) if font.is_dir() else font) for font in recipe.fonts
    ]
    return hands + fonts


def read_validation_hands(data: Path) -> list[sources.Glyphs]:
    """All hands of `data/hands/dev`: writers that no model trains on."""
    return read_hands(data / "hands" / "dev")


def read_hands(folder: Path) -> list[sources.Glyphs]:
    """All hands of a folder.

    Raises:
        ValueError: The folder holds none.
    """
    files = sorted(folder.glob("*.npz"))
    if not files:
        raise ValueError(f"`data` must hold {folder.parent.name}/{folder.name}/*.npz. Received: {folder}.")
    return [sources.read_hand(file) for file in files]


def _optimizer(recipe: CharacterRecipe) -> keras.optimizers.Optimizer:
    steps = recipe.epochs * recipe.steps
    rise = max(1, round(recipe.warmup * steps))
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0, max(1, steps - rise), warmup_target=recipe.learning_rate, warmup_steps=rise
    )
    optimizer = keras.optimizers.AdamW(
        schedule, weight_decay=recipe.weight_decay, global_clipnorm=recipe.clip_norm
    )
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Writes a JSON file whole or not at all."""
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text(
        json.dumps(content, ensure_ascii=False, indent=1, default=str) + "\n", encoding="utf-8"
    )
    os.replace(temporary, path)
