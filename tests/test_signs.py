import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from training import glyphs, metrics, signs, strokes
from zoo import charset, kinds, load

CROSS = {"strokes": ["M 0 0"], "medians": [[[100, 400], [900, 400]], [[500, 800], [500, 0]]]}


@pytest.mark.parametrize("number", range(signs._WAYS))
def test_every_bopomofo_and_punctuation_mark_has_strokes_inside_its_square(number: int) -> None:
    way = signs.way(number)
    wanted = {c for c in charset.CHARACTERS[1:] if kinds.kind(c) in ("bopomofo", "punctuation")}
    assert wanted <= set(way)
    assert {kinds.kind(character) for character in set(way) - wanted} <= {"digits", "Latin"}
    for character, drawn in way.items():
        assert drawn.dtype == np.float32, character
        assert drawn.shape[1:] == (20, 2), character
        assert np.abs(drawn).max() <= 0.5, character
    assert len({way[character].tobytes() for character in wanted}) == len(wanted)
    for character, drawn in signs.way(number).items():
        np.testing.assert_array_equal(drawn, way[character])


def test_people_write_signs_digits_and_letters_in_several_ways() -> None:
    ways = [signs.way(number) for number in range(signs._WAYS)]
    assert len({way["。"].tobytes() for way in ways}) == len(ways)  # Form or size differ.
    assert len({way["!"].tobytes() for way in ways}) == 2
    assert {"z" in way for way in ways} == {True, False}
    sides = np.array([np.ptp(way["。"][0], axis=0).max() for way in ways])
    assert sides.min() > 0.12
    assert sides.max() > 1.3 * sides.min()


def test_what_stands_in_a_column_is_turned_to_the_right() -> None:
    row, column = signs.way(0), signs.way(1)
    level, standing = row["—"][0], column["—"][0]
    assert np.ptp(level[:, 1]) == np.ptp(standing[:, 0]) == 0
    np.testing.assert_allclose(standing[:, 1], level[:, 0])
    # The corner of 「 at the upper left comes to the upper right.
    upright, turned = (source["「"][0] for source in (row, column))
    assert upright[0, 0] > upright[-1, 0]
    assert turned[0, 1] > turned[-1, 1]


@pytest.mark.parametrize("number", range(signs._WAYS))
@pytest.mark.parametrize("character", signs._CORNERS)
def test_a_bracket_of_any_size_lies_in_a_column_and_stands_in_a_row(number: int, character: str) -> None:
    # `training.writing` tells so which of the two it has before it.
    strokes = signs.way(number)[character]
    width, height = np.ptp(strokes.reshape(-1, 2), axis=0)
    assert width > height if number % 2 else height > width


def test_every_source_of_strokes_comes_with_every_way_to_write_signs(tmp_path: Path) -> None:
    assert signs.read_all([]) == []
    for name, character in (("a", "十"), ("b", "千")):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{character}.json").write_text(json.dumps(CROSS), encoding="utf-8")
    read = signs.read_all([tmp_path / "a", tmp_path / "b"])
    assert [source.name for source in read] == ["a", "b"] * signs._WAYS
    for place, source in enumerate(read):
        way = signs.way(place // 2)
        assert set(source.characters) == set(way) | {{"a": "十", "b": "千"}[source.name]}
        np.testing.assert_array_equal(source.characters["—"], way["—"])


def test_a_made_up_writer_writes_characters_once_and_signs_several_times() -> None:
    cross = np.array([[[-0.4, 0], [0.4, 0]], [[0, -0.4], [0, 0.4]]], np.float32)
    lines = np.stack([strokes.resample(line) for line in cross]).astype(np.float32)
    source = strokes.Strokes("made", {"十": lines, "+": lines, "7": lines})
    (hand,) = glyphs.made_up_writers([source], 1, seed=0)
    assert charset.decode(hand.labels) == "十++++7777"
    assert len({image.tobytes() for image in hand.images}) == len(hand.images)


def test_the_strokes_of_punctuation_are_never_joined_and_those_of_characters_are() -> None:
    row = signs.way(0)
    strokes = {"…": row["…"], "三": row["…"]}  # The same dots.
    running = glyphs.StrokeHand(strokes, 0).style
    style = dataclasses.replace(running, running=99.0, span=9.0, stray=0.4)
    gaps = {}
    for character in strokes:
        image = glyphs.StrokeHand(strokes, 0, style)(character)
        gaps[character] = int((np.diff(np.flatnonzero((image < 160).any(0))) > 8).sum())
    assert gaps == {"…": 2, "三": 0}


def test_the_bundled_reader_reads_most_of_them() -> None:
    row = signs.way(0)
    neat = glyphs.Style(
        stray=0.3, rise=0.0, lean=0.0, slant=0.0, aspect=1.0, proportion=np.zeros(2), bow=0.0, reach=1.0,
        roundness=0.3, running=0.0, span=0.35, flourish=0.0, hooks=1.0, shortened=0.0, width=0.03, pressure=0.1, taper=0.0,
    )  # fmt: skip
    hand = glyphs.StrokeHand(row, 0, neat)
    labels = np.array(charset.encode("".join(row)))
    images = np.stack([hand(character) for character in row])
    assert (metrics.read(load("hanzinet_m"), images) == labels).mean() > 0.7
