"""Pictures of free pages to train on, all of one size, with the lines and characters that they show."""

import dataclasses
from collections.abc import Iterator, Sequence

import cv2
import numpy as np

from training import pages, photograph, writing
from training.sources import Glyphs
from training.writing import Hand, Line

_SMALLEST = 12.0  # Side of a character in pixels; smaller ones cannot be read.
_STEP = 8  # Pixels between the points whose place on the page is computed.
_WITHOUT_TEXT = 0.05  # Share of pictures.


@dataclasses.dataclass(frozen=True)
class PageSampler:
    """Draws pictures of pages with their lines.

    Half of them show a whole page, half a part of one; some show no text at all: an empty page, or things that
    are no page. The same seed and step give the same batch.

    Attributes:
        texts: Sentences of natural text.
        hands: Who writes.
        height: Of a picture in pixels.
        width: Of a picture in pixels.
        batch_size: Pictures of a batch.
        seed: Of everything that is drawn.
        em: Smallest and largest side of a character's square in a part of a page, in pixels.
        given: Pages that are photographed besides those that are written, in half of the pictures.
    """

    texts: tuple[str, ...]
    hands: tuple[Hand, ...]
    height: int
    width: int
    batch_size: int
    seed: int
    em: tuple[float, float] = (20.0, 72.0)
    given: tuple[pages.Page, ...] = ()

    @classmethod
    def of(
        cls,
        texts: Sequence[str],
        writers: Sequence[Glyphs],
        height: int,
        width: int,
        batch_size: int,
        seed: int,
        em: tuple[float, float] = (20.0, 72.0),
        given: Sequence[pages.Page] = (),
    ) -> "PageSampler":
        """Prepares writers; the arguments are the attributes.

        Raises:
            ValueError: There is no text or no writer, or a picture has no room for a few characters.
        """
        if not texts or not writers:
            raise ValueError(
                "Pages must have text and a writer. "
                f"Received: {len(texts)} sentences and {len(writers)} writers."
            )
        if not _SMALLEST <= em[0] <= em[1] or min(height, width) < 8 * em[1]:
            raise ValueError(
                f"`em` must be at least {_SMALLEST:.0f}, and at most an eighth of a picture's sides. "
                f"Received: {em=}, {height=}, {width=}."
            )
        hands = tuple(map(Hand, writers))
        return cls(tuple(texts), hands, height, width, batch_size, seed, em, tuple(given))

    def batch(self, step: int) -> list[pages.Page]:
        """The pictures of a step, uint8 (height, width, 3) each.

        A character belongs to a picture if its middle lies in it. The rectangle of a line that is cut is
        that of the characters that are left.
        """
        rng = np.random.default_rng([self.seed, int(step)])
        return [self._picture(rng) for _ in range(self.batch_size)]

    def _picture(self, rng: np.random.Generator) -> pages.Page:
        if self.given and rng.random() < 0.5:
            page = self._resized(self.given[int(rng.integers(len(self.given)))], rng)
        else:
            page = self._written(rng)
        strength = float(rng.random())
        height, width = page.image.shape[:2]
        warp = _camera((width, height), (self.width, self.height), rng, strength)
        ignored = warp(page.ignore).reshape(-1, 4, 2) if len(page.ignore) else page.ignore
        picture = _snapshot(page.image, warp, rng, strength)
        return pages.Page(picture, tuple(_moved(page.lines, warp)), ignored)

    def _written(self, rng: np.random.Generator) -> pages.Page:
        style = self._fitted(pages.random_page_style(rng), rng)
        hand = self.hands[int(rng.integers(len(self.hands)))]
        if rng.random() < _WITHOUT_TEXT:
            return _without_text(style, rng)
        return pages.write_page(self.texts, hand, style, rng)

    def _resized(self, page: pages.Page, rng: np.random.Generator) -> pages.Page:
        """A given page at the scale of the pictures."""
        height, width = page.image.shape[:2]
        sides = [np.linalg.norm(line.quad[[1, 3]] - line.quad[0], axis=1).min() for line in page.lines]
        zoom = self._zoom(np.array([width, height]), max(1.0, float(np.median(sides or [height]))), rng)
        size = (max(1, round(width * zoom)), max(1, round(height * zoom)))
        image = cv2.resize(page.image, size, interpolation=cv2.INTER_AREA if zoom < 1 else cv2.INTER_LINEAR)

        def moved(quads: np.ndarray) -> np.ndarray:
            return ((quads + 0.5) * zoom - 0.5).astype(np.float32)

        lines = tuple(
            dataclasses.replace(line, quad=moved(line.quad), characters=moved(line.characters))
            for line in page.lines
        )
        return pages.Page(image, lines, moved(page.ignore))

    def _zoom(self, page: np.ndarray, em: float, rng: np.random.Generator) -> float:
        """The factor that brings a page of this width and height to the scale of the pictures."""
        fitting = float((np.array([self.width, self.height]) / page).min())
        if rng.random() < 0.5:
            return max(fitting * float(rng.uniform(0.75, 1.05)), _SMALLEST / em)
        return max(float(np.exp(rng.uniform(*np.log(self.em)))) / em, 0.7 * fitting)

    def _fitted(self, style: pages.PageStyle, rng: np.random.Generator) -> pages.PageStyle:
        """The style at the scale of the pictures; a page much larger than they are is made smaller."""
        size, page = np.array([self.width, self.height]), np.array([style.width, style.height])
        zoom = self._zoom(page, style.em, rng)
        width, height = np.minimum(page * zoom, 1.2 * size).round().astype(int).tolist()
        share = np.array([width, height] * 2) / np.tile(page * zoom, 2)
        left, top, right, bottom = np.maximum(style.margins * share, 0.9).tolist()
        return dataclasses.replace(
            style,
            width=width,
            height=height,
            em=style.em * zoom,
            margins=(left, top, right, bottom),
            tiers=style.tiers if share.min() > 0.7 else 1,
            paper=dataclasses.replace(style.paper, line_width=max(1, round(style.paper.line_width * zoom))),
        )


