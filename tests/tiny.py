"""Every model of the zoo at a size that a test builds in a moment."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from training import detection

_EFFICIENTNET = {"classes": 12, "size": 32, "channels": 1, "width": 0.1, "depth": 0.3, "embedding": 16}

READERS: dict[str, dict] = {
    "vgg16": {"classes": 12, "size": 32, "channels": 1, "width": 0.125, "dense": 32, "normalise": True},
    **{f"efficientnet_b{phi}": _EFFICIENTNET for phi in range(8)},
    "hanzinet": {
        "classes": 12,
        "size": 32,
        "widths": (8, 8, 16, 16),
        "depths": (0, 1, 0, 0),
        "embedding": 16,
    },
    "hanzinet_slim": {"classes": 12},
    "hanzinet_m": {"classes": 12},
    "hanzinet_s": {"classes": 12},
    "crnn": {"classes": 12, "height": 16, "units": 8, "widths": (4, 8), "depth": 1},
    "crnn_vgg": {"classes": 12, "width": 64, "units": 8},
    "linenet": {
        "classes": 12,
        "height": 16,
        "widths": (8, 16, 16),
        "depths": (0, 1, 0),
        "embedding": 16,
        "context": (3,),
    },
    "line_s": {"classes": 12},
    "ensemble": {
        "classes": 12,
        "size": 32,
        "members": (
            ("vgg16", {"width": 0.125, "dense": 32, "normalise": True}),
            ("efficientnet_b0", {"width": 0.1, "depth": 0.3}),
        ),
    },
}

_PAGE = {"height": 64, "width": 64}
DETECTORS: dict[str, dict] = {
    "craft": {**_PAGE, "factor": 0.125},
    "craft_s": _PAGE,
    "dbnet": {**_PAGE, "backbone": "mobilenet", "neck": 8, "stride": 2, "factor": 0.25, "separable": True},
    "dbnet_s": _PAGE,
}

GENERATORS: dict[str, dict] = {
    "gan": {"latent": 8},
    **{name: {"size": 16, "latent": 8, "width": 4} for name in ("dcgan", "wgan", "wgan_gp")},
    "cgan": {"writers": 2, "size": 32, "latent": 8, "width": 4, "style": 4},
    "pix2pix": {"writers": 2, "size": 16, "width": 4, "style": 4},
    "cyclegan": {"size": 16, "width": 4, "depth": 1},
    "fewshot": {"size": 16, "width": 4, "style": 8},
    "progan": {"size": 16, "latent": 8, "width": 4, "most": 8},
    "stylegan": {"size": 16, "latent": 8, "width": 4, "most": 8, "depth": 2},
}


def loss(model: keras.Model) -> dict[str, Callable]:
    """What a model of the zoo trains with, by its outputs."""
    if "logits" not in model.output:
        return detection.FAMILIES[model.built_by_zoo["model"]].losses()
    if model.output["logits"].ndim == 3:  # (N, steps, classes)
        return {"logits": keras.losses.CTC()}
    return {"logits": keras.losses.SparseCategoricalCrossentropy(from_logits=True)}


def labels(model: keras.Model, count: int) -> np.ndarray:
    """Labels that fit the output of a model: int32 (count,), or (count, 3) of a line reader."""
    rng = np.random.default_rng(1)
    of_lines = "logits" in model.output and model.output["logits"].ndim == 3
    return rng.integers(1, 12, (count, 3) if of_lines else count).astype(np.int32)


def targets(model: keras.Model, images: np.ndarray, labels: np.ndarray) -> Any:
    """What a model of the zoo learns from pictures and their classes: a detector, where they are dark."""
    if "logits" in model.output:
        return labels.reshape(len(labels), -1) if model.output["logits"].ndim == 3 else labels
    _, height, width, _ = next(iter(model.output.values())).shape
    shape = (len(images), height, images.shape[1] // height, width, images.shape[2] // width, -1)
    dark = (images.reshape(shape).mean((2, 4, 5)) < 128).astype(np.float32)
    return {name: np.stack([dark, np.ones_like(dark)], -1) for name in model.output}


def pictures(model: keras.Model, count: int = 240, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Noisy patterns, uint8 (count, H, W, C), of classes 1 to 11, int32 (count,)."""
    height, width, channels = (side or 64 for side in model.input_shape[1:])
    patterns = np.random.default_rng(99).integers(0, 2, (12, 4, 4)) * 200 + 20
    rng = np.random.default_rng(seed)
    labels = rng.integers(1, 12, count).astype(np.int32)
    large = patterns[labels].repeat(-(-height // 4), 1).repeat(-(-width // 4), 2)[:, :height, :width, None]
    noise = rng.integers(-20, 20, (count, height, width, channels))
    return np.clip(large + noise, 0, 255).astype(np.uint8), labels


def teach(model: keras.Model, steps: int = 60) -> None:
    """Trains until the answers have margins, which quantised files keep."""
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.8  # So few steps would not move the averages of the paper's momentum.
    model.compile(keras.optimizers.Adam(3e-3), loss=loss(model), jit_compile=False)
    for step in range(steps):
        images, labels_of_images = pictures(model, 24, seed=100 + step)
        model.train_on_batch(images, targets(model, images, labels_of_images))


def with_normalisations(model: keras.Model) -> keras.Model:
    """The model with normalisations as after training: no two alike."""
    rng = np.random.default_rng(0)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights([rng.uniform(0.5, 2, weight.shape) for weight in layer.get_weights()])
    return model
