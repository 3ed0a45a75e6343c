"""A stand-in for the program tensorflow_model_server, made of the SavedModels of a repository.

It speaks the gRPC and the REST of TensorFlow Serving, with its statuses and its words, as far as the
client and the tests of its documentation need them. The same tests run against the real program
where it is on the PATH (`real`).
"""

import base64
import contextlib
import json
import re
import shutil
import socket
import subprocess
import threading
import time
import urllib.parse
from collections.abc import Iterator
from concurrent import futures
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import grpc
import numpy as np
import tensorflow as tf
from google.protobuf import json_format, text_format
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)
from tensorflow_serving.config import model_server_config_pb2

HTTP_STATUSES = {
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "NOT_FOUND": 404,
    "RESOURCE_EXHAUSTED": 429,
    "UNAVAILABLE": 503,
    "INTERNAL": 500,
}
MAX_BATCH = 64
SLOW = 1.0  # seconds


class Refused(Exception):  # noqa: N818
    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Version:
    """One SavedModel that is loaded."""

    def __init__(self, folder: Path) -> None:
        self.number = int(folder.name)
        self._model = tf.saved_model.load(str(folder))
        self._functions = dict(self._model.signatures)
        content = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())
        self.definitions = content.meta_graphs[0].signature_def

    def run(self, signature: str, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        if signature not in self._functions:
            raise Refused(
                "INVALID_ARGUMENT", f'Serving signature name: "{signature}" not found in signature def'
            )
        wanted = self.definitions[signature].inputs
        if set(wanted) != set(inputs):
            raise Refused(
                "INVALID_ARGUMENT",
                f"input size does not match signature: {len(inputs)}!={len(wanted)} len({{{','.join(inputs)}}}) "
                f"!= len({{{','.join(wanted)}}}). Sent extra: {{}}. Missing but required: {{}}.",
            )
        counts = {len(value) if value.ndim else None for value in inputs.values()}
        if len(counts) > 1 or None in counts:
            raise Refused(
                "INVALID_ARGUMENT", "Batching Run() input tensors must have equal 0th-dimension size"
            )
        if max(counts) > MAX_BATCH:
            raise Refused(
                "INVALID_ARGUMENT",
                f"Task size {max(counts)} is larger than maximum input batch size {MAX_BATCH}",
            )
        try:
            tensors = {
                key: tf.constant(value, tf.as_dtype(wanted[key].dtype)) for key, value in inputs.items()
            }
            return {key: value.numpy() for key, value in self._functions[signature](**tensors).items()}
        except (TypeError, ValueError, tf.errors.InvalidArgumentError) as error:
            raise Refused("INVALID_ARGUMENT", f"Matrix size-incompatible: 'image': {error}") from error


class Server:
    """Serves a repository on free ports of this machine.

    Attributes:
        rest: host:port of REST.
        grpc: host:port of gRPC.
        faults: What goes wrong with the next requests, one each: the name of a status, "slow",
            "half" (an answer), "malformed", "other" (an answer to another question) or "hang up".
        requests: The predictions that were asked for, as (way, signature, bytes, pictures).
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.faults: list[str] = []
        self.requests: list[tuple[str, str, int, int]] = []
        self.models: dict[str, dict[int, Version]] = {}
        self.labels: dict[str, dict[str, int]] = {}
        self.poll()
        self._grpc = grpc.server(
            futures.ThreadPoolExecutor(4), options=[("grpc.max_receive_message_length", -1)]
        )
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(_Predictions(self), self._grpc)
        model_service_pb2_grpc.add_ModelServiceServicer_to_server(_Models(self), self._grpc)
        self.grpc = f"127.0.0.1:{self._grpc.add_insecure_port('127.0.0.1:0')}"
        handler = type("Handler", (_Handler,), {"owner": self})
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.rest = f"127.0.0.1:{self._http.server_port}"

    def __enter__(self) -> "Server":
        self._grpc.start()
        threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._grpc.stop(None).wait()
        self._http.shutdown()
        self._http.server_close()

    def poll(self) -> None:
        """Reads models.config and the folders of versions anew, as the program does now and then.

        Raises:
            Refused: A label moves to a version that is not loaded; nothing changes then.
        """
        config = model_server_config_pb2.ModelServerConfig()
        text_format.Parse((self.folder / "models.config").read_text(encoding="utf-8"), config)
        for entry in config.model_config_list.config:
            loaded, before = self.models.get(entry.name, {}), self.labels.get(entry.name, {})
            for label, number in entry.version_labels.items():
                if number not in loaded and before.get(label, number) != number:
                    raise Refused(
                        "FAILED_PRECONDITION",
                        f"Request to assign label to version {number} of model {entry.name}, "
                        "which is not currently available for inference",
                    )
        for entry in config.model_config_list.config:
            self.labels[entry.name] = dict(entry.version_labels)
            self.load(entry.name)

    def load(self, name: str) -> None:
        """Loads the versions of a model that are new, which happens whatever models.config says."""
        loaded = self.models.setdefault(name, {})
        for folder in (self.folder / name).iterdir():
            if folder.name.isdecimal() and int(folder.name) not in loaded:
                loaded[int(folder.name)] = Version(folder)

    def find(self, name: str, version: int | None, label: str | None) -> Version:
        if label is not None:
            if label not in self.labels.get(name, {}):
                raise Refused("INVALID_ARGUMENT", f"Unrecognized servable version label: {label}")
            version = self.labels[name][label]
        versions = self.models.get(name, {})
        number = max(versions, default=0) if version is None else version
        if number not in versions:
            wanted = f"Latest({name})" if version is None else f"Specific({name}, {version})"
            raise Refused("NOT_FOUND", f"Servable not found for request: {wanted}")
        return versions[number]

    def status(
        self, name: str, version: int | None, label: str | None
    ) -> get_model_status_pb2.GetModelStatusResponse:
        if version is not None or label is not None:
            numbers = [self.find(name, version, label).number]
        else:
            numbers = sorted(self.models.get(name, {}), reverse=True)
        if not numbers:
            raise Refused("NOT_FOUND", f"Could not find any versions of model {name}")
        reply = get_model_status_pb2.GetModelStatusResponse()
        for number in numbers:
            reply.model_version_status.add(version=number, state="AVAILABLE").status.SetInParent()
        return reply

    def fault(self) -> str:
        return self.faults.pop(0) if self.faults else ""


# ------------------------------------------------------------------------------------------- gRPC


def _spec(spec: predict_pb2.PredictRequest) -> tuple[str, int | None, str | None]:
    version = spec.version.value if spec.HasField("version") else None
    return spec.name, version, spec.version_label or None


@contextlib.contextmanager
def _answering(server: Server, context: grpc.ServicerContext) -> Iterator[None]:
    fault = server.fault()
    if fault == "slow":
        time.sleep(SLOW)
    elif fault in HTTP_STATUSES:
        context.abort(grpc.StatusCode[fault], f"made to fail with {fault}")
    try:
        yield
    except Refused as error:
        context.abort(grpc.StatusCode[error.code], str(error))


class _Predictions(prediction_service_pb2_grpc.PredictionServiceServicer):
    def __init__(self, server: Server) -> None:
        self._server = server

    def Predict(self, request, context):  # noqa: N802
        with _answering(self._server, context):
            version = self._server.find(*_spec(request.model_spec))
            signature = request.model_spec.signature_name or "serving_default"
            inputs = {name: tf.make_ndarray(value) for name, value in request.inputs.items()}
            count = len(next(iter(inputs.values()), []))
            self._server.requests.append(("grpc", signature, request.ByteSize(), count))
            outputs = version.run(signature, inputs)
            reply = predict_pb2.PredictResponse(
                outputs={name: tf.make_tensor_proto(value) for name, value in outputs.items()}
            )
            reply.model_spec.name = request.model_spec.name
            reply.model_spec.signature_name = signature
            reply.model_spec.version.value = version.number
            return reply

    def GetModelMetadata(self, request, context):  # noqa: N802
        with _answering(self._server, context):
            version = self._server.find(*_spec(request.model_spec))
            if list(request.metadata_field) != ["signature_def"]:
                raise Refused("INVALID_ARGUMENT", "Metadata field is not supported")
            reply = get_model_metadata_pb2.GetModelMetadataResponse()
            reply.model_spec.name = request.model_spec.name
            reply.model_spec.version.value = version.number
            signatures = get_model_metadata_pb2.SignatureDefMap(signature_def=version.definitions)
            reply.metadata["signature_def"].Pack(signatures)
            return reply


class _Models(model_service_pb2_grpc.ModelServiceServicer):
    def __init__(self, server: Server) -> None:
        self._server = server

    def GetModelStatus(self, request, context):  # noqa: N802
        with _answering(self._server, context):
            return self._server.status(*_spec(request.model_spec))


# ------------------------------------------------------------------------------------------- REST

_VERSIONS = r"(?:/versions/(\d+)|/labels/([^/:]+))?"
_PREDICT = re.compile(rf"/v1/models/([^/:]+){_VERSIONS}:predict")
_METADATA = re.compile(rf"/v1/models/([^/:]+){_VERSIONS}/metadata")
_STATUS = re.compile(rf"/v1/models/([^/:]+){_VERSIONS}")


class _Handler(BaseHTTPRequestHandler):
    owner: Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer(b"")

    def do_POST(self) -> None:
        self._answer(self.rfile.read(int(self.headers.get("Content-Length", 0))))

    def log_message(self, *_: object) -> None:
        pass

    def _answer(self, body: bytes) -> None:
        fault = self.owner.fault()
        try:
            if fault == "slow":
                time.sleep(SLOW)
            elif fault == "hang up":
                self.close_connection = True
                return
            elif fault in HTTP_STATUSES:
                raise Refused(fault, f"made to fail with {fault}")
            status, content = 200, json.dumps(self._reply(body)).encode()
        except Refused as error:
            status, content = HTTP_STATUSES[error.code], _error(str(error))
        if fault == "malformed":
            content = content[:-20]
        elif fault == "other":
            content = b'{"predictions": [[1.0, [2.0]]], "outputs": 7}'
        with contextlib.suppress(ConnectionError):
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[: len(content) // 2] if fault == "half" else content)
        if fault == "half":
            self.close_connection = True

    def _reply(self, body: bytes) -> object:
        path = urllib.parse.unquote(self.path)
        predict, metadata, status = (p.fullmatch(path) for p in (_PREDICT, _METADATA, _STATUS))
        found = predict if self.command == "POST" else metadata or status
        if found is None:
            raise Refused("INVALID_ARGUMENT", f"Malformed request: {self.command} {self.path}")
        name, version, label = found[1], int(found[2]) if found[2] else None, found[3]
        if found is status:
            return json_format.MessageToDict(
                self.owner.status(name, version, label),
                preserving_proto_field_name=True,
                always_print_fields_with_no_presence=True,
            )
        loaded = self.owner.find(name, version, label)
        if found is metadata:
            signatures = get_model_metadata_pb2.SignatureDefMap(signature_def=loaded.definitions)
            return {
                "model_spec": {"name": name, "signature_name": "", "version": str(loaded.number)},
                "metadata": {
                    "signature_def": json_format.MessageToDict(
                        signatures,
                        preserving_proto_field_name=True,
                        always_print_fields_with_no_presence=True,
                    )
                },
            }
        return self._predict(loaded, body)

    def _predict(self, version: Version, body: bytes) -> dict[str, object]:
        if not body:
            raise Refused("INVALID_ARGUMENT", "JSON Parse error: The document is empty")
        try:
            request = json.loads(body)
        except ValueError as error:
            raise Refused("INVALID_ARGUMENT", "JSON Parse error: Invalid value. at offset: 0") from error
        signature = request.get("signature_name", "serving_default")
        if not isinstance(signature, str):
            raise Refused(
                "INVALID_ARGUMENT",
                "JSON Value: {} not formatted correctly. 'signature_name' key must be a string value.",
            )
        if signature not in version.definitions:
            raise Refused(
                "INVALID_ARGUMENT", f'Serving signature name: "{signature}" not found in signature def'
            )
        wanted = version.definitions[signature].inputs
        if ("instances" in request) == ("inputs" in request):
            raise Refused("INVALID_ARGUMENT", "Missing 'inputs' or 'instances' key")
        if "instances" in request:
            columns = _columns(request["instances"], list(wanted))
        elif isinstance(request["inputs"], dict) and set(request["inputs"]) != {"b64"}:
            columns = request["inputs"]
            for name in wanted:
                if name not in columns:
                    raise Refused("INVALID_ARGUMENT", f"Missing named input: {name} in 'inputs' object.")
        else:
            columns = {next(iter(wanted)): request["inputs"]}
        inputs = {name: _tensor(columns[name], wanted[name].dtype) for name in wanted}
        count = len(next(iter(inputs.values())))
        self.owner.requests.append(("rest", signature, len(body), count))
        outputs = {name: _json(value) for name, value in version.run(signature, inputs).items()}
        if "inputs" in request:
            return {"outputs": outputs if len(outputs) > 1 else next(iter(outputs.values()))}
        if len(outputs) == 1:
            return {"predictions": next(iter(outputs.values()))}
        rows = zip(*outputs.values(), strict=True)
        return {"predictions": [dict(zip(outputs, row, strict=True)) for row in rows]}


def _columns(instances: object, names: list[str]) -> dict[str, object]:
    if not isinstance(instances, list):
        raise Refused("INVALID_ARGUMENT", "JSON Value: {} Excepting 'instances' to be an list/array")
    if not instances:
        raise Refused("INVALID_ARGUMENT", "JSON Value: {} No values in 'instances' array")
    objects = [isinstance(row, dict) and set(row) != {"b64"} for row in instances]
    if not any(objects):
        if len(names) > 1:
            raise Refused(
                "INVALID_ARGUMENT",
                "instances is a plain list, but expecting list of objects as multiple input tensors required "
                "as per tensorinfo_map",
            )
        return {names[0]: instances}
    for index, row in enumerate(instances):
        if not objects[index] or set(row) != set(names):
            raise Refused(
                "INVALID_ARGUMENT",
                f"Failed to process element: {index} of 'instances' list. JSON object: {{}} keys must be equal to: "
                f"{','.join(names)}",
            )
    return {name: [row[name] for row in instances] for name in names}


def _tensor(value: object, dtype: int) -> np.ndarray:
    kind = tf.as_dtype(dtype)
    if kind == tf.string:
        shape, leaves = _flat(value)
        array = np.empty(len(leaves), object)
        array[:] = [
            base64.b64decode(leaf["b64"]) if isinstance(leaf, dict) else str(leaf).encode() for leaf in leaves
        ]
        return array.reshape(shape)
    shape, leaves = _flat(value)
    allowed = (int, float) if kind.is_floating else int
    for leaf in leaves:
        if not isinstance(leaf, allowed) or isinstance(leaf, bool):
            raise Refused(
                "INVALID_ARGUMENT",
                f"Failed to process element: 0 of 'instances' list. Error: INVALID_ARGUMENT: JSON Value: {leaf!r} "
                f"Type: {type(leaf).__name__} is not of expected type: {kind.name}",
            )
    return np.array(leaves, kind.as_numpy_dtype).reshape(shape)


def _flat(value: object) -> tuple[tuple[int, ...], list]:
    if not isinstance(value, list):
        return (), [value]
    parts = [_flat(part) for part in value]
    if len({shape for shape, _ in parts}) > 1:
        raise Refused(
            "INVALID_ARGUMENT", "Encountered list at unexpected size: 1 at level: 1 expected size: 2"
        )
    inner = parts[0][0] if parts else ()
    return (len(value), *inner), [leaf for _, leaves in parts for leaf in leaves]


def _json(value: np.ndarray) -> object:
    if value.dtype != object:
        return value.tolist()
    return [{"b64": base64.b64encode(part).decode()} for part in value]


def _error(message: str) -> bytes:
    """The error object; quotes are escaped as in C, single ones too, as the program does."""
    escaped = message.replace("\\", "\\\\").replace('"', '\\"').replace("'", "\\'").replace("\n", "\\n")
    return f'{{ "error": "{escaped}" }}'.encode()


# -------------------------------------------------------------------------------- the real program


class Real:
    """The real program over a repository that was written with `mount=str(folder)`."""

    program = shutil.which("tensorflow_model_server")

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        ports = [_free_port(), _free_port()]
        self.grpc, self.rest = (f"127.0.0.1:{port}" for port in ports)
        self._command = [
            str(self.program),
            f"--port={ports[0]}",
            f"--rest_api_port={ports[1]}",
            f"--model_config_file={folder / 'models.config'}",
            "--model_config_file_poll_wait_seconds=1",
            "--allow_version_labels_for_unavailable_models=true",
            "--enable_batching=true",
            f"--batching_parameters_file={folder / 'batching.config'}",
        ]

    def __enter__(self) -> "Real":
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        host, port = self.rest.split(":")
        for _ in range(240):
            with contextlib.suppress(OSError), socket.create_connection((host, int(port)), 1):
                return self
            time.sleep(0.5)
        raise TimeoutError("tensorflow_model_server did not start within two minutes")

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(30)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


# ------------------------------------------------------------------------------------------ models


class Documented(tf.Module):
    """The models of TensorFlow Serving's documentation: half plus two, and named inputs."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
    def half_plus_two(self, x):
        return {"y": x * 0.5 + 2}

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, 5], tf.float32, name="signal"),
            tf.TensorSpec([None, 2, 2], tf.float32, name="sensor"),
        ]
    )
    def named(self, signal, sensor):
        return {"total": tf.reduce_sum(signal, 1), "doubled": sensor * 2}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="text")])
    def lengths(self, text):
        return {"length": tf.strings.length(text)}


