"""A wider or deeper HanziNet that starts as the function that a smaller one has learned.

References:
    Chen et al. 2016, networks that grow and keep their function, https://arxiv.org/abs/1511.05641
    Evci et al. 2022, new channels that nothing reads at first, https://arxiv.org/abs/2201.05125
    Goyal et al. 2017, residual blocks that start as nothing, https://arxiv.org/abs/1706.02677
"""

import re

import keras

_PLAIN = re.compile("_[ab](_norm)?$")
"""How the names of the layers of a plain block end."""


def widen(model: keras.Model, wider: keras.Model) -> None:
    """Gives a fresh HanziNet the weights of a smaller one, before it trains on.

    What was there before reads nothing of a new channel, and a new block adds nothing, so the outputs are those of
    `model` until training says otherwise. A new channel reads the old ones by its fresh weights.

    Args:
        model: A HanziNet of plain blocks.
        wider: The same with more channels, a larger embedding, or more blocks in a stage; fresh.

    Raises:
        ValueError: `wider` lacks a layer of `model`, is narrower, or differs in more than the above.
    """
    for layer in (*model.layers, *wider.layers):
        if "_block" in layer.name and layer.weights and not _PLAIN.search(layer.name):
            raise ValueError(f"Both must be networks of plain blocks. Received: {layer.name}.")
    known = {layer.name: layer.get_weights() for layer in model.layers if layer.weights}
    found = {layer.name: [tuple(weight.shape) for weight in layer.weights] for layer in wider.layers}
    for name, weights in known.items():
        shapes = found.get(name, [])
        if len(shapes) != len(weights) or any(
            not _holds(shape, weight.shape, name) for shape, weight in zip(shapes, weights, strict=True)
        ):
            raise ValueError(
                "`wider` must have the layers of `model`, as wide or wider, for the same pictures and classes. "
                f"Received: {name} of {shapes}."
            )
    new = {name for name, shapes in found.items() if shapes} - set(known)
    if any("_block" not in name for name in new):
        raise ValueError(
            f"`wider` may only have more blocks than `model`. Received: {', '.join(sorted(new))}."
        )
    for layer in wider.layers:
        weights = layer.get_weights()
        if layer.name in known:
            for weight, old in zip(weights, known[layer.name], strict=True):
                written = old.shape[-1]
                if weight.ndim > 1 and layer.name != "places":  # A depthwise kernel mixes no channels.
                    weight[..., :written] = 0
                weight[tuple(map(slice, old.shape))] = old
        elif layer.name.endswith("_b_norm"):
            weights[0][:] = 0  # What the block adds is nothing.
        layer.set_weights(weights)


def _holds(shape: tuple[int, ...], old: tuple[int, ...], name: str) -> bool:
    """Whether a weight has room for an old one in its channels, and is as large otherwise."""
    if len(shape) != len(old) or (name == "scores" and shape[-1] != old[-1]):
        return False
    return shape[:-2] == old[:-2] and all(n >= o for n, o in zip(shape, old, strict=True))
