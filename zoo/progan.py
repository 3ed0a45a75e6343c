"""ProGAN: generator and critic grow together, from 4 by 4 pixels to the whole picture.

Each stage doubles the side; its layers are faded in, then train for a while at full strength. What keeps the
two in balance: weights of equal size, scaled as they are used, so that all learn at the same rate; each place
of the generator's maps is normalised; the critic sees how much the pictures of a batch differ.

References:
    Karras et al. 2018, https://arxiv.org/abs/1710.10196
    Gulrajani et al. 2017, the critic's loss, https://arxiv.org/abs/1704.00028
"""

import functools
import math
from collections.abc import Callable
from typing import Any

import keras
from keras import layers, ops

from zoo import gan, wgan
from zoo import layers as blocks

_GAIN = math.sqrt(2)  # Of He's constant, for what a rectifier follows.


def progan(size: int = 64, latent: int = 512, width: int = 256, most: int = 512) -> keras.Model:
    """Draws pictures from noise: the generator at its full size, all stages grown.

    Args:
        size: Side of the picture in pixels, 4 times a power of 2.
        latent: Numbers of the noise.
        width: Channels of the last maps; the maps of the stage before have twice as many each. The paper has
            16384 / size.
        most: Channels of the widest maps.

    Returns:
        A model from `noise`, float32 (N, latent), to `{"image": float32 (N, size, size, 1)}`.

    Raises:
        ValueError: `size` is not 4 times a power of 2.
    """
    first, *others = widths(size, width, most)
    noise = keras.Input((latent,), name="noise")
    x = PixelNormalization(name="noise_norm")(noise)
    x = Dense(16 * first, name="stage0_a")(x)
    x = _normalised(layers.Reshape((4, 4, first), name="map")(x), "stage0_a")
    x = _normalised(Convolution(first, 3, name="stage0_b")(x), "stage0_b")
    for stage, channels in enumerate(others, 1):
        x = layers.UpSampling2D(name=f"stage{stage}_up")(x)
        for name in (f"stage{stage}_a", f"stage{stage}_b"):
            x = _normalised(Convolution(channels, 3, name=name)(x), name)
    x = _grey(len(others))(x)
    return keras.Model({"noise": noise}, {"image": ops.clip(blocks.drawn(x)["image"], 0, 255)}, name="progan")


def discriminator(size: int = 64, width: int = 256, most: int = 512) -> keras.Model:
    """Says how real a picture looks: the critic at its full size, all stages grown.

    Args:
        size: Side of the picture in pixels, 4 times a power of 2.
        width: Channels of the first maps, as in `progan`.
        most: Channels of the widest maps.

    Returns:
        A model from `image`, float32 (N, size, size, 1) in 0 ... 255, to a score, float32 (N, 1).

    Raises:
        ValueError: `size` is not 4 times a power of 2.
    """
    channels = widths(size, width, most)
    last = len(channels) - 1
    image, x = _of_grey(size, channels[last], last)
    for stage in range(last, 0, -1):
        x = _activated(Convolution(channels[stage], 3, name=f"stage{stage}_a")(x), f"stage{stage}_a")
        x = _activated(Convolution(channels[stage - 1], 3, name=f"stage{stage}_b")(x), f"stage{stage}_b")
        x = layers.AveragePooling2D(2, name=f"stage{stage}_down")(x)
    x = Deviation(name="deviation")(x)
    x = _activated(Convolution(channels[0], 3, name="stage0_a")(x), "stage0_a")
    x = layers.Flatten(name="features")(x)
    x = _activated(Dense(channels[0], name="stage0_b")(x), "stage0_b")
    return keras.Model(image, Dense(1, gain=1.0, name="real")(x), name="discriminator")


def widths(size: int, width: int, most: int) -> list[int]:
    """The channels of each stage's maps, those of 4 by 4 places first. Arguments and errors as in `progan`."""
    last = blocks.halvings(size)
    return [min(most, width * 2 ** (last - stage)) for stage in range(last + 1)]


