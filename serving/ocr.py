"""The reader: finds the cells of a page, crops them, recognises them, and puts the text together."""

import collections
import dataclasses
import functools
import itertools
import os
import threading
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple, cast, overload

import cv2
import numpy as np

from serving import (
    askew,
    blackboard,
    both_styles,
    finder,
    free_page,
    images,
    legible,
    line_ends,
    line_reader,
    orientation,
    runtime,
    second_look,
    single,
    whole_lines,
    words,
)
from serving import context as contexts
from serving import lines as lines_of
from serving.ahead import meanwhile
from serving.cells import BATCH, MARGIN
from serving.endpoint import DEFAULT_SIGNATURE, Address, Endpoint, EndpointError
from serving.page import Box, Cells, Character, Line, Page
from zoo import charset, ctc, emphasis, geometry, manuscript, ngram, paper

Source = str | os.PathLike[str] | bytes | bytearray | memoryview | np.ndarray
"""A path, the bytes of a file, or pixels: uint8 (H, W) or (H, W, 3) RGB."""

MODEL = "hanzinet_m"
"""The preset that reads where none is named."""

LAYOUTS = ("auto", "grid", "lines", "line", "char")

STYLES = ("characters", "lines")
"""How lines are read: character by character, or each as a whole."""

SIZE = 64
"""Side of a crop where no model asks for another."""

_ALTERNATIVES = 5  # That are told of a character.
_UPRIGHT = 0.7  # Pages of cells that are read with less certainty may be turned: upright ones have .85, turned ones .45.
_IN_CELLS = 0.8  # Pages of cells with a lower mean score may be squared paper: others have .9 and more, those up to .7.
_ENOUGH = (
    0.25  # Lines that replace cells take up at least that share of their area: one sure word is not all.
)
_INDENT = 2  # Cells that are left empty where a paragraph begins.
_INSIDE = 32  # Side in pixels of what tells the grain of the paper: cells without their printed lines.
_TRACE = 8  # Grey levels; nothing is written where nothing is so much darker than the grain of the paper.
# What was found as a line may be a part of one character from this thickness on, in shares of all that was found or
# of all ink.
_THICK = 0.45


class LayoutError(ValueError):
    """A picture cannot be read in the layout that was asked for."""


