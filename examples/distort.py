"""Distorts characters on an accelerator: `training.augment.cell_image` for a whole batch, in JAX.

The same pens, paper and cameras, drawn with the same odds. What is drawn there by OpenCV is drawn here by products of
matrices, which an accelerator does thousands of times a second; single pixels differ, the look does not.
"""

import functools
from typing import Any, NamedTuple

import cv2
import jax
import numpy as np
from jax import numpy as jnp
from jax import random

from training import augment
from training.augment import Distortion
from training.sources import EM

_SIZE = 64
_WORN = 0.5  # Of the pictures.
_SMALLEST = 22  # Side that a picture of 64 pixels is reduced to at most.
_LINE_WIDTHS = (1, 1, 1, 1, 3, 3, 5)  # Pixels that OpenCV draws for widths 1, 2 and 4.


class Facts(NamedTuple):
    """What is known of glyphs beside their pictures, one row each, float32.

    Attributes:
        side: The longer side of the ink in pixels, EM without ink.
        middle: x and y of the middle of the ink, (n, 2).
        ring: 1 where strokes enclose paper, as those of 。 do.
    """

    side: Any
    middle: Any
    ring: Any


def facts(images: np.ndarray) -> Facts:
    """Measures glyphs, uint8 (n, 96, 96), dark on white."""
    side, middle, ring = np.zeros(len(images)), np.zeros((len(images), 2)), np.zeros(len(images))
    for index, image in enumerate(images):
        side[index], middle[index] = augment.extent(255 - image)
        ring[index] = side[index] <= EM / 3 and augment.is_ring(255 - image)
    return Facts(*(measured.astype(np.float32) for measured in (side, middle, ring)))


def cells(key: Any, glyphs: Any, known: Facts, blank: Any, share: Any) -> Any:
    """Makes pictures of cells.

    Args:
        key: Of the randomness.
        glyphs: uint8 (n, 96, 96), dark on white.
        known: Of the glyphs.
        blank: bool (n,), which cells are empty.
        share: Of its turning and bending that the distortion keeps.

    Returns:
        uint8 (n, 64, 64, 1), dark ink on light paper.
    """
    ink = (255 - glyphs.astype(jnp.float32)) / 255
    neighbours = jnp.roll(ink, 1, axis=0)
    keys = random.split(key, len(glyphs))
    draw = functools.partial(_cell, share=share)
    return jax.vmap(draw)(keys, ink, neighbours, known, blank)[..., None]


def _cell(key: Any, ink: Any, neighbour: Any, known: Facts, blank: Any, share: Any) -> Any:
    draw = _Dice(key)
    ink = _warp(_change_stroke_width(ink, draw), known, draw, share)
    ink = jnp.where(blank, 0.0, ink)
    ink = jnp.where(draw.chance(0.25), jnp.maximum(ink, _stray_strokes(neighbour, draw)), ink)
    worn = draw.chance(_WORN)
    ink *= draw.uniform(jnp.where(worn, 0.25, 0.5), 1.0)
    ink = jnp.where(draw.chance(0.4), ink * _smooth_noise(draw, 16, 0.45, 1.1), ink)
    ink = jnp.where(draw.chance(0.2), ink * _graphite(draw), ink)
    broken = _smooth_noise(draw, _SIZE // 3, 0.0, 1.0) >= draw.uniform(0.75, 0.9)
    ink = jnp.where(draw.chance(0.06) & broken, 0.0, ink)
    ink = jnp.where(draw.chance(0.75), jnp.maximum(ink, _grid_lines(draw)), ink)
    return _photograph(ink, draw, worn)


class _Dice:
    """Draws numbers, each from a key of its own."""

    def __init__(self, key: Any) -> None:
        self._key = key
        self._drawn = 0

    def key(self) -> Any:
        self._drawn += 1
        return random.fold_in(self._key, self._drawn)

    def uniform(self, low: Any, high: Any, shape: tuple[int, ...] = ()) -> Any:
        return low + (high - low) * random.uniform(self.key(), shape)

    def normal(self, deviation: Any, shape: tuple[int, ...] = ()) -> Any:
        return deviation * random.normal(self.key(), shape)

    def integer(self, low: int, high: int, shape: tuple[int, ...] = ()) -> Any:
        """From `low` to below `high`."""
        return random.randint(self.key(), shape, low, high)

    def chance(self, share: float) -> Any:
        return self.uniform(0.0, 1.0) < share


def _change_stroke_width(ink: Any, draw: _Dice) -> Any:
    odds = draw.uniform(0.0, 1.0)
    side = draw.integer(2, 5)
    shapes = [cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (number, number)) for number in (2, 3, 4)]
    wide = jnp.stack([functools.reduce(jnp.maximum, _shifted(ink, shape, 0.0)) for shape in shapes])[side - 2]
    thin = functools.reduce(jnp.minimum, _shifted(ink, np.ones((2, 2)), 1.0))
    return jnp.where(odds < 0.25, wide, jnp.where(odds < 0.4, 0.7 * thin + 0.3 * ink, ink))


