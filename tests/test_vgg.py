"""VGG-16 against the paper and keras.applications."""

import keras
import numpy as np
import pytest

import zoo


def _features(model: keras.Model) -> keras.Model:
    return keras.Model(model.input, model.get_layer("block5_pool").output)


def test_the_paper_counts_138_million_parameters() -> None:
    model = zoo.create("vgg16")
    assert model.count_params() == 138_357_544
    assert _features(model).count_params() == 14_714_688
    assert [layer.name for layer in model.layers if isinstance(layer, keras.layers.Conv2D)] == [
        f"block{stage}_conv{number}"
        for stage, depth in enumerate((2, 2, 3, 3, 3), 1)
        for number in range(1, depth + 1)
    ]


def test_copied_weights_give_the_outputs_of_keras_applications() -> None:
    theirs = keras.applications.VGG16(
        weights=None, input_shape=(64, 64, 3), classes=10, classifier_activation=None
    )
    ours = zoo.create("vgg16", classes=10, size=64)
    assert ours.count_params() == theirs.count_params()
    ours.set_weights(theirs.get_weights())
    image = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), np.uint8)
    expected = theirs.predict_on_batch(1 - image / np.float32(255))
    np.testing.assert_allclose(ours.predict_on_batch(image)["logits"], expected, atol=1e-5)


def test_pooling_and_dense_layers_are_optional() -> None:
    small = zoo.create("vgg16", classes=10, size=40, channels=1, width=0.25, dense=0, pooling="average")
    assert small.get_layer("features").output.shape == (None, 128)
    assert not any(layer.name.startswith("fc") for layer in small.layers)
    normalised = zoo.create("vgg16", classes=10, size=32, width=0.125, dense=16, normalise=True)
    assert sum(isinstance(layer, keras.layers.BatchNormalization) for layer in normalised.layers) == 15


@pytest.mark.parametrize(
    ("sizes", "message"), [({"size": 31}, "at least 32"), ({"pooling": "max"}, "'flatten' or")]
)
def test_sizes_that_do_not_fit_are_refused(sizes: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        zoo.create("vgg16", **sizes)
