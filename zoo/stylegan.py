"""StyleGAN2: a picture grows from a constant, and a style says at each layer what becomes of it.

A network turns the noise into a style w; each convolution is modulated by it, which is to say that its weights
are scaled by the style and then brought back to unit size. Fresh noise at each layer gives what no style
settles. The generator sums up pictures of all sizes; the discriminator has residual blocks. There is no growing.

References:
    Karras et al. 2019, StyleGAN, https://arxiv.org/abs/1812.04948
    Karras et al. 2020, StyleGAN2, https://arxiv.org/abs/1912.04958
    Mescheder et al. 2018, R1, https://arxiv.org/abs/1801.04406
"""

import math
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from zoo import gan, progan
from zoo import layers as blocks

_SLOW = 0.01  # Rate of the mapping network, as a multiple of the optimizer's.
_R1_EVERY, _PATH_EVERY = 16, 8  # Steps from one penalty to the next, which weighs as much more.
_MEAN_DECAY, _PATH_DECAY = 0.005, 0.01  # How fast the means of styles and of path lengths move.
_FILTER = np.outer([1, 3, 3, 1], [1, 3, 3, 1]).astype(np.float32) / 64


def stylegan(
    size: int = 64, latent: int = 128, width: int = 16, most: int = 128, depth: int = 4, psi: float = 1.0
) -> keras.Model:
    """Draws pictures from noise.

    Args:
        size: Side of the picture in pixels, 4 times a power of 2.
        latent: Numbers of the noise, and of a style.
        width: Channels of the last maps; the maps of half the side have twice as many each.
        most: Channels of the widest maps.
        depth: Layers of the network that turns noise into a style; the paper has 8.
        psi: Truncation: how far styles may be from their mean, as a share. With less than 1 the pictures
            are better and more alike. No weight depends on it.

    Returns:
        A model from `noise`, float32 (N, latent), to `{"image": float32 (N, size, size, 1)}`.

    Raises:
        ValueError: `size` is not 4 times a power of 2.
    """
    noise = keras.Input((latent,), name="noise")
    synthesis = _synthesis(progan.widths(size, width, most), latent)
    style = _mapping(latent, depth, psi)(noise)
    x = synthesis([style] * len(synthesis.inputs))
    return keras.Model(
        {"noise": noise}, {"image": ops.clip(blocks.drawn(x)["image"], 0, 255)}, name="stylegan"
    )


def discriminator(size: int = 64, width: int = 16, most: int = 128) -> keras.Model:
    """Tells real pictures from drawn ones.

    Args:
        size: Side of the picture in pixels, 4 times a power of 2.
        width: Channels of the first maps, as in `stylegan`.
        most: Channels of the widest maps.

    Returns:
        A model from `image`, float32 (N, size, size, 1) in 0 ... 255, to a logit, float32 (N, 1).

    Raises:
        ValueError: `size` is not 4 times a power of 2.
    """
    channels = progan.widths(size, width, most)
    image, x = blocks.judged(size)
    x = _activated(progan.Convolution(channels[-1], 1, name="grey")(x), "grey")
    for stage in range(len(channels) - 1, 0, -1):
        x = _halved(x, channels[stage - 1], f"stage{stage}")
    x = progan.Deviation(name="deviation")(x)
    x = _activated(progan.Convolution(channels[0], 3, name="stage0_a")(x), "stage0_a")
    x = layers.Flatten(name="features")(x)
    x = _activated(progan.Dense(channels[0], name="stage0_b")(x), "stage0_b")
    return keras.Model(image, progan.Dense(1, gain=1.0, name="real")(x), name="discriminator")


class Truncation(layers.Layer):
    """Draws styles, (N, latent), nearer to their mean, which it tracks while training.

    Args:
        psi: The share of their distance that is left; while training all of it.
        options: As of `keras.layers.Layer`.
    """

    def __init__(self, psi: float, **options: Any) -> None:
        super().__init__(**options)
        self._psi = psi

    def build(self, shape: tuple[int, ...]) -> None:
        self.mean = self.add_weight(shape[-1:], "zeros", trainable=False, name="mean")

    def call(self, inputs: Any, training: bool = False) -> Any:
        if not training:
            return self.mean + self._psi * (inputs - self.mean)
        self.mean.assign(self.mean + _MEAN_DECAY * (ops.mean(inputs, axis=0) - self.mean))
        return inputs


