"""Strokes: files as KanjiVG and hanzi-writer-data write them, and made-up writers."""

import json
from pathlib import Path

import numpy as np
import pytest

from training import glyphs, strokes
from zoo import charset

SVG = """<?xml version="1.0" encoding="UTF-8"?>
<svg xmlns="http://www.w3.org/2000/svg" xmlns:kvg="https://kanjivg.tagaini.net/" viewBox="0 0 109 109">
<g id="kvg:StrokePaths"><g kvg:element="x">{}</g></g>
<g id="kvg:StrokeNumbers"><text transform="matrix(1 0 0 1 4 4)">1</text></g>
</svg>"""
ACROSS = '<path d="M10,54.5c20,0,70,0,89,0"/>'
DOWN = '<path d="M54.5,10L54.5,99"/>'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """十 and 一 as KanjiVG writes them, 一 in a hand-like form too, and a character outside the charset."""
    kanji = tmp_path / "kanji"
    kanji.mkdir()
    (kanji / "05341.svg").write_text(SVG.format(ACROSS + DOWN), encoding="utf-8")
    (kanji / "04e00.svg").write_text(SVG.format(ACROSS), encoding="utf-8")
    (kanji / "04e00-Kaisho.svg").write_text(SVG.format(ACROSS), encoding="utf-8")
    (kanji / "03042.svg").write_text(SVG.format(ACROSS), encoding="utf-8")
    return kanji


def _hand(seed: int, folder: Path, **changes: float) -> glyphs.StrokeHand:
    style = glyphs.Style.draw(np.random.default_rng(0))
    neat = {"stray": 0.0, "rise": 0.0, "lean": 0.0, "slant": 0.0, "bow": 0.0, "aspect": 1.0, "reach": 1.0}
    neat |= {"roundness": 0.0, "flourish": 0.0}
    for name, value in (
        neat | {"width": 0.03, "running": 0.0, "taper": 0.0, "pressure": 0.0} | changes
    ).items():
        object.__setattr__(style, name, value)
    object.__setattr__(style, "proportion", np.zeros(2))
    return glyphs.StrokeHand(strokes.read_strokes(folder)[0].characters, seed, style)


def test_kanjivg_gives_even_points_along_each_stroke(folder: Path) -> None:
    plain, written = strokes.read_strokes(folder)
    assert (plain.name, written.name) == ("kanji", "kanji-Kaisho")
    assert set(plain.characters) == {"一", "十"}
    across, down = plain.characters["十"]
    assert across.shape == (strokes.POINTS, 2)
    # An ordinary character takes up 0.8 of the em square, and its middle stays in the middle.
    np.testing.assert_allclose(across[0], (-0.4, 0), atol=1e-6)
    np.testing.assert_allclose(down[-1], (0, 0.4), atol=1e-6)
    np.testing.assert_allclose(np.diff(down[:, 1]), 0.8 / (strokes.POINTS - 1), atol=1e-6)


def test_a_part_of_a_source_writes_what_is_asked_for(folder: Path) -> None:
    sources = [strokes.only(source, "十千") for source in strokes.read_strokes(folder)]
    assert [set(source.characters) for source in sources] == [{"十"}, set()]
    (writer,) = glyphs.made_up_writers(sources, 1, 0)
    assert charset.decode(writer.labels) == "十"


def test_hanzi_writer_data_has_its_origin_below(tmp_path: Path) -> None:
    upper = {"strokes": ["M 0 0"], "medians": [[[0, 900], [1024, 900]]]}
    (tmp_path / "一.json").write_text(json.dumps(upper), encoding="utf-8")
    (read,) = strokes.read_strokes(tmp_path)
    np.testing.assert_allclose(read.characters["一"][0][0], (-0.4, -0.4), atol=1e-6)


@pytest.mark.parametrize("damaged", ["", "<svg", '{"medians": 3}', SVG.format('<path d="M10"/>')])
def test_a_damaged_file_is_named(tmp_path: Path, damaged: str) -> None:
    name = "一.json" if damaged.startswith("{") else "04e00.svg"
    (tmp_path / name).write_text(damaged, encoding="utf-8")
    with pytest.raises(ValueError, match=f"{name}: holds no strokes"):
        strokes.read_strokes(tmp_path)


def test_a_folder_without_strokes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"must hold HEX\.svg or CHARACTER\.json"):
        strokes.read_strokes(tmp_path)


def test_a_neat_hand_writes_where_the_strokes_are(folder: Path) -> None:
    image = _hand(1, folder)("十")
    assert image.shape == (96, 96)
    assert image.dtype == np.uint8
    rows, columns = np.nonzero(image < 128)
    assert abs(rows.mean() - 47.5) < 1
    assert abs(columns.mean() - 47.5) < 1
    assert 76 <= np.ptp(columns) + 1 <= 82  # 0.8 of 96, and round ends.
    ink = np.mean([np.sum(255.0 - _hand(seed, folder)("十")) for seed in range(20)]) / 255
    assert ink == pytest.approx(2 * 76.8 * 0.03 * 96, rel=0.15)


def test_a_pen_that_is_wider_leaves_more_ink(folder: Path) -> None:
    thin, wide = (np.sum(255.0 - _hand(1, folder, width=width)("十")) for width in (0.02, 0.05))
    assert wide > 2 * thin


def test_strokes_that_are_joined_leave_ink_between_them(folder: Path) -> None:
    apart = np.mean([np.sum(255.0 - _hand(seed, folder)("十")) for seed in range(20)])
    joined = np.mean([np.sum(255.0 - _hand(seed, folder, running=50.0)("十")) for seed in range(20)])
    assert joined > 1.1 * apart  # The pen presses less on its way.


def test_a_hook_turns_back_and_can_be_left_out() -> None:
    down = np.stack([np.zeros(17), np.linspace(-0.4, 0.4, 17)], axis=-1)
    hook = np.array([[-0.04, 0.36], [-0.08, 0.32], [-0.12, 0.28]])
    hooked, plain = (
        np.concatenate([down, hook]),
        np.stack([np.zeros(20), np.linspace(-0.4, 0.4, 20)], axis=-1),
    )
    assert glyphs._hooks(np.stack([hooked, plain])).tolist() == [True, False]
    shortened = glyphs._without_hook(hooked)
    assert shortened.shape == hooked.shape
    np.testing.assert_allclose(shortened[-1], (0, 0.4), atol=1e-6)


def test_made_up_writers_are_the_same_for_a_seed_and_differ_from_each_other(folder: Path) -> None:
    read = strokes.read_strokes(folder)
    first, second = glyphs.made_up_writers(read, 2, seed=3)
    again = glyphs.made_up_writers(read, 2, seed=3)[0]
    np.testing.assert_array_equal(first.images, again.images)
    assert first.labels.tolist() == sorted(charset.encode("一十"))
    assert not first.real
    assert not np.array_equal(first.images, second.images)
    assert not np.array_equal(first.images, glyphs.made_up_writers(read, 1, seed=4)[0].images)


def test_without_strokes_nobody_writes() -> None:
    assert glyphs.made_up_writers([], 3, seed=0) == []