class Reader:
    """Reads pictures of handwriting. The model is loaded when the first picture is read.

    Args:
        model: The name of a preset, or the folder of one; None takes hanzinet_m, or the preset of
            the name that `endpoint` serves.
        threads: How many threads a network computes with, while one more prepares what it reads; None takes all
            that the process may use.
        endpoint: The address of a model on TensorFlow Serving, as `serving.endpoint.Endpoint` takes
            it. The cells are found here and recognised there; the preset only gives the
            temperatures.
        context: Whether the characters beside a character help to read it, see `serving.context`. Without, a
            slip of the pen is read as it stands there.
        style: How lines are read: "characters" cuts them up for the model, "lines" reads each as a whole with the
            preset line_s. None takes "lines" for rows, "characters" for columns, and both where one is unsure, see
            `serving.both_styles`; "characters" wherever `model` or `endpoint` is given.

    Raises:
        ValueError: `endpoint` is no such address, or `style` is unknown.
    """

    def __init__(
        self,
        model: str | Path | None = None,
        threads: int | None = None,
        endpoint: str | None = None,
        context: bool = True,
        style: str | None = None,
    ) -> None:
        if style not in (None, *STYLES):
            raise ValueError(
                f"`style` must be one of {', '.join(map(repr, STYLES))}. Received: style={style!r}."
            )
        named = None if endpoint is None else Address.parse(endpoint).model
        self.model = model or named or MODEL
        self.threads = threads
        self.endpoint = endpoint
        self.context = context
        self.style = style
        self._chosen = model is not None or endpoint is not None

    def load(self) -> None:
        """Loads the model, or asks the server for it, now rather than with the first picture.

        What finds lines, and without `style` what reads them, is loaded with the first page that needs it.

        Raises:
            serving.runtime.ModelError: The model is missing or damaged.
            serving.endpoint.EndpointError: The server does not answer, or serves another kind of
                model. It is a `ModelError` too.
        """
        self._recogniser  # noqa: B018
        if self.style == "lines":
            self._line_reader  # noqa: B018

    def read(self, source: Source, layout: str = "auto") -> Page:
        """Reads a picture of one page.

        Args:
            source: A path, the bytes of a file, or uint8 pixels (H, W) or (H, W, 3) RGB.
            layout: "grid" for manuscript paper; "lines" for a page of text; "line" for a picture of one line, a
                vertical one where it is higher than wide, both however they lie; "char" for an upright picture
                of one character; "auto" takes "grid" where manuscript paper is found whose cells make sense, and else
                "lines" or "char", whichever the picture looks like.

        Raises:
            serving.images.ImageError: The picture cannot be decoded.
            LayoutError: `layout` is "grid" and no manuscript paper is there, or `layout` is "lines" and
                the model that finds lines is not installed.
            ValueError: `layout` is unknown, or the file holds several pages.
            serving.runtime.ModelError: The model is missing or damaged, or its server does not answer.
        """
        _check(layout)
        return self._page(_decode(source), layout, _name(source))

    def read_pages(self, source: Source, layout: str = "auto") -> list[Page]:
        """Reads every page of a file, such as a TIFF. Arguments and errors are those of `read`."""
        _check(layout)
        return [self._page(page, layout, _name(source)) for page in images.decode(source)]

    @functools.cached_property
    def _recogniser(self) -> "_Recogniser":
        if self.endpoint is None:
            preset = runtime.preset(self.model)
            if preset.result.get("recipe", {}).get("kind", "CharacterRecipe") != "CharacterRecipe":
                raise runtime.UnknownModelError(
                    f"{self.model} reads no single characters; take a model that does, such as {MODEL}"
                )
            session = preset.session(self.threads)
            shape, _ = session.inputs.get("image", ((), None))
            if shape[1:] != (preset.size, preset.size, 1):
                raise runtime.ModelError(
                    f"{session.path}: must read `image` of ({preset.size}, {preset.size}, 1), as its result.json says. "
                    f"Received: {shape[1:]}."
                )
            return _Recogniser(session, preset)
        try:
            preset = runtime.preset(self.model)
        except runtime.ModelError as error:
            raise runtime.ModelError(
                f"{self.endpoint}: the temperature of the scores comes from a preset on this machine: "
                f"{error} Name a folder with the result.json of the model: "
                "Reader(FOLDER, endpoint=...), or --model FOLDER."
            ) from error
        return _Recogniser(_open(self.endpoint, preset), preset, padded=False)

    @functools.cached_property
    def _finder(self) -> finder.LineFinder:
        try:
            preset = runtime.preset(finder.MODEL)
        except runtime.ModelError as error:
            raise LayoutError(f"layout 'lines' needs the model that finds lines: {error}") from error
        return finder.LineFinder.of_preset(preset, 1)  # Another thread looks for a grid meanwhile.

    @functools.cached_property
    def _line_reader(self) -> line_reader.LineReader:
        preset = runtime.preset(line_reader.MODEL)
        return line_reader.LineReader(preset.session(self.threads), preset)

    @property
    def _read_upright(self) -> lines_of.ReadLines:
        """What reads lines, in the style that was asked for, or else in both."""
        single = functools.partial(
            lines_of.read,
            recogniser=self._recogniser.logits,
            closer=self._recogniser.logits_of_two_looks,
            size=self._recogniser.size,
            bigram=None if self._trigram is None else self._trigram.bigram,
        )
        if self.style == "characters" or (self.style is None and self._chosen):
            return single
        whole = functools.partial(whole_lines.read, reader=self._line_reader)
        if self.style is None:
            return functools.partial(both_styles.read, whole=whole, single=single, trigram=self._trigram)

        def as_a_whole(
            flat: np.ndarray, quads: Sequence[np.ndarray], directions: Sequence[manuscript.Direction]
        ) -> list[list[lines_of.Written]]:
            columns = [quad for quad, way in zip(quads, directions, strict=True) if way == "vertical"]
            return whole(flat, quads, directions, single(flat, columns, ["vertical"] * len(columns)))

        return as_a_whole

    @property
    def _trigram(self) -> ngram.Trigram | None:
        return contexts.load() if self.context else None

    def _in_context(self, text: Sequence["_Reading"]) -> list["_Reading"]:
        """The characters of a text, each read again beside the others."""
        if self._trigram is None:
            return list(text)
        reread = contexts.reread([one.alternatives for one in text], self._trigram)
        return [
            dataclasses.replace(one, alternatives=alternatives)
            for one, alternatives in zip(text, reread, strict=True)
        ]

    def _page(self, image: np.ndarray, layout: str, name: str) -> Page:
        """What `read` gives for the pixels of a page."""
        return legible.only(self._read(blackboard.as_ink(image), layout, name)).clipped()

    def _read(self, image: np.ndarray, layout: str, name: str) -> Page:
        if layout == "line":
            return self._read_line(manuscript.flatten(image), name)
        if layout == "char":
            return self._read_character(image, name)
        if layout == "lines":
            return self._read_lines(self._find_lines(image, manuscript.flatten(image)), name)
        if layout == "grid":
            grid = manuscript.find(image)
            if grid is None:
                raise LayoutError(
                    "no manuscript paper was found; the whole frame of the sheet must be in the picture "
                    "(layout 'lines' reads pages without cells, 'char' a single character)"
                )
            return self._read_grid(manuscript.flatten(image), grid, name)
        # Looking for a grid keeps one thread busy; another one looks for lines meanwhile, until there is one.
        threads = self.threads or runtime.available_threads()
        flattened = functools.cache(meanwhile(lambda: manuscript.flatten(image), threads))
        over = threading.Event()
        found = meanwhile(lambda: self._find_lines(image, flattened(), over), threads)
        grid = manuscript.find(image)
        if grid is None:
            return self._read_without_cells(image, found(), name)
        over.set()
        page = self._read_grid(flattened(), grid, name)
        if not page.lines or page.mean_score >= _IN_CELLS:
            return page
        # Squared paper, on which nobody writes into the cells.
        try:
            others = self._read_lines(self._find_lines(image, flattened()), name)
        except (LayoutError, runtime.ModelError):  # What finds or reads lines is not there; the cells are.
            return page
        likelier = others.lines and others.mean_score > page.mean_score
        return others if likelier and _area(others) > _ENOUGH * _area(page) else page

    def _find_lines(
        self, image: np.ndarray, flat: np.ndarray, over: threading.Event | None = None
    ) -> "_Lines":
        """The lines of a page: faint ones show where the light is divided out, leaning ones where it is laid straight.

        `over` is as of `finder.LineFinder.until`.
        """
        size = flat.shape[1], flat.shape[0]
        find = self._finder if over is None else self._finder.until(over)
        found = finder.best(find, [image, flat])
        straight = askew.straightened(flat)
        if straight is not None:
            on_straight = find(straight.flat)
            # The strokes of a single character lean too.
            is_text = len(found[0]) or len(on_straight[0]) > 1 or not single.is_character(image)
            if is_text and finder.clearer(on_straight, found) is on_straight:
                return _Lines(straight.flat, on_straight[0], size, straight.back)
        return _Lines(flat, found[0], size)

    def _read_without_cells(self, image: np.ndarray, found: "_Lines", name: str) -> Page:
        """A page of lines, a picture of one character or a blank one, whichever it looks like."""
        quads = found.quads
        if not len(quads):
            if single.is_character(image):
                return self._read_character(image, name)
            return Page(name, image.shape[1], image.shape[0], "char", "horizontal", ())
        page = self._read_lines(found, name)
        if found.back is not None or (len(quads) > 1 and _are_lines(quads, quads)):
            return page
        one = self._read_character(image, name)
        if not one.lines or not page.lines:
            return page
        written = np.reshape(one.lines[0].box, (4, 2))
        if len(quads) == len(page.lines) == len(page.lines[0].characters) == 1:
            return one
        if _are_lines(quads, written):
            return page
        # Two short lines, or the parts of a large character; scores of one kind tell.
        as_text = self._read_character(image, name, of_text=True)
        return one if as_text.mean_score >= page.mean_score else page

    def _read_grid(self, flat: np.ndarray, grid: manuscript.Grid, name: str) -> Page:
        readings = self._read_cells(flat, grid)

        def read(turns: int) -> Page:
            if not turns:
                return self._page_of_cells(flat, grid, readings, name)
            upright = grid.turned(turns, flat.shape[1], flat.shape[0])
            turned = np.ascontiguousarray(np.rot90(flat, turns))
            return self._page_of_cells(turned, upright, self._read_cells(turned, upright), name)

        if np.mean([reading.certainty for reading in readings if not reading.blank] or 1.0) >= _UPRIGHT:
            return read(0)
        written = [not reading.blank for reading in readings]
        return self._laid_upright(read, flat, grid.cells.reshape(-1, 4, 2)[written])

    def _laid_upright(self, read: Callable[[int], Page], flat: np.ndarray, quads: np.ndarray) -> Page:
        """A page that may be turned.

        Args:
            read: Gives the page after so many quarters of a turn.
            flat: As of `serving.orientation.turns`.
            quads: Likewise.
        """
        turns, certain = orientation.turns(flat, quads, self._recogniser.certainties, self._recogniser.size)
        page = read(turns)
        if not certain:
            as_it_lies = read(0)
            if as_it_lies.lines and not (page.lines and page.mean_score > as_it_lies.mean_score):
                return as_it_lies
        return page.turned(-turns)

    def _read_cells(self, flat: np.ndarray, grid: manuscript.Grid) -> list["_Reading"]:
        """What is in each cell, row by row."""
        quads = grid.cells.reshape(-1, 4, 2)
        inside = geometry.rectify(flat, quads, _INSIDE, margin=-0.12)
        grain = paper.grain(inside)
        marked = np.any(paper.whiten(inside, grain) < 255 - _TRACE, axis=(1, 2))
        if not marked.any():
            return [_EMPTY] * len(quads)
        # Of a sheet that is half full the network is shown half.
        crops = geometry.rectify(flat, quads[marked], self._recogniser.size, margin=MARGIN)
        read = iter(self._recogniser(paper.whiten(crops, grain)))
        return [next(read) if one else _EMPTY for one in marked]

    def _page_of_cells(
        self, flat: np.ndarray, grid: manuscript.Grid, readings: Sequence["_Reading"], name: str
    ) -> Page:
        """Puts the cells of an upright page together."""
        quads = grid.cells.reshape(-1, 4, 2)
        filled = np.array([not reading.blank for reading in readings]).reshape(grid.rows, grid.columns)
        direction = grid.direction or manuscript.guess_direction(grid, filled)
        order = manuscript.reading_order(grid, direction)
        along = grid.rows if direction == "vertical" else grid.columns
        places = [row * grid.columns + column for row, column in order]
        text: dict[int, _Reading] = {}
        for blank, cells in itertools.groupby(places, lambda cell: readings[cell].blank):
            if not blank:  # An empty cell parts texts.
                written = list(cells)
                text |= zip(written, self._in_context([readings[cell] for cell in written]), strict=True)
        strips: list[list[tuple[np.ndarray, _Reading]]] = []
        paragraphs: list[int] = []
        begins = False
        for start in range(0, len(places), along):
            row = places[start : start + along]
            strip = [(quads[cell], text[cell]) for cell in row if cell in text]
            begins |= text.keys().isdisjoint(row[:_INDENT])
            if strip:
                paragraphs.append(paragraphs[-1] + begins if paragraphs else 0)
                strips.append(strip)
                begins = False
        lines = self._lines(strips, [direction] * len(strips), paragraphs)
        listed = Cells(grid.rows, grid.columns, tuple(_box(grid.cells[place]) for place in order))
        height, width = flat.shape
        return Page(name, width, height, "grid", direction, lines, listed)

    def _read_lines(self, found: "_Lines", name: str) -> Page:
        flat = found.flat
        quads = line_ends.lengthened(flat, found.quads)

        def read(turns: int) -> Page:
            if not turns:
                return self._page_of_lines(flat, quads, name)
            turned = geometry.turned(quads, turns, flat.shape[1], flat.shape[0])
            upright = np.array([geometry.order_corners(quad) for quad in turned], np.float32)
            return self._page_of_lines(np.ascontiguousarray(np.rot90(flat, turns)), upright, name)

        page = self._laid_upright(read, flat, quads)
        return page if found.back is None else page.moved(found.back, *found.size)

    def _page_of_lines(self, flat: np.ndarray, quads: np.ndarray, name: str) -> Page:
        """Reads the lines of an upright page."""
        found = free_page.read(flat, quads, self._read_upright)
        lengths = collections.Counter[str]()
        for line in found:
            lengths[line.direction] += len(line.characters)
        direction = max(lengths, key=lengths.__getitem__, default="horizontal")
        lines = self._read_written(found)
        height, width = flat.shape
        return Page(name, width, height, "lines", direction, lines)

    def _read_line(self, flat: np.ndarray, name: str) -> Page:
        found = lines_of.only_line(flat)
        quads = np.empty((0, 4, 2), np.float32) if found is None else found[0][None]

        def read(turns: int) -> Page:
            upright = np.ascontiguousarray(np.rot90(flat, turns))
            return self._page_of_line(upright, lines_of.only_line(upright) if turns else found, name)

        return self._laid_upright(read, flat, quads)

    def _page_of_line(
        self, flat: np.ndarray, found: tuple[np.ndarray, manuscript.Direction] | None, name: str
    ) -> Page:
        """Reads the only line of an upright picture, as `serving.lines.only_line` finds it."""
        direction: manuscript.Direction = "horizontal"
        lines: tuple[Line, ...] = ()
        if found is not None:
            quad, direction = found
            (written,) = self._read_upright(flat, [quad], [direction])
            if written:
                lines = self._read_written([free_page.FoundLine(quad, direction, 0, written)])
        height, width = flat.shape
        return Page(name, width, height, "line", direction, lines)

    def _read_character(self, image: np.ndarray, name: str, of_text: bool = False) -> Page:
        box, views = single.views(image, self._recogniser.size)
        lines: tuple[Line, ...] = ()
        if box is not None:
            fitted, *smaller = self._recogniser.alone(views, of_text)
            characters = self._recogniser.characters
            marks = [reading for reading in smaller if _is_mark(characters[reading.alternatives[0][0]])]
            best = max([fitted, *marks], key=lambda reading: reading.certainty)
            lines = self._lines([[(box, best)]], ["horizontal"], [0])
        height, width = image.shape[:2]
        return Page(name, width, height, "char", "horizontal", lines)

    def _read_written(self, lines: Sequence[free_page.FoundLine]) -> tuple[Line, ...]:
        """Lines that were read, in reading order."""
        written = [one for line in lines for one in line.characters]
        text = [_Reading(False, one.alternatives[0][1], one.alternatives) for one in written]
        readings = iter(self._in_context(text))
        strips = [[(one.quad, next(readings)) for one in line.characters] for line in lines]
        return self._lines(
            strips,
            [line.direction for line in lines],
            [line.paragraph for line in lines],
            [line.box for line in lines],
        )

    def _lines(
        self,
        strips: Sequence[Sequence[tuple[np.ndarray, "_Reading"]]],
        directions: Sequence[manuscript.Direction],
        paragraphs: Sequence[int],
        boxes: Sequence[np.ndarray] = (),
    ) -> tuple[Line, ...]:
        """Puts readings together as lines; without `boxes`, a line reaches from its first character to its last.

        Punctuation takes its full-width form by its neighbours on the whole page, because a line may
        begin with a comma.
        """
        names = self._recogniser.characters
        text = "".join(names[reading.alternatives[0][0]] for strip in strips for _, reading in strip)
        wide = iter(charset.fullwidth(text))
        lines = []
        placed = zip(strips, directions, paragraphs, strict=True)
        for number, (strip, direction, paragraph) in enumerate(placed):
            characters = tuple(_character(quad, reading, next(wide), names) for quad, reading in strip)
            first, last = strip[0][0], strip[-1][0]
            if len(boxes):
                corners = boxes[number]
            elif direction == "vertical":
                corners = np.stack([first[0], first[1], last[2], last[3]])
            else:
                corners = np.stack([first[0], last[1], last[2], first[3]])
            lines.append(
                Line(
                    _box(corners),
                    words.text_of(characters, direction),
                    float(np.mean([character.score for character in characters])),
                    characters,
                    direction,
                    paragraph,
                )
            )
        return tuple(lines)


