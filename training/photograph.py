"""Makes a flat page look scanned or photographed, and moves its truth along.

Each function returns the picture and the `Warp` that made it; a `Warp` is called with points of
the flat page and returns where they are in the picture. The same generator state gives the same
picture. Coordinates are pixels, with the middle of the first pixel at (0, 0).
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np

_LONGEST = (1550, 2150)  # Longer side of a photo in pixels, smallest and largest.

_TABLES = (
    (140, 90, 50),
    (95, 60, 40),
    (190, 160, 125),
    (120, 122, 125),
    (60, 66, 78),
    (205, 200, 190),
    (70, 95, 80),
    (150, 60, 55),
)
_SCANNER_LIDS = (255, 245, 225, 60, 20)


@dataclasses.dataclass(frozen=True)
class Warp:
    """Moves points of a page to their place in a picture of it.

    The curl bends the page in its own plane, as it looks from above; the homography brings the
    bent page into the picture.

    Attributes:
        homography: float64 (3, 3), from the bent page to the picture.
        width: Of the picture.
        height: Of the picture.
        axis: Unit vector along which the waves of the curl run.
        amplitude: Heights of two waves, pixels of the page.
        frequency: Of the two waves, radians per pixel.
        phase: Of the two waves, radians.
    """

    homography: np.ndarray
    width: int
    height: int
    axis: tuple[float, float] = (1.0, 0.0)
    amplitude: tuple[float, float] = (0.0, 0.0)
    frequency: tuple[float, float] = (0.0, 0.0)
    phase: tuple[float, float] = (0.0, 0.0)

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Moves points, float (N, 2), from the page to the picture, as float32 (N, 2)."""
        target = np.asarray(points, np.float64).reshape(-1, 2)
        bent = target.copy()
        for _ in range(30):  # The curl is a contraction: each round gains a decimal digit.
            bent = target - self.curl(bent)
        return cv2.perspectiveTransform(bent[None], self.homography)[0].astype(np.float32)

    def curl(self, points: np.ndarray) -> np.ndarray:
        """How far the page is displaced at points of the bent page, (..., 2)."""
        along = points[..., 0] * self.axis[0] + points[..., 1] * self.axis[1]
        across = sum(
            amplitude * np.sin(frequency * along + phase)
            for amplitude, frequency, phase in zip(self.amplitude, self.frequency, self.phase, strict=True)
        )
        return np.stack([-across * self.axis[1], across * self.axis[0]], -1)

    def slope(self, points: np.ndarray) -> np.ndarray:
        """The slope of the curl at points of the bent page, (...): where light falls differently."""
        along = points[..., 0] * self.axis[0] + points[..., 1] * self.axis[1]
        return np.asarray(
            sum(
                amplitude * frequency * np.cos(frequency * along + phase)
                for amplitude, frequency, phase in zip(
                    self.amplitude, self.frequency, self.phase, strict=True
                )
            )
        )

    def bent_points(self, step: int = 1) -> np.ndarray:
        """The point of the bent page at each `step`-th pixel of the picture, float32 (h, w, 2)."""
        inverse = np.linalg.inv(self.homography)
        x = np.arange(0, self.width, step, dtype=np.float32)[None]
        y = np.arange(0, self.height, step, dtype=np.float32)[:, None]
        row = [
            np.float32(value[0]) * x + np.float32(value[1]) * y + np.float32(value[2]) for value in inverse
        ]
        return np.stack([row[0] / row[2], row[1] / row[2]], -1)


def move_truth(truth: dict[str, Any], warp: Warp) -> dict[str, Any]:
    """The truth of a page after its picture was taken: every quad, the width and the height."""

    def moved(quad: list[list[float]]) -> list[list[float]]:
        return [[round(float(value), 1) for value in point] for point in warp(np.array(quad))]

    return truth | {
        "width": warp.width,
        "height": warp.height,
        "cells": [cell | {"quad": moved(cell["quad"])} for cell in truth["cells"]],
        "lines": [line | {"quad": moved(line["quad"])} for line in truth["lines"]],
        "ignore": [moved(quad) for quad in truth["ignore"]],
    }


