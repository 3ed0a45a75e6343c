from typing import Any

import keras
import numpy as np
import pytest

from zoo import hanzinet

SIZES = {"classes": 7, "size": 32, "widths": (4, 8), "depths": (1, 2), "embedding": 6}


def _pictures(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (5, 32, 32, 1), np.uint8)


@pytest.mark.parametrize("block", ["plain", "bottleneck", "depthwise", "parallel", "folded"])
def test_every_block_reads_pictures(block: hanzinet.Block) -> None:
    model = hanzinet.hanzinet(**SIZES, block=block)
    assert model(_pictures(0))["logits"].shape == (5, 7)
    # A block keeps the shape of the map.
    assert model.get_layer("places").input.shape == (None, 8, 8, 8)


def test_folded_blocks_give_the_outputs_of_parallel_ones() -> None:
    keras.utils.set_random_seed(0)
    model, folded = (hanzinet.hanzinet(**SIZES, block=block) for block in ("parallel", "folded"))
    rng = np.random.default_rng(0)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):  # As after training: no two alike.
            layer.set_weights([rng.uniform(0.5, 2, weight.shape) for weight in layer.get_weights()])
    hanzinet.fold(model, folded)
    assert folded.count_params() < model.count_params()
    np.testing.assert_allclose(
        model(_pictures(1))["logits"], folded(_pictures(1))["logits"], rtol=1e-4, atol=1e-4
    )


def test_a_deeper_network_starts_with_the_outputs_of_a_shallow_one_and_learns_in_its_new_blocks() -> None:
    model = hanzinet.hanzinet(**SIZES)
    deeper = hanzinet.hanzinet(**(SIZES | {"depths": (2, 3)}))
    hanzinet.deepen(model, deeper)
    assert deeper.count_params() > model.count_params()
    np.testing.assert_array_equal(model(_pictures(1))["logits"], deeper(_pictures(1))["logits"])
    deeper.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    deeper.fit(_pictures(1), np.arange(5), verbose=0)
    assert np.abs(deeper.get_layer("stage1_block2_b_norm").gamma).min() > 0


@pytest.mark.parametrize(
    "others",
    [
        {"depths": (1, 1)},
        {"widths": (4, 6)},
        {"depths": (1, 3), "block": "bottleneck"},
        {"widths": (4, 8, 8), "depths": (1, 2, 1)},
    ],
)
def test_a_network_that_is_not_the_same_but_deeper_is_refused(others: dict[str, Any]) -> None:
    with pytest.raises(
        ValueError,
        match=r"`deeper` must be `model` with more plain blocks.* Received: one that differs in \w+",
    ):
        hanzinet.deepen(hanzinet.hanzinet(**SIZES), hanzinet.hanzinet(**(SIZES | others)))


def test_an_unknown_block_is_refused() -> None:
    with pytest.raises(ValueError, match=r"`block` must be one of plain, .* Received: block='round'"):
        hanzinet.hanzinet(**SIZES, block="round")  # type: ignore[arg-type]


def test_the_stages_have_the_multiply_adds_of_their_convolutions() -> None:
    from training import operations

    model = hanzinet.hanzinet(**(SIZES | {"depths": (0, 0)}))
    # Two halving convolutions, the places, the embedding and the scores.
    expected = 9 * 4 * 16**2 + 9 * 4 * 8 * 8**2 + 8 * 8 * 8 + 8 * 6 + 6 * 7
    assert operations.multiply_adds(model) == expected
