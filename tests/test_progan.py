"""ProGAN: its layers, how it grows, and learning."""

import math
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops

from training import adversary, checkpoint
from zoo import progan

SIZES = {"width": 4, "most": 8}


def build(size: int = 16, latent: int = 8, **options) -> progan.Progan:
    keras.utils.set_random_seed(1)
    model = progan.Progan(progan.progan(size, latent, **SIZES), **SIZES, **options)
    for variable in model.trainable_weights:
        if variable.path.endswith("bias"):
            variable.assign(keras.random.normal(variable.shape, stddev=0.1, seed=2))
    return model


def compiled(model: progan.Progan) -> progan.Progan:
    model.compile(keras.optimizers.Adam(1e-3, 0.0, 0.99), keras.optimizers.Adam(1e-3, 0.0, 0.99))
    return model


def noise(count: int = 4, latent: int = 8, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((count, latent)).astype(np.float32)


def pictures(count: int = 4, size: int = 16) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, size, size, 1), np.uint8)


@pytest.mark.parametrize("network", [progan.progan, progan.discriminator])
def test_both_networks_have_the_parameters_of_the_paper(network) -> None:
    # Table 2 of Karras et al., 1024 by 1024 pixels: 23.1 M each; a grey picture needs hardly fewer.
    model = network(1024, width=16)
    assert round(model.count_params() / 1e6, 1) == 23.1


def test_channels_double_with_each_stage_down_to_the_widest() -> None:
    assert progan.widths(64, 256, 512) == [512, 512, 512, 512, 256]
    assert progan.widths(32, 16, 64) == [64, 64, 32, 16]
    with pytest.raises(ValueError, match="`size` must be 4 times a power of 2"):
        progan.progan(48)


def test_a_convolution_scales_its_weights_by_the_constant_of_he() -> None:
    keras.utils.set_random_seed(0)
    x = np.random.default_rng(0).standard_normal((2, 6, 6, 40)).astype(np.float32)
    layer = progan.Convolution(50, 3)
    answer = layer(x)
    assert layer.scale == pytest.approx(math.sqrt(2 / (3 * 3 * 40)))
    assert np.std(layer.kernel) == pytest.approx(1, abs=0.03)  # 18,000 numbers.
    plain = ops.conv(x, layer.kernel * np.float32(layer.scale), padding="same")
    np.testing.assert_allclose(answer, plain, atol=1e-5)


def test_a_slow_dense_layer_starts_as_a_fast_one_and_learns_less() -> None:
    x = np.random.default_rng(0).standard_normal((2, 200)).astype(np.float32)
    fast, slow = progan.Dense(100), progan.Dense(100, rate=0.01)
    fast(x), slow(x)
    assert fast.scale == pytest.approx(math.sqrt(2 / 200))
    assert np.std(slow.kernel) == pytest.approx(100, rel=0.03)  # 20,000 numbers.
    slow.kernel.assign(100 * fast.kernel)
    np.testing.assert_allclose(slow(x), fast(x), atol=1e-5)
    for layer in (fast, slow):
        layer.kernel.assign_add(ops.ones_like(layer.kernel))
        layer.bias.assign_add(ops.ones_like(layer.bias))
    fast.kernel.assign_sub(0.99 * ops.ones_like(fast.kernel))
    fast.bias.assign_sub(0.99 * ops.ones_like(fast.bias))
    np.testing.assert_allclose(slow(x), fast(x), atol=1e-5)


def test_each_place_is_normalised_to_a_mean_square_of_one() -> None:
    x = np.random.default_rng(0).standard_normal((2, 3, 3, 5)).astype(np.float32) * [1, 10, 100, 1, 1]
    y = np.asarray(progan.PixelNormalization()(x.astype(np.float32)))
    np.testing.assert_allclose(np.mean(y**2, axis=-1), 1, atol=1e-5)
    np.testing.assert_allclose(y / y[..., :1], x / x[..., :1], rtol=1e-4)


