"""Every code block of the README runs."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import zoo
from tests import made_hands

ROOT = Path(__file__).resolve().parents[1]
BLOCKS = [
    (kind, block)
    for kind, block in re.findall(
        r"^```(\w+)\n(.*?)^```", (ROOT / "README.md").read_text(encoding="utf-8"), re.M | re.S
    )
    if kind != "text"  # A picture in letters.
]


def _is_installation(block: str) -> bool:
    return "pip install" in block  # .ci/run runs these in fresh environments.


def test_the_readme_installs_with_two_commands_that_ci_runs() -> None:
    installations = {block for kind, block in BLOCKS if kind == "sh" and _is_installation(block)}
    assert len(installations) == 2
    assert "README.md" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


_STAGES = [i for i, (_, block) in enumerate(BLOCKS) if "hanzinet_slim_48" in block]
"""The training of the bundled readers takes hours; a test of its own runs it shortened."""


_GENERATORS = [i for i, (_, block) in enumerate(BLOCKS) if "hanzoo gate" in block]
"""So does that of generators."""


_ACCELERATED = [i for i, (_, block) in enumerate(BLOCKS) if "accelerate.py" in block]
"""So does that of whoever has an accelerator."""


@pytest.mark.parametrize(
    "index",
    [
        pytest.param(
            i,
            marks=[pytest.mark.slow] if "hanzoo train" in block else [],
            id=f"{i}-tf-serving" if "--tf-serving" in block else str(i),
        )
        for i, (_, block) in enumerate(BLOCKS)
        if not _is_installation(block) and i not in (*_STAGES, *_GENERATORS, *_ACCELERATED)
    ],
)
def test_a_block_of_the_readme_runs(index: int, tmp_path: Path) -> None:
    kind, block = BLOCKS[index]
    done = _run(kind, block, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout or "--check" in block


@pytest.mark.slow
def test_the_stages_of_the_bundled_readers_run_shortened(tmp_path: Path) -> None:
    (index,) = _STAGES
    kind, block = BLOCKS[index]
    short = " --epochs 1 --steps 2 --batch-size 8 --stroke-writers 1"
    _write_sources(tmp_path)
    lines = [line + (short if " train " in line else "") for line in block.splitlines()]
    done = _run(kind, "\n".join(lines), tmp_path)
    assert done.returncode == 0, done.stderr
    sizes = {
        name: zoo.load(tmp_path / "runs" / name).input_shape[1]
        for name in ("slim48", "slim", "both", "m", "s")
    }
    assert sizes == {"slim48": 48, "slim": 64, "both": 64, "m": 64, "s": 64}
    made = zoo.describe(tmp_path / "runs" / "presets" / "my_reader")
    assert made["data"]["fonts"] == ["made"]
    assert made["data"]["stroke_writers"] == 1
    assert (made["recipe"]["widen_from"], made["recipe"]["teacher"]) == ("slim", "both")


@pytest.mark.slow
def test_the_commands_of_generators_run_shortened(tmp_path: Path) -> None:
    (index,) = _GENERATORS
    kind, block = BLOCKS[index]
    made_hands.write_font(_folder(tmp_path / "sources" / "fonts") / "lxgw-wenkai-tc", made_hands.CHARACTERS)
    short = {
        " dcgan ": " --characters 一二三十 --epochs 1 --steps 1 --batch-size 4 --drawn 200",
        " fewshot ": " --held-out 3 --epochs 1 --steps 1 --batch-size 4 --drawn 200",
        " gate ": " --shots 0 --seeds 1 --steps 2 --added 2",
    }
    lines = [
        line + "".join(more for name, more in short.items() if name in line) for line in block.splitlines()
    ]
    done = _run(kind, "\n".join(lines), tmp_path, repeats=40)
    assert done.returncode == 0, done.stderr
    assert {path.name for path in (tmp_path / "runs").glob("*.*")} == {"dcgan.png", "page.png", "gate.json"}
    assert "accepted" in done.stdout
    assert "pictures added to" in done.stdout


@pytest.mark.slow
def test_the_commands_for_an_accelerator_run_shortened(tmp_path: Path) -> None:
    pytest.importorskip("optax", reason="optax is not installed (pip install -e '.[dev]')")
    (index,) = _ACCELERATED
    kind, block = BLOCKS[index]
    _write_sources(tmp_path)
    teacher = '{"widths": [8, 8, 8, 8], "depths": [0, 0, 0, 0], "embedding": 8}'
    short = {
        "accelerate.py": f" --stroke-writers 1 --minutes 0.1 --processes 1 --batch-size 8 --teacher '{teacher}'",
        " train ": " --epochs 1 --steps 2 --batch-size 8",
    }
    lines = [
        line + "".join(more for name, more in short.items() if name in line) for line in block.splitlines()
    ]
    done = _run(kind, "\n".join(lines), tmp_path)
    assert done.returncode == 0, done.stderr
    assert {path.name for path in (tmp_path / "runs" / "fast").iterdir()} == {
        *("hanzinet_m", "hanzinet_s", "line_s", "teacher"),
    }
    learnt, bundled = (
        zoo.load(model).get_layer("scores").get_weights()[0]
        for model in (tmp_path / "runs" / "fast" / "hanzinet_m", "hanzinet_m")
    )
    assert np.isfinite(learnt).all()
    assert not np.array_equal(learnt, bundled)
    assert zoo.describe(tmp_path / "runs" / "m")["recipe"]["start"] == "hanzinet_m"


def _write_sources(tmp_path: Path) -> None:
    """A font and strokes where the README has them."""
    made_hands.write_font(_folder(tmp_path / "sources" / "fonts") / "made.ttf")
    strokes = _folder(tmp_path / "sources" / "strokes" / "made")
    (strokes / "一.json").write_text('{"medians": [[[100, 400], [900, 400]]]}')


def _folder(path: Path) -> Path:
    path.mkdir(parents=True)
    return path


def _run(kind: str, block: str, tmp_path: Path, repeats: int = 2) -> subprocess.CompletedProcess[str]:
    """Runs a block in a folder with examples, data and pictures."""
    if "--tf-serving" in block and not importlib.util.find_spec("tensorflow_serving"):
        pytest.skip("tensorflow-serving-api is not installed; it is apart from the extras")
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    made_hands.write_data(tmp_path / "data", repeats)
    made_hands.write_folder(tmp_path / "pictures")
    environment = os.environ | {
        "PYTHONPATH": str(ROOT),
        "PATH": f"{_with_command(tmp_path)}{os.pathsep}{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    command = {"sh": ["bash", "-euo", "pipefail", "-c", block], "python": [sys.executable, "-c", block]}
    if kind not in command:
        pytest.fail(f"no test knows how to run a block of {kind!r}")
    return subprocess.run(
        command[kind], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=900
    )


def _with_command(folder: Path) -> Path:
    """A folder with the command `hanzoo`, which an environment without installation lacks."""
    commands = folder / "bin"
    commands.mkdir()
    script = commands / "hanzoo"
    guarded = 'if __name__ == "__main__":\n    sys.exit(main())\n'  # Processes that it starts import it.
    script.write_text(f"#!{sys.executable}\nimport sys\nfrom serving.cli import main\n\n{guarded}")
    script.chmod(0o755)
    return commands
