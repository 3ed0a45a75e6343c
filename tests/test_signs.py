import dataclasses
import json
from pathlib import Path

import numpy as np

from training import glyphs, metrics, signs
from zoo import charset, kinds, load

CROSS = {"strokes": ["M 0 0"], "medians": [[[100, 400], [900, 400]], [[500, 800], [500, 0]]]}


def test_every_bopomofo_and_punctuation_mark_has_strokes_inside_its_square() -> None:
    row, column = signs.sources()
    wanted = {c for c in charset.CHARACTERS[1:] if kinds.kind(c) in ("bopomofo", "punctuation")}
    assert set(row) == wanted
    assert set(column) > set(signs._STANDING)
    for source in (row, column):
        for character, strokes in source.items():
            assert strokes.dtype == np.float32, character
            assert strokes.shape[1:] == (20, 2), character
            assert np.abs(strokes).max() <= 0.5, character
    assert len({strokes.tobytes() for strokes in row.values()}) == len(row)


def test_what_stands_in_a_column_is_turned_to_the_right() -> None:
    row, column = signs.sources()
    level, standing = row["—"][0], column["—"][0]
    assert np.ptp(level[:, 1]) == np.ptp(standing[:, 0]) == 0
    np.testing.assert_allclose(standing[:, 1], level[:, 0])
    # The corner of 「 at the upper left comes to the upper right.
    upright, turned = (source["「"][0] for source in (row, column))
    assert upright[0, 0] > upright[-1, 0]
    assert turned[0, 1] > turned[-1, 1]


def test_every_source_of_strokes_comes_with_signs_in_rows_and_in_columns(tmp_path: Path) -> None:
    assert signs.read_all([]) == []
    for name, character in (("a", "十"), ("b", "千")):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{character}.json").write_text(json.dumps(CROSS), encoding="utf-8")
    read = signs.read_all([tmp_path / "a", tmp_path / "b"])
    assert [source.name for source in read] == ["a", "b", "a", "b"]
    row, column = signs.sources()
    for source, dash in zip(read, [row["—"]] * 2 + [column["—"]] * 2, strict=True):
        assert set(row) | {{"a": "十", "b": "千"}[source.name]} <= set(source.characters)
        np.testing.assert_array_equal(source.characters["—"], dash)
    assert "z" not in read[0].characters
    assert "z" in read[2].characters


def test_the_strokes_of_punctuation_are_never_joined_and_those_of_characters_are() -> None:
    row, _ = signs.sources()
    strokes = {"…": row["…"], "三": row["…"]}  # The same dots.
    running = glyphs.StrokeHand(strokes, 0).style
    style = dataclasses.replace(running, running=99.0, span=9.0, stray=0.4)
    gaps = {}
    for character in strokes:
        image = glyphs.StrokeHand(strokes, 0, style)(character)
        gaps[character] = int((np.diff(np.flatnonzero((image < 160).any(0))) > 8).sum())
    assert gaps == {"…": 2, "三": 0}


def test_the_bundled_reader_reads_most_of_them() -> None:
    row, _ = signs.sources()
    neat = glyphs.Style(
        stray=0.3, rise=0.0, lean=0.0, slant=0.0, aspect=1.0, proportion=np.zeros(2), bow=0.0, reach=1.0,
        roundness=0.3, running=0.0, span=0.35, flourish=0.0, hooks=1.0, width=0.03, pressure=0.1, taper=0.0,
    )  # fmt: skip
    hand = glyphs.StrokeHand(row, 0, neat)
    labels = np.array(charset.encode("".join(row)))
    images = np.stack([hand(character) for character in row])
    assert (metrics.read(load("hanzinet_m"), images) == labels).mean() > 0.7
