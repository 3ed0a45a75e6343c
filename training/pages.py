"""Composes free pages of handwriting with their truth: lines, and characters with their corners.

`python -m training.pages FOLDER --fonts FONT --text FILE` writes a set of pages in the layout of the
development sets: pictures, `truth.json` and `manifest.tsv`.

A page is written by one writer. A character that is crossed out is no part of the text: its corners stand
in `ignore`, as those of printed words do. Blanks are no part of the text either.
"""

import argparse
import dataclasses
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from training import facts, photograph, sheets, sources, writing
from training.paper import Paper, random_paper
from training.sources import Glyphs
from training.texts import read_texts
from training.writing import Hand, Line, Manner

INKS = sheets.INKS | {"red": ((150, 15, 25), (215, 75, 80))}
"""The darkest and the lightest RGB of each ink."""

_RANDOM, _MIXED = 0.12, 0.15  # Shares of the sentences that are random characters, and that hold a fact.
_REMARKED = 0.3  # Share of the sentences with other marks; laws and poems hardly know ？ ！ and 「」.
_STOPS = "，。、；：？！…—"
_QUOTES = ("「」", "『』", "（）", "《》", "〈〉", "“”")
_QUOTED = 10  # Most characters between quotes.


@dataclasses.dataclass(frozen=True)
class PageStyle:
    """How a page is laid out and written; lengths in em, the side of the square of an ordinary character.

    Attributes:
        width: Of the page in pixels.
        height: Of the page in pixels.
        em: In pixels.
        direction: "horizontal", or "vertical": columns from right to left.
        paper: What it is written on.
        manner: How the lines are written.
        ink: One of `INKS`.
        pitch: From the middle of one line to that of the next.
        margins: Left, top, right and bottom.
        indent: Of a paragraph.
        ragged: How much shorter than the others a line may be, in shares of its length.
        fill: Share of the rows that are written.
        blocks: Parts one after another, with an empty row between.
        tiers: Parts side by side in the direction of writing.
        title: Size of the title's characters; 0 for no title.
        page_number: Whether the page has a number, in its lower margin.
        seat: Middle of a line in shares of its row: 0.5 is the middle between rules, more is lower, or
            further left in vertical writing.
        slope: Of the lines, in radians.
        loose: How far lines stray from their row at both ends.
        crossed: Share of characters that are written beside the text and crossed out.
        show_through: How dark the other side of the paper shines through, 0 to 1.

    Raises:
        ValueError: A value is unknown, or the page has no room.
    """

    width: int
    height: int
    em: float
    direction: str = "horizontal"
    paper: Paper = dataclasses.field(default_factory=Paper)
    manner: Manner = dataclasses.field(default_factory=Manner)
    ink: str = "black"
    pitch: float = 1.5
    margins: tuple[float, float, float, float] = (2.0, 2.0, 2.0, 2.0)
    indent: float = 2.0
    ragged: float = 0.0
    fill: float = 1.0
    blocks: int = 1
    tiers: int = 1
    title: float = 0.0
    page_number: bool = False
    seat: float = 0.5
    slope: float = 0.0
    loose: float = 0.0
    crossed: float = 0.0
    show_through: float = 0.0

    def __post_init__(self) -> None:
        if self.direction not in ("horizontal", "vertical"):
            raise ValueError(
                f"`direction` must be horizontal or vertical. Received: direction={self.direction!r}."
            )
        if self.ink not in INKS:
            raise ValueError(f"`ink` must be one of {', '.join(INKS)}. Received: ink={self.ink!r}.")
        if self.rows < 1 or self.length < 4 * self.tiers:
            raise ValueError(
                "A page must have room for a line of four characters. Received: "
                f"width={self.width}, height={self.height}, em={self.em}, margins={self.margins}."
            )

    @property
    def length(self) -> float:
        """Of a line, in em."""
        left, top, right, bottom = self.margins
        across, down = self.width / self.em - left - right, self.height / self.em - top - bottom
        return across if self.direction == "horizontal" else down

    @property
    def rows(self) -> int:
        """How many lines the page has room for."""
        left, top, right, bottom = self.margins
        across, down = self.width / self.em - left - right, self.height / self.em - top - bottom
        depth = down if self.direction == "horizontal" else across
        return int((depth - abs(self.slope) * self.length) / self.pitch)


