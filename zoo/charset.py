"""The characters that hanzoo reads, and how text becomes their ids.

Taiwan's 4,808 common characters (Ministry of Education), ASCII letters, digits and punctuation,
Chinese punctuation, the 37 bopomofo symbols and the tone marks. Full-width and vertical forms
share a class with their plain form, because a cell of manuscript paper cannot tell them apart.
Id 0 is the CTC blank; for a classifier of cells it means an empty cell.
"""

import functools
import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path

_FILE = Path(__file__).with_suffix(".txt")

CHARACTERS: tuple[str, ...] = ("", *_FILE.read_text(encoding="utf-8").split("\n")[:-1])
"""The character of each id; id 0 is the empty string."""

# Forms that NFKC leaves apart or expands to several characters, though a pen draws them alike.
_VARIANTS = {
    **dict(zip("·・•．∙⋅", "‧‧‧.‧‧", strict=True)),
    **dict(zip("―─–‒−︱﹣", "————-——", strict=True)),
    **dict(zip("⋯︙", "……", strict=True)),
    **dict(zip("〜∼", "~~", strict=True)),
    **dict(zip("○◯", "〇〇", strict=True)),
    # Printed variants of common characters: one character, another committee.
    **dict(zip("説爲衆峯羣啓敎温裏眞户産内吴靑黄絶强税悦脱閲鋭録緑縁彦顔奥换唤毁册牀綫墻韵鷄",
               "說為眾峰群啟教溫裡真戶產內吳青黃絕強稅悅脫閱銳錄綠緣彥顏奧換喚毀冊床線牆韻雞", strict=True)),
}  # fmt: skip

FULL_WIDTH = str.maketrans(",!?:;()", "，！？：；（）")
"""What gives punctuation its full-width form with `str.translate`."""
_MARKS = re.compile(r"[,!?:;()]+")


@functools.cache
def _ids() -> dict[str, int]:
    return {character: index for index, character in enumerate(CHARACTERS) if index}


@functools.lru_cache(maxsize=65_536)
def _normalise(character: str) -> str:
    if character in _ids():
        return character
    if character in _VARIANTS:
        return _VARIANTS[character]
    plain = unicodedata.normalize("NFKC", character)
    plain = _VARIANTS.get(plain, plain)
    # An expansion to several characters would change the number of cells that a text fills.
    return plain if len(plain) == 1 else character


def normalise(text: str) -> str:
    """Maps each character to the form that stands in `CHARACTERS`, where there is one.

    NFKC, one character to one character (full-width to ASCII, vertical to horizontal forms,
    radicals and compatibility ideographs to characters), and a few variants. Characters without a
    class stay as they are, so the length of the text never changes.
    """
    return "".join(map(_normalise, text))


def supports(text: str) -> bool:
    """Whether each character of `text`, normalised, has an id."""
    return all(_normalise(character) in _ids() for character in text)


def encode(text: str) -> list[int]:
    """The ids of the characters of `text`, normalised first.

    Raises:
        ValueError: A character has no class.
    """
    ids = []
    for character in text:
        index = _ids().get(_normalise(character))
        if index is None:
            raise ValueError(
                f"`text` must hold only characters of the charset ({len(CHARACTERS) - 1:,} of them). "
                f"Received: {character!r} (U+{ord(character):04X}) in {text[:40]!r}."
            )
        ids.append(index)
    return ids


def decode(ids: Iterable[int]) -> str:
    """The text of `ids`; id 0 adds nothing.

    Raises:
        ValueError: An id is outside the charset.
    """
    text = []
    for index in ids:
        if not 0 <= index < len(CHARACTERS):
            raise ValueError(f"`ids` must lie in 0 ... {len(CHARACTERS) - 1}. Received: {index}.")
        text.append(CHARACTERS[index])
    return "".join(text)


def _is_chinese(character: str) -> bool:
    return character >= "\u3000" or character in "—…‧“”‘’"


def fullwidth(text: str) -> str:
    """Gives the punctuation `,!?:;()` beside Chinese text its full-width form; marks side by side get it together.

    The inverse of `normalise` as far as this punctuation goes: normalising the result gives the
    same ids.
    """

    def widened(marks: re.Match[str]) -> str:
        beside = text[max(marks.start() - 1, 0) : marks.start()] + text[marks.end() : marks.end() + 1]
        return marks[0].translate(FULL_WIDTH) if any(map(_is_chinese, beside)) else marks[0]

    return _MARKS.sub(widened, text)
