"""Papers that people write on freely: plain, ruled and squared, with margin lines, frames and holes."""

import dataclasses

import cv2
import numpy as np

from training import sheets

_COLOURED = (
    (255, 249, 170),
    (253, 214, 220),
    (206, 230, 250),
    (214, 240, 208),
    (214, 190, 152),
    (232, 226, 214),
)
"""Sticky notes, letter paper, packing paper, recycled paper."""


@dataclasses.dataclass(frozen=True)
class Paper:
    """A sort of paper.

    Attributes:
        kind: "plain", "ruled" along the lines of writing, or "squared".
        colour: RGB.
        line_colour: RGB of rules and frame.
        line_width: Of rules in pixels.
        step: Distance of two rules in pitches of the writing. The writer follows the rules where a whole
            number of steps makes a pitch.
        dashed: Whether the rules are rows of dashes.
        margin: Place of a margin line before the start of the writing, in shares of the page; 0 for none.
        frame: Whether a frame stands around the rules.
        holes: How many holes are punched along the edge, or 0.
        header: Printed words at the top.
        grain: Standard deviation of the paper's own shades, in grey levels.
    """

    kind: str = "plain"
    colour: tuple[int, int, int] = (252, 248, 236)
    line_colour: tuple[int, int, int] = (140, 170, 210)
    line_width: int = 1
    step: float = 1.0
    dashed: bool = False
    margin: float = 0.0
    frame: bool = False
    holes: int = 0
    header: str = ""
    grain: float = 1.0

    def __post_init__(self) -> None:
        if self.kind not in ("plain", "ruled", "squared"):
            raise ValueError(f"`kind` must be plain, ruled or squared. Received: kind={self.kind!r}.")
        if self.step <= 0:
            raise ValueError(f"`step` must be above 0. Received: step={self.step}.")

    def blank(
        self,
        width: int,
        height: int,
        rows: tuple[float, float],
        direction: str,
        rng: np.random.Generator,
    ) -> tuple[np.ndarray, list[np.ndarray]]:
        """An empty page.

        Args:
            width: In pixels.
            height: In pixels.
            rows: Place of a rule across the lines of writing and the pitch of the writing, in pixels; of
                vertical writing from the right edge.
            direction: "horizontal" or "vertical".
            rng: Where the randomness comes from.

        Returns:
            uint8 (height, width, 3) RGB, and the corners of printed words, float32 (4, 2) each.
        """
        knots = rng.normal(0, self.grain, (height // 24 + 2, width // 24 + 2)).astype(np.float32)
        shades = cv2.resize(knots, (width, height))
        page = cv2.merge([cv2.convertScaleAbs(shades, beta=channel) for channel in self.colour])
        if self.kind != "plain":
            self._rule(page, rows, direction, rng)
        if self.margin:
            self._margin_line(page, direction, rng)
        if self.holes:
            self._punch(page, direction, rng)
        return page, self._print(page, rng)

    def _rule(
        self, page: np.ndarray, rows: tuple[float, float], direction: str, rng: np.random.Generator
    ) -> None:
        size = np.array([page.shape[1], page.shape[0]], np.float64)
        border = size.min() * (rng.uniform(0.005, 0.03) if self.frame or rng.random() < 0.4 else 0.0)
        low, high = np.full(2, border), size - border
        step = max(4.0, self.step * rows[1])
        across = 1 if direction == "horizontal" else 0
        first = rows[0] if direction == "horizontal" else size[0] - rows[0]
        places = {}
        for axis in (0, 1) if self.kind == "squared" else (across,):
            start = first if axis == across else low[axis]
            rules = start % step + step * np.arange(int(size[axis] / step) + 1)
            places[axis] = rules[(rules >= low[axis]) & (rules <= high[axis])]
        if self.kind == "squared":  # Squares are whole up to the edge of the print.
            low, high = (np.array([places[axis][end] for axis in (0, 1)]) for end in (0, -1))
        for axis, rules in places.items():
            for place in rules:
                ends = np.stack([low, high])
                ends[:, axis] = place
                self._line(page, ends, self.line_width)
        if self.frame:
            corners = np.array([low, [high[0], low[1]], high, [low[0], high[1]]])
            for index in range(4):
                self._line(page, corners[[index, (index + 1) % 4]], self.line_width + 1, dashed=False)

    def _line(self, page: np.ndarray, ends: np.ndarray, width: int, dashed: bool | None = None) -> None:
        if not (self.dashed if dashed is None else dashed):
            fixed = (ends * 16).round().astype(int).tolist()
            cv2.line(page, fixed[0], fixed[1], self.line_colour, width, cv2.LINE_AA, 4)
            return
        count = max(1, int(np.hypot(*(ends[1] - ends[0])) / 9))
        points = ends[0] + np.linspace(0, 1, 2 * count)[:, None] * (ends[1] - ends[0])
        dashes = (points * 16).round().astype(np.int32).reshape(count, 2, 2)
        cv2.polylines(page, list(dashes), False, self.line_colour, width, cv2.LINE_AA, 4)

    def _margin_line(self, page: np.ndarray, direction: str, rng: np.random.Generator) -> None:
        height, width = page.shape[:2]
        place = self.margin * (width if direction == "horizontal" else height)
        ends = ((place, 0), (place, height)) if direction == "horizontal" else ((0, place), (width, place))
        red = (int(rng.integers(200, 240)), int(rng.integers(90, 170)), int(rng.integers(90, 170)))
        for shift in (0.0, 4.0)[: 1 + int(rng.random() < 0.2)]:
            fixed = [(round((x + shift) * 16), round((y + shift) * 16)) for x, y in ends]
            cv2.line(page, fixed[0], fixed[1], red, self.line_width, cv2.LINE_AA, 4)

    def _punch(self, page: np.ndarray, direction: str, rng: np.random.Generator) -> None:
        """Holes along the left edge, or along the upper one of vertical writing."""
        height, width = page.shape[:2]
        length = height if direction == "horizontal" else width
        radius = float(np.clip(0.35 * length / self.holes, 2, 0.011 * max(width, height)))
        behind = np.array(self.colour) * rng.uniform(0.3, 0.85)
        for along in (np.arange(self.holes) + 0.5) / self.holes * length:
            place = (2.2 * radius, along) if direction == "horizontal" else (along, 2.2 * radius)
            for shift, colour in ((0.0, np.array(self.colour) * 0.85), (0.2 * radius, behind)):
                middle = tuple(round((value + shift) * 16) for value in place)
                cv2.circle(page, middle, round((radius - shift) * 16), colour.tolist(), -1, cv2.LINE_AA, 4)

    def _print(self, page: np.ndarray, rng: np.random.Generator) -> list[np.ndarray]:
        """Prints the header near the top right corner."""
        if not self.header:
            return []
        height, width = page.shape[:2]
        font, size = cv2.FONT_HERSHEY_SIMPLEX, min(width, height) / 1800
        (long, high), low = cv2.getTextSize(self.header, font, size, 1)
        left = max(2, round(width * float(rng.uniform(0.9, 0.97))) - long)
        bottom = high + 2 + round(height * float(rng.uniform(0.005, 0.02)))
        cv2.putText(page, self.header, (left, bottom), font, size, self.line_colour, 1, cv2.LINE_AA)
        top, end = bottom - high - 1, bottom + low
        right = left + long
        return [np.array([[left, top], [right, top], [right, end], [left, end]], np.float32)]


def random_paper(rng: np.random.Generator) -> Paper:
    """Draws a paper: two of five plain, two of five ruled, one of five squared."""
    kind = str(rng.choice(["plain", "ruled", "squared"], p=[0.4, 0.4, 0.2]))
    colour = np.array(_COLOURED[rng.integers(len(_COLOURED))], np.float64)
    if rng.random() < 0.75:
        colour = np.array(sheets.PAPERS[rng.integers(len(sheets.PAPERS))], np.float64)
    paper = np.clip(colour + rng.normal(0, 3, 3), 120, 255)
    steps = [1.0, 0.5, float(rng.uniform(0.6, 1.4))] if kind == "ruled" else [1.0, 0.5, 1 / 3]
    lines = np.array(sheets.random_line_colour(rng)) * paper / 255  # Print is never lighter than its paper.
    return Paper(
        kind=kind,
        colour=_rgb(paper),
        line_colour=_rgb(lines),
        line_width=int(rng.choice([1, 1, 2, 3], p=[0.5, 0.2, 0.25, 0.05])),
        step=float(rng.choice(steps, p=[0.75, 0.12, 0.13] if kind == "ruled" else [0.4, 0.35, 0.25])),
        dashed=bool(kind != "plain" and rng.random() < 0.08),
        margin=float(rng.uniform(0.05, 0.14)) if kind != "plain" and rng.random() < 0.3 else 0.0,
        frame=bool(kind != "plain" and rng.random() < 0.15),
        holes=int(rng.choice([2, 3, 20, 26, 40])) if rng.random() < 0.15 else 0,
        header=str(rng.choice(["No.          Date     /     /", "Date:      .     .", "NO.", "MEMO"]))
        if rng.random() < 0.15
        else "",
        grain=float(rng.uniform(0, 2.5)),
    )


def _rgb(colour: np.ndarray) -> tuple[int, int, int]:
    red, green, blue = (int(value) for value in colour.round())
    return red, green, blue
