"""GAN: a generator that learns to draw what a discriminator cannot tell from real pictures.

Here stand the networks of the research note, and what all adversarial models of the zoo share. A
generator is what the zoo builds, saves and exports; its pictures are float32 in 0 ... 255, dark ink on
light paper. `Adversarial` trains it, together with a discriminator that nobody needs afterwards.

Reference:
    Goodfellow et al. 2014, https://arxiv.org/abs/1406.2661
"""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import keras
from keras import layers, ops

from zoo import layers as blocks

Batch = Mapping[str, Any]
"""Tensors by name: `image`, the real pictures, uint8 (N, H, W, 1), and whatever else the generator takes."""


def gan(latent: int = 100) -> keras.Model:
    """Draws pictures of 28 by 28 pixels from noise: the generator of the research note.

    Args:
        latent: Numbers of the noise.

    Returns:
        A model from `noise`, float32 (N, latent), to `{"image": float32 (N, 28, 28, 1)}`.
    """
    noise = keras.Input((latent,), name="noise")
    x = layers.Dense(1024, name="dense1")(noise)
    x = layers.LeakyReLU(0.2, name="dense1_relu")(x)
    x = layers.Dense(7 * 7 * 128, name="dense2")(x)
    x = layers.BatchNormalization(name="dense2_norm")(x)
    x = layers.LeakyReLU(0.2, name="dense2_relu")(x)
    x = layers.Reshape((7, 7, 128), name="map")(x)
    x = layers.UpSampling2D(name="up1")(x)
    x = layers.Conv2D(64, 5, padding="same", name="conv1")(x)
    x = layers.LeakyReLU(0.2, name="conv1_relu")(x)
    x = layers.UpSampling2D(name="up2")(x)
    # Starts at grey: pictures that begin near white paper stay white, because there tanh is flat.
    start = keras.initializers.RandomNormal(stddev=0.003)
    x = layers.Conv2D(1, 5, padding="same", activation="tanh", kernel_initializer=start, name="conv2")(x)
    return keras.Model({"noise": noise}, blocks.drawn(x), name="gan")


def discriminator(size: int = 28) -> keras.Model:
    """Tells real pictures from drawn ones: the discriminator of the research note.

    Args:
        size: Side of the picture in pixels.

    Returns:
        A model from `image`, float32 (N, size, size, 1) in 0 ... 255, to the logit of the probability
        that it is real, float32 (N, 1). The sigmoid of the note stands in the loss, which is exact there.
    """
    image, x = blocks.judged(size)
    for number, width in enumerate((64, 128), 1):
        x = layers.Conv2D(width, 5, 2, padding="same", name=f"conv{number}")(x)
        x = layers.LeakyReLU(0.2, name=f"conv{number}_relu")(x)
    x = layers.Flatten(name="features")(x)
    x = layers.Dense(256, name="dense1")(x)
    x = layers.LeakyReLU(0.2, name="dense1_relu")(x)
    x = layers.Dropout(0.5, name="dropout")(x)
    return keras.Model(image, layers.Dense(1, name="real")(x), name="discriminator")


class Adversarial(keras.Model):
    """Trains a generator against a discriminator; a subclass says what each of them loses.

    A step teaches the discriminator `critic_steps` times, each time with its own part of the batch, and
    the generator once, with the last part.

    Args:
        generator: A functional model with named inputs. `noise` is drawn anew each time, the others come
            from the batch.
        discriminator: Judges pictures.
        critic_steps: Steps of the discriminator for one of the generator.
        twin: Another generator that learns with the first one.

    Attributes:
        NEEDS: What a batch holds besides `image`: "glyph", the printed characters of the pictures; "printed",
            any printed characters; "writer", the numbers of the writers; "samples", other characters of them. A
            generator of few characters may take "label" besides, their numbers.

    Raises:
        ValueError: The backend of Keras is not TensorFlow, whose gradients a step takes by hand.
    """

    NEEDS: ClassVar[frozenset[str]] = frozenset()

    def __init__(
        self,
        generator: keras.Model,
        discriminator: keras.Model,
        critic_steps: int = 1,
        twin: keras.Model | None = None,
    ) -> None:
        super().__init__(name="adversarial")
        if keras.backend.backend() != "tensorflow":
            raise ValueError(
                "Adversarial models train with KERAS_BACKEND=tensorflow. "
                f"Received: {keras.backend.backend()}."
            )
        # Keras averages the first variables of the model, where the optimizer averages: first what draws.
        self.generator = generator
        self.twin = twin
        self.discriminator = discriminator
        self.critic_steps = critic_steps
        self.seed_generator = keras.random.SeedGenerator()
        self.built = True

    def compile(
        self, optimizer: keras.optimizers.Optimizer, discriminator_optimizer: keras.optimizers.Optimizer
    ) -> None:
        """Takes the optimizers of the generator and of the discriminator."""
        super().compile(optimizer=optimizer, jit_compile=False)
        self.discriminator_optimizer = discriminator_optimizer
        optimizer.build(self.drawing_variables())
        discriminator_optimizer.build(self.judging_variables())

    def drawing_variables(self) -> list[keras.Variable]:
        """What the generator's optimizer trains."""
        twins = self.twin.trainable_variables if self.twin else []
        return [*self.generator.trainable_variables, *twins]

    def judging_variables(self) -> list[keras.Variable]:
        """What the discriminator's optimizer trains."""
        return self.discriminator.trainable_variables

    def call(self, inputs: Batch) -> Any:
        return self.generator(inputs)

    def draw(self, batch: Batch) -> Any:
        """Pictures that the generator draws for a batch, as it trains: float32 (N, H, W, 1)."""
        count = ops.shape(batch["image"])[0]
        inputs = {}
        for tensor in keras.tree.flatten(self.generator.input):
            if tensor.name == "noise":
                inputs["noise"] = keras.random.normal((count, *tensor.shape[1:]), seed=self.seed_generator)
            else:
                inputs[tensor.name] = batch[tensor.name]
        return self.generator(inputs, training=True)["image"]

    def judge(self, image: Any, batch: Batch) -> Any:
        """What the discriminator says of pictures, float32 (N, H, W, 1), and of what it takes from a batch besides."""
        inputs = self.discriminator.input
        if not isinstance(inputs, dict):
            return self.discriminator(image, training=True)
        shown = {name: image if name == "image" else batch[name] for name in inputs}
        return self.discriminator(shown, training=True)

    def discriminator_loss(self, real: Any, batch: Batch) -> Any:
        """What the discriminator loses on real pictures, float32 (N, H, W, 1), and on drawn ones: a scalar."""
        raise NotImplementedError

    def generator_loss(self, batch: Batch) -> dict[str, Any]:
        """What the generator loses: scalars by name, which add up."""
        raise NotImplementedError

    def train_step(self, batch: Batch) -> dict[str, Any]:
        import tensorflow as tf

        parts = [
            {name: value[number :: self.critic_steps] for name, value in batch.items()}
            for number in range(self.critic_steps)
        ]
        for part in parts:
            with tf.GradientTape() as tape:
                judged = self.discriminator_loss(ops.cast(part["image"], "float32"), part)
            _apply(self.discriminator_optimizer, tape, judged, self.judging_variables())
            self.after_discriminator_step()
        with tf.GradientTape() as tape:
            losses = self.generator_loss(parts[-1])
            total = sum(losses.values())
        _apply(self.optimizer, tape, total, self.drawing_variables())
        named = {f"generator_{name}": value for name, value in losses.items()}
        return {"loss": total + judged, "discriminator": judged, **named}

    def after_discriminator_step(self) -> None:
        """Called after each step of the discriminator."""


