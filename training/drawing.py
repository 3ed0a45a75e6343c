"""Characters that a generator draws: what it is asked for, in batches."""

import dataclasses
from collections.abc import Mapping, Sequence

import cv2
import keras
import numpy as np

from training import adversary, sources
from training.sources import Glyphs
from zoo import charset

_STRETCHED = 1.6
"""How much larger or smaller a pen may write than print."""


@dataclasses.dataclass(frozen=True)
class Pens:
    """All characters that a generator learns from, and the printed ones beside them.

    Attributes:
        images: uint8 (n, size, size), dark ink on white.
        labels: int32 (n,), ids of `zoo.charset`.
        writers: int32 (n,), places in `names`.
        names: The writers.
        real: bool (n,), whether a hand wrote them, as opposed to a font.
        printed: uint8 (classes, size, size), the printed character of each class, white where the font lacks
            it; None without a font.
    """

    images: np.ndarray
    labels: np.ndarray
    writers: np.ndarray
    names: tuple[str, ...]
    real: np.ndarray
    printed: np.ndarray | None

    @classmethod
    def of(cls, writers: Sequence[Glyphs], size: int, print_of: Glyphs | None = None) -> "Pens":
        """Joins writers; a writer and the scan of the same hand count as one.

        Args:
            writers: Hands and fonts.
            size: Side of the pictures.
            print_of: The printed characters.
        """
        names = sorted({sources.person(writer.writer) for writer in writers})
        places = {name: place for place, name in enumerate(names)}
        return cls(
            images=np.concatenate([shrunk(writer.images, size) for writer in writers]),
            labels=np.concatenate([writer.labels for writer in writers]),
            writers=np.concatenate(
                [
                    np.full(len(writer.labels), places[sources.person(writer.writer)], np.int32)
                    for writer in writers
                ]
            ),
            names=tuple(names),
            real=np.concatenate([np.full(len(writer.labels), writer.real) for writer in writers]),
            printed=None if print_of is None else print_table(print_of, size),
        )

    def only(self, chosen: np.ndarray) -> "Pens":
        """The characters that a mask, bool (n,), or places, int (m,), choose; names and prints stay."""
        return dataclasses.replace(
            self,
            images=self.images[chosen],
            labels=self.labels[chosen],
            writers=self.writers[chosen],
            real=self.real[chosen],
        )

    def centred(self) -> "Pens":
        """Characters of one size in the middle, their ink black; prints stay."""
        return dataclasses.replace(self, images=np.stack([_centred(image) for image in self.images]))

    def samples_of(self, writers: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
        """Random characters of each writer beneath each other: int (n,) to uint8 (n, count * size, size, 1)."""
        order = np.argsort(self.writers, kind="stable")
        bounds = np.searchsorted(self.writers[order], [writers, writers + 1])
        drawn = (bounds[0] + rng.random((count, len(writers))) * (bounds[1] - bounds[0])).astype(int)
        return strips(self.images[order[drawn.T]])


def strips(samples: np.ndarray) -> np.ndarray:
    """Samples beneath each other: uint8 (n, count, size, size) to (n, count * size, size, 1)."""
    return samples.reshape(len(samples), -1, samples.shape[-1], 1)


def print_table(font: Glyphs, size: int) -> np.ndarray:
    """The printed character of each class of the charset, uint8 (classes, size, size); white where it lacks.

    Fonts fill their squares; here an ordinary character is as large as an ordinary one of a hand.
    """
    large = [
        max(right - left, bottom - top) for left, top, right, bottom in map(sources.ink_box, font.images)
    ]
    shrink = sources.FILL * sources.EM / max(1.0, float(np.median(large)))
    away = (1 - shrink) * (sources.EM - 1) / 2
    table = np.full((len(charset.CHARACTERS), size, size), 255, np.uint8)
    images = [_warped(image, np.array([[shrink, 0, away], [0, shrink, away]])) for image in font.images[::-1]]
    table[font.labels[::-1]] = shrunk(np.reshape(images, (-1, sources.EM, sources.EM)), size)
    return table


def laid_over(printed: np.ndarray, written: np.ndarray) -> np.ndarray:
    """Printed characters where a pen wrote the same ones: their ink reaches as far to all sides, or nearly.

    Args:
        printed: uint8 (n, size, size), dark ink on white.
        written: The same.

    Returns:
        uint8 (n, size, size).
    """
    return np.stack([_laid_over(*pair) for pair in zip(printed, written, strict=True)])


def _laid_over(printed: np.ndarray, written: np.ndarray) -> np.ndarray:
    if not (np.ptp(printed) and np.ptp(written)):
        return printed
    boxes = [np.reshape(sources.ink_box(picture), (2, 2)).astype(float) for picture in (printed, written)]
    sides = [np.maximum(box[1] - box[0], 1) for box in boxes]
    # 一 has hardly a height to compare.
    scale = np.clip(sides[1] / sides[0], 1 / _STRETCHED, _STRETCHED)
    shift = (boxes[1].sum(0) - scale * boxes[0].sum(0)) / 2 + (scale - 1) / 2
    return _warped(printed, np.column_stack([np.diag(scale), shift]))


def moved(pictures: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Pictures a little turned, enlarged or reduced, slanted and shifted, as a hand varies: uint8 (n, size, size)."""
    size = pictures.shape[1]
    warped = []
    for picture in pictures:
        angle, slant = rng.normal(0, 0.04), rng.normal(0, 0.06)
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        linear = turn @ np.array([[1, slant], [0, 1]]) @ np.diag(np.exp(rng.normal(0, 0.07, 2)))
        middle = np.full(2, (size - 1) / 2)
        shift = middle - linear @ middle + rng.normal(0, 0.03, 2) * size
        warped.append(_warped(picture, np.column_stack([linear, shift])))
    return np.stack(warped)


def _centred(picture: np.ndarray) -> np.ndarray:
    if not np.ptp(picture):
        return picture
    low, high = np.reshape(sources.ink_box(picture), (2, 2)).astype(float)
    scale = sources.FILL * len(picture) / (high - low).max()
    shift = (len(picture) - 1) / 2 - scale * ((low + high - 1) / 2)
    black = 255 - cv2.convertScaleAbs(255 - picture, alpha=255 / (255 - int(picture.min())))
    return _warped(black, np.column_stack([scale * np.eye(2), shift]))


def _warped(picture: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    return np.asarray(
        cv2.warpAffine(picture, matrix, picture.shape[::-1], flags=cv2.INTER_LINEAR, borderValue=255)
    )


def shrunk(images: np.ndarray, size: int) -> np.ndarray:
    """Em squares at another size: uint8 (n, em, em) to (n, size, size)."""
    if images.shape[1] == size or not len(images):
        return images.reshape(-1, size, size)
    return np.stack([cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA) for image in images])


def draw(model: keras.Model, conditions: Mapping[str, np.ndarray], count: int, seed: int = 0) -> np.ndarray:
    """Pictures of a generator, for the same seed the same.

    Args:
        model: A generator of the zoo, or what trains one, which knows how far it is grown.
        conditions: What it takes besides noise, (count, ...) each; more is ignored.
        count: Number of pictures.
        seed: Of the noise.

    Returns:
        uint8 (count, size, size).
    """
    rng = np.random.default_rng(seed)
    inputs = {
        name: (
            rng.standard_normal((count, *tensor.shape[1:]), np.float32)
            if name == "noise"
            else conditions[name]
        )
        for name, tensor in adversary.product(model).input.items()
    }
    drawn = np.asarray(model.predict(inputs, 64, verbose=0)["image"])
    return drawn[..., 0].round().astype(np.uint8)
