"""Shorter forms of the parts of characters, as people write them when they hurry: 氵 as a dot and a hook, 灬 as a wave.

Each form is strokes, separated by slashes; a stroke is the x and y of its corners in percent of the box of the part,
y down. They follow common running script (行書) and the everyday hand of Taiwan, and were written down for this project.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from training.strokes import Part, resample

_SILK = ("50 0 10 28 75 24 10 62 90 55/0 100 95 75", "50 0 10 28 75 24 10 62 90 55/10 90 45 72 90 85")
_WORDS = (
    "40 0 60 10/10 35 55 30 50 95 95 75",
    "40 0 60 10/0 28 100 20/25 45 75 42/30 62 70 58/25 76 30 100 85 97 88 74 25 76",
    "40 0 60 12/0 32 100 24 30 55 80 52 25 76 35 98 85 72",
)
_SHELL = (
    "15 0 15 70/15 2 85 0 85 70/32 25 70 23 28 48 75 46/40 74 5 100/60 74 100 98",
    "15 0 15 72/15 2 85 0 85 74/50 18 44 65 5 100/60 70 97 97",
)
_WALK = ("12 0 24 12/2 42 24 38 12 66 20 84 40 94 100 97", "2 30 24 26 10 60 20 84 40 94 100 97")
_ROBE = ("40 0 60 12/5 32 80 27 0 72/48 45 50 100/55 52 92 66",)
_SUN = ("5 0 10 100/5 3 100 0 95 100/22 50 75 44 15 95 92 92", "5 0 10 100/5 3 100 0 95 96 10 98/20 50 80 46")
_EYE = ("5 0 8 100/5 3 100 0 96 100/22 32 78 28 22 64 80 60 12 97 92 95",)
_MOUTH = (
    "5 0 15 100/5 6 100 0 84 84 18 96",
    "8 4 20 98/8 8 98 4 20 96",
    "10 5 18 92 55 100 95 50 92 5 10 10",
)

FORMS: Mapping[str, tuple[str, ...]] = {
    "氵 left": (
        "45 0 75 13/35 33 55 45 15 100 95 60",
        "45 0 75 13/40 35 45 60 20 100 95 58",
        "40 0 60 20 30 45 55 60 15 100 95 62",
    ),
    "艹 top": (
        "28 0 36 55/75 0 60 52/0 80 100 66",
        "0 50 43 44/25 0 28 100/55 46 100 38/80 0 70 100",
        "25 0 32 62 68 0/0 85 100 70",
    ),
    "口": _MOUTH,
    "日": _SUN,
    "目": _EYE,
    "月 left": ("20 0 22 60 0 100/20 3 95 0 95 100 72 92/30 32 80 30 30 62 85 58",),
    "月 bottom": ("10 0 10 100/10 3 92 0 92 100 75 94/28 35 75 32 28 66 80 62",),
    "貝": _SHELL,
    "見 right": ("12 0 15 66/12 2 88 0 86 64/30 22 70 20 28 45 72 43/38 64 5 100/60 62 62 92 82 97 100 82",),
    "頁 right": (
        "0 5 100 0/50 3 36 20/14 22 15 74/14 24 86 22 86 74/50 34 44 68 5 100/60 76 97 98",
        "0 5 100 0/50 3 36 20/14 22 15 80/14 24 86 22 86 80/30 42 70 40 28 62 74 60/38 82 5 100/62 82 97 99",
    ),
    "木 left": ("0 28 100 22/55 0 55 100/50 34 5 72 92 48",),
    "木 bottom": ("0 28 100 22/50 0 50 100 36 92/26 55 10 82/70 52 92 76",),
    "禾 left": ("72 0 20 12/0 36 100 28/55 8 55 100/50 42 5 75 92 52",),
    "米 left": ("20 5 34 26/80 0 66 24/0 42 100 36/52 0 52 100/48 48 5 80 92 56",),
    "扌 left": ("0 27 92 20/60 0 62 100 8 72 100 45", "5 25 90 18/60 0 60 98 30 90/0 70 100 42"),
    "土 left": ("8 33 92 27/52 0 52 92 4 96 100 76",),
    "王 left": ("5 6 92 0/50 3 50 55 10 52 85 42 45 92 0 98 100 82",),
    "女 left": ("50 0 20 55 85 100/85 22 60 70 5 100/0 40 100 30",),
    "言 left": _WORDS,
    "糸 left": _SILK,
    "金 left": (
        "50 0 0 36/50 0 100 32/18 44 84 38/8 66 92 60/50 40 50 98 96 80",
        "40 0 0 36/32 18 90 14/15 42 84 38/8 64 90 60/48 40 46 100 98 76",
    ),
    "飠 left": ("45 0 0 36/32 22 90 16 72 38/46 42 46 100 98 74",),
    "足 left": ("12 0 18 32/12 3 90 0 80 30 20 30/52 32 52 92/52 62 90 58/15 50 17 92 5 98 100 84",),
    "車 left": ("8 12 90 8/52 0 12 48 92 44/0 74 100 66/54 26 54 100",),
    "火 left": ("10 25 20 50/85 18 70 40/50 0 46 55 0 100/52 55 95 92",),
    "竹 top": (
        "22 0 2 62/14 36 46 30/72 0 52 62/64 36 100 28",
        "22 0 2 60/14 36 46 30/32 45 36 80/72 0 52 60/64 36 100 28/82 42 86 76",
    ),
    "辶": _WALK,
    "灬": ("0 60 28 30 55 70 80 35 100 62", "0 55 100 45"),
    "心 bottom": (
        "5 38 0 82/22 30 30 88 72 98 78 66/44 5 55 32/80 12 100 46",
        "3 42 0 85/20 60 45 25 52 60 78 20 100 60",
    ),
    "忄 left": ("0 46 100 36/52 0 52 100", "8 34 0 62 88 28/50 0 50 100"),
    "礻 left": _ROBE,
    "衤 left": (*_ROBE, "40 0 60 12/5 32 80 27 0 72/48 45 50 100/92 45 58 60 95 76"),
    "示 bottom": ("22 4 80 0/2 34 100 28/50 32 50 98 36 92/28 52 10 84/70 50 92 76",),
    "門": (
        "6 4 6 100/10 14 36 10/24 0 26 30/78 6 78 28/62 30 60 10 95 8 96 100",
        "12 0 22 8/4 14 4 100/30 8 97 4 97 98 84 92",
        "4 12 4 100/4 16 50 2 97 10 97 98 86 92",
    ),
    "雨 top": ("12 4 88 0/4 28 0 62/4 32 100 28 90 56/50 2 50 96/16 58 36 64/64 56 86 60",),
    "⺤ top": ("85 0 10 18/8 45 22 82/40 36 54 72/95 28 76 80", "85 0 10 18/5 60 30 85 48 45 62 82 95 30"),
    "田": ("5 0 10 100/5 3 100 0 95 98/50 3 48 92 18 52 85 46/12 97 92 94",),
    "虫 left": ("8 10 14 50/8 12 92 8 84 46 16 50/50 0 50 92 0 94 90 78/78 68 96 98",),
    "石 left": ("0 4 100 0/50 2 0 62/30 46 36 98/30 50 94 46 36 96",),
    "⻖ left": ("12 2 85 0 40 34 84 62 36 70/14 2 14 100", "14 100 14 2 85 0 40 34 84 62 36 70"),
    "⻏ right": ("12 2 85 0 40 34 84 62 36 70/14 2 14 100", "14 100 14 2 85 0 40 34 84 62 36 70"),
    "⺨ left": ("90 0 15 32/30 12 62 55 50 100 30 94/52 45 5 82",),
    "彳 left": ("70 0 10 28/78 24 20 52 50 46 50 100",),
    "隹 right": (
        "32 0 0 34/20 26 20 100/50 6 60 18/22 32 94 28/55 30 55 96 25 52 88 50/24 74 88 71/22 97 100 94",
    ),
    "皿 bottom": ("8 10 18 88/10 14 90 10 82 86/36 14 38 84/62 12 60 84/0 94 100 90",),
    "攵 right": ("40 0 8 42/28 26 98 20 50 72 0 100/22 42 95 98",),
    "欠 right": ("35 0 0 42/25 24 95 20 80 42/52 30 45 66 0 100/50 60 98 98",),
    "殳 right": ("28 2 20 30 4 42/28 4 74 2 74 34 98 34/12 54 82 50 5 100/22 60 98 98",),
}
"""By the part, or by the part and where it stands."""

_KEPT = 0.15  # How often a writer who shortens a part writes it in full all the same.


def choose(share: float, rng: np.random.Generator) -> dict[str, list[np.ndarray]]:
    """The parts that some writer shortens, and how.

    Args:
        share: Of all parts, those that this writer shortens.
        rng: Draws them.

    Returns:
        For each name of `FORMS` that the writer shortens the strokes of a form, float64 (POINTS, 2) each, in a box
        from 0 to 1.
    """
    return {
        name: [resample(stroke) for stroke in _strokes(forms[rng.integers(len(forms))])]
        for name, forms in FORMS.items()
        if rng.random() < share
    }


def shorten(
    lines: np.ndarray, parts: Sequence[Part], forms: Mapping[str, list[np.ndarray]], rng: np.random.Generator
) -> np.ndarray:
    """Writes the parts of a character in a writer's shorter forms.

    Args:
        lines: Strokes, (n, POINTS, 2).
        parts: Of the character, the outer ones before those inside them.
        forms: From `choose`.
        rng: A part may stay as it is.

    Returns:
        The strokes, (m, POINTS, 2).
    """
    written: list[np.ndarray] = []
    done = 0
    for part in parts:
        form = forms.get(f"{part.name} {part.place}", forms.get(part.name))
        whole = part.stop - part.start == len(lines)
        if form is None or whole or part.start < done or rng.random() < _KEPT:
            continue
        points = lines[part.start : part.stop].reshape(-1, 2)
        low, high = points.min(0), points.max(0)
        written += [*lines[done : part.start], *(low + stroke * (high - low) for stroke in form)]
        done = part.stop
    return np.stack([*written, *lines[done:]])


def _strokes(form: str) -> list[np.ndarray]:
    """The strokes of a form, each (n, 2), in a box from 0 to 1."""
    return [np.array(stroke.split(), float).reshape(-1, 2) / 100 for stroke in form.split("/")]