class Constant(layers.Layer):
    """A learned map, (N, 4, 4, channels), the same whatever the style, (N, latent).

    Args:
        channels: Its channels.
        options: As of `keras.layers.Layer`.
    """

    def __init__(self, channels: int, **options: Any) -> None:
        super().__init__(**options)
        self._shape = (4, 4, channels)

    def build(self, shape: tuple[int, ...]) -> None:
        self.map = self.add_weight((1, *self._shape), progan.normal(), name="map")

    def call(self, style: Any) -> Any:
        return ops.broadcast_to(self.map, (ops.shape(style)[0], *self._shape))


class ModulatedConvolution(layers.Layer):
    """A convolution whose weights the style scales, input channel by input channel.

    Instead of weights of its own for each picture, the input is scaled before one convolution for all,
    and its output after it, which is the same.

    Args:
        channels: Channels of the new map.
        side: Side of the kernel.
        doubles: Whether the new map has twice the side: a transposed convolution, then a blur.
        demodulates: Whether the scaled weights of each output channel are brought to a sum of squares of 2,
            which keeps the size of the map through the rectifier behind it.
        options: As of `keras.layers.Layer`.
    """

    def __init__(
        self, channels: int, side: int = 3, doubles: bool = False, demodulates: bool = True, **options: Any
    ) -> None:
        super().__init__(**options)
        self._channels, self._side = channels, side
        self._doubles, self._demodulates = doubles, demodulates

    def build(self, inputs_shape: tuple[int, ...], style_shape: tuple[int, ...]) -> None:
        depth = inputs_shape[-1]
        self.style = progan.Dense(depth, gain=1.0, bias_initializer="ones", name="style")
        self.style.build(style_shape)
        kernel = (self._side, self._side, depth, self._channels)
        self.kernel = self.add_weight(kernel, progan.normal(), name="kernel")
        self.bias = self.add_weight((self._channels,), "zeros", name="bias")

    def call(self, inputs: Any, style: Any) -> Any:
        scales = self.style(style)
        kernel = self.kernel / math.sqrt(math.prod(self.kernel.shape[:-1]))
        x = inputs * _of_maps(scales)
        if self._doubles:
            x = ops.conv_transpose(x, ops.transpose(kernel, (0, 1, 3, 2)), 2, padding="valid")
            x = 4 * blurred(x, 1)
        else:
            x = ops.conv(x, kernel, padding="same")
        if self._demodulates:
            squares = ops.matmul(scales * scales, ops.sum(kernel * kernel, axis=(0, 1)))
            x = x * _of_maps(math.sqrt(2) * ops.rsqrt(squares + 1e-8))
        return x + self.bias