def random_page_style(rng: np.random.Generator) -> PageStyle:
    """Draws a style: a page of 1,450 to 2,150 pixels, 12 to 60 characters along its longer side."""
    direction = "horizontal" if rng.random() < 0.55 else "vertical"
    longer = float(rng.uniform(1450, 2150))
    shorter = longer * float(rng.uniform(0.6, 1.0))
    upright = rng.random() < (0.8 if direction == "horizontal" else 0.6)
    width, height = (shorter, longer) if upright else (longer, shorter)
    em = longer / float(np.exp(rng.uniform(np.log(12), np.log(60))))
    paper = random_paper(rng)
    pitch = float(rng.uniform(1.15, 1.9) if rng.random() < 0.8 else rng.uniform(1.05, 3.0))
    margins = np.maximum(shorter * rng.uniform(0.03, 0.14, 4) / em, 0.9)
    first = 0 if direction == "horizontal" else 1
    printed = paper.margin * (width, height)[first] + (0.045 * longer if paper.holes else 0)
    margins[first] = max(margins[first], printed / em + 0.3)
    left, top, right, bottom = (float(margin) for margin in margins)
    rows = (height if direction == "horizontal" else width) / em / pitch
    careless = float(rng.choice([0.3, 1.0, 1.8], p=[0.3, 0.5, 0.2]))
    # Lines that stray further run into one another; rules keep them straight.
    room = (pitch - 0.9) * careless * (1.0 if paper.kind == "plain" else float(rng.uniform(0.2, 1.0)))
    ink = str(rng.choice(list(INKS), p=[0.35, 0.35, 0.26, 0.04]))
    return PageStyle(
        width=round(width),
        height=round(height),
        em=em,
        direction=direction,
        paper=paper,
        manner=Manner(
            spacing=float(rng.uniform(-0.06, 0.15) if rng.random() < 0.8 else rng.uniform(-0.12, 0.5)),
            proportional=float(rng.choice([0.0, rng.uniform(0, 1)])),
            stops=float(rng.uniform(0, 1)),
            latin=float(rng.uniform(0.65, 1.0)),
            even=float(rng.uniform(0, 1)),
            slant=float(rng.normal(0, 0.07)),
            turn=float(rng.normal(0, 0.03)),
            uneven_size=0.06 * careless * float(rng.uniform(0.4, 1.2)),
            uneven_place=0.03 * careless * float(rng.uniform(0.4, 1.2)),
            drift=float(rng.uniform(0, 0.2)) * room,
            pen=int(rng.choice([1, 2, 3, 4, 6], p=[0.35, 0.25, 0.2, 0.12, 0.08])),
            darkness=float(rng.uniform(0.55, 1.1) if ink == "pencil" else rng.uniform(0.8, 1.8)),
        ),
        ink=ink,
        pitch=pitch,
        margins=(left, top, right, bottom),
        indent=float(rng.choice([0.0, 1.0, 2.0], p=[0.35, 0.1, 0.55])),
        ragged=float(rng.choice([0.0, 0.1, 0.4], p=[0.5, 0.35, 0.15])),
        fill=float(rng.choice([1.0, rng.uniform(0.15, 1.0)])),
        blocks=int(rng.choice([1, 2, 3], p=[0.8, 0.14, 0.06])),
        tiers=2 if longer / em > 30 and rng.random() < 0.1 else 1,
        title=float(rng.uniform(1.0, 1.7)) if rows > 5 and rng.random() < 0.25 else 0.0,
        page_number=bool(rng.random() < 0.15),
        seat=float(rng.uniform(0.46, 0.5 + min(0.15, 0.2 * (pitch - 1)))),
        slope=float(np.clip(rng.normal(0, 0.02 * room), -0.05, 0.05)),
        loose=float(rng.uniform(0, 0.2)) * room,
        crossed=float(rng.uniform(0.003, 0.03)) if rng.random() < 0.3 else 0.0,
        show_through=float(rng.uniform(0.02, 0.1)) if rng.random() < 0.1 else 0.0,
    )


