"""WGAN: a critic instead of a discriminator, whose score estimates how far drawn pictures are from real ones.

The estimate needs a critic that does not rise too steeply. The first paper clips its weights, the second one
punishes gradients that are not 1 between real and drawn pictures. The networks are those of DCGAN; where each
picture has a gradient of its own to keep, the critic does not normalise over the batch.

References:
    Arjovsky et al. 2017, weight clipping, https://arxiv.org/abs/1701.07875
    Gulrajani et al. 2017, gradient penalty, https://arxiv.org/abs/1704.00028
"""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from zoo import dcgan, gan


def wgan(size: int = 64, latent: int = 100, width: int = 128, classes: int = 0) -> keras.Model:
    """Draws pictures from noise. Arguments, shapes and errors as in `zoo.dcgan.dcgan`."""
    return dcgan.dcgan(size, latent, width, classes)


class Wgan(gan.Adversarial):
    """Trains against a critic whose weights are clipped. The paper uses RMSprop at 0.00005.

    Args:
        generator: From noise to a picture.
        width: Channels of the critic's first map.
        clip: Largest weight of the critic.
        critic_steps: Steps of the critic for one of the generator.
    """

    def __init__(
        self, generator: keras.Model, width: int = 128, clip: float = 0.01, critic_steps: int = 5
    ) -> None:
        size = generator.output["image"].shape[1]
        # The variance of maps is below 0.00001 where weights are at most 0.01.
        critic = dcgan.discriminator(size, width, 1e-8, dcgan.classes_of(generator))
        super().__init__(generator, critic, critic_steps)
        self._clip = clip

    def discriminator_loss(self, real: Any, batch: gan.Batch) -> Any:
        drawn = ops.stop_gradient(self.draw(batch))
        return ops.mean(self.judge(drawn, batch)) - ops.mean(self.judge(real, batch))

    def generator_loss(self, batch: gan.Batch) -> dict[str, Any]:
        return {"adversarial": -ops.mean(self.judge(self.draw(batch), batch))}

    def after_discriminator_step(self) -> None:
        for variable in self.judging_variables():
            variable.assign(ops.clip(variable, -self._clip, self._clip))


class WganGp(gan.Adversarial):
    """Trains against a critic with gradient penalty. The paper uses Adam at 0.0001 with betas 0 and 0.9.

    Args:
        generator: From noise to a picture.
        width: Channels of the critic's first map.
        penalty: Weight of the penalty.
        critic_steps: Steps of the critic for one of the generator.
    """

    def __init__(
        self, generator: keras.Model, width: int = 128, penalty: float = 10.0, critic_steps: int = 5
    ) -> None:
        size = generator.output["image"].shape[1]
        critic = dcgan.discriminator(size, width, None, dcgan.classes_of(generator))
        super().__init__(generator, critic, critic_steps)
        self._penalty = penalty

    def discriminator_loss(self, real: Any, batch: gan.Batch) -> Any:
        drawn = ops.stop_gradient(self.draw(batch))
        gap = ops.mean(self.judge(drawn, batch)) - ops.mean(self.judge(real, batch))
        slope = gradient_penalty(
            lambda pictures: self.judge(pictures, batch), real, drawn, self.seed_generator
        )
        return gap + self._penalty * slope

    def generator_loss(self, batch: gan.Batch) -> dict[str, Any]:
        return {"adversarial": -ops.mean(self.judge(self.draw(batch), batch))}


def gradient_penalty(
    critic: Callable[[Any], Any], real: Any, drawn: Any, seed: keras.random.SeedGenerator
) -> Any:
    """How far the critic's slope is from 1 at random places between real and drawn pictures: a scalar.

    Args:
        critic: From pictures, float32 (N, H, W, C) in 0 ... 255, to scores. Its slope is that of the pictures in
            -1 ... 1.
        real: float32 (N, H, W, C).
        drawn: The same.
        seed: Where the places come from.
    """
    share = keras.random.uniform((ops.shape(real)[0], 1, 1, 1), seed=seed)
    between = share * real + (1 - share) * drawn
    slopes = 127.5 * gan.gradient(critic, between)
    lengths = ops.sqrt(ops.sum(ops.square(slopes), axis=(1, 2, 3)) + 1e-12)
    return ops.mean(ops.square(lengths - 1))
