"""CycleGAN: print becomes pen, and pen becomes print, without pairs of the same character.

Two generators and two discriminators. What is turned into the other kind and back must come out as it was;
what is of the right kind already must stay as it is.

References:
    Zhu et al. 2017, https://arxiv.org/abs/1703.10593
    Mao et al. 2017, the least-squares loss, https://arxiv.org/abs/1611.04076
    Shrivastava et al. 2017, the pool of earlier pictures, https://arxiv.org/abs/1612.07828
"""

from typing import Any

import keras
from keras import layers, ops

from zoo import gan
from zoo import layers as blocks


def cyclegan(size: int = 64, width: int = 64, depth: int = 6) -> keras.Model:
    """Turns pictures of one kind into the other kind.

    Args:
        size: Side of the pictures in pixels, a multiple of 4.
        width: Channels of the first map; the residual blocks have four times as many.
        depth: Number of residual blocks.

    Returns:
        A model from `glyph`, uint8 (N, size, size, 1), to `{"image": float32 (N, size, size, 1)}`.

    Raises:
        ValueError: `size` is not a multiple of 4, or below 16.
    """
    if size < 16 or size % 4:
        raise ValueError(f"`size` must be a multiple of 4, at least 16. Received: size={size}.")
    glyph = keras.Input((size, size, 1), dtype="uint8", name="glyph")
    x = layers.Rescaling(1 / 127.5, offset=-1.0, name="scaled")(glyph)
    x = _convolution(_reflected(x, 3), width, 7, "first")
    for number in (1, 2):
        x = _convolution(x, width * 2**number, 3, f"down{number}", strides=2)
    for number in range(depth):
        name = f"block{number}"
        y = _convolution(_reflected(x, 1), 4 * width, 3, f"{name}_a")
        y = layers.Conv2D(4 * width, 3, use_bias=False, name=f"{name}_b")(_reflected(y, 1))
        x = layers.Add(name=f"{name}_add")([x, _normalised(y, f"{name}_b")])
    for number in (1, 2):
        name = f"up{number}"
        x = layers.Conv2DTranspose(4 * width // 2**number, 3, 2, "same", use_bias=False, name=name)(x)
        x = layers.ReLU(name=f"{name}_relu")(_normalised(x, name))
    x = layers.Conv2D(1, 7, activation="tanh", name="last")(_reflected(x, 3))
    return keras.Model({"glyph": glyph}, blocks.drawn(x), name="cyclegan")


def discriminator(size: int = 64, width: int = 64, name: str = "discriminator") -> keras.Model:
    """Judges patches of a picture.

    Args:
        size: Side of the pictures in pixels, a multiple of 8.
        width: Channels of the first map.
        name: Of the model.

    Returns:
        A model from `image`, float32 (N, size, size, 1) in 0 ... 255, to scores, float32
        (N, size // 8, size // 8, 1), 1 for real patches and 0 for drawn ones.
    """
    image, x = blocks.judged(size)
    for number in range(4):
        step = f"down{number}"
        strides = 2 if number < 3 else 1
        x = layers.Conv2D(width * 2**number, 4, strides, "same", use_bias=not number, name=step)(x)
        x = layers.LeakyReLU(0.2, name=f"{step}_relu")(_normalised(x, step) if number else x)
    return keras.Model(image, layers.Conv2D(1, 4, padding="same", name="real")(x), name=name)


class CycleGan(gan.Adversarial):
    """Trains both directions at once.

    Args:
        generator: From print to pen; its twin learns the way back.
        width: Channels of the discriminators' first maps.
        cycle: Weight of what comes back changed, in -1 ... 1.
        identity: Weight of what should have stayed as it is.
        pool: Earlier pictures that the discriminators may see again instead of new ones.
        joint: Whether what comes back changed teaches both generators, as in the paper, or only the one that
            should have turned it back, and so learns from pairs that the other one drew.
    """

    NEEDS = frozenset({"printed"})

    def __init__(
        self,
        generator: keras.Model,
        width: int = 64,
        cycle: float = 10.0,
        identity: float = 5.0,
        pool: int = 50,
        joint: bool = True,
    ) -> None:
        size = generator.output["image"].shape[1]
        back = keras.models.clone_model(generator)
        super().__init__(generator, discriminator(size, width, "of_pen"), twin=back)
        # As of float pictures: what the other one drew must be learned from.
        self._to_pen, self._to_print = (gan.of_floats(model, "scaled") for model in (generator, back))
        self.discriminator_of_print = discriminator(size, width, "of_print")
        self._cycle, self._identity, self._joint = cycle, identity, joint
        self._pools = [
            self.add_weight((pool, size, size, 1), "zeros", trainable=False, name=f"pool{number}")
            for number in range(2)
        ]
        self._pooled = self.add_weight((), "zeros", "int32", trainable=False, name="pooled")

    def judging_variables(self) -> list[keras.Variable]:
        return [
            *self.discriminator.trainable_variables,
            *self.discriminator_of_print.trainable_variables,
        ]

    def discriminator_loss(self, real: Any, batch: gan.Batch) -> Any:
        printed = ops.cast(batch["printed"], "float32")
        drawn = [
            ops.stop_gradient(turn(given, training=True)["image"])
            for turn, given in ((self._to_pen, printed), (self._to_print, real))
        ]
        pen, back = self._from_pools(drawn)
        return 0.5 * (
            _missed(self.discriminator(real, training=True), 1.0)
            + _missed(self.discriminator(pen, training=True), 0.0)
            + _missed(self.discriminator_of_print(printed, training=True), 1.0)
            + _missed(self.discriminator_of_print(back, training=True), 0.0)
        )

    def generator_loss(self, batch: gan.Batch) -> dict[str, Any]:
        printed, written = (ops.cast(batch[name], "float32") for name in ("printed", "image"))
        pen = self._to_pen(printed, training=True)["image"]
        back = self._to_print(written, training=True)["image"]
        turned = [pen, back] if self._joint else [ops.stop_gradient(pen), ops.stop_gradient(back)]
        returned = _gap(self._to_print(turned[0], training=True)["image"], printed) + _gap(
            self._to_pen(turned[1], training=True)["image"], written
        )
        kept = _gap(self._to_pen(written, training=True)["image"], written) + _gap(
            self._to_print(printed, training=True)["image"], printed
        )
        return {
            "adversarial": _missed(self.discriminator(pen, training=True), 1.0)
            + _missed(self.discriminator_of_print(back, training=True), 1.0),
            "cycle": self._cycle * returned,
            "identity": self._identity * kept,
        }

    def _from_pools(self, drawn: list[Any]) -> list[Any]:
        """Half of the pictures are swapped for earlier ones; the pools keep the new ones in their places."""
        size = self._pools[0].shape[0]
        count = ops.shape(drawn[0])[0]
        places = ops.cast(
            keras.random.uniform((count,), maxval=float(size), seed=self.seed_generator), "int32"
        )
        # A pool that is not full yet takes the new pictures in order and gives none back.
        filling = self._pooled < size
        places = ops.where(filling, (self._pooled + ops.arange(count)) % size, places)
        swap = keras.random.uniform((count, 1, 1, 1), seed=self.seed_generator) < 0.5
        shown = []
        for pool, new in zip(self._pools, drawn, strict=True):
            old = ops.take(pool, places, axis=0)
            swapped = ops.logical_and(swap, ops.logical_not(filling))
            kept = ops.logical_or(swapped, filling)
            pool.assign(ops.scatter_update(pool, places[:, None], ops.where(kept, new, old)))
            shown.append(ops.where(swapped, old, new))
        self._pooled.assign(ops.minimum(self._pooled + count, size))
        return shown


def _missed(scores: Any, expected: float) -> Any:
    return ops.mean(ops.square(scores - expected))


def _gap(first: Any, second: Any) -> Any:
    """The mean absolute difference of pictures, in -1 ... 1."""
    return ops.mean(ops.abs(first - second)) / 127.5


def _convolution(
    x: keras.KerasTensor, width: int, side: int, name: str, strides: int = 1
) -> keras.KerasTensor:
    padding = "same" if strides > 1 else "valid"
    x = layers.Conv2D(width, side, strides, padding, use_bias=False, name=name)(x)
    return layers.ReLU(name=f"{name}_relu")(_normalised(x, name))


def _normalised(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    """Each channel of each picture by itself."""
    return layers.GroupNormalization(-1, name=f"{name}_norm")(x)


def _reflected(x: keras.KerasTensor, edge: int) -> keras.KerasTensor:
    return ops.pad(x, ((0, 0), (edge, edge), (edge, edge), (0, 0)), mode="reflect")
