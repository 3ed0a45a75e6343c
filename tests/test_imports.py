import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
HEAVY = {"tensorflow", "keras", "jax", "torch", "scipy", "matplotlib", "training"}


def imported_by(statement: str) -> set[str]:
    """The top-level modules that a fresh interpreter loads for a statement."""
    command = [sys.executable, "-X", "importtime", "-c", statement]
    process = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
    names = (line.rsplit("|", 1)[1].strip() for line in process.stderr.splitlines() if "|" in line)
    return {name.split(".")[0] for name in names}


def test_import_serving_loads_nothing_but_itself():
    loaded = imported_by("import serving")
    assert not loaded & (HEAVY | {"numpy", "cv2", "PIL", "ai_edge_litert", "tyro"})


@pytest.mark.parametrize(
    "statement",
    [
        "from serving import Reader, text_detection, text_recognition",
        "import serving.cli, serving.draw, serving.images, serving.ocr, serving.page, serving.runtime",
        "import zoo, zoo.charset, zoo.ctc, zoo.geometry, zoo.manuscript, zoo.rectangles",
        "import serving; [getattr(serving, name) for name in serving.__all__]",
    ],
)
def test_the_device_path_loads_no_training_framework(statement):
    assert not imported_by(statement) & HEAVY


def test_reading_a_page_loads_no_training_framework():
    read = (
        "import numpy as np; from serving import Reader, ModelError\n"
        "try: Reader().read(np.zeros((90, 90), np.uint8))\n"
        "except ModelError: pass\n"
        "else: print('read')"
    )
    assert not imported_by(read) & HEAVY


def test_the_command_loads_opencv_and_litert_only_to_read():
    loaded = imported_by("from serving.cli import main; assert main(['read', '--layout', 'grid']) == 2")
    assert not loaded & (HEAVY | {"numpy", "cv2", "PIL", "ai_edge_litert"})


def test_unknown_attribute_of_serving_is_named():
    import serving

    with pytest.raises(AttributeError, match="has no attribute 'Raeder'"):
        serving.Raeder  # noqa: B018
