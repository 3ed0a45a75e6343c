"""The model zoo: one readable table of names, built on demand."""

import difflib
import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras

MODELS = {
    "hanzinet": "zoo.hanzinet:hanzinet",
    "hanzinet_m": "zoo.hanzinet:hanzinet_m",
}


def names() -> list[str]:
    """The names of all models, in the order of the table."""
    return list(MODELS)


def create(name: str, **sizes: Any) -> "keras.Model":
    """Builds a model of the zoo with fresh weights.

    Args:
        name: One of `names()`.
        sizes: What its builder takes, such as `classes=5000`.

    Raises:
        ValueError: No model has this name.
    """
    if name not in MODELS:
        close = difflib.get_close_matches(name, MODELS, 1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise ValueError(f"No model named {name!r}.{hint} `zoo.names()` lists all {len(MODELS)}.")
    module, builder = MODELS[name].split(":")
    return getattr(importlib.import_module(module), builder)(**sizes)
