"""The repository of TensorFlow Serving: each file is read back with the messages of TensorFlow Serving."""

import os
import re
import shutil
import stat
import threading
import time
from concurrent import futures
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format, wrappers_pb2

pytest.importorskip(
    "tensorflow_serving", reason="TensorFlow Serving needs `pip install --no-deps tensorflow-serving-api`"
)
pytest.importorskip("grpc", reason="gRPC needs `pip install grpcio`")

from tensorflow_serving.apis import prediction_log_pb2
from tensorflow_serving.config import model_server_config_pb2

import zoo
from serving import Reader, export, runtime, tf_serving
from serving.endpoint import MAX_BATCH, Endpoint
from tests import fakes, prediction_service


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A SavedModel with both signatures, for ten characters."""
    folder = tmp_path_factory.mktemp("model") / "model"
    prediction_service.write_recogniser(folder, 10, {0: 0.0, 1: 0.3})
    return folder


@pytest.fixture
def copy(model):
    """Writes the SavedModel into a folder."""
    return lambda target: shutil.copytree(model, target)


def config_of(folder):
    content = (folder / "models.config").read_text(encoding="utf-8")
    return text_format.Parse(content, model_server_config_pb2.ModelServerConfig()).model_config_list.config


def labels_of(folder, name="tiny"):
    (entry,) = [entry for entry in config_of(folder) if entry.name == name]
    return dict(entry.version_labels)


def hold(folder):
    """The names of all that a repository holds, the lock left out."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.name != ".lock")


# -------------------------------------------------------------------------------------------- versions


def test_versions_are_counted_up(copy, tmp_path):
    for number in (1, 2, 3):
        assert tf_serving.add_version(copy, tmp_path, "tiny") == tmp_path / "tiny" / str(number)
    assert tf_serving.add_version(copy, tmp_path, "other") == tmp_path / "other" / "1"
    shutil.rmtree(tmp_path / "tiny" / "2")
    assert tf_serving.add_version(copy, tmp_path, "tiny").name == "4"


def test_a_version_is_never_seen_in_part(model, tmp_path):
    """The server takes every folder with a number for a whole version."""
    wanted = {path.name for path in model.iterdir()} | {"assets.extra"}
    seen, done = set(), threading.Event()

    def watch():
        while not done.is_set():
            for folder in tmp_path.glob("tiny/[0-9]*"):
                seen.add(frozenset(path.name for path in folder.iterdir()))

    def slowly(target):
        target.mkdir()
        for path in model.iterdir():
            time.sleep(0.02)
            (shutil.copytree if path.is_dir() else shutil.copyfile)(path, target / path.name)

    watcher = threading.Thread(target=watch)
    watcher.start()
    for _ in range(3):
        tf_serving.add_version(slowly, tmp_path, "tiny")
    done.set()
    watcher.join()
    assert seen == {frozenset(wanted)}


def test_exporters_at_the_same_time_never_collide(copy, tmp_path):
    with futures.ThreadPoolExecutor(6) as pool:
        jobs = [pool.submit(tf_serving.add_version, copy, tmp_path, name) for name in ("tiny", "other") * 6]
        folders = [job.result() for job in jobs]
    assert len(set(folders)) == 12
    for name in ("tiny", "other"):
        assert sorted(int(path.name) for path in (tmp_path / name).iterdir()) == [1, 2, 3, 4, 5, 6]
        assert labels_of(tmp_path, name) == {"stable": 1, "canary": 6}


def test_an_export_that_fails_leaves_the_repository_as_it_was(copy, tmp_path):
    tf_serving.add_version(copy, tmp_path, "tiny")
    before = hold(tmp_path)

    def break_down(target):
        copy(target)
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        tf_serving.add_version(break_down, tmp_path, "tiny")
    assert hold(tmp_path) == before


def test_the_server_may_read_what_another_user_wrote(copy, tmp_path):
    version = tf_serving.add_version(copy, tmp_path, "tiny")
    mask = os.umask(0)
    os.umask(mask)
    for path in (version, version / "saved_model.pb", tmp_path / "models.config"):
        wanted = (0o777 if path.is_dir() else 0o666) & ~mask
        assert stat.S_IMODE(path.stat().st_mode) == wanted


