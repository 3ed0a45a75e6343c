"""Bopomofo and punctuation as strokes, which files of strokes lack or hold in one form, and other digits and letters.

Drawn for hanzoo. Each line of a table is a character and its strokes, as `strokes.drawn` reads them. A writer has one
way to write each sign, and draws stops and corner brackets larger or smaller, wider or narrower than others do.
"""

import dataclasses
import functools
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from training import strokes
from training.strokes import Strokes
from zoo import charset

_FORMS = """
ㄅ 37,8 20,32 82,32 76,58 62,82 52,85 34,72
ㄆ 40,8 25,31 78,28 60,60 20,85; 28,43 85,82
ㄇ 20,20 20,78; 20,21 85,19 84,78
ㄈ 83,18 18,21 20,74 27,77 86,75
ㄉ 33,8 19,30 84,28 76,75 68,84 46,70; 50,31 35,62 13,82
ㄊ 8,34 88,31; 49,7 42,40 24,77 76,68; 66,55 85,78
ㄋ 22,14 70,9 45,38 83,35 76,60 58,84 50,85 32,72
ㄌ 30,10 20,33 82,28 74,70 64,85 44,72; 53,8 45,45 14,84
ㄍ 42,12 17,46 46,84; 76,10 52,46 80,84
ㄎ 10,15 90,12; 40,16 28,42 74,36 68,62 52,86 30,74
ㄏ 22,15 90,12; 28,16 26,50 12,84
ㄐ 26,12 27,60 70,48; 70,5 70,88
ㄑ 62,8 26,47 70,85
ㄒ 10,18 90,14; 50,17 50,84
ㄓ 17,24 17,55 78,52; 78,22 78,54; 49,10 49,80; 10,82 88,80
ㄔ 52,5 14,44; 60,22 12,65; 38,46 38,90
ㄕ 24,13 80,10 77,38; 28,38 77,36; 28,40 24,62 12,86
ㄖ 23,14 23,80; 23,14 82,12 81,80; 23,78 80,76; 40,38 58,54
ㄗ 12,16 80,13 74,58 54,46; 40,16 40,88
ㄘ 10,31 88,26; 45,4 36,52 74,48 68,64 50,88
ㄙ 56,12 22,75 80,64; 72,52 88,76
ㄚ 16,16 46,46; 74,14 46,46 46,88
ㄛ 18,19 88,16; ~54,18 52,42 36,46 24,62 28,80 50,85 72,78 80,62
ㄜ 14,30 88,26; ~50,8 50,40 38,46 27,58 28,76 44,86 68,80 80,64
ㄝ 10,42 90,39; 30,14 30,66 36,80 48,83 80,82; 65,14 64,64
ㄞ 15,16 86,14; 30,26 22,48 80,44 60,84; 56,16 46,48 14,84
ㄟ ~12,18 36,10 42,12 46,34 58,58 84,80
ㄠ 50,8 23,38 44,52; 70,22 20,78 74,68; 62,56 80,82
ㄡ 22,17 78,14 60,48 12,82; 28,32 84,80
ㄢ 16,16 76,12 58,40; 30,26 22,48 82,46 74,68 58,88
ㄣ 24,12 18,45 80,40 74,58 56,84
ㄤ 12,38 82,34; 46,10 42,44 28,70 8,86; 50,42 52,76 58,84 86,82
ㄥ 48,14 14,74 84,70
ㄦ 40,12 36,50 24,74 12,84; 62,10 60,66 66,76 90,74
ㄧ 12,48 86,44
ㄨ 22,24 82,80; 72,14 52,46 14,84
ㄩ 22,18 24,68 78,65; 78,15 78,70
ˉ 36,18 62,18
ˊ 34,26 58,12
ˇ 34,12 48,26 64,10
ˋ 36,14 58,26
˙ 46,17 50,21
、 12,72 30,86
。 ~24,70 14,76 18,88 30,88 34,76 24,70
〈 90,8 68,48 90,90
〉 10,8 32,48 10,90
《 78,8 56,48 78,90; 92,8 70,48 92,90
》 8,8 30,48 8,90; 22,8 44,48 22,90
「 90,8 68,8 68,70
」 32,24 32,92 10,92
『 90,6 62,6 62,72 72,72 72,16 90,16 90,6
』 30,24 38,24 38,94 10,94 10,86 30,86 30,24
【 92,4 66,4 66,94 92,94; ~92,4 76,30 76,66 92,94
】 8,4 34,4 34,94 8,94; ~8,4 24,30 24,66 8,94
〔 92,6 76,16 76,84 92,94
〕 8,6 24,16 24,84 8,94
— 4,50 96,50
… 15,49 18,51; 48,49 51,51; 81,49 84,51
‧ 48,48 52,52
“ ~66,10 60,20 66,28; ~82,10 76,20 82,28
” ~18,10 24,18 18,30; ~34,10 40,18 34,30
‘ ~80,10 74,20 80,28
’ ~20,10 26,18 19,30
※ 18,18 82,82; 82,18 18,82; 49,18 51,22; 49,76 51,80; 18,49 22,51; 77,49 81,51
× 24,24 76,76; 76,24 24,76
÷ 16,50 84,50; 49,25 51,29; 49,72 51,76
° ~22,12 14,18 18,28 30,28 32,18 22,12
℃ ~20,14 12,20 18,30 28,26 26,16 20,14; ~88,30 74,16 52,22 40,48 50,76 72,84 90,70
! 50,14 50,60; 49,76 51,80
" 40,12 38,30; 60,12 58,30
# 40,14 32,82; 66,14 58,82; 22,36 82,34; 18,62 78,60
$ ~72,28 54,20 34,28 34,42 64,54 68,68 50,78 28,70; 50,10 50,90
% ~28,18 18,30 28,42 38,30 28,18; 76,14 24,84; ~72,58 62,70 72,82 82,70 72,58
& ~80,80 40,38 38,22 50,14 60,24 52,38 28,56 26,74 42,82 66,72 78,50
' 50,12 48,30
( ~60,8 44,34 44,64 60,92
) ~40,8 56,34 56,64 40,92
* 50,18 50,54; 32,26 68,48; 68,26 32,48
+ 50,24 50,76; 22,50 78,50
, ~48,74 52,80 44,92
- 32,52 68,51
. 48,76 52,81
/ 70,10 30,90
: 49,33 52,37; 49,71 52,75
; 49,33 52,37; ~50,70 54,76 46,88
< 76,22 26,50 76,78
= 22,40 78,39; 22,60 78,59
> 24,22 74,50 24,78
? ~32,28 40,14 62,14 68,30 54,46 50,60; 49,76 51,80
@ ~62,40 48,34 38,48 44,62 58,56 64,38 62,60 74,64 84,46 74,22 46,14 20,32 18,62 36,84 66,84
[ 62,8 42,8 42,92 62,92
\\ 30,10 70,90
] 38,8 58,8 58,92 38,92
^ 32,36 50,14 68,36
_ 14,90 86,90
` 42,12 56,26
{ ~62,8 50,12 50,42 40,50 50,58 50,88 62,92
| 50,6 50,94
} ~38,8 50,12 50,42 60,50 50,58 50,88 38,92
~ ~18,54 34,42 50,50 66,58 82,46
"""