@dataclasses.dataclass(frozen=True)
class Page:
    """A page or a picture of one.

    Attributes:
        image: uint8 (height, width, 3) RGB.
        lines: In reading order.
        ignore: Corners of what is neither text nor paper, float32 (n, 4, 2).
    """

    image: np.ndarray
    lines: tuple[Line, ...]
    ignore: np.ndarray


def compose(
    texts: Sequence[str], writers: Sequence[Glyphs], style: PageStyle, rng: np.random.Generator
) -> tuple[np.ndarray, dict[str, Any]]:
    """Writes a page.

    Args:
        texts: Sentences of natural text, drawn at random. Some are replaced by random characters, so that
            each one of the writer comes up, and into some a date, a number or a Latin word is put.
        writers: One of them writes the page. What the writer lacks is replaced or left out.
        style: Of the page.
        rng: Where the randomness comes from.

    Returns:
        The page, uint8 (height, width, 3) RGB, and its truth as in `truth.json`: width, height, level,
        style, source, ink, layout, direction, text, and, with corners clockwise from the top left, lines
        [{quad, text, chars: [{quad, text}]}] in reading order and ignore [quad].

    Raises:
        ValueError: There is no text or no writer.
    """
    if not texts or not writers:
        raise ValueError(
            "A page must have text and a writer. "
            f"Received: {len(texts)} sentences and {len(writers)} writers."
        )
    glyphs = writers[int(rng.integers(len(writers)))]
    page = write_page(texts, Hand(glyphs), style, rng)
    return page.image, truth_of(page, glyphs.writer, style)


def truth_of(page: Page, writer: str, style: PageStyle) -> dict[str, Any]:
    """What `compose` tells of a page."""
    lines = [
        {
            "quad": _listed(line.quad),
            "text": line.text,
            "chars": [
                {"quad": _listed(quad), "text": character}
                for quad, character in zip(line.characters, line.text, strict=True)
            ],
        }
        for line in page.lines
    ]
    return {
        "width": style.width,
        "height": style.height,
        "level": "flat",
        "style": style.paper.kind,
        "source": writer,
        "ink": style.ink,
        "layout": "lines",
        "direction": style.direction,
        "text": "\n".join(line.text for line in page.lines),
        "ignore": [_listed(quad) for quad in page.ignore],
        "lines": lines,
    }


def move_truth(truth: dict[str, Any], warp: photograph.Warp) -> dict[str, Any]:
    """The truth of a page after its picture was taken: every quad, the width and the height."""
    characters = [character for line in truth["lines"] for character in line["chars"]]
    moved = photograph.move_truth(truth | {"cells": characters}, warp)
    cells = iter(moved.pop("cells"))
    lines = [line | {"chars": [next(cells) for _ in line["chars"]]} for line in moved["lines"]]
    return moved | {"lines": lines}