class Noise(layers.Layer):
    """Adds noise to a map, the same to all channels, as strongly as it has learned to.

    Fresh noise while training, always the same otherwise, so that a style draws one picture.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.seed_generator = keras.random.SeedGenerator()

    def build(self, shape: tuple[int, ...]) -> None:
        self.strength = self.add_weight((), "zeros", name="strength")
        shape = (1, *shape[1:3], 1)
        self.fixed = self.add_weight(shape, progan.normal(), trainable=False, name="fixed")

    def call(self, inputs: Any, training: bool = False) -> Any:
        noise = self.fixed
        if training:
            shape = (*ops.shape(inputs)[:3], 1)
            noise = keras.random.normal(shape, dtype=inputs.dtype, seed=self.seed_generator)
        return inputs + self.strength * noise


class Enlarged(layers.Layer):
    """Pictures, (N, H, W, 1), at twice the side, interpolated."""

    def call(self, inputs: Any) -> Any:
        kernel = ops.convert_to_tensor(4 * _FILTER[..., None, None], inputs.dtype)
        return ops.conv_transpose(inputs, kernel, 2, padding="same")


class Stylegan(gan.Adversarial):
    """Trains with the logistic loss that does not saturate.

    The paper uses Adam with betas 0 and 0.99 and, at a rate of 0.002, what the penalties that come only now
    and then make of it: 0.00188 and betas 0 and 0.9906 for the discriminator, 0.00178 and 0 and 0.9912 for the
    generator.

    Args:
        generator: From `stylegan`.
        width: Channels of the discriminator's first maps.
        most: Channels of its widest maps.
        gamma: Weight of R1, the squared slope of the discriminator at real pictures.
        path: Weight of the path lengths, which keeps steps of the style and of the picture in proportion.
        mixing: Share of the pictures that are drawn from two styles.
    """

    def __init__(
        self,
        generator: keras.Model,
        width: int = 16,
        most: int = 128,
        gamma: float = 1.0,
        path: float = 2.0,
        mixing: float = 0.9,
    ) -> None:
        super().__init__(generator, discriminator(generator.output["image"].shape[1], width, most))
        self._mapping, self._synthesis = (generator.get_layer(name) for name in ("mapping", "synthesis"))
        self._gamma, self._path, self._mixing = gamma, path, mixing
        self.path_length = self.add_weight((), "zeros", trainable=False, name="path_length")

    def styles(self, count: int) -> list[Any]:
        """Styles for each layer of so many pictures, (count, latent) each; past a random layer other ones."""
        shape = (count, self.generator.input["noise"].shape[1])
        first, second = (
            self._mapping(keras.random.normal(shape, seed=self.seed_generator), training=True)
            for _ in range(2)
        )
        number_of_layers = len(self._synthesis.inputs)
        is_mixed = keras.random.uniform((count, 1), seed=self.seed_generator) < self._mixing
        crossing = keras.random.randint((count, 1), 1, number_of_layers, seed=self.seed_generator)
        kept = ops.where(is_mixed, crossing, number_of_layers)
        return [ops.where(number < kept, first, second) for number in range(number_of_layers)]

    def draw(self, batch: gan.Batch) -> Any:
        return 127.5 * self._paint(self.styles(ops.shape(batch["image"])[0])) + 127.5

    def discriminator_loss(self, real: Any, batch: gan.Batch) -> Any:
        drawn = ops.stop_gradient(self.draw(batch))
        judged = gan.surprise(self._judge(real), 1.0) + gan.surprise(self._judge(drawn), 0.0)
        return judged + ops.cond(
            self.discriminator_optimizer.iterations % _R1_EVERY == 0,
            lambda: _R1_EVERY * r1(self._judge, real, self._gamma),
            lambda: 0.0,
        )

    def generator_loss(self, batch: gan.Batch) -> dict[str, Any]:
        count = ops.shape(batch["image"])[0]
        return {
            "adversarial": gan.surprise(self._judge(self.draw(batch)), 1.0),
            "path_length": ops.cond(
                self.optimizer.iterations % _PATH_EVERY == 0,
                lambda: _PATH_EVERY * self._path * self.path_penalty(count),
                lambda: 0.0,
            ),
        }

    def path_penalty(self, count: int) -> Any:
        """How far path lengths are from their mean, which follows them: a scalar, of half of `count` pictures."""
        lengths = path_lengths(self._paint, self.styles((count + 1) // 2), self.seed_generator)
        moved = self.path_length + _PATH_DECAY * (ops.mean(lengths) - self.path_length)
        self.path_length.assign(ops.stop_gradient(moved))
        return ops.mean(ops.square(lengths - moved))

    def _paint(self, styles: list[Any]) -> Any:
        return self._synthesis(styles, training=True)

    def _judge(self, image: Any) -> Any:
        return self.discriminator(image, training=True)


def r1(judge: Callable[[Any], Any], real: Any, gamma: float) -> Any:
    """Half of gamma times the mean squared slope of the discriminator: a scalar.

    Args:
        judge: From pictures, float32 (N, H, W, C) in 0 ... 255, to logits. Its slope is that of the pictures in
            -1 ... 1.
        real: The pictures.
        gamma: The weight.
    """
    slopes = 127.5 * gan.gradient(judge, real)
    return gamma / 2 * ops.mean(ops.sum(ops.square(slopes), axis=(1, 2, 3)))


def path_lengths(paint: Callable[[Any], Any], styles: list[Any], seed: keras.random.SeedGenerator) -> Any:
    """How far a random direction of pictures is from their styles: (N,).

    Args:
        paint: From styles to pictures, (N, H, W, C) in -1 ... 1.
        styles: Of each layer (N, latent).
        seed: Where the directions come from.
    """

    def projected(styles: list[Any]) -> Any:
        pictures = paint(styles)
        direction = keras.random.normal(ops.shape(pictures), seed=seed)
        return pictures * direction / math.sqrt(math.prod(pictures.shape[1:3]))

    slopes = ops.stack(gan.gradient(projected, styles))
    return ops.sqrt(ops.mean(ops.sum(ops.square(slopes), axis=-1), axis=0) + 1e-12)


def blurred(x: Any, edge: int, strides: int = 1) -> Any:
    """A map (N, H, W, C), `edge` places of zeros around it, blurred with 4 by 4 places: each side 3 shorter."""
    kernel = np.repeat(_FILTER[..., None, None], x.shape[-1], axis=2)
    x = ops.pad(x, ((0, 0), (edge, edge), (edge, edge), (0, 0)))
    return ops.depthwise_conv(x, ops.convert_to_tensor(kernel, x.dtype), strides, padding="valid")


def _mapping(latent: int, depth: int, psi: float) -> keras.Model:
    """From noise, (N, latent), to styles, (N, latent)."""
    noise = keras.Input((latent,), name="noise")
    x = progan.PixelNormalization(name="noise_norm")(noise)
    for number in range(depth):
        name = f"dense{number}"
        x = _activated(progan.Dense(latent, rate=_SLOW, name=name)(x), name)
    return keras.Model(noise, Truncation(psi, name="truncation")(x), name="mapping")


def _synthesis(channels: list[int], latent: int) -> keras.Model:
    """From a list of styles, (N, latent) each, to pictures in about -1 ... 1."""
    styles = [keras.Input((latent,), name=f"style{number}") for number in range(2 * len(channels))]
    first, *others = channels
    x = Constant(first, name="constant")(styles[0])
    x = _styled(ModulatedConvolution(first, name="stage0_b"), x, styles[0])
    picture = _grey(0)(x, styles[1])
    for stage, width in enumerate(others, 1):
        up, conv, grey = styles[2 * stage - 1 : 2 * stage + 2]
        x = _styled(ModulatedConvolution(width, doubles=True, name=f"stage{stage}_a"), x, up)
        x = _styled(ModulatedConvolution(width, name=f"stage{stage}_b"), x, conv)
        picture = Enlarged(name=f"stage{stage}_before")(picture) + _grey(stage)(x, grey)
    return keras.Model(styles, picture, name="synthesis")


def _grey(stage: int) -> ModulatedConvolution:
    return ModulatedConvolution(1, side=1, demodulates=False, name=f"stage{stage}_grey")


def _styled(
    convolution: ModulatedConvolution, x: keras.KerasTensor, style: keras.KerasTensor
) -> keras.KerasTensor:
    x = Noise(name=f"{convolution.name}_noise")(convolution(x, style))
    return _activated(x, convolution.name)


def _halved(x: keras.KerasTensor, channels: int, name: str) -> keras.KerasTensor:
    """A residual block: a map (N, H, W, C) becomes (N, H / 2, W / 2, channels)."""
    y = _activated(progan.Convolution(x.shape[-1], 3, name=f"{name}_a")(x), f"{name}_a")
    y = progan.Convolution(channels, 3, strides=2, padding="valid", name=f"{name}_b")(blurred(y, 2))
    y = _activated(y, f"{name}_b")
    x = progan.Convolution(channels, 1, gain=1.0, use_bias=False, name=f"{name}_skip")(blurred(x, 1, 2))
    return (x + y) / math.sqrt(2)


def _of_maps(numbers: Any) -> Any:
    """(N, C) as (N, 1, 1, C)."""
    return ops.reshape(numbers, (-1, 1, 1, numbers.shape[-1]))


def _activated(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    return layers.LeakyReLU(0.2, name=f"{name}_relu")(x)
