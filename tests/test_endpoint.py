"""The client of TensorFlow Serving, and the cases of TensorFlow Serving's own documentation."""

import dataclasses
import itertools
import json
import pickle
import re
import socket
import ssl
import sys
import threading
import time
import urllib.error
import urllib.request

import numpy as np
import pytest

pytest.importorskip(
    "tensorflow_serving", reason="TensorFlow Serving needs `pip install --no-deps tensorflow-serving-api`"
)
pytest.importorskip("grpc", reason="gRPC needs `pip install grpcio`")

from serving import Reader, endpoint, endpoint_rest, images, runtime, tf_serving
from serving.endpoint import Address, Endpoint, EndpointError
from tests import fakes, prediction_service
from zoo import charset, manuscript

SIDES = {charset.encode(character)[0] if character else 0: side for character, side in fakes.SIDES.items()}
HALF = "half_plus_two"


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    """A recogniser with two versions, another for ten characters, and the documentation's model."""
    folder = tmp_path_factory.mktemp("repository")
    prediction_service.write_documented(folder / HALF / "123")
    (folder / "models.config").write_text(
        f'model_config_list {{ config {{ name: "{HALF}" base_path: "{folder / HALF}" '
        'model_platform: "tensorflow" version_labels { key: "stable" value: 123 } } }',
        encoding="utf-8",
    )
    for name, classes in (
        ("reader", len(charset.CHARACTERS)),
        ("reader", len(charset.CHARACTERS)),
        ("ten", 10),
    ):
        sides = {index: side for index, side in SIDES.items() if index < classes}
        tf_serving.add_version(
            lambda target, classes=classes, sides=sides: prediction_service.write_recogniser(
                target, classes, sides
            ),
            folder,
            name,
            mount=str(folder),
        )
    return folder


@pytest.fixture(scope="module")
def fake(repository):
    with prediction_service.Server(repository) as server:
        yield server


@pytest.fixture(scope="module", params=["stand-in", "tensorflow_model_server"])
def server(request, repository):
    """Each of the servers that must answer alike."""
    if request.param == "stand-in":
        yield request.getfixturevalue("fake")
        return
    if prediction_service.Real.program is None:
        pytest.skip("tensorflow_model_server is not on the PATH; the stand-in answers the same tests")
    with prediction_service.Real(repository) as program:
        yield program


@pytest.fixture
def faulty(fake):
    """The stand-in, to be given faults."""
    fake.requests.clear()
    yield fake
    assert fake.faults == []


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(endpoint, "_FIRST_PAUSE", 0.01)


def address(server, way, model="reader"):
    return {"http": f"http://{server.rest}/v1/models/{model}", "grpc": f"grpc://{server.grpc}/{model}"}[way]


def cells(count=3):
    """Cells with more ink each, uint8 (count, 64, 64, 1)."""
    pictures = np.full((count, 64, 64, 1), 255, np.uint8)
    for index, picture in enumerate(pictures):
        side = 10 + index % 40
        picture[10 : 10 + side, 10 : 10 + side] = 0
    return pictures


def logits_of(pictures):
    return fakes.FakeSession().run({"image": pictures})["logits"]


# ------------------------------------------------------------------ what the documentation of REST shows


