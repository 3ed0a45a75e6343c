"""Finds lines of text on a page: a network looks at it as a whole, closer where the writing is small, and from afar."""

import functools
import math
import threading
from collections.abc import Callable, Sequence

import cv2
import numpy as np

from serving.runtime import Preset, Session
from zoo import polygons, regions

MODEL = "dbnet_s"
"""The preset that finds lines."""

_THICKNESS = 30.0  # Of lines in pixels, where the network sees them best.
_GOOD = (20.0, 64.0)  # Thickness that needs no other look.
_OVERLAP = (
    128  # Of two tiles in pixels, at least: what stands at the edge of one is in the middle of another.
)
_MOST_TILES = 40  # A page of 60 characters by 80 needs 12.
_ENLARGED = 2.0  # At most; more shows nothing new.
_FARTHER = (0.5, 0.25)  # Of the scale that shows all: looks at a page that shows nothing closer.
_CLEARLY = 1.1  # Times as much is found on another view where it counts.
_SURE = 0.7  # Mean score from which on a page needs no closer look. Pages of clear lines have .75 and more.


Maps = dict[str, np.ndarray]
"""What a network says of every place of a page: float32 (h, w) by the name of the output."""

LinesOf = Callable[[Maps, float], tuple[np.ndarray, np.ndarray]]
"""From maps, and the pixels for one place of them, to the corners of lines, float32 (n, 4, 2), and scores (n,)."""


Find = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
"""From a picture to its lines and their scores."""


