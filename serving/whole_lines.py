"""Lines on a picture, read line by line: each is laid out as a strip and read as a whole.

The characters of vertical lines have to be parted before they can stand side by side; reading them one by one
(`serving.lines`) does that.
"""

import dataclasses
import functools
from collections.abc import Sequence

import cv2
import numpy as np

from serving import lines, segmentation
from serving.line_reader import LineReader, Seen
from serving.lines import Written
from zoo import strips
from zoo.manuscript import Direction

_REACH = 10  # Pixels of a strip.
_MARGIN = 0.05  # Around a line, in shares of its thickness; in training it was as much on average.


def read(
    flat: np.ndarray,
    quads: Sequence[np.ndarray],
    directions: Sequence[Direction],
    parted: Sequence[Sequence[Written]],
    reader: LineReader,
) -> list[list[Written]]:
    """Reads lines.

    Args:
        flat: The page, uint8 (H, W), from `zoo.manuscript.flatten`.
        quads: Corners of the lines, clockwise from the top left of the text, float (4, 2) each.
        directions: How the characters of each line follow each other.
        parted: The characters of each vertical line, as `serving.lines.read` reads them.
        reader: Reads strips.

    Returns:
        The characters of each line in the order of the text.
    """
    cut = lines.straightened(flat, quads, directions, strips.HEIGHT, _MARGIN)
    columns = iter(parted)
    shown = [
        _Column.of(image, matrix, next(columns)) if way == "vertical" else _Row(image, matrix)
        for (image, matrix), way in zip(cut, directions, strict=True)
    ]
    return [
        [Written(one.box(seen), seen.alternatives) for seen in text] if one.is_written else []
        for one, text in zip(
            shown, reader([one.strip for one in shown], [one.ink for one in shown]), strict=True
        )
    ]


@dataclasses.dataclass(frozen=True)
class _Shown:
    """A line as the reader sees it.

    Attributes:
        strip: uint8 (64, w).
    """

    strip: np.ndarray

    @functools.cached_property
    def ink(self) -> np.ndarray:
        """Which pixels of the strip are ink, uint8 (64, w) of 0 and 1."""
        return (self.strip < segmentation.levels(self.strip)[0]).astype(np.uint8)


@dataclasses.dataclass(frozen=True)
class _Row(_Shown):
    """A horizontal line.

    Attributes:
        matrix: From the page to the strip, (3, 3).
    """

    matrix: np.ndarray
    is_written = True

    @functools.cached_property
    def _strokes(self) -> tuple[np.ndarray, np.ndarray]:
        """What hangs together: low and high corners, int (n, 2, 2), and where the middle is along the strip, (n,)."""
        _, _, found, middles = cv2.connectedComponentsWithStats(self.ink, connectivity=8)
        low = found[1:, [cv2.CC_STAT_LEFT, cv2.CC_STAT_TOP]]
        return np.stack([low, low + found[1:, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]]], 1), middles[1:, 0]

    def box(self, seen: Seen) -> np.ndarray:
        """The corners of the strokes of a character on the page, float32 (4, 2); of its room where there are none."""
        left = min(int(seen.start), self.strip.shape[1] - 1)
        right = max(left + 1, round(seen.stop))
        top, bottom = 0, len(self.strip)
        corners, middles = self._strokes
        own = corners[(middles >= left) & (middles < right)]
        if len(own):
            (low, top), (high, bottom) = own[:, 0].min(0), own[:, 1].max(0)
            # Strokes reach a little into the room of others; what reaches far belongs to several characters.
            left, right = max(low, left - _REACH), min(high, right + _REACH)
        corners = np.array([[left, top], [right, top], [right, bottom], [left, bottom]])
        # The corners are the edges of pixels, whose middles have whole numbers.
        return lines.on_page(corners - 0.5, self.matrix)


@dataclasses.dataclass(frozen=True)
class _Column(_Shown):
    """A vertical line, laid out.

    Attributes:
        places: Where each of its characters stands there, (n, 2).
        characters: As they were read one by one.
    """

    places: np.ndarray
    characters: Sequence[Written]

    @classmethod
    def of(cls, column: np.ndarray, matrix: np.ndarray, characters: Sequence[Written]) -> "_Column":
        """Lays a column out, uint8 (h, 64), with the matrix from the page to it."""
        if not characters:
            return cls(np.full((strips.HEIGHT, strips.STEP), 255, np.uint8), np.zeros((0, 2)), characters)
        corners = np.concatenate([one.quad for one in characters])[None].astype(np.float32)
        along = cv2.perspectiveTransform(corners, matrix)[0].reshape(-1, 4, 2)[..., 1]
        starts = np.clip(along.min(1), 0, len(column) - 1)
        stops = np.clip(along.max(1), starts + 1, len(column))
        return cls(*strips.lay_out(column, np.stack([starts, stops], 1)), characters)

    @property
    def is_written(self) -> bool:
        """Whether there is a character to read."""
        return bool(self.characters)

    def box(self, seen: Seen) -> np.ndarray:
        """The corners of a character on the page, float32 (4, 2): of what stands nearest in the strip."""
        away = np.abs(self.places.mean(1) - (seen.start + seen.stop) / 2)
        return self.characters[int(away.argmin())].quad