def call(server, path, body=None):
    """The status and the text of the answer to a raw request."""
    data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    try:
        with urllib.request.urlopen(f"http://{server.rest}/v1/models/{path}", data, timeout=20) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_status_lists_each_version(server):
    status, text = call(server, HALF)
    assert status == 200
    assert json.loads(text) == {
        "model_version_status": [
            {"version": "123", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
        ]
    }
    for place in ("versions/123", "labels/stable"):
        assert json.loads(call(server, f"{HALF}/{place}")[1]) == json.loads(text)


def test_metadata_describes_the_signatures(server):
    status, text = call(server, f"{HALF}/metadata")
    content = json.loads(text)
    assert status == 200
    assert content["model_spec"] == {"name": HALF, "signature_name": "", "version": "123"}
    signature = content["metadata"]["signature_def"]["signature_def"]["serving_default"]
    assert signature["inputs"]["x"]["dtype"] == "DT_FLOAT"
    assert signature["inputs"]["x"]["tensor_shape"]["dim"][0]["size"] == "-1"
    assert signature["method_name"] == "tensorflow/serving/predict"


@pytest.mark.parametrize("place", ["", "/versions/123", "/labels/stable"])
def test_rows_give_predictions_and_columns_give_outputs(server, place):
    path = f"{HALF}{place}:predict"
    assert json.loads(call(server, path, {"instances": [1.0, 2.0, 5.0]})[1]) == {
        "predictions": [2.5, 3.0, 4.5]
    }
    assert json.loads(call(server, path, {"inputs": [1.0, 2.0, 5.0]})[1]) == {"outputs": [2.5, 3.0, 4.5]}
    assert json.loads(call(server, path, {"inputs": {"x": [1.0]}})[1]) == {"outputs": [2.5]}
    assert json.loads(call(server, path, {"instances": [{"x": 1.0}]})[1]) == {"predictions": [2.5]}


def test_named_inputs_stand_in_rows_or_in_columns(server):
    signal, sensor = [[1, 2, 3, 4, 5], [3, 4, 1, 2, 5]], [[[1, 2], [3, 4]], [[4, 5], [6, 8]]]
    total, doubled = [15, 15], [[[2, 4], [6, 8]], [[8, 10], [12, 16]]]
    rows = [{"signal": one, "sensor": other} for one, other in zip(signal, sensor, strict=True)]
    request = {"signature_name": "named", "instances": rows}
    assert json.loads(call(server, f"{HALF}:predict", request)[1]) == {
        "predictions": [{"total": t, "doubled": d} for t, d in zip(total, doubled, strict=True)]
    }
    request = {"signature_name": "named", "inputs": {"signal": signal, "sensor": sensor}}
    assert json.loads(call(server, f"{HALF}:predict", request)[1]) == {
        "outputs": {"total": total, "doubled": doubled}
    }


def test_bytes_are_written_in_base64(server):
    request = {"signature_name": "lengths", "instances": [{"b64": "aW1hZ2UgYnl0ZXM="}, "seaside"]}
    assert json.loads(call(server, f"{HALF}:predict", request)[1]) == {"predictions": [11, 7]}


@pytest.mark.parametrize(
    ("path", "body", "status", "words"),
    [
        ("half:predict", {"instances": [1.0, 5.0]}, 404, "Servable not found for request: Latest(half)"),
        (f"{HALF}/versions/9:predict", {"instances": [1.0]}, 404, "Servable not found for request: Specific"),
        (f"{HALF}/labels/no:predict", {"instances": [1.0]}, 400, "Unrecognized servable version label"),
        ("half", None, 404, "Could not find any versions of model half"),
        (f"{HALF}:predict", b"", 400, "JSON Parse error: The document is empty"),
        (f"{HALF}:predict", b"instances = [1, 2]", 400, "JSON Parse error: Invalid value"),
        (f"{HALF}:predict", {"instances": ["x", "y"]}, 400, "not of expected type: float"),
        (f"{HALF}:predict", {"signature_name": 100}, 400, "key must be a string value"),
        (f"{HALF}:predict", {"signature_name": "no", "instances": [1.0]}, 400, "not found in signature def"),
        (f"{HALF}/version/50:predict", {"instances": [1.0]}, 400, "Malformed request"),
    ],
)
def test_an_error_is_an_object_with_its_status(server, path, body, status, words):
    code, text = call(server, path, body)
    assert code == status
    assert re.match(r'\s*\{\s*"error": "', text)
    assert words in text


# --------------------------------------------------------------------------------------- the client


@pytest.mark.parametrize("way", ["http", "grpc"])
def test_both_ways_answer_like_a_session(server, way):
    pictures = cells()
    answer = Endpoint(address(server, way)).run({"image": pictures})
    assert list(answer) == ["logits"]
    assert answer["logits"].dtype == np.float32
    np.testing.assert_allclose(answer["logits"], logits_of(pictures), atol=1e-4)  # float32


@pytest.mark.parametrize("way", ["http", "grpc"])
def test_several_inputs_and_outputs_keep_their_names(server, way):
    inputs = {
        "signal": np.arange(10, dtype=np.float32).reshape(2, 5),
        "sensor": np.ones((2, 2, 2), np.float32),
    }
    answer = Endpoint(address(server, way, HALF)).run(inputs, "named")
    np.testing.assert_array_equal(answer["total"], [10, 35])
    np.testing.assert_array_equal(answer["doubled"], np.full((2, 2, 2), 2, np.float32))


@pytest.mark.parametrize("way", ["http", "grpc"])
def test_bytes_are_sent_as_an_array_of_objects(server, way):
    texts = np.array([b"\xff\x00", b"seaside"], object)
    answer = Endpoint(address(server, way, HALF)).run({"text": texts}, "lengths")
    assert answer["length"].tolist() == [2, 7]


@pytest.mark.parametrize("way", ["http", "grpc"])
def test_status_and_signatures_are_told(server, way):
    client = Endpoint(address(server, way))
    assert client.status() == {1: "AVAILABLE", 2: "AVAILABLE"}
    assert set(client.signatures) == {"serving_default", "encoded"}
    image = client.signatures["serving_default"].inputs["image"]
    assert (image.dtype, image.shape) == (np.dtype(np.uint8), (-1, 64, 64, 1))
    assert str(client.signatures["encoded"].inputs["content"]) == "bytes (any)"


@pytest.mark.parametrize("way", ["http", "grpc"])
@pytest.mark.parametrize("place", ["versions/1", "labels/stable", "labels/canary"])
def test_a_version_or_a_label_may_be_named(server, way, place):
    client = Endpoint(f"{address(server, way)}/{place}")
    assert client.run({"image": cells(1)})["logits"].shape == (1, len(charset.CHARACTERS))


@pytest.mark.parametrize("way", ["http", "grpc"])
def test_a_model_that_is_not_there_is_named(server, way):
    with pytest.raises(
        EndpointError, match=r"/nobody: .*Servable not found for request: Latest\(nobody\)"
    ) as error:
        Endpoint(address(server, way, "nobody")).run({"image": cells()})
    assert error.value.code == "NOT_FOUND"
    with pytest.raises(EndpointError, match="Unrecognized servable version label: beta") as error:
        Endpoint(f"{address(server, way)}/labels/beta").run({"image": cells()})
    assert error.value.code == "INVALID_ARGUMENT"


def test_a_signature_that_is_not_there_is_named(server):
    with pytest.raises(EndpointError, match="no signature 'top'; it has encoded, serving_default"):
        Endpoint(address(server, "http")).run({"image": cells()}, "top")


@pytest.mark.parametrize("way", ["http", "grpc"])
def test_many_pictures_go_in_chunks(faulty, way):
    pictures = cells(150)
    answer = Endpoint(address(faulty, way)).run({"image": pictures})
    assert [count for *_, count in faulty.requests] == [64, 64, 22]
    np.testing.assert_allclose(answer["logits"], logits_of(pictures), atol=1e-4)  # float32


def test_pictures_travel_as_png_over_rest(faulty):
    Endpoint(address(faulty, "http")).run({"image": cells(64)})
    ((way, signature, size, _),) = faulty.requests
    assert (way, signature) == ("rest", "encoded")
    assert size < cells(64).size  # The digits take more than three bytes a pixel.


def test_pixels_travel_as_digits_to_a_model_without_encoded_pictures(faulty, monkeypatch):
    client = Endpoint(address(faulty, "http"))
    plain = {"serving_default": client.signatures["serving_default"]}
    monkeypatch.setattr(client._transport, "_signatures", plain)
    answer = client.run({"image": cells()})
    assert faulty.requests[0][1] == "serving_default"
    np.testing.assert_allclose(answer["logits"], logits_of(cells()), atol=1e-4)  # float32


def test_colours_keep_their_order_in_png():
    outputs = {"logits": endpoint.Tensor(np.dtype(np.float32), (-1, 2))}
    image = endpoint.Tensor(np.dtype(np.uint8), (-1, 2, 2, 3))
    content = endpoint.Tensor(np.dtype(object), (-1,))
    signatures = {
        "serving_default": endpoint.Signature({"image": image}, outputs),
        "encoded": endpoint.Signature({"content": content}, outputs),
    }
    pictures = np.arange(24, dtype=np.uint8).reshape(2, 2, 2, 3)
    _, inputs = endpoint_rest._as_png("serving_default", {"image": pictures}, signatures)
    decoded = [images.decode(content)[0] for content in inputs["content"]]
    np.testing.assert_array_equal(decoded, pictures)


def test_pictures_of_any_width_travel_as_digits():
    outputs = {"logits": endpoint.Tensor(np.dtype(np.float32), (-1, -1, 2))}
    line = endpoint.Tensor(np.dtype(np.uint8), (-1, 48, -1, 1))
    content = endpoint.Tensor(np.dtype(object), (-1,))
    signatures = {
        "serving_default": endpoint.Signature({"image": line}, outputs),
        "encoded": endpoint.Signature({"content": content}, outputs),
    }
    inputs = {"image": np.zeros((1, 48, 50, 1), np.uint8)}
    assert endpoint_rest._as_png("serving_default", inputs, signatures) == ("serving_default", inputs)


@pytest.mark.parametrize("way", ["http", "grpc"])
@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"picture": cells()}, r"must hold \['image'\]. Received: \['picture'\]"),
        ({"image": cells()[:, :32]}, r"must be uint8 \(any, 64, 64, 1\). Received: uint8 \(3, 32, 64, 1\)"),
        ({"image": cells().astype(np.float32)}, r"Received: float32 \(3, 64, 64, 1\)"),
        ({"image": cells(0)}, "at least one"),
    ],
)
def test_wrong_inputs_are_errors_before_they_are_sent(faulty, way, inputs, message):
    with pytest.raises(ValueError, match=message) as error:
        Endpoint(address(faulty, way)).run(inputs)
    assert not isinstance(error.value, EndpointError)
    assert faulty.requests == []


