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


def test_an_unknown_block_is_refused() -> None:
    with pytest.raises(ValueError, match=r"`block` must be one of plain, .* Received: block='round'"):
        hanzinet.hanzinet(**SIZES, block="round")  # type: ignore[arg-type]


def test_the_stages_have_the_multiply_adds_of_their_convolutions() -> None:
    from training import operations

    model = hanzinet.hanzinet(**(SIZES | {"depths": (0, 0)}))
    # Two halving convolutions, the places, the embedding and the scores.
    expected = 9 * 4 * 16**2 + 9 * 4 * 8 * 8**2 + 8 * 8 * 8 + 8 * 6 + 6 * 7
    assert operations.multiply_adds(model) == expected