def _shifted(ink: Any, shape: np.ndarray, outside: float) -> list[Any]:
    """The ink moved to each place of a small shape."""
    reach = len(shape)
    padded = jnp.pad(ink, reach, constant_values=outside)
    starts = np.argwhere(shape) - np.array(shape.shape) // 2 + reach
    return [jax.lax.dynamic_slice(padded, tuple(start), ink.shape) for start in starts.tolist()]


def _graphite(draw: _Dice) -> Any:
    pixels = jnp.exp(draw.uniform(np.log(32), np.log(144))) / _SIZE  # Of the page, for one of the picture.
    spread = jnp.sqrt(0.8**2 + pixels**2 / 12)  # Of the tooth, and of what one pixel of the picture shows.
    blur = _gaussian(spread / pixels, _SIZE)
    grain = blur @ draw.normal(1.0, (_SIZE, _SIZE)) @ blur.T
    # That of even noise, and what a blur leaves of it.
    deviation = draw.uniform(2.0, 4.0) / jnp.sqrt(12 * 4 * np.pi) / spread
    return jnp.clip(0.72 + grain / grain.std() * deviation, 0.15, 1.0)


def _warp(ink: Any, known: Facts, draw: _Dice, share: Any) -> Any:
    distortion = Distortion()
    cell = _SIZE / (1 + 2 * distortion.margin)
    smallest, largest = distortion.scale
    scale = smallest + (largest - smallest) * draw.uniform(0.0, 0.5, (2,)).sum()  # Triangular.
    small = known.side <= EM / 3
    odds = draw.uniform(0.0, 1.0)
    fitted = ~small & (odds < 0.3)
    moved = small & (odds < 0.7)
    fit = 0.8 * _SIZE / cell * EM / known.side * draw.uniform(0.92, 1.08)
    tiny = scale * draw.uniform(jnp.where(known.ring > 0, 0.7, 0.5), 1.1)
    scale = jnp.where(fitted, fit, jnp.where(moved, tiny, scale))
    away = jnp.where(moved, draw.uniform(-0.28, 0.28, (2,)) * EM, 0.0)
    centre = jnp.where(fitted | moved, known.middle + away, EM / 2)
    spread = jnp.where(moved, 0.0, distortion.shift / 2)
    angle = jnp.deg2rad(draw.normal(share * distortion.rotation / 2.5))
    aspect = jnp.exp(draw.normal(0.08))
    rotation = jnp.array([[jnp.cos(angle), -jnp.sin(angle)], [jnp.sin(angle), jnp.cos(angle)]])
    lean, rise = draw.normal(share * distortion.shear / 2), draw.normal(share * distortion.shear / 4)
    shear = jnp.array([[1.0, lean], [rise, 1.0]])
    (a, b), (c, d) = (rotation @ shear) * jnp.stack([aspect, 1 / aspect]) * (scale * cell / EM)
    backward = jnp.array([[d, -b], [-c, a]]) / (a * d - b * c)
    shift = jnp.clip(draw.normal(spread, (2,)), -distortion.shift, distortion.shift) * cell
    steps = jnp.arange(_SIZE) - (_SIZE / 2 - 0.5)
    x, y = steps[None] - shift[0], steps[:, None] - shift[1]
    tilt = draw.normal(share * distortion.perspective / 2, (2,)) * 2 / _SIZE
    depth = 1 + tilt[0] * x + tilt[1] * y
    places = [(backward[axis, 0] * x + backward[axis, 1] * y) / depth + centre[axis] for axis in (0, 1)]
    strength = draw.uniform(0.0, share * distortion.elastic)
    counts = draw.integer(0, 4, (2,))
    for axis in (0, 1):
        length = draw.uniform(0.8, 1.6) * EM
        bend = share * distortion.proportion
        wave = jnp.clip(draw.normal(bend / 2), -bend, bend) * EM
        turn = places[axis] * (2 * np.pi / length) + draw.uniform(0.0, 2 * np.pi)
        rows, columns = (jnp.asarray(_CUBIC)[counts[way]] for way in (0, 1))
        places[axis] += wave * jnp.sin(turn) + strength * (rows @ draw.normal(1.0, (6, 6)) @ columns.T)
    step = EM / (scale * cell)  # How many source pixels one target pixel covers.
    blur = _gaussian(0.4 * step, EM)
    ink = jnp.where(step > 1.2, blur @ ink @ blur.T, ink)
    return jnp.minimum(_sample(ink, *places) * draw.uniform(1.0, 1.6), 1.0)