@pytest.mark.parametrize("name", ["", ".hidden", "a/b", "a:predict", "字", "a b"])
def test_a_name_that_no_address_can_hold_is_an_error(copy, tmp_path, name):
    with pytest.raises(ValueError, match="`name` must be letters"):
        tf_serving.add_version(copy, tmp_path, name)
    assert hold(tmp_path) == []


# ------------------------------------------------------------------------------- configuration, labels


def test_the_configuration_lists_the_model_with_all_its_versions(copy, tmp_path):
    tf_serving.add_version(copy, tmp_path, "tiny")
    (entry,) = config_of(tmp_path)
    assert (entry.name, entry.base_path, entry.model_platform) == ("tiny", "/models/tiny", "tensorflow")
    assert entry.model_version_policy.WhichOneof("policy_choice") == "all"


def test_canary_is_the_newest_version_and_stable_moves_by_hand(copy, tmp_path):
    tf_serving.add_version(copy, tmp_path, "tiny")
    assert labels_of(tmp_path) == {"stable": 1, "canary": 1}
    tf_serving.add_version(copy, tmp_path, "tiny")
    tf_serving.add_version(copy, tmp_path, "tiny")
    assert labels_of(tmp_path) == {"stable": 1, "canary": 3}
    assert tf_serving.promote(tmp_path, "tiny") == 3
    assert labels_of(tmp_path) == {"stable": 3, "canary": 3}
    assert tf_serving.promote(tmp_path, "tiny", 2) == 2
    assert labels_of(tmp_path) == {"stable": 2, "canary": 3}


def test_only_what_is_there_can_be_promoted(copy, tmp_path):
    tf_serving.add_version(copy, tmp_path, "tiny")
    with pytest.raises(ValueError, match=r"no model named 'tinny' is served\. Did you mean 'tiny'"):
        tf_serving.promote(tmp_path, "tinny")
    with pytest.raises(ValueError, match="'tiny' has no version 2; it has 1"):
        tf_serving.promote(tmp_path, "tiny", 2)
    with pytest.raises(ValueError, match="elsewhere: no repository"):
        tf_serving.promote(tmp_path / "elsewhere", "tiny")


def test_what_a_user_has_written_stays(copy, tmp_path):
    tf_serving.add_version(copy, tmp_path, "tiny", mount="gs://bucket")
    entries = config_of(tmp_path)
    entries[0].model_version_policy.latest.num_versions = 2
    entries.add(name="other", base_path="/elsewhere")
    written = model_server_config_pb2.ModelServerConfig()
    written.model_config_list.config.extend(entries)
    (tmp_path / "models.config").write_text(text_format.MessageToString(written), encoding="utf-8")
    for file in ("batching.config", "docker-compose.yml"):
        (tmp_path / file).write_text("# mine\n", encoding="utf-8")
    tf_serving.add_version(copy, tmp_path, "tiny")
    first, second = config_of(tmp_path)
    assert first.base_path == "gs://bucket/tiny"
    assert first.model_version_policy.latest.num_versions == 2
    assert (second.name, second.base_path) == ("other", "/elsewhere")
    for file in ("batching.config", "docker-compose.yml"):
        assert (tmp_path / file).read_text(encoding="utf-8") == "# mine\n"


def test_a_damaged_configuration_is_named_and_nothing_is_added(copy, tmp_path):
    (tmp_path / "models.config").write_text("model_config_list {", encoding="utf-8")
    with pytest.raises(ValueError, match=r"models\.config: no configuration of TensorFlow Serving"):
        tf_serving.add_version(copy, tmp_path, "tiny")
    assert hold(tmp_path) == ["models.config", "tiny"]
    with pytest.raises(ValueError, match=r"models\.config"):
        tf_serving.promote(tmp_path, "tiny")


