"""StyleGAN2: its layers, its penalties, and learning."""

import math

import keras
import numpy as np
import pytest
from keras import ops

from zoo import stylegan

SIZES = {"width": 4, "most": 8}


def build(size: int = 8, latent: int = 6, psi: float = 1.0, **options) -> stylegan.Stylegan:
    keras.utils.set_random_seed(1)
    generator = stylegan.stylegan(size, latent, **SIZES, depth=2, psi=psi)
    for variable in generator.trainable_weights:
        if variable.path.endswith("strength"):
            variable.assign(0.5)
    return stylegan.Stylegan(generator, **SIZES, **options)


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def pictures(count: int = 4, size: int = 8) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, size, size, 1), np.uint8)


@pytest.mark.parametrize("demodulates", [True, False])
@pytest.mark.parametrize("doubles", [True, False])
def test_a_modulated_convolution_has_weights_of_its_own_for_each_picture(
    demodulates: bool, doubles: bool
) -> None:
    keras.utils.set_random_seed(0)
    x, w = normal(3, 6, 6, 5), normal(3, 4)
    layer = stylegan.ModulatedConvolution(7, doubles=doubles, demodulates=demodulates)
    answer = layer(x, w)
    assert answer.shape == ((3, 12, 12, 7) if doubles else (3, 6, 6, 7))
    kernel = np.asarray(layer.kernel) / math.sqrt(3 * 3 * 5)
    for number, style in enumerate(np.asarray(layer.style(w))):
        weights = kernel * style[:, None]
        if demodulates:
            weights = weights * math.sqrt(2) / np.sqrt((weights**2).sum((0, 1, 2)) + 1e-8)
        one = x[number : number + 1]
        if doubles:
            turned = np.ascontiguousarray(weights.transpose(0, 1, 3, 2))
            expected = 4 * stylegan.blurred(ops.conv_transpose(one, turned, 2, padding="valid"), 1)
        else:
            expected = ops.conv(one, weights, padding="same")
        np.testing.assert_allclose(answer[number], expected[0], atol=1e-4)


def test_the_rectifier_behind_a_modulated_convolution_keeps_the_size_of_a_map() -> None:
    keras.utils.set_random_seed(0)
    x = normal(8, 16, 16, 32)
    layer = stylegan.ModulatedConvolution(32)
    y = np.asarray(keras.layers.LeakyReLU(0.2)(layer(x, normal(8, 4))))[:, 1:-1, 1:-1]
    assert np.mean(y**2) == pytest.approx(1.04, abs=0.1)  # 1 + 0.2²; the channels of one draw scatter.


def test_enlarging_and_blurring_keep_the_grey_of_an_area() -> None:
    grey = np.full((1, 8, 8, 1), 0.5, np.float32)
    larger = np.asarray(stylegan.Enlarged()(grey))
    assert larger.shape == (1, 16, 16, 1)
    np.testing.assert_allclose(larger[:, 1:-1, 1:-1], 0.5, atol=1e-6)
    ramp = np.broadcast_to(np.arange(8, dtype=np.float32)[None, None, :, None], (1, 8, 8, 1))
    between = np.asarray(stylegan.Enlarged()(ramp))[0, 4, 1:-1, 0]
    np.testing.assert_allclose(np.diff(between), 0.5, atol=1e-6)
    blurred = stylegan.blurred(np.full((1, 8, 8, 3), 0.5, np.float32), 0)
    np.testing.assert_allclose(blurred, np.full((1, 5, 5, 3), 0.5), atol=1e-6)


def test_truncation_draws_styles_to_the_mean_that_it_tracks() -> None:
    layer = stylegan.Truncation(0.25)
    w = normal(16, 4) + 3
    np.testing.assert_array_equal(layer(w, training=True), w)
    mean = np.asarray(layer.mean)
    np.testing.assert_allclose(mean, 0.005 * w.mean(0), atol=1e-6)
    np.testing.assert_allclose(layer(w), mean + 0.25 * (w - mean), atol=1e-5)
    whole, none = build().generator, build(psi=0.0).generator
    none.set_weights(whole.get_weights())  # They have the same ones.
    images = np.asarray(none({"noise": normal(3, 6)})["image"])
    np.testing.assert_allclose(images[1:], images[:1].repeat(2, 0), atol=1e-3)


def test_a_style_draws_one_picture_but_while_training() -> None:
    generator = build().generator
    first, second = (generator({"noise": normal(2, 6)})["image"] for _ in range(2))
    np.testing.assert_array_equal(first, second)
    other = generator({"noise": normal(2, 6)}, training=True)["image"]
    assert np.abs(other - first).max() > 1


