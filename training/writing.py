"""Writes lines of text with one writer's characters, from left to right or from top to bottom.

Lengths are in em, the side of the square of an ordinary character, where nothing else is said.
"""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import cv2
import numpy as np

from training import sheets
from training.sources import EM, FILL, Glyphs
from zoo import charset

_FAINT = 40  # What is fainter than this of 255 is the soft edge of a stroke.
_DIVISORS = (8, 6, 4, 3, 2, 1)  # Of `EM`: by these, reducing is quick.
_TURNED = frozenset(charset.normalise("".join(sheets.VERTICAL_FORMS)))
_LEVEL = "—…"  # Those of `_TURNED` that lie in a row and stand in a column; brackets do the opposite.
_CLOSING = frozenset("。，、；：？！」』）》〉】〕,.;:?!)")
_BASELINE = 0.78  # Of Latin letters, in shares of the square.
_EVENED = (0.8, 1.6)  # Smallest and largest factor that makes a character as large as others.
_GAP = 0.08  # On both sides of ink that does not take the room of its square.


@dataclasses.dataclass(frozen=True)
class Manner:
    """How a writer writes.

    Attributes:
        spacing: Between characters, beside what their squares leave.
        proportional: How far a character takes the room of its ink (1) and not of its square (0).
        stops: The same of full stops and commas.
        latin: Size of Latin letters and digits, as a factor.
        even: How far Chinese characters are brought to one size: 0 leaves them, 1 makes them equal.
        slant: Shear of characters.
        turn: Of characters against their line, in radians.
        uneven_size: Standard deviation of the size of characters, as a factor.
        uneven_place: Standard deviation of their place.
        drift: Height of the waves in which a line drifts.
        pen: How far strokes are widened, in pixels of the glyphs; 1 leaves them.
        darkness: Factor of the ink.
    """

    spacing: float = 0.05
    proportional: float = 0.0
    stops: float = 0.5
    latin: float = 0.85
    even: float = 0.0
    slant: float = 0.0
    turn: float = 0.0
    uneven_size: float = 0.04
    uneven_place: float = 0.03
    drift: float = 0.0
    pen: int = 1
    darkness: float = 1.2


@dataclasses.dataclass(frozen=True)
class Line:
    """A line of writing.

    Attributes:
        text: Its characters.
        quad: Corners of the rectangle around its ink, clockwise from the top left, float32 (4, 2).
        characters: The same of each character's ink, turned as the line is, float32 (n, 4, 2).
        confidence: How far these are to be believed, 0 to 1.
    """

    text: str
    quad: np.ndarray
    characters: np.ndarray
    confidence: float = 1.0


class Sign(NamedTuple):
    """A character that is about to be written.

    Attributes:
        character: What it is.
        ink: uint8 (n, n), strokes bright.
        outline: Points around its ink in the square, float32 (k, 2).
        corner: Where the middle of the first pixel lies in the square, (2,).
        pixel: Side of a pixel.
        low: Where the room of the sign starts along the line, in its square.
        high: Where it ends.
        before: A blank before it.
        crossed: Whether it is crossed out.
    """

    character: str
    ink: np.ndarray
    outline: np.ndarray
    corner: np.ndarray
    pixel: float
    low: float
    high: float
    before: float = 0.0
    crossed: bool = False


class Hand:
    """Writes with the characters of one writer.

    Args:
        glyphs: The characters, with labels of `zoo.charset`.
    """

    def __init__(self, glyphs: Glyphs) -> None:
        self.writer = glyphs.writer
        self._images = glyphs.images
        self._order = np.argsort(glyphs.labels, kind="stable")
        self._starts = np.searchsorted(
            glyphs.labels[self._order], np.arange(len(charset.CHARACTERS) + 1)
        ).tolist()
        self.characters = [charset.CHARACTERS[label] for label in np.unique(glyphs.labels)]
        self._ordinary = [sign for sign in self.characters if sign.isalnum() and not sign.isascii()]

    def legible(self, text: str, rng: np.random.Generator) -> str:
        """The text as the writer can write it: other characters for those, no marks, that are lacking."""
        others = self._ordinary or self.characters
        written = []
        for character in text:
            if character.isspace() or len(self._samples(character)):
                written.append(character)
            elif character.isalnum():
                written.append(others[rng.integers(len(others))])
        return "".join(written)

    def signs(
        self, text: str, manner: Manner, side: float, direction: str, rng: np.random.Generator
    ) -> list[Sign]:
        """Prepares text.

        Args:
            text: As `legible` gives it.
            manner: How it is written.
            side: Of the square of a character in pixels.
            direction: "horizontal" or "vertical".
            rng: Draws the samples of the characters.
        """
        signs = []
        blank = 0.0
        for character in text:
            if character.isspace():
                blank += 0.35 if character.isascii() else 1.0
                continue
            samples = self._samples(character)
            image = self._images[samples[rng.integers(len(samples))]]
            sign = _sign(character, image, manner, side, direction)
            if sign is not None:
                signs.append(sign._replace(before=blank))
                blank = 0.0
        return signs

    def _samples(self, character: str) -> np.ndarray:
        """The places of the writer's samples of a character, (n,)."""
        if not charset.supports(character):
            return self._order[:0]
        (label,) = charset.encode(character)
        return self._order[self._starts[label] : self._starts[label + 1]]