def test_a_label_moves_when_the_server_has_loaded_the_version(copy, tmp_path):
    tf_serving.add_version(copy, tmp_path, "tiny")
    with prediction_service.Server(tmp_path) as server:
        canary = Endpoint(f"http://{server.rest}/v1/models/tiny/labels/canary")
        tf_serving.add_version(copy, tmp_path, "tiny")
        with pytest.raises(prediction_service.Refused, match="not currently available"):
            server.poll()
        assert canary.status() == {1: "AVAILABLE"}
        server.load("tiny")  # The folders are polled apart from the configuration.
        server.poll()
        assert canary.status() == {2: "AVAILABLE"}
        tf_serving.promote(tmp_path, "tiny")
        server.poll()
        assert Endpoint(f"http://{server.rest}/v1/models/tiny/labels/stable").status() == {2: "AVAILABLE"}


@pytest.mark.skipif(
    prediction_service.Real.program is None,
    reason="tensorflow_model_server is not on the PATH; the stand-in answers the test above",
)
def test_the_real_server_takes_versions_and_labels(copy, tmp_path):
    tf_serving.add_version(copy, tmp_path, "tiny", mount=str(tmp_path))
    with prediction_service.Real(tmp_path) as server:
        canary = Endpoint(f"http://{server.rest}/v1/models/tiny/labels/canary", timeout=60)
        assert canary.status() == {1: "AVAILABLE"}
        tf_serving.add_version(copy, tmp_path, "tiny")
        for _ in range(60):
            if canary.status() == {2: "AVAILABLE"}:
                break
            time.sleep(0.5)
        assert canary.status() == {2: "AVAILABLE"}
        assert Endpoint(f"grpc://{server.grpc}/tiny").status() == {1: "AVAILABLE", 2: "AVAILABLE"}


# ----------------------------------------------------------------------------------------- other files


def test_the_batching_configuration_is_one_of_tensorflow_serving(copy, tmp_path):
    tf_serving.add_version(copy, tmp_path, "tiny")
    content = (tmp_path / "batching.config").read_text(encoding="utf-8")
    parameters = text_format.Parse(content, _batching_parameters())
    assert parameters.max_batch_size.value == MAX_BATCH
    assert parameters.batch_timeout_micros.value == 1000
    assert parameters.max_enqueued_batches.value == 100


def _batching_parameters():
    """BatchingParameters of session_bundle_config.proto, which tensorflow-serving-api leaves out."""
    file = descriptor_pb2.FileDescriptorProto(
        name="batching.proto",
        package="hanzoo.test",
        syntax="proto3",
        dependency=["google/protobuf/wrappers.proto"],
    )
    message = file.message_type.add(name="BatchingParameters")
    for number, name in (
        (1, "max_batch_size"),
        (2, "batch_timeout_micros"),
        (3, "max_enqueued_batches"),
        (4, "num_batch_threads"),
    ):
        message.field.add(name=name, number=number, label=1, type=11, type_name=".google.protobuf.Int64Value")
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(wrappers_pb2.DESCRIPTOR.serialized_pb)
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("hanzoo.test.BatchingParameters"))()


def test_the_compose_file_starts_the_official_image(copy, tmp_path):
    tf_serving.add_version(copy, tmp_path, "tiny")
    lines = (tmp_path / "docker-compose.yml").read_text(encoding="utf-8").splitlines()
    content = [line.split("#")[0].rstrip() for line in lines]
    assert "    image: tensorflow/serving:2.21.0" in content
    assert '      - "127.0.0.1:8500:8500"' in content
    assert '      - "127.0.0.1:8501:8501"' in content
    assert "      - .:/models:ro" in content
    flags = dict(re.findall(r"- --(\w+)=(\S+)", "\n".join(content)))
    assert flags == {
        "model_config_file": "/models/models.config",
        "model_config_file_poll_wait_seconds": "5",
        "allow_version_labels_for_unavailable_models": "true",
        "enable_batching": "true",
        "batching_parameters_file": "/models/batching.config",
    }
    for flag in ("model_config_file", "batching_parameters_file"):
        assert (tmp_path / Path(flags[flag]).relative_to("/models")).is_file()


