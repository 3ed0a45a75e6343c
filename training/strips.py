"""Strips of lines as a line reader sees them: written on paper, photographed, found, cut out and straightened.

Vertical text is read from left to right as well: `zoo.strips` puts its characters side by side.
"""

import dataclasses
from collections.abc import Sequence

import cv2
import numpy as np

from training import pages, sheets, writing
from training.sources import Glyphs
from training.writing import Hand, Line
from zoo import charset, ctc, geometry, manuscript, paper, strips

_NATURAL = 0.55  # Share of the lines that are natural text; the others are random characters.
_SENTENCE = 24  # Random characters of a sentence.
_ROUNDS = 8  # How often the random sentences go through the charset.
_REAL = 3.0  # How often a hand writes for one of a font or made-up writer with as many characters.
_EM = (18.0, 60.0)  # Side of a character's square on the page in pixels.
_CLOSER = 1.25  # Characters of a horizontal line for each square of its strip.
_ROOM = 2.4  # Of the page across the line, in em.
_BEFORE = 1.0  # Of the page before and after the line, in em.
_WIDEST = 2.0  # Distance of rules in em, so that the page has one at least.
_BOLDEST = 0.05  # Rules in em; bolder ones hide the writing.
_FLATTENED, _WHITENED = 0.85, 0.6  # Shares of the pages, and of the flattened ones.
_SQUARE = 16  # Side in pixels of what tells the grain.
_MISTAKEN = 0.15  # Share of the lines that have characters crossed out.
_MOST_GRAIN = 40.0  # The end of a page tells its grain worse than a whole one.
_THINNEST = 0.55  # Line that is found, in em: 一一 is not cut out as a strip of its own height.
_SIDES_SHOWN, _ENDS_SHOWN = (
    (-0.05, 0.15),
    (-0.03, 0.3),
)  # What a cut shows around, in shares of the thickness.
_LOOSE = (0.0, 0.35)  # The same at the sides, where a picture shows one line alone.


@dataclasses.dataclass(frozen=True)
class _CutOut:
    """A line that is cut out of a page.

    Attributes:
        strip: The straightened line, uint8 (64, w), or (h, 64) if it is vertical.
        line: Where it stood on the page.
        crossed: The corners there of what is crossed out, float32 (4, 2) each.
        matrix: From the page to the strip, (3, 3).
    """

    strip: np.ndarray
    line: Line
    crossed: list[np.ndarray]
    matrix: np.ndarray

    def spans(self, quads: np.ndarray, axis: int) -> np.ndarray:
        """Where quadrilaterals of the page, (n, 4, 2), start and end along an axis of the strip, (n, 2)."""
        corners = cv2.perspectiveTransform(quads.reshape(1, -1, 2).astype(np.float32), self.matrix)
        places = corners.reshape(-1, 4, 2)[..., axis]
        return np.stack([places.min(1), places.max(1)], 1)


