"""DBNet: the layers of the paper, the small network, the losses, and the same map from TFLite."""

from pathlib import Path

import keras
import numpy as np
import pytest

from serving import export
from training import operations, shrink
from zoo import dbnet, resnet

TINY = {"backbone": "mobilenet", "neck": 16, "stride": 2, "factor": 0.5, "separable": True}


def page(height: int, width: int, seed: int = 0) -> tuple[np.ndarray, list[np.ndarray]]:
    """Dark bars for lines on light noise, uint8 (height, width, 3), and their corners."""
    rng = np.random.default_rng(seed)
    image = rng.integers(200, 256, (height, width, 3), np.uint8)
    lines = []
    for top in range(4, height - 20, 28):
        left, right = int(rng.integers(2, 8)), width - int(rng.integers(2, 16))
        image[top : top + 20, left:right] = rng.integers(0, 120, (20, right - left, 1))
        lines.append(np.array([[left, top], [right, top], [right, top + 20], [left, top + 20]]) - 0.5)
    return image, lines


def batch(height: int, width: int, count: int, seed: int = 0) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Pages, and the maps of stride 2 that the losses take."""
    pages = [page(height, width, seed + number) for number in range(count)]
    maps = [shrink.targets(lines, height, width, ratio=0.6) for _, lines in pages]
    return np.stack([image for image, _ in pages]), {
        name: np.stack([one[name] for one in maps]) for name in maps[0]
    }


def small(height: int = 32, width: int = 64, **sizes) -> keras.Model:
    """A model for small pictures, compiled."""
    keras.utils.set_random_seed(1)
    model = dbnet.dbnet(height, width, **(TINY | sizes))
    model.compile(
        keras.optimizers.Adam(3e-3), dbnet.losses(), loss_weights=dbnet.LOSS_WEIGHTS, jit_compile=False
    )
    return model


def trained(model: keras.Model) -> int:
    """The number of trained parameters."""
    return sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)


# --------------------------------------------------------------------------------------- the networks


def test_the_backbone_has_the_parameters_of_resnet_18() -> None:
    """11,689,512 with the classifier of 1,000 classes, 512 · 1000 + 1000 of them in the classifier."""
    image = keras.Input((64, 96, 3))
    maps = resnet.resnet18(image)
    assert trained(keras.Model(image, maps)) == 11_689_512 - 513_000 == 11_176_512
    assert [one.shape[1:] for one in maps] == [(16, 24, 64), (8, 12, 128), (4, 6, 256), (2, 3, 512)]


def test_the_parameters_are_those_of_the_authors_network() -> None:
    """Their listing: laterals and smoothing without a bias, heads with a normalisation and a bias at the end."""
    laterals = sum(channels * 256 for channels in (64, 128, 256, 512))
    smoothing = 4 * 256 * 64 * 9
    head = 256 * 64 * 9 + 2 * 64 + 64 * 64 * 4 + 2 * 64 + 64 * 4 + 1
    assert trained(dbnet.dbnet(64, 96)) == 11_176_512 + laterals + smoothing + 2 * head


@pytest.mark.parametrize(("stride", "sides"), [(1, (64, 96)), (2, (32, 48)), (4, (16, 24))])
def test_the_maps_have_the_stride(stride: int, sides: tuple[int, int]) -> None:
    model = dbnet.dbnet(64, 96, **(TINY | {"stride": stride}))
    assert list(model.output) == ["probability", "threshold", "binary"]
    assert {tensor.shape for tensor in model.output.values()} == {(None, *sides, 1)}
    transposed = [layer for layer in model.layers if isinstance(layer, keras.layers.Conv2DTranspose)]
    assert len(transposed) == {1: 4, 2: 2, 4: 0}[stride]


def test_the_binary_map_is_a_steep_sigmoid_of_the_difference() -> None:
    maps = small()(np.random.default_rng(0).integers(0, 256, (2, 32, 64, 3), np.uint8))
    probability, threshold, binary = (
        np.asarray(maps[name]) for name in ("probability", "threshold", "binary")
    )
    assert 0 < probability.min() < probability.max() < 1
    expected = 1 / (1 + np.exp(-50 * (probability - threshold)))
    np.testing.assert_allclose(binary, expected, atol=1e-5)  # float32, and the slope is 50.


def test_the_small_network_keeps_to_its_budget() -> None:
    model = dbnet.inference(dbnet.dbnet_s(96, 96))
    assert model.count_params() <= 600_000
    assert (
        operations.multiply_adds(model) * 100 <= 1.2e9
    )  # A page of 960 x 960 has a hundred times the places.
    assert model.output["probability"].shape == (None, 48, 48, 1)


def test_pictures_of_any_size_have_the_same_weights() -> None:
    fixed, free = small(64, 96), small(None, None)
    free.set_weights(fixed.get_weights())
    image = page(64, 96)[0][None]
    for name, one in free(image).items():
        np.testing.assert_allclose(one, fixed(image)[name], atol=1e-6)
    assert free(np.zeros((1, 32, 160, 3), np.uint8))["binary"].shape == (1, 16, 80, 1)


def test_inference_is_the_probability_alone() -> None:
    model = small()
    alone = dbnet.inference(model)
    image = page(32, 64)[0][None]
    assert set(alone.output) == {"probability"}
    np.testing.assert_array_equal(alone(image)["probability"], model(image)["probability"])
    assert {id(weight) for weight in alone.weights} < {id(weight) for weight in model.weights}


def test_the_maps_are_float32_also_in_mixed_precision() -> None:
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = small()
    finally:
        keras.config.set_dtype_policy("float32")
    assert model.input.dtype == "uint8"
    assert {tensor.dtype for tensor in model.output.values()} == {"float32"}


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"height": 100}, "`height` must be a multiple of 32. Received: height=100"),
        ({"width": 0}, "`width` must be a multiple of 32. Received: width=0"),
        ({"neck": 18}, "`neck` must be a multiple of 4. Received: neck=18"),
        ({"stride": 3}, "`stride` must be 1, 2 or 4. Received: stride=3"),
        ({"factor": 0.0}, "`factor` must be above 0. Received: factor=0.0"),
        ({"backbone": "vgg"}, "`backbone` must be 'resnet18' or 'mobilenet'. Received: backbone='vgg'"),
    ],
)
def test_sizes_that_do_not_fit_are_named(sizes: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        dbnet.dbnet(**({"height": 32, "width": 32} | TINY | sizes))


# ------------------------------------------------------------------------------------------ the losses


def cross_entropy_by_hand(truth: np.ndarray, found: np.ndarray, ratio: float, least: int) -> float:
    """`BalancedCrossEntropy` of one picture, place by place."""
    text = (truth[..., 0] == 1) & (truth[..., 1] == 1)
    paper = (truth[..., 0] == 0) & (truth[..., 1] == 1)
    of_text = -np.log(found[..., 0][text])
    of_paper = np.sort(-np.log(1 - found[..., 0][paper]))[::-1][: max(int(ratio * text.sum()), least)]
    return np.concatenate([of_text, of_paper]).mean()


@pytest.mark.parametrize("share_of_text", [0.0, 0.02, 0.2, 0.7, 1.0])
def test_the_cross_entropy_is_that_of_text_and_of_the_hardest_paper(share_of_text: float) -> None:
    rng = np.random.default_rng(0)
    truth = (rng.random((3, 16, 20, 2)) < [share_of_text, 0.8]).astype(np.float32)
    found = rng.uniform(0.05, 0.95, (3, 16, 20, 1)).astype(np.float32)
    expected = np.mean([cross_entropy_by_hand(*pair, 3, 40) for pair in zip(truth, found, strict=True)])
    assert float(dbnet.BalancedCrossEntropy(3, 40)(truth, found)) == pytest.approx(
        expected, rel=1e-5
    )  # float32


def test_three_places_of_paper_count_for_one_of_text() -> None:
    truth = np.stack([np.zeros((1, 8, 8)), np.ones((1, 8, 8))], -1).astype(np.float32)
    truth[0, 0, 0, 0] = 1
    found = np.full((1, 8, 8, 1), 0.5, np.float32)
    found[0, 1:, :, 0] = 0  # Seven places of paper are unsure, four of 64 places count.
    assert float(dbnet.BalancedCrossEntropy(least=1)(truth, found)) == pytest.approx(np.log(2))
    found[0, 0, 2:, 0] = 0  # One is.
    assert float(dbnet.BalancedCrossEntropy(least=1)(truth, found)) == pytest.approx(2 / 4 * np.log(2))


def test_the_dice_loss_is_the_missing_overlap() -> None:
    truth = np.ones((1, 10, 10, 2), np.float32)
    truth[:, 5:, :, 0] = 0
    found = np.zeros((1, 10, 10, 1), np.float32)
    found[:, :, :5] = 1
    # Of two maps of 50 places 25 are common, and one place is added to overlap and sum.
    assert float(dbnet.Dice()(truth, found)) == pytest.approx(1 - 51 / 101)
    assert float(dbnet.Dice()(truth, truth[..., :1])) == pytest.approx(0)
    blank = np.stack([np.zeros((1, 10, 10)), np.ones((1, 10, 10))], -1).astype(np.float32)
    assert float(dbnet.Dice()(blank, found)) > float(dbnet.Dice()(blank, found / 2)) > 0


def test_thresholds_count_along_the_outlines_alone() -> None:
    truth = np.full((1, 4, 4, 2), 0.3, np.float32)
    truth[..., 1] = 0
    truth[0, :2, :, 1] = 1
    found = np.full((1, 4, 4, 1), 0.9, np.float32)
    found[0, 0] = 0.2
    assert float(dbnet.MaskedDistance()(truth, found)) == pytest.approx((0.1 + 0.6) / 2)


@pytest.mark.parametrize("name", ["probability", "threshold", "binary"])
def test_places_that_do_not_count_change_no_loss(name: str) -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, (2, 8, 8, 2)).astype(np.float32)
    found = rng.uniform(0.1, 0.9, (2, 8, 8, 1)).astype(np.float32)
    other = np.where(truth[..., 1:] == 1, found, 1 - found)
    loss = dbnet.losses()[name]
    assert float(loss(truth, found)) == pytest.approx(float(loss(truth, other)))
    truth[..., 1] = 0
    assert float(loss(truth, found)) == 0


@pytest.mark.parametrize("figures", [{"ratio": 0.0}, {"least": 0}])
def test_a_loss_that_counts_nothing_is_refused(figures: dict) -> None:
    with pytest.raises(ValueError, match="`ratio` must be above 0 and `least` at least 1"):
        dbnet.BalancedCrossEntropy(**figures)


def test_a_training_step_lowers_the_loss() -> None:
    model = small()
    model.run_eagerly = True  # A graph takes longer to trace than two steps take.
    images, truth = batch(32, 64, 4)
    before = model.train_on_batch(images, truth)
    assert model.train_on_batch(images, truth) < before


# ----------------------------------------------------------------------------------------- the files


def test_the_files_give_the_same_map(tmp_path: Path) -> None:
    model = dbnet.inference(small(32, 64))
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.5
    for step in range(10):  # The averages of what the layers see are what integers need of a training.
        model(batch(32, 64, 8, seed=100 * step)[0], training=True)
    shown, asked = ({"image": batch(32, 64, 8, seed)[0]} for seed in (1, 2))
    report = export.export(model, tmp_path, asked, shown, precisions=("float32", "int8"))
    assert report["failures"] == []
    # On a flat map all files would agree.
    assert np.ptp(model(asked["image"])["probability"]) > 0.5
