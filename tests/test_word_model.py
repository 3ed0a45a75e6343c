"""Sentences are drawn from a model of words as it tells."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from training import word_model

WORDS = ["<unknown>", "。", "我們", "喜歡", "寫字", "<s>"]
MODEL = r"""\0-gram\1
  0.000001   0.1 (0,0)
\1-gram\7
        0   0.1  1.0 (0,0)
        1   0.2  1.0 (0,0)
        2   0.3  1.0 (0,0)
        3   0.2  1.0 (0,0)
        4   0.1  1.0 (0,0)
        5   0.1  1.0 (0,0)
       99   0.0  1.0 (0,0)
\2-gram\3
        2         3   0.8  0.5 (1,0)
        2         4   0.1  0.5 (1,0)
       99         3   0.8  0.5 (1,0)
\3-gram\1
        2         3         4   0.9 (1,0)
"""


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """The model as it is printed, and its lexicon."""
    model, lexicon = tmp_path / "model.txt", tmp_path / "lexicon.bin"
    model.write_text(MODEL, encoding="ascii")
    header = np.array([0, len(WORDS), 32, 0, 0, 0, 0, 0], "<u4").tobytes()
    lexicon.write_bytes(header + "".join(word + "\0" for word in WORDS).encode("utf-32-le"))
    return model, lexicon


def test_words_follow_each_other_as_often_as_the_model_tells(files: tuple[Path, Path]) -> None:
    passages = list(word_model.read(*files).draw(300_000, seed=0))
    after_we, after_both = Counter(), Counter()
    for passage in passages:
        for place in range(len(passage) - 2):
            if passage[place : place + 2] == "我們":
                after_we[passage[place + 2]] += 1
            if passage[place : place + 4] == "我們喜歡":
                after_both[passage[place + 4 : place + 5]] += 1
    inside = sum(after_we.values())
    # What is not listed falls to the words alone, without those that are listed: .1 to 。 and 我們 as .2 to .3; with 0 and
    # <s>, as often as one of them, the passage ends.
    assert after_we["喜"] / after_we["寫"] == pytest.approx(8, rel=0.06)
    assert after_we["我"] / after_we["。"] == pytest.approx(1.5, rel=0.06)
    assert (after_we["我"] + after_we["。"]) / inside == pytest.approx(0.5 / 0.7 * 0.1 / 0.97, rel=0.06)
    # One of 30 words is the last of its text.
    assert after_both["寫"] / sum(after_both.values()) == pytest.approx(0.9 * 29 / 30, abs=0.02)


def test_passages_end_at_stops_and_at_what_is_no_word(files: tuple[Path, Path]) -> None:
    passages = list(word_model.read(*files).draw(20_000, seed=1))
    assert all(passage and "。" not in passage[:-1] and "<" not in passage for passage in passages)
    assert any(passage[-1] == "。" for passage in passages)
    assert any(passage[-1] != "。" for passage in passages)


def test_the_command_writes_the_same_passages_for_a_seed(files: tuple[Path, Path]) -> None:
    run = [sys.executable, "-m", "training.word_model", *map(str, files), "--words", "500"]
    first, again, other = (
        subprocess.run([*run, "--seed", seed], capture_output=True, encoding="utf-8", check=True).stdout
        for seed in ("3", "3", "4")
    )
    assert first == again != other
    assert 400 < sum(len(line) for line in first.split()) < 2_000


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("model.txt", b"no model"),
        ("model.txt", MODEL.replace("0.9", "x").encode()),
        ("model.txt", MODEL[: MODEL.index("\\3")].encode()),
        ("lexicon.bin", b"short"),
        ("lexicon.bin", bytes(64)),
    ],
)
def test_other_files_are_named(tmp_path: Path, files: tuple[Path, Path], name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    run = [sys.executable, "-m", "training.word_model", *map(str, files)]
    done = subprocess.run(run, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 1
    assert f"{name}: this is no" in done.stderr
    assert "Traceback" not in done.stderr


def test_no_words_are_too_few(files: tuple[Path, Path]) -> None:
    run = [sys.executable, "-m", "training.word_model", *map(str, files), "--words", "0"]
    done = subprocess.run(run, capture_output=True, encoding="utf-8", check=False)
    assert (done.returncode, done.stderr) == (1, "`--words` must be 1 or more. Received: 0.\n")
