"""TensorFlow Serving's RESTful API, for `serving.endpoint`: JSON over HTTP.

Reference:
    https://www.tensorflow.org/tfx/serving/api_rest
"""

import base64
import http.client
import json
import re
import socket
import ssl
import time
import urllib.parse
from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np

from serving.endpoint import Address, EndpointError, Signature, Tensor, not_reached, too_late

_CODES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ABORTED",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
"""What TensorFlow Serving means by its HTTP statuses, in the names of gRPC."""


class Rest:
    """A `serving.endpoint.Transport` that opens a connection for each request."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._path = f"/v1/models/{urllib.parse.quote(address.model)}"
        if address.version is not None:
            self._path += f"/versions/{address.version}"
        if address.label is not None:
            self._path += f"/labels/{urllib.parse.quote(address.label)}"
        self._signatures: dict[str, Signature] | None = None

    def predict(
        self, signature: str, inputs: Mapping[str, np.ndarray], deadline: float
    ) -> dict[str, np.ndarray]:
        signatures = self._signatures or self.metadata(deadline)
        signature, inputs = _as_png(signature, inputs, signatures)
        plain = {name: _plain(value) for name, value in inputs.items()}
        body: dict[str, Any] = {"signature_name": signature}
        if len(plain) == 1:
            (body["instances"],) = plain.values()
        else:
            body["inputs"] = plain
        reply = self._request("POST", f"{self._path}:predict", deadline, json.dumps(body).encode())
        try:
            return _outputs(reply, signatures[signature])
        except (KeyError, TypeError, ValueError) as error:
            raise _malformed("no outputs as the model has them") from error

    def status(self, deadline: float) -> dict[int, str]:
        reply = self._request("GET", self._path, deadline)
        try:
            return {int(entry["version"]): str(entry["state"]) for entry in reply["model_version_status"]}
        except (KeyError, TypeError, ValueError) as error:
            raise _malformed("no status of versions") from error

    def metadata(self, deadline: float) -> dict[str, Signature]:
        reply = self._request("GET", f"{self._path}/metadata", deadline)
        try:
            definitions = reply["metadata"]["signature_def"]["signature_def"]
            self._signatures = {
                name: Signature(_tensors(definition["inputs"]), _tensors(definition["outputs"]))
                for name, definition in definitions.items()
                if definition["inputs"]  # Not the one that initialises the model.
            }
        except EndpointError:
            raise
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise _malformed("no signatures") from error
        return self._signatures

    def _request(self, method: str, path: str, deadline: float, body: bytes | None = None) -> Any:
        """Sends a request and returns the JSON of the answer.

        The environment's proxies are not used.
        """
        maker = http.client.HTTPSConnection if self._address.scheme == "https" else http.client.HTTPConnection
        connection = maker(self._address.host, self._address.port, timeout=_left(deadline))
        try:
            connection.connect()
            channel = connection.sock
            connection.request(method, path, body, {"Content-Type": "application/json"})
            channel.settimeout(_left(deadline))
            response = connection.getresponse()
            content = _read(response, channel, deadline)
        except TimeoutError as error:
            raise too_late() from error
        except ssl.SSLError as error:
            raise EndpointError("UNAUTHENTICATED", f"no safe connection ({error})") from error
        except OSError as error:
            raise not_reached(error.strerror or error) from error
        except http.client.HTTPException as error:
            raise _malformed(f"no HTTP ({type(error).__name__})") from error
        finally:
            connection.close()
        if response.status != 200:
            code = _CODES.get(response.status, "UNKNOWN")
            raise EndpointError(code, _explain(content) or f"HTTP status {response.status} {response.reason}")
        try:
            return json.loads(content)
        except ValueError as error:  # UnicodeDecodeError is one too.
            raise _malformed("no JSON") from error


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise too_late()
    return left


def _read(response: http.client.HTTPResponse, channel: socket.socket, deadline: float) -> bytes:
    """Reads the body piece by piece: the timeout of a socket begins anew with each piece."""
    pieces = []
    while True:
        channel.settimeout(_left(deadline))
        try:
            piece = response.read1(1 << 16)
        except http.client.IncompleteRead:
            piece = b""
            response.length = 1
        if not piece:
            break
        pieces.append(piece)
    content = b"".join(pieces)
    if response.length:
        raise EndpointError(
            "UNAVAILABLE", f"the connection closed in the middle of the answer, after {len(content):,} bytes"
        )
    return content


def _explain(content: bytes) -> str:
    """What an error reply says.

    TensorFlow Serving escapes quotes as C does, which is no JSON where a single one is among them.
    """
    text = content.decode("utf-8", "replace")
    found = re.fullmatch(r'\s*\{\s*"error"\s*:\s*"(.*)"\s*\}\s*', text, re.S)
    if found:
        text = re.sub(
            r"\\(.)", lambda escape: {"n": " ", "t": " ", "r": ""}.get(escape[1], escape[1]), found[1]
        )
    text = " ".join(text.split())
    return text if len(text) <= 500 else f"{text[:500]} ..."


def _malformed(what: str) -> EndpointError:
    return EndpointError("DATA_LOSS", f"the answer is malformed: {what}; is TensorFlow Serving there?")


def _tensors(described: Mapping[str, Any]) -> dict[str, Tensor]:
    tensors = {}
    for name, entry in described.items():
        shape = entry["tensor_shape"]
        unknown = shape.get("unknown_rank")
        sides = None if unknown else tuple(int(side["size"]) for side in shape.get("dim", []))
        tensors[name] = Tensor.of(entry["dtype"], sides)
    return tensors


def _as_png(
    signature: str, inputs: Mapping[str, np.ndarray], signatures: Mapping[str, Signature]
) -> tuple[str, Mapping[str, np.ndarray]]:
    """Turns pictures into PNG where the model has a signature for encoded pictures.

    JSON spells each pixel out in digits, which takes several times the bytes. Pictures of any size
    stay as they are, because the other signature may scale them.
    """
    (name, picture), *others = inputs.items()
    shape = signatures[signature].inputs[name].shape or (-1,)
    if others or picture.dtype != np.uint8 or -1 in shape[1:] or shape[3:] not in ((1,), (3,)):
        return signature, inputs
    outputs = {name: tensor.dtype for name, tensor in signatures[signature].outputs.items()}
    for name, other in signatures.items():
        takes_bytes = list(other.inputs.values()) == [Tensor(np.dtype(object), (-1,))]
        if takes_bytes and {key: tensor.dtype for key, tensor in other.outputs.items()} == outputs:
            # OpenCV takes colours as blue, green, red.
            turned = np.ascontiguousarray(picture[..., ::-1])
            encoded = [cv2.imencode(".png", pixels)[1].tobytes() for pixels in turned]
            return name, {next(iter(other.inputs)): np.array(encoded, dtype=object)}
    return signature, inputs


def _plain(value: np.ndarray) -> Any:
    """An array as JSON has it; bytes become {"b64": ...}."""
    if value.dtype != object:
        return value.tolist()
    if value.ndim == 1:
        return [{"b64": base64.b64encode(content).decode("ascii")} for content in value]
    return [_plain(part) for part in value]


def _outputs(reply: Mapping[str, Any], signature: Signature) -> dict[str, np.ndarray]:
    """The outputs of a reply in row format ("predictions") or column format ("outputs").

    In both, the name is left out where there is one output only.
    """
    names = list(signature.outputs)
    if len(names) == 1:
        columns = {names[0]: reply["predictions"] if "predictions" in reply else reply["outputs"]}
    elif "predictions" in reply:
        columns = {name: [row[name] for row in reply["predictions"]] for name in names}
    else:
        columns = reply["outputs"]
    return {name: np.array(columns[name], signature.outputs[name].dtype) for name in names}
