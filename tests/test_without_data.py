"""Fonts, strokes and public sets train in a folder without `data`: a part of them validates."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from serving import cli, latency
from tests import made_hands
from training import fit, sources
from training.recipe import CharacterRecipe
from training.sources import Glyphs
from zoo import charset

TINY = CharacterRecipe(
    model="hanzinet",
    sizes={"widths": (4, 8, 16, 16), "depths": (0, 0, 1, 0), "embedding": 8},
    epochs=1,
    steps=2,
    batch_size=8,
    stroke_writers=2,
)


@pytest.fixture(autouse=True)
def fonts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """Two fonts; every test is in a folder without `data`."""
    monkeypatch.chdir(tmp_path)
    return (
        made_hands.write_font(tmp_path / "first.ttf"),
        made_hands.write_font(tmp_path / "last.ttf", "一二三"),
    )


@pytest.fixture
def strokes(tmp_path: Path) -> Path:
    folder = tmp_path / "strokes"
    folder.mkdir()
    (folder / "一.json").write_text('{"medians": [[[100, 400], [900, 400]]]}', encoding="utf-8")
    return folder


def _glyphs(writer: str, text: str, real: bool = True) -> Glyphs:
    images = np.full((len(text), 96, 96), 255, np.uint8)
    return Glyphs(writer, images, np.array(charset.encode(text), np.int32), real)


def _names(writers: list[Glyphs]) -> list[str]:
    return [one.writer for one in writers]


def test_the_last_font_validates_and_does_not_train(fonts: tuple[Path, Path], strokes: Path) -> None:
    task = dataclasses.replace(TINY, fonts=fonts, strokes=(strokes,)).task()
    assert _names(task.train) == ["first", "made-up writer 0", "made-up writer 1"]
    assert _names(task.validation) == ["last"]
    assert sorted(charset.decode(task.validation[0].labels)) == sorted("一二三")
    data = task.facts()["data"]
    assert (data["hands"], data["fonts"], data["stroke_writers"]) == ([], ["first"], 2)
    assert data["unseen"] == ["last"]


def test_a_made_up_writer_validates_where_there_is_no_font(strokes: Path) -> None:
    task = dataclasses.replace(TINY, strokes=(strokes,)).task()
    assert _names(task.train) == ["made-up writer 0"]
    assert _names(task.validation) == ["made-up writer 1"]
    assert task.facts()["data"]["stroke_writers"] == 1
    assert task.facts()["data"]["unseen"] == ["made-up writer 1"]


def test_a_share_of_a_set_validates_before_fonts(tmp_path: Path, fonts: tuple[Path, Path]) -> None:
    folder = made_hands.write_folder(tmp_path / "set", "一二三", pictures=11)
    task = dataclasses.replace(TINY, sets=(str(folder),), fonts=fonts).task()
    assert _names(task.train) == ["set", "first", "last"]
    (held,) = task.validation
    assert sorted(charset.decode(held.labels)) == sorted("一一二二三三")  # The first sample, and every tenth.
    assert len(task.train[0].labels) == 33 - 6
    assert task.facts()["data"]["hands"] == ["set"]
    assert task.facts()["data"]["unseen"] == []


def test_hands_that_wrote_little_validate_whole() -> None:
    hands = [_glyphs("a", "一二"), _glyphs("b", "一二"), _glyphs("b_scan", "三")]
    fonts = [_glyphs("f", "一", real=False)]
    kept, kept_fonts, made_up, held = sources.hold_out(hands, fonts, [])
    assert (_names(kept), _names(kept_fonts), made_up, _names(held)) == (["a"], ["f"], [], ["b_scan"])
    kept, kept_fonts, _, held = sources.hold_out(hands[:1], [*fonts, _glyphs("g", "一", real=False)], [])
    assert (_names(kept), _names(kept_fonts), _names(held)) == (["a"], ["f"], ["g"])


def test_one_source_alone_does_both_unless_a_hand_wrote_it() -> None:
    font = _glyphs("f", "一", real=False)
    assert sources.hold_out([], [font], []) == ([], [font], [], [font])
    with pytest.raises(ValueError, match="a: at least one character needs 5 samples"):
        sources.hold_out([_glyphs("a", "一二")], [], [])


def test_data_that_are_asked_for_must_be_there(fonts: tuple[Path, Path]) -> None:
    missing = (
        r"`data` must be a folder\. Received: {}\. To train without one, leave `data` out and give fonts"
    )
    with pytest.raises(ValueError, match=missing.format("none")):
        dataclasses.replace(TINY, data=Path("none"), fonts=fonts).task()
    with pytest.raises(ValueError, match=missing.format("data")):
        TINY.task()
    made_hands.write_data(Path("data"))
    task = dataclasses.replace(TINY, fonts=fonts).task()
    assert _names(task.validation) == task.facts()["data"]["unseen"] == ["c"]
    assert _names(task.train) == ["a", "b", "first", "last"]


@pytest.mark.parametrize("more", [[], ["--no-hands"]])
def test_a_sheet_is_drawn_of_one_font(more: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["sheet", "hanzinet_tiny", "sheet", "--fonts", "first.ttf", *more]) == 0, (
        capsys.readouterr().err
    )
    assert {path.name for path in Path("sheet").iterdir()} == {"writers.png", "training.png"}


def test_the_run_and_its_card_tell_what_validated(
    fonts: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(latency, "measure", lambda *_: None)
    fit.fit(dataclasses.replace(TINY, fonts=fonts), Path("run"))
    result = json.loads(Path("run/result.json").read_text(encoding="utf-8"))
    assert list(result["validation"]) == ["mean", "last"]
    assert result["data"]["unseen"] == ["last"]
    names = [str(font) for font in fonts]
    capfd.readouterr()
    assert cli.main(["preset", "run", "mine", "--presets", "presets", "--fonts", *names]) == 0
    card = Path("presets/mine/card.md").read_text(encoding="utf-8")
    assert "No handwriting: characters of a font or made-up writer (last) that did not train." in card
    assert "- fonts: first." in card
    assert cli.main(["preset", "run", "one", "--presets", "presets", "--fonts", names[0]]) == 0
    assert "(first) that trained too." in Path("presets/one/card.md").read_text(encoding="utf-8")
