"""Dates, numbers and Latin words, made up: everyday text is full of them, laws and poems hardly know any."""

import re
import string

import numpy as np

_PATTERNS = (
    *("民國1##年#月##日", "20##年1#月#日", "20##/1#/##", "20##/#/#", "20##.#.#", "#/##", "##/##"),
    *("上午#:##", "下午#:##", "上午1#:##", "##:##", "#:#", "##~##", "#-#"),
    *("第##條", "第#章", "#、", "(#)", "No.##"),
    *("#,###元", "##,###元", "#,###,###", "NT$##0", "##%", "#.#%", "#.##", "##×#=1##"),
    *("#.#公斤", "##.#公斤", "##.#℃", "##.#度", "#公分"),
    *("(0#)2###-####", "0#-####-####", "09##-######"),
    *("&@@@@", "@@@@@@@", "&&&", "&@@ @@@@", "@@@@@@@@@@", "&@@@'@", "@&@@@@", "&-@@@@@", "@@@-@@@@"),
    *("@@@@@.@@@", "@@@@@@@@.@@@", "@@@_@@", "@@@@*@@@@@.@@@", "@@@##*@@@@.@@@"),
    *("&#", "#&", "&&#", "##&&", "#&&", "##@@", "@##", "&&-#", "&&-###", "&&&-####"),
)
"""# is a digit, & a large letter, @ a small one, and * the sign @."""


def fact(rng: np.random.Generator) -> str:
    """A date, a number or a Latin word."""
    choices = {"#": string.digits, "&": string.ascii_uppercase, "@": string.ascii_lowercase, "*": "@"}
    pattern = _PATTERNS[rng.integers(len(_PATTERNS))]
    return re.sub("[#&@*]", lambda found: choices[found[0]][rng.integers(len(choices[found[0]]))], pattern)
