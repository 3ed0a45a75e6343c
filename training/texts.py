"""Sentences to write: from files of natural text, or invented where there are none."""

import lzma
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from training.sources import Glyphs
from zoo import charset, kinds

_INVENTED = 2000  # Sentences.


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
        opener = lzma.open if file.suffix == ".xz" else open
        try:
            with opener(file, "rt", encoding="utf-8") as stream:
                lines += [line for line in stream.read().split("\n") if line.strip()]
        except (UnicodeDecodeError, lzma.LZMAError, EOFError) as error:
            raise ValueError(f"{file}: is no UTF-8 text ({error}).") from error
    return tuple(lines)


def of_folder(data: Path) -> list[Path]:
    """The text files of a folder of training data, `text/*.txt` and `text/*.txt.xz`."""
    return sorted(file for pattern in ("*.txt", "*.txt.xz") for file in (data / "text").glob(pattern))


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
