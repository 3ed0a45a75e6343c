"""The model zoo: one readable table of names, built on demand."""

import difflib
import hashlib
import importlib
import inspect
import json
import os
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo import charset

if TYPE_CHECKING:
    import keras

MODELS = {
    "vgg16": "zoo.vgg:vgg16",
    **{f"efficientnet_b{phi}": f"zoo.efficientnet:b{phi}" for phi in range(8)},
    "hanzinet": "zoo.hanzinet:hanzinet",
    "hanzinet_slim": "zoo.hanzinet:hanzinet_slim",
    "hanzinet_m": "zoo.hanzinet:hanzinet_m",
    "hanzinet_s": "zoo.hanzinet:hanzinet_s",
    "crnn": "zoo.crnn:crnn",
    "crnn_vgg": "zoo.crnn:crnn_vgg",
    "linenet": "zoo.linenet:linenet",
    "line_s": "zoo.linenet:line_s",
    "ensemble": "zoo.ensemble:ensemble",
    "craft": "zoo.craft:craft",
    "craft_s": "zoo.craft:craft_s",
    "dbnet": "zoo.dbnet:dbnet",
    "dbnet_s": "zoo.dbnet:dbnet_s",
    "gan": "zoo.gan:gan",
    "dcgan": "zoo.dcgan:dcgan",
    "wgan": "zoo.wgan:wgan",
    "wgan_gp": "zoo.wgan:wgan",
    "cgan": "zoo.cgan:cgan",
    "pix2pix": "zoo.pix2pix:pix2pix",
    "cyclegan": "zoo.cyclegan:cyclegan",
    "fewshot": "zoo.fewshot:fewshot",
    "progan": "zoo.progan:progan",
    "stylegan": "zoo.stylegan:stylegan",
}

PRESETS = Path(__file__).parent / "presets"
"""Trained models that come with the package, a folder each."""

WEIGHTS = "model.weights.h5"


class UnknownNameError(ValueError):
    """No model, preset or recipe has this name."""


def names() -> list[str]:
    """The names of all models, in the order of the table."""
    return list(MODELS)


def create(name: str, **sizes: Any) -> "keras.Model":
    """Builds a model of the zoo with fresh weights.

    Args:
        name: One of `names()`.
        sizes: What its builder takes, such as `classes=5000`.

    Raises:
        UnknownNameError: No model has this name.
    """
    model = _builder(name)(**sizes)
    # What `save` writes, so that `load` can build the same model from code.
    model.built_by_zoo = {"model": name, "sizes": sizes}
    return model


def takes(name: str, size: str) -> bool:
    """Whether `create` takes this size of a model, such as "channels".

    Raises:
        UnknownNameError: No model has this name.
    """
    known = inspect.signature(_builder(name)).parameters
    return size in known or any(one.kind is one.VAR_KEYWORD for one in known.values())


def save(model: "keras.Model", folder: str | Path) -> None:
    """Saves a model that `create` or `load` made: its name, its sizes and its weights, no code.

    Args:
        model: The model.
        folder: Made if needed; each file in it appears whole or not at all.

    Raises:
        ValueError: The model is not one of the zoo's.
    """
    built = getattr(model, "built_by_zoo", None)
    if built is None:
        raise ValueError(f"`model` must come from zoo.create() or zoo.load(). Received: {model!r}.")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        weights = Path(temporary) / WEIGHTS
        save_weights(model, weights)
        digest = {"sha256": hashlib.sha256(weights.read_bytes()).hexdigest(), "bytes": weights.stat().st_size}
        description = Path(temporary) / "model.json"
        content = {**built, "files": {WEIGHTS: digest}}
        description.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        os.replace(weights, folder / WEIGHTS)
        os.replace(description, folder / "model.json")


def save_weights(model: "keras.Model", file: Path) -> None:
    """Writes the weights of a model of the zoo, `*.weights.h5`, without the state of its optimizer."""
    bare = create(model.built_by_zoo["model"], **model.built_by_zoo["sizes"])
    bare.set_weights(model.get_weights())
    bare.save_weights(file)


