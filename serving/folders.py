"""Folders that appear whole or not at all."""

import contextlib
import ctypes
import os
import shutil
import uuid
from collections.abc import Collection, Iterator
from pathlib import Path

_HERE = -100  # AT_FDCWD of Linux
_EXCHANGE = 2  # RENAME_EXCHANGE
_written: set[str] = set()
"""The names of the unfinished folders of this process."""


@contextlib.contextmanager
def replacing(folder: Path, names: Collection[str]) -> Iterator[Path]:
    """An empty folder that takes the place of `folder` when the block ends without an error.

    Killed at any moment, `folder` holds the old files or the new ones. What a killed process left
    beside it goes away with the next one.

    Args:
        folder: Made if needed, with its parents; may hold files of an earlier time.
        names: All names that may stand in it.

    Raises:
        ValueError: `folder` holds something else, which would be lost.
        OSError: The disk is full, or `folder` may not be written; it is as it was before.
    """
    folder = folder.resolve()
    strangers = sorted({path.name for path in folder.iterdir()} - set(names)) if folder.exists() else []
    if strangers:
        raise ValueError(
            f"`{folder}` would be replaced, and holds files of other origin. Received: {strangers[:5]}."
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(folder)
    fresh = folder.with_name(f".{folder.name}.{uuid.uuid4().hex}.{os.getpid()}.unfinished")
    _written.add(fresh.name)
    fresh.mkdir()
    try:
        yield fresh
        for path in [*fresh.rglob("*"), fresh]:
            _sync(path)
        _put(fresh, folder)
        _sync(folder.parent)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
        _written.discard(fresh.name)


def _remove_leftovers(folder: Path) -> None:
    for leftover in folder.parent.glob(f".{folder.name}.*.unfinished"):
        if leftover.name not in _written and not _writes(leftover.name.split(".")[-2]):
            shutil.rmtree(leftover, ignore_errors=True)


def _writes(process: str) -> bool:
    """Whether a process of this number is there, other than this one: numbers come again in containers."""
    try:
        number = int(process)
        os.kill(number, 0)
    except PermissionError:
        return True  # Somebody else's.
    except (ProcessLookupError, ValueError):
        return False
    return number != os.getpid()


def _put(fresh: Path, folder: Path) -> None:
    """Moves `fresh` to `folder`; where there was a folder, it stands at `fresh` or is gone afterwards."""
    if not folder.exists():
        fresh.rename(folder)
    elif not _exchanged(fresh, folder):
        old = fresh.with_name(f"{fresh.name}.old")
        folder.rename(old)
        fresh.rename(folder)
        shutil.rmtree(old, ignore_errors=True)


def _exchanged(one: Path, other: Path) -> bool:
    """Exchanges two folders in one step, where the system can."""
    try:
        rename = ctypes.CDLL(None).renameat2
    except (AttributeError, OSError, TypeError):
        return False
    return rename(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE) == 0


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