def scan(image: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, Warp]:
    """Scans a page: slightly turned on the glass, grain of the paper, JPEG.

    Args:
        image: uint8 (H, W, 3) RGB.
        rng: Where the randomness comes from.

    Returns:
        The scan, uint8 (h, w, 3) RGB, and how points move.
    """
    height, width = image.shape[:2]
    scale = min(1.0, 2200 / max(width, height))
    turn = cv2.getRotationMatrix2D(
        (width / 2, height / 2), float(np.clip(rng.normal(0, 0.9), -2.5, 2.5)), scale
    )
    size = np.array([width, height]) * (scale * rng.uniform(0.985, 1.03, 2))
    turn[:, 2] += size / 2 - np.array([width, height]) / 2 + rng.normal(0, 0.004, 2) * width
    warp = Warp(np.vstack([turn, [0, 0, 1]]), round(float(size[0])), round(float(size[1])))
    lid = float(rng.choice(_SCANNER_LIDS))
    picture = cv2.warpAffine(
        image, turn, (warp.width, warp.height), flags=cv2.INTER_LINEAR, borderValue=(lid, lid, lid)
    )
    if rng.random() < 0.6:
        picture = cv2.GaussianBlur(picture, (0, 0), float(rng.uniform(0.3, 0.8)))
    grain = rng.standard_normal((warp.height, warp.width), np.float32) * np.float32(rng.uniform(1, 4))
    grain += _clouds(rng, warp.width, warp.height, 6, 3.0)
    picture = cv2.add(picture, cv2.merge([grain] * 3), dtype=cv2.CV_8U)
    picture = cv2.addWeighted(picture, float(rng.uniform(0.95, 1.06)), picture, 0, float(rng.uniform(-6, 8)))
    if rng.random() < 0.15:
        picture = cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    return _compress(picture, int(rng.integers(55, 92))), warp