class _Lines(NamedTuple):
    """The lines of a page that lies straight, or was laid straight.

    Attributes:
        flat: The page, uint8 (h, w), from `zoo.manuscript.flatten`.
        quads: The corners of lines, float32 (n, 4, 2), in no order.
        size: Width and height of the page as it lies.
        back: From pixels of `flat` to those of the page as it lies, (2, 3); None where it lies straight.
    """

    flat: np.ndarray
    quads: np.ndarray
    size: tuple[int, int]
    back: np.ndarray | None = None


@dataclasses.dataclass(frozen=True)
class _Reading:
    """What the network sees in one crop.

    Attributes:
        blank: Whether nothing is written there.
        certainty: Probability of the best character, the blank cell included in the comparison.
        alternatives: The best classes with their probabilities among all characters.
    """

    blank: bool
    certainty: float
    alternatives: contexts.Alternatives


_EMPTY = _Reading(True, 1.0, ())


class _Recogniser:
    """Recognises crops.

    Args:
        session: Runs the network, from `image` to `logits`.
        preset: Which characters its classes are, what the logits are divided by, and the side of a crop.
        padded: Whether batches of one size are the fastest, as for LiteRT; else the session gets
            all crops at once.
    """

    def __init__(
        self, session: runtime.Session | Endpoint, preset: runtime.Preset, padded: bool = True
    ) -> None:
        self._session = session
        self.size = preset.size
        self.characters = preset.characters
        self._temperature, self._text_temperature = preset.temperature, preset.text_temperature
        self._prior = np.log(emphasis.of(preset.characters))
        self._padded = padded

    def __call__(self, crops: np.ndarray) -> list[_Reading]:
        """Recognises cells of a page, uint8 (N, size, size)."""
        if not self._padded:
            return self._interpret(self.logits(crops))
        size = BATCH if len(crops) > BATCH else 0
        return [reading for some in self._in_batches(crops, size) for reading in self._interpret(some)]

    def alone(self, crops: np.ndarray, of_text: bool = False) -> list[_Reading]:
        """Recognises ink on white, uint8 (N, size, size), N at least 1; `of_text` as in `logits`."""
        return self._interpret(self.logits_of_two_looks(crops, of_text))

    def certainties(self, crops: np.ndarray) -> np.ndarray:
        """The probability of the best character of each crop, float (n,); 0 where an empty cell is likelier."""
        logits = np.concatenate(list(self._in_batches(crops, 0)))
        best = logits[:, 1:].max(1)
        return np.where(best > logits[:, ctc.BLANK], np.exp(best - ctc.log_sum_exp(logits)[:, 0]), 0.0)

    def logits_of_two_looks(self, crops: np.ndarray, of_text: bool = True) -> np.ndarray:
        """What the network answers to ink on white in the end, see `serving.second_look`.

        Args:
            crops: uint8 (N, size, size), N from 1 to `BATCH`.
            of_text: As in `logits`.
        """
        size = BATCH if self._padded and len(crops) == BATCH else 0
        return second_look.logits(
            lambda some: np.concatenate(list(self._in_batches(some, size, of_text))), crops
        )

    def _in_batches(self, crops: np.ndarray, size: int, of_text: bool = True) -> Iterator[np.ndarray]:
        """The logits of `BATCH` crops after another; arguments as of `logits`."""
        for start in range(0, len(crops), BATCH):
            yield self.logits(crops[start : start + BATCH], size, of_text)

    def logits(self, crops: np.ndarray, size: int = 0, of_text: bool = True) -> np.ndarray:
        """What the network answers to crops, uint8 (N, size, size), in a batch of N, or more with empty ones.

        Args:
            crops: The crops.
            size: Of the batch.
            of_text: Whether signs count for as many as a page shows, see `zoo.emphasis`; else each character is as
                likely as another.

        Returns:
            float32 (N, classes), divided by the temperature: that of texts, or that of scores.
        """
        batch = np.full((max(size, len(crops)), *crops.shape[1:], 1), 255, np.uint8)
        batch[: len(crops), :, :, 0] = crops
        logits = self._session.run({"image": batch})["logits"][: len(crops)]
        if logits.shape[1] != len(self.characters):
            raise runtime.ModelError(
                f"{self._session.path}: the model must have a logit for each of the "
                f"{len(self.characters)} classes. Received: {logits.shape[1]}."
            )
        if of_text:
            return (logits + self._prior) / np.float32(self._text_temperature)
        return logits / np.float32(self._temperature)

    def _interpret(self, logits: np.ndarray) -> list[_Reading]:
        odds = np.exp(logits - logits.max(1, keepdims=True))
        characters = odds[:, 1:]
        totals = characters.sum(1)
        count = min(contexts.FOLLOWED, characters.shape[1])
        best = np.argpartition(characters, -count, axis=1)[:, -count:]
        readings = []
        for index, ids in enumerate(best):
            ids = ids[np.argsort(-characters[index, ids], kind="stable")]
            # With a logit far below the blank's, every character may underflow to 0.
            shares = characters[index, ids] / max(totals[index], np.finfo(np.float32).tiny)
            alternatives = tuple(
                (int(identity) + 1, float(share)) for identity, share in zip(ids, shares, strict=True)
            )
            certainty = float(characters[index, ids[0]] / (totals[index] + odds[index, 0]))
            readings.append(_Reading(bool(logits[index].argmax() == 0), certainty, alternatives))
        return readings


