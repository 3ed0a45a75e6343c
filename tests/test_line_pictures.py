"""Pictures of single lines: natural text as far as a hand goes."""

import json
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest

from training import line_pictures, pages, sheets
from training.sources import Glyphs
from training.writing import Hand
from zoo import charset
from zoo.manuscript import Direction

KNOWN = "一二三十人口日月、"
SQUARES = np.pad(np.zeros((len(KNOWN), 56, 56), np.uint8), ((0, 0), (20, 20), (20, 20)), constant_values=255)


def _hand() -> Hand:
    return Hand(Glyphs("w1", SQUARES, np.array(charset.encode(KNOWN), np.int32), real=True))


def test_clauses_are_what_the_hand_can_write_whole() -> None:
    lines = ["日月人口、三說十人口日月", "一二三四五", "", "人口日月一。"]
    assert line_pictures.clauses(lines, _hand()) == ["日月人口、三", "十人口日月", "人口日月一"]


@pytest.mark.parametrize("direction", ["horizontal", "vertical"])
def test_a_line_is_written_along_its_picture_and_lies_inside(direction: Direction) -> None:
    found = ["日月人口、三", "十人口日月", "人口日月一"]
    for seed in range(10):
        image, truth = line_pictures.draw(found, _hand(), direction, np.random.default_rng(seed))
        (line,) = truth["lines"]
        assert image.shape == (truth["height"], truth["width"], 3)
        assert (truth["width"] > truth["height"]) == (direction == "horizontal")
        assert truth["ignore"] == []  # No printed words.
        assert truth["text"] == line["text"] == "".join(one["text"] for one in line["chars"])
        assert 5 <= len(line["text"]) <= 16
        assert any(line["text"].startswith(clause) for clause in found)
        quads = np.array([one["quad"] for one in line["chars"]])
        assert quads.min() >= -1
        assert (quads.max((0, 1)) <= (truth["width"] + 1, truth["height"] + 1)).all()
        middles = quads.mean(1)[:, 0 if direction == "horizontal" else 1]
        assert (np.diff(middles) > 0).all()


def test_without_a_clause_nothing_is_written() -> None:
    with pytest.raises(ValueError, match="must have a clause that w1 can write"):
        line_pictures.draw([], _hand(), "horizontal", np.random.default_rng(0))


def test_a_hand_that_can_write_nothing_is_named_before_anything_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.savez(tmp_path / "w1.npz", images=SQUARES, labels=np.array(list(KNOWN)))
    (tmp_path / "text.txt").write_text("說話\n", encoding="utf-8")
    with pytest.raises(SystemExit):
        line_pictures.main(
            [str(tmp_path / "out"), "--hands", str(tmp_path / "w1.npz"), "--text", str(tmp_path / "text.txt")]
        )
    assert "must have a clause that w1 can write" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("composer", [line_pictures, pages, sheets])
def test_what_is_missing_is_told_in_a_line(
    composer: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    writers = "--hands" if composer is line_pictures else "--fonts"
    text = tmp_path / "text.txt"
    text.write_text("日月人口\n", encoding="utf-8")
    for missing, there in ((text, "none"), (tmp_path / "none.txt", "none.ttf")):
        with pytest.raises(SystemExit) as end:
            composer.main([str(tmp_path / "out"), writers, str(tmp_path / there), "--text", str(missing)])
        assert end.value.code == 1
        assert capsys.readouterr().err.startswith("hanzoo: ")
    assert not (tmp_path / "out").exists()


def test_a_set_is_written_for_all_hands_and_is_the_same_again(tmp_path: Path) -> None:
    hands = [tmp_path / "w1.npz", tmp_path / "w2.npz"]
    for hand in hands:
        np.savez(hand, images=SQUARES, labels=np.array(list(KNOWN)))
    text = tmp_path / "text.txt"
    text.write_text("日月人口、三\n十人口日月\n", encoding="utf-8")
    for name in ("a", "b"):
        arguments = [str(tmp_path / name), "--hands", *map(str, hands), "--text", str(text)]
        line_pictures.main([*arguments, "--count", "3", "--direction", "vertical"])
    rows = (tmp_path / "a" / "manifest.tsv").read_text(encoding="utf-8").splitlines()
    truth = json.loads((tmp_path / "a" / "truth.json").read_text(encoding="utf-8"))
    assert [row.split("\t")[0] for row in rows] == ["000_w1.jpg", "001_w2.jpg", "002_w1.jpg"]
    assert [row.split("\t")[1] for row in rows] == [page["text"] for page in truth.values()]
    for row in rows:
        name = row.split("\t")[0]
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
        picture = cv2.imread(str(tmp_path / "a" / name))
        assert picture is not None
        assert picture.shape[:2] == (truth[name]["height"], truth[name]["width"])
        assert truth[name]["direction"] == "vertical"
