"""Checkpoints that a kill at any moment leaves whole."""

import os
from pathlib import Path

import keras
import numpy as np


def save(path: Path, model: keras.Model, epoch: int) -> None:
    """Writes all variables of a compiled model, those of the optimiser too, to a temporary file and renames it."""
    arrays = {f"v{index}": np.asarray(variable) for index, variable in enumerate(_variables(model))}
    temporary = path.with_name(path.name + ".tmp")
    with open(temporary, "wb") as file:
        np.savez(file, allow_pickle=False, epoch=np.int64(epoch), **arrays)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def load(path: Path, model: keras.Model) -> int:
    """Restores what `save` wrote: the number of epochs that are done; 0 where there is no checkpoint.

    Raises:
        ValueError: The file is damaged or belongs to another model.
    """
    if not path.exists():
        return 0
    variables = _variables(model)
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as data:
            arrays = [data[f"v{index}"] for index in range(len(data.files) - 1)]
            epoch = int(data["epoch"])
    except Exception as error:
        raise ValueError(
            f"{path}: the checkpoint cannot be read ({error}). Delete it to start anew."
        ) from error
    if [array.shape for array in arrays] != [tuple(variable.shape) for variable in variables]:
        raise ValueError(
            f"{path}: the checkpoint belongs to a model of other sizes. Train in another folder, or delete it."
        )
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)
    return epoch


def _variables(model: keras.Model) -> list[keras.Variable]:
    model.optimizer.build(model.trainable_variables)
    return [*model.variables, *model.optimizer.variables]
