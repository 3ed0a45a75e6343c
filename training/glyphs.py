"""Hands: callables that write one character on an em square."""

import collections
import dataclasses
import math
import multiprocessing
import os
from collections.abc import Mapping, Sequence
from concurrent import futures
from pathlib import Path

import cv2
import numpy as np
import tqdm
from scipy import ndimage

from training import allographs, sources
from training.strokes import Part, Strokes
from zoo import charset, kinds


class FontHand:
    """Writes characters with a font.

    Calling it with a character returns uint8 (size, size), dark ink on white, in the natural size
    and place. A character that the font lacks is a KeyError.
    """

    def __init__(self, path: Path, size: int = sources.EM) -> None:
        self._font, self._covered = sources.open_font(Path(path), size)

    def __call__(self, character: str) -> np.ndarray:
        if ord(character) not in self._covered:
            raise KeyError(character)
        return sources.draw_character(self._font, character)


@dataclasses.dataclass(frozen=True)
class Style:
    """What stays the same in all characters of one writer.

    Attributes:
        stray: How far strokes stray from their place, 0.4 for a neat hand to 2 for a hasty one.
        rise: Radians by which horizontal strokes rise to the right.
        lean: Radians by which vertical strokes lean.
        slant: Shear of whole characters.
        aspect: Width of characters as a factor; the height is divided by it.
        proportion: How much the left, right, upper and lower halves are stretched at the others' cost, (2,).
        bow: How far strokes bend, in shares of their length.
        reach: Length of strokes as a factor.
        roundness: How far corners are cut: standard deviation, in points of a stroke, of what smooths the way
            of the pen; up to 1 for strokes that are set apart, up to 4 for running script.
        running: How often near strokes are joined: about as a probability; from 1 on, all the nearest are.
        span: How far apart strokes may be and still be joined, in shares of the em square.
        flourish: How much the last stroke of a character is lengthened, in shares of its length.
        hooks: Probability that a hook is written.
        shortened: Share of the parts of characters, such as 氵, of which the writer has a shorter form.
        width: Width of the pen in shares of the em square.
        pressure: How much the width varies along a stroke, in shares of it.
        taper: How much the end of a stroke thins, in shares of the width.
    """

    stray: float
    rise: float
    lean: float
    slant: float
    aspect: float
    proportion: np.ndarray
    bow: float
    reach: float
    roundness: float
    running: float
    span: float
    flourish: float
    hooks: float
    shortened: float
    width: float
    pressure: float
    taper: float

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "Style":
        """The style of some writer."""
        haste = _HASTES[rng.choice(len(_HASTES), p=(0.35, 0.2, 0.45))]
        return cls(
            stray=float(rng.uniform(*haste.stray)),
            rise=float(rng.normal(0.07, 0.06) + rng.uniform(*haste.rise)),
            lean=float(rng.normal(0, 0.04)),
            slant=float(rng.normal(0, 0.08)),
            aspect=float(np.exp(rng.normal(0, 0.09))),
            proportion=rng.normal(0, 0.05, 2),
            bow=float(rng.normal(0, 0.03)),
            reach=float(rng.normal(1, 0.05)),
            roundness=float(rng.uniform(*haste.roundness)),
            running=float(rng.uniform(*haste.running)),
            span=float(rng.uniform(*haste.span)),
            flourish=float(rng.uniform(*haste.flourish)),
            hooks=float(rng.uniform(0.2, 1)),
            shortened=float(rng.uniform(*haste.shortened)),
            width=float(np.exp(rng.uniform(np.log(0.013), np.log(0.052)))),
            pressure=float(rng.uniform(0, 0.35)),
            taper=float(rng.uniform(0, 0.7)),
        )


@dataclasses.dataclass(frozen=True)
class _Haste:
    """The ranges of what changes when a writer hurries."""

    stray: tuple[float, float]
    rise: tuple[float, float]
    roundness: tuple[float, float]
    running: tuple[float, float]
    span: tuple[float, float] = (0.35, 0.35)
    flourish: tuple[float, float] = (0.0, 0.0)
    shortened: tuple[float, float] = (0.0, 0.0)


