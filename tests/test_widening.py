import keras
import numpy as np
import pytest

from tests import tiny
from zoo import hanzinet, widening

SIZES = {"classes": 7, "size": 32}
PICTURES = np.random.default_rng(1).integers(0, 256, (5, 32, 32, 1), np.uint8)


def _network(
    widths: tuple[int, int] = (8, 12), depths: tuple[int, int] = (1, 1), embedding: int = 6
) -> keras.Model:
    return hanzinet.hanzinet(**SIZES, widths=widths, depths=depths, embedding=embedding)


def _logits(model: keras.Model) -> np.ndarray:
    return np.asarray(model(PICTURES)["logits"])


@pytest.mark.parametrize(
    "sizes",
    [{"widths": (10, 20)}, {"depths": (2, 3)}, {"embedding": 9}, {"widths": (9, 12), "depths": (1, 2)}],
)
def test_a_larger_network_starts_with_the_answers_of_the_smaller_one(sizes: dict) -> None:
    model, wider = tiny.with_normalisations(_network()), _network(**sizes)
    widening.widen(model, wider)
    np.testing.assert_allclose(_logits(wider), _logits(model), rtol=1e-3, atol=1e-4)


def test_what_is_new_learns() -> None:
    """Each new weight that writes a new channel or block has moved after three steps, and so have the old ones."""
    model, wider = tiny.with_normalisations(_network()), _network((10, 20), (1, 2), 9)
    widening.widen(model, wider)
    wider.compile(
        keras.optimizers.Adam(1e-2), {"logits": keras.losses.SparseCategoricalCrossentropy(from_logits=True)}
    )
    before = [np.asarray(weight).copy() for weight in wider.trainable_weights]
    for _ in range(3):
        wider.train_on_batch(PICTURES, {"logits": np.arange(5)})
    for old, weight in zip(before, wider.trainable_weights, strict=True):
        moved = old != np.asarray(weight)
        assert moved.mean() > 0.5, weight.path


def test_a_narrower_network_is_refused() -> None:
    with pytest.raises(ValueError, match=r"must have the layers of `model`, as wide or wider.* stage1_down"):
        widening.widen(_network(), _network((8, 10)))
    with pytest.raises(ValueError, match=r"as wide or wider.* stage1_block0_a"):
        widening.widen(_network(), _network(depths=(1, 0)))


def test_a_network_of_another_kind_is_refused() -> None:
    model = _network()
    for changes, message in (
        ({"size": 48}, "for the same pictures and classes.* places"),
        ({"classes": 8}, "for the same pictures and classes.* scores"),
        ({"block": "bottleneck"}, "plain blocks.* stage0_block0_c"),
        ({"block": "parallel"}, "plain blocks.* stage0_block0_c_norm"),
    ):
        sizes = SIZES | {"widths": (8, 12), "depths": (1, 1), "embedding": 6} | changes
        with pytest.raises(ValueError, match=message):
            widening.widen(model, hanzinet.hanzinet(**sizes))
    deeper = hanzinet.hanzinet(**SIZES, widths=(8, 12, 12), depths=(1, 1, 0), embedding=6)
    with pytest.raises(ValueError, match="for the same pictures"):
        widening.widen(model, deeper)