def test_the_deviation_of_a_batch_is_appended_as_a_map() -> None:
    x = np.random.default_rng(0).standard_normal((4, 3, 3, 5)).astype(np.float32)
    y = np.asarray(progan.Deviation()(x))
    assert y.shape == (4, 3, 3, 6)
    np.testing.assert_array_equal(y[..., :5], x)
    np.testing.assert_allclose(y[..., 5], x.std(axis=0).mean(), atol=1e-5)
    equal = np.asarray(progan.Deviation()(np.repeat(x[:1], 4, axis=0)))
    np.testing.assert_allclose(equal[..., 5], 0, atol=1e-3)  # The root of 1e-8, which keeps its slope finite.


@pytest.mark.parametrize("stage", [1, 2])
def test_a_fade_begins_with_the_stage_before_and_ends_with_the_new_one(stage: int) -> None:
    model = build()
    before = model.draw_at(noise(), stage - 1, 1.0)
    begun, half, ended = (model.draw_at(noise(), stage, share) for share in (0.0, 0.5, 1.0))
    np.testing.assert_allclose(begun, progan.enlarged(before, 2), atol=1e-3)
    np.testing.assert_allclose(half, (begun + ended) / 2, atol=1e-3)
    of_stage = model.generator.get_layer(f"stage{stage}_b_norm").output
    features = keras.Model(model.generator.input, of_stage)({"noise": noise()})
    kernel, bias = next(
        (layer.kernel, layer.bias) for layer in model._flatten_layers() if layer.name == f"stage{stage}_grey"
    )
    alone = 127.5 * (np.asarray(features) @ np.asarray(kernel)[0, 0] / math.sqrt(features.shape[-1]) + bias)
    np.testing.assert_allclose(ended, alone + 127.5, atol=1e-3)

    small = ops.average_pool(pictures().astype(np.float32), 2 ** (2 - stage))
    judged = model.judge_at(small, stage, 0.0)
    np.testing.assert_allclose(judged, model.judge_at(ops.average_pool(small, 2), stage - 1, 1.0), atol=1e-4)
    assert np.abs(model.judge_at(small, stage, 1.0) - judged).max() > 1e-3


def test_real_pictures_fade_as_drawn_ones_do() -> None:
    model = build()
    real = pictures().astype(np.float32)
    np.testing.assert_array_equal(model.real_at(real, 2, 1.0), real)
    np.testing.assert_allclose(
        model.real_at(real, 0, 1.0), real.reshape(4, 4, 4, 4, 4).mean((2, 4))[..., None]
    )
    half = real.reshape(4, 8, 2, 8, 2).mean((2, 4))[..., None]
    np.testing.assert_allclose(model.real_at(real, 2, 0.0), progan.enlarged(half, 2), atol=1e-3)


def test_stages_share_their_weights_with_the_networks_at_full_size() -> None:
    model = build()
    drawn = np.clip(model.draw_at(noise(), 2, 1.0), 0, 255)
    np.testing.assert_allclose(model.generator({"noise": noise()})["image"], drawn, atol=1e-3)
    real = pictures().astype(np.float32)
    np.testing.assert_allclose(model.judge_at(real, 2, 1.0), model.discriminator(real), atol=1e-4)

    before = [np.asarray(model.draw_at(noise(), stage, 1.0)) for stage in range(3)]
    model.generator.get_layer("stage0_b").kernel.assign_add(ops.ones((3, 3, 8, 8)))
    for stage, old in enumerate(before):
        assert np.abs(model.draw_at(noise(), stage, 1.0) - old).max() > 1
    # Only what each size makes of its map is its own: kernel and bias of the two smaller ones.
    assert len(model.drawing_variables()) == len(model.generator.trainable_variables) + 2 * 2
    assert len(model.judging_variables()) == len(model.discriminator.trainable_variables) + 2 * 2
    names = [id(variable) for variable in model.variables]
    assert len(names) == len(set(names))
    assert {id(variable) for variable in model.trainable_weights} < set(names)