def _sample(ink: Any, x: Any, y: Any) -> Any:
    """The ink at places between its pixels; none outside."""
    padded = jnp.pad(ink, 1)
    side = len(padded)
    x, y = jnp.clip(x + 1, 0.0, side - 1.001), jnp.clip(y + 1, 0.0, side - 1.001)
    left, top = jnp.floor(x).astype(jnp.int32), jnp.floor(y).astype(jnp.int32)
    right, low = x - left, y - top
    flat, first = padded.ravel(), top * side + left
    upper = flat[first] * (1 - right) + flat[first + 1] * right
    lower = flat[first + side] * (1 - right) + flat[first + side + 1] * right
    return upper * (1 - low) + lower * low


def _stray_strokes(ink: Any, draw: _Dice) -> Any:
    inner = _SIZE - 8
    reduce = jnp.asarray(_AREA)
    small = reduce @ ink @ reduce.T
    reach = draw.integer(3, 11)
    small = jnp.where(draw.chance(0.5), small, small.T)
    last = jnp.where(draw.chance(0.5), inner - reach, 0)  # From the end of the neighbour, or its beginning.
    rows = jnp.arange(_SIZE)
    first = jnp.where(draw.chance(0.5), 0, _SIZE - reach)  # To the beginning of the cell, or its end.
    inside = (rows >= first) & (rows < first + reach)
    strip = small[jnp.clip(rows - first + last, 0, inner - 1)] * inside[:, None]
    stray = jnp.pad(strip, ((0, 0), (4, 4)))
    return jnp.where(draw.chance(0.5), stray, stray.T)


def _grid_lines(draw: _Dice) -> Any:
    margin = Distortion().margin
    edge = margin / (1 + 2 * margin) * _SIZE
    darkness = draw.uniform(0.08, 0.75)
    tilt = draw.normal(0.012) * _SIZE
    along, across = jnp.arange(_SIZE)[None], jnp.arange(_SIZE)[:, None]
    lines = jnp.zeros((_SIZE, _SIZE))
    widths = jnp.array(_LINE_WIDTHS, jnp.float32)
    for side in range(4):
        place = edge + draw.normal(1.6)
        inward = jnp.where(draw.chance(0.4), 1.0, -1.0)  # Where the second line of a double one lies.
        there = ~draw.chance(0.15)
        double = draw.chance(0.15)
        for number in range(2):
            near = place if side % 2 == 0 else _SIZE - 1 - place
            lean = -tilt if side < 2 else tilt
            middle = near + lean * (1 - 2 * along / _SIZE)
            width = widths[draw.integer(0, len(_LINE_WIDTHS))]
            line = darkness * jnp.clip(width / 2 + 0.5 - jnp.abs(across - middle), 0.0, 1.0)
            line = jnp.where(there & (double if number else True), line, 0.0)
            lines = jnp.maximum(lines, line if side < 2 else line.T)
            place += inward * draw.uniform(2.0, 5.0)
    middle = _SIZE / 2 + draw.normal(1.0)
    dashes = jnp.clip(1 - jnp.abs(across - middle), 0.0, 1.0) * (along % 6 < 4) * darkness * 0.6
    return jnp.where(draw.chance(0.1), jnp.maximum(lines, jnp.maximum(dashes, dashes.T)), lines)


