"""The gRPC of TensorFlow Serving, for `serving.endpoint`.

Needs grpcio, tensorflow-serving-api and, because its messages hold TensorFlow's tensors, TensorFlow.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any

import grpc
import numpy as np
import tensorflow as tf
from tensorflow.core.framework import types_pb2
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from serving.endpoint import Address, EndpointError, Signature, Tensor, not_reached, too_late

_OPTIONS = [
    # A page of logits is larger than the 4 MB that gRPC takes at once by default.
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    # `Endpoint` pauses between its tries; the channel must not still be waiting then.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 500),
]


class Grpc:
    """A `serving.endpoint.Transport` over one channel, without encryption."""

    def __init__(self, address: Address) -> None:
        self._address = address
        host = f"[{address.host}]" if ":" in address.host else address.host
        channel = grpc.insecure_channel(f"{host}:{address.port}", _OPTIONS)
        self._models = model_service_pb2_grpc.ModelServiceStub(channel)
        self._predictions = prediction_service_pb2_grpc.PredictionServiceStub(channel)

    def predict(
        self, signature: str, inputs: Mapping[str, np.ndarray], deadline: float
    ) -> dict[str, np.ndarray]:
        request = predict_pb2.PredictRequest(
            model_spec=self._model(signature),
            inputs={name: tf.make_tensor_proto(value) for name, value in inputs.items()},
        )
        reply = _send(self._predictions.Predict, request, deadline)
        try:
            return {name: tf.make_ndarray(value) for name, value in reply.outputs.items()}
        except (TypeError, ValueError) as error:
            raise EndpointError("DATA_LOSS", f"the answer is malformed: {error}") from error

    def status(self, deadline: float) -> dict[int, str]:
        request = get_model_status_pb2.GetModelStatusRequest(model_spec=self._model())
        reply = _send(self._models.GetModelStatus, request, deadline)
        states = get_model_status_pb2.ModelVersionStatus.State
        return {entry.version: states.Name(entry.state) for entry in reply.model_version_status}

    def metadata(self, deadline: float) -> dict[str, Signature]:
        request = get_model_metadata_pb2.GetModelMetadataRequest(
            model_spec=self._model(), metadata_field=["signature_def"]
        )
        reply = _send(self._predictions.GetModelMetadata, request, deadline)
        definitions = get_model_metadata_pb2.SignatureDefMap()
        if not reply.metadata["signature_def"].Unpack(definitions):
            raise EndpointError("DATA_LOSS", "the answer is malformed: no signatures")
        return {
            name: Signature(_tensors(definition.inputs), _tensors(definition.outputs))
            for name, definition in definitions.signature_def.items()
            if definition.inputs  # Not the one that initialises the model.
        }

    def _model(self, signature: str = "") -> model_pb2.ModelSpec:
        spec = model_pb2.ModelSpec(name=self._address.model, signature_name=signature)
        if self._address.version is not None:
            spec.version.value = self._address.version
        if self._address.label is not None:
            spec.version_label = self._address.label
        return spec


def _send(method: Callable[..., Any], request: Any, deadline: float) -> Any:
    try:
        return method(request, timeout=deadline - time.monotonic())
    except grpc.RpcError as error:
        code, details = error.code(), error.details() or ""
        if code == grpc.StatusCode.DEADLINE_EXCEEDED:
            raise too_late() from error
        reason = " ".join(details.split())
        if code == grpc.StatusCode.UNAVAILABLE and "connect" in reason:
            raise not_reached(reason) from error
        raise EndpointError(code.name, reason or code.name) from error


def _tensors(described: Mapping[str, Any]) -> dict[str, Tensor]:
    tensors = {}
    for name, entry in described.items():
        shape = entry.tensor_shape
        sides = None if shape.unknown_rank else tuple(side.size for side in shape.dim)
        tensors[name] = Tensor.of(types_pb2.DataType.Name(entry.dtype), sides)
    return tensors