@pytest.mark.parametrize("way", ["http", "grpc"])
def test_what_the_server_refuses_is_not_tried_again(server, way, monkeypatch):
    # More pictures than its batching configuration allows.
    monkeypatch.setattr(endpoint, "MAX_BATCH", 100)
    started = time.monotonic()
    with pytest.raises(EndpointError, match="larger than maximum") as error:
        Endpoint(address(server, way)).run({"image": cells(100)})
    assert error.value.code == "INVALID_ARGUMENT"
    assert "tried" not in str(error.value)
    assert time.monotonic() - started < 10


# ------------------------------------------------------------------------------------------- faults


@pytest.mark.parametrize("way", ["http", "grpc"])
@pytest.mark.parametrize("fault", ["UNAVAILABLE", "RESOURCE_EXHAUSTED"])
def test_a_busy_server_is_asked_again(faulty, quick, way, fault):
    client = Endpoint(address(faulty, way))
    client.signatures  # noqa: B018
    faulty.faults += [fault, fault]
    np.testing.assert_allclose(
        client.run({"image": cells()})["logits"], logits_of(cells()), atol=1e-4
    )  # float32


@pytest.mark.parametrize("way", ["http", "grpc"])
def test_a_server_that_stays_busy_is_an_error(faulty, quick, way):
    client = Endpoint(address(faulty, way), retries=2)
    faulty.faults += ["UNAVAILABLE"] * 3
    with pytest.raises(EndpointError, match=r"made to fail with UNAVAILABLE \(tried 3 times\)") as error:
        client.run({"image": cells()})
    assert error.value.code == "UNAVAILABLE"
    assert str(error.value).startswith(f"{client.path}: ")


