"""Few-shot writing: a few samples of a hand, and then any character in it.

The printed glyph says what is written, a handful of the writer's characters say how. A U-Net draws from the
glyph; the mean of the samples' features scales and shifts its maps. The discriminator of `zoo.cgan` compares
picture, glyph and writer while training; the generator needs no writer's number, so that it serves hands that
it has never seen.

References:
    Liu et al. 2019, FUNIT, https://arxiv.org/abs/1905.01723
    Park et al. 2021, few-shot fonts, https://arxiv.org/abs/2009.11042
"""

from typing import Any

import keras
from keras import layers, ops

from zoo import cgan, gan
from zoo import layers as blocks

_DEPTH = 4  # How often the U-Net halves its maps.


def fewshot(size: int = 64, width: int = 32, style: int = 128) -> keras.Model:
    """Writes a printed character like the given samples.

    Args:
        size: Side of the pictures in pixels, a multiple of 16.
        width: Channels of the first maps; each map after it has half the side and twice the channels.
        style: Numbers that describe a hand.

    Returns:
        A model from `glyph`, uint8 (N, size, size, 1), and `samples`, any characters of the hand beneath
        each other, uint8 (N, samples * size, size, 1), to `{"image": float32 (N, size, size, 1)}`.

    Raises:
        ValueError: `size` is not a multiple of 16.
    """
    if size % 2**_DEPTH:
        raise ValueError(f"`size` must be a multiple of {2**_DEPTH}. Received: size={size}.")
    shown = _strip(size)
    glyph, x = blocks.ink(size, name="glyph")
    hand = _hand(size, width // 2, style)(shown)  # There are many samples for one glyph.
    maps = []
    for number in range(_DEPTH):
        x = layers.Conv2D(width * 2**number, 4, 2, "same", use_bias=False, name=f"down{number}")(x)
        x = layers.BatchNormalization(name=f"down{number}_norm")(x)
        x = layers.LeakyReLU(0.2, name=f"down{number}_relu")(x)
        maps.append(x)
    x = maps.pop()
    x = blocks.in_hand(x, hand, "bottleneck")
    for number, skipped in enumerate(maps[::-1]):
        name = f"up{number}"
        x = layers.Conv2DTranspose(skipped.shape[-1], 4, 2, "same", use_bias=False, name=name)(x)
        # What the glyph gives away of its own shape is written by hand too, before it joins.
        x = layers.Concatenate(name=f"{name}_joined")([x, blocks.in_hand(skipped, hand, f"skip{number}")])
        x = layers.Conv2D(skipped.shape[-1], 3, padding="same", use_bias=False, name=f"{name}_mix")(x)
        x = blocks.in_hand(x, hand, name)
    x = layers.Conv2DTranspose(1, 4, 2, "same", activation="tanh", name="last")(x)
    return keras.Model({"glyph": glyph, "samples": shown}, blocks.drawn(x), name="fewshot")


def _strip(size: int) -> keras.KerasTensor:
    return keras.Input((None, size, 1), dtype="uint8", name="samples")


def _hand(size: int, width: int, style: int) -> keras.Model:
    """From samples, uint8 (N, samples * size, size, 1), to what describes their hand, (N, style)."""
    shown = _strip(size)
    x = layers.Rescaling(-1 / 255, offset=1.0, name="ink")(shown)
    for number in range(_DEPTH):
        x = layers.Conv2D(width * 2**number, 3, 2, "same", use_bias=False, name=f"sample{number}")(x)
        x = layers.BatchNormalization(name=f"sample{number}_norm")(x)
        x = layers.ReLU(name=f"sample{number}_relu")(x)
    x = layers.GlobalAveragePooling2D(name="mean_of_samples")(x)
    x = layers.Dense(style, use_bias=False, name="style")(x)
    # A bold pen must not scale the maps without limit.
    x = layers.BatchNormalization(name="style_norm")(x)
    return keras.Model(shown, layers.ReLU(name="style_relu")(x), name="hand")


class FewShot(cgan.Cgan):
    """Trains on pairs of `glyph` and `image`, with samples of the same writer.

    Args:
        generator: From a glyph and samples to a picture.
        writers: Number of writers.
        width: Channels of the discriminator's first maps.
        pixels: Weight of the mean absolute difference of coarse pixels, see `zoo.gan.coarse_gap`.
        style: Weight of the difference between what describes the samples and what describes a single picture that
            was drawn like them; it teaches the description.
    """

    NEEDS = frozenset({"glyph", "writer", "samples"})

    def __init__(
        self,
        generator: keras.Model,
        writers: int,
        width: int = 32,
        pixels: float = 100.0,
        style: float = 1.0,
    ) -> None:
        super().__init__(generator, writers, width)
        self._pixels, self._style = pixels, style

    def generator_loss(self, batch: gan.Batch) -> dict[str, Any]:
        drawn = self.draw(batch)
        real = ops.cast(batch["image"], "float32")
        hand = self.generator.get_layer("hand")
        # Teaches only what describes hands: a generator that learned from it would draw what that takes for a
        # hand, patterns instead of strokes.
        described = hand(ops.cast(ops.stop_gradient(drawn), "uint8"))
        return {
            "adversarial": -ops.mean(self.judge(drawn, batch)),
            "pixels": self._pixels * gan.coarse_gap(real, drawn),
            "style": self._style * ops.mean(ops.abs(described - ops.stop_gradient(hand(batch["samples"])))),
        }