_HASTES = (
    _Haste((0.4, 1.1), (0.0, 0.0), (0.0, 0.8), (0.0, 0.1)),  # Neat
    _Haste((0.8, 2.0), (0.0, 0.1), (0.4, 1.4), (0.1, 0.6), shortened=(0.0, 0.2)),  # Hasty
    # Running script
    _Haste((0.9, 2.0), (0.0, 0.25), (1.0, 4.0), (0.6, 1.6), (0.35, 0.65), (0.0, 0.6), shortened=(0.0, 1.0)),
)


class StrokeHand:
    """Writes characters stroke by stroke, in the style of one made-up writer.

    Calling it with a character returns uint8 (96, 96), dark ink on white; each call writes the character
    anew. A character without strokes is a KeyError.

    Args:
        strokes: `training.strokes.Strokes.characters` of one or several sources, the first one first.
        seed: Of the style and of every character: the same seed and calls give the same pictures.
        style: Of the writer; None draws one.
        parts: Of these characters, as `training.strokes.Strokes.parts`; those that it lacks are written in full.
    """

    def __init__(
        self,
        strokes: Mapping[str, np.ndarray],
        seed: int | list[int],
        style: Style | None = None,
        parts: Mapping[str, Sequence[Part]] | None = None,
    ) -> None:
        self._strokes = strokes
        self._parts = parts or {}
        self._rng = np.random.default_rng(seed)
        self.style = style or Style.draw(self._rng)
        self._forms = allographs.choose(self.style.shortened, self._rng)

    def __call__(self, character: str) -> np.ndarray:
        lines = _without_hooks(self._strokes[character], self.style, self._rng)
        lines = allographs.shorten(lines, self._parts.get(character, ()), self._forms, self._rng)
        lines = _perturb(lines, self.style, self._rng)
        # Nobody draws the dots of … as one line.
        apart = kinds.kind(character) == "punctuation"
        style = dataclasses.replace(self.style, running=0.0) if apart else self.style
        path, pressure = _join(lines, style, self._rng)
        return _ink(_shape(path, self.style), pressure, self.style, self._rng)


