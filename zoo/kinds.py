"""The kinds of characters, and the characters that are written alike."""

import unicodedata
from typing import Literal, get_args

Kind = Literal["Chinese", "bopomofo", "punctuation", "digits", "Latin", "other"]

KINDS: tuple[Kind, ...] = get_args(Kind)
"""All kinds, in the order in which reports name them."""

LOOK_ALIKES = (
    "0Oo〇。°",
    "一-—_ˉㄧ",
    "1lI|—ㄧ",  # In vertical writing — stands upright.
    "十+",
    "二=",
    "xX×ㄨ",
    "vVˇ",
    "cC",
    "kK",
    "pP",
    "sS",
    "uU",
    "wW",
    "zZ",
    "Tㄒ",
    "Yㄚ丫",
    "力ㄌ",
    "七ㄘ",
    "又ㄡ",
    "尸ㄕ",
    "<〈ㄑ",
    ">〉",
    ".‧˙",
    ",'’",
    "、\\ˋ`",
    "/ˊ",
)
"""Groups of characters that a pen draws alike: only size, place and the text around tell them apart."""

_TONES = "ˉˊˇˋ˙"


def kind(character: str) -> Kind:
    """The kind of one character; signs such as + and ℃ count as punctuation."""
    name = unicodedata.name(character, "")
    if name.startswith("CJK UNIFIED IDEOGRAPH") or character == "〇":
        return "Chinese"
    if name.startswith("BOPOMOFO") or character in _TONES:
        return "bopomofo"
    if character.isdecimal():
        return "digits"
    if name.startswith("LATIN"):
        return "Latin"
    return "punctuation" if unicodedata.category(character)[0] in "PS" else "other"


def look_alike(first: str, second: str) -> bool:
    """Whether two characters are the same or share a group of `LOOK_ALIKES`."""
    return first == second or any({first, second} <= set(group) for group in LOOK_ALIKES)