def _without_text(style: pages.PageStyle, rng: np.random.Generator) -> pages.Page:
    """An empty page, or things."""
    nothing = np.empty((0, 4, 2), np.float32)
    if rng.random() < 0.3:
        rules = (style.margins[1] * style.em, style.pitch * style.em)
        image, printed = style.paper.blank(style.width, style.height, rules, style.direction, rng)
        return pages.Page(image, (), np.array(printed, np.float32).reshape(-1, 4, 2))
    return pages.Page(_clutter(style.height, style.width, rng), (), nothing)


def _clutter(height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """Shapes of all sizes and colours, edges and textures, none of them writing: uint8 (height, width, 3)."""
    image = np.empty((height, width, 3), np.uint8)
    image[:] = rng.integers(0, 256, 3)
    for _ in range(int(rng.integers(5, 80))):
        middle = rng.uniform(0, (width, height))
        reach = np.exp(rng.uniform(np.log(8), np.log(max(height, width))))
        points = middle + rng.normal(0, reach / 2, (int(rng.integers(2, 7)), 2))
        colour = rng.integers(0, 256, 3).tolist()
        if rng.random() < 0.4:
            cv2.polylines(
                image, [points.astype(np.int32)], False, colour, int(rng.integers(1, 12)), cv2.LINE_AA
            )
        elif rng.random() < 0.5:
            cv2.fillPoly(image, [points.astype(np.int32)], colour, cv2.LINE_AA)
        else:
            axes = np.abs(points[1] - points[0]).astype(int) + 2
            place = tuple(middle.astype(int).tolist())
            cv2.ellipse(
                image, place, axes.tolist(), float(rng.uniform(0, 180)), 0, 360, colour, -1, cv2.LINE_AA
            )
    knots = rng.normal(0, rng.uniform(0, 25), (int(rng.integers(4, 60)), int(rng.integers(4, 60))))
    texture = cv2.resize(knots.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(image + texture[..., None], 0, 255).astype(np.uint8)


def _camera(
    page: tuple[int, int], picture: tuple[int, int], rng: np.random.Generator, strength: float
) -> photograph.Warp:
    """Looks from nearly above at a page or at a part of it, both (width, height)."""
    size, shown = np.array(page), np.array(picture)
    middle = size / 2 + rng.uniform(-0.5, 0.5, 2) * np.abs(size - shown) + rng.normal(0, 0.02, 2) * shown
    angle = float(np.clip(rng.normal(0, 0.006 + 0.06 * strength), -0.2, 0.2))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    near, tilted, far = np.eye(3), np.eye(3), np.eye(3)
    far[:2, 2] = -middle
    tilted[:2, :2] = turn * np.exp(rng.normal(0, 0.03, 2))
    tilted[2, :2] = rng.normal(0, 0.1 * strength, 2) / shown.max()
    near[:2, 2] = shown / 2
    diagonal = float(np.hypot(*page))
    theta = float(rng.choice([0, np.pi / 2]) + rng.normal(0, 0.3))
    heights = diagonal * np.array([0.008, 0.002]) * rng.uniform(0, 1, 2) * strength
    waves = 2 * np.pi / (diagonal * rng.uniform([0.8, 0.35], [2.5, 0.8]))
    phases = rng.uniform(0, 2 * np.pi, 2)
    return photograph.Warp(
        near @ tilted @ far,
        *picture,
        axis=(float(np.cos(theta)), float(np.sin(theta))),
        amplitude=(float(heights[0]), float(heights[1])),
        frequency=(float(waves[0]), float(waves[1])),
        phase=(float(phases[0]), float(phases[1])),
    )


def _moved(lines: Sequence[Line], warp: photograph.Warp) -> Iterator[Line]:
    """What a picture shows of lines, where it shows it."""
    if not lines:
        return
    bounds = np.cumsum([len(line.characters) for line in lines])[:-1]
    moved = warp(np.concatenate([line.characters for line in lines])).reshape(-1, 4, 2)
    middles = moved.mean(1)
    inside = ((middles >= 0) & (middles < [warp.width, warp.height])).all(1)
    quads, kept = [], []
    for line, characters, shown in zip(lines, np.split(moved, bounds), np.split(inside, bounds), strict=True):
        if shown.any():
            across = line.quad[1] - line.quad[0]
            angle = float(np.arctan2(across[1], across[0]))
            # A guess of the characters may leave out the ends of the line.
            whole = shown.all() and line.confidence < 1
            quads.append(line.quad if whole else writing.around(line.characters[shown], angle))
            text = "".join(np.array(list(line.text))[shown].tolist())
            kept.append((text, characters[shown], line.confidence))
    corners = warp(np.array(quads)).reshape(-1, 4, 2) if quads else ()
    for (text, characters, confidence), quad in zip(kept, corners, strict=True):
        yield Line(text, quad, characters, confidence)


def _snapshot(
    page: np.ndarray, warp: photograph.Warp, rng: np.random.Generator, strength: float
) -> np.ndarray:
    """The picture that a camera takes: uint8 (height, width, 3); quicker than `photograph.phone`."""
    height, width = warp.height, warp.width
    # Places are computed at the middles of squares, as `cv2.resize` takes them, and one square around.
    first = np.array([[1, 0, _STEP / 2 + 0.5], [0, 1, _STEP / 2 + 0.5], [0, 0, 1]])
    coarse = dataclasses.replace(
        warp, homography=first @ warp.homography, width=width + 2 * _STEP, height=height + 2 * _STEP
    )
    places = coarse.bent_points(_STEP)
    places += coarse.curl(places).astype(np.float32)
    every = cv2.resize(places, None, fx=_STEP, fy=_STEP, interpolation=cv2.INTER_LINEAR)
    x, y = cv2.split(every[_STEP : _STEP + height, _STEP : _STEP + width])
    table = (rng.uniform(20, 230) + rng.normal(0, 15, 3)).tolist()
    picture = cv2.remap(page, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=table)
    if rng.random() < 0.7:
        picture = cv2.GaussianBlur(picture, (0, 0), float(rng.uniform(0.3, 0.6 + 0.6 * strength)))
    lit = cv2.resize(_light(height, width, rng, strength), (width, height))
    grain = rng.standard_normal((height, width), np.float32) * np.float32(rng.uniform(0, 2 + 6 * strength))
    picture = cv2.multiply(picture, lit, dtype=cv2.CV_32F)
    picture = cv2.add(picture, cv2.merge([grain] * 3), dtype=cv2.CV_8U)
    if rng.random() < 0.1:
        picture = cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    if rng.random() < 0.5:
        data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(45, 93))])[1]
        picture = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR))
    return picture


def _light(height: int, width: int, rng: np.random.Generator, strength: float) -> np.ndarray:
    """Uneven light of some colour, with the edge of a shadow: float32 (height // 8, width // 8, 3)."""
    across, down = width // _STEP, height // _STEP
    knots = 1 + strength * rng.normal(0, 0.1, tuple(rng.integers(2, 5, 2)))
    light = cv2.resize(knots.astype(np.float32), (across, down), interpolation=cv2.INTER_CUBIC)
    if rng.random() < 0.5 * strength:
        angle, softness = rng.uniform(0, 2 * np.pi), np.exp(rng.uniform(*np.log([0.003, 0.1])))
        x, y = np.linspace(-1, 1, across)[None], np.linspace(-1, 1, down)[:, None]
        distance = (x * np.cos(angle) + y * np.sin(angle) - rng.uniform(-0.8, 0.8)) / softness
        light *= 1 - rng.uniform(0.1, 0.5) / (1 + np.exp(-np.clip(distance, -30, 30)))
    colour = rng.normal(1, 0.04 * strength, 3) * rng.uniform(1 - 0.45 * strength, 1.06)
    return np.asarray(light[..., None] * colour, np.float32)