_STANDING = "「」『』〈〉《》【】〔〕()—…"
"""What is turned to the right in a column."""

_OTHERS = """
。 ~50,42 40,48 44,59 56,59 60,48 50,42
。 ~36,66 24,84 14,84 13,75 22,70 31,78 37,89
。 ~30,64 18,74 13,84 21,91 30,86 28,78 17,79
。 ~31,74 21,69 13,77 19,85 29,81 32,74 30,92
。 ~13,80 28,78 28,70 18,69 12,80 18,90 33,87
。 ~29,71 18,71 13,81 20,90 30,87 33,78
。 ~20,67 13,78 19,89 31,88 34,76 24,69 13,71
、 42,44 58,58
、 20,70 27,87
、 15,76 27,84
, ~48,44 54,51 45,64
, 49,73 43,89
, 47,77 51,81 46,87
, 48,78 51,80 49,84
, 45,75 53,80 46,93
: 49,40 51,42; 49,62 51,64
; 49,40 51,42; 50,60 44,74
! 52,12 48,62; 48,78 50,80
? ~30,24 44,12 66,20 62,38 50,48 50,62; 49,78 51,80
? 32,20 66,18 50,46 50,62; 49,78 51,80
( 58,10 44,30 44,66 58,90
) 42,10 56,30 56,66 42,90
1 36,28 50,14 50,82; 34,82 66,82
4 58,14 26,60 78,60; 62,14 62,86
7 28,16 72,16 46,84; 38,50 68,50
9 ~66,26 50,14 34,28 40,46 58,44 66,26; 66,26 66,84
0 ~50,14 32,30 30,64 50,82 70,62 68,28 50,14
I 36,14 64,14; 50,14 50,82; 36,82 64,82
Z 28,16 72,16 28,82 74,82; 36,50 66,50
a ~66,46 50,39 34,54 40,76 58,74 66,52; 66,40 66,78
b ~38,12 36,50 36,76; ~36,58 50,44 64,56 60,76 44,80 36,70
d ~64,52 48,44 34,58 42,78 58,74 64,58; 64,12 64,80
g ~64,44 48,39 34,52 42,68 58,66 64,48; ~64,40 64,84 50,95 34,88
l ~40,66 60,30 56,12 47,22 47,66 54,80 66,74
q ~64,44 48,39 34,52 42,68 58,66 64,48; 64,40 64,96 74,86
t 48,18 48,70 56,80 68,76; 34,38 66,38
u ~34,40 34,68 46,79 60,70 64,42; 64,40 64,80
y 34,42 50,70; 68,40 36,94
z 32,42 68,42 32,80 70,80; 38,60 64,60
"""

