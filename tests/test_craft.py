"""CRAFT: the layers of the paper, the small network and the loss."""

import keras
import numpy as np
import pytest

from training import operations, regions
from zoo import craft


def page(height: int, width: int, seed: int = 0) -> tuple[np.ndarray, list[list[np.ndarray]]]:
    """Dark boxes for characters on light noise, uint8 (height, width, 3), and their corners by line."""
    rng = np.random.default_rng(seed)
    image = rng.integers(200, 256, (height, width, 3), np.uint8)
    lines = []
    for top in range(2, height - 14, 16):
        lefts = range(int(rng.integers(2, 8)), width - 14, 16)
        lines.append([np.array([[x, top], [x + 12, top], [x + 12, top + 12], [x, top + 12]]) for x in lefts])
        for x in lefts:
            image[top : top + 13, x : x + 13] = rng.integers(0, 80)
    return image, lines


def batch(height: int, width: int, count: int, seed: int = 0) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Pages, and what the loss takes of them: maps and full confidence."""
    pages = [page(height, width, seed + number) for number in range(count)]
    maps = np.array([regions.maps(lines, height, width) for _, lines in pages])
    truth = np.stack([maps, np.ones_like(maps)], -1)
    return np.stack([image for image, _ in pages]), {"region": truth[:, 0], "affinity": truth[:, 1]}


def small(name: str, height: int = 32, width: int = 64) -> keras.Model:
    """A model for small pictures, compiled."""
    keras.utils.set_random_seed(1)
    model = craft.craft(height, width, factor=1 / 8) if name == "craft" else craft.craft_s(height, width)
    losses = {output: craft.MapLoss(least=20) for output in model.output}
    # So few steps take less time than to trace a graph.
    model.compile(keras.optimizers.Adam(3e-3), loss=losses, run_eagerly=True)
    return model


# --------------------------------------------------------------------------------------- the networks


def test_the_parameters_are_those_of_the_authors_network() -> None:
    """Their listing, layer by layer: channels in and out and the side of the kernel, each with a bias."""
    backbone = [
        (3, 64, 3), (64, 64, 3), (64, 128, 3), (128, 128, 3), (128, 256, 3), (256, 256, 3), (256, 256, 3),
        (256, 512, 3), (512, 512, 3), (512, 512, 3), (512, 512, 3), (512, 512, 3),
    ]  # fmt: skip
    context = [(512, 1024, 3), (1024, 1024, 1)]
    # Each block sees the map before it beside one of the backbone.
    blocks = [
        (1024 + 512, 512, 1), (512, 256, 3), (256 + 512, 256, 1), (256, 128, 3),
        (128 + 256, 128, 1), (128, 64, 3), (64 + 128, 64, 1), (64, 32, 3),
    ]  # fmt: skip
    last = [(32, 32, 3), (32, 32, 3), (32, 16, 3), (16, 16, 1), (16, 2, 1)]
    convolutions = sum(a * b * side**2 + b for a, b, side in backbone + context + blocks + last)
    # The backbone and the blocks are normalised: a scale and a shift for each channel.
    normalisations = sum(2 * channels for _, channels, _ in backbone + blocks)
    model = craft.craft(64, 96)
    trained = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
    assert trained == convolutions + normalisations == 20_770_466


def test_the_maps_join_as_in_the_authors_network() -> None:
    model = craft.craft(64, 96)
    shapes = {
        "fc7": (4, 6, 1024),  # 1/16: the last maximum does not halve the map.
        "up1_join": (4, 6, 1536),
        "up2_join": (8, 12, 768),
        "up3_join": (16, 24, 384),
        "up4_join": (32, 48, 192),
        "last_conv4": (32, 48, 16),
        "region": (32, 48, 1),
        "affinity": (32, 48, 1),
    }
    assert {name: model.get_layer(name).output.shape[1:] for name in shapes} == shapes
    assert model.get_layer("fc6").dilation_rate == (6, 6)
    joined = {name: model.get_layer(name).input[1].name for name in list(shapes)[1:5]}
    owners = {layer.output.name: layer.name for layer in model.layers}
    assert [owners[tensor] for tensor in joined.values()] == [
        "block5_conv2_norm",
        "block4_conv2_relu",
        "block3_conv2_relu",
        "block2_conv2_relu",
    ]


def test_the_small_network_keeps_to_its_budget() -> None:
    model = craft.craft_s(960, 960)
    assert model.count_params() <= 900_000
    assert operations.multiply_adds(model) <= 2e9
    assert {name: tensor.shape for name, tensor in model.output.items()} == {
        "region": (None, 480, 480, 1),
        "affinity": (None, 480, 480, 1),
    }


@pytest.mark.parametrize("name", ["craft", "craft_s"])
def test_the_maps_are_float32_also_in_mixed_precision(name: str) -> None:
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = small(name)
    finally:
        keras.config.set_dtype_policy("float32")
    assert model.input.dtype == "uint8"
    assert {tensor.dtype for tensor in model.output.values()} == {"float32"}


@pytest.mark.parametrize(
    ("build", "sizes", "message"),
    [
        (craft.craft, (100, 96), "`height` must be a multiple of 16. Received: height=100"),
        (craft.craft, (96, 0), "`width` must be a multiple of 16. Received: width=0"),
        (craft.craft, (32, 32, 0.0), "`factor` must be above 0. Received: factor=0.0"),
        (craft.craft_s, (32, 48), "`width` must be a multiple of 32. Received: width=48"),
    ],
)
def test_sizes_that_do_not_fit_are_named(build, sizes: tuple, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build(*sizes)


# ------------------------------------------------------------------------------------------- the loss


def loss_by_hand(truth: np.ndarray, found: np.ndarray, ratio: float, least: int) -> float:
    """`MapLoss` of one picture, place by place."""
    errors = (found[..., 0] - truth[..., 0]) ** 2 * truth[..., 1]
    text = truth[..., 0] > 0.1
    paper = np.sort(errors[~text])[::-1][: max(int(ratio * text.sum()), least)]
    return (errors[text].mean() if text.any() else 0) + (paper.mean() if len(paper) else 0)


@pytest.mark.parametrize("share_of_text", [0.0, 0.02, 0.2, 0.7, 1.0])
def test_the_loss_is_that_of_text_and_of_the_hardest_paper(share_of_text: float) -> None:
    rng = np.random.default_rng(0)
    target = np.where(rng.random((3, 16, 20)) < share_of_text, rng.uniform(0.2, 1, (3, 16, 20)), 0)
    truth = np.stack([target, rng.uniform(0, 1, target.shape)], -1).astype(np.float32)
    found = rng.normal(0.3, 0.4, (3, 16, 20, 1)).astype(np.float32)
    expected = np.mean([loss_by_hand(*pair, 3, 40) for pair in zip(truth, found, strict=True)])
    assert float(craft.MapLoss(3, 40)(truth, found)) == pytest.approx(expected, rel=1e-5)  # float32 sums


def test_places_without_confidence_do_not_count() -> None:
    truth = np.zeros((1, 8, 8, 2), np.float32)
    truth[:, :4, :, 0] = 0.8
    found = np.random.default_rng(0).normal(0, 1, (1, 8, 8, 1)).astype(np.float32)
    assert float(craft.MapLoss()(truth, found)) == 0


def test_the_hardest_paper_outweighs_the_mean() -> None:
    truth = np.stack([np.zeros((1, 64, 64)), np.ones((1, 64, 64))], -1).astype(np.float32)
    found = np.zeros((1, 64, 64, 1), np.float32)
    found[0, :2, :5] = 1
    assert float(craft.MapLoss(least=10)(truth, found)) == pytest.approx(1)
    assert float(craft.MapLoss(least=100)(truth, found)) == pytest.approx(0.1)


@pytest.mark.parametrize("figures", [{"ratio": 0.0}, {"least": 0}])
def test_a_loss_that_counts_nothing_is_refused(figures: dict) -> None:
    with pytest.raises(ValueError, match="`ratio` must be above 0 and `least` at least 1"):
        craft.MapLoss(**figures)


@pytest.mark.parametrize("name", ["craft", "craft_s"])
def test_a_training_step_lowers_the_loss(name: str) -> None:
    model = small(name)
    images, truth = batch(32, 64, 4)
    before = model.train_on_batch(images, truth)
    assert model.train_on_batch(images, truth) < before
