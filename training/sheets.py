"""Composes pages of manuscript paper (稿紙) with their truth: cells, lines and text.

`python -m training.sheets FOLDER --fonts FONT --text FILE` writes a set of pages in the layout of
the development sets: pictures, `truth.json` and `manifest.tsv`.
"""

import argparse
import dataclasses
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from training import augment, glyphs, photograph

Hand = Callable[[str], np.ndarray]
"""Writes one character: uint8 (N, N), dark ink on white; a KeyError if it cannot."""

INKS: dict[str, tuple[tuple[int, int, int], tuple[int, int, int]]] = {
    "blue": ((15, 20, 100), (75, 95, 190)),
    "black": ((10, 10, 12), (65, 60, 65)),
    "pencil": ((60, 60, 60), (115, 112, 115)),
}
"""The darkest and the lightest RGB of each ink of manuscript paper."""

_LINE_COLOURS = (
    (70, 150, 85),
    (205, 85, 80),
    (190, 130, 75),
    (85, 130, 200),
    (45, 45, 48),
    (145, 145, 145),
    (225, 130, 60),
    (140, 95, 165),
    (60, 150, 150),
)
PAPERS = (
    (255, 255, 255),
    (250, 250, 248),
    (252, 248, 236),
    (243, 246, 250),
    (240, 236, 222),
    (244, 248, 236),
)
"""The RGB of ordinary papers."""

VERTICAL_FORMS = dict(zip("「」『』（）〈〉《》【】〔〕—…", "﹁﹂﹃﹄︵︶︿﹀︽︾︻︼︹︺︱︙", strict=True))
"""Signs that turn in a column, and their turned forms."""

STOPS = "。，、"
"""Signs that stand low and left in a row, and high and right in a column."""

_INDENT = 2  # Blank cells before a paragraph.
_SMALLEST, _LARGEST = 0.6, 0.95  # Size of a character in shares of its cell.