class Convolution(layers.Conv2D):
    """A convolution that keeps the side, with equalised learning rate: its weights start as N(0, 1).

    Args:
        channels: Channels of the new map.
        side: Side of the kernel.
        gain: Of He's constant, with which the weights are multiplied as they are used.
        options: As of `keras.layers.Conv2D`.
    """

    def __init__(self, channels: int, side: int, gain: float = _GAIN, **options: Any) -> None:
        options = {"padding": "same", **options}
        super().__init__(channels, side, kernel_initializer=normal(), **options)
        self._gain = gain

    @property
    def scale(self) -> float:
        """What the weights are multiplied with."""
        return self._gain / math.sqrt(math.prod(self.kernel.shape[:-1]))

    def convolution_op(self, inputs: Any, kernel: Any) -> Any:
        return super().convolution_op(inputs, kernel * self.scale)


class Dense(layers.Dense):
    """A dense layer with equalised learning rate.

    Args:
        units: Numbers that it gives.
        gain: As of `Convolution`.
        rate: How fast it learns, as a multiple of the optimizer's rate.
        options: As of `keras.layers.Dense`.
    """

    def __init__(self, units: int, gain: float = _GAIN, rate: float = 1.0, **options: Any) -> None:
        super().__init__(units, kernel_initializer=normal(1 / rate), **options)
        self._gain, self._rate = gain, rate

    @property
    def scale(self) -> float:
        """What the weights are multiplied with."""
        return self._gain * self._rate / math.sqrt(self.kernel.shape[0])

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        return ops.matmul(inputs, self.kernel * self.scale) + self.bias * self._rate


class PixelNormalization(layers.Layer):
    """Scales the numbers of each place, the last axis, to a mean square of 1."""

    def call(self, inputs: Any) -> Any:
        return inputs * ops.rsqrt(ops.mean(inputs * inputs, axis=-1, keepdims=True) + 1e-8)


class Deviation(layers.Layer):
    """Appends a map, (N, H, W, C) to (N, H, W, C + 1), that tells how much the pictures of a batch differ.

    It is the same number everywhere: the standard deviation over the batch, of each channel at each place, and
    of these the mean.
    """

    def call(self, inputs: Any) -> Any:
        deviation = ops.mean(ops.sqrt(ops.var(inputs, axis=0) + 1e-8))
        return ops.concatenate([inputs, ops.zeros_like(inputs[..., :1]) + deviation], axis=-1)


