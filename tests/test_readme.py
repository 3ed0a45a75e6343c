"""Every code block of the README runs."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

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


@pytest.mark.parametrize(
    "index", [i for i, (kind, block) in enumerate(BLOCKS) if not _is_installation(block)]
)
def test_a_block_of_the_readme_runs(index: int, tmp_path: Path) -> None:
    kind, block = BLOCKS[index]
    if "--tf-serving" in block and not importlib.util.find_spec("tensorflow_serving"):
        pytest.skip("tensorflow-serving-api is not installed; it is apart from the extras")
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    made_hands.write_data(tmp_path / "data")
    made_hands.write_folder(tmp_path / "pictures")
    environment = os.environ | {
        "PYTHONPATH": str(ROOT),
        "PATH": f"{_with_command(tmp_path)}{os.pathsep}{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    command = {"sh": ["bash", "-euo", "pipefail", "-c", block], "python": [sys.executable, "-c", block]}
    if kind not in command:
        pytest.fail(f"no test knows how to run a block of {kind!r}")
    done = subprocess.run(
        command[kind], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout or "--check" in block


def _with_command(folder: Path) -> Path:
    """A folder with the command `hanzoo`, which an environment without installation lacks."""
    commands = folder / "bin"
    commands.mkdir()
    script = commands / "hanzoo"
    script.write_text(f"#!{sys.executable}\nimport sys\nfrom serving.cli import main\nsys.exit(main())\n")
    script.chmod(0o755)
    return commands
