"""Blocks that two or more models share."""

import keras
from keras import layers


def ink(size: int, channels: int = 1) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """The input of a reader of single pictures, and its ink.

    Returns:
        `image`, uint8 (N, size, size, channels), dark ink on light paper; and float
        (N, size, size, channels), 1 for ink and 0 for paper, so that zero padding looks like paper.
    """
    image = keras.Input((size, size, channels), dtype="uint8", name="image")
    return image, layers.Rescaling(-1 / 255, offset=1.0, name="ink")(image)


def embedding(features: keras.KerasTensor, rank: int) -> keras.KerasTensor:
    """The first half of a low-rank head: (N, F) to (N, rank), normalised around zero."""
    x = layers.Dense(rank, use_bias=False, name="embedding")(features)
    return layers.BatchNormalization(name="embedding_norm")(x)


def named_logits(scores: keras.KerasTensor) -> dict[str, keras.KerasTensor]:
    """The output of a classifier: `logits`, float32 even where the network computes in less."""
    return {"logits": layers.Activation("linear", dtype="float32", name="logits")(scores)}
