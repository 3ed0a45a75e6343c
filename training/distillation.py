"""A model learns from the answers of a larger one besides the labels.

The targets of a batch become float32 (N, 1 + 2 * ANSWERS): the label, the classes of the teacher's best
answers, and their probabilities, which add up to 1.

Reference:
    Hinton et al. 2015, https://arxiv.org/abs/1503.02531
"""

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from scipy import special

ANSWERS = 8
"""How many of the teacher's answers are kept; thousands of classes have next to no share in the rest."""


def targets(teacher: keras.Model, images: np.ndarray, labels: np.ndarray, temperature: float) -> np.ndarray:
    """The targets of one batch, uint8 (N, H, W, C) with int32 labels (N,)."""
    logits = np.asarray(teacher.predict_on_batch(images)["logits"]) / temperature
    best = np.argpartition(-logits, ANSWERS, axis=1)[:, :ANSWERS]
    shares = special.softmax(np.take_along_axis(logits, best, axis=1), axis=1)
    return np.concatenate([labels[:, None], best, shares], axis=1).astype(np.float32)


def with_answers(batches: tf.data.Dataset, teacher: keras.Model, temperature: float) -> tf.data.Dataset:
    """Pictures and labels become pictures and targets; the teacher takes pictures of the same size."""
    size = batches.element_spec[0].shape[0]

    def answer(images: np.ndarray, labels: np.ndarray) -> np.ndarray:
        return targets(teacher, images, labels, temperature)

    def add(images: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        joined = tf.numpy_function(answer, [images, labels], tf.float32, stateful=False)
        return images, tf.ensure_shape(joined, (size, 1 + 2 * ANSWERS))

    return batches.map(add).prefetch(2)


def crossentropy(targets: Any, logits: Any, prior: np.ndarray, share: float, temperature: float) -> Any:
    """Cross-entropy with the label, and a `share` with the teacher's answers at a temperature: (N,).

    `prior` as in `training.characters.crossentropy`; the teacher knows of none.
    """
    labels = keras.ops.cast(targets[:, 0], "int32")
    hard = keras.ops.sparse_categorical_crossentropy(labels, logits + prior, from_logits=True)
    best = keras.ops.cast(targets[:, 1 : 1 + ANSWERS], "int32")
    cooled = keras.ops.log_softmax(logits / temperature)
    soft = -keras.ops.sum(
        targets[:, 1 + ANSWERS :] * keras.ops.take_along_axis(cooled, best, axis=1), axis=-1
    )
    # Gradients of the cooled scores shrink with the square of the temperature.
    return (1 - share) * hard + share * temperature**2 * soft


def accuracy(targets: Any, logits: Any) -> Any:
    """Whether the first answer is the label: float32 (N,)."""
    return keras.metrics.sparse_categorical_accuracy(targets[:, 0], logits)