def write_page(texts: Sequence[str], hand: Hand, style: PageStyle, rng: np.random.Generator) -> Page:
    """Writes a page in one hand; text, style and randomness are those of `compose`."""
    layout = _Layout(style, hand, rng)
    row = layout.title(texts) if style.title and style.rows > 4 else 0
    last = row + max(1, round(style.fill * (style.rows - row)))
    bounds = np.linspace(row, last, min(style.blocks, max(1, (last - row) // 3)) + 1).astype(int)
    for start, stop in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
        for tier in range(style.tiers):
            layout.fill(texts, start, stop - (stop < last), tier)
    if style.page_number and style.margins[3] > 1.2:
        layout.page_number()
    return layout.page()


def write_lines(lines: Sequence[str], hand: Hand, style: PageStyle, rng: np.random.Generator) -> Page:
    """Writes given lines below each other, each as far as the page has room; the rest is as in `write_page`."""
    layout = _Layout(style, hand, rng)
    for row, text in enumerate(lines[: style.rows]):
        layout.line(text, row)
    return layout.page()


class _Layout:
    """Puts lines on a page: `lines` and what is ignored grow."""

    def __init__(self, style: PageStyle, hand: Hand, rng: np.random.Generator) -> None:
        self.style, self._hand, self._rng = style, hand, rng
        self._image, self.ignored = style.paper.blank(
            style.width, style.height, self.rules(), style.direction, rng
        )
        self.written = np.zeros((style.height, style.width), np.uint8)
        self.lines: list[Line] = []

    def page(self) -> Page:
        """The page, inked."""
        style = self.style
        written = self.written.astype(np.float32) / 255
        if style.show_through:
            np.maximum(written, style.show_through * written[:, ::-1], out=written)
        image = sheets.lay_ink(
            self._image, written, INKS[style.ink], self._rng, graphite=style.ink == "pencil"
        )
        return Page(image, tuple(self.lines), np.array(self.ignored, np.float32).reshape(-1, 4, 2))

    def rules(self) -> tuple[float, float]:
        """Where the first row starts across the lines, and the pitch of the rows, in pixels."""
        style = self.style
        before = style.margins[1 if style.direction == "horizontal" else 2]
        slack = abs(style.slope) * style.length / 2
        return (before + slack) * style.em, style.pitch * style.em

    def title(self, texts: Sequence[str]) -> int:
        """Writes a title: in the middle or at the start; the rows that it takes."""
        size, length = self.style.title, self.style.length
        rows = max(1, round(size / self.style.pitch + 0.3))
        signs = self._signs(_sentence(texts, self._hand, self._rng), size)[: self._rng.integers(2, 14)]
        for chosen, places in writing.wrap(signs, length / size, 0.0, self.style.manner):
            free = max(0.0, length - (places[-1] + 1) * size)
            share = float(self._rng.choice([0.5, 0.5, 0.1]))
            self._write(chosen, places, (rows - 1) / 2, share * free, size)
            break
        return rows

    def fill(self, texts: Sequence[str], start: int, stop: int, tier: int) -> None:
        """Writes paragraphs into rows, `start` to before `stop`, of a tier."""
        style = self.style
        gap = 2.0
        length = (style.length - (style.tiers - 1) * gap) / style.tiers
        row = start
        for _ in range(10 * (stop - start)):  # Not for ever: samples may show no ink.
            signs = self._signs(paragraph(texts, self._hand, self._rng), 1.0, self.style.crossed)
            shorter = length * (1 - style.ragged * float(self._rng.random()))
            indent = min(style.indent, length - 2)
            for chosen, places in writing.wrap(signs, max(3.0, shorter), indent, style.manner):
                if row >= stop:
                    return
                self._write(chosen, places, row, tier * (length + gap), 1.0)
                row += 1

    def line(self, text: str, row: int) -> None:
        """Writes a line into a row."""
        signs = self._signs(text, 1.0, self.style.crossed)
        for chosen, places in writing.wrap(signs, self.style.length, 0.0, self.style.manner):
            self._write(chosen, places, row, 0.0, 1.0)
            break

    def page_number(self) -> None:
        """Writes a number into the lower margin."""
        style, rng = self.style, self._rng
        text = self._hand.legible(str(rng.integers(1, 200)), rng)
        side = 0.7 * style.em
        signs = self._hand.signs(text, style.manner, side, "horizontal", rng)
        for chosen, places in writing.wrap(signs, 4.0, 0.0, style.manner):
            across = style.width * float(rng.choice([0.1, 0.5, 0.85]))
            across = min(across, style.width - (float(places[-1]) + 1.2) * side)  # Not over the edge.
            start = np.array([across, style.height - style.margins[3] * style.em / 2])
            line, _ = writing.write(
                self.written, chosen, places, start, side, 0.0, "horizontal", style.manner, rng
            )
            self.lines += [line] if line else []

    def _signs(self, text: str, size: float, crossed: float = 0.0) -> list[writing.Sign]:
        """The signs of a text and, before that share of them, others that are crossed out."""
        style, rng = self.style, self._rng
        text = self._hand.legible(text, rng)
        signs = self._hand.signs(text, style.manner, size * style.em, style.direction, rng)
        return writing.with_mistakes(signs, crossed, rng)

    def _write(
        self, signs: Sequence[writing.Sign], places: np.ndarray, row: float, indent: float, size: float
    ) -> None:
        style, rng = self.style, self._rng
        first, pitch = self.rules()
        length = style.length * style.em
        ends = rng.normal(0, style.loose, 2) * style.em  # How far the line strays at its ends.
        angle = style.slope + (ends[1] - ends[0]) / length
        along = indent * style.em
        # Lines turn around their middle, so that they leave as much room above as below.
        across = first + (row + style.seat) * pitch + ends[0]
        across += np.tan(angle) * along - np.tan(style.slope) * length / 2
        left, top = style.margins[0] * style.em, style.margins[1] * style.em
        vertical = style.direction == "vertical"
        start = np.array([style.width - across, top + along] if vertical else [left + along, across])
        line, ignored = writing.write(
            self.written, signs, places, start, size * style.em, angle, style.direction, style.manner, rng
        )
        self.lines += [line] if line else []
        self.ignored += ignored


def paragraph(texts: Sequence[str], hand: Hand, rng: np.random.Generator) -> str:
    """One to five sentences; texts and randomness are those of `compose`."""
    return "".join(_sentence(texts, hand, rng) for _ in range(int(rng.integers(1, 6))))


def _sentence(texts: Sequence[str], hand: Hand, rng: np.random.Generator) -> str:
    kind = rng.random()
    if kind < _RANDOM:
        known = hand.characters
        return "".join(known[index] for index in rng.integers(len(known), size=rng.integers(6, 30)))
    text = texts[int(rng.integers(len(texts)))].strip()
    if kind > 1 - _MIXED:
        place = int(rng.integers(len(text) + 1))
        text = text[:place] + facts.fact(rng) + text[place:]
    return _with_other_marks(text, rng) if rng.random() < _REMARKED else text


def _with_other_marks(text: str, rng: np.random.Generator) -> str:
    """Half of the stops replaced by any others, and something put between quotes."""
    text = re.sub(
        f"[{_STOPS}]", lambda found: rng.choice(list(_STOPS)) if rng.random() < 0.5 else found[0], text
    )
    start = int(rng.integers(len(text) + 1))
    end = start + int(rng.integers(1, _QUOTED + 1))
    opening, closing = rng.choice(_QUOTES)
    return text[:start] + opening + text[start:end] + closing + text[end:]


def _listed(quad: np.ndarray) -> list[list[float]]:
    return [[round(float(value), 1) for value in corner] for corner in quad]


def main(arguments: list[str] | None = None) -> None:
    """Writes a set of free pages with their truth."""
    parser = argparse.ArgumentParser(prog="python -m training.pages", description=main.__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--fonts", type=Path, nargs="+", default=[])
    parser.add_argument("--hands", type=Path, help="a folder of writers, *.npz")
    parser.add_argument("--chinese-only", nargs="+", default=[], help="writers whose other labels are wrong")
    parser.add_argument("--text", type=Path, required=True, help="UTF-8, plain or .xz, one sentence a line")
    parser.add_argument("--count", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--level", choices=["flat", *photograph.LEVELS], help="default: all in turn")
    options = parser.parse_args(arguments)
    try:
        _write(options)
    except (ValueError, OSError) as error:
        parser.exit(1, f"hanzoo: {error}\n")


def _write(options: argparse.Namespace) -> None:
    texts = read_texts([options.text])
    writers = [sources.read_font(font) for font in options.fonts]
    if options.hands:
        writers += sources.read_hands(options.hands, options.chinese_only)
    levels = [options.level] if options.level else ["flat", *photograph.LEVELS]

    def pages() -> Iterator[tuple[str, np.ndarray, dict[str, Any]]]:
        for index in range(options.count):
            rng = np.random.default_rng([options.seed, index])
            level = levels[index % len(levels)]
            image, truth = compose(texts, writers, random_page_style(rng), rng)
            if level != "flat":
                image, warp = photograph.LEVELS[level](image, rng)
                truth = move_truth(truth, warp) | {"level": level}
            yield f"{index:03d}_{level}_{truth['direction'][0]}_{truth['style']}.jpg", image, truth

    sheets.write_set(options.folder, pages())


if __name__ == "__main__":
    main()
