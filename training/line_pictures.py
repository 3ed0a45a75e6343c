"""Pictures of single lines in given hands, to measure readers on: `python -m training.line_pictures FOLDER`.

The text is natural as far as the hand goes: clauses of which it has every character, one after another.
"""

import argparse
import dataclasses
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from training import pages, sheets, sources
from training.texts import read_texts
from training.writing import Hand
from zoo.manuscript import Direction

_SHORTEST = 5  # Characters of a clause.
_LENGTHS = (9, 17)  # Of a line, the second one excluded,
_EM = (48.0, 72.0)  # and the side of its characters in pixels.
_MARGIN = 0.35  # Of paper, in em.
_NOTHING = f"The text must have a clause that {{}} can write: {_SHORTEST} characters or more that it has."


def clauses(lines: Sequence[str], hand: Hand) -> list[str]:
    """The stretches of text, five characters or longer, of which a hand has every character."""
    known = "".join(map(re.escape, hand.characters))
    return [clause for line in lines for clause in re.findall(f"[{known}]{{{_SHORTEST},}}", line)]


def draw(
    found: Sequence[str], hand: Hand, direction: Direction, rng: np.random.Generator
) -> tuple[np.ndarray, dict[str, Any]]:
    """Writes a line on plain paper.

    Args:
        found: What may be written, from `clauses`.
        hand: Whose characters are used.
        direction: How they follow each other.
        rng: Where the randomness comes from.

    Returns:
        The picture, uint8 (H, W, 3) RGB, and its truth as of `training.pages.compose`.

    Raises:
        ValueError: There is nothing to write.
    """
    if not found:
        raise ValueError(_NOTHING.format(hand.writer))
    length = int(rng.integers(*_LENGTHS))
    text = ""
    while len(text) < length:
        text += found[int(rng.integers(len(found)))]
    em = float(rng.uniform(*_EM))
    along, across = round(em * (1.25 * length + 2 * _MARGIN)), round(em * (1.01 + 2 * _MARGIN))
    drawn = pages.random_page_style(rng)
    style = dataclasses.replace(
        drawn,
        width=along if direction == "horizontal" else across,
        height=across if direction == "horizontal" else along,
        em=em,
        direction=direction,
        paper=dataclasses.replace(drawn.paper, kind="plain", margin=0.0, holes=0, header=""),
        pitch=1.0,
        margins=(_MARGIN,) * 4,
        tiers=1,
        seat=0.5,
        slope=0.0,
        loose=0.0,
        crossed=0.0,
    )
    page = pages.write_lines([text[:length]], hand, style, rng)
    return page.image, pages.truth_of(page, hand.writer, style) | {"layout": "line"}


def main(arguments: Sequence[str] | None = None) -> None:
    """Writes a set of lines with their text."""
    parser = argparse.ArgumentParser(prog="python -m training.line_pictures", description=main.__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--hands", type=Path, nargs="+", required=True, help="files of writers, *.npz")
    parser.add_argument(
        "--text", type=Path, nargs="+", required=True, help="UTF-8, plain or .xz, one sentence a line"
    )
    parser.add_argument("--direction", choices=["horizontal", "vertical"], default="horizontal")
    parser.add_argument("--count", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    try:
        _write(options)
    except (ValueError, OSError) as error:
        parser.exit(1, f"hanzoo: {error}\n")


def _write(options: argparse.Namespace) -> None:
    lines = read_texts(options.text)
    hands = [Hand(sources.read_hand(file)) for file in options.hands]
    found = [clauses(lines, hand) for hand in hands]
    for hand, texts in zip(hands, found, strict=True):
        if not texts:
            raise ValueError(_NOTHING.format(hand.writer))

    def pictures() -> Iterator[tuple[str, np.ndarray, dict[str, Any]]]:
        for index in range(options.count):
            rng = np.random.default_rng([options.seed, index])
            whose = index % len(hands)
            yield (
                f"{index:03d}_{hands[whose].writer}.jpg",
                *draw(found[whose], hands[whose], options.direction, rng),
            )

    sheets.write_set(options.folder, pictures())


if __name__ == "__main__":
    main()