def test_the_warm_up_requests_run(copy, tmp_path):
    version = tf_serving.add_version(copy, tmp_path, "tiny")
    records = tf.data.TFRecordDataset(str(version / "assets.extra" / "tf_serving_warmup_requests"))
    loaded = tf.saved_model.load(str(version))
    seen = []
    for record in records.as_numpy_iterator():
        request = prediction_log_pb2.PredictionLog.FromString(record).predict_log.request
        assert request.model_spec.name == "tiny"
        signature = request.model_spec.signature_name
        inputs = {name: tf.constant(tf.make_ndarray(value)) for name, value in request.inputs.items()}
        logits = loaded.signatures[signature](**inputs)["logits"].numpy()
        assert logits.argmax(1).tolist() == [0] * len(logits)  # Blank paper.
        seen.append((signature, len(logits)))
        assert len(record) < 1000
    assert sorted(seen) == [("encoded", 1), ("encoded", 64), ("serving_default", 1), ("serving_default", 64)]


def test_large_pictures_warm_the_server_up_in_small_batches(tmp_path):
    version = tf_serving.add_version(
        lambda target: prediction_service.write_recogniser(target, 10, {1: 0.3}, size=224), tmp_path, "large"
    )
    records = tf.data.TFRecordDataset(str(version / "assets.extra" / "tf_serving_warmup_requests"))
    requests = [
        prediction_log_pb2.PredictionLog.FromString(record).predict_log.request
        for record in records.as_numpy_iterator()
    ]
    counts = [tf.make_ndarray(next(iter(request.inputs.values()))).shape[0] for request in requests]
    assert sorted(set(counts)) == [1, 5]


# --------------------------------------------------------------------------------------------- presets


def test_a_preset_becomes_a_version_that_a_reader_can_use(copy, tmp_path, monkeypatch):
    presets = tmp_path / "presets"
    folder = fakes.preset(presets / "tiny")
    (folder / "card.md").write_text("# tiny\n", encoding="utf-8")
    monkeypatch.setattr(zoo, "PRESETS", presets)
    monkeypatch.setattr(zoo, "load", lambda preset: {"tiny": "the model"}[preset])
    monkeypatch.setattr(export, "deployed", lambda model: f"what is used of {model}")
    saved = []
    monkeypatch.setattr(export, "saved_model", lambda model, target: (saved.append(model), copy(target)))
    version = tf_serving.export("tiny", tmp_path / "repository")
    assert version == tmp_path / "repository" / "tiny" / "1"
    assert saved == ["what is used of the model"]
    extra = version / "assets.extra"
    assert {path.name for path in extra.iterdir()} == {"result.json", "card.md", "tf_serving_warmup_requests"}
    assert runtime.preset(extra).temperature == 1.5
    assert Reader(extra, endpoint="http://host/v1/models/tiny").model == extra


def test_a_folder_of_a_model_is_named_after_itself(copy, tmp_path, monkeypatch):
    (tmp_path / "run").mkdir()
    monkeypatch.setattr(zoo, "load", lambda preset: "the model")
    monkeypatch.setattr(export, "deployed", lambda model: model)
    monkeypatch.setattr(export, "saved_model", lambda model, target: copy(target))
    monkeypatch.chdir(tmp_path / "run")
    assert tf_serving.export(".", tmp_path / "repository") == tmp_path / "repository" / "run" / "1"


def test_the_bundled_model_is_served_as_it_reads_here(tmp_path):
    tf_serving.export("hanzinet_m", tmp_path)
    pictures = np.full((3, 64, 64, 1), 255, np.uint8)
    pictures[1:, 20:30, 10:50] = 0
    pictures[2, 10:50, 30:36] = 0
    keras_logits = zoo.load("hanzinet_m").predict(pictures, verbose=0)["logits"]
    with prediction_service.Server(tmp_path) as server:
        for url in (f"http://{server.rest}/v1/models/hanzinet_m", f"grpc://{server.grpc}/hanzinet_m"):
            logits = Endpoint(url).run({"image": pictures})["logits"]
            np.testing.assert_allclose(logits, keras_logits, atol=1e-3)  # float32, two graphs
            Reader(endpoint=url).load()