def test_an_error_survives_the_way_between_processes():
    error = pickle.loads(pickle.dumps(EndpointError("NOT_FOUND", "http://host: nobody")))
    assert (error.code, str(error)) == ("NOT_FOUND", "http://host: nobody")


@pytest.mark.parametrize("way", ["http", "grpc"])
@pytest.mark.parametrize("fault", ["INVALID_ARGUMENT", "INTERNAL", "NOT_FOUND"])
def test_other_errors_are_told_at_once(faulty, quick, way, fault):
    faulty.faults.append(fault)
    with pytest.raises(EndpointError, match=f"made to fail with {fault}$") as error:
        Endpoint(address(faulty, way)).status()
    assert error.value.code == fault


def test_pauses_double_and_stay_apart(faulty, monkeypatch):
    pauses = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    faulty.faults += ["UNAVAILABLE"] * 4
    Endpoint(address(faulty, "http")).status()
    for pause, longest in zip(pauses, (0.2, 0.4, 0.8, 1.6), strict=True):
        assert longest / 2 <= pause <= longest


@pytest.mark.parametrize("way", ["http", "grpc"])
def test_a_slow_server_meets_the_deadline(faulty, way):
    client = Endpoint(address(faulty, way), timeout=0.4)
    faulty.faults.append("slow")
    with pytest.raises(EndpointError, match="did not answer in time") as error:
        client.status()
    assert error.value.code == "DEADLINE_EXCEEDED"
    time.sleep(prediction_service.SLOW)  # Its thread must not answer into the next test.


