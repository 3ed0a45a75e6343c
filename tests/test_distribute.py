"""Training on several devices and in several processes gives what one device gives."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from importlib import util
from pathlib import Path

import numpy as np
import pytest

from tests import made_hands

ROOT = Path(__file__).resolve().parents[1]
needs_jax = pytest.mark.skipif(
    util.find_spec("jax") is None, reason="jax is not installed (pip install -e '.[dev]')"
)

# Backends and devices are chosen before Keras starts, so that every run has processes of its own.
SCRIPT = """
import sys
from pathlib import Path
import keras
import tensorflow as tf
data, workdir, across, changes = sys.argv[1:]
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from tests.test_distribute import TINY
from training import fit
from training.recipe import CharacterRecipe
if keras.backend.backend() == "tensorflow":
    keras.config.set_floatx("float64")  # Adam magnifies the rounding of float32, which differs by processor.
recipe = CharacterRecipe(**(TINY | {"data": Path(data)} | eval(changes)))
try:
    fit.fit(recipe, Path(workdir), across=None if across == "none" else across)
except ValueError as error:
    sys.exit(str(error))
"""

TINY = {
    "model": "hanzinet",
    "sizes": {"widths": (4, 8, 16, 16), "depths": (0, 0, 0, 0), "embedding": 8, "dropout": 0.1},
    "epochs": 3,
    "steps": 10,
    "batch_size": 8,
    "learning_rate": 5e-3,  # A higher one lets Adam magnify the rounding of sums.
    "ema": 0.9,
}
# Without batch normalisation, dropout and clipping, which each device does for its part.
PLAIN = {
    "model": "vgg16",
    "sizes": {"size": 32, "channels": 1, "width": 0.125, "dense": 32, "dropout": 0.0},
    "clip_norm": 1e9,
    "learning_rate": 3e-3,
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_hands.write_data(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where XLA keeps its programs, so that a second run need not compile them again."""
    return tmp_path_factory.mktemp("compiled")


def _start(data: Path, workdir: Path, across: str = "none", changes: dict | None = None, **environment: str):
    command = [sys.executable, "-c", SCRIPT, str(data), str(workdir), across, repr(changes or {})]
    variables = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "2", "PYTHONPATH": str(ROOT)} | environment
    return subprocess.Popen(
        command, cwd=ROOT, env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )


def _jax(compiled: Path) -> dict[str, str]:
    # The tests need programs that are the same, not ones that are fast.
    return {
        "KERAS_BACKEND": "jax",
        "JAX_COMPILATION_CACHE_DIR": str(compiled),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.2",
        "XLA_FLAGS": "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true",
    }


def _start_two(data: Path, workdirs: tuple[Path, Path], compiled: Path, changes: dict | None = None):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    cluster = {"KERAS_DISTRIBUTION_JOB_ADDRESSES": address, "KERAS_DISTRIBUTION_NUM_PROCESSES": "2"}
    return [
        _start(
            data, workdir, "machines", changes, **_jax(compiled), **cluster,
            KERAS_DISTRIBUTION_PROCESS_ID=str(number),
        )
        for number, workdir in enumerate(workdirs)
    ]  # fmt: skip


def _finish(*processes: subprocess.Popen) -> list[str]:
    """What each said on standard error; all must have ended well."""
    said = [process.communicate(timeout=600)[1] for process in processes]
    for process, text in zip(processes, said, strict=True):
        assert process.returncode == 0, text[-2000:]
    return said


def _history(workdir: Path) -> list[dict]:
    return json.loads((workdir / "result.json").read_text(encoding="utf-8"))["history"]


def _losses(workdir: Path) -> list[float]:
    return [epoch["training"]["loss"] for epoch in _history(workdir)]


@pytest.fixture(scope="module")
def one_process(data: Path, compiled: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    workdir = tmp_path_factory.mktemp("one")
    _finish(_start(data, workdir, **_jax(compiled)))
    return workdir


@needs_jax
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_two_processes_train_as_one_with_the_joint_batch(
    data: Path, compiled: Path, one_process: Path, tmp_path: Path
) -> None:
    _finish(*_start_two(data, (tmp_path, tmp_path), compiled))
    np.testing.assert_allclose(_losses(tmp_path), _losses(one_process), rtol=0, atol=1e-5)
    assert _losses(tmp_path)[-1] < _losses(tmp_path)[0] - 0.05  # It learned.
    for two, one in zip(_history(tmp_path), _history(one_process), strict=True):
        assert two["validation"] == pytest.approx(one["validation"], abs=0.06)  # One of 20 characters.
    assert not list(tmp_path.glob("*.tmp"))


@needs_jax
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_two_processes_that_are_killed_go_on(
    data: Path, compiled: Path, one_process: Path, tmp_path: Path
) -> None:
    processes = _start_two(data, (tmp_path, tmp_path), compiled)
    while not (tmp_path / "checkpoint.npz").exists() and processes[0].poll() is None:
        time.sleep(0.01)
    for process in processes:
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert (tmp_path / "checkpoint.npz").exists()
    assert not (tmp_path / "result.json").exists()
    _finish(*_start_two(data, (tmp_path, tmp_path), compiled))
    np.testing.assert_allclose(_losses(tmp_path), _losses(one_process), rtol=0, atol=1e-5)


@needs_jax
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_processes_that_do_not_share_their_folder_are_told(
    data: Path, compiled: Path, one_process: Path, tmp_path: Path
) -> None:
    (tmp_path / "first").mkdir()
    (tmp_path / "first" / "checkpoint.npz").write_bytes((one_process / "checkpoint.npz").read_bytes())
    for process in _start_two(data, (tmp_path / "first", tmp_path / "second"), compiled):
        said = process.communicate(timeout=300)[1]
        assert process.returncode != 0
        assert "must be the same file for all processes" in said


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_two_devices_train_as_one_with_the_joint_batch(data: Path, tmp_path: Path) -> None:
    for across in ("none", "devices"):
        _finish(_start(data, tmp_path / across, across, PLAIN))
    np.testing.assert_allclose(_losses(tmp_path / "devices"), _losses(tmp_path / "none"), rtol=0, atol=1e-5)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_two_devices_normalise_each_their_part(data: Path, tmp_path: Path) -> None:
    for across in ("none", "devices"):
        _finish(_start(data, tmp_path / across, across))
    one, two = _losses(tmp_path / "none"), _losses(tmp_path / "devices")
    # Statistics of 4 pictures are not those of 8, and each device drops its own features.
    np.testing.assert_allclose(two, one, rtol=0, atol=0.1)
    assert _history(tmp_path / "devices")[-1]["validation"].keys() == {"mean", "c"}


@needs_jax
def test_machines_that_are_not_known_are_told(data: Path, tmp_path: Path) -> None:
    said = _start(data, tmp_path, "machines", KERAS_BACKEND="jax").communicate(timeout=300)[1]
    assert "The other machines are not known. Set KERAS_DISTRIBUTION_JOB_ADDRESSES=HOST:PORT" in said


def test_what_cannot_be_distributed_is_told(data: Path, tmp_path: Path) -> None:
    machines = _start(data, tmp_path, "machines").communicate(timeout=300)[1]
    assert "Training across machines needs the backend JAX" in machines
    odd = _start(data, tmp_path, "devices", {"batch_size": 7}).communicate(timeout=300)[1]
    assert "`batch_size` must be a multiple of the 2 devices. Received: batch_size=7." in odd
    assert not list(tmp_path.iterdir())
