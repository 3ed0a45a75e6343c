"""Writes a model repository for TensorFlow Serving.

    DIR/NAME/1, DIR/NAME/2 ...   versions: a SavedModel each, with warm-up requests
    DIR/models.config            which models are served, and the labels of their versions
    DIR/batching.config          how the server puts requests together
    DIR/docker-compose.yml       starts the official image over DIR

The label `canary` is always on the newest version. `stable` begins on the first and moves when
`promote` says so. All versions in the folder stay loaded: a server refuses to move a label to a
version that it has not loaded yet, and would never load one that the same change must name. Delete
the folder of a version without a label to free its memory.

Needs `pip install -e '.[train]'` in the clone of hanzoo and `pip install --no-deps tensorflow-serving-api`, on Linux or macOS.
"""

import contextlib
import fcntl
import os
import re
import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import tensorflow as tf
from google.protobuf import text_format
from tensorflow.core.framework import tensor_pb2, types_pb2
from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2

import zoo
from serving.endpoint import DEFAULT_SIGNATURE, MAX_BATCH

try:
    from tensorflow_serving.apis import model_pb2, predict_pb2, prediction_log_pb2
    from tensorflow_serving.config import model_server_config_pb2
except ModuleNotFoundError as error:
    raise ImportError(
        f"{error.name} is not installed; a repository for TensorFlow Serving needs "
        "`pip install --no-deps tensorflow-serving-api`"
    ) from error

STABLE, CANARY = "stable", "canary"

IMAGE = "tensorflow/serving:2.21.0"
"""The server; as old as the TensorFlow that writes the models, or newer."""

_WARM_PIXELS = MAX_BATCH * 64 * 64  # Larger pictures warm the server up in smaller batches.
_ANY_SIDE = 256  # Stands for a side that the model leaves open.

_BATCHING = f"""\
# BatchingParameters of TensorFlow Serving.
# A request may hold as many pictures as this, and requests that arrive together are run as one.
max_batch_size {{ value: {MAX_BATCH} }}
# How long a request waits for others.
batch_timeout_micros {{ value: 1000 }}
# When so many batches wait, the server answers UNAVAILABLE, and clients come again after a pause.
max_enqueued_batches {{ value: 100 }}
"""

_COMPOSE = f"""\
# docker compose up
# There is no password: the ports are open to this machine only.
services:
  tf-serving:
    image: {IMAGE}
    restart: unless-stopped
    ports:
      - "127.0.0.1:8500:8500" # gRPC
      - "127.0.0.1:8501:8501" # REST
    volumes:
      - .:/models:ro
    command:
      - --model_config_file=/models/models.config
      - --model_config_file_poll_wait_seconds=5
      # A server that starts has no version loaded when it reads the labels.
      - --allow_version_labels_for_unavailable_models=true
      - --enable_batching=true
      - --batching_parameters_file=/models/batching.config
"""

_HEADER = (
    "# ModelServerConfig of TensorFlow Serving, written by hanzoo, which keeps what is edited but comments.\n"
)


def export(preset: str | Path, folder: Path, mount: str = "/models") -> Path:
    """Adds a trained model to a repository as its next version. `preset` stays as it is.

    What is known of the model goes along as `assets.extra/result.json` and `card.md`, so that
    `Reader("DIR/NAME/1/assets.extra", endpoint=...)` knows its temperatures.

    Args:
        preset: Name of a preset, or a folder that `zoo.load` takes; its last part names the model.
        folder: The repository; made if needed.
        mount: Where the server sees `folder`; the docker compose file mounts it at "/models".

    Returns:
        The folder of the new version.

    Raises:
        ValueError: There is no such model, or its name cannot stand in an address.
        OSError: The repository cannot be written; no part of a version is left in it.
    """
    # Imported here: `promote` needs nothing of training.
    from serving.export import deployed, saved_model

    model = deployed(zoo.load(preset))
    bundled = zoo.PRESETS / preset
    source = bundled if (bundled / "result.json").is_file() else Path(preset)

    def write(target: Path) -> None:
        saved_model(model, target)
        extra = target / "assets.extra"
        extra.mkdir(exist_ok=True)
        for name in ("result.json", "card.md"):
            if (source / name).is_file():
                shutil.copyfile(source / name, extra / name)

    return add_version(write, folder, source.resolve().name, mount)


def add_version(write: Callable[[Path], None], folder: Path, name: str, mount: str = "/models") -> Path:
    """Adds a SavedModel to a repository as the next version of `name`.

    The server polls the folder each second. A version appears whole or not at all, and exporters
    that run at the same time get numbers of their own.

    Args:
        write: Writes a SavedModel whose `serving_default` takes pictures into the folder that it is
            given, which does not exist.
        folder: The repository; made if needed.
        name: Name of the model.
        mount: Where the server sees `folder`.

    Returns:
        The folder of the new version.

    Raises:
        ValueError: `name` cannot stand in an address, or models.config is damaged.
        OSError: The repository cannot be written; no part of a version is left in it.
    """
    if not re.fullmatch(r"[\w-][\w.-]*", name, re.ASCII):
        raise ValueError(f"`name` must be letters, digits, '_', '-' and '.'. Received: name={name!r}.")
    versions = folder / name
    versions.mkdir(parents=True, exist_ok=True)
    # The server takes only numbers for versions. `tempfile` would let no other user read the folder.
    temporary = versions / f"writing-{uuid.uuid4().hex}"
    try:
        write(temporary)
        _write_warm_up(temporary, name)
        _sync(temporary)
        with _locked(folder):
            config = _read_config(folder)
            for file, content in (("batching.config", _BATCHING), ("docker-compose.yml", _COMPOSE)):
                if not (folder / file).exists():  # A user may have tuned it.
                    _replace(folder / file, content)
            number = max(_numbers(versions), default=0) + 1
            target = versions / str(number)
            temporary.rename(target)
            _sync_path(versions)
            _label(config, name, number, mount)
            _replace(folder / "models.config", _HEADER + text_format.MessageToString(config))
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return target


