"""A page that was read: its text, lines, characters and, on manuscript paper, its cells.

`Page.to_dict()` is the JSON contract of `hanzoo read --json`.
"""

import dataclasses
from collections.abc import Callable
from typing import Any, cast

import cv2
import numpy as np

from zoo import geometry

Box = tuple[tuple[float, float], tuple[float, float], tuple[float, float], tuple[float, float]]
"""Four corners (x, y), clockwise from the top left, in pixels of the image as a person sees it."""


@dataclasses.dataclass(frozen=True)
class Character:
    """One character on the page.

    Attributes:
        box: Its corners; on manuscript paper those of its cell.
        text: The character.
        score: How probable the character is, 0 ... 1.
        alternatives: Up to five characters with their scores, the best first; the first is `text`.
    """

    box: Box
    text: str
    score: float
    alternatives: tuple[tuple[str, float], ...] = ()

    def __str__(self) -> str:
        return self.text


@dataclasses.dataclass(frozen=True)
class Line:
    """One written row or column, from its first character to its last.

    Attributes:
        box: The corners of the whole line.
        text: The characters in reading order; blank cells add nothing. Spaces part the Latin words of a row.
        score: The mean of the characters' scores.
        characters: The characters in reading order.
        direction: How it is written: "vertical" (down) or "horizontal".
        paragraph: The number of its paragraph on the page, from 0 on in reading order.
    """

    box: Box
    text: str
    score: float
    characters: tuple[Character, ...]
    direction: str = "horizontal"
    paragraph: int = 0

    def __str__(self) -> str:
        return self.text


@dataclasses.dataclass(frozen=True)
class Cells:
    """The cells of manuscript paper, blank ones too, in reading order."""

    rows: int
    columns: int
    cells: tuple[Box, ...]


@dataclasses.dataclass(frozen=True, repr=False)
class Page:
    """What was read on one image. `print(page)` prints its text.

    Attributes:
        image: The path as it was given; empty for bytes and arrays.
        width: Width of the image in pixels.
        height: Height of the image in pixels.
        layout: "grid", "lines", "line" or "char".
        direction: "vertical" (columns from right to left) or "horizontal", as most of it is written; each line has
            its own.
        lines: The lines in reading order.
        grid: The cells, for `layout` "grid" only.
    """

    image: str
    width: int
    height: int
    layout: str
    direction: str
    lines: tuple[Line, ...]
    grid: Cells | None = None

    @property
    def text(self) -> str:
        """The text of the lines, joined by line feeds."""
        return "\n".join(line.text for line in self.lines)

    @property
    def mean_score(self) -> float:
        """The mean score of the lines, of which there must be one."""
        return float(np.mean([line.score for line in self.lines]))

    def clipped(self) -> "Page":
        """The page with every corner inside the picture."""
        return self._with_corners(lambda corners: np.clip(corners, 0, (self.width, self.height)))

    def turned(self, quarters: int) -> "Page":
        """The same page on its picture turned anticlockwise by quarters, as `numpy.rot90` does it; negative ones turn back.

        Boxes start where they did, at the top left of the text.
        """
        width, height = (self.height, self.width) if quarters % 2 else (self.width, self.height)
        page = self._with_corners(
            lambda corners: geometry.turned(np.array(corners), quarters, self.width, self.height)
        )
        return dataclasses.replace(page, width=width, height=height)

    def moved(self, there: np.ndarray, width: int, height: int) -> "Page":
        """The same page on another picture.

        Args:
            there: From pixels of this picture to those of the other one, affine, (2, 3).
            width: Of the other picture in pixels.
            height: Likewise.
        """
        page = self._with_corners(lambda corners: cv2.transform(np.array([corners]), there)[0])
        return dataclasses.replace(page, width=width, height=height)

    def _with_corners(self, move: Callable[[Box], np.ndarray]) -> "Page":
        """The page with all its corners moved, (4, 2) at a time."""

        def box(corners: Box) -> Box:
            return cast(Box, tuple((x, y) for x, y in move(corners).tolist()))

        def line(one: Line) -> Line:
            characters = tuple(dataclasses.replace(each, box=box(each.box)) for each in one.characters)
            return dataclasses.replace(one, box=box(one.box), characters=characters)

        grid = self.grid and dataclasses.replace(self.grid, cells=tuple(map(box, self.grid.cells)))
        return dataclasses.replace(self, lines=tuple(map(line, self.lines)), grid=grid)

    def to_dict(self) -> dict[str, Any]:
        """The page in plain Python types: coordinates to 0.1 pixel, scores to 4 decimals."""
        page: dict[str, Any] = {
            "image": self.image,
            "width": self.width,
            "height": self.height,
            "layout": self.layout,
            "direction": self.direction,
            "text": self.text,
            "lines": [
                {
                    "box": _corners(line.box),
                    "text": line.text,
                    "score": _score(line.score),
                    "direction": line.direction,
                    "paragraph": line.paragraph,
                    "characters": [
                        {
                            "box": _corners(character.box),
                            "text": character.text,
                            "score": _score(character.score),
                            "alternatives": [[text, _score(score)] for text, score in character.alternatives],
                        }
                        for character in line.characters
                    ],
                }
                for line in self.lines
            ],
        }
        if self.grid is not None:
            page["grid"] = {
                "rows": self.grid.rows,
                "columns": self.grid.columns,
                "cells": [_corners(cell) for cell in self.grid.cells],
            }
        return page

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        shape = f" {self.grid.rows} x {self.grid.columns}" if self.grid else ""
        characters = sum(len(line.characters) for line in self.lines)
        return (
            f"<Page {self.image or 'without a name'}: {self.layout}{shape}, {self.direction}, "
            f"{len(self.lines)} lines, {characters} characters>"
        )


def _corners(box: Box) -> list[list[float]]:
    return [[round(float(x), 1), round(float(y), 1)] for x, y in box]


def _score(score: float) -> float:
    return round(float(score), 4)
