"""A client of TensorFlow Serving: a dict of numpy arrays in, a dict of numpy arrays out.

`serving.endpoint_rest` and `serving.endpoint_grpc` carry its requests. REST needs nothing beyond the
core; what gRPC needs is loaded for addresses that begin with grpc://.
"""

import dataclasses
import functools
import random
import re
import time
import urllib.parse
from collections.abc import Callable, Mapping
from typing import Protocol, TypeVar

import numpy as np

from serving.runtime import ModelError

MAX_BATCH = 64
"""Pictures of one request. `serving.tf_serving` lets the server take as many at once, no more."""

DEFAULT_SIGNATURE = "serving_default"

# Prediction changes nothing on the server, so that asking again is safe. These may pass by themselves.
_RETRIED = ("UNAVAILABLE", "RESOURCE_EXHAUSTED")
_FIRST_PAUSE = 0.2  # seconds; each pause is twice as long as the one before
_LONGEST_PAUSE = 2.0

_DTYPES = {
    "DT_BOOL": np.bool_,
    "DT_INT8": np.int8,
    "DT_INT16": np.int16,
    "DT_INT32": np.int32,
    "DT_INT64": np.int64,
    "DT_UINT8": np.uint8,
    "DT_UINT16": np.uint16,
    "DT_UINT32": np.uint32,
    "DT_UINT64": np.uint64,
    "DT_HALF": np.float16,
    "DT_FLOAT": np.float32,
    "DT_DOUBLE": np.float64,
    "DT_STRING": np.object_,
}

_T = TypeVar("_T")