def _photograph(ink: Any, draw: _Dice, worn: Any) -> Any:
    side = (_SIZE * jnp.exp(-draw.uniform(0.0, jnp.where(worn, 1.05, 0.5)))).astype(jnp.int32)
    coarse = jnp.asarray(_COARSE)[jnp.clip(side, _SMALLEST, _SIZE) - _SMALLEST]
    ink = jnp.where(draw.chance(0.35), coarse @ ink @ coarse.T, ink)
    widest = jnp.where(worn, 1.9, 0.9)
    blur = _gaussian(jnp.exp(draw.uniform(np.log(0.3), jnp.log(widest))), _SIZE)
    ink = jnp.where(draw.chance(0.55), blur @ ink @ blur.T, ink)
    ink = jnp.where(worn & draw.chance(0.16), _shaken(ink, draw), ink)
    picture = draw.uniform(225.0, 256.0) * (1 - ink)
    picture = jnp.where(draw.chance(0.3), picture * _smooth_noise(draw, 2, 0.88, 1.02), picture)
    grain = draw.normal(1.0, (_SIZE, _SIZE))
    blur = _gaussian(draw.uniform(0.5, 1.8), _SIZE)
    smooth = blur @ grain @ blur.T
    grain = jnp.where(draw.chance(0.5), grain, smooth / smooth.std()) * draw.uniform(0.5, 11.0)
    picture = jnp.where(draw.chance(0.8), picture + grain, picture)
    picture = jnp.floor(jnp.clip(picture, 0.0, 255.0))
    packed = _compressed(picture, draw.integer(30, 90))
    return jnp.where(draw.chance(0.15), packed, picture).astype(jnp.uint8)


def _shaken(ink: Any, draw: _Dice) -> Any:
    """The mean of the ink at places along the way of the camera."""
    angle, length = draw.uniform(0.0, np.pi), draw.uniform(2.0, 5.0)
    pixels = jnp.arange(_SIZE)

    def moved(way: Any) -> Any:
        rows, columns = (
            jnp.clip(1 - jnp.abs(pixels[:, None] + way * step - pixels[None]), 0.0, 1.0)
            for step in (jnp.sin(angle), jnp.cos(angle))
        )
        return rows @ ink @ columns.T

    return sum(moved(length * part) for part in (-0.5, -0.25, 0.0, 0.25, 0.5)) / 5


def _compressed(picture: Any, quality: Any) -> Any:
    """A picture as JPEG of a quality keeps it."""
    scale = jnp.where(quality < 50, 5000 / quality, 200 - 2 * quality)
    table = jnp.clip(jnp.floor((jnp.asarray(_LUMINANCE) * scale + 50) / 100), 1, 255)
    waves, count = jnp.asarray(_WAVES), _SIZE // 8
    tiles = (picture - 128).reshape(count, 8, count, 8).transpose(0, 2, 1, 3)
    parts = jnp.round(waves @ tiles @ waves.T / table) * table
    tiles = jnp.round(waves.T @ parts @ waves) + 128
    return jnp.clip(tiles.transpose(0, 2, 1, 3).reshape(_SIZE, _SIZE), 0, 255)


def _smooth_noise(draw: _Dice, cells: int, low: float, high: float) -> Any:
    matrix = jnp.asarray(_resizing(cells, _SIZE, cv2.INTER_LINEAR))
    return matrix @ draw.uniform(low, high, (cells, cells)) @ matrix.T


def _gaussian(deviation: Any, size: int) -> Any:
    """The matrix that blurs along one axis, (size, size)."""
    steps = jnp.arange(size)
    weights = jnp.exp(-0.5 * ((steps[:, None] - steps[None]) / deviation) ** 2)
    return weights / weights.sum(1, keepdims=True)


def _resizing(before: int, after: int, interpolation: int) -> np.ndarray:
    """The matrix by which OpenCV changes the size along one axis, float32 (after, before)."""
    columns = np.eye(before, dtype=np.float32)
    return np.stack(
        [cv2.resize(column[:, None], (1, after), interpolation=interpolation)[:, 0] for column in columns], 1
    )


_CUBIC = np.stack(
    [np.pad(_resizing(count, _SIZE, cv2.INTER_CUBIC), ((0, 0), (0, 6 - count))) for count in range(3, 7)]
)
_AREA = _resizing(EM, _SIZE - 8, cv2.INTER_AREA)
_COARSE = np.stack(
    [
        _resizing(side, _SIZE, cv2.INTER_LINEAR) @ _resizing(_SIZE, side, cv2.INTER_AREA)
        for side in range(_SMALLEST, _SIZE + 1)
    ]
)
_WAVES = np.array(
    [
        [
            (0.5 if wave else np.sqrt(0.125)) * np.cos((2 * place + 1) * wave * np.pi / 16)
            for place in range(8)
        ]
        for wave in range(8)
    ],
    np.float32,
)
# Of luminance, as ITU T.81 gives it in table K.1.
_LUMINANCE = np.array(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ],
    np.float32,
)
