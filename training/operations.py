"""How much a model computes."""

import keras


def multiply_adds(model: keras.Model) -> int:
    """Multiplications of one picture in convolutions and dense layers; the papers call them FLOPs.

    Raises:
        ValueError: A shape is not known, such as a variable width.
    """
    total = 0
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            total += multiply_adds(layer)
            continue
        kernels = [weight for weight in layer.weights if weight.name == "kernel"]
        if not kernels:
            continue
        shape = layer.output.shape
        if None in shape[1:]:
            raise ValueError(f"The output of {layer.name!r} must have a known shape. Received: {shape}.")
        places = 1
        if isinstance(layer, keras.layers.Conv2D | keras.layers.DepthwiseConv2D):
            places = shape[1] * shape[2]
        total += places * kernels[0].numpy().size
    return total
