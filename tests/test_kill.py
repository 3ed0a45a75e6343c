"""A run that is killed again and again ends like one that nobody disturbed."""

import dataclasses
import json
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests import made_hands
from training import callbacks

ROOT = Path(__file__).resolve().parents[1]


@dataclasses.dataclass
class Kills:
    """What the kills hit.

    Attributes:
        starting: Before the first epoch of a start was done.
        training: Later, at a random moment of an epoch.
        writing: While a checkpoint was being written.
        epochs: Epochs in the checkpoint after each kill.
    """

    starting: int = 0
    training: int = 0
    writing: int = 0
    epochs: list[int] = dataclasses.field(default_factory=list)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_hands.write_data(tmp_path_factory.mktemp("data"))


def _start(data: Path, workdir: Path, epochs: int) -> subprocess.Popen:
    fields = {"data": data, "epochs": epochs, "steps": 4, "batch-size": 8, "ema": 0.9}
    options = [text for name, value in fields.items() for text in (f"--{name}", str(value))]
    return subprocess.Popen(
        [sys.executable, "-m", "serving.cli", "train", "hanzinet_tiny", str(workdir), *options],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def _end(process: subprocess.Popen, workdir: Path) -> dict[str, Any]:
    """The result of a run that is left in peace."""
    _, said = process.communicate(timeout=1200)
    assert process.returncode == 0, said
    return json.loads((workdir / "result.json").read_text(encoding="utf-8"))


def _await(process: subprocess.Popen, event: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 300
    while not event():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.0005)


def _epochs(file: Path) -> int:
    """The epochs of a checkpoint, every byte of which is read."""
    if not file.exists():
        return 0
    with np.load(file, allow_pickle=False) as data:
        arrays = {name: data[name] for name in data.files}
    return len(json.loads(str(arrays["progress"]))["history"])


def _written(file: Path) -> int:
    """When a file was written, in nanoseconds; 0 where there is none."""
    try:
        return file.stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def _kill_again_and_again(data: Path, workdir: Path, epochs: int, kills: int, seed: int) -> Kills:
    """Starts the run and kills it, `kills` times: while it starts, trains or writes, at random moments."""
    rng = random.Random(seed)
    hit = Kills()
    file = workdir / callbacks.CHECKPOINT
    temporary = file.with_name(file.name + ".tmp")
    starting, training = 5.0, 0.5  # Seconds until the first epoch is done, and of an epoch; then measured.
    for number in range(kills):
        first, stale = _written(file), _written(temporary)
        began = time.monotonic()
        process = _start(data, workdir, epochs)
        moment = ("training", "writing", "starting")[number % 3]
        if moment == "starting":
            time.sleep(rng.uniform(0, starting))
        else:
            _await(process, lambda seen=first: _written(file) > seen)
            starting = time.monotonic() - began
            for _ in range(rng.randint(0, 2)):
                last, began = _written(file), time.monotonic()
                _await(process, lambda seen=last: _written(file) > seen)
                training = time.monotonic() - began
            if moment == "training":
                time.sleep(rng.uniform(0, training))
            else:
                _await(process, lambda old=stale: _written(temporary) not in (0, old))
                time.sleep(rng.uniform(0, 0.004))
        assert process.poll() is None, "the run has ended before it was killed: give it more epochs"
        process.kill()
        process.communicate()
        if _written(temporary) not in (0, stale):
            hit.writing += 1
        elif _written(file) > first:
            hit.training += 1
        else:
            hit.starting += 1
        hit.epochs.append(_epochs(file))
    return hit


def _assert_same(killed: dict[str, Any], undisturbed: dict[str, Any]) -> None:
    for name in ("training", "validation"):
        assert [epoch[name] for epoch in killed["history"]] == [
            epoch[name] for epoch in undisturbed["history"]
        ]
    assert killed["validation"] == undisturbed["validation"]
    assert killed["files"] == undisturbed["files"]


@pytest.mark.parametrize(
    ("kills", "epochs"), [(2, 12), pytest.param(30, 100, marks=[pytest.mark.slow, pytest.mark.timeout(3600)])]
)
def test_a_run_that_is_killed_ends_like_an_undisturbed_one(
    kills: int, epochs: int, data: Path, tmp_path: Path
) -> None:
    undisturbed = _end(_start(data, tmp_path / "undisturbed", epochs), tmp_path / "undisturbed")
    hit = _kill_again_and_again(data, tmp_path / "killed", epochs, kills, seed=kills)
    print(hit)
    assert hit.epochs == sorted(hit.epochs)  # What was saved is never lost.
    assert hit.training
    assert hit.writing
    _assert_same(_end(_start(data, tmp_path / "killed", epochs), tmp_path / "killed"), undisturbed)
    assert not list((tmp_path / "killed").glob("*.tmp"))
