"""The text of a line: Chinese has no spaces, Latin words are parted."""

from collections.abc import Sequence

import numpy as np

from serving.page import Character
from zoo import kinds

_GAP = 0.3  # Of the height of the line's characters, from which on letters may belong to two words.
_WIDE = 2.5  # Times the gap that is usual in the line.


def text_of(characters: Sequence[Character], direction: str) -> str:
    """The characters of a line in reading order, with spaces between the Latin words of a row.

    Args:
        characters: At least one; their boxes enclose their strokes.
        direction: "horizontal", or "vertical", where letters stand below each other and words cannot be told.
    """
    if direction == "vertical":
        return "".join(character.text for character in characters)
    corners = np.array([character.box for character in characters]).reshape(-1, 4, 2)
    height = np.median(np.linalg.norm(corners[:, 3] - corners[:, 0], axis=1))
    along = corners[-1, 1] - corners[0, 0]
    along = along / max(1e-6, float(np.linalg.norm(along)))
    gaps = np.maximum(0, (corners[1:, [0, 3]].mean(1) - corners[:-1, [1, 2]].mean(1)) @ along)
    least = max(_GAP * height, _WIDE * np.median(gaps)) if len(gaps) else 0.0
    text = characters[0].text
    for before, after, gap in zip(characters, characters[1:], gaps, strict=False):
        text += (" " if gap > least and _parted(before.text, after.text) else "") + after.text
    return text


def _parted(before: str, after: str) -> bool:
    """Whether a space may stand between two characters: between letters, and after a mark that ends a word."""
    return kinds.kind(after) == "Latin" and (kinds.kind(before) == "Latin" or before in ",.;:!?")
