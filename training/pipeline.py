"""Characters become batches: balance, augment, batch, as `tf.data`."""

import dataclasses
from collections.abc import Sequence

import cv2
import numpy as np
import tensorflow as tf

from training import augment
from training.sources import Glyphs
from zoo import charset, emphasis


@dataclasses.dataclass(frozen=True)
class CellSampler:
    """Draws pictures of cells with their labels, class by class.

    A class is drawn in proportion to the square root of its samples, so that the rare ones are
    seen, and to its emphasis (`zoo.emphasis`). The same seed and step give the same batch.

    Attributes:
        images: uint8 (n, 96, 96), dark ink on white.
        labels: int32 (n,), their classes.
        shares: float (n,), rising to 1; a step to the next is the probability of a sample.
        batch_size: Pictures of a batch.
        blank_share: Share of empty cells.
        seed: Of order and distortions.
        size: Side of a picture.
        fade: The steps between which the geometric distortions shrink to half; None for never.
    """

    images: np.ndarray
    labels: np.ndarray
    shares: np.ndarray
    batch_size: int
    blank_share: float
    seed: int
    size: int = 64
    fade: tuple[int, int] | None = None

    @classmethod
    def of(
        cls,
        sources: Sequence[Glyphs],
        batch_size: int,
        real_weight: float,
        blank_share: float,
        seed: int,
        size: int = 64,
        characters: Sequence[str] = charset.CHARACTERS,
        fade: tuple[int, int] | None = None,
    ) -> "CellSampler":
        """Joins sources.

        Args:
            sources: Hands, fonts and made-up writers.
            batch_size: Pictures of a batch.
            real_weight: How often a sample of a real hand is drawn for one of a font.
            blank_share: Share of empty cells.
            seed: Of order and distortions.
            size: Side of a picture.
            characters: The character of each class.
            fade: As the attribute.
        """
        labels = np.concatenate([source.labels for source in sources])
        weights = np.concatenate(
            [np.full(len(source.labels), real_weight if source.real else 1.0) for source in sources]
        )
        totals = np.bincount(labels, weights, minlength=len(characters))
        shares = weights / np.sqrt(totals[labels]) * emphasis.of(characters)[labels]
        return cls(
            images=np.concatenate([source.images for source in sources]),
            labels=labels,
            shares=np.cumsum(shares / shares.sum()),
            batch_size=batch_size,
            blank_share=blank_share,
            seed=seed,
            size=size,
            fade=fade,
        )

    def places(self, rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        """Places of samples that are drawn: int of a shape."""
        return np.minimum(np.searchsorted(self.shares, rng.random(shape)), len(self.shares) - 1)

    def batch(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        """The batch of a step: uint8 (batch, size, size, 1) and int32 (batch,)."""
        rng = np.random.default_rng([self.seed, int(step)])
        share = 1.0 if self.fade is None else float(np.interp(step, self.fade, (1.0, 0.5)))
        distortion = augment.Distortion().faded(share)
        drawn = max(self.size, 64)  # Smaller pictures are reduced, as crops of a page are.
        chosen = self.places(rng, (2, self.batch_size))
        blank = rng.random(self.batch_size) < self.blank_share
        pictures = [
            augment.cell_image(
                None if empty else self.images[index], self.images[other], rng, drawn, distortion
            )
            for index, other, empty in zip(*chosen, blank, strict=True)
        ]
        labels = np.where(blank, 0, self.labels[chosen[0]]).astype(np.int32)
        return np.stack([_resized(picture, self.size) for picture in pictures])[..., None], labels


def train_batches(sampler: CellSampler, first_step: int, steps: int) -> tf.data.Dataset:
    """The batches of `steps` steps from `first_step` on, made in the background."""
    side, count = sampler.size, sampler.batch_size

    def make(step: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        images, labels = tf.numpy_function(sampler.batch, [step], [tf.uint8, tf.int32], stateful=False)
        return tf.ensure_shape(images, (count, side, side, 1)), tf.ensure_shape(labels, (count,))

    steps_of_run = tf.data.Dataset.range(first_step, first_step + steps)
    return steps_of_run.map(make, num_parallel_calls=2).prefetch(8)


def clean_cells(source: Glyphs, size: int = 64, margin: float = 0.06) -> np.ndarray:
    """The undistorted cells of a source, as the reader cuts them: uint8 (n, size, size, 1)."""
    return framed(source.images, size, margin)


def framed(images: np.ndarray, size: int, margin: float = 0.06) -> np.ndarray:
    """Em squares, uint8 (n, em, em), as the reader cuts cells: uint8 (n, size, size, 1)."""
    edge = round(images.shape[1] * margin)
    wider = np.pad(images, ((0, 0), (edge, edge), (edge, edge)), constant_values=255)
    return np.stack([_resized(image, size) for image in wider])[..., None]


def _resized(image: np.ndarray, size: int) -> np.ndarray:
    if image.shape == (size, size):
        return image
    return cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA)
