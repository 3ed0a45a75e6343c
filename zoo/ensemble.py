"""Ensembles: several classifiers that answer together, as one model.

Logits are combined rather than probabilities, so that the result quantises like any classifier; their
average is the geometric mean of the probabilities.

Reference:
    Dietterich 2000, https://doi.org/10.1007/3-540-45014-9_1
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import keras
from keras import layers, ops

import zoo
from zoo import layers as blocks

NOTE = (
    ("vgg16", {"width": 0.25, "dense": 512, "normalise": True}),
    ("efficientnet_b0", {"embedding": 128}),
)
"""The two networks that the research note plans to join, at sizes for small grey glyphs."""


@keras.saving.register_keras_serializable(package="hanzoo")
class WeightedSum(layers.Layer):
    """Sums tensors of one shape, each times a factor; at first the factors are equal and add up to 1."""

    def build(self, shapes: Sequence[tuple[int | None, ...]]) -> None:
        start = keras.initializers.Constant(1 / len(shapes))
        self.factors = self.add_weight(shape=(len(shapes),), initializer=start, name="factors")

    def call(self, inputs: Sequence[Any]) -> Any:
        return sum(self.factors[index] * value for index, value in enumerate(inputs))


def ensemble(
    classes: int,
    size: int = 64,
    channels: int = 1,
    members: Sequence[tuple[str, Mapping[str, Any]]] = NOTE,
    combine: Literal["average", "weighted", "maximum"] = "average",
) -> keras.Model:
    """Several classifiers of one picture, joined.

    Args:
        classes: Number of classes of each member.
        size: Side of the image in pixels; members of another `size` see it resized.
        channels: 1 for grey, 3 for RGB.
        members: Name in `zoo.names()` and sizes of each member.
        combine: How their logits become one: `average`; `weighted`, whose factors
            `training.weigh.fit` finds on validation data; or `maximum`.

    Returns:
        A model from `image`, uint8 (N, size, size, channels), dark ink on light paper, to
        `{"logits": float32 (N, classes)}`.

    Raises:
        ValueError: There are fewer than two members, `combine` is unknown, or a member takes grey pictures only
            and `channels` is 3.
    """
    if len(members) < 2:
        raise ValueError(f"`members` must be at least two. Received: {members}.")
    joins = {"average": layers.Average, "weighted": WeightedSum, "maximum": layers.Maximum}
    if combine not in joins:
        raise ValueError(f"`combine` must be one of {sorted(joins)}. Received: combine={combine!r}.")
    image = keras.Input((size, size, channels), dtype="uint8", name="image")
    logits = []
    for index, (name, sizes) in enumerate(members):
        model = zoo.create(name, **{"classes": classes, "size": size, **_channels(name, channels), **sizes})
        # Two members of one name would clash.
        member = keras.Model(model.input, model.output, name=f"member{index}_{name}")
        logits.append(member(_resized(image, size, model.input_shape[1], index))["logits"])
    return keras.Model(image, blocks.named_logits(joins[combine](name="joined")(logits)), name="ensemble")


def of(
    models: Sequence[keras.Model], combine: Literal["average", "weighted", "maximum"] = "average"
) -> keras.Model:
    """The ensemble of trained models of the zoo, with their weights.

    Args:
        models: Classifiers from `zoo.create` or `zoo.load`, with the same classes and channels.
        combine: As in `ensemble`.

    Raises:
        ValueError: One is no classifier of pictures, or they differ in their classes or channels.
    """
    kinds = [(model.output["logits"].shape, model.input_shape[-1]) for model in models if _classifies(model)]
    if len(kinds) < len(models) or len(set(kinds)) > 1:
        received = ", ".join(model.built_by_zoo["model"] for model in models)
        raise ValueError(
            "`models` must classify pictures, with the same classes and channels. "
            f"Received: {received}; logits and channels {kinds}."
        )
    sizes = [{**model.built_by_zoo["sizes"], "size": model.input_shape[1]} for model in models]
    members = [(model.built_by_zoo["model"], size) for model, size in zip(models, sizes, strict=True)]
    joined = zoo.create(
        "ensemble",
        classes=sizes[0]["classes"],
        size=max(size["size"] for size in sizes),
        channels=models[0].input_shape[-1],
        members=members,
        combine=combine,
    )
    inner = [layer for layer in joined.layers if isinstance(layer, keras.Model)]
    for member, model in zip(inner, models, strict=True):
        member.set_weights(model.get_weights())
    return joined


def _classifies(model: keras.Model) -> bool:
    """Whether a model takes one square picture and gives one answer."""
    shapes = [tensor.shape for tensor in model.inputs]
    square = len(shapes) == 1 and len(shapes[0]) == 4 and shapes[0][1] == shapes[0][2] is not None
    return square and "logits" in model.output and len(model.output["logits"].shape) == 2


def _channels(name: str, channels: int) -> dict[str, int]:
    """What tells a builder the channels; readers of handwriting such as HanziNet take grey and are not asked."""
    if zoo.takes(name, "channels"):
        return {"channels": channels}
    if channels != 1:
        raise ValueError(
            f"`channels` must be 1 with {name}, which takes grey pictures. Received: {channels=}."
        )
    return {}


def _resized(image: keras.KerasTensor, size: int, wanted: int, index: int) -> keras.KerasTensor:
    if size == wanted:
        return image
    resized = layers.Resizing(wanted, wanted, name=f"member{index}_resized")(image)
    return ops.cast(ops.round(resized), "uint8")