def both_ways(glyphs: Glyphs) -> Glyphs:
    """Glyphs, and once more those of signs that turn in a column: in the other of their two forms.

    A dash is not among them. One that stands is no other than 1, l or |.
    """
    known = {label: charset.CHARACTERS[label] for label in charset.encode("".join(_TURNED - {"—"}))}
    images, labels = [], []
    for image, label in zip(glyphs.images, glyphs.labels.tolist(), strict=True):
        if label in known:
            ink = 255 - image
            forms = (_upright(ink, known[label], direction) for direction in ("horizontal", "vertical"))
            other = [form for form in forms if form is not ink]
            images += [255 - form for form in other]
            labels += [label] * len(other)
    if not images:
        return glyphs
    return dataclasses.replace(
        glyphs,
        images=np.concatenate([glyphs.images, np.stack(images)]),
        labels=np.concatenate([glyphs.labels, np.array(labels, glyphs.labels.dtype)]),
    )


def with_mistakes(signs: Sequence[Sign], share: float, rng: np.random.Generator) -> list[Sign]:
    """The signs and, before that share of them, others that are crossed out."""
    if not share:
        return list(signs)
    mixed = []
    for sign in signs:
        if rng.random() < share:
            mixed.append(signs[int(rng.integers(len(signs)))]._replace(crossed=True))
        mixed.append(sign)
    return mixed


def wrap(
    signs: Sequence[Sign], length: float, indent: float, manner: Manner
) -> Iterator[tuple[list[Sign], np.ndarray]]:
    """Breaks a paragraph into lines.

    A mark that closes stays on the line that it closes, and a Latin word whole, where there is room.

    Args:
        signs: Of the paragraph.
        length: Of a line.
        indent: Of the first line.
        manner: How it is written.

    Yields:
        The signs of a line, and where their squares start, (n,).
    """
    narrow = np.array([_is_latin(sign.character) for sign in signs], bool)
    spacing = np.where(narrow, 0.3, 1.0) * manner.spacing
    before, low, high = (
        np.array([getattr(sign, name) for sign in signs]) for name in ("before", "low", "high")
    )
    ends = np.cumsum(before + high - low + spacing)
    first, start = 0, indent
    while first < len(signs):
        passed = start - (ends[first - 1] if first else 0.0) - before[first]
        last = max(first + 1, int(np.searchsorted(ends + passed - spacing, length + 1e-6, "right")))
        if last < len(signs):
            if signs[last].character in _CLOSING:
                last += 1
            elif narrow[last]:
                word = last
                while word > first and narrow[word - 1] and not before[word]:
                    word -= 1
                last = word if word > first else last
        chosen = slice(first, last)
        yield list(signs[chosen]), (ends + passed - spacing - high)[chosen]
        first, start = last, 0.0


