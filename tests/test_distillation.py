"""Learning from the answers of another model."""

import dataclasses
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests import made_hands
from training import distillation, fit
from training.recipe import CharacterRecipe

TINY = CharacterRecipe(
    model="hanzinet",
    sizes={"widths": (4, 8), "depths": (0, 0), "embedding": 8},
    epochs=1,
    steps=2,
    batch_size=4,
)


class _Teacher:
    """Answers with the logits that it was given."""

    input_shape = (None, 4, 4, 1)

    def __init__(self, logits: np.ndarray) -> None:
        self.logits = logits

    def predict_on_batch(self, images: np.ndarray) -> dict[str, np.ndarray]:
        return {"logits": self.logits[: len(images)]}


LOGITS = np.random.default_rng(0).normal(0, 6, (5, 20)).astype(np.float32)
IMAGES, LABELS = np.zeros((5, 4, 4, 1), np.uint8), np.arange(5, dtype=np.int32)


def test_targets_hold_the_label_and_the_best_answers() -> None:
    made = distillation.targets(_Teacher(LOGITS), IMAGES, LABELS, temperature=1.0)
    assert made.shape == (5, 17)
    np.testing.assert_array_equal(made[:, 0], LABELS)
    np.testing.assert_allclose(made[:, 9:].sum(1), 1, rtol=1e-6)
    for row, logits in zip(made, LOGITS, strict=True):
        assert set(row[1:9]) == set(np.argsort(-logits)[:8])
        assert row[1 + np.argmax(row[9:])] == logits.argmax()


def test_without_a_share_the_loss_is_that_of_the_label() -> None:
    made = distillation.targets(_Teacher(LOGITS), IMAGES, LABELS, temperature=1.0)
    prior = np.linspace(-1, 2, LOGITS.shape[1], dtype=np.float32)
    expected = keras.ops.sparse_categorical_crossentropy(LABELS, LOGITS + prior, from_logits=True)
    np.testing.assert_allclose(distillation.crossentropy(made, LOGITS, prior, 0.0, 1.0), expected, rtol=1e-6)
    right = distillation.accuracy(made, LOGITS)
    np.testing.assert_array_equal(right, (LOGITS.argmax(1) == LABELS).astype(np.float32))


@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_the_teachers_own_logits_are_the_best_answer(temperature: float) -> None:
    logits = np.full((1, 20), -60.0, np.float32)
    logits[0, :8] = LOGITS[0, :8]  # All the probability is in the answers that are kept.
    made = distillation.targets(_Teacher(logits), IMAGES[:1], LABELS[:1], temperature)
    prior = np.linspace(-1, 2, logits.shape[1], dtype=np.float32)  # No matter to the teacher.
    student = tf.Variable(logits)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(distillation.crossentropy(made, student, prior, 1.0, temperature))
    np.testing.assert_allclose(tape.gradient(loss, student), 0, atol=1e-4)


def test_a_run_learns_from_a_finished_one(tmp_path: Path) -> None:
    data = made_hands.write_data(tmp_path / "data")
    recipe = dataclasses.replace(TINY, data=data)
    fit.fit(recipe, tmp_path / "teacher")
    taught = dataclasses.replace(recipe, teacher=str(tmp_path / "teacher"), teacher_share=0.5)
    model = fit.fit(taught, tmp_path / "taught")
    assert all(np.isfinite(weight).all() for weight in model.get_weights())
    assert (tmp_path / "taught" / "result.json").exists()
    assert fit.evaluate(tmp_path / "taught", data)["mean"] >= 0  # Without the teacher at hand.
    with pytest.raises(ValueError, match="`label_smoothing` has no place"):
        dataclasses.replace(taught, label_smoothing=0.1)
    other = dataclasses.replace(taught, sizes=recipe.sizes | {"size": 32})
    with pytest.raises(ValueError, match="`teacher` must take pictures of"):
        fit.fit(other, tmp_path / "other")