def test_new_tries_stay_within_the_deadline(faulty, monkeypatch):
    monkeypatch.setattr(endpoint, "_FIRST_PAUSE", 20)
    monkeypatch.setattr(endpoint, "_LONGEST_PAUSE", 20)
    faulty.faults.append("UNAVAILABLE")
    started = time.monotonic()
    with pytest.raises(EndpointError, match=r"made to fail with UNAVAILABLE$"):
        Endpoint(address(faulty, "http"), timeout=8).status()
    assert time.monotonic() - started < 8


@pytest.mark.parametrize("way", ["http", "grpc"])
def test_a_server_that_is_down_is_named(quick, way):
    down = address(_Down, way)
    with pytest.raises(
        EndpointError, match=r"no server answers there .*is TensorFlow Serving running\?.*tried 3"
    ) as error:
        Endpoint(down, retries=2).run({"image": cells()})
    assert error.value.code == "UNAVAILABLE"
    assert str(error.value).startswith(f"{down}: ")


@pytest.mark.parametrize("way", ["http", "grpc"])
def test_a_server_that_starts_late_is_waited_for(repository, way, monkeypatch):
    monkeypatch.setattr(endpoint, "_FIRST_PAUSE", 0.5)
    late = prediction_service.Server(repository)  # Its ports are taken but not yet answered.
    timer = threading.Timer(0.3, late.__enter__)
    timer.start()
    try:
        assert Endpoint(address(late, way), timeout=20).status() == {1: "AVAILABLE", 2: "AVAILABLE"}
    finally:
        timer.join()
        late.__exit__()


@pytest.mark.parametrize("fault", ["malformed", "other"])
def test_a_malformed_answer_is_an_error(faulty, fault):
    client = Endpoint(address(faulty, "http"))
    client.signatures  # noqa: B018
    faulty.faults.append(fault)
    with pytest.raises(EndpointError, match="malformed") as error:
        client.run({"image": cells()})
    assert error.value.code == "DATA_LOSS"
    for request in (client.status, lambda: Endpoint(client.path).signatures):
        faulty.faults.append("other")
        with pytest.raises(EndpointError, match="malformed"):
            request()


def test_a_type_that_numpy_lacks_is_named(faulty, monkeypatch):
    client = Endpoint(address(faulty, "http"))
    odd = {"dtype": "DT_BFLOAT16", "tensor_shape": {"unknown_rank": True}}
    definition = {"serving_default": {"inputs": {"image": odd}, "outputs": {}}}
    reply = {"metadata": {"signature_def": {"signature_def": definition}}}
    monkeypatch.setattr(client._transport, "_request", lambda *_: reply)
    with pytest.raises(EndpointError, match="type DT_BFLOAT16, which numpy lacks"):
        client.signatures  # noqa: B018


def test_an_answer_about_fewer_pictures_is_an_error(faulty, monkeypatch):
    client = Endpoint(address(faulty, "grpc"))
    answer = client.run({"image": cells(2)})
    monkeypatch.setattr(client._transport, "predict", lambda *_: answer)
    with pytest.raises(EndpointError, match=r"'logits' of 3 pictures must be float32 \(any, 4972\)"):
        client.run({"image": cells(3)})