def _open(url: str, preset: runtime.Preset) -> Endpoint:
    """Asks a server whether it has a recogniser of cells, and one for the characters of the preset."""
    endpoint = Endpoint(url)
    signature = endpoint.signatures.get(DEFAULT_SIGNATURE)
    image = signature and signature.inputs.get("image")
    logits = signature and signature.outputs.get("logits")
    classes = len(preset.characters)
    if (
        not (image and logits)
        or image.shape != (-1, preset.size, preset.size, 1)
        or logits.shape not in ((-1, classes), (-1, -1))
    ):
        raise EndpointError(
            "FAILED_PRECONDITION",
            f"{url}: the model must read `image`, uint8 (any, {preset.size}, {preset.size}, 1), and give `logits`, float32 "
            f"(any, {classes}), the characters of {preset.name}. Received: image {image}, logits {logits}.",
        )
    return endpoint


def _check(layout: str) -> None:
    if layout not in LAYOUTS:
        raise ValueError(
            f"`layout` must be one of {', '.join(map(repr, LAYOUTS))}. Received: layout={layout!r}."
        )


def _decode(source: Source) -> np.ndarray:
    pages = images.decode(source)
    if len(pages) > 1:
        raise ValueError(
            f"`source` must hold one page; `Reader.read_pages` reads several. Received: {len(pages)} pages."
        )
    return pages[0]