def load(preset: str | Path) -> "keras.Model":
    """Builds a model from code and loads its weights.

    Args:
        preset: Name of a trained model that comes with the package, or a folder that `save`, a
            finished run or `hanzoo preset` wrote.

    Raises:
        UnknownNameError: There is no such model.
        ValueError: Its files are missing or damaged.
    """
    description = describe(preset)
    weights = _folder(preset) / WEIGHTS
    try:
        model = create(description["model"], **description["sizes"])
        digest = description["files"][WEIGHTS]["sha256"]
        content = weights.read_bytes()
    except (UnknownNameError, KeyError, TypeError, OSError) as error:
        hint = (
            " The package brings what a device needs; weights to train on are in the repository of hanzoo."
            if weights.parent.parent == PRESETS and not weights.exists()
            else ""
        )
        raise ValueError(f"{weights.parent}: holds no model of the zoo ({error!r}).{hint}") from error
    if hashlib.sha256(content).hexdigest() != digest:
        raise ValueError(f"{weights}: damaged: its sha256 is not the one that was written beside it.")
    model.load_weights(weights)
    return model


def describe(preset: str | Path) -> dict[str, Any]:
    """What stands beside the weights of a model: its name, its sizes, and of a trained one its figures.

    Raises:
        UnknownNameError: There is no such model.
        ValueError: A folder holds none, or its description is damaged.
    """
    folder = _folder(preset)
    for file in (folder / "model.json", folder / "result.json"):
        if file.is_file():
            try:
                description = json.loads(file.read_text(encoding="utf-8"))
            except ValueError as error:
                raise ValueError(f"{file}: is no JSON ({error}).") from error
            if not isinstance(description, dict):
                raise ValueError(f"{file}: must hold an object that describes a model.")
            return description
    if not isinstance(preset, str):
        raise ValueError(f"{folder}: holds no trained model: neither model.json nor result.json is there.")
    bundled = _bundled()
    hint = did_you_mean(preset, bundled)
    if preset in MODELS:
        hint = f" `hanzoo train {preset}` trains one; the repository holds some that the package lacks."
    raise UnknownNameError(f"No trained model {preset!r}.{hint} Bundled: {', '.join(bundled)}.")


def characters(preset: str | Path) -> tuple[str, ...]:
    """The character of each class of a trained model: those of the charset, then its own."""
    return (*charset.CHARACTERS, *describe(preset).get("added_characters", ""))


def with_classes(model: "keras.Model", classes: int) -> "keras.Model":
    """The same model with more classes; the old ones keep their weights, the new ones start fresh.

    Args:
        model: From `create` or `load`, its classes last in the shape of whatever depends on them.
        classes: Number of classes, not fewer than before.
    """
    built = model.built_by_zoo
    grown = create(built["model"], **{**built["sizes"], "classes": classes})
    for new, old in zip(grown.weights, model.weights, strict=True):
        value = np.asarray(new).copy()
        value[..., : old.shape[-1]] = np.asarray(old)
        new.assign(value)
    return grown


def with_size(model: "keras.Model", size: int) -> "keras.Model":
    """The same model for pictures of another size; kernels that span the whole map are stretched with it.

    Args:
        model: From `create` or `load`; only its depthwise kernels depend on the size.
        size: Side of the image in pixels.

    Raises:
        ValueError: Other weights depend on the size.
    """
    import keras

    built = model.built_by_zoo
    resized = create(built["model"], **{**built["sizes"], "size": size})
    for new, old in zip(resized.weights, model.weights, strict=True):
        value = np.asarray(old)
        if new.shape != old.shape:
            if len(new.shape) != 4 or new.shape[2:] != old.shape[2:]:
                raise ValueError(
                    f"`model` must have no weights that depend on its size. Received: {old.path} of {old.shape}."
                )
            # The sum over the map stays what it was.
            shrunk = np.prod(old.shape[:2]) / np.prod(new.shape[:2])
            map_of_channels = keras.ops.image.resize(value[None, ..., 0], new.shape[:2])[0]
            value = np.asarray(map_of_channels)[..., None] * np.float32(shrunk)
        new.assign(value)
    return resized


def _builder(name: str) -> "Callable[..., keras.Model]":
    if name not in MODELS:
        raise UnknownNameError(
            f"No model named {name!r}.{did_you_mean(name, MODELS)} `zoo.names()` lists all {len(MODELS)}."
        )
    module, builder = MODELS[name].split(":")
    return getattr(importlib.import_module(module), builder)


def _bundled() -> list[str]:
    return sorted(file.parent.name for file in PRESETS.glob("*/result.json"))


def _folder(preset: str | Path) -> Path:
    return PRESETS / preset if preset in _bundled() else Path(preset)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A hint at the nearest of the known names, with a space before it; empty where none is near."""
    close = difflib.get_close_matches(name, list(known), 1)
    return f" Did you mean {close[0]!r}?" if close else ""