def test_half_an_answer_is_asked_for_again(faulty, quick):
    client = Endpoint(address(faulty, "http"), retries=1)
    client.signatures  # noqa: B018
    faulty.faults.append("half")
    client.run({"image": cells()})
    faulty.faults += ["half", "half"]
    with pytest.raises(EndpointError, match=r"closed in the middle of the answer, after [\d,]+ bytes"):
        client.run({"image": cells()})


def test_a_server_that_hangs_up_is_asked_again(faulty, quick):
    client = Endpoint(address(faulty, "http"))
    faulty.faults.append("hang up")
    assert client.status() == {1: "AVAILABLE", 2: "AVAILABLE"}


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n", "no HTTP"),
        (b"HTTP/1.1 200 OK\r\n\r\n<html>hello</html>", "no JSON"),
        (b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n", "HTTP status 502 Bad Gateway"),
        (b"HTTP/1.1 302 Found\r\nLocation: /login\r\nContent-Length: 0\r\n\r\n", "HTTP status 302 Found"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n{", "in the middle of the answer"),
    ],
)
def test_another_server_is_told_from_tensorflow_serving(reply, message):
    with _Raw(reply) as raw, pytest.raises(EndpointError, match=message):
        Endpoint(address(raw, "http"), retries=0).status()


def test_an_answer_that_trickles_meets_the_deadline():
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"
    started = time.monotonic()
    with _Raw(head, trickle=0.1) as raw, pytest.raises(EndpointError, match="in time"):
        Endpoint(address(raw, "http"), timeout=0.6).status()
    assert time.monotonic() - started < 10  # All of it would take 100 seconds.


def test_https_to_a_plain_port_is_told():
    with _Raw(b"HTTP/1.1 400 Bad Request\r\n\r\n") as raw:
        url = address(raw, "http").replace("http:", "https:")
        with pytest.raises(EndpointError, match="no safe connection") as error:
            Endpoint(url).status()
    assert isinstance(error.value.__cause__, ssl.SSLError)


def test_quotes_in_an_error_reply_are_read():
    reply = rb"""{ "error": "Failed to process element: 0 of \'instances\' list. \"x\"\n" }"""
    with pytest.raises(ValueError, match="Invalid"):
        json.loads(reply)
    assert endpoint_rest._explain(reply) == "Failed to process element: 0 of 'instances' list. \"x\""
    assert len(endpoint_rest._explain(b"x" * 9999)) < 520


# ----------------------------------------------------------------------------------------- addresses


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://host/v1/models/a", Address("http", "host", 80, "a")),
        ("https://host/v1/models/a/", Address("https", "host", 443, "a")),
        ("http://host:8501/v1/models/a/versions/12", Address("http", "host", 8501, "a", version=12)),
        ("http://[::1]:80/v1/models/a/labels/stable", Address("http", "::1", 80, "a", label="stable")),
        ("grpc://host/a", Address("grpc", "host", 8500, "a")),
        ("grpc://host:1/a/labels/canary", Address("grpc", "host", 1, "a", label="canary")),
    ],
)
def test_an_address_is_taken_apart(url, expected):
    assert Address.parse(url) == expected


@pytest.mark.parametrize(
    "url",
    [
        "",
        "host:8501",
        "ftp://host/v1/models/a",
        "http://host/a",
        "http://host/v1/models/",
        "http://host/v1/models/a:predict",
        "http://host/v1/models/a/versions/one",
        "http://host/v1/models/a/versions/1/labels/b",
        "http://host:99999/v1/models/a",
        "http://host:0/v1/models/a",
        "http:///v1/models/a",
        "http://host/v1/models/a?b=c",
        "http://user:secret@host/v1/models/a",
        "grpc://host/v1/models/a",
    ],
)
def test_a_wrong_address_is_an_error(url):
    with pytest.raises(ValueError, match="`endpoint` must be http://HOST:8501/v1/models/NAME"):
        Address.parse(url)


def test_a_missing_package_names_the_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_serving", None)
    monkeypatch.delitem(sys.modules, "tensorflow_serving.apis", raising=False)
    monkeypatch.delitem(sys.modules, "serving.endpoint_grpc", raising=False)
    with pytest.raises(
        EndpointError, match=r"needs tensorflow_serving.*pip install --no-deps tensorflow-serving-api"
    ):
        Endpoint("grpc://host/a")


