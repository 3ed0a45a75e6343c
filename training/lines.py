"""Characters become lines: compose, distort, batch, as `tf.data`.

A line is written by one hand or font, from left to right, on a strip of paper that is wide enough for
any line; what is left of the strip stays white. Labels are padded with 0, the CTC blank, on the right:
`keras.losses.CTC` counts the labels of a line as those that are not 0.
"""

import dataclasses
import math
from collections.abc import Sequence

import cv2
import numpy as np
import tensorflow as tf

from training.sources import EM, Glyphs
from zoo import crnn, ctc

_FIRST = 10  # A run that grows starts with so many characters.


@dataclasses.dataclass(frozen=True)
class Handwriting:
    """How lines are written; each figure is the largest that is drawn.

    Attributes:
        size: Smallest and largest side of the em square, in shares of the height of the line.
        advance: Smallest and largest way from one character to the next, in em.
        uneven: How far each character strays from that, in em.
        rise: How far the end of the line stands above or below its start, in em.
        rotation: Of each character, in degrees.
        shear: Of the whole line, in shares of the height.
        elastic: Local displacement in pixels.
        noise: Standard deviation of the grain, in grey levels.
    """

    size: tuple[float, float] = (0.74, 0.92)
    advance: tuple[float, float] = (0.9, 1.08)
    uneven: float = 0.04
    rise: float = 0.12
    rotation: float = 4.0
    shear: float = 0.12
    elastic: float = 1.0
    noise: float = 6.0


