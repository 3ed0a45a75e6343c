"""Hands: callables that write one character on an em square."""

from pathlib import Path

import numpy as np

from training import sources


class FontHand:
    """Writes characters with a font.

    Calling it with a character returns uint8 (size, size), dark ink on white, in the natural size
    and place. A character that the font lacks is a KeyError.
    """

    def __init__(self, path: Path, size: int = sources.EM) -> None:
        self._font, self._covered = sources.open_font(Path(path), size)

    def __call__(self, character: str) -> np.ndarray:
        if ord(character) not in self._covered:
            raise KeyError(character)
        return sources.draw_character(self._font, character)
