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
    assert set(row.characters) == wanted
    assert set(column.characters) > set(signs._STANDING)
    for source in (row, column):
        for character, strokes in source.characters.items():
            assert strokes.dtype == np.float32, character
            assert strokes.shape[1:] == (20, 2), character
            assert np.abs(strokes).max() <= 0.5, character
    assert len({strokes.tobytes() for strokes in row.characters.values()}) == len(row.characters)


def test_what_stands_in_a_column_is_turned_to_the_right() -> None:
    row, column = signs.sources()
    level, standing = row.characters["—"][0], column.characters["—"][0]
    assert np.ptp(level[:, 1]) == np.ptp(standing[:, 0]) == 0
    np.testing.assert_allclose(standing[:, 1], level[:, 0])
    # The corner of 「 at the upper left comes to the upper right.
    upright, turned = (source.characters["「"][0] for source in (row, column))
    assert upright[0, 0] > upright[-1, 0]
    assert turned[0, 1] > turned[-1, 1]


def test_signs_come_with_strokes_only(tmp_path: Path) -> None:
    assert signs.read_all([]) == []
    (tmp_path / "十.json").write_text(json.dumps(CROSS), encoding="utf-8")
    read = signs.read_all([tmp_path])
    assert [source.name for source in read] == [tmp_path.name, "signs", "signs in columns"]
    (writer,) = glyphs.made_up_writers(read, 1, 0)
    assert {"十", "ㄅ", "。", "z"} <= set(charset.decode(writer.labels))


def test_dots_are_never_joined() -> None:
    row, _ = signs.sources()
    running = glyphs.StrokeHand(row.characters, 0)
    style = dataclasses.replace(running.style, running=9.0, span=9.0, stray=0.4)
    image = glyphs.StrokeHand(row.characters, 0, style)("…")
    inked = np.flatnonzero((image < 128).any(0))
    assert (np.diff(inked) > 8).sum() == 2  # Three dots, apart.


def test_the_bundled_reader_reads_most_of_them() -> None:
    row, _ = signs.sources()
    neat = glyphs.Style(
        stray=0.3, rise=0.0, lean=0.0, slant=0.0, aspect=1.0, proportion=np.zeros(2), bow=0.0, reach=1.0,
        roundness=0.3, running=0.0, span=0.35, flourish=0.0, hooks=1.0, width=0.03, pressure=0.1, taper=0.0,
    )  # fmt: skip
    hand = glyphs.StrokeHand(row.characters, 0, neat)
    labels = np.array(charset.encode("".join(row.characters)))
    images = np.stack([hand(character) for character in row.characters])
    assert (metrics.read(load("hanzinet_m"), images) == labels).mean() > 0.7
