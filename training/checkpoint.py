"""Checkpoints that a kill at any moment leaves whole."""

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import keras
import numpy as np


def save(path: Path, variables: list[keras.Variable], progress: dict[str, Any]) -> None:
    """Writes variables, and how far the run is.

    Args:
        path: The file; it appears whole or stays as it was.
        variables: What to write, in an order that does not change.
        progress: What JSON can hold.

    Raises:
        OSError: The disk is full, or the folder cannot be written.
    """
    arrays: dict[str, Any] = {f"v{index}": np.asarray(variable) for index, variable in enumerate(variables)}
    with replacing(path) as file:
        np.savez(file, progress=np.array(json.dumps(progress)), **arrays)


def load(path: Path, variables: list[keras.Variable]) -> dict[str, Any] | None:
    """Restores what `save` wrote and returns its progress; None where there is no checkpoint.

    Raises:
        ValueError: The file is damaged or belongs to another model.
    """
    if not path.exists():
        return None
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as data:
            arrays = [data[f"v{index}"] for index in range(len(data.files) - 1)]
            progress = json.loads(str(data["progress"]))
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
    return progress


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """A file to write that takes the place of `path` once it is written and on the disk.

    Raises:
        OSError: The disk is full, or the folder cannot be written; `path` stays as it was.
    """
    temporary = path.with_name(path.name + ".tmp")
    try:
        with open(temporary, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise OSError(
            error.errno, f"{error.strerror or error}; the file that was there stays as it was", str(path)
        ) from error
