"""What nobody writes: rows of holes and the grain of paper, where they were read as signs."""

import collections
import dataclasses
import unicodedata

from serving.page import Page

_ROW = 8  # Signs of a row of holes, at least,
_ALIKE = 0.8  # and the share of them that are the same.
_SURE = 0.7  # Mean score from which on a page of nothing but marks stands.
_ROUND = "oO0〇"  # What a dot may be read as too.


def only(page: Page) -> Page:
    """A page of lines or cells without what nobody wrote: rows of one sign, and doubtful marks where nothing else is."""
    if page.layout not in ("grid", "lines"):
        return page
    kept = dataclasses.replace(
        page, lines=tuple(line for line in page.lines if not _is_row_of_holes(line.text))
    )
    text = "".join(line.text for line in kept.lines)
    doubtful = text and all(map(_is_dot, text)) and kept.mean_score < _SURE
    return dataclasses.replace(kept, lines=()) if doubtful else kept


def _is_row_of_holes(text: str) -> bool:
    if len(text) < _ROW:
        return False
    (_, most), *_ = collections.Counter(text).most_common(1)
    written = any(unicodedata.category(character) == "Lo" for character in text)
    return most >= _ALIKE * len(text) and not written


def _is_dot(character: str) -> bool:
    return character in _ROUND or unicodedata.category(character)[0] in "PS"