class EndpointError(ModelError):
    """A server did not answer, or not with what was asked for. The message names its address.

    Attributes:
        code: What went wrong, in the names of gRPC: UNAVAILABLE, DEADLINE_EXCEEDED, NOT_FOUND,
            INVALID_ARGUMENT, DATA_LOSS (a malformed answer) ...
        message: What a person should know.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message)  # Both, so that processes can hand the error on.
        self.code = code
        self.message = message

    def __str__(self) -> str:
        return self.message


@dataclasses.dataclass(frozen=True)
class Address:
    """Where a model is served.

    Attributes:
        scheme: "http", "https" or "grpc".
        host: Name or number of the host.
        port: Where the address names none, 80, 443 or, for gRPC, 8500.
        model: Name of the model.
        version: Version of the model; None for the newest, or for the one that `label` names.
        label: Label of a version, such as "stable"; None for none.
    """

    scheme: str
    host: str
    port: int
    model: str
    version: int | None = None
    label: str | None = None

    @classmethod
    def parse(cls, url: str) -> "Address":
        """Takes http(s)://HOST:8501/v1/models/NAME or grpc://HOST:8500/NAME apart.

        `/versions/NUMBER` or `/labels/LABEL` may stand at the end of either.

        Raises:
            ValueError: `url` is neither.
        """
        parts = urllib.parse.urlsplit(url)
        before, usual = {"http": ("/v1/models", 80), "https": ("/v1/models", 443), "grpc": ("", 8500)}.get(
            parts.scheme, (None, 0)
        )
        path = re.fullmatch(
            rf"{before}/(?P<model>[^/:]+)(/versions/(?P<version>\d+)|/labels/(?P<label>[^/:]+))?/?",
            urllib.parse.unquote(parts.path),
        )
        try:
            port = usual if parts.port is None else parts.port
        except ValueError:  # Above 65,535 or no number.
            port = 0
        if before is None or path is None or not parts.hostname or not port or parts.query or parts.username:
            raise ValueError(
                "`endpoint` must be http://HOST:8501/v1/models/NAME or grpc://HOST:8500/NAME, with "
                f"/versions/NUMBER or /labels/LABEL after it if needed. Received: {url!r}."
            )
        version = int(path["version"]) if path["version"] else None
        return cls(parts.scheme, parts.hostname, port, path["model"], version, path["label"])


@dataclasses.dataclass(frozen=True)
class Tensor:
    """What a signature says of an input or an output.

    Attributes:
        dtype: Its type; object for bytes.
        shape: Its sides, -1 where any will do; None where not even their number is known.
    """

    dtype: np.dtype
    shape: tuple[int, ...] | None

    @classmethod
    def of(cls, dtype: str, shape: tuple[int, ...] | None) -> "Tensor":
        """Takes a type by the name that TensorFlow gives it, such as "DT_UINT8"."""
        if dtype not in _DTYPES:
            raise EndpointError("UNIMPLEMENTED", f"the model has a tensor of type {dtype}, which numpy lacks")
        return cls(np.dtype(_DTYPES[dtype]), shape)

    def takes(self, value: np.ndarray) -> bool:
        """Whether `value` has this type and shape."""
        return value.dtype == self.dtype and (
            self.shape is None
            or (
                len(self.shape) == value.ndim
                and all(side in (-1, size) for side, size in zip(self.shape, value.shape, strict=True))
            )
        )

    def __str__(self) -> str:
        sides = "..." if self.shape is None else ", ".join("any" if s < 0 else str(s) for s in self.shape)
        return f"{'bytes' if self.dtype == object else self.dtype.name} ({sides})"


@dataclasses.dataclass(frozen=True)
class Signature:
    """One way to call a model: its inputs and its outputs by name."""

    inputs: Mapping[str, Tensor]
    outputs: Mapping[str, Tensor]


class Transport(Protocol):
    """Carries single requests to a server. `deadline` is a time of `time.monotonic`.

    Each method raises `EndpointError` with a message that does not name the address.
    """

    def predict(
        self, signature: str, inputs: Mapping[str, np.ndarray], deadline: float
    ) -> dict[str, np.ndarray]:
        """Runs the model on one batch."""

    def status(self, deadline: float) -> dict[int, str]:
        """The state of each version."""

    def metadata(self, deadline: float) -> dict[str, Signature]:
        """The signatures of the model by name."""


class Endpoint:
    """A model on a server, to be run like a `serving.runtime.Session`.

    May be called from several threads. What fails because the server is down, starting or busy is
    tried again after a pause; what the server refuses is not.

    Args:
        url: http(s)://HOST:8501/v1/models/NAME for REST or grpc://HOST:8500/NAME for gRPC, with
            /versions/NUMBER or /labels/LABEL after it if needed.
        timeout: Seconds that a request may take, new tries included.
        retries: How often a request is tried again.

    Raises:
        ValueError: `url` is no such address.
        EndpointError: gRPC is asked for and what it needs is not installed.
    """

    def __init__(self, url: str, timeout: float = 30.0, retries: int = 4) -> None:
        self.path = url
        """The address, under the name that a session has for its file: errors begin with either."""
        self.address = Address.parse(url)
        self.timeout = timeout
        self.retries = retries
        self._transport: Transport
        if self.address.scheme == "grpc":
            try:
                from serving.endpoint_grpc import Grpc
            except ModuleNotFoundError as error:
                raise EndpointError(
                    "UNIMPLEMENTED",
                    f"{url}: gRPC needs {error.name}; run `pip install -e '.[serve]'` in the clone of hanzoo and "
                    "`pip install --no-deps tensorflow-serving-api`, or take the http:// address, "
                    "which needs neither",
                ) from error
            self._transport = Grpc(self.address)
        else:
            from serving.endpoint_rest import Rest

            self._transport = Rest(self.address)

    def run(
        self, inputs: Mapping[str, np.ndarray], signature: str = DEFAULT_SIGNATURE
    ) -> dict[str, np.ndarray]:
        """Runs the model, in requests of at most `MAX_BATCH` pictures.

        Args:
            inputs: Arrays (N, ...) by the names of the signature; bytes as an array of objects.
            signature: Which signature of the model runs.

        Returns:
            The outputs, (N, ...), by name.

        Raises:
            ValueError: `inputs` lacks an input of the model, has one too many, one of another type
                or shape than the model takes, or nothing to run on.
            EndpointError: The server is down, too slow, or refuses, or its answer is malformed.
        """
        expected = self._signature(signature)
        count = self._check(inputs, expected)
        chunks = []
        for start in range(0, count, MAX_BATCH):
            chunk = {name: value[start : start + MAX_BATCH] for name, value in inputs.items()}
            answer = self._call(functools.partial(self._transport.predict, signature, chunk))
            self._check_answer(answer, expected, min(MAX_BATCH, count - start))
            chunks.append(answer)
        return {name: np.concatenate([chunk[name] for chunk in chunks]) for name in expected.outputs}

    def status(self) -> dict[int, str]:
        """The state of each version that the server knows, such as {1: "AVAILABLE"}.

        Raises:
            EndpointError: As for `run`.
        """
        return self._call(self._transport.status)

    @functools.cached_property
    def signatures(self) -> dict[str, Signature]:
        """The signatures of the model by name, asked for once.

        Raises:
            EndpointError: As for `run`.
        """
        return self._call(self._transport.metadata)

    def _signature(self, name: str) -> Signature:
        if name not in self.signatures:
            raise EndpointError(
                "NOT_FOUND",
                f"{self.path}: the model has no signature {name!r}; it has {', '.join(sorted(self.signatures))}",
            )
        return self.signatures[name]

    def _check(self, inputs: Mapping[str, np.ndarray], signature: Signature) -> int:
        """Checks `inputs` and returns how many pictures they hold."""
        if set(inputs) != set(signature.inputs):
            raise ValueError(f"`inputs` must hold {sorted(signature.inputs)}. Received: {sorted(inputs)}.")
        for name, value in inputs.items():
            if not signature.inputs[name].takes(value):
                received = Tensor(value.dtype, value.shape)
                raise ValueError(f"Input {name!r} must be {signature.inputs[name]}. Received: {received}.")
        counts = {len(value) if value.ndim else 0 for value in inputs.values()}
        if len(counts) != 1 or 0 in counts:
            raise ValueError(
                f"`inputs` must hold as many pictures each, at least one. Received: {sorted(counts)}."
            )
        return counts.pop()

    def _check_answer(self, answer: Mapping[str, np.ndarray], signature: Signature, count: int) -> None:
        for name, tensor in signature.outputs.items():
            if name not in answer or not tensor.takes(answer[name]) or len(answer[name]) != count:
                received = "nothing"
                if name in answer:
                    received = str(Tensor(answer[name].dtype, answer[name].shape))
                raise EndpointError(
                    "DATA_LOSS",
                    f"{self.path}: {name!r} of {count} pictures must be {tensor}. Received: {received}.",
                )

    def _call(self, request: Callable[[float], _T]) -> _T:
        deadline = time.monotonic() + self.timeout
        attempt = 0
        while True:
            attempt += 1
            try:
                return request(deadline)
            except EndpointError as error:
                longest = min(_FIRST_PAUSE * 2 ** (attempt - 1), _LONGEST_PAUSE)
                pause = longest * random.uniform(0.5, 1)  # Clients that failed together come back apart.
                if (
                    error.code not in _RETRIED
                    or attempt > self.retries
                    or time.monotonic() + pause >= deadline
                ):
                    tries = f" (tried {attempt} times)" if attempt > 1 else ""
                    raise EndpointError(error.code, f"{self.path}: {error}{tries}") from error.__cause__
            time.sleep(pause)


def too_late() -> EndpointError:
    """The error of a request that ran out of time."""
    return EndpointError("DEADLINE_EXCEEDED", "the server did not answer in time")


def not_reached(reason: object) -> EndpointError:
    """The error of a request that met no server."""
    return EndpointError("UNAVAILABLE", f"no server answers there ({reason}); is TensorFlow Serving running?")