class Progan(gan.Adversarial):
    """Grows generator and critic while they train. The paper uses Adam at 0.001 with betas 0 and 0.99.

    Called with `noise`, it draws with the stages that are grown so far, enlarged to the full size; the
    generator by itself makes sense when all are.

    Args:
        generator: From `progan`.
        width: Channels of the critic's first maps.
        most: Channels of the critic's widest maps.
        growth: Real pictures until it has its full size: each fade takes as many as each stage before the last
            one then trains on, which are 800,000 in the paper. 0 for a generator that is grown.
        penalty: Weight of the gradient penalty.
        drift: Weight that keeps the scores of real pictures near 0.

    Attributes:
        seen: Real pictures so far, an int32 variable: what stage it is and how far it is faded in.

    Raises:
        ValueError: `growth` has too few pictures for the stages.
    """

    def __init__(
        self,
        generator: keras.Model,
        width: int = 256,
        most: int = 512,
        growth: int = 0,
        penalty: float = 10.0,
        drift: float = 0.001,
    ) -> None:
        size = generator.output["image"].shape[1]
        super().__init__(generator, discriminator(size, width, most))
        channels = widths(size, width, most)
        self._last = len(channels) - 1
        phases = 2 * self._last
        if growth != 0 and growth < phases:
            raise ValueError(f"`growth` must be 0, or at least {phases} pictures. Received: {growth=}.")
        self._stage_pictures, self._penalty, self._drift = growth // phases, penalty, drift
        self.seen = self.add_weight((), "zeros", "int32", trainable=False, name="seen")

        stages, grown = range(self._last), range(1, self._last + 1)
        greys = [_grey(stage)(generator.get_layer(f"stage{stage}_b_norm").output) for stage in stages]
        greys.append(generator.get_layer(f"stage{self._last}_grey").output)
        self._painters = [
            keras.Model(generator.input, greys[max(0, stage - 1) : stage + 1]) for stage in range(len(greys))
        ]

        def output(name: str) -> keras.KerasTensor:
            return self.discriminator.get_layer(name).output

        self._entries = [keras.Model(*_of_grey(4 << stage, channels[stage], stage)) for stage in stages]
        image = self.discriminator.input
        self._entries.append(keras.Model(image, output(f"stage{self._last}_grey_relu")))
        self._halvers = [
            keras.Model(self.discriminator.get_layer(f"stage{stage}_a").input, output(f"stage{stage}_down"))
            for stage in grown
        ]
        self._judges = [
            keras.Model(output(f"stage{stage}_down"), self.discriminator.output) for stage in grown
        ]

    def drawing_variables(self) -> list[keras.Variable]:
        return _all_trainable([self.generator, *self._painters])

    def judging_variables(self) -> list[keras.Variable]:
        return _all_trainable([self.discriminator, *self._entries])

    @property
    def trainable_weights(self) -> list[keras.Variable]:
        # At its end, `fit` gives the first ones the averages that the generator's optimizer keeps, in its order.
        return [*self.drawing_variables(), *self.judging_variables()]

    def progress(self) -> tuple[Any, Any]:
        """The stage that trains, int32, and the share to which its layers are faded in, float32: scalars."""
        if not self._stage_pictures:
            return ops.full((), self._last, "int32"), ops.ones(())
        phase = self.seen // self._stage_pictures
        fading = ops.logical_and(phase % 2 == 1, phase < 2 * self._last)
        done = ops.cast(self.seen % self._stage_pictures, "float32") / self._stage_pictures
        return ops.minimum((phase + 1) // 2, self._last), ops.where(fading, done, 1.0)

    def call(self, inputs: gan.Batch) -> Any:
        def draw(stage: int, share: Any) -> Any:
            return enlarged(self.draw_at(inputs["noise"], stage, share), 2 ** (self._last - stage))

        return {"image": ops.clip(self._now(draw), 0, 255)}

    def draw(self, batch: gan.Batch) -> Any:
        return self({"noise": self._noise(batch["image"])})["image"]

    def draw_at(self, noise: Any, stage: int, share: Any) -> Any:
        """Pictures of a stage whose layers are faded in to a share: float32 (N, side, side, 1)."""
        *before, picture = keras.tree.flatten(self._painters[stage]({"noise": noise}))
        if before:
            picture = faded(before[0], picture, share)
        return 127.5 * picture + 127.5

    def real_at(self, real: Any, stage: int, share: Any) -> Any:
        """Real pictures, float32 (N, size, size, 1), as `draw_at` would draw them."""
        picture = ops.average_pool(real, 2 ** (self._last - stage))
        return faded(ops.average_pool(picture, 2), picture, share) if stage else picture

    def judge_at(self, image: Any, stage: int, share: Any) -> Any:
        """The scores, (N, 1), of pictures that `draw_at` or `real_at` gave."""
        x = self._entries[stage](image)
        if stage:
            before = self._entries[stage - 1](ops.average_pool(image, 2))
            x = share * self._halvers[stage - 1](x) + (1 - share) * before
        return self._judges[max(0, stage - 1)](x)

    def critic_loss_at(self, real: Any, stage: int, share: Any) -> Any:
        """What the critic loses at a stage on real pictures, float32 (N, size, size, 1): a scalar."""

        def judge(image: Any) -> Any:
            return self.judge_at(image, stage, share)

        small = self.real_at(real, stage, share)
        drawn = ops.stop_gradient(self.draw_at(self._noise(real), stage, share))
        scores = judge(small)
        gap = ops.mean(judge(drawn)) - ops.mean(scores)
        slope = wgan.gradient_penalty(judge, small, drawn, self.seed_generator)
        return gap + self._penalty * slope + self._drift * ops.mean(ops.square(scores))

    def train_step(self, batch: gan.Batch) -> dict[str, Any]:
        real = ops.cast(batch["image"], "float32")

        def adversarial_loss_at(stage: int, share: Any) -> Any:
            return -ops.mean(self.judge_at(self.draw_at(self._noise(real), stage, share), stage, share))

        stage, share = self.progress()
        judged = self._learn(
            self.discriminator_optimizer,
            self.judging_variables(),
            functools.partial(self.critic_loss_at, real),
        )
        drawn = self._learn(self.optimizer, self.drawing_variables(), adversarial_loss_at)
        self.seen.assign_add(ops.shape(real)[0])
        return {
            "loss": drawn + judged,
            "discriminator": judged,
            "generator_adversarial": drawn,
            "stage": stage,
            "share": share,
        }

    def _learn(
        self,
        optimizer: keras.optimizers.Optimizer,
        variables: list[keras.Variable],
        loss_at: Callable[[int, Any], Any],
    ) -> Any:
        """A step of an optimizer; the networks that have not grown yet stay as they are."""
        import tensorflow as tf

        values = [variable.value for variable in variables]

        def differentiated(stage: int, share: Any) -> tuple[Any, list[Any]]:
            with tf.GradientTape() as tape:
                loss = loss_at(stage, share)
            return loss, tape.gradient(loss, values, unconnected_gradients="zero")

        loss, gradients = self._now(differentiated)
        optimizer.apply(gradients, variables)
        return loss

    def _now(self, function: Callable[[int, Any], Any]) -> Any:
        """What the function gives of the stage and share of now; the networks of no other stage compute."""
        stage, share = self.progress()
        return ops.switch(
            stage, [functools.partial(function, number, share) for number in range(self._last + 1)]
        )

    def _noise(self, pictures: Any) -> Any:
        """As many rows as there are pictures."""
        shape = (ops.shape(pictures)[0], self.generator.input["noise"].shape[1])
        return keras.random.normal(shape, seed=self.seed_generator)


def faded(before: Any, after: Any, share: Any) -> Any:
    """Between small pictures, (N, side, side, C), where share is 0, and pictures of twice the side, where it is 1."""
    return share * after + (1 - share) * enlarged(before, 2)


def enlarged(pictures: Any, times: int) -> Any:
    """Each pixel of (N, H, W, C) becomes a square of times by times pixels."""
    return ops.repeat(ops.repeat(pictures, times, axis=1), times, axis=2)


def normal(deviation: float = 1.0) -> keras.initializers.Initializer:
    """What weights that are scaled as they are used start with."""
    return keras.initializers.RandomNormal(stddev=deviation)


def _normalised(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    return PixelNormalization(name=f"{name}_norm")(_activated(x, name))


def _activated(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    return layers.LeakyReLU(0.2, name=f"{name}_relu")(x)


def _grey(stage: int) -> Convolution:
    return Convolution(1, 1, gain=1.0, name=f"stage{stage}_grey")


def _of_grey(side: int, channels: int, stage: int) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """A picture of a stage, float32 (N, side, side, 1) in 0 ... 255, and its first map."""
    image, x = blocks.judged(side)
    name = f"stage{stage}_grey"
    return image, _activated(Convolution(channels, 1, name=name)(x), name)


def _all_trainable(models: list[keras.Model]) -> list[keras.Variable]:
    """The trainable variables of models that share layers, each once."""
    return list({id(one): one for model in models for one in model.trainable_variables}.values())
