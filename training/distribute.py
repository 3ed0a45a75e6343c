"""Training on several devices, or on several machines, with what Keras and TensorFlow have for it.

Across `devices` trains on all devices of this machine: `keras.distribution` with JAX,
`tf.distribute.MirroredStrategy` with TensorFlow. Across `machines` one process runs on each machine, with
JAX. Either way a device takes an equal part of each batch, so that the joint batch is the one of the
recipe; each process draws the whole batch and keeps its part.

With JAX the devices compute one program: batch normalisation sees the joint batch, and the losses are
those of one device. With TensorFlow each device normalises its part by itself, and `clip_norm` holds for
the gradient of each part.
"""

import contextlib
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import keras
import numpy as np

import zoo

Across = Literal["devices", "machines"]


def start(across: Across | None, batch_size: int) -> contextlib.AbstractContextManager:
    """Finds the devices; to be called before anything is computed.

    Across machines, Keras takes the address of the first process, the number of processes and the
    number of this one from `KERAS_DISTRIBUTION_JOB_ADDRESSES`, `KERAS_DISTRIBUTION_NUM_PROCESSES` and
    `KERAS_DISTRIBUTION_PROCESS_ID`; where they are not set, JAX asks Slurm, Open MPI, Kubernetes or the TPU.

    Args:
        across: What to train on; None for one device.
        batch_size: Of the joint batch.

    Returns:
        The scope in which the model is to be made and compiled.

    Raises:
        ValueError: The backend cannot do it, the batch cannot be divided, or the other machines are not
            told of.
    """
    if across is None:
        return contextlib.nullcontext()
    if keras.backend.backend() == "jax":
        if across == "machines":
            _join()
        devices = len(keras.distribution.list_devices())
        keras.distribution.set_distribution(keras.distribution.DataParallel())
        scope = contextlib.nullcontext()
    elif keras.backend.backend() == "tensorflow" and across == "devices":
        import tensorflow as tf

        strategy = tf.distribute.MirroredStrategy()
        devices = strategy.num_replicas_in_sync
        scope = strategy.scope()
    else:
        raise ValueError(
            f"Training across {across} needs the backend JAX: pip install jax, and set KERAS_BACKEND=jax. "
            f"Received: {keras.backend.backend()}."
        )
    if batch_size % devices:
        raise ValueError(
            f"`batch_size` must be a multiple of the {devices} devices. Received: batch_size={batch_size}."
        )
    return scope


def _join() -> None:
    """Meets the other processes."""
    try:
        keras.distribution.initialize()
    except ValueError as error:
        raise ValueError(
            "The other machines are not known. Set KERAS_DISTRIBUTION_JOB_ADDRESSES=HOST:PORT of the first "
            f"process, KERAS_DISTRIBUTION_NUM_PROCESSES and KERAS_DISTRIBUTION_PROCESS_ID. ({error})"
        ) from error


def is_first() -> bool:
    """Whether this process is the one that writes files."""
    return _process() == 0


def gather(value: np.generic) -> list:
    """The values of all processes, in their order. All must call it; none goes on before the last one has."""
    if _processes() == 1:
        return [value.item()]
    from jax.experimental import multihost_utils

    return np.asarray(multihost_utils.process_allgather(np.asarray(value))).tolist()


def check_shared(file: Path) -> None:
    """Makes sure that all processes see the same file, or all none.

    Raises:
        ValueError: They do not.
    """
    digest = zlib.crc32(file.read_bytes()) if file.exists() else 0
    if len(set(gather(np.uint32(digest)))) > 1:
        raise ValueError(f"{file}: must be the same file for all processes, in a folder that they share.")


class OneDevice:
    """A model as one device of this process runs it, for figures and pictures.

    Each process computes them for itself, so no size of the validation data has to be divided.

    Args:
        model: From `zoo.create` or `zoo.load`; trained across devices or not.
    """

    def __init__(self, model: keras.Model) -> None:
        self._model = model
        self._copy: keras.Model | None = None

    @contextlib.contextmanager
    def current(self) -> Iterator[keras.Model]:
        """The model with the weights of now; the model itself where it is on one device already."""
        distribution = keras.distribution.distribution()
        strategy = getattr(self._model, "distribute_strategy", None)
        if distribution is None and (strategy is None or strategy.num_replicas_in_sync == 1):
            yield self._model
            return
        weights = self._model.get_weights()
        keras.distribution.set_distribution(None)
        try:
            if self._copy is None:
                built = self._model.built_by_zoo
                self._copy = zoo.create(built["model"], **built["sizes"])
                for copied, layer in zip(
                    self._copy._flatten_layers(), self._model._flatten_layers(), strict=True
                ):
                    copied.trainable = layer.trainable
            self._copy.set_weights(weights)
            yield self._copy
        finally:
            keras.distribution.set_distribution(distribution)


def _process() -> int:
    if keras.backend.backend() != "jax":
        return 0
    import jax

    return jax.process_index()


def _processes() -> int:
    if keras.backend.backend() != "jax":
        return 1
    import jax

    return jax.process_count()
