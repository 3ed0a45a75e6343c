"""EfficientNet against the paper and keras.applications."""

import keras
import numpy as np
import pytest

import zoo
from zoo import efficientnet

# Table 2 of the paper, in millions.
PAPER = (5.3, 7.8, 9.2, 12, 19, 30, 43, 66)
RESOLUTIONS = (224, 240, 260, 300, 380, 456, 528, 600)
NORMALISATION = 7
"""Numbers of the input normalisation that only keras.applications' networks hold."""


def _theirs(phi: int, **arguments: object) -> keras.Model:
    build = getattr(keras.applications, f"EfficientNetB{phi}")
    return build(weights=None, classifier_activation=None, **arguments)


@pytest.mark.parametrize(
    "phi", [*range(6), pytest.param(6, marks=pytest.mark.slow), pytest.param(7, marks=pytest.mark.slow)]
)
def test_parameters_are_those_of_keras_applications_and_the_paper(phi: int) -> None:
    ours = zoo.create(f"efficientnet_b{phi}")
    assert ours.input_shape == (None, RESOLUTIONS[phi], RESOLUTIONS[phi], 3)
    theirs = _theirs(phi)
    assert ours.count_params() == theirs.count_params() - NORMALISATION
    assert ours.count_params() / 1e6 == pytest.approx(PAPER[phi], rel=0.03)  # the paper rounds
    without_top = [
        keras.Model(model.input, model.get_layer(name).output).count_params()
        for model, name in ((ours, "features"), (theirs, "avg_pool"))
    ]
    assert without_top[0] == without_top[1] - NORMALISATION


@pytest.mark.parametrize(
    ("phi", "size"),
    [(0, 64), pytest.param(1, 75, marks=pytest.mark.slow), pytest.param(2, 96, marks=pytest.mark.slow)],
)
def test_copied_weights_give_the_outputs_of_keras_applications(phi: int, size: int) -> None:
    theirs = _theirs(phi, input_shape=(size, size, 3), classes=10)
    ours = zoo.create(f"efficientnet_b{phi}", classes=10, size=size)
    rng = np.random.default_rng(0)
    # Fresh statistics of the batch normalisations are 0 and 1, which would hide a mistake.
    values = [
        value + rng.uniform(-0.1, 0.1, value.shape) if value.ndim == 1 else value
        for value in theirs.get_weights()[3:]
    ]
    theirs.set_weights([*theirs.get_weights()[:3], *values])
    ours.set_weights(values)
    image = rng.integers(0, 256, (2, size, size, 3), np.uint8)
    expected = theirs.predict_on_batch(255 - image)
    np.testing.assert_allclose(ours.predict_on_batch(image)["logits"], expected, atol=1e-5, rtol=1e-5)


def test_the_published_scales_are_the_papers() -> None:
    scales = [efficientnet.compound_scale(phi) for phi in range(8)]
    assert tuple(scale.resolution for scale in scales) == RESOLUTIONS
    assert efficientnet.compound_scale(1) == (1.0, 1.1, 240)
    assert efficientnet.compound_scale(2) == (1.1, 1.2, 260)
    with pytest.raises(ValueError, match="0 to 7"):
        efficientnet.compound_scale(8)


def test_the_equation_scales_by_powers() -> None:
    scale = efficientnet.compound_scale(2, efficientnet.PAPER)
    assert scale == pytest.approx((1.21, 1.44, 296))
    assert efficientnet.PAPER.operations == pytest.approx(2, rel=0.05)  # the paper's constraint is rough
    with pytest.raises(ValueError, match="at least 1"):
        efficientnet.compound_scale(1, efficientnet.Factors(0.9, 1.1, 1.1))


def test_filters_and_repeats_round_as_in_the_paper() -> None:
    assert [efficientnet.round_filters(filters, 1.1) for filters in (16, 24, 40, 320)] == [16, 24, 48, 352]
    assert efficientnet.round_filters(32, 0.1) == 8
    assert [efficientnet.round_repeats(repeats, 1.1) for repeats in (1, 2, 3, 4)] == [2, 3, 4, 5]


def test_the_lite_form_has_neither_swish_nor_squeeze() -> None:
    lite = efficientnet.efficientnet(10, 64, lite=True, width=1.1, depth=1.2)
    assert not any("squeeze" in layer.name or "swish" in layer.name for layer in lite.layers)
    assert lite.get_layer("stem_conv").filters == 32
    assert lite.get_layer("top_conv").filters == 1280
    assert not any(layer.name.startswith("block1b") for layer in lite.layers)


def test_a_stem_without_strides_keeps_the_resolution() -> None:
    kept = efficientnet.efficientnet(10, 32, channels=1, stem_strides=1, embedding=8)
    assert kept.get_layer("stem_conv").output.shape == (None, 32, 32, 32)
    assert kept.get_layer("top_conv").output.shape == (None, 2, 2, 1280)
    assert kept.get_layer("scores").kernel.shape == (8, 10)


@pytest.mark.parametrize(
    ("sizes", "message"), [({"size": 8}, "at least 16"), ({"stem_strides": 3}, "1 or 2")]
)
def test_sizes_that_do_not_fit_are_refused(sizes: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        efficientnet.efficientnet(**sizes)
