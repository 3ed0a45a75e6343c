"""Shorter forms of the parts of characters."""

import dataclasses
import json
import re
from pathlib import Path

import numpy as np
import pytest

from training import allographs, glyphs, strokes
from training.strokes import Part

SVG = """<svg xmlns="http://www.w3.org/2000/svg" xmlns:kvg="http://kanjivg.tagaini.net" viewBox="0 0 109 109">
<g kvg:element="{character}">{inside}</g></svg>"""
WATER = '<g kvg:element="氵" kvg:position="left"><path d="M20,15L30,25"/><path d="M15,40L25,50"/><path d="M15,90L30,60"/></g>'
WORK = '<g kvg:element="工"><path d="M40,50L100,50"/><g kvg:element="丶"><path d="M60,10L70,40"/></g></g>'
PIECES = '<g kvg:element="口" kvg:part="1"><path d="M40,50L100,50"/></g>'


@pytest.fixture
def source(tmp_path: Path) -> strokes.Strokes:
    """江 with fewer strokes, as KanjiVG writes it."""
    (tmp_path / "06c5f.svg").write_text(SVG.format(character="江", inside=WATER + WORK), encoding="utf-8")
    (tmp_path / "06c42.svg").write_text(SVG.format(character="求", inside=PIECES), encoding="utf-8")
    (source,) = strokes.read_strokes(tmp_path)
    return source


def test_kanjivg_tells_which_strokes_are_a_part(source: strokes.Strokes) -> None:
    expected = [Part("江", "", 0, 5), Part("氵", "left", 0, 3), Part("工", "", 3, 5), Part("丶", "", 4, 5)]
    assert source.parts["江"] == expected
    assert source.parts["求"] == [Part("求", "", 0, 1)]  # The strokes of a piece are not the part.
    assert strokes.only(source, "求").parts.keys() == {"求"}


@pytest.mark.parametrize("name", allographs.FORMS)
def test_every_form_is_strokes_inside_a_box_of_a_part(name: str) -> None:
    part, _, place = name.partition(" ")
    assert len(part) == 1
    assert place in {"", "left", "right", "top", "bottom"}
    for form in allographs.FORMS[name]:
        points = np.array(re.findall(r"\d+", form), float).reshape(-1, 2)
        assert points.min() >= 0
        assert points.max() <= 100
        assert min(np.ptp(points, axis=0)) >= 10 or part == "灬"  # It fills its box, but a wave may be flat.
        assert max(np.ptp(points, axis=0)) >= 80


def test_a_writer_shortens_as_many_parts_as_the_style_says() -> None:
    rng = np.random.default_rng(0)
    assert allographs.choose(0.0, rng) == {}
    assert allographs.choose(1.0, rng).keys() == allographs.FORMS.keys()
    counts = [len(allographs.choose(0.3, rng)) for _ in range(100)]
    assert np.mean(counts) == pytest.approx(0.3 * len(allographs.FORMS), rel=0.1)


def test_the_form_takes_the_box_of_the_part_and_leaves_other_strokes_alone(source: strokes.Strokes) -> None:
    lines, parts = source.characters["江"], source.parts["江"]
    forms = allographs.choose(1.0, np.random.default_rng(0))
    written = [allographs.shorten(lines, parts, forms, np.random.default_rng(seed)) for seed in range(50)]
    shortened = [one for one in written if len(one) == 4]  # Two strokes for the three of 氵.
    assert 35 <= len(shortened) < 50
    for one in shortened:
        np.testing.assert_array_equal(one[2:], lines[3:])
        for bound in (np.min, np.max):
            np.testing.assert_allclose(bound(one[:2], axis=(0, 1)), bound(lines[:3], axis=(0, 1)), atol=0.06)
    assert all(np.array_equal(one, lines) for one in written if len(one) == 5)


def test_a_character_that_is_a_part_itself_stays_whole() -> None:
    mouth = np.random.default_rng(0).random((3, strokes.POINTS, 2))
    forms = allographs.choose(1.0, np.random.default_rng(0))
    for seed in range(20):
        written = allographs.shorten(mouth, [Part("口", "", 0, 3)], forms, np.random.default_rng(seed))
        np.testing.assert_array_equal(written, mouth)


def test_a_writer_writes_the_same_form_in_every_character_and_a_neat_one_none(
    source: strokes.Strokes, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts: list[int] = []
    monkeypatch.setattr(allographs, "_KEPT", 0.0)
    monkeypatch.setattr(glyphs, "_perturb", lambda lines, *_: counts.append(len(lines)) or lines)
    style = glyphs.Style.draw(np.random.default_rng(0))
    for share in (0.0, 1.0):
        hand = glyphs.StrokeHand(
            source.characters, 0, dataclasses.replace(style, shortened=share), source.parts
        )
        for _ in range(3):
            hand("江")
    assert counts == [5, 5, 5, 4, 4, 4]


def test_a_radical_has_one_name(tmp_path: Path) -> None:
    way = '<g kvg:element="⻌"><path d="M10,10L90,90"/></g>'
    (tmp_path / "08fce.svg").write_text(SVG.format(character="迎", inside=way), encoding="utf-8")
    assert strokes.read_strokes(tmp_path)[0].parts["迎"][1].name == "辶"


def test_sources_with_as_many_strokes_share_their_parts(source: strokes.Strokes, tmp_path: Path) -> None:
    folder = tmp_path / "other"
    folder.mkdir()
    lines = [[[0, 0], [100, 100]]]
    for character, count in (("江", 5), ("求", 2)):
        (folder / f"{character}.json").write_text(json.dumps({"medians": lines * count}), encoding="utf-8")
    (other,) = strokes.read_strokes(folder)
    for both in ([other, source], [source, other]):
        assert glyphs.parts_of(both, other.characters) == {"江": source.parts["江"]}


def test_a_source_knows_its_own_parts_best(source: strokes.Strokes) -> None:
    other = dataclasses.replace(source, parts={"江": [Part("江", "", 0, 5)]})
    assert glyphs.parts_of([other, source], source.characters)["江"] == other.parts["江"]