def _perturb(lines: np.ndarray, style: Style, rng: np.random.Generator) -> np.ndarray:
    """Each stroke moved, turned, scaled and bent on its own: (strokes, points, 2) to the same."""
    count, points = lines.shape[:2]
    stray = style.stray
    middle = (lines[:, :1] + lines[:, -1:]) / 2
    span = lines[:, -1] - lines[:, 0]
    length = np.hypot(*span.T)[:, None]
    # Strokes near one another in the order of writing stray together, as parts of a character do.
    alone = rng.normal(0, 0.014 * stray, (count, 2))
    part = np.repeat(rng.normal(0, 0.018 * stray, (count // 3 + 1, 2)), 3, axis=0)
    part = np.roll(part, int(rng.integers(3)), axis=0)[:count]
    across = np.abs(span[:, 0]) > 2 * np.abs(span[:, 1])
    down = np.abs(span[:, 1]) > 2 * np.abs(span[:, 0])
    turn = rng.normal(0, 0.05 * stray, count) - style.rise * across + style.lean * down
    size = style.reach * np.exp(rng.normal(0, 0.07 * stray, count))
    cosine, sine = (np.cos(turn) * size)[:, None], (np.sin(turn) * size)[:, None]
    x, y = (lines - middle)[..., 0], (lines - middle)[..., 1]
    moved = np.stack([x * cosine - y * sine, x * sine + y * cosine], axis=-1)
    along = np.linspace(0, 1, points)
    bend = (style.bow + rng.normal(0, 0.025 * stray, (count, 1))) * np.sin(np.pi * along)
    bend += rng.normal(0, 0.01 * stray, (count, 1)) * np.sin(2 * np.pi * along)
    normal = np.stack([-span[:, 1], span[:, 0]], axis=-1) / np.maximum(length, 1e-6)
    moved += (bend * length)[..., None] * normal[:, None]
    return np.asarray(moved + middle + (alone + part)[:, None])


def _without_hooks(lines: np.ndarray, style: Style, rng: np.random.Generator) -> np.ndarray:
    """The strokes, (n, points, 2), without the hooks that the writer leaves out."""
    lines = lines.copy()
    for index in np.flatnonzero(_hooks(lines) & (rng.random(len(lines)) > style.hooks)):
        lines[index] = _without_hook(lines[index])
    return lines


def _hooks(lines: np.ndarray) -> np.ndarray:
    """Which strokes turn sharply near their end: bool (strokes,)."""
    points = lines.shape[1]
    before = lines[:, points * 4 // 5] - lines[:, points * 3 // 5]
    after = lines[:, -1] - lines[:, -3]
    return np.asarray((before * after).sum(-1) < 0)


def _without_hook(line: np.ndarray) -> np.ndarray:
    """A stroke that ends where its last part turns back."""
    points = len(line)
    ends = line[points * 3 // 5 :]
    direction = line[points * 4 // 5] - line[points * 3 // 5]
    last = points * 3 // 5 + int(np.argmax(ends @ direction))
    places = np.linspace(0, last, points)
    return np.stack([np.interp(places, np.arange(points), line[:, axis]) for axis in (0, 1)], axis=-1)


_LINK = 3
"""Points of the way of the pen from one stroke to the next."""


def _join(lines: np.ndarray, style: Style, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The way of the pen over all strokes, (n, 2), and its pressure, (n,), 0 where it is lifted."""
    count, points = lines.shape[:2]
    if style.flourish:
        tail = points // 3
        away = np.linspace(0, rng.uniform(0, style.flourish), tail)[:, None]
        lines[-1, -tail:] += away * (lines[-1, -1] - lines[-1, -tail])
    gap = np.hypot(*(lines[1:, 0] - lines[:-1, -1]).T)
    joined = rng.random(count - 1) < style.running * np.exp(-((gap / style.span) ** 2)) * 1.5
    weights = np.linspace(0, 1, _LINK + 2)[1:-1, None]
    links = lines[:-1, -1:] * (1 - weights) + lines[1:, :1] * weights
    path = np.concatenate([np.concatenate([lines[:-1], links], axis=1).reshape(-1, 2), lines[-1]])
    # Speed and pressure: a slow start, a fast middle, an end that is lifted or pressed.
    along = np.linspace(0, 1, points)
    press = 1 + style.pressure * (rng.normal(0, 0.5, (count, 1)) - np.sin(np.pi * along))
    lifted = style.taper * rng.uniform(0, 1, (count, 1))
    press = press * (1 - lifted * np.clip((along - 0.6) / 0.4, 0, 1) ** 2)
    thin = np.where(joined, rng.uniform(0.35, 0.9, count - 1), 0.0)[:, None]
    pressure = np.concatenate(
        [np.concatenate([press[:-1], np.repeat(thin, _LINK, axis=1)], axis=1).ravel(), press[-1]]
    )
    return _round(path, pressure > 0, style.roundness), pressure


def _round(path: np.ndarray, down: np.ndarray, roundness: float) -> np.ndarray:
    """Cuts the corners of a way, except where the pen is put down or lifted."""
    if roundness < 0.1:
        return path
    rounded = path.copy()
    bounds = np.flatnonzero(np.diff(down, prepend=False, append=False))
    for start, stop in bounds.reshape(-1, 2):
        part = path[start:stop]
        edge = min(math.ceil(4 * roundness), len(part) - 1)
        # Turned around its ends, the way goes on straight there, and the ends stay where they are.
        before, after = 2 * part[0] - part[edge:0:-1], 2 * part[-1] - part[-2 : -edge - 2 : -1]
        longer = np.concatenate([before, part, after])
        rounded[start:stop] = ndimage.gaussian_filter1d(longer, roundness, axis=0)[edge : edge + len(part)]
    return rounded


def _shape(path: np.ndarray, style: Style) -> np.ndarray:
    """The proportions of the writer."""
    path = path + style.proportion * np.cos(np.pi * np.clip(path, -0.5, 0.5))
    return np.asarray(path * (style.aspect, 1 / style.aspect) - path[:, 1:] * (style.slant, 0))


_SAMPLES_OF_SIGNS = 4
"""Of each sign, digit and letter: a few dozen made-up writers would hardly count beside hands that wrote some of them
ten times."""


def made_up_writers(strokes: Sequence[Strokes], writers: int, seed: int) -> list[sources.Glyphs]:
    """The characters of made-up writers, each character once, signs, digits and letters several times.

    Each writer prefers another source of strokes; the others serve where it lacks a character.

    Args:
        strokes: Where the strokes come from.
        writers: How many writers.
        seed: Of all of them; the same seed gives the same pictures.

    Returns:
        One for each writer; none where there are no strokes.
    """
    strokes = [source for source in strokes if source.characters]
    if not strokes or not writers:
        return []
    # Fresh processes: those of a program that has loaded TensorFlow must not be forked.
    context = multiprocessing.get_context("spawn")
    with futures.ProcessPoolExecutor(min(writers, os.cpu_count() or 1), context) as pool:
        made = pool.map(made_up_writer, [strokes] * writers, range(writers), [seed] * writers)
        return list(tqdm.tqdm(made, desc="made-up writers", total=writers, disable=None))


def made_up_writer(strokes: Sequence[Strokes], writer: int, seed: int) -> sources.Glyphs:
    """The characters of one of `made_up_writers`.

    Args:
        strokes: Where the strokes come from.
        writer: Its number, from 0.
        seed: Of all of them.
    """
    order = [strokes[(writer + turn) % len(strokes)] for turn in range(len(strokes))]
    characters = collections.ChainMap(*(dict(source.characters) for source in order))
    hand = StrokeHand(characters, [seed, writer], parts=parts_of(order, characters))
    labels = [
        label
        for label, character in enumerate(charset.CHARACTERS)
        if character in characters
        for _ in range(1 if kinds.kind(character) == "Chinese" else _SAMPLES_OF_SIGNS)
    ]
    images = np.stack([hand(charset.CHARACTERS[label]) for label in labels])
    return sources.Glyphs(f"made-up writer {writer}", images, np.array(labels, np.int32), real=False)


def parts_of(strokes: Sequence[Strokes], characters: Mapping[str, np.ndarray]) -> dict[str, Sequence[Part]]:
    """The parts of characters whose strokes come from some source.

    Sources write nearly all characters in the same order: where they have as many strokes, the parts are the same.

    Args:
        strokes: Sources, some of which tell parts; the first one that does counts.
        characters: Strokes by character.
    """
    return {
        character: parts
        for source in reversed(strokes)
        for character, parts in source.parts.items()
        if len(source.characters[character]) == len(characters.get(character, ()))
    }


_FINE = 2
"""Strokes are drawn this many times as large, and then reduced."""


def _ink(path: np.ndarray, pressure: np.ndarray, style: Style, rng: np.random.Generator) -> np.ndarray:
    """The way of a pen as a picture: uint8 (96, 96), dark on white."""
    side = sources.EM * _FINE
    canvas = np.full((side, side), 255, np.uint8)
    width = style.width * side * np.exp(rng.normal(0, 0.08)) * pressure
    # OpenCV's smooth lines of thickness 1, 2, 3, 5, 7 ... are 1.4, 3.4, 5.4, 7.4, 9.4 ... pixels wide.
    step = np.floor(((width[:-1] + width[1:]) / 2 - 1.4) / 2 + rng.random())
    thickness = np.maximum(2 * step - 1, np.clip(step, 0, 1) + 1)
    thickness *= (pressure[:-1] > 0) & (pressure[1:] > 0)
    fixed = np.round((path + 0.5) * side * 16).astype(np.int32)
    segments = np.stack([fixed[:-1], fixed[1:]], axis=1)
    for value in np.unique(thickness[thickness > 0]):
        cv2.polylines(canvas, list(segments[thickness == value]), False, 0, int(value), cv2.LINE_AA, 4)
    return cv2.resize(canvas, (sources.EM, sources.EM), interpolation=cv2.INTER_AREA)