def write(
    written: np.ndarray,
    signs: Sequence[Sign],
    places: np.ndarray,
    start: np.ndarray,
    side: float,
    angle: float,
    direction: str,
    manner: Manner,
    rng: np.random.Generator,
) -> tuple[Line | None, list[np.ndarray]]:
    """Writes a line.

    Args:
        written: uint8 (height, width), 0 for paper to 255 for ink; the line is added to it.
        signs: Of the line.
        places: Where their squares start along the line, (n,).
        start: The point of the page, in pixels, where the middle of the line starts, (2,).
        side: Of the square of a character in pixels.
        angle: Of the line, radians, clockwise.
        direction: "horizontal" or "vertical".
        manner: How it is written.
        rng: Where the unevenness comes from.

    Returns:
        The line, None without a character that is not crossed out; and the corners of what is crossed
        out, float32 (4, 2) each.
    """
    count, along = len(signs), int(direction == "vertical")
    frame = _turn(np.array([angle]))[0]
    phase = rng.uniform(0, 2 * np.pi)
    middles = np.empty((count, 2))
    middles[:, along] = places + 0.5
    middles[:, 1 - along] = manner.drift * np.sin(places / rng.uniform(3, 9) + phase)
    middles += rng.normal(0, manner.uneven_place, (count, 2))
    shear = np.tile(np.eye(2), (count, 1, 1))
    shear[:, 0, 1] = -manner.slant + rng.normal(0, 0.3 * manner.uneven_size, count)
    grow = np.exp(rng.normal(0, manner.uneven_size, count)[:, None] + rng.normal(0, 0.02, (count, 2)))
    turns = manner.turn + rng.normal(0, 0.5 * manner.uneven_size, count)
    linear = _turn(turns) @ shear * grow[:, None]
    sizes = [len(sign.outline) for sign in signs]
    bounds = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    points = np.concatenate([sign.outline for sign in signs]) - 0.5
    points = (np.repeat(linear, sizes, 0) @ points[..., None])[..., 0] + np.repeat(middles, sizes, 0)
    on_page = points @ frame.T * side + start
    lows, highs = (f.reduceat(points, bounds) for f in (np.minimum, np.maximum))
    corners = [f.reduceat(on_page, bounds) for f in (np.minimum, np.maximum)]
    _draw(written, signs, frame @ linear * side, middles @ frame.T * side + start, corners, rng)
    thickness = max(1, round(side * (0.02 + 0.008 * manner.pen)))
    for index in np.flatnonzero([sign.crossed for sign in signs]):
        stroke = lows[index] + _strike(rng) * (highs[index] - lows[index])
        fixed = ((stroke @ frame.T * side + start) * 16).round().astype(np.int32)
        cv2.polylines(written, [fixed], False, 255, thickness, cv2.LINE_AA, 4)
        reach = thickness / 2 / side
        lows[index] = np.minimum(lows[index], stroke.min(0) - reach)
        highs[index] = np.maximum(highs[index], stroke.max(0) + reach)
    edge = 0.5 / side  # Of a pixel.
    quads = rectangles(lows - edge, highs + edge) @ frame.T * side + start
    crossed = np.array([sign.crossed for sign in signs])
    ignored = list(quads[crossed].astype(np.float32))
    if crossed.all():
        return None, ignored
    text = "".join(sign.character for sign in signs if not sign.crossed)
    return Line(text, around(quads[~crossed], angle), quads[~crossed].astype(np.float32)), ignored


def rectangles(lows: np.ndarray, highs: np.ndarray) -> np.ndarray:
    """Upright rectangles from their upper left and lower right corners, (n, 2) each, to (n, 4, 2)."""
    return np.stack(
        [lows, np.stack([highs[:, 0], lows[:, 1]], 1), highs, np.stack([lows[:, 0], highs[:, 1]], 1)], 1
    )


def around(quads: np.ndarray, angle: float) -> np.ndarray:
    """The rectangle, turned by an angle, around quadrilaterals (n, 4, 2): float32 (4, 2)."""
    frame = _turn(np.array([angle]))[0]
    points = quads.reshape(-1, 2) @ frame
    return (rectangles(points.min(0)[None], points.max(0)[None])[0] @ frame.T).astype(np.float32)


def _is_latin(character: str) -> bool:
    return character.isascii() and character.isalnum()


def _turn(angles: np.ndarray) -> np.ndarray:
    """Rotations, (n, 2, 2), clockwise on the page."""
    cosine, sine = np.cos(angles), np.sin(angles)
    return np.stack([np.stack([cosine, -sine], -1), np.stack([sine, cosine], -1)], -2)