def write_documented(folder: Path) -> None:
    module = Documented()
    signatures = {"serving_default": module.half_plus_two, "named": module.named, "lengths": module.lengths}
    tf.saved_model.save(module, str(folder), signatures)


class Recogniser(tf.Module):
    """Answers like `tests.fakes.FakeSession`, from the amount of ink."""

    def __init__(self, classes: int, sides: dict[int, float], size: int = 64) -> None:
        self._classes, self._sides, self._size = classes, sides, size

    def signatures(self) -> dict[str, object]:
        size = self._size
        pixels = tf.TensorSpec([None, size, size, 1], tf.uint8, name="image")

        def decode(content):
            return tf.ensure_shape(tf.io.decode_png(content, channels=1), (size, size, 1))

        def encoded(content):
            return self._logits(tf.map_fn(decode, content, fn_output_signature=tf.uint8))

        return {
            "serving_default": tf.function(self._logits, input_signature=[pixels]),
            "encoded": tf.function(
                encoded, input_signature=[tf.TensorSpec([None], tf.string, name="content")]
            ),
        }

    def _logits(self, image):
        inner = tf.cast(image[:, 6:-6, 6:-6, 0] < 128, tf.float32)
        side = tf.sqrt(tf.reduce_sum(inner, (1, 2))) / self._size
        logits = tf.fill((tf.shape(image)[0], self._classes), -100.0)
        for index, wanted in self._sides.items():
            column = tf.one_hot(index, self._classes)
            logits = logits * (1 - column) + (50 - 300 * tf.abs(side - wanted))[:, None] * column
        return {"logits": logits}


def write_recogniser(folder: Path, classes: int, sides: dict[int, float], size: int = 64) -> None:
    module = Recogniser(classes, sides, size)
    tf.saved_model.save(module, str(folder), module.signatures())
