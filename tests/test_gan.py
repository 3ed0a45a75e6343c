"""The adversarial models of the zoo follow their papers."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from zoo import cgan, cyclegan, dcgan, fewshot, gan, layers, pix2pix, wgan


def _pictures(count: int, size: int = 16, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, size, size, 1)).astype(np.uint8)


def _batch(count: int = 4, size: int = 16) -> dict:
    return {
        "image": _pictures(count, size),
        "glyph": _pictures(count, size, 1),
        "printed": _pictures(count, size, 2),
        "writer": np.arange(count, dtype=np.int32) % 3,
        "samples": _pictures(count, size, 3).repeat(2, axis=1),
    }


def _tensors(batch: dict) -> dict:
    return {name: keras.ops.convert_to_tensor(value) for name, value in batch.items()}


def _trained(adversary: gan.Adversarial, steps: int = 1, rate: float = 1e-3) -> list[dict]:
    adversary.compile(keras.optimizers.Adam(rate), keras.optimizers.Adam(rate))
    step, batch = tf.function(adversary.train_step), _tensors(_batch())
    return [step(batch) for _ in range(steps)]


def _kinds(model: keras.Model) -> list[str]:
    return [type(layer).__name__ for layer in model.layers]


def test_the_networks_of_the_research_note_have_its_sizes() -> None:
    generator, judge = gan.gan(), gan.discriminator()
    assert [layer.units for layer in generator.layers if isinstance(layer, keras.layers.Dense)] == [
        1024,
        6272,
    ]
    assert generator.get_layer("map").output.shape == (None, 7, 7, 128)
    assert generator.output["image"].shape == (None, 28, 28, 1)
    assert generator.get_layer("conv2").activation is keras.activations.tanh
    convolutions = [layer for layer in judge.layers if isinstance(layer, keras.layers.Conv2D)]
    assert [(layer.kernel_size, layer.strides) for layer in convolutions] == [((5, 5), (2, 2))] * 2
    assert judge.get_layer("dense1").units == 256
    assert judge.get_layer("dropout").rate == 0.5


def test_pictures_are_scaled_to_minus_one_to_one() -> None:
    image, scaled = layers.judged(8)
    model = keras.Model(image, scaled)
    values = np.array([0, 127.5, 255], np.float32).repeat(64).reshape(3, 8, 8, 1)
    np.testing.assert_allclose(model.predict_on_batch(values)[:, 0, 0, 0], [-1, 0, 1], atol=1e-6)


def test_the_generator_of_the_research_note_starts_at_grey() -> None:
    noise = np.random.default_rng(0).standard_normal((8, 100), np.float32)
    drawn = gan.gan().predict_on_batch({"noise": noise})["image"]
    assert np.abs(drawn - 127.5).max() < 40


def test_dcgan_has_the_maps_of_the_paper() -> None:
    generator = dcgan.dcgan()
    assert generator.get_layer("map").output.shape == (None, 4, 4, 1024)
    widths = [generator.get_layer(f"up{number}").filters for number in range(4)]
    assert widths == [512, 256, 128, 1]
    # The projection, the kernels, the bias of the last one, and scale and shift of four normalisations.
    kernels = 25 * (1024 * 512 + 512 * 256 + 256 * 128 + 128)
    assert sum(int(np.prod(weight.shape)) for weight in generator.trainable_weights) == (
        100 * 16 * 1024 + kernels + 1 + 2 * (1024 + 512 + 256 + 128)
    )


@pytest.mark.parametrize("family", [dcgan.Dcgan, wgan.Wgan, wgan.WganGp])
def test_dcgan_is_told_which_of_few_characters_is_meant(family: type[gan.Adversarial]) -> None:
    generator = dcgan.dcgan(16, latent=4, width=4, classes=3)
    adversary = family(generator, width=4)
    adversary.critic_steps = 1
    assert adversary.discriminator.get_layer("labels").input_dim == 3
    noise, labels = np.zeros((3, 4), np.float32), np.arange(3, dtype=np.int32)
    drawn = np.asarray(generator({"noise": noise, "label": labels})["image"])
    assert np.ptp(drawn, axis=0).max() > 0  # The same noise, other characters.
    batch = {"image": keras.ops.zeros((3, 16, 16, 1)), "label": keras.ops.convert_to_tensor(labels)}
    adversary.compile(keras.optimizers.Adam(0.01), keras.optimizers.Adam(0.01))
    before = adversary.discriminator.get_layer("labels").get_weights()[0]
    assert np.isfinite(float(adversary.train_step(batch)["loss"]))
    assert (adversary.discriminator.get_layer("labels").get_weights()[0] != before).any(1).all()
    assert len(np.unique(np.asarray(adversary.judge(batch["image"], batch)))) == 3


def test_dcgan_follows_the_guidelines() -> None:
    generator, judge = dcgan.dcgan(32, width=8), dcgan.discriminator(32, width=8)
    for model in (generator, judge):
        assert not any("Pooling" in kind or "UpSampling" in kind for kind in _kinds(model))
    assert _kinds(generator).count("BatchNormalization") == 3
    assert _kinds(judge).count("BatchNormalization") == 2  # All maps but the first.
    assert _kinds(judge).count("Dense") == 1
    assert _kinds(generator).count("ReLU") == 3
    slopes = {layer.negative_slope for layer in judge.layers if isinstance(layer, keras.layers.LeakyReLU)}
    assert slopes == {0.2}
    for model in (generator, judge):
        for weight in model.trainable_weights:
            if weight.name == "kernel" and weight.shape[-1] > 1:
                assert np.std(weight) == pytest.approx(0.02, rel=0.2)  # Of 200 numbers or more.


@pytest.mark.parametrize("size", [4, 20, 63])
def test_a_size_that_does_not_halve_to_four_is_an_error(size: int) -> None:
    with pytest.raises(ValueError, match=rf"4 times a power of 2, at least 8\. Received: size={size}"):
        dcgan.dcgan(size)


def test_the_generator_learns_to_be_taken_for_real() -> None:
    keras.utils.set_random_seed(0)
    generator = dcgan.dcgan(16, latent=4, width=4)
    adversary = dcgan.Dcgan(generator, width=4)
    adversary.compile(keras.optimizers.Adam(2e-3, 0.5), keras.optimizers.Adam(2e-3, 0.5))
    dark = np.full((8, 16, 16, 1), 30, np.uint8)
    noise = {"noise": np.random.default_rng(0).normal(size=(8, 4)).astype(np.float32)}
    before = np.abs(generator.predict_on_batch(noise)["image"] - 30).mean()
    step, batch = tf.function(adversary.train_step), _tensors({"image": dark})
    for _ in range(150):
        step(batch)
    after = np.abs(generator.predict_on_batch(noise)["image"] - 30).mean()
    assert after < before / 2


def test_the_discriminator_learns_before_the_generator_does() -> None:
    keras.utils.set_random_seed(0)
    adversary = dcgan.Dcgan(dcgan.dcgan(16, latent=4, width=4), width=4)
    frozen = [np.asarray(weight).copy() for weight in adversary.generator.trainable_weights]
    adversary.compile(keras.optimizers.SGD(0.0), keras.optimizers.Adam(1e-2))
    step, batch = tf.function(adversary.train_step), _tensors(_batch())
    losses = [float(step(batch)["discriminator"]) for _ in range(25)]
    assert losses[-1] < losses[0] / 2
    for weight, value in zip(adversary.generator.trainable_weights, frozen, strict=True):
        np.testing.assert_array_equal(weight, value)


def test_the_weights_of_a_clipped_critic_stay_small() -> None:
    adversary = wgan.Wgan(wgan.wgan(16, 4, 4), width=4, clip=0.003, critic_steps=2)
    _trained(adversary)
    assert max(float(np.abs(weight).max()) for weight in adversary.judging_variables()) <= 0.003 + 1e-7
    assert max(float(np.abs(weight).max()) for weight in adversary.drawing_variables()) > 0.003


def test_the_maps_of_a_clipped_critic_do_not_vanish() -> None:
    adversary = wgan.Wgan(wgan.wgan(64, 8, 4), width=16)
    adversary.after_discriminator_step()
    critic = adversary.discriminator
    last = keras.Model(critic.input, critic.get_layer("down3_norm").output)
    pictures = np.random.default_rng(0).uniform(0, 255, (16, 64, 64, 1)).astype(np.float32)
    assert float(np.std(last(pictures, training=True))) == pytest.approx(0.01, rel=0.2)


def test_the_critic_of_the_gradient_penalty_does_not_normalise_over_the_batch() -> None:
    adversary = wgan.WganGp(wgan.wgan(16, 4, 4), width=4)
    assert "BatchNormalization" not in _kinds(adversary.discriminator)
    assert "BatchNormalization" in _kinds(wgan.Wgan(wgan.wgan(16, 4, 4), width=4).discriminator)
    assert adversary.critic_steps == 5


def test_the_gradient_penalty_of_a_plane_is_that_of_its_slope() -> None:
    rng = np.random.default_rng(0)
    slope = rng.normal(size=(8, 8, 1)).astype(np.float32)
    slope *= 3 / np.linalg.norm(slope)

    def critic(pictures):
        return keras.ops.sum((pictures / 127.5 - 1) * slope, axis=(1, 2, 3))

    real, drawn = (keras.ops.convert_to_tensor(rng.uniform(0, 255, (5, 8, 8, 1)), "float32") for _ in "ab")
    penalty = wgan.gradient_penalty(critic, real, drawn, keras.random.SeedGenerator(0))
    assert float(penalty) == pytest.approx((3 - 1) ** 2, rel=1e-4)


def test_the_critic_takes_its_own_part_of_the_batch_each_time() -> None:
    seen = []

    class Watching(wgan.WganGp):
        def discriminator_loss(self, real, batch):
            seen.append(np.asarray(real)[:, 0, 0, 0].tolist())
            return super().discriminator_loss(real, batch)

    adversary = Watching(wgan.wgan(16, 4, 4), width=4, critic_steps=3)
    adversary.compile(keras.optimizers.Adam(), keras.optimizers.Adam())
    batch = {"image": np.arange(6, dtype=np.uint8)[:, None, None, None].repeat(16, 1).repeat(16, 2)}
    adversary.train_step(_tensors(batch))
    assert seen == [[0, 3], [1, 4], [2, 5]]


def test_the_projection_adds_inner_products_to_the_score() -> None:
    judge = cgan.discriminator(writers=3, size=16, width=4)
    batch = _batch()
    inputs = {name: batch[name] for name in ("glyph", "writer")} | {
        "image": batch["image"].astype(np.float32)
    }
    alone = judge.predict_on_batch(inputs)
    # The projections start at zero: the conditions say nothing yet.
    other = inputs | {"writer": (batch["writer"] + 1) % 3, "glyph": 255 - batch["glyph"]}
    np.testing.assert_allclose(judge.predict_on_batch(other), alone, atol=1e-5)
    table = judge.get_layer("writers").embeddings
    table.assign(np.eye(*table.shape))
    features = keras.Model(judge.input, judge.get_layer("features").output).predict_on_batch(inputs)
    expected = alone[:, 0] + features[np.arange(4), batch["writer"]]
    np.testing.assert_allclose(judge.predict_on_batch(inputs)[:, 0], expected, atol=1e-4)


def test_the_finer_maps_of_the_glyph_join_the_decoder_of_cgan() -> None:
    model = cgan.cgan(writers=3, size=64, width=32)
    joined = [model.get_layer(f"up{number}_joined").output.shape[1:] for number in (1, 2)]
    assert joined == [(16, 16, 64 + 64), (32, 32, 32 + 32)]


def test_characters_and_writers_change_what_cgan_draws() -> None:
    model = cgan.cgan(writers=3, size=16, latent=4, width=4, style=4)
    noise = np.zeros((4, 4), np.float32)
    batch = _batch()
    drawn = model.predict_on_batch({"noise": noise, "glyph": batch["glyph"], "writer": batch["writer"]})
    for name, value in (("glyph", 255 - batch["glyph"]), ("writer", (batch["writer"] + 1) % 3)):
        other = {"noise": noise, "glyph": batch["glyph"], "writer": batch["writer"]} | {name: value}
        assert np.abs(model.predict_on_batch(other)["image"] - drawn["image"]).max() > 0.1


def test_the_u_net_of_the_paper_narrows_to_one_place_and_skips() -> None:
    model = pix2pix.pix2pix(writers=2, size=64, width=64)
    widths = [model.get_layer(f"down{number}").filters for number in range(6)]
    assert widths == [64, 128, 256, 512, 512, 512]
    assert model.get_layer("bottleneck").output.shape == (None, 1, 1, 512)
    assert [model.get_layer(f"up{number}_joined").output.shape[-1] for number in range(5)] == [
        1024, 1024, 512, 256, 128,
    ]  # fmt: skip
    assert sum(isinstance(layer, keras.layers.Dropout) for layer in model.layers) == 3


def test_a_patch_is_46_pixels_wide() -> None:
    judge = pix2pix.discriminator(writers=2, size=64, width=4)
    for layer in judge.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.trainable = False
    image = tf.constant(np.random.default_rng(0).uniform(0, 255, (1, 64, 64, 1)), tf.float32)
    glyph = tf.zeros((1, 64, 64, 1), tf.uint8)
    with tf.GradientTape() as tape:
        tape.watch(image)
        middle = judge({"image": image, "glyph": glyph})["real"][0, 4, 4, 0]
    touched = np.abs(tape.gradient(middle, image).numpy()[0, ..., 0]) > 0
    rows, columns = np.nonzero(touched)
    assert (np.ptp(rows) + 1, np.ptp(columns) + 1) == (46, 46)


def test_coarse_pixels_forgive_a_stroke_its_place_but_not_its_absence() -> None:
    stroke, moved, blank = (np.full((1, 16, 16, 1), 255, np.float32) for _ in range(3))
    stroke[:, :, 4], moved[:, :, 7] = 0, 0
    assert float(gan.coarse_gap(stroke, moved)) == 0
    assert float(gan.coarse_gap(stroke, blank)) == pytest.approx(2 / 16)


def test_ink_that_is_lacking_weighs_more_than_ink_on_paper() -> None:
    stroke, blank = (np.full((1, 4, 4, 1), 255, np.float32) for _ in range(2))
    stroke[:, :, 1] = 0
    assert float(gan.gap(stroke, stroke, 3.0)) == 0
    assert float(gan.gap(stroke, blank, 3.0)) == pytest.approx(2 * (4 * 4) / (4 * 4 + 12))
    assert float(gan.gap(blank, stroke, 3.0)) == float(gan.gap(blank, stroke)) == pytest.approx(2 / 4)


def test_a_picture_of_pix2pix_does_not_depend_on_the_others_of_its_batch() -> None:
    model = pix2pix.pix2pix(3, 16, 4, 4)
    for layer in model.layers:
        if isinstance(layer, keras.layers.Dropout):
            layer.rate = 0.0
    inputs = {name: value for name, value in _tensors(_batch()).items() if name in ("glyph", "writer")}
    together = model(inputs, training=True)["image"].numpy()
    alone = model({name: value[:1] for name, value in inputs.items()}, training=True)["image"].numpy()
    np.testing.assert_allclose(together[:1], alone, atol=1e-2)
    assert np.abs(together - 127.5).max() > 1


def test_pix2pix_learns_the_pixels_of_its_pairs() -> None:
    keras.utils.set_random_seed(0)
    losses = _trained(pix2pix.Pix2Pix(pix2pix.pix2pix(3, 16, 4, 4), 3, 4), steps=150, rate=2e-3)
    assert float(losses[-1]["generator_pixels"]) < 0.8 * float(losses[0]["generator_pixels"])
    assert float(losses[-1]["generator_coarse"]) < 0.8 * float(losses[0]["generator_coarse"])
    assert {"generator_adversarial", "generator_constancy", "generator_category"} <= set(losses[0])


def test_constancy_teaches_all_of_the_generator_but_the_description_of_hands_only_itself() -> None:
    adversaries = {
        "constancy": pix2pix.Pix2Pix(pix2pix.pix2pix(3, 16, 4, 4), 3, 4),
        "style": fewshot.FewShot(fewshot.fewshot(16, 4, 8), 3, 4),
    }
    taught = {}
    for name, adversary in adversaries.items():
        weights = adversary.drawing_variables()
        with tf.GradientTape() as tape:
            loss = adversary.generator_loss(_tensors(_batch()))[name]
        slopes = tape.gradient(loss, [weight.value for weight in weights])
        taught[name] = {
            weight.path for weight, slope in zip(weights, slopes, strict=True) if slope is not None
        }
    assert taught["constancy"] == {weight.path for weight in adversaries["constancy"].drawing_variables()}
    hand = adversaries["style"].generator.get_layer("hand")
    assert taught["style"] == {weight.path for weight in hand.trainable_variables}


def test_the_way_back_teaches_the_way_there_where_both_learn_jointly() -> None:
    lost, slopes = {}, {}
    for joint in (True, False):
        keras.utils.set_random_seed(0)
        adversary = cyclegan.CycleGan(cyclegan.cyclegan(16, 4, 1), 4, pool=6, joint=joint)
        weights = adversary.drawing_variables()
        with tf.GradientTape() as tape:
            loss = adversary.generator_loss(_tensors(_batch()))["cycle"]
        lost[joint] = float(loss)
        slopes[joint] = tape.gradient(loss, [weight.value for weight in weights])
    assert lost[True] == pytest.approx(lost[False])
    # Alone, each generator learns from its own answer; jointly, from that of the other one too.
    assert any(np.abs(a - b).max() > 1e-3 for a, b in zip(slopes[True], slopes[False], strict=True))


def test_a_model_of_floats_answers_as_that_of_pixels_and_has_a_slope() -> None:
    model = cyclegan.cyclegan(16, 4, 1)
    of_floats = gan.of_floats(model, "scaled")
    pixels = _pictures(2, 16)
    picture = tf.constant(pixels, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(picture)
        drawn = of_floats(picture)["image"]
    np.testing.assert_allclose(drawn, model({"glyph": pixels})["image"], atol=1e-3)
    assert float(np.abs(tape.gradient(drawn, picture)).max()) > 0


def test_cyclegan_has_the_blocks_of_the_paper() -> None:
    model = cyclegan.cyclegan(64, width=64, depth=6)
    assert [model.get_layer(name).filters for name in ("first", "down1", "down2", "up1", "up2", "last")] == [
        64, 128, 256, 128, 64, 1,
    ]  # fmt: skip
    assert sum(layer.name.endswith("_add") for layer in model.layers) == 6
    assert model.get_layer("first").kernel_size == (7, 7)
    judge = cyclegan.discriminator(64, width=64)
    assert [judge.get_layer(f"down{number}").filters for number in range(4)] == [64, 128, 256, 512]
    assert "down0_norm" not in {layer.name for layer in judge.layers}


def test_what_comes_back_changed_costs() -> None:
    keras.utils.set_random_seed(0)
    losses = _trained(cyclegan.CycleGan(cyclegan.cyclegan(16, 4, 1), 4, pool=6), steps=40)
    assert float(losses[-1]["generator_cycle"]) < float(losses[0]["generator_cycle"])


def test_the_pool_fills_first_and_then_gives_back_earlier_pictures() -> None:
    keras.utils.set_random_seed(0)
    adversary = cyclegan.CycleGan(cyclegan.cyclegan(16, 4, 1), 4, pool=4)

    def shown(value: int) -> set[int]:
        pictures = [keras.ops.full((2, 16, 16, 1), float(value)) for _ in range(2)]
        return {int(picture[0, 0, 0]) for picture in np.asarray(adversary._from_pools(pictures)[0])}

    assert [shown(value) for value in (1, 2)] == [{1}, {2}]
    later = set().union(*(shown(value) for value in range(3, 20)))
    assert {1, 2} & later  # Earlier pictures come back.
    assert later & set(range(3, 20))


def test_a_hand_is_that_of_its_samples_in_any_order_and_number() -> None:
    model = fewshot.fewshot(size=16, width=4, style=8)
    glyph, samples = _pictures(1, 16), _pictures(3, 16, 5)
    # Paper at the edges, as around characters: convolutions reach over to the next sample.
    samples[:, :5] = samples[:, -5:] = 255

    def write(order: list[int]) -> np.ndarray:
        strip = samples[order].reshape(1, -1, 16, 1)
        return model.predict_on_batch({"glyph": glyph, "samples": strip})["image"]

    np.testing.assert_allclose(write([0, 1, 2]), write([2, 0, 1]), atol=1.0)  # Grey levels of 255.
    np.testing.assert_allclose(write([0, 1, 2]), write([0, 1, 2, 0, 1, 2]), atol=1.0)
    assert np.abs(write([0]) - write([1])).max() > 0.1


def test_fewshot_learns_the_pixels_of_its_pairs() -> None:
    keras.utils.set_random_seed(0)
    losses = _trained(fewshot.FewShot(fewshot.fewshot(16, 4, 8), 3, 4), steps=60, rate=2e-3)
    assert float(losses[-1]["generator_pixels"]) < 0.9 * float(losses[0]["generator_pixels"])