def _apply(
    optimizer: keras.optimizers.Optimizer, tape: Any, loss: Any, variables: list[keras.Variable]
) -> None:
    gradients = tape.gradient(loss, [variable.value for variable in variables])
    optimizer.apply(gradients, variables)


def gradient(function: Callable[[Any], Any], inputs: Any) -> Any:
    """The gradient of the sum of `function(inputs)` with respect to `inputs`, itself differentiable."""
    import tensorflow as tf

    with tf.GradientTape() as tape:
        tape.watch(inputs)
        outputs = function(inputs)
    return tape.gradient(outputs, inputs)


def of_floats(model: keras.Model, scaled: str) -> keras.Model:
    """A model of pictures, uint8, as one of float32 pictures in 0 ... 255, whose slope is known.

    Keras casts what a model is given to the kind of its inputs, and a cast to whole numbers has no slope.

    Args:
        model: From one picture.
        scaled: Its layer that takes the picture.
    """
    scaling = model.get_layer(scaled)
    picture = keras.Input(scaling.input.shape[1:], name="picture")
    rest = keras.Model(scaling.output, model.output)
    return keras.Model(picture, rest(scaling(picture)))


class Gan(Adversarial):
    """Goodfellow's game, with the generator's loss that does not saturate.

    Args:
        generator: From noise to a picture.
        judge: The discriminator, which gives logits; None for the note's.
    """

    def __init__(self, generator: keras.Model, judge: keras.Model | None = None) -> None:
        size = generator.output["image"].shape[1]
        super().__init__(generator, judge or discriminator(size))

    def discriminator_loss(self, real: Any, batch: Batch) -> Any:
        drawn = ops.stop_gradient(self.draw(batch))
        return surprise(self.judge(real, batch), 1.0) + surprise(self.judge(drawn, batch), 0.0)

    def generator_loss(self, batch: Batch) -> dict[str, Any]:
        return {"adversarial": surprise(self.judge(self.draw(batch), batch), 1.0)}


def surprise(logits: Any, expected: float) -> Any:
    """The mean binary cross-entropy of logits of any shape where all should say `expected`: a scalar."""
    return ops.mean(ops.binary_crossentropy(ops.full_like(logits, expected), logits, from_logits=True))


def gap(real: Any, drawn: Any, ink: float = 0.0) -> Any:
    """The mean absolute difference of pictures in -1 ... 1.

    Most of a picture is paper: where all counts alike, a thin stroke that may lie here or there costs the least where
    it is faint.

    Args:
        real: float32 (N, H, W, C) in 0 ... 255.
        drawn: The same.
        ink: How much more the blackest ink of the real pictures weighs than paper.

    Returns:
        A scalar.
    """
    weights = 1 + ink * (1 - real / 255)
    return ops.sum(weights * ops.abs(real - drawn)) / ops.sum(weights) / 127.5


def coarse_gap(real: Any, drawn: Any, ink: float = 0.0) -> Any:
    """`gap` of coarse pictures, means of 4 by 4 pixels: it forgives a stroke its place."""
    return gap(ops.average_pool(real, 4), ops.average_pool(drawn, 4), ink)