def _area(page: Page) -> float:
    """What the lines of a page take up, in square pixels."""
    sides = np.diff(np.array([line.box for line in page.lines])[:, [0, 1, 2]], axis=1)
    return float(np.linalg.norm(sides, axis=2).prod(1).sum())


def _are_lines(quads: np.ndarray, written: np.ndarray) -> bool:
    """Whether what was found, (n, 4, 2), is thin beside all that is written, (..., 4, 2): no parts of one character."""
    thickest = np.linalg.norm(quads[:, [1, 3]] - quads[:, :1], axis=2).min(1).max()
    return bool(thickest < _THICK * np.ptp(written.reshape(-1, 2), axis=0).max())


def _is_mark(character: str) -> bool:
    return unicodedata.category(character)[0] in "PS"


def _name(source: Source) -> str:
    return os.fspath(source) if isinstance(source, str | os.PathLike) else ""


def _character(quad: np.ndarray, reading: _Reading, text: str, names: Sequence[str]) -> Character:
    (plain, score), *others = [(names[label], share) for label, share in reading.alternatives[:_ALTERNATIVES]]
    if text != plain:  # Chinese stands beside it: the alternatives are full-width as well.
        others = [(charset.fullwidth(f"字{other}")[1], share) for other, share in others]
    return Character(_box(quad), text, score, ((text, score), *others))