def test_stages_fade_in_and_hold_by_turns() -> None:
    model = build(growth=400)
    seen = (0, 99, 100, 150, 200, 299, 325, 400, 10_000)
    found = []
    for count in seen:
        model.seen.assign(count)
        stage, share = model.progress()
        found.append((int(stage), round(float(share), 6)))
    assert found == [(0, 1), (0, 1), (1, 0), (1, 0.5), (1, 1), (1, 1), (2, 0.25), (2, 1), (2, 1)]


def test_what_is_shown_has_the_full_size_at_any_stage() -> None:
    model = build(growth=400)
    for count, stage in ((0, 0), (250, 1), (450, 2)):
        model.seen.assign(count)
        shown = np.asarray(model({"noise": noise()})["image"])
        expected = progan.enlarged(model.draw_at(noise(), stage, 1.0), 2 ** (2 - stage))
        np.testing.assert_allclose(shown, np.clip(expected, 0, 255), atol=1e-3)
        assert model.draw({"image": pictures(3)}).shape == (3, 16, 16, 1)


def test_it_trains_grows_and_goes_on_where_it_was(tmp_path: Path) -> None:
    tf = pytest.importorskip("tensorflow")
    model = compiled(build(8, growth=16))
    data = tf.data.Dataset.from_tensors({"image": pictures(4, 8)}).repeat()
    grown = [model.generator.get_layer("stage1_a").kernel, model.discriminator.get_layer("stage1_a").kernel]
    begun = [model.generator.get_layer("stage0_a").kernel, model.discriminator.get_layer("stage0_a").kernel]
    start = [np.asarray(variable) for variable in begun + grown]
    seen: list[dict[str, float]] = []

    def train(model: progan.Progan, steps: int) -> None:
        keep = keras.callbacks.LambdaCallback(on_train_batch_end=lambda _, logs: seen.append(dict(logs)))
        model.fit(data, steps_per_epoch=steps, verbose=0, shuffle=False, callbacks=[keep])

    train(model, 2)
    moved = [np.abs(variable - old).max() for variable, old in zip(begun + grown, start, strict=True)]
    assert min(moved[:2]) > 0
    assert max(moved[2:]) == 0  # What is not grown yet waits.
    train(model, 4)
    moved = [np.abs(variable - old).max() for variable, old in zip(begun + grown, start, strict=True)]
    assert min(moved) > 0
    assert [(log["stage"], log["share"]) for log in seen] == [
        (0, 1),
        (0, 1),
        (1, 0),
        (1, 0.5),
        (1, 1),
        (1, 1),
    ]
    assert all(np.isfinite(value) for log in seen for value in log.values())
    assert seen[0]["loss"] == pytest.approx(seen[0]["discriminator"] + seen[0]["generator_adversarial"])

    model.seen.assign(12)
    checkpoint.save(tmp_path / "state.npz", adversary.state(model), {})
    resumed = compiled(build(8, growth=16))
    checkpoint.load(tmp_path / "state.npz", adversary.state(resumed))
    assert [float(one) for one in resumed.progress()] == [1, 0.5]
    np.testing.assert_array_equal(resumed({"noise": noise()})["image"], model({"noise": noise()})["image"])


def test_a_grown_generator_stays_at_its_full_size() -> None:
    model = build()
    assert [float(one) for one in model.progress()] == [2, 1]
    drawn = model.generator({"noise": noise()})["image"]
    np.testing.assert_allclose(model({"noise": noise()})["image"], drawn, atol=1e-3)


@pytest.mark.parametrize("growth", [-1, 3])
def test_growth_with_too_few_pictures_for_the_stages_is_refused(growth: int) -> None:
    with pytest.raises(
        ValueError, match=rf"`growth` must be 0, or at least 4 pictures\. Received: {growth=}"
    ):
        build(growth=growth)