@dataclasses.dataclass(frozen=True)
class StripSampler:
    """Draws strips with their labels.

    About half of the lines are natural text, the others random characters, so that rare ones are read by their
    strokes. The strips of a batch are equally wide: one of a few widths. The same seed and step give the same
    batch.

    Attributes:
        texts: Sentences of natural text.
        random: Sentences of random characters, each of the charset equally often.
        hands: Who writes.
        shares: How often each of them does, float64 (hands,), in sum 1.
        widths: Widths of strips in pixels.
        batch_size: Strips of a batch.
        seed: Of everything that is drawn.
        vertical: Share of the strips whose text was vertical.
    """

    texts: tuple[str, ...]
    random: tuple[str, ...]
    hands: tuple[Hand, ...]
    shares: np.ndarray
    widths: tuple[int, ...]
    batch_size: int
    seed: int
    vertical: float = 0.3

    @classmethod
    def of(
        cls,
        texts: Sequence[str],
        writers: Sequence[Glyphs],
        widths: Sequence[int],
        batch_size: int,
        seed: int,
        vertical: float = 0.3,
    ) -> "StripSampler":
        """Prepares writers; the other arguments are the attributes.

        Writers who have more characters write more often, and hands more often than fonts and made-up writers.

        Raises:
            ValueError: There is no text or no writer, or a width is no multiple of 8 or holds no two characters.
        """
        if not texts or not writers:
            raise ValueError(
                "Strips must have text and a writer. "
                f"Received: {len(texts)} sentences and {len(writers)} writers."
            )
        if not widths or any(width < 2 * strips.HEIGHT or width % strips.STEP for width in widths):
            raise ValueError(
                f"`widths` must hold multiples of {strips.STEP} from {2 * strips.HEIGHT} on. Received: widths={tuple(widths)}."
            )
        hands = tuple(map(Hand, writers))
        often = [
            (_REAL if glyphs.real else 1.0) * len(hand.characters) ** 0.5
            for glyphs, hand in zip(writers, hands, strict=True)
        ]
        rng = np.random.default_rng(seed)
        rounds = [rng.permutation(list(charset.CHARACTERS[1:])) for _ in range(_ROUNDS)]
        mixed = "".join(np.concatenate(rounds).tolist())
        random = tuple(mixed[start : start + _SENTENCE] for start in range(0, len(mixed), _SENTENCE))
        shares = np.array(often) / np.sum(often)
        return cls(tuple(texts), random, hands, shares, tuple(widths), batch_size, seed, vertical)

    @property
    def height(self) -> int:
        """Height of a strip in pixels."""
        return strips.HEIGHT

    def batch(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        """The batch of a step.

        Returns:
            uint8 (batch, 64, width, 1), dark ink on light paper; and int32 (batch, longest), ids of `zoo.charset`,
            padded with 0.
        """
        rng = np.random.default_rng([self.seed, int(step)])
        place = int(rng.integers(len(self.widths)))
        ordered = sorted(self.widths)
        most, least = ordered[place], ordered[place - 1] if place else strips.HEIGHT
        images = np.empty((self.batch_size, strips.HEIGHT, most, 1), np.uint8)
        texts = []
        for image in images:
            strip, ids = self._strip(float(rng.uniform(least, most)), most, rng)
            texts.append(ids)
            # A reader that whitens paper pads with white; one that does not, with paper.
            image[...] = 255 if rng.random() < 0.3 else strips.shade(strip)
            image[:, : strip.shape[1], 0] = strip
        labels = np.zeros((self.batch_size, max(map(len, texts))), np.int32)
        for row, ids in zip(labels, texts, strict=True):
            row[: len(ids)] = ids
        return images, labels

    def _strip(self, wanted: float, most: int, rng: np.random.Generator) -> tuple[np.ndarray, list[int]]:
        """A strip of about `wanted`, at most `most` pixels, uint8 (64, w), and its ids."""
        while True:  # A line may be crossed out as a whole, and samples may show no ink.
            vertical = bool(rng.random() < self.vertical)
            if vertical:
                cut_out = self._line("vertical", wanted / strips.HEIGHT, rng)
            else:
                cut_out = self._line("horizontal", _CLOSER * wanted / strips.HEIGHT, rng)
            if cut_out is None:
                continue
            strip, text = _laid_out(cut_out, most, rng) if vertical else _cut(cut_out, most)
            ids = charset.encode(text)
            if ids and ctc.steps_needed(ids) <= most // strips.STEP:
                return strip, ids

    def _line(self, direction: str, length: float, rng: np.random.Generator) -> _CutOut | None:
        """A line of about so many em, cut out of a page; None if nothing is written."""
        style = pages.random_page_style(rng)
        em = float(np.exp(rng.uniform(*np.log(_EM))))
        hand = self.hands[int(rng.choice(len(self.hands), p=self.shares))]
        signs = hand.signs(self._text(hand, length, rng), style.manner, em, direction, rng)
        if not signs:
            return None
        share = float(rng.uniform(0.02, 0.2)) if rng.random() < _MISTAKEN else 0.0
        signs = writing.with_mistakes(signs, share, rng)
        signs, places = next(writing.wrap(signs, length, 0.0, style.manner))
        along = int(direction == "vertical")
        size = np.full(2, _ROOM)
        size[along] = places[-1] + 1 + 2 * _BEFORE
        # The line turns around its middle.
        angle = float(np.clip(rng.normal(0, 0.01), -0.02, 0.02))
        start = size / 2
        start[along] = _BEFORE
        start[1 - along] += (1 if along else -1) * np.tan(angle) * (places[-1] + 1) / 2
        width, height = np.ceil(size * em).astype(int).tolist()
        written = np.zeros((height, width), np.uint8)
        line, crossed = writing.write(
            written, signs, places, start * em, em, angle, direction, style.manner, rng
        )
        if line is None:
            return None
        _add_neighbours(written if direction == "horizontal" else written.T, style.pitch * em, rng)
        page = _photographed(_inked(written, style, em, direction, rng), em, rng)
        if rng.random() < _FLATTENED:
            page = manuscript.flatten(page)
            if rng.random() < _WHITENED:
                page = paper.whiten(page, min(_MOST_GRAIN, paper.grain(paper.squares(page, _SQUARE))))
        strip, matrix = geometry.straighten(
            page, _found(line.quad, em, direction, rng), strips.HEIGHT, vertical=direction == "vertical"
        )
        return _CutOut(strip, line, crossed, matrix)

    def _text(self, hand: Hand, length: float, rng: np.random.Generator) -> str:
        """Text for a line of so many em, from anywhere in a paragraph."""
        source = self.texts if rng.random() < _NATURAL else self.random
        text = pages.paragraph(source, hand, rng)
        first = int(rng.integers(max(1, len(text) - round(length))))
        return hand.legible(text[first : first + round(1.3 * length) + 2], rng)


def _add_neighbours(written: np.ndarray, pitch: float, rng: np.random.Generator) -> None:
    """Writes the lines before and after a horizontal line: the same characters from another one on."""
    alone = written.copy()
    for above in (True, False):
        shift = round(pitch * float(rng.uniform(0.95, 1.1)))
        if rng.random() < 0.6 and shift < len(written):
            moved = np.roll(alone, int(rng.integers(alone.shape[1])), axis=1)
            if above:
                np.maximum(written[:-shift], moved[shift:], out=written[:-shift])
            else:
                np.maximum(written[shift:], moved[:-shift], out=written[shift:])


def _inked(
    written: np.ndarray, style: pages.PageStyle, em: float, direction: str, rng: np.random.Generator
) -> np.ndarray:
    """Ink on the paper of a style, which is `em` pixels large here: uint8 (h, w)."""
    height, width = written.shape
    zoom = em / style.em
    sort = dataclasses.replace(
        style.paper,
        line_width=max(1, round(min(style.paper.line_width * zoom, _BOLDEST * em))),
        step=min(style.paper.step, _WIDEST / style.pitch),
        margin=0.0,
        holes=0,
        header="",
    )
    pitch = style.pitch * em
    middle = (height if direction == "horizontal" else width) / 2
    blank, _ = sort.blank(width, height, (middle - style.seat * pitch, pitch), direction, rng)
    cover = written.astype(np.float32) / 255
    if style.show_through:
        np.maximum(cover, style.show_through * cover[:, ::-1], out=cover)
    page = sheets.lay_ink(blank, cover, pages.INKS[style.ink], rng, graphite=style.ink == "pencil")
    return cv2.cvtColor(page, cv2.COLOR_RGB2GRAY)


def _photographed(page: np.ndarray, em: float, rng: np.random.Generator) -> np.ndarray:
    """A page as a camera or scanner brings it: uneven light, blur, grain, compression; uint8 (h, w)."""
    height, width = page.shape
    if rng.random() < 0.6:
        page = cv2.GaussianBlur(page, (0, 0), float(rng.uniform(0.3, min(1.1, 0.03 * em))))
    strength = float(rng.random())
    knots = 1 + strength * rng.normal(0, 0.08, (2, int(rng.integers(2, 6))))
    light = cv2.resize(knots.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    picture: np.ndarray = cv2.multiply(
        page, light * np.float32(rng.uniform(1 - 0.45 * strength, 1.06)), dtype=cv2.CV_32F
    )
    if rng.random() < 0.8:
        grain: np.ndarray = rng.standard_normal((height, width), np.float32)
        if rng.random() < 0.5:  # Of a picture that was resampled.
            smooth = cv2.GaussianBlur(grain, (0, 0), float(rng.uniform(0.5, 1.6)))
            grain = np.asarray(smooth / smooth.std(), np.float32)
        picture += grain * np.float32(rng.uniform(0, 7))
    picture = np.clip(picture, 0, 255).astype(np.uint8)
    if rng.random() < 0.4:
        data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(40, 93))])[1]
        picture = np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE))
    return picture


