import keras
import numpy as np
import pytest

from tests import tiny
from zoo import hanzinet, narrowing

SIZES = {"classes": 7, "size": 32, "embedding": 6, "depths": (1, 2)}


def _network(widths: tuple[int, int] = (8, 12), **sizes: int) -> keras.Model:
    return hanzinet.hanzinet(**(SIZES | {"widths": widths} | sizes))


def _logits(model: keras.Model) -> np.ndarray:
    pictures = np.random.default_rng(1).integers(0, 256, (5, 32, 32, 1), np.uint8)
    return np.asarray(model(pictures)["logits"])


def test_a_network_as_wide_gives_the_same_outputs() -> None:
    model, same = tiny.with_normalisations(_network()), _network()
    narrowing.narrow(model, same)
    np.testing.assert_allclose(_logits(same), _logits(model), rtol=1e-3, atol=1e-4)


def test_channels_without_a_signal_go_first() -> None:
    model, narrower = tiny.with_normalisations(_network()), _network((6, 9))
    rng = np.random.default_rng(2)
    for stage, (width, kept) in enumerate(((8, 6), (12, 9))):
        silent = rng.permutation(width)[kept:]
        for layer in model.layers:  # The map of a stage, and what is inside of its blocks.
            if layer.name.startswith(f"stage{stage}") and layer.name.endswith("_norm"):
                weights = layer.get_weights()
                for part in weights[:2]:
                    part[silent] = 0
                layer.set_weights(weights)
    narrowing.narrow(model, narrower)
    np.testing.assert_allclose(_logits(narrower), _logits(model), rtol=1e-3, atol=1e-4)


def test_a_smaller_embedding_keeps_the_scores_that_it_can_hold() -> None:
    model, narrower = tiny.with_normalisations(_network()), _network(embedding=4)
    scores, bias = model.get_layer("scores").get_weights()
    left, strengths, right = np.linalg.svd(scores, full_matrices=False)
    model.get_layer("scores").set_weights([(left * (strengths * (np.arange(6) < 4))) @ right, bias])
    narrowing.narrow(model, narrower)
    np.testing.assert_allclose(_logits(narrower), _logits(model), rtol=1e-3, atol=1e-4)


def test_a_smaller_embedding_starts_normalised() -> None:
    """As far as the features are independent; training measures it from its first step on."""
    model, narrower = tiny.with_normalisations(_network()), _network(embedding=4)
    narrowing.narrow(model, narrower)
    gamma, _, _, variance = narrower.get_layer("embedding_norm").get_weights()
    np.testing.assert_allclose(gamma, 1)
    np.testing.assert_allclose(variance, 1, atol=2e-3)  # epsilon


def test_a_wider_network_is_refused() -> None:
    with pytest.raises(ValueError, match=r"`narrower` must not be wider than `model`. Received: stage1_down"):
        narrowing.narrow(_network(), _network((8, 16)))


def test_other_layers_are_refused() -> None:
    with pytest.raises(ValueError, match="`narrower` must have the layers of `model`, only narrower"):
        narrowing.narrow(_network(), hanzinet.hanzinet(**(SIZES | {"depths": (1, 1)}), widths=(8, 12)))
