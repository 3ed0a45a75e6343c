"""A narrower HanziNet that starts from the channels that matter most in a wide one.

References:
    Li et al. 2017, pruning of whole filters, https://arxiv.org/abs/1608.08710
    Liu et al. 2017, the scale of batch normalisation as the worth of a channel, https://arxiv.org/abs/1708.06519
    Jaderberg et al. 2014, low-rank factors of a trained layer, https://arxiv.org/abs/1405.3866
"""

import keras
import numpy as np


def narrow(model: keras.Model, narrower: keras.Model) -> None:
    """Gives a HanziNet the weights of the most important channels of a wider one, before it trains on.

    The worth of a channel is the strength of its signal (from its batch normalisation) times the norm of the
    weights that read it. The embedding keeps the directions that tell most about the scores.

    Args:
        model: A HanziNet of plain blocks.
        narrower: The same with fewer channels, or a smaller embedding.

    Raises:
        ValueError: The two differ in more than their widths, or `narrower` is wider.
    """
    names = [layer.name for layer in model.layers if layer.weights]
    if names != [layer.name for layer in narrower.layers if layer.weights]:
        raise ValueError("`narrower` must have the layers of `model`, only narrower.")
    for layer in narrower.layers:
        for new, old in zip(layer.weights, model.get_layer(layer.name).weights, strict=True):
            if any(n > o for n, o in zip(new.shape, old.shape, strict=True)):
                raise ValueError(
                    f"`narrower` must not be wider than `model`. Received: {new.path} of {new.shape}."
                )
    _Narrowing(model, narrower).run()


class _Narrowing:
    def __init__(self, model: keras.Model, narrower: keras.Model) -> None:
        self.model, self.narrower = model, narrower

    def run(self) -> None:
        downs = [layer.name for layer in self.model.layers if layer.name.endswith("_down")]
        kept = np.arange(1)
        for number, down in enumerate(downs):
            following = downs[number + 1] if number + 1 < len(downs) else "places"
            stage = down.removesuffix("down")
            ends = [name for name in self._convolutions(stage) if name.endswith("_b")]
            # A stage's convolutions write to one map, through their shortcuts.
            best = self._best(down, [down, *ends], [*(end[:-1] + "a" for end in ends), following])
            self._convolution(down, kept, best)
            for end in ends:
                start = end[:-1] + "a"
                inner = self._best(start, [start], [end])
                self._convolution(start, best, inner)
                self._convolution(end, inner, best)
            kept = best
        self._set("places", [self._weights("places")[0][:, :, kept]])
        self._head(kept)

    def _convolutions(self, stage: str) -> list[str]:
        return [layer.name for layer in self.model.layers if layer.name.startswith(stage) and layer.weights]

    def _weights(self, name: str) -> list[np.ndarray]:
        return self.model.get_layer(name).get_weights()

    def _set(self, name: str, weights: list[np.ndarray]) -> None:
        self.narrower.get_layer(name).set_weights(weights)

    def _best(self, name: str, writers: list[str], readers: list[str]) -> np.ndarray:
        """The channels that stay of the map that `writers` write and `readers` read, in their order."""
        norms = [self._weights(f"{writer}_norm") for writer in writers]
        strength = sum(np.hypot(gamma, beta) for gamma, beta, _, _ in norms)
        read = sum(np.square(self._weights(reader)[0]).sum((0, 1, 3)) for reader in readers)
        number = self.narrower.get_layer(name).weights[0].shape[-1]
        return np.sort(np.argsort(-strength * np.sqrt(read), kind="stable")[:number])

    def _convolution(self, name: str, read: np.ndarray, written: np.ndarray) -> None:
        (kernel,) = self._weights(name)
        self._set(name, [kernel[:, :, read][..., written]])
        self._set(f"{name}_norm", [weights[written] for weights in self._weights(f"{name}_norm")])

    def _head(self, kept: np.ndarray) -> None:
        (kernel,), (scores, bias) = self._weights("embedding"), self._weights("scores")
        layer = self.model.get_layer("embedding_norm")
        gamma, beta, mean, variance = layer.get_weights()
        scale = gamma / np.sqrt(variance + layer.epsilon)
        # What the scores read has about the spread of gamma in each direction.
        directions, _, _ = np.linalg.svd(np.abs(gamma)[:, None] * scores, full_matrices=False)
        directions = directions[:, : self.narrower.get_layer("scores").kernel.shape[0]]
        back = directions * np.abs(gamma)[:, None]
        forth = directions / np.maximum(np.abs(gamma), 1e-6)[:, None]
        self._set("embedding", [(kernel[kept] * scale) @ forth])
        ones = np.ones(directions.shape[1], np.float32)
        self._set("embedding_norm", [ones, beta @ forth, (mean * scale) @ forth, ones - layer.epsilon])
        self._set("scores", [back.T @ scores, bias])
