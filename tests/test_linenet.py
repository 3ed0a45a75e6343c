"""HanziNet along a line: the same answers, a step every few pixels, and what the blocks over steps see."""

import keras
import numpy as np
import pytest

import zoo
from zoo import hanzinet, linenet

SIZES = {"classes": 7, "widths": (4, 6, 8), "depths": (0, 1, 0), "embedding": 5}
STEP, SIDE = 4, 32


def build(**sizes) -> keras.Model:
    keras.utils.set_random_seed(1)
    return linenet.linenet(**({"height": SIDE, "context": (3, 5)} | SIZES | sizes))


def recogniser(**sizes) -> keras.Model:
    """As after training: no two channels are normalised alike."""
    keras.utils.set_random_seed(2)
    model = hanzinet.hanzinet(**({"size": SIDE} | SIZES | sizes))
    rng = np.random.default_rng(0)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights([rng.uniform(0.5, 2, weight.shape) for weight in layer.get_weights()])
    return model


def pictures(width: int, count: int = 2, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, SIDE, width, 1), np.uint8)


def answers(model: keras.Model, images: np.ndarray) -> np.ndarray:
    return np.asarray(model(images)["logits"])


def test_a_fresh_reader_answers_as_its_recogniser_for_the_square_around_a_step() -> None:
    model, single = build(), recogniser()
    linenet.from_recogniser(model, single)
    images = pictures(SIDE)
    middle = answers(model, images)[:, SIDE // 2 // STEP]
    # float32 sums in another order.
    np.testing.assert_allclose(middle, answers(single, images), rtol=1e-4, atol=1e-4)


def test_the_bundled_reader_starts_with_the_answers_of_the_slim_recogniser() -> None:
    single = zoo.create("hanzinet_slim", classes=9)
    model = linenet.line_s(9)
    linenet.from_recogniser(model, single)
    images = np.random.default_rng(0).integers(0, 256, (1, 64, 64, 1), np.uint8)
    np.testing.assert_allclose(answers(model, images)[:, 4], answers(single, images), rtol=1e-4, atol=1e-4)
    # Three empty columns in the kernel over places, and for each block over steps a depthwise kernel, a
    # pointwise one, and two normalisations.
    blocks = sum(192 * reach + 192 * 192 + 2 * 4 * 192 for reach in (5, 9, 17))
    assert model.count_params() == single.count_params() + 3 * 4 * 320 + blocks


def test_a_line_that_moves_by_a_step_moves_its_answers() -> None:
    model = build()
    line = np.full((1, SIDE, 160, 1), 255, np.uint8)
    line[:, 8:24, 60:84] = pictures(24, 1)[:, :16]
    moved = np.roll(line, STEP, axis=2)
    np.testing.assert_allclose(answers(model, moved)[:, 11:30], answers(model, line)[:, 10:29], atol=1e-4)


@pytest.mark.parametrize("width", [STEP, 40, 101])
def test_any_width_gives_an_answer_every_step(width: int) -> None:
    logits = build()(pictures(width))["logits"]
    assert tuple(logits.shape) == (2, -(-width // STEP), 7)
    assert logits.dtype == "float32"


def test_blocks_over_steps_start_as_nothing() -> None:
    model, bare = build(), build(context=())
    for layer in bare.layers:
        layer.set_weights(model.get_layer(layer.name).get_weights() if layer.weights else [])
    images = pictures(96)
    np.testing.assert_array_equal(answers(model, images), answers(bare, images))


def test_a_block_over_steps_sees_as_many_as_it_says() -> None:
    model = build(context=(5,))
    norm = model.get_layer("context0_b_norm")
    before = keras.Model(model.input, model.get_layer("embedding_norm").output)
    after = keras.Model(model.input, model.get_layer("context0_add").output)
    norm.gamma.assign(np.ones_like(norm.gamma))
    line, other = pictures(160, 1), pictures(160, 1)
    other[:, :, 80:84] = 255 - other[:, :, 80:84]
    moved = [
        np.flatnonzero(np.abs(np.asarray(part(line)) - np.asarray(part(other))).max((0, 1, 3)) > 1e-6)
        for part in (before, after)
    ]
    assert (moved[1].min(), moved[1].max()) == (moved[0].min() - 2, moved[0].max() + 2)


def test_a_training_step_lowers_the_loss() -> None:
    model = build(dropout=0.0)
    images, labels = pictures(64, 4), np.array([[1, 2], [3, 0], [4, 4], [5, 6]], np.int32)
    model.compile(keras.optimizers.SGD(1e-2), loss={"logits": keras.losses.CTC()}, jit_compile=False)
    first = model.train_on_batch(images, labels)
    for _ in range(3):
        last = model.train_on_batch(images, labels)
    assert last < first


def test_kept_normalisation_answers_alike_while_training() -> None:
    model = build(dropout=0.0, context=())
    linenet.from_recogniser(model, recogniser())
    images = pictures(64)
    assert np.abs(np.asarray(model(images, training=True)["logits"]) - answers(model, images)).max() > 1e-2
    linenet.keep_normalisation(model)
    # float32 sums in another order.
    np.testing.assert_allclose(
        model(images, training=True)["logits"], answers(model, images), rtol=1e-4, atol=1e-4
    )


def test_blocks_over_steps_normalise_with_their_own_averages() -> None:
    model = build()
    before = model.get_weights()
    linenet.keep_normalisation(model)
    for weight, kept in zip(model.get_weights(), before, strict=True):  # In the order of a file.
        np.testing.assert_array_equal(weight, kept)
    norms = {layer.name: layer for layer in model.layers if "_norm" in layer.name}
    assert {name for name, layer in norms.items() if layer.trainable} == {
        f"context{number}_{half}_norm" for number in (0, 1) for half in "ab"
    }


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"height": 36}, "`height` must be a multiple of 8. Received: height=36"),
        ({"width": 30}, "`width` must be a multiple of 4, .* Received: width=30"),
        ({"width": 0}, "`width` must be a multiple of 4"),
        ({"depths": (0, 1)}, "must name the same stages"),
        ({"context": (3, 4)}, r"`context` must hold odd numbers .* Received: context=\(3, 4\)"),
    ],
)
def test_sizes_that_do_not_fit_are_named(sizes: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build(**sizes)


@pytest.mark.parametrize(
    ("sizes", "differing"),
    [
        ({"classes": 8}, "scores"),
        ({"embedding": 6}, "embedding, embedding_norm, scores"),
        ({"size": 16}, "places"),
        ({"block": "bottleneck"}, "embedding, places, stage1_block0_a"),
    ],
)
def test_a_recogniser_of_other_sizes_is_refused(sizes: dict, differing: str) -> None:
    with pytest.raises(ValueError, match=f"differs in {differing}"):
        linenet.from_recogniser(build(), recogniser(**sizes))