@dataclasses.dataclass(frozen=True)
class LineSampler:
    """Draws lines of random characters with their labels.

    Every character of the alphabet is as likely as any other, so that the network learns to read
    strokes and not to guess words. The first steps of a run may bring short lines of few characters:
    a network that starts on the whole task answers blanks for a long time before it reads anything.
    The same seed and step give the same batch.

    Attributes:
        writers: For each writer, for each character of the alphabet, its samples: uint8
            (n, height, height), ink on black; n may be 0.
        shortest: Number of characters of the shortest line.
        longest: Number of characters of the longest line.
        batch_size: Lines of a batch.
        seed: Of characters and distortions.
        growth: Number of steps in which lines grow from one character to their full length, and the
            alphabet from its first ten characters to all.
        handwriting: How the lines are written.

    Reference:
        Bengio et al. 2009, curriculum learning, https://doi.org/10.1145/1553374.1553380
    """

    writers: tuple[tuple[np.ndarray, ...], ...]
    shortest: int
    longest: int
    batch_size: int
    seed: int
    growth: int = 0
    handwriting: Handwriting = Handwriting()

    @classmethod
    def of(
        cls,
        sources: Sequence[Glyphs],
        alphabet: Sequence[int],
        batch_size: int,
        seed: int,
        height: int = 32,
        shortest: int = 8,
        longest: int = 12,
        growth: int = 0,
        handwriting: Handwriting = Handwriting(),
    ) -> "LineSampler":
        """Prepares the characters of an alphabet.

        Args:
            sources: Hands and fonts; each line is written by one of them.
            alphabet: Ids of `zoo.charset`. Label n is the character `alphabet[n - 1]`.
            batch_size: Lines of a batch.
            seed: Of characters and distortions.
            height: Height of a line in pixels.
            shortest: Number of characters of the shortest line.
            longest: Number of characters of the longest line.
            growth: Number of steps in which the lines and the alphabet grow.
            handwriting: How the lines are written.

        Raises:
            ValueError: There are no sources, one of them lacks the whole alphabet, the alphabet
                repeats a character, the lengths are out of order, or a line can hold more characters
                than its steps can tell apart.
        """
        if not sources or not 1 <= shortest <= longest or height < 8:
            raise ValueError(
                "Lines must have a writer, one character or more, and 8 pixels of height or more. "
                f"Received: {len(sources)} sources, {shortest=}, {longest=}, {height=}."
            )
        if not alphabet or len(set(alphabet)) != len(alphabet) or ctc.BLANK in alphabet:
            raise ValueError(f"`alphabet` must hold different characters. Received: {tuple(alphabet)}.")
        writers = []
        for source in sources:
            order = np.argsort(source.labels, kind="stable")
            bounds = np.searchsorted(source.labels[order], [[index, index + 1] for index in alphabet])
            samples = tuple(_shrink(source.images[order[start:stop]], height) for start, stop in bounds)
            if not any(map(len, samples)):
                raise ValueError(
                    f"Each writer must hold characters of `alphabet`. Received: {source.writer}."
                )
            writers.append(samples)
        sampler = cls(tuple(writers), shortest, longest, batch_size, seed, growth, handwriting)
        worst = np.ones((1, longest), int)  # One character over and over needs the most steps.
        ctc.check_labels(worst, crnn.steps(sampler.width(longest)), len(alphabet) + 1)
        return sampler

    @property
    def height(self) -> int:
        """Height of a line in pixels."""
        return next(len(samples[0]) for samples in self.writers[0] if len(samples))

    def width(self, characters: int) -> int:
        """Width in pixels of a strip for so many characters, a multiple of 4."""
        most = characters * self.handwriting.size[1] * self.handwriting.advance[0] + 0.75
        return 4 * math.ceil(most * self.height / 4)

    def batch(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        """The batch of a step.

        Returns:
            uint8 (batch, height, width, 1), dark ink on light paper; and int32 (batch, longest),
            places in the alphabet counted from 1, padded with 0. While lines grow, width and longest
            are those of the step.
        """
        rng = np.random.default_rng([self.seed, int(step)])
        # Slow at first: what has not learnt to read ten characters does not learn to read more.
        share = min(1, ((int(step) + 1) / self.growth) ** 2) if self.growth else 1
        shortest, longest = math.ceil(share * self.shortest), math.ceil(share * self.longest)
        taught = max(_FIRST, math.ceil(share * len(self.writers[0])))
        images = np.empty((self.batch_size, self.height, self.width(longest), 1), np.uint8)
        labels = np.zeros((self.batch_size, longest), np.int32)
        for line in range(self.batch_size):
            writer = self.writers[rng.integers(len(self.writers))]
            known = np.flatnonzero([len(samples) for samples in writer])[:taught]
            text = rng.choice(known, rng.integers(shortest, longest + 1))
            glyphs = [writer[index][rng.integers(len(writer[index]))] for index in text]
            images[line, ..., 0] = write_line(glyphs, images.shape[2], rng, self.handwriting)
            labels[line, : len(text)] = text + 1
        return images, labels


def write_line(
    glyphs: Sequence[np.ndarray], width: int, rng: np.random.Generator, handwriting: Handwriting
) -> np.ndarray:
    """Writes characters from left to right.

    Args:
        glyphs: uint8 (height, height) each, ink on black, an em square each.
        width: Width of the strip in pixels.
        rng: Where the randomness comes from.
        handwriting: How far to distort.

    Returns:
        uint8 (height, width), dark ink on light paper. Characters stand closer where the strip would
        not hold them.
    """
    height = len(glyphs[0])
    size = rng.uniform(*handwriting.size)
    em = size * height
    left = em / 2 + rng.uniform(0.02, 0.5) * height * 0.5
    advance = em * rng.uniform(*handwriting.advance)
    advance = min(advance, (width - left - em * 0.55) / max(1, len(glyphs) - 1))
    rise = rng.uniform(-handwriting.rise, handwriting.rise) * em
    spare = max(0.0, (height - em) / 2)
    base = height / 2 + rng.uniform(-spare, spare)
    shear = rng.uniform(-handwriting.shear, handwriting.shear)
    ink = np.zeros((height, width), np.uint8)
    for number, glyph in enumerate(glyphs):
        stray = rng.normal(0, handwriting.uneven / 2, 2) * em
        x = left + number * advance + stray[0]
        y = base + rise * (number / max(1, len(glyphs) - 1) - 0.5) + stray[1]
        angle = np.deg2rad(rng.normal(0, handwriting.rotation / 2))
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        grow = size * np.exp(rng.normal(0, 0.03, 2))
        linear = np.array([[1, shear], [0, 1]]) @ turn @ np.diag(grow)
        edge = max(0, math.floor(x - 0.65 * height))
        window = ink[:, edge : edge + math.ceil(1.3 * height)]
        shift = np.array([x - edge, y]) - linear @ np.array([height / 2, height / 2])
        matrix = np.column_stack([linear, shift])
        drawn = cv2.warpAffine(glyph, matrix, (window.shape[1], height), flags=cv2.INTER_LINEAR)
        np.maximum(window, drawn, out=window)
    return _on_paper(_bend(ink, rng, handwriting.elastic), rng, handwriting.noise)


def train_batches(sampler: LineSampler, first_step: int, steps: int) -> tf.data.Dataset:
    """The batches of `steps` steps from `first_step` on, made in the background."""
    lines, height = sampler.batch_size, sampler.height

    def make(step: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        images, labels = tf.numpy_function(sampler.batch, [step], [tf.uint8, tf.int32], stateful=False)
        return tf.ensure_shape(images, (lines, height, None, 1)), tf.ensure_shape(labels, (lines, None))

    steps_of_run = tf.data.Dataset.range(first_step, first_step + steps)
    return steps_of_run.map(make, num_parallel_calls=2).prefetch(8)


def _shrink(images: np.ndarray, height: int) -> np.ndarray:
    """Glyphs as ink on black, their em square as high as the line."""
    if not len(images):
        return np.zeros((0, height, height), np.uint8)
    method = cv2.INTER_AREA if height < EM else cv2.INTER_LINEAR
    return np.stack([cv2.resize(255 - image, (height, height), interpolation=method) for image in images])


def _bend(ink: np.ndarray, rng: np.random.Generator, strength: float) -> np.ndarray:
    """The ink, float32 in 0 ... 1, after a smooth local displacement."""
    height, width = ink.shape
    drawn = np.float32(rng.uniform(0, strength))
    coarse = rng.normal(0, 1, (2, 4, max(4, 4 * width // height))).astype(np.float32)
    x, y = (cv2.resize(field, (width, height), interpolation=cv2.INTER_CUBIC) * drawn for field in coarse)
    x += np.arange(width, dtype=np.float32)
    y += np.arange(height, dtype=np.float32)[:, None]
    bent = cv2.remap(ink, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=0)
    if rng.random() < 0.3:
        bent = cv2.GaussianBlur(bent, (0, 0), float(rng.uniform(0.3, 0.8)))
    return np.minimum(bent * np.float32(rng.uniform(0.6, 1.5) / 255), 1)


def _on_paper(ink: np.ndarray, rng: np.random.Generator, noise: float) -> np.ndarray:
    paper = float(rng.uniform(225, 256))
    picture = paper * (1 - np.float32(rng.uniform(0.6, 1)) * ink)
    picture += rng.standard_normal(ink.shape, np.float32) * np.float32(rng.uniform(0, noise))
    return np.clip(picture, 0, 255).astype(np.uint8)
