"""Sentences to write: from files of natural text, or invented where there are none."""

import lzma
from collections.abc import Iterable, Sequence, Set
from pathlib import Path
from typing import TextIO

import numpy as np

from training.sources import Glyphs
from zoo import charset, kinds

_INVENTED = 2000  # Sentences.
_PASSAGE = 8  # Chinese characters that are no coincidence.
HOLD_OUT = 20  # Every twentieth line measures what learns from the others.


def open_text(file: Path) -> TextIO:
    """Opens a text to read, UTF-8, plain or compressed (`*.xz`)."""
    if file.suffix == ".xz":
        return lzma.open(file, "rt", encoding="utf-8")
    return open(file, encoding="utf-8")


def read_texts(files: Sequence[Path]) -> tuple[str, ...]:
    """The lines of text files, empty ones left out.

    Args:
        files: UTF-8, one sentence a line, plain or compressed (`*.xz`).

    Raises:
        ValueError: A file is no such text.
        OSError: A file cannot be read.
    """
    lines: list[str] = []
    for file in files:
        try:
            with open_text(file) as stream:
                lines += [line for line in stream.read().split("\n") if line.strip()]
        except (UnicodeDecodeError, lzma.LZMAError, EOFError) as error:
            raise ValueError(f"{file}: is no UTF-8 text ({error}).") from error
    return tuple(lines)


def of_folder(data: Path) -> list[Path]:
    """The text files of a folder of training data, `text/*.txt` and `text/*.txt.xz`."""
    return sorted(file for pattern in ("*.txt", "*.txt.xz") for file in (data / "text").glob(pattern))


def passages_of(files: Sequence[Path]) -> set[str]:
    """The passages of files of text, whose lines may break anywhere.

    Raises:
        ValueError: A file holds none.
    """
    found: set[str] = set()
    for file in files:
        of_file = _passages("".join(read_texts([file])))
        if not of_file:
            raise ValueError(f"{file}: must hold {_PASSAGE} Chinese characters or more.")
        found |= of_file
    return found


def split(lines: Sequence[str]) -> tuple[list[str], list[str]]:
    """Parts lines into those that train and those that measure, which share no passage.

    Every twentieth line measures. Of the others, those that repeat a passage of it are left out; where that leaves
    nothing to train on, all lines train and none measures.
    """
    held = list(lines[HOLD_OUT - 1 :: HOLD_OUT])
    others = [line for index, line in enumerate(lines, 1) if index % HOLD_OUT]
    kept = apart(others, {passage for line in held for passage in _passages(line)})
    return (kept, held) if kept else (list(lines), [])


def apart(lines: Iterable[str], passages: Set[str]) -> list[str]:
    """The lines that share no passage with those of `passages_of`."""
    return [line for line in lines if not passages or passages.isdisjoint(_passages(line))]


def _passages(line: str) -> set[str]:
    """All runs of eight Chinese characters of a line, without what stands between them."""
    chinese = "".join(one for one in line if kinds.kind(one) == "Chinese")
    return {chinese[start : start + _PASSAGE] for start in range(len(chinese) - _PASSAGE + 1)}


def invented(writers: Sequence[Glyphs], seed: int) -> tuple[str, ...]:
    """Sentences of random Chinese characters that the writers have, with a comma and a full stop each.

    Raises:
        ValueError: No writer has a Chinese character.
    """
    labels = np.unique(np.concatenate([writer.labels for writer in writers]))
    names = [charset.CHARACTERS[label] for label in labels]
    known = [name for name in names if kinds.kind(name) == kinds.KINDS[0]]
    if not known:
        raise ValueError("`writers` must hold Chinese characters. Received: none.")
    rng = np.random.default_rng(seed)

    def clause() -> str:
        return "".join(rng.choice(known, rng.integers(4, 14)).tolist())

    return tuple(f"{clause()}，{clause()}。" for _ in range(_INVENTED))