_MARKS = "。、,.:;"
_CORNERS = "「」『』"

_WAYS = 16
"""How many sets of signs each source of strokes comes with."""


def read_all(folders: Sequence[Path]) -> list[Strokes]:
    """The strokes of folders, see `strokes.read_strokes`, each with several writers' signs in place of its own."""
    read = [source for folder in folders for source in strokes.read_strokes(folder)]
    return [
        dataclasses.replace(one, characters={**one.characters, **way(number)})
        for number in range(_WAYS)
        for one in read
    ]


def way(number: int) -> dict[str, np.ndarray]:
    """How somebody writes signs, digits and letters.

    Args:
        number: Of the way, the same strokes for the same number; by an even one signs stand in a row, by an odd one
            in a column.

    Returns:
        Strokes by character, float32 (strokes, POINTS, 2) each, x to the right and y down, from -0.5 to 0.5; digits and
        letters are there where they differ from those of a file of strokes.
    """
    rng = np.random.default_rng(number)
    forms, others = _read(_FORMS), _read(_OTHERS)
    chosen = {}
    for character in {**forms, **others}:
        choice = [*forms.get(character, [None]), *others.get(character, [])]
        form = choice[rng.integers(len(choice))]
        if form is not None:
            form = _resized(form, character, rng)
            turned = number % 2 and character in _STANDING
            chosen[character] = form[..., ::-1] * np.array((-1, 1), np.float32) if turned else form.copy()
    return chosen


def _resized(form: np.ndarray, character: str, rng: np.random.Generator) -> np.ndarray:
    """A stop or a corner bracket in the size that somebody gives it, its middle where it was; others as they are."""
    points = form.reshape(-1, 2)
    middle, extent = (points.min(0) + points.max(0)) / 2, np.ptp(points, axis=0)
    if character in _MARKS:
        # A ring that is smaller yet would close and be a dot.
        factor = np.full(2, np.exp(rng.uniform(np.log(0.75 if character == "。" else 0.5), np.log(1.3))))
    elif character in _CORNERS:
        factor = np.exp(rng.uniform(np.log((0.5, 0.4)), np.log((1.4, 1.2))))
        factor[1] = max(factor[1], 1.05 * factor[0] * extent[0] / extent[1])  # It stands, however wide it is.
    else:
        return form
    return np.clip(middle + (form - middle) * factor, -0.5, 0.5).astype(np.float32)


@functools.cache
def _read(table: str) -> dict[str, list[np.ndarray]]:
    """The ways to write each character, each float32 (strokes, POINTS, 2)."""
    found: dict[str, list[np.ndarray]] = {}
    for line in table.strip().splitlines():
        (label,) = charset.encode(line[0])
        found.setdefault(charset.CHARACTERS[label], []).append(strokes.drawn(line[2:]))
    return found
