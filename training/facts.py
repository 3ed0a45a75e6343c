"""Dates, numbers and Latin words, made up: everyday text is full of them, laws and poems hardly know any."""

import re
import string

import numpy as np

_PATTERNS = (
    *(
        "民國1##年1#月2#日",
        "20##年#月#日",
        "20##/1#/2#",
        "20##.#.#",
        "上午1#:##",
        "第##條",
        "第#章",
        "#、",
        "(#)",
    ),
    *("#,###元", "NT$##0", "##%", "#.#公斤", "3#.#℃", "(0#)2###-####", "09##-######", "No.##", "##×#=1##"),
    *("&@@@@", "@@@@@@@", "&&&", "&@@ @@@@", "@@@@@.@@@", "@@@@@@@@@@", "&&-#", "&@@@'@", "@@@_@@"),
    *(
        "3#.#度",
        "#.##",
        "#.#%",
        "##:##",
        "#:#",
        "#/##",
        "#-#",
        "##~##",
        "#,###,###",
        "##,###元",
        "&&-###",
        "@@@@@@@@.@@@",
    ),
)
"""# is a digit, & a large letter, @ a small one."""


def fact(rng: np.random.Generator) -> str:
    """A date, a number or a Latin word."""
    choices = {"#": string.digits, "&": string.ascii_uppercase, "@": string.ascii_lowercase}
    pattern = _PATTERNS[rng.integers(len(_PATTERNS))]
    return re.sub("[#&@]", lambda found: choices[found[0]][rng.integers(len(choices[found[0]]))], pattern)
