"""What several tests share."""

import os
from pathlib import Path

import pytest

# Threads of TensorFlow in each of several processes wait for each other.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with the development sets, which users of the repository do not have."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the development sets (../shared/data) are not on this machine; this test is extra")
    return folder


@pytest.fixture(scope="session")
def examples() -> Path:
    """The folder of the example pages."""
    return ROOT / "examples"
