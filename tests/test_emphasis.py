"""Training draws some classes more often, and the scores do not tell."""

import dataclasses

import numpy as np
import tensorflow as tf

from serving import ocr, runtime
from training import pipeline
from training.characters import crossentropy
from training.sources import EM, Glyphs
from zoo import charset, emphasis


def test_signs_of_pages_weigh_most_and_their_rare_look_alikes_least() -> None:
    factors = emphasis.of(("", "永", "9", "ㄅ", "。", ",", "'"))
    np.testing.assert_allclose(factors, (1, 1, 2, 2, 4, 8, 0.4))
    assert factors.dtype == np.float32


def test_classes_with_as_many_samples_are_drawn_by_their_emphasis() -> None:
    characters = "永。,'"
    labels = np.repeat(charset.encode(characters), 5).astype(np.int32)
    hand = Glyphs("hand", np.full((len(labels), EM, EM), 255, np.uint8), labels, real=True)
    sampler = pipeline.CellSampler.of([hand], 1, real_weight=1.0, blank_share=0.0, seed=0)
    drawn = np.bincount(sampler.labels, np.diff(sampler.shares, prepend=0.0))[charset.encode(characters)]
    np.testing.assert_allclose(drawn / drawn[0], emphasis.of(characters), rtol=1e-6)


def test_one_shape_of_two_classes_is_either_although_one_is_drawn_more_often() -> None:
    factors = emphasis.of(",'")
    logits = tf.Variable(np.zeros(2, np.float32))
    optimizer = tf.keras.optimizers.SGD(1.0)
    for _ in range(200):
        with tf.GradientTape() as tape:
            losses = crossentropy(np.arange(2), tf.stack([logits, logits]), np.log(factors))
            loss = tf.reduce_sum(losses * factors / factors.sum())
        optimizer.apply_gradients([(tape.gradient(loss, logits), logits)])
    np.testing.assert_allclose(tf.nn.softmax(logits), (0.5, 0.5), atol=1e-3)


def test_a_reader_puts_the_emphasis_into_text() -> None:
    preset = runtime.preset("hanzinet_s")
    told = preset.result | {"temperature": 0.5, "text_temperature": 2.0}
    recogniser = ocr._Recogniser(preset.session(1), dataclasses.replace(preset, result=told))
    crops = np.full((2, preset.size, preset.size), 255, np.uint8)
    crops[:, 10:-10, 30:33] = 20
    of_text, alone = recogniser.logits(crops), recogniser.logits(crops, of_text=False)
    prior = np.log(emphasis.of(preset.characters))
    np.testing.assert_allclose(2 * of_text, 0.5 * alone + prior, rtol=1e-5, atol=1e-4)