def _found(quad: np.ndarray, em: float, direction: str, rng: np.random.Generator) -> np.ndarray:
    """The corners of a line as a detector gives them: near those of its ink, float32 (4, 2)."""
    right, down = quad[1] - quad[0], quad[3] - quad[0]
    wide, high = (max(1.0, float(np.linalg.norm(side))) for side in (right, down))
    thickness = high if direction == "horizontal" else wide
    lacking = max(0.0, float(rng.uniform(_THINNEST, 1.3 * _THINNEST)) * em - thickness)
    thickness += lacking
    ends = rng.uniform(*_ENDS_SHOWN, 2) * thickness
    sides = rng.uniform(*(_LOOSE if rng.random() < 0.15 else _SIDES_SHOWN), 2) * thickness + lacking / 2
    (left, after), (above, below) = (ends, sides) if direction == "horizontal" else (sides, ends)
    moves = np.array([[-left, -above], [after, -above], [after, below], [-left, below]])
    moves = moves @ np.stack([right / wide, down / high])
    return np.asarray(quad + moves + rng.normal(0, 0.015 * thickness, (4, 2)), np.float32)


def _cut(cut_out: _CutOut, most: int) -> tuple[np.ndarray, str]:
    """A horizontal line, cut between two characters where it is longer than `most` pixels, and its text."""
    strip, text = cut_out.strip, cut_out.line.text
    if strip.shape[1] <= most:
        return strip, text
    spans = cut_out.spans(cut_out.line.characters, 0)
    whole = int((np.maximum.accumulate(spans[:, 1]) <= most).sum())
    if not whole:
        return strip[:, :most], ""
    # Whatever reaches in from the next character is cut off with it.
    end = max(float(spans[:whole, 1].max()) + 1, float(spans[whole:, 0].min(initial=most)))
    return strip[:, : min(most, round(end))], text[:whole]


def _laid_out(cut_out: _CutOut, most: int, rng: np.random.Generator) -> tuple[np.ndarray, str]:
    """A vertical line, laid out as far as `most` pixels reach, and its text."""
    quads = np.concatenate([cut_out.line.characters, np.reshape(cut_out.crossed, (-1, 4, 2))])
    names = [*cut_out.line.text, *[""] * len(cut_out.crossed)]
    spans = cut_out.spans(quads, 1)
    order = np.argsort(spans.mean(1), kind="stable")[: most // strips.HEIGHT]
    length = len(cut_out.strip)
    starts, ends = (spans[order] + rng.normal(0, 0.03 * strips.HEIGHT, (len(order), 2))).T
    starts = np.clip(starts, 0, length - 1)
    ends = np.clip(ends, starts + 1, length)
    strip, _ = strips.lay_out(cut_out.strip, np.stack([starts, ends], 1))
    return strip, "".join(names[index] for index in order)