# ---------------------------------------------------------------------------------------- the reader


@pytest.fixture
def page(monkeypatch):
    """A page of 90 cells, whose places are known."""
    rows = list(itertools.islice(itertools.cycle(["甲乙丙_甲,乙田_", "丙_甲乙甲乙甲丙乙"]), 10))
    image, places = fakes.sheet(rows)
    grid = manuscript.Grid(len(rows), len(rows[0]), places, "vertical", 1.0)
    monkeypatch.setattr(manuscript, "find", lambda _: grid)
    return image


@pytest.mark.parametrize("way", ["http", "grpc"])
def test_the_reader_reads_the_same_page_from_a_server(server, way, page, tmp_path, monkeypatch):
    folder = fakes.preset(tmp_path / "reader")
    remote = Reader(folder, endpoint=address(server, way)).read(page)
    monkeypatch.setattr(runtime, "Session", fakes.FakeSession)
    local = Reader(folder).read(page)
    assert remote.text == local.text != ""
    for there, here in zip(remote.lines, local.lines, strict=True):
        assert there.box == here.box
        for other, character in zip(there.characters, here.characters, strict=True):
            assert other.text == character.text
            assert other.score == pytest.approx(character.score, abs=1e-5)  # float32 on both sides


def test_the_reader_takes_the_preset_of_the_name_that_is_served(fake, tmp_path, monkeypatch):
    monkeypatch.setattr(runtime, "PRESETS", tmp_path)
    with pytest.raises(
        runtime.ModelError, match=rf"{fake.rest}.*temperature.*No preset named 'reader'.*Reader\(FOLDER"
    ):
        Reader(endpoint=address(fake, "http")).load()
    fakes.preset(tmp_path / "reader")
    Reader(endpoint=address(fake, "http")).load()


def test_a_model_for_other_characters_is_found_before_a_page_is_read(fake, tmp_path):
    reader = Reader(fakes.preset(tmp_path / "ten"), endpoint=address(fake, "http", "ten"))
    with pytest.raises(EndpointError, match=r"/ten: .*\(any, 4972\).*logits float32 \(any, 10\)"):
        reader.load()
    reader = Reader(fakes.preset(tmp_path / "half"), endpoint=address(fake, "http", HALF))
    with pytest.raises(EndpointError, match="Received: image None, logits None"):
        reader.load()


def test_the_reader_names_a_server_that_is_down(quick, tmp_path):
    reader = Reader(fakes.preset(tmp_path / "reader"), endpoint=address(_Down, "http"))
    with pytest.raises(
        runtime.ModelError, match=rf"http://{_Down.rest}/v1/models/reader: no server answers there"
    ):
        reader.read(fakes.one_character(100, 100, 20, 20), layout="char")


def test_a_wrong_address_is_an_error_of_the_reader():
    with pytest.raises(ValueError, match="`endpoint` must be"):
        Reader(endpoint="localhost:8501")


def test_the_rest_client_loads_no_tensorflow():
    from tests.test_imports import HEAVY, imported_by

    loaded = imported_by("from serving.endpoint import Endpoint; Endpoint('http://host/v1/models/a')")
    assert not loaded & (HEAVY | {"grpc", "google", "ai_edge_litert"})


# ------------------------------------------------------------------------------------------ stand-ins


@dataclasses.dataclass(frozen=True)
class _Nobody:
    rest: str = "127.0.0.1:9"
    grpc: str = "127.0.0.1:9"


_Down = _Nobody()  # Port 9 discards; nothing listens there.


class _Raw:
    """Answers the first connection with fixed bytes, then with one byte at a time if it trickles."""

    def __init__(self, reply: bytes, trickle: float | None = None) -> None:
        self._reply, self._trickle = reply, trickle
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.rest = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.grpc = self.rest
        self._thread = threading.Thread(target=self._answer, daemon=True)

    def _answer(self) -> None:
        connection, _ = self._listener.accept()
        with connection:
            connection.recv(1 << 16)
            try:
                connection.sendall(self._reply)
                while self._trickle is not None:
                    time.sleep(self._trickle)
                    connection.sendall(b" ")
            except OSError:
                return

    def __enter__(self) -> "_Raw":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        self._thread.join(5)