def of_dbnet(maps: Maps, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """The lines in the maps of a DBNet."""
    return polygons.boxes(maps["probability"], scale=scale)


def of_craft(maps: Maps, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """The lines in the maps of a CRAFT."""
    return regions.lines(maps["region"], maps["affinity"], scale=scale)


class AbandonedError(Exception):
    """Nobody waits for the lines any more."""


class _Until:
    """A session that runs until something is over."""

    def __init__(self, session: "Session | _Until", over: threading.Event) -> None:
        self._session, self._over = session, over

    def run(self, inputs: dict[str, np.ndarray]) -> Maps:
        if self._over.is_set():
            raise AbandonedError
        return self._session.run(inputs)


class LineFinder:
    """Finds lines.

    Args:
        session: Runs a network from `image`, uint8 (1, height, width, 3), to maps, float32 (1, h, w, 1).
        size: Height and width in pixels of the picture that it takes.
        lines_of: Finds the lines in the maps.
    """

    def __init__(
        self, session: Session | _Until, size: tuple[int, int], lines_of: LinesOf = of_dbnet
    ) -> None:
        self._session = session
        self._size = size
        self._lines_of = lines_of

    @classmethod
    def of_preset(
        cls, preset: Preset, threads: int | None = None, lines_of: LinesOf = of_dbnet
    ) -> "LineFinder":
        """The finder with the network of a preset; `threads` as of `serving.runtime.Session`."""
        height, width = preset.result["recipe"]["size"]
        return cls(preset.session(threads), (height, width), lines_of)

    def until(self, over: threading.Event) -> "LineFinder":
        """The same finder; once `over` is set, it looks no further and raises `AbandonedError`."""
        return LineFinder(_Until(self._session, over), self._size, self._lines_of)

    def __call__(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Finds the lines of a page.

        Args:
            image: uint8 (H, W) or (H, W, 3) RGB.

        Returns:
            The corners of each line, float32 (n, 4, 2), clockwise from the top left, in pixels, and how sure the
            network is of each, float32 (n,), 0 ... 1; in no order.
        """
        if image.ndim == 2:
            image = cv2.cvtColor(image, cv2.COLOR_GRAY2RGB)
        finest = self._finest(image)
        whole = scale = min(1.0, *(self._size[axis] / image.shape[axis] for axis in (0, 1)))
        quads, scores = self._look(image, scale)
        closer = 0
        # A strip that was reduced to a thread shows nothing at all, and small writing on a page may not either.
        while not len(quads) and scale < min(1.0, finest) and closer < self._looks(image, scale):
            scale, closer = min(3 * scale, finest, 1.0), closer + 1
            quads, scores = self._look(image, scale)
        # Two or three large characters are a line from afar only.
        for farther in _FARTHER:
            if not len(quads):
                scale = farther * whole
                quads, scores = self._look(image, scale)
        if not len(quads):
            return quads, scores
        thickness = _thickness(quads)
        better = min(_THICKNESS / thickness, finest, _ENLARGED)
        if not _GOOD[0] <= scale * thickness <= _GOOD[1] and not 0.8 <= better / scale <= 1.25:
            found, sure = self._look(image, better)
            if len(found):
                quads, scores, scale = found, sure, better
        # Small and faint lines run into each other, which makes them look thick.
        if scores.mean() < _SURE and scale < finest:
            quads, scores = clearer((quads, scores), self._look(image, min(2 * scale, finest)))
        return quads, scores

    def _looks(self, image: np.ndarray, scale: float) -> int:
        """How many closer looks at a page that shows nothing may be worth it: one, and more at a narrow strip."""
        return 10 if min(image.shape[:2]) * scale < min(self._size) / 4 else 1

    def _finest(self, image: np.ndarray) -> float:
        """The largest scale that needs no more tiles than are allowed."""
        scale = _ENLARGED
        while (
            math.prod(
                len(_starts(round(side * scale), tile))
                for side, tile in zip(image.shape[:2], self._size, strict=True)
            )
            > _MOST_TILES
        ):
            scale *= 0.9
        return scale

    def _look(self, image: np.ndarray, scale: float) -> tuple[np.ndarray, np.ndarray]:
        """What the network finds at a scale."""
        height, width = (max(1, round(side * scale)) for side in image.shape[:2])
        if scale != 1.0:
            method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
            seen = cv2.resize(image, (width, height), interpolation=method)
        else:
            seen = image
        quads, scores = self._lines_of(*self._maps(seen))
        factor = np.array([image.shape[1] / width, image.shape[0] / height], np.float32)
        return ((quads + 0.5) * factor - 0.5).astype(np.float32), scores

    def _maps(self, image: np.ndarray) -> tuple[Maps, int]:
        """The maps of a picture of any size, and its pixels for one of their places."""
        places = [
            (top, left)
            for top in _starts(image.shape[0], self._size[0])
            for left in _starts(image.shape[1], self._size[1])
        ]
        seen = [self._tile(image[top:, left:]) for top, left in places]
        names = list(seen[0])
        rows, columns = seen[0][names[0]].shape
        stride = self._size[0] // rows
        window = np.outer(_tent(rows), _tent(columns)).astype(np.float32)
        height, width = (-(-side // stride) for side in image.shape[:2])
        *totals, weight = np.zeros((len(names) + 1, height, width), np.float32)
        for (top, left), maps in zip(places, seen, strict=True):
            place = (
                slice(top // stride, min(top // stride + rows, height)),
                slice(left // stride, min(left // stride + columns, width)),
            )
            down, across = weight[place].shape
            for total, name in zip(totals, names, strict=True):
                total[place] += (maps[name] * window)[:down, :across]
            weight[place] += window[:down, :across]
        return {name: total / weight for name, total in zip(names, totals, strict=True)}, stride

    def _tile(self, image: np.ndarray) -> Maps:
        """The maps of the upper left part of a picture, which is filled up with white."""
        part = image[: self._size[0], : self._size[1]]
        tile = np.full((1, *self._size, 3), 255, np.uint8)
        tile[0, : part.shape[0], : part.shape[1]] = part
        return {name: found[0, ..., 0] for name, found in self._session.run({"image": tile}).items()}


def _starts(length: int, side: int) -> list[int]:
    """Where tiles of a side start that cover a length: multiples of 32, evenly spaced."""
    if length <= side:
        return [0]
    count = 1 + math.ceil((length - side) / (side - _OVERLAP))
    # The last one may reach beyond the end, by less than 32 pixels.
    last = 32 * math.ceil((length - side) / 32)
    return [32 * round(last * number / (count - 1) / 32) for number in range(count)]


def _tent(side: int) -> np.ndarray:
    """Weights that fall from the middle to both ends, where a tile sees less of its surroundings."""
    return 1.0 + np.minimum(np.arange(side), np.arange(side)[::-1])


def best(find: Find, views: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """The lines of the view of a page that shows most.

    Args:
        find: Finds the lines of a picture, such as a `LineFinder`.
        views: Pictures of one size; the first one counts unless another shows clearly more.

    Returns:
        As of `LineFinder`.
    """
    return functools.reduce(clearer, [find(view) for view in views])


def clearer(
    first: tuple[np.ndarray, np.ndarray], other: tuple[np.ndarray, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """The first one of two findings unless the other shows clearly more."""
    return other if _shown(other) > _CLEARLY * _shown(first) else first


def _shown(found: tuple[np.ndarray, np.ndarray]) -> float:
    """The length of lines together, in pixels, as far as the network is sure of them."""
    quads, scores = found
    return (
        float(np.linalg.norm(quads[:, [1, 3]] - quads[:, :1], axis=2).max(1) @ scores) if len(quads) else 0.0
    )


def _thickness(quads: np.ndarray) -> float:
    """The middle thickness of lines, long ones counting more, in pixels."""
    sides = np.linalg.norm(quads[:, [1, 3]] - quads[:, :1], axis=2)
    thin, long = sides.min(1), sides.max(1)
    order = np.argsort(thin)
    reached = np.cumsum(long[order]) >= long.sum() / 2
    return float(thin[order][np.argmax(reached)])