def _box(quad: np.ndarray) -> Box:
    return cast(Box, tuple((float(x), float(y)) for x, y in quad))


@functools.cache
def _reader() -> Reader:
    return Reader()


@overload
def text_detection(image: Source, form: Literal["quad"] = "quad") -> list[list[tuple[float, float]]]: ...


@overload
def text_detection(image: Source, form: Literal["xywh"]) -> list[list[int]]: ...


def text_detection(image: Source, form: str = "quad") -> list[list[tuple[float, float]]] | list[list[int]]:
    """Finds where text stands: the cells of manuscript paper, the lines of another page, or all ink as one character.

    `Reader.read` finds the characters of lines too. Nothing is read here: blank cells are listed, and those of squared
    paper, a page must be upright for its reading order, and two short lines of large writing may count as one character.

    Args:
        image: A path, the bytes of a file, or uint8 pixels (H, W) or (H, W, 3) RGB.
        form: "quad" for the four corners (x, y) of each, clockwise from the top left; "xywh" for the
            upright box around them: left, top, width and height.

    Returns:
        The places in reading order; an empty list where there is no ink.

    Raises:
        ValueError: `form` is unknown, or `image` cannot be decoded or holds several pages.
        LayoutError: A page without cells, and dbnet_s, which finds lines, is missing or damaged.
    """
    if form not in ("quad", "xywh"):
        raise ValueError(f"`form` must be 'quad' or 'xywh'. Received: form={form!r}.")
    pixels = blackboard.as_ink(_decode(image))
    grid = manuscript.find(pixels)
    if grid is not None:
        cells = grid.cells.reshape(-1, 4, 2)
        inner = geometry.rectify(manuscript.flatten(pixels), cells, 24, margin=-0.15)
        # Two of 576 pixels may be dust.
        filled = ((inner < manuscript.INK).sum((1, 2)) > 2).reshape(grid.rows, grid.columns)
        direction = grid.direction or manuscript.guess_direction(grid, filled)
        quads = [grid.cells[place] for place in manuscript.reading_order(grid, direction)]
    else:
        found = _reader()._find_lines(pixels, manuscript.flatten(pixels))
        if found.back is not None or (len(found.quads) and _are_lines(found.quads, found.quads)):
            quads = free_page.boxes(line_ends.lengthened(found.flat, found.quads))
            if found.back is not None:
                quads = [cv2.transform(quad[None], found.back)[0] for quad in quads]
        else:
            alone = len(found.quads) or single.is_character(pixels)
            box = single.views(pixels, SIZE)[0] if alone else None
            quads = [] if box is None else [box]
    quads = [np.clip(quad, 0, pixels.shape[1::-1]) for quad in quads]
    if form == "quad":
        return [[(float(x), float(y)) for x, y in quad] for quad in quads]
    corners = [np.stack([np.floor(quad.min(0)), np.ceil(quad.max(0))]).astype(int) for quad in quads]
    return [[*low.tolist(), *(high - low).tolist()] for low, high in corners]


def text_recognition(image: Source) -> str:
    """Reads the text of a picture with the default model: lines joined by line feeds.

    Args:
        image: A path, the bytes of a file, or uint8 pixels (H, W) or (H, W, 3) RGB.

    Raises:
        ValueError: `image` cannot be decoded or holds several pages.
    """
    return _reader().read(image).text