def test_styles_are_mixed_at_one_layer() -> None:
    unmixed = np.asarray(ops.stack(build(mixing=0.0).styles(20)))
    assert unmixed.shape == (4, 20, 6)
    np.testing.assert_array_equal(unmixed, unmixed[:1].repeat(4, 0))
    mixed = np.asarray(ops.stack(build(mixing=1.0).styles(200)))
    changes = (np.abs(np.diff(mixed, axis=0)) > 0).all(-1)
    assert (changes.sum(0) == 1).all()
    assert changes.any(1).all()  # Each of the three places occurs.


def test_r1_of_a_linear_discriminator_is_its_squared_weight() -> None:
    slope = normal(8, 8, 1)
    real = pictures().astype(np.float32)

    def judge(image):
        return ops.sum((image / 127.5 - 1) * slope, axis=(1, 2, 3))

    found = stylegan.r1(judge, ops.convert_to_tensor(real), gamma=3.0)
    np.testing.assert_allclose(found, 3.0 / 2 * np.sum(slope**2), rtol=1e-5)


def test_r1_and_path_lengths_are_part_of_the_loss_now_and_then() -> None:
    tf = pytest.importorskip("tensorflow")
    model = build(gamma=2.0)
    model.compile(keras.optimizers.Adam(1e-3), keras.optimizers.Adam(1e-3))
    real = ops.convert_to_tensor(pictures().astype(np.float32))
    lost = tf.function(lambda: model.discriminator_loss(real, {"image": real}), autograph=False)
    drawing = tf.function(lambda: model.generator_loss({"image": real}), autograph=False)
    seed = np.asarray(model.seed_generator.state)
    found = []
    for step in (0, 1):
        # The same noise each time; the generator's own does without.
        for variable in model.generator.trainable_weights:
            if variable.path.endswith("strength"):
                variable.assign(0.0)
        model.seed_generator.state.assign(seed)
        model.discriminator_optimizer.iterations.assign(step)
        found.append(float(lost()))
    expected = 16 * stylegan.r1(lambda image: model.discriminator(image, training=True), real, 2.0)
    assert found[0] - found[1] == pytest.approx(float(expected), rel=1e-3)
    assert float(drawing()["path_length"]) > 0
    model.optimizer.iterations.assign(1)
    assert float(drawing()["path_length"]) == 0


def test_path_lengths_are_those_of_a_known_slope() -> None:
    """The grey of the whole picture is the first number of both styles, so random directions see N(0, 1)."""

    def paint(styles):
        grey = styles[0][:, :1] + styles[1][:, :1]
        return ops.broadcast_to(grey[:, None, None], (len(grey), 8, 8, 1))

    styles = [ops.convert_to_tensor(normal(4000, 3, seed=seed)) for seed in (0, 1)]
    lengths = np.asarray(stylegan.path_lengths(paint, styles, keras.random.SeedGenerator(0)))
    assert lengths.shape == (4000,)
    assert np.mean(lengths**2) == pytest.approx(1, abs=0.1)  # The mean of so many squares has deviation 0.02.


def test_the_mean_path_length_follows_the_lengths() -> None:
    model = build()
    assert model.path_length in model.variables
    assert np.isfinite(model.path_penalty(4))
    first = float(model.path_length.value)
    assert first > 0
    assert np.isfinite(model.path_penalty(4))
    assert float(model.path_length.value) > first  # From 0 towards about 0.1.


def test_a_few_steps_change_both_networks() -> None:
    tf = pytest.importorskip("tensorflow")
    model = build()
    model.compile(
        keras.optimizers.Adam(1e-3, 0.0, 0.99, use_ema=True), keras.optimizers.Adam(1e-3, 0.0, 0.99)
    )
    variables = [*model.drawing_variables(), *model.judging_variables()]
    before = [np.asarray(variable) for variable in variables]
    seen: list[dict[str, float]] = []
    keep = keras.callbacks.LambdaCallback(on_train_batch_end=lambda _, logs: seen.append(dict(logs)))
    data = tf.data.Dataset.from_tensors({"image": pictures()}).repeat()
    model.fit(data, steps_per_epoch=9, verbose=0, shuffle=False, callbacks=[keep])
    assert all(np.isfinite(value) for log in seen for value in log.values())
    assert [log["generator_path_length"] > 0 for log in seen] == [True, *7 * [False], True]
    for variable, old in zip(variables, before, strict=True):
        assert np.abs(variable - old).max() > 0, variable.path
    assert np.abs(model.generator.get_layer("mapping").get_layer("truncation").mean).max() > 0


def test_a_size_that_cannot_be_halved_to_four_is_refused() -> None:
    for network in (stylegan.stylegan, stylegan.discriminator):
        with pytest.raises(ValueError, match="`size` must be 4 times a power of 2"):
            network(48)