def phone(image: np.ndarray, rng: np.random.Generator, strength: float = 0.4) -> tuple[np.ndarray, Warp]:
    """Photographs a page that lies on a table.

    Perspective, curl, rotation, uneven light, shadows with soft edges, defocus, noise of the
    sensor, JPEG.

    Args:
        image: uint8 (H, W, 3) RGB.
        rng: Where the randomness comes from.
        strength: 0 for a careful photo to 1 for a bad one.

    Returns:
        The photo, uint8 (h, w, 3) RGB, and how points move.
    """
    warp = _camera(image.shape[1], image.shape[0], rng, strength)
    source = warp.bent_points()
    source += warp.curl(source).astype(np.float32)
    inside = _page_mask(source, image.shape[1], image.shape[0])
    scale = _scale(warp, image.shape[1], image.shape[0])
    if scale < 0.8:  # The remap below would skip pixels.
        image = cv2.GaussianBlur(image, (0, 0), 0.4 / scale)
    map_x, map_y = cv2.split(source)
    page = cv2.remap(image, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    table = _table(warp.width, warp.height, rng, _thrown_shadow(inside, rng))
    picture = _defocus(cv2.blendLinear(page, table, inside, 1 - inside), rng, strength)
    grain = rng.standard_normal((warp.height, warp.width), np.float32) * np.float32(
        rng.uniform(1, 3 + 5 * strength)
    )
    blotches = rng.standard_normal((warp.height // 3, warp.width // 3, 3), np.float32)
    blotches *= np.float32(rng.uniform(0, 2 + 3 * strength))
    noise = cv2.resize(blotches, (warp.width, warp.height)) + grain[..., None]
    lit = cv2.multiply(picture, _light(warp, rng, strength), dtype=cv2.CV_32F)
    return _compress(
        cv2.add(lit, noise, dtype=cv2.CV_8U), int(rng.integers(round(82 - 35 * strength), 93))
    ), warp


def _hard(image: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, Warp]:
    return phone(image, rng, float(rng.uniform(0.7, 1.0)))


def _ordinary(image: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, Warp]:
    return phone(image, rng, float(rng.uniform(0.15, 0.5)))


LEVELS: dict[str, Callable[[np.ndarray, np.random.Generator], tuple[np.ndarray, Warp]]] = {
    "scan": scan,
    "phone": _ordinary,
    "hard": _hard,
}
"""The levels of difficulty of a set of pages, beside the flat page itself."""


def _camera(width: int, height: int, rng: np.random.Generator, strength: float) -> Warp:
    """Places a camera above the page: tilted, turned, not quite in the middle."""
    tilt = np.deg2rad(rng.uniform(-1, 1, 2) * (3 + 17 * strength))
    turn = np.deg2rad(np.clip(rng.normal(0, 1 + 4 * strength), -14, 14))
    cosine, sine = np.cos([*tilt, turn]), np.sin([*tilt, turn])
    pitch = np.array([[1, 0, 0], [0, cosine[0], -sine[0]], [0, sine[0], cosine[0]]])
    yaw = np.array([[cosine[1], 0, sine[1]], [0, 1, 0], [-sine[1], 0, cosine[1]]])
    roll = np.array([[cosine[2], -sine[2], 0], [sine[2], cosine[2], 0], [0, 0, 1]])
    diagonal = float(np.hypot(width, height))
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    space = (np.column_stack([corners, np.zeros(4)]) - [width / 2, height / 2, 0]) @ (roll @ yaw @ pitch).T
    distance = diagonal * rng.uniform(1.1, 2.2)
    seen = space[:, :2] * (distance / (distance + space[:, 2:]))
    seen -= seen.min(0)
    margin = rng.uniform(0.015, 0.09, 4)  # Left, top, right, bottom: shares of the picture.
    shares = np.array([1 - margin[0] - margin[2], 1 - margin[1] - margin[3]])
    size = seen.max(0) / shares
    scale = rng.uniform(*_LONGEST) / size.max()
    target = (seen + margin[:2] * size) * scale
    theta = rng.choice([0, np.pi / 2]) + rng.normal(0, 0.3)
    length = diagonal * rng.uniform([0.8, 0.35], [2.5, 0.8])
    heights = diagonal * np.array([0.011, 0.003]) * rng.uniform(0.2, 1, 2) * (0.2 + strength)
    first_phase, second_phase = (float(value) for value in rng.uniform(0, 2 * np.pi, 2))
    return Warp(
        cv2.getPerspectiveTransform(corners, target.astype(np.float32)),
        round(float(size[0] * scale)),
        round(float(size[1] * scale)),
        axis=(float(np.cos(theta)), float(np.sin(theta))),
        amplitude=(float(heights[0]), float(heights[1])),
        frequency=(float(2 * np.pi / length[0]), float(2 * np.pi / length[1])),
        phase=(first_phase, second_phase),
    )


def _scale(warp: Warp, width: int, height: int) -> float:
    """How many pixels of the picture one pixel of the page takes, on average."""
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    return float(np.sqrt(cv2.contourArea(warp(corners)) / (width * height)))


def _page_mask(source: np.ndarray, width: int, height: int) -> np.ndarray:
    """Where the page lies in the picture, float32 in 0 ... 1, smooth at its edge."""
    x, y = source[..., 0], source[..., 1]
    inside = np.minimum(np.minimum(x, width - 1 - x), np.minimum(y, height - 1 - y))
    return np.clip(inside + np.float32(1), 0, 1)


def _table(width: int, height: int, rng: np.random.Generator, shadow: np.ndarray) -> np.ndarray:
    """What lies around the page: wood with grain, cloth or a plain desk, uint8 (h, w, 3)."""
    colour = np.array(_TABLES[rng.integers(len(_TABLES))]) * rng.uniform(0.6, 1.15)
    colour = np.clip(colour + rng.normal(0, 8, 3), 15, 235)
    kind = rng.choice(["wood", "cloth", "plain"])
    if kind == "wood":
        long, short = int(rng.integers(3, 12)), int(rng.integers(150, 600))
        shape = (short, long) if rng.random() < 0.6 else (long, short)
        grain = rng.normal(0, 1, shape).astype(np.float32)
        figure = rng.normal(0, 1, (shape[0] // 8 + 2, shape[1] // 8 + 2)).astype(np.float32)
        texture = cv2.resize(grain, (width, height)) + 1.5 * cv2.resize(
            figure, (width, height), interpolation=cv2.INTER_CUBIC
        )
    elif kind == "cloth":
        texture = rng.standard_normal((height, width), np.float32)
    else:
        texture = _clouds(rng, width, height, 5, 1.0)
    texture = (1 + np.float32(rng.uniform(0.01, 0.1)) * texture) * (1 - shadow)
    return cv2.merge([cv2.convertScaleAbs(texture, alpha=float(channel)) for channel in colour])


def _thrown_shadow(inside: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The shadow that the page throws on the table, 0 ... 1, float32 (h, w)."""
    height, width = inside.shape
    small = cv2.resize(inside, None, fx=1 / 8, fy=1 / 8, interpolation=cv2.INTER_AREA)
    drop = rng.normal(0, 0.006, 2) * max(width, height) / 8
    shift = np.array([[1, 0, drop[0]], [0, 1, drop[1]]])
    small = cv2.warpAffine(small, shift, (small.shape[1], small.shape[0]))
    small = cv2.GaussianBlur(small, (0, 0), float(rng.uniform(0.6, 3)))
    return cv2.resize(small, (width, height)) * np.float32(rng.uniform(0.3, 0.7))


def _light(warp: Warp, rng: np.random.Generator, strength: float) -> np.ndarray:
    """Light on the page and table, float32 (h, w, 3): colour, falloff, folds and shadows."""
    step = 6
    bent = warp.bent_points(step)
    height, width = bent.shape[:2]
    x = np.linspace(-1, 1, width, dtype=np.float32)[None]
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    fall = rng.normal(0, 0.04 + 0.12 * strength, 2)
    light = 1 + fall[0] * x + fall[1] * y - rng.uniform(0, 0.05 + 0.2 * strength) * (x**2 + y**2) / 2
    light = light * (1 + rng.uniform(-2.0, 2.0) * warp.slope(bent))
    for _ in range(int(rng.binomial(2, 0.3 + 0.5 * strength))):
        shadow = _shadow(width, height, rng)
        light = light * (1 - shadow * rng.uniform(0.1, 0.25 + 0.4 * strength))
    light = light * rng.uniform(1.0 - 0.4 * strength, 1.08)
    warmth = rng.normal(0, 0.04)
    colour = np.array([1 + warmth, 1 + rng.normal(0, 0.01), 1 - warmth])
    full = cv2.resize(np.clip(light, 0.12, 1.3).astype(np.float32), (warp.width, warp.height))
    return full[..., None] * colour.astype(np.float32)


def _shadow(width: int, height: int, rng: np.random.Generator) -> np.ndarray:
    """The shadow of a hand, a phone, a lamp or a window frame: 0 ... 1, its edge hard or soft."""
    mask = np.zeros((height, width), np.float32)
    size = np.array([width, height])
    kind = rng.choice(["half", "hand", "phone", "bars"])
    if kind == "half":
        angle, middle = rng.uniform(0, 2 * np.pi), size * rng.uniform(0.25, 0.75, 2)
        x, y = np.arange(width)[None], np.arange(height)[:, None]
        mask[(x - middle[0]) * np.cos(angle) + (y - middle[1]) * np.sin(angle) > 0] = 1
    elif kind == "hand":
        middle = size * rng.uniform(0.1, 0.9, 2)
        for _ in range(int(rng.integers(1, 5))):
            axes = size.max() * rng.uniform([0.08, 0.12], [0.2, 0.4])
            place = middle + rng.normal(0, 0.07, 2) * size
            cv2.ellipse(mask, (place, 2 * axes, float(rng.uniform(0, 360))), 1.0, -1)
    elif kind == "phone":
        middle, sides = size * rng.uniform(0.2, 0.8, 2), size.min() * rng.uniform([0.3, 0.5], [0.5, 0.9])
        corners = cv2.boxPoints((middle.tolist(), sides.tolist(), float(rng.uniform(-40, 40))))
        cv2.fillConvexPoly(mask, corners.round().astype(np.int32), 1.0)
    else:
        angle, period = rng.uniform(0, np.pi), size.max() * rng.uniform(0.2, 0.5)
        x, y = np.arange(width)[None], np.arange(height)[:, None]
        along = (x * np.cos(angle) + y * np.sin(angle)) / period + rng.random()
        mask[along % 1 < rng.uniform(0.1, 0.5)] = 1
    # An edge sharper than this would show the steps of the coarse mask.
    return cv2.GaussianBlur(mask, (0, 0), float(size.max() * np.exp(rng.uniform(*np.log([0.004, 0.04])))))


def _defocus(picture: np.ndarray, rng: np.random.Generator, strength: float) -> np.ndarray:
    blur = float(rng.uniform(0.2, 0.8 + 0.9 * strength))
    picture = cv2.GaussianBlur(picture, (0, 0), blur)
    if rng.random() < 0.3 * strength:  # The hand moved.
        length, angle = rng.uniform(1, 3), rng.uniform(0, np.pi)
        kernel = np.zeros((9, 9), np.float32)
        reach = np.array([np.cos(angle), np.sin(angle)]) * length
        ends = [tuple((16 * (4 + sign * reach)).round().astype(int).tolist()) for sign in (-1, 1)]
        cv2.line(kernel, ends[0], ends[1], 1.0, 1, cv2.LINE_8, 4)
        picture = cv2.filter2D(picture, -1, kernel / kernel.sum())
    return picture


def _clouds(rng: np.random.Generator, width: int, height: int, count: int, depth: float) -> np.ndarray:
    """Smooth noise of `count` by `count` knots, float32 (height, width)."""
    knots = rng.normal(0, depth, (count, count)).astype(np.float32)
    return cv2.resize(knots, (width, height), interpolation=cv2.INTER_CUBIC)


def _compress(picture: np.ndarray, quality: int) -> np.ndarray:
    """What JPEG leaves of a picture, uint8 (h, w, 3) RGB."""
    bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return cv2.cvtColor(np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR)), cv2.COLOR_BGR2RGB)