@dataclasses.dataclass(frozen=True)
class Sheet:
    """A sheet of manuscript paper; lengths in pixels.

    Attributes:
        rows: Cells from top to bottom.
        columns: Cells from left to right.
        cell: Width and height of a cell.
        direction: "vertical" (columns from right to left) or "horizontal".
        gutter: Gap between columns of vertical paper, or between rows of horizontal paper.
        spacing: Gap between the cells of one line; above 0 the cells are separate boxes.
        fold: Width of the fold in the middle, with its fish tails; 0 for none. Vertical paper only.
        frame: Lines of the frame around the cells: 0, 1 or 2.
        frame_gap: Gap between the cells and the frame at the sides of the gutters.
        cross: Whether a dashed cross divides the cells, as on pupils' paper.
        line_colour: RGB.
        line_width: Width of the lines between cells.
        margins: Left, top, right and bottom, outside the frame.
        paper: RGB.
        caption: Printed words below the frame.
    """

    rows: int
    columns: int
    cell: tuple[float, float] = (60.0, 60.0)
    direction: str = "vertical"
    gutter: float = 0.0
    spacing: float = 0.0
    fold: float = 0.0
    frame: int = 1
    frame_gap: float = 0.0
    cross: bool = False
    line_colour: tuple[int, int, int] = (70, 150, 85)
    line_width: float = 2.0
    margins: tuple[float, float, float, float] = (90.0, 90.0, 90.0, 90.0)
    paper: tuple[int, int, int] = (252, 248, 236)
    caption: str = ""

    def __post_init__(self) -> None:
        if self.direction not in ("vertical", "horizontal"):
            raise ValueError(
                f"`direction` must be vertical or horizontal. Received: direction={self.direction!r}."
            )
        if self.fold and (self.direction == "horizontal" or self.columns % 2):
            raise ValueError(
                "`fold` needs vertical paper with an even number of columns. "
                f"Received: direction={self.direction!r}, columns={self.columns}."
            )

    def starts(self) -> tuple[np.ndarray, np.ndarray]:
        """The left edges of the columns and the top edges of the rows, float32."""
        across, down = self.spacing, self.spacing
        if self.direction == "vertical":
            across = self.gutter
        else:
            down = self.gutter
        side, above = self._frame_gaps()
        left = self.margins[0] + side + np.arange(self.columns) * (self.cell[0] + across)
        top = self.margins[1] + above + np.arange(self.rows) * (self.cell[1] + down)
        if self.fold:
            left[self.columns // 2 :] += self.fold - across
        return left.astype(np.float32), top.astype(np.float32)

    def cells(self) -> np.ndarray:
        """The corners of the cells, clockwise from the top left, float32 (rows, columns, 4, 2)."""
        left, top = np.meshgrid(*self.starts())
        right, bottom = left + np.float32(self.cell[0]), top + np.float32(self.cell[1])
        corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
        return np.stack([np.stack(corner, -1) for corner in corners], -2)

    def box(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom of the (inner) frame."""
        left, top = self.starts()
        side, above = self._frame_gaps()
        return (
            float(left[0]) - side,
            float(top[0]) - above,
            float(left[-1]) + self.cell[0] + side,
            float(top[-1]) + self.cell[1] + above,
        )

    def size(self) -> tuple[int, int]:
        """Width and height of the page."""
        _, _, right, bottom = self.box()
        return round(right + self.margins[2]), round(bottom + self.margins[3])

    def reading_order(self) -> list[tuple[int, int]]:
        """The (row, column) of each cell in the order of reading."""
        if self.direction == "vertical":
            return [(row, column) for column in reversed(range(self.columns)) for row in range(self.rows)]
        return [(row, column) for row in range(self.rows) for column in range(self.columns)]

    def line_length(self) -> int:
        """How many cells a line of text has."""
        return self.rows if self.direction == "vertical" else self.columns

    def _frame_gaps(self) -> tuple[float, float]:
        if self.spacing:
            return self.frame_gap, self.frame_gap
        return (self.frame_gap, 0.0) if self.direction == "vertical" else (0.0, self.frame_gap)


def random_sheet(rng: np.random.Generator) -> Sheet:
    """Draws a sheet: a classic one, a horizontal one, pupils' paper, any count, separate boxes."""
    kind = rng.choice(["classic", "horizontal", "free", "pupil", "boxes"], p=[0.3, 0.25, 0.2, 0.17, 0.08])
    direction = "horizontal" if kind == "horizontal" else "vertical"
    gutter, spacing, aspect = 0.0, 0.0, 1.0  # In shares of a cell.
    if kind == "classic":
        counts = [(20, 20), (20, 20), (20, 20), (20, 10), (24, 25), (25, 12), (20, 16)]
        rows, columns = counts[rng.integers(len(counts))]
        gutter = rng.uniform(0.15, 0.55)
    elif kind == "horizontal":
        counts = [(25, 24), (25, 24), (24, 25), (20, 20), (25, 20), (15, 20), (20, 15)]
        rows, columns = counts[rng.integers(len(counts))]
        gutter = rng.uniform(0.08, 0.5) if rng.random() < 0.65 else 0.0
    elif kind == "pupil":
        rows, columns = int(rng.integers(7, 14)), int(rng.integers(5, 12))
        gutter = rng.uniform(0.2, 0.6) if rng.random() < 0.5 else 0.0
        direction = "vertical" if rng.random() < 0.85 else "horizontal"
    else:
        rows, columns = (int(count) for count in rng.integers(6, 29, 2))
        direction = "vertical" if rng.random() < 0.4 else "horizontal"
        aspect = rng.uniform(0.88, 1.12)
        if kind == "boxes":
            spacing = rng.uniform(0.06, 0.2)
            gutter = spacing + (rng.uniform(0.05, 0.3) if rng.random() < 0.6 else 0.0)
        elif rng.random() < 0.4:
            gutter = rng.uniform(0.1, 0.5)
    fold = kind == "classic" and columns % 2 == 0 and rng.random() < 0.5
    frame = int(rng.choice([1, 2] if kind in ("classic", "horizontal") else [0, 1, 1, 2]))
    margins = rng.uniform(1.0, 2.6, 4) * (0.55 if kind == "pupil" else 1)
    unit = Sheet(
        rows,
        columns,
        cell=(1.0, float(aspect)),
        direction=direction,
        gutter=float(gutter),
        spacing=float(spacing),
        fold=float(rng.uniform(0.8, 1.6)) if fold else 0.0,
        frame=frame,
        frame_gap=float(rng.choice([gutter, gutter / 2, 0])) if gutter and frame else 0.0,
        margins=_four(margins),
    )
    _, _, right, bottom = unit.box()
    scale = float(rng.uniform(1450, 2150) / max(right + margins[2], bottom + margins[3]))
    scale = min(scale, 150.0)  # Few cells: larger ones would not be paper any more.
    cross = kind == "pupil" and rng.random() < 0.5
    captions = [
        "",
        "",
        f"{rows}x{columns}={rows * columns}",
        f"{rows} x {columns}",
        "第　　頁",
        "姓名　　　　座號",
    ]
    return dataclasses.replace(
        unit,
        cell=(scale, unit.cell[1] * scale),
        gutter=unit.gutter * scale,
        spacing=unit.spacing * scale,
        fold=unit.fold * scale,
        frame_gap=unit.frame_gap * scale,
        margins=_four(margins * scale),
        cross=cross,
        line_colour=random_line_colour(rng),
        line_width=float(rng.uniform(1.0, 3.2)),
        paper=PAPERS[rng.integers(len(PAPERS))],
        caption=str(rng.choice(captions)),
    )


def lay_out(text: str, sheet: Sheet) -> list[str]:
    """Distributes text over the cells of a sheet.

    Args:
        text: Paragraphs separated by a line feed. Each begins a new line, indented by two blank
            cells; one that begins with an ideographic space keeps its own indentation.
        sheet: Text beyond its last cell is left out.

    Returns:
        The character of each cell in reading order; "" is a blank cell.
    """
    length, count = sheet.line_length(), sheet.rows * sheet.columns
    cells: list[str] = []
    for paragraph in text.split("\n"):
        cells += [""] * (-len(cells) % length)
        if paragraph and not paragraph.startswith("\u3000"):
            cells += [""] * _INDENT
        cells += ["" if character.isspace() else character for character in paragraph]
    return (cells + [""] * count)[:count]


def compose(
    text: str, sheet: Sheet, hand: Hand, rng: np.random.Generator, ink: str | None = None
) -> tuple[np.ndarray, dict[str, Any]]:
    """Writes a text on a sheet.

    Args:
        text: As `lay_out` takes it. Characters that the hand lacks leave their cell blank.
        sheet: The paper.
        hand: Who writes.
        rng: Where the randomness comes from.
        ink: "blue", "black" or "pencil"; None draws one.

    Returns:
        The page, uint8 (height, width, 3) RGB, and its truth as in `truth.json`: width, height,
        layout, direction, rows, columns, text, and, with corners clockwise from the top left,
        cells [{row, column, quad, text}] and lines [{quad, text}] in reading order, and the quads
        of print outside the cells (ignore).

    Raises:
        ValueError: There is no such ink.
    """
    if ink is not None and ink not in INKS:
        raise ValueError(f"`ink` must be one of {', '.join(INKS)}. Received: ink={ink!r}.")
    width, height = sheet.size()
    order, quads = sheet.reading_order(), sheet.cells()
    written = np.zeros((height, width), np.float32)
    style = _Writing.draw(rng)
    cells = []
    characters = lay_out(text, sheet)
    glyph_of = {character: _glyph(hand, character, sheet.direction) for character in set(characters) - {""}}
    for (row, column), character in zip(order, characters, strict=True):
        glyph = glyph_of.get(character)
        if glyph is not None:
            style.write(written, glyph, quads[row, column], rng)
        quad = quads[row, column].round(1).tolist()
        text_of_cell = character if glyph is not None else ""
        cells.append({"row": row, "column": column, "quad": quad, "text": text_of_cell})
    page, ignored = _print(sheet, hand, rng)
    ink = ink or str(rng.choice(list(INKS)))
    page = lay_ink(page, written, INKS[ink], rng, graphite=ink == "pencil")
    lines = _lines(cells, sheet)
    truth = {
        "width": width,
        "height": height,
        "layout": "grid",
        "direction": sheet.direction,
        "rows": sheet.rows,
        "columns": sheet.columns,
        "text": "\n".join(line["text"] for line in lines),
        "cells": cells,
        "lines": lines,
        "ignore": ignored,
    }
    return page, truth


def _four(values: np.ndarray) -> tuple[float, float, float, float]:
    left, top, right, bottom = (float(value) for value in values)
    return left, top, right, bottom


def random_line_colour(rng: np.random.Generator) -> tuple[int, int, int]:
    """The RGB of printed lines, half of them pale."""
    colour = np.array(_LINE_COLOURS[rng.integers(len(_LINE_COLOURS))]) + rng.normal(0, 12, 3)
    pale = rng.uniform(0, 0.6) if rng.random() < 0.5 else 0.0
    red, green, blue = (int(value) for value in np.clip(colour * (1 - pale) + 245 * pale, 0, 235))
    return red, green, blue


def _lines(cells: list[dict[str, Any]], sheet: Sheet) -> list[dict[str, Any]]:
    """The lines of text, each from its first to its last written cell."""
    lines = []
    length = sheet.line_length()
    for start in range(0, len(cells), length):
        full = [cell for cell in cells[start : start + length] if cell["text"]]
        if full:
            first, last = full[0]["quad"], full[-1]["quad"]
            if sheet.direction == "vertical":
                quad = [first[0], first[1], last[2], last[3]]
            else:
                quad = [first[0], last[1], last[2], first[3]]
            lines.append({"quad": quad, "text": "".join(cell["text"] for cell in full)})
    return lines


def _glyph(hand: Hand, character: str, direction: str) -> np.ndarray | None:
    """The ink of a character, uint8 (N, N), strokes bright; None if the hand cannot write it."""
    if direction == "vertical" and character in VERTICAL_FORMS:
        upright = _draw(hand, VERTICAL_FORMS[character])
        if upright is not None:
            return upright
        lying = _draw(hand, character)
        return None if lying is None else np.ascontiguousarray(np.rot90(lying, -1))
    glyph = _draw(hand, character)
    if glyph is None or direction == "horizontal" or character not in STOPS:
        return glyph
    return stop_in_column(glyph)


def stop_in_column(glyph: np.ndarray) -> np.ndarray:
    """The ink of a stop at its place in a column: uint8 (N, N), strokes bright, to the same.

    Fonts that put stops into the lower left corner mean horizontal text; in a column they stand in the
    upper right one.
    """
    rows, columns = np.nonzero(glyph > 127)
    if not len(rows):  # Faint ink, which stands anywhere.
        return glyph
    x, y = columns.mean() / glyph.shape[1], rows.mean() / glyph.shape[0]
    if x > 0.4 or y < 0.6:
        return glyph
    shift = np.array([1 - 2 * y, 1 - 2 * x]) * glyph.shape
    return np.roll(glyph, tuple(int(value) for value in shift.round()), (0, 1))


def _draw(hand: Hand, character: str) -> np.ndarray | None:
    try:
        glyph = 255 - hand(character)
    except KeyError:
        return None
    return glyph if (glyph > 127).any() else None


@dataclasses.dataclass(frozen=True)
class _Writing:
    """How one writer places characters; lengths in shares of a cell."""

    size: float
    unevenness: float
    shift: np.ndarray
    slant: float
    turn: float
    stroke: int
    carelessness: float

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "_Writing":
        return cls(
            size=float(rng.uniform(0.7, 0.95)),
            unevenness=float(rng.uniform(0.02, 0.08)),
            shift=rng.normal(0, 0.025, 2),
            slant=float(rng.normal(0, 0.04)),
            turn=float(rng.normal(0, 1.5)),
            stroke=int(rng.choice([1, 1, 2, 3])),
            carelessness=float(rng.choice([0.0, 0.03, 0.1])),
        )

    def write(
        self, written: np.ndarray, glyph: np.ndarray, quad: np.ndarray, rng: np.random.Generator
    ) -> None:
        """Writes a glyph into a cell of `written`, float32 (height, width), in place."""
        side = float((quad[2] - quad[0]).min())
        size = float(np.clip(rng.normal(self.size, self.unevenness), _SMALLEST, _LARGEST))
        shift = self.shift + rng.normal(0, 0.03, 2)
        if rng.random() < self.carelessness:  # Now and then a character crosses the lines.
            size *= rng.uniform(1.05, 1.3)
            shift += rng.normal(0, 0.08, 2)
        if self.stroke > 1:
            glyph = cv2.dilate(glyph, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (self.stroke,) * 2))
        scale = size * side / len(glyph)
        if scale < 0.6:  # The affine warp below would skip pixels.
            glyph = cv2.resize(glyph, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            scale = size * side / len(glyph)
        angle = np.deg2rad(self.turn + rng.normal(0, 1.8))
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        slant = np.array([[np.exp(rng.normal(0, 0.04)), self.slant + rng.normal(0, 0.03)], [0, 1]])
        linear = turn @ slant * scale
        corner = np.maximum(np.floor(quad[0] - 0.4 * side), 0).astype(int)
        patch = written[corner[1] : int(quad[2, 1] + 0.4 * side), corner[0] : int(quad[2, 0] + 0.4 * side)]
        middle = quad.mean(0) + np.clip(shift, -0.2, 0.2) * side - corner
        offset = middle - linear @ np.full(2, (len(glyph) - 1) / 2)
        placed = cv2.warpAffine(
            glyph, np.column_stack([linear, offset]), (patch.shape[1], patch.shape[0]), flags=cv2.INTER_LINEAR
        )
        np.maximum(patch, placed * np.float32(rng.uniform(0.75, 1.0) / 255), out=patch)


def lay_ink(
    page: np.ndarray,
    written: np.ndarray,
    ink: tuple[tuple[int, int, int], tuple[int, int, int]],
    rng: np.random.Generator,
    graphite: bool = False,
) -> np.ndarray:
    """Inks strokes onto a page.

    Args:
        page: uint8 (height, width, 3) RGB.
        written: float32 (height, width), 0 for paper to 1 for ink.
        ink: Its darkest and its lightest RGB.
        rng: Where the randomness comes from.
        graphite: Whether the ink catches on the tooth of the paper only, as that of a pencil does.

    Returns:
        uint8 (height, width, 3) RGB.
    """
    height, width = written.shape
    darkest, lightest = (np.array(colour, np.float32) for colour in ink)
    colour = darkest + (lightest - darkest) * np.float32(rng.random())
    coarse = rng.uniform(0.75, 1.0, (height // 40 + 2, width // 40 + 2)).astype(np.float32)
    cover = written * cv2.resize(coarse, (width, height))  # The pressure of the pen wanders.
    if graphite:
        cover *= augment.tooth(rng, height, width)
    shades = cv2.merge([1 - cover * (1 - channel / 255) for channel in colour])
    return cv2.multiply(page, shades, dtype=cv2.CV_8U)


def _print(sheet: Sheet, hand: Hand, rng: np.random.Generator) -> tuple[np.ndarray, list[list[list[float]]]]:
    """The blank page, uint8 (height, width, 3), and the quads of print outside the cells."""
    width, height = sheet.size()
    cover = np.zeros((height, width), np.float32)
    _print_cells(cover, sheet)
    _print_frame(cover, sheet, float(rng.uniform(0.1, 0.18)))
    if sheet.fold:
        _print_fold(cover, sheet)
    ignored = _print_caption(cover, sheet, hand, rng) if sheet.caption else []
    line_colour, paper = np.array(sheet.line_colour), np.array(sheet.paper)
    mixed = paper + np.linspace(0, 1, 256)[:, None] * (line_colour - paper)
    levels = (cover * 255).round().astype(np.uint8)
    return cv2.applyColorMap(levels, mixed.round().astype(np.uint8)[:, None]), ignored


def _print_cells(cover: np.ndarray, sheet: Sheet) -> None:
    left, top = (edges.tolist() for edges in sheet.starts())
    wide, high = sheet.cell
    for y in top:
        for x in left:
            _rule(cover, x, y, x + wide, y, sheet.line_width)
            _rule(cover, x, y + high, x + wide, y + high, sheet.line_width)
            _rule(cover, x, y, x, y + high, sheet.line_width)
            _rule(cover, x + wide, y, x + wide, y + high, sheet.line_width)
            if sheet.cross:
                dash = wide / 14
                for start in np.arange(0, 0.99, 1 / 7):
                    a, b = x + start * wide, y + start * high
                    _rule(cover, a, y + high / 2, a + dash, y + high / 2, 1.0, 0.7)
                    _rule(cover, x + wide / 2, b, x + wide / 2, b + dash, 1.0, 0.7)


def _print_frame(cover: np.ndarray, sheet: Sheet, gap: float) -> None:
    """Draws the frame; a second, bolder one stands `gap` cells outside."""
    left, top, right, bottom = sheet.box()
    for index in range(sheet.frame):
        outside, bold = gap * min(sheet.cell) * index, sheet.line_width * (1 + 0.7 * index)
        x, y, end_x, end_y = left - outside, top - outside, right + outside, bottom + outside
        _rule(cover, x, y, end_x, y, bold)
        _rule(cover, x, end_y, end_x, end_y, bold)
        _rule(cover, x, y, x, end_y, bold)
        _rule(cover, end_x, y, end_x, end_y, bold)


def _print_fold(cover: np.ndarray, sheet: Sheet) -> None:
    """Fish tails (魚尾) in the middle of the fold, at a third and two thirds of its height."""
    _, top, _, bottom = sheet.box()
    middle = float(sheet.starts()[0][sheet.columns // 2]) - sheet.fold / 2
    half = sheet.fold * 0.2
    for share, towards in ((0.31, 1), (0.69, -1)):
        y = top + share * (bottom - top)
        tail = [(-half, 0), (half, 0), (half, 2 * half), (0, 1.2 * half), (-half, 2 * half)]
        points = np.array([(middle + x, y + towards * dy) for x, dy in tail])
        cv2.fillPoly(cover, [(points * 16).round().astype(np.int32)], 1.0, cv2.LINE_8, 4)


def _print_caption(
    cover: np.ndarray, sheet: Sheet, hand: Hand, rng: np.random.Generator
) -> list[list[list[float]]]:
    """Prints the caption below the frame; its quad, or none where there is no room."""
    left, _, right, bottom = sheet.box()
    size = int(np.clip(0.35 * min(sheet.cell), 16, 34))
    step = round(size * float(rng.uniform(0.75, 1.1)))
    x = round(float(rng.uniform(left, max(left, right - step * len(sheet.caption)))))
    y = round(bottom + 0.35 * min(sheet.cell))
    end = x + step * len(sheet.caption)
    if y + size + 2 > len(cover) or end > cover.shape[1]:
        return []
    strip = np.zeros((size, end - x), np.uint8)
    for index, character in enumerate(sheet.caption):
        start = index * step
        if character.isascii():
            place = (start + step // 6, size - 3)
            cv2.putText(strip, character, place, cv2.FONT_HERSHEY_COMPLEX, size / 34, 255, 1, cv2.LINE_AA)
        elif (glyph := _draw(hand, character)) is not None:
            small = cv2.resize(glyph, (min(size, step), size), interpolation=cv2.INTER_AREA)
            strip[:, start : start + small.shape[1]] = small
    cover[y : y + size, x:end] = np.maximum(cover[y : y + size, x:end], strip / np.float32(255))
    quad = [[x, y], [end, y], [end, y + size], [x, y + size]]
    return [[[float(value) for value in corner] for corner in quad]]


def _rule(
    cover: np.ndarray, x: float, y: float, end_x: float, end_y: float, width: float, strength: float = 1.0
) -> None:
    """Rules an upright or level line of any width, smooth to a fraction of a pixel."""
    half = width / 2
    down, across = (
        (start, np.clip(np.minimum(pixels + 0.5, end + half) - np.maximum(pixels - 0.5, start - half), 0, 1))
        for start, end, pixels in (
            (y, end_y, np.arange(max(0, int(y - half)), min(cover.shape[0], int(end_y + half) + 2))),
            (x, end_x, np.arange(max(0, int(x - half)), min(cover.shape[1], int(end_x + half) + 2))),
        )
    )
    top, left = max(0, int(down[0] - half)), max(0, int(across[0] - half))
    part = cover[top : top + len(down[1]), left : left + len(across[1])]
    np.maximum(part, (strength * np.outer(down[1], across[1])).astype(np.float32), out=part)


def _paragraphs(lines: list[str], rng: np.random.Generator, cells: int) -> str:
    """Random lines of a text, joined to paragraphs that fill about `cells` cells."""
    chosen = [lines[index] for index in rng.integers(len(lines), size=cells)]
    text, length = "", 0
    wanted = cells * rng.uniform(0.3, 1.0)
    for line in chosen:
        text += line + ("\n" if rng.random() < 0.25 else "")
        length += len(line) + 3
        if length > wanted:
            break
    return text.strip("\n")


def main(arguments: list[str] | None = None) -> None:
    """Writes a set of pages with their truth."""
    parser = argparse.ArgumentParser(prog="python -m training.sheets", description=main.__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--fonts", type=Path, nargs="+", required=True)
    parser.add_argument("--text", type=Path, required=True, help="UTF-8, one sentence or paragraph a line")
    parser.add_argument("--count", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--level", choices=["flat", *photograph.LEVELS], help="default: all in turn")
    options = parser.parse_args(arguments)
    try:
        _write(options)
    except (ValueError, OSError) as error:
        parser.exit(1, f"hanzoo: {error}\n")


def _write(options: argparse.Namespace) -> None:
    lines = [line for line in options.text.read_text(encoding="utf-8").split("\n") if line.strip()]
    hands = [(font.stem, glyphs.FontHand(font, 128)) for font in options.fonts]
    levels = [options.level] if options.level else ["flat", *photograph.LEVELS]

    def pages() -> Iterator[tuple[str, np.ndarray, dict[str, Any]]]:
        for index in range(options.count):
            rng = np.random.default_rng([options.seed, index])
            level, (source, hand) = levels[index % len(levels)], hands[int(rng.integers(len(hands)))]
            sheet = random_sheet(rng)
            image, truth = compose(_paragraphs(lines, rng, sheet.rows * sheet.columns), sheet, hand, rng)
            if level != "flat":
                image, mover = photograph.LEVELS[level](image, rng)
                truth = photograph.move_truth(truth, mover)
            yield f"{index:03d}_{level}_{source}.jpg", image, truth | {"level": level, "source": source}

    write_set(options.folder, pages())


def write_set(folder: Path, pages: Iterable[tuple[str, np.ndarray, dict[str, Any]]]) -> None:
    """Writes a set of pages: pictures, `truth.json` and `manifest.tsv`.

    Args:
        folder: Made if needed.
        pages: For each page its file's name, NAME.jpg, its picture, uint8 (height, width, 3) RGB, and its truth.

    Raises:
        OSError: A file cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    truths = {}
    for name, image, truth in pages:
        content = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 92])[1]
        (folder / name).write_bytes(content.tobytes())
        truths[name] = truth
    (folder / "truth.json").write_text(json.dumps(truths, ensure_ascii=False), encoding="utf-8")
    rows = [f"{name}\t{truth['text'].replace(chr(10), chr(92) + 'n')}\n" for name, truth in truths.items()]
    (folder / "manifest.tsv").write_text("".join(rows), encoding="utf-8")


if __name__ == "__main__":
    main()