def _sign(character: str, image: np.ndarray, manner: Manner, side: float, direction: str) -> Sign | None:
    """Prepares a sample, uint8 (96, 96), dark on white; None if it shows no ink."""
    ink = 255 - image
    plain = charset.normalise(character)
    if plain in _TURNED:
        ink = _upright(ink, plain, direction)
    elif direction == "vertical" and character in sheets.STOPS:
        ink = sheets.stop_in_column(ink)
    if manner.pen > 1:
        ink = cv2.dilate(ink, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (manner.pen, manner.pen)))
    factor = manner.latin if _is_latin(plain) else 1.0
    # Reduced so far that the affine warp to come skips no pixel, and blurs nothing.
    shrink = next(divisor for divisor in _DIVISORS if divisor <= max(1.0, EM / (side * factor) + 0.3))
    if shrink > 1:
        ink = cv2.resize(ink, (EM // shrink, EM // shrink), interpolation=cv2.INTER_AREA)
    ink = cv2.convertScaleAbs(ink, alpha=manner.darkness)
    pixels = _outline(ink > _FAINT)
    if not len(pixels):
        return None
    pixel = factor / len(ink)
    corner = np.array([0.5, _BASELINE]) * (1 - factor) + pixel / 2
    outline = pixels * pixel + corner
    if manner.even and plain >= "\u4e00":
        length = max(float(np.ptp(outline, axis=0).max()), pixel)
        grow = float(np.clip(FILL / length, *_EVENED)) ** manner.even
        pixel, corner, outline = pixel * grow, 0.5 + grow * (corner - 0.5), 0.5 + grow * (outline - 0.5)
    share = manner.proportional
    if character in sheets.STOPS:
        share = manner.stops
    elif direction == "horizontal" and character.isascii():
        share = 1.0
    reach = outline[:, int(direction == "vertical")]
    low, high = share * (float(reach.min()) - _GAP), 1 - share * (1 - float(reach.max()) - _GAP)
    return Sign(character, ink, outline, corner, pixel, low, high)


def _upright(ink: np.ndarray, plain: str, direction: str) -> np.ndarray:
    """Ink of a bracket, a dash or dots, turned to the direction: fonts and hands hold both forms."""
    rows, columns = np.nonzero(ink > 127)
    if not len(rows):
        return ink
    wide = np.ptp(columns) > np.ptp(rows)
    if wide == ((direction == "horizontal") == (plain in _LEVEL)):
        return ink
    return np.ascontiguousarray(np.rot90(ink, -1 if direction == "vertical" else 1))


def _outline(mask: np.ndarray) -> np.ndarray:
    """The first and the last pixel of ink of each row, (k, 2) as x and y: their hull is that of the ink."""
    rows = np.flatnonzero(mask.any(1))
    mask = mask[rows]
    points = np.empty((2, len(rows), 2))
    points[..., 1] = rows
    points[0, :, 0] = mask.argmax(1)
    points[1, :, 0] = mask.shape[1] - 1 - mask[:, ::-1].argmax(1)
    return points.reshape(-1, 2)


def _draw(
    written: np.ndarray,
    signs: Sequence[Sign],
    linear: np.ndarray,
    middles: np.ndarray,
    corners: list[np.ndarray],
    rng: np.random.Generator,
) -> None:
    """Draws signs: `linear`, (n, 2, 2), takes their square to the page, around `middles`, (n, 2)."""
    limits = written.shape[::-1]
    lows = np.clip(np.floor(corners[0]) - 2, 0, limits).astype(int)
    highs = np.clip(np.ceil(corners[1]) + 3, 0, limits).astype(int)
    pixels = np.array([sign.pixel for sign in signs])
    offsets = np.stack([sign.corner for sign in signs]) - 0.5
    shifts = (linear @ offsets[..., None])[..., 0] + middles - lows
    matrices = np.concatenate([linear * pixels[:, None, None], shifts[..., None]], 2)
    for sign, matrix, (left, top), (right, bottom) in zip(
        signs, matrices, lows.tolist(), highs.tolist(), strict=True
    ):
        if left < right and top < bottom:
            window = written[top:bottom, left:right]
            drawn = cv2.warpAffine(sign.ink, matrix, (right - left, bottom - top), flags=cv2.INTER_LINEAR)
            np.maximum(window, drawn, out=window)


def _strike(rng: np.random.Generator) -> np.ndarray:
    """What crosses out a character: a line, two lines, a cross or a scribble over its box, (k, 2)."""
    kind = rng.choice(["line", "double", "cross", "scribble"])
    if kind == "line":
        stroke = np.array([[-0.15, 0.5], [1.15, 0.5]])
    elif kind == "double":
        stroke = np.array([[-0.1, 0.35], [1.1, 0.35], [-0.1, 0.65], [1.1, 0.65]])
    elif kind == "cross":
        stroke = np.array([[-0.05, 0.0], [1.05, 1.0], [1.05, 0.0], [-0.05, 1.0]])
    else:
        count = int(rng.integers(8, 24))
        stroke = np.stack([np.linspace(-0.1, 1.1, count), np.tile([0.0, 1.0], 12)[:count]], 1)
    return stroke + rng.normal(0, 0.07, stroke.shape)
