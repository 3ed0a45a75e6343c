"""Exported files run on tflite-runtime 2.14, in an environment of its own."""

import json
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

import zoo
from serving import convert, export, operators
from serving.runtime import Session
from tests import tiny
from zoo import crnn

pytestmark = pytest.mark.slow

# Runs each file of a folder on `inputs.npy`, and writes what it gives, or why it cannot.
SCRIPT = """
import json, pathlib, sys
import numpy as np
from tflite_runtime.interpreter import Interpreter
errors = {}
for path in sorted(pathlib.Path(sys.argv[1]).glob("*.tflite")):
    inputs = np.load(path.parent / "inputs.npy")
    try:
        interpreter = Interpreter(str(path))
        run = interpreter.get_signature_runner()
        rows = [run(image=row[None])["logits"] for row in inputs]
        np.save(path.with_suffix(".npy"), np.concatenate(rows))
    except (ValueError, RuntimeError) as error:
        errors[path.name] = str(error)
print(json.dumps(errors))
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment that holds tflite-runtime and NumPy 1, which it needs."""
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    install = [str(folder / "bin" / "pip"), "install", "--quiet", "tflite-runtime==2.14.0", "numpy<2"]
    done = subprocess.run(install, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"tflite-runtime cannot be installed: {done.stderr.strip().splitlines()[-1:]}")
    return folder / "bin" / "python"


def model_of(name: str) -> keras.Model:
    keras.utils.set_random_seed(0)
    if name == "crnn":
        return crnn.crnn(8, height=16, width=16, units=8, widths=(4, 8), depth=1)
    return zoo.create(name, **tiny.READERS[name])


@pytest.mark.parametrize("name", ["hanzinet", "vgg16", "efficientnet_b0", "crnn"])
def test_files_run_there_or_the_report_says_what_makes_them(name: str, python: Path, tmp_path: Path) -> None:
    model = model_of(name)
    images = np.random.default_rng(0).integers(0, 256, (8, *model.input_shape[1:]), np.uint8)
    expected = np.asarray(model.predict_on_batch(images)["logits"])
    for compatible in (False, True):
        folder = tmp_path / str(compatible)
        folder.mkdir()
        export.tflite(model, folder, representative={"image": images}, compatible=compatible)
        np.save(folder / "inputs.npy", images)
        run = [str(python), "-c", SCRIPT, str(folder)]
        done = subprocess.run(run, capture_output=True, text=True, check=True)
        errors = json.loads(done.stdout)
        for precision in convert.PRECISIONS:
            path = folder / convert.file_name(precision)
            foreseen = operators.too_new_for_tflite_runtime(path.read_bytes())
            assert (path.name in errors) == bool(foreseen), (path.name, foreseen, errors)
            assert not (compatible and foreseen)
            if not foreseen:
                found = np.load(path.with_suffix(".npy"))
                session = Session(path)
                here = np.concatenate([session.run({"image": image[None]})["logits"] for image in images])
                spread = np.ptp(expected)
                # The kernels of two runtimes round int8 differently, layer after layer.
                tolerance = 1e-4 if precision.startswith("float") else 0.05 * spread
                np.testing.assert_allclose(found, here, atol=tolerance, err_msg=path.name)