def promote(folder: Path, name: str, version: int | None = None) -> int:
    """Moves the label `stable` to a version; an earlier one rolls back.

    Args:
        folder: The repository.
        name: Name of the model.
        version: The version; None for the newest.

    Returns:
        The version that is stable now.

    Raises:
        ValueError: There is no such repository, model or version.
    """
    if not (folder / "models.config").is_file():
        raise ValueError(f"{folder}: no repository of TensorFlow Serving: it has no models.config.")
    with _locked(folder):
        config = _read_config(folder)
        models = {entry.name: entry for entry in config.model_config_list.config}
        if name not in models:
            hint = zoo.did_you_mean(name, models)
            raise ValueError(f"{folder}: no model named {name!r} is served.{hint}")
        numbers = _numbers(folder / name)
        chosen = max(numbers, default=0) if version is None else version
        if chosen not in numbers:
            raise ValueError(
                f"{folder}: {name!r} has no version {chosen}; it has {', '.join(map(str, sorted(numbers)))}."
            )
        models[name].version_labels[STABLE] = chosen
        _replace(folder / "models.config", _HEADER + text_format.MessageToString(config))
    return chosen


def _label(config: model_server_config_pb2.ModelServerConfig, name: str, number: int, mount: str) -> None:
    """Puts a new version into the configuration."""
    entries = config.model_config_list.config
    entry = next((entry for entry in entries if entry.name == name), None)
    if entry is None:
        entry = entries.add(name=name, base_path=f"{mount}/{name}", model_platform="tensorflow")
        entry.model_version_policy.all.SetInParent()
    if STABLE not in entry.version_labels:
        entry.version_labels[STABLE] = number
    entry.version_labels[CANARY] = number


def _read_config(folder: Path) -> model_server_config_pb2.ModelServerConfig:
    config = model_server_config_pb2.ModelServerConfig()
    file = folder / "models.config"
    if file.exists():
        try:
            text_format.Parse(file.read_text(encoding="utf-8"), config)
        except (text_format.ParseError, UnicodeDecodeError) as error:
            raise ValueError(f"{file}: no configuration of TensorFlow Serving ({error}); mend it") from error
    return config


def _numbers(versions: Path) -> set[int]:
    return {int(entry.name) for entry in versions.iterdir() if re.fullmatch("[0-9]+", entry.name)}


# ------------------------------------------------------------------------------------ warm-up requests


def _write_warm_up(model: Path, name: str) -> None:
    """Writes the requests that the server answers itself before it lets clients in."""
    extra = model / "assets.extra"
    extra.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(extra / "tf_serving_warmup_requests")) as writer:
        signatures = _signatures(model)
        picture = _picture(signatures[DEFAULT_SIGNATURE])
        most = max(1, min(MAX_BATCH, _WARM_PIXELS // (picture[0] * picture[1])))
        for signature, definition in signatures.items():
            for count in sorted({1, most}):
                request = predict_pb2.PredictRequest(
                    model_spec=model_pb2.ModelSpec(name=name, signature_name=signature),
                    inputs={key: _blank(entry, picture, count) for key, entry in definition.inputs.items()},
                )
                log = prediction_log_pb2.PredictionLog(
                    predict_log=prediction_log_pb2.PredictLog(request=request)
                )
                writer.write(log.SerializeToString())


def _signatures(model: Path) -> dict[str, meta_graph_pb2.SignatureDef]:
    """The signatures of a SavedModel that take inputs; the others initialise it."""
    content = saved_model_pb2.SavedModel.FromString((model / "saved_model.pb").read_bytes())
    signatures = content.meta_graphs[0].signature_def
    return {name: signature for name, signature in signatures.items() if signature.inputs}


def _picture(signature: meta_graph_pb2.SignatureDef) -> list[int]:
    """The shape of one picture that a signature takes, sides that may vary filled in."""
    (entry,) = signature.inputs.values()
    return [_ANY_SIDE if side.size < 0 else side.size for side in entry.tensor_shape.dim[1:]]


def _blank(entry: meta_graph_pb2.TensorInfo, picture: list[int], count: int) -> tensor_pb2.TensorProto:
    """`count` blank pictures, as pixels or as PNG. A tensor repeats its one value to fill its shape."""
    if entry.dtype == types_pb2.DT_STRING:
        png = cv2.imencode(".png", np.full(picture, 255, np.uint8))[1].tobytes()
        shape = tf.TensorShape([count]).as_proto()
        return tensor_pb2.TensorProto(dtype=entry.dtype, tensor_shape=shape, string_val=[png])
    shape = tf.TensorShape([count, *picture]).as_proto()
    return tensor_pb2.TensorProto(dtype=entry.dtype, tensor_shape=shape, int_val=[255])


# ---------------------------------------------------------------------------------------------- files


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Keeps other exporters out of the repository; the lock ends with the process that holds it."""
    with open(folder / ".lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _replace(file: Path, content: str) -> None:
    """Writes a file that appears whole or not at all."""
    temporary = file.with_name(f".{file.name}-{uuid.uuid4().hex}")
    try:
        temporary.write_text(content, encoding="utf-8")
        _sync_path(temporary)
        temporary.replace(file)
    finally:
        temporary.unlink(missing_ok=True)
    _sync_path(file.parent)


def _sync(folder: Path) -> None:
    """Brings a folder and all that is in it to the disk."""
    for path in [*folder.rglob("*"), folder]:
        _sync_path(path)


def _sync_path(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
