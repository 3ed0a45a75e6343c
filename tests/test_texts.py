"""Sentences to write."""

import lzma
from pathlib import Path

import numpy as np
import pytest

from training import texts
from training.sources import Glyphs
from zoo import charset


def writer(characters: str) -> Glyphs:
    labels = np.array(charset.encode(characters), np.int32)
    return Glyphs("w", np.full((len(labels), 96, 96), 255, np.uint8), labels, real=False)


def test_plain_and_compressed_files_are_read_without_empty_lines(tmp_path: Path) -> None:
    folder = tmp_path / "text"
    folder.mkdir()
    (folder / "a.txt").write_text("一二三\n\n人口\n", encoding="utf-8")
    (folder / "b.txt.xz").write_bytes(lzma.compress("日月。\n".encode()))
    (folder / "c.md").write_text("no", encoding="utf-8")
    assert texts.read_texts(texts.of_folder(tmp_path)) == ("一二三", "人口", "日月。")
    assert texts.of_folder(tmp_path / "nowhere") == []


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", lzma.compress("日月。".encode())[:20]])
def test_a_file_that_is_no_text_is_named(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / ("bad.txt" if content[:1] == b"\xff" else "bad.txt.xz")
    file.write_bytes(content)
    with pytest.raises(ValueError, match=r"bad\.txt.* is no UTF-8 text"):
        texts.read_texts([file])


def test_lines_that_share_a_passage_with_other_texts_are_left_out(tmp_path: Path) -> None:
    file = tmp_path / "dev.txt"
    file.write_text("00.jpg\t一二三四，五\n六七八九十。\n", encoding="utf-8")
    shared = texts.passages_of([file])
    lines = ["「三四五六七八九十」，人", "一二三四五六七", "人口日月"]  # Eight, seven and none in common.
    assert texts.apart(lines, shared) == lines[1:]
    assert texts.apart(lines, set()) == lines
    file.write_text("一二三四五六七\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"dev\.txt: must hold 8 Chinese characters or more"):
        texts.passages_of([file])


def test_invented_sentences_use_the_characters_that_the_writers_have() -> None:
    sentences = texts.invented([writer("一二A，"), writer("人")], seed=3)
    assert set("".join(sentences)) == set("一二人，。")
    assert sentences == texts.invented([writer("一二A，"), writer("人")], seed=3)
    assert len(set(sentences)) > len(sentences) / 2
    with pytest.raises(ValueError, match="must hold Chinese characters"):
        texts.invented([writer("A")], seed=3)


def test_lines_that_measure_share_no_passage_with_those_that_train() -> None:
    lines = [*"一二三四五六七八九十人口日月山水火土", "人口日月山水火土金木", "「口日月山水火土金，木」"]
    assert texts.split(lines) == (lines[:-2], lines[-1:])
    assert texts.split(lines[:19]) == (lines[:19], [])
    same = ["一二三四五六七八"] * 20
    assert texts.split(same) == (same, [])
