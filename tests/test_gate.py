"""The gate accepts writing that helps, and no other."""

import dataclasses

import numpy as np
import pytest

from tests import made_hands
from training import gate, metrics, sources
from training.generator import Generator
from training.sources import Glyphs
from zoo import charset

_LABELS = charset.encode("一二三人口日")
_SETTINGS = gate.Settings(shots=(0,), seeds=1, steps=320, added=12)


@dataclasses.dataclass(frozen=True)
class _Fake(Generator):
    """Draws from a pile of pictures."""

    pile: Glyphs | None = None

    def write_legibly(self, labels, recogniser, seed=0):
        rng = np.random.default_rng(seed)
        images = [self.pile.images[rng.choice(np.flatnonzero(self.pile.labels == label))] for label in labels]
        return np.stack(images), np.ones(len(labels), bool)


@pytest.fixture(scope="module")
def hands(tmp_path_factory: pytest.TempPathFactory) -> list[Glyphs]:
    folder = tmp_path_factory.mktemp("hands")
    for seed in range(3):
        made_hands.write_hand(folder / f"{seed}.npz", seed, repeats=12)
    return sources.read_hands(folder)


def _fake(pile: Glyphs) -> _Fake:
    # What is printed says nothing of how it is written: the same box for all.
    printed = np.full((len(charset.CHARACTERS), 64, 64), 255, np.uint8)
    printed[:, 20:40, 20:40] = 0
    return _Fake(None, {}, printed, pile=pile)


@pytest.mark.slow
def test_writing_that_shows_the_characters_is_accepted(hands: list[Glyphs]) -> None:
    report = gate.measure({"good": _fake(hands[0])}, hands[1:2], hands[2:], _LABELS, None, _SETTINGS)
    ((rivals,), (found,)) = report["rivals"], report["generators"]
    (row,) = found["rows"]
    assert row["generated"] > max(rivals[arm] for arm in gate.RIVALS) + 0.1
    assert rivals[row["best"]] == max(rivals[arm] for arm in gate.RIVALS)
    for over, rival in (("over_copies", "copies"), ("over_best", row["best"])):
        assert row[over]["gain"] == pytest.approx(row["generated"] - rivals[rival])
        assert found[over]["low"] > 0
    assert found["accepted"]
    assert found["legible"] == 1
    assert report["classes"] == 6
    assert report["people"] == {"2": 72}
    assert "good: accepted, surely better than the best rival in the rows 0, together" in gate.tables(report)
    assert "| 0 |" in gate.tables(report)


@pytest.mark.slow
def test_writing_under_wrong_names_is_not_accepted(hands: list[Glyphs]) -> None:
    shifted = dict(zip(_LABELS, [*_LABELS[1:], _LABELS[0]], strict=True))
    labels = np.array([shifted.get(label, label) for label in hands[0].labels.tolist()], np.int32)
    wrong = dataclasses.replace(hands[0], labels=labels)
    settings = dataclasses.replace(_SETTINGS, shots=(None,))
    both = {"right": _fake(hands[0]), "wrong": _fake(wrong)}
    report = gate.measure(both, hands[1:2], hands[2:], _LABELS, None, settings)
    right, found = report["generators"]
    assert not found["accepted"]
    assert report["rivals"][0]["copies"] > found["rows"][0]["generated"]
    assert right["rows"][0]["generated"] > found["rows"][0]["generated"]


def test_all_numbers_of_samples_count_together(hands: list[Glyphs]) -> None:
    settings = gate.Settings(shots=(0, 3), seeds=2, steps=3, added=2)
    report = gate.measure({"any": _fake(hands[0])}, hands[1:2], hands[2:], _LABELS, None, settings)
    (found,) = report["generators"]
    assert [row["shots"] for row in found["rows"]] == [0, 3]
    for over in ("over_copies", "over_best"):
        assert found[over]["gain"] == pytest.approx(np.mean([row[over]["gain"] for row in found["rows"]]))
    assert report["settings"] == {"shots": (0, 3), "seeds": 2, "steps": 3, "added": 2}


@pytest.mark.parametrize(
    "wrong", [{"seeds": 0}, {"added": 0}, {"steps": 0}, {"shots": ()}, {"shots": (5, 5)}]
)
def test_settings_that_measure_nothing_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        gate.Settings(**wrong)


def test_who_trains_is_not_tried(hands: list[Glyphs]) -> None:
    scan = dataclasses.replace(hands[1], writer=f"{hands[1].writer}_scan")
    with pytest.raises(ValueError, match="On both sides: 1"):
        gate.measure({"any": _fake(hands[0])}, hands[:2], [scan, hands[2]], _LABELS, None, _SETTINGS)


def test_styles_show_other_characters_and_each_person_once(hands: list[Glyphs]) -> None:
    scan = dataclasses.replace(hands[1], writer="0_scan")
    only = dataclasses.replace(sources.only(hands[2], _LABELS), writer="2")
    shown = gate.styles([hands[0], scan, only], _LABELS)
    assert [hand.writer for hand in shown] == ["0"]
    assert not set(shown[0].labels) & set(_LABELS)
    assert len(shown[0].labels) == 2 * (~np.isin(hands[0].labels, _LABELS)).sum()


def test_few_samples_of_each_class_are_drawn(hands: list[Glyphs]) -> None:
    chosen = [
        gate._few((hands[0].images, hands[0].labels), 2, np.random.default_rng(seed)) for seed in (0, 0, 1)
    ]
    images, places = chosen[0]
    assert len(images) == len(places)
    assert set(np.bincount(places)[np.unique(places)]) == {2}
    np.testing.assert_array_equal(images, chosen[1][0])
    assert (images != chosen[2][0]).any()


def test_an_interval_holds_its_mean_and_narrows_with_people() -> None:
    rng = np.random.default_rng(1)
    widths = []
    for count in (4, 100):
        of_people = rng.normal(0.1, 0.3, count)
        difference = np.repeat(of_people, 20)[None] + rng.normal(0, 0.1, (3, 20 * count))
        found = gate._interval(difference, np.repeat(np.arange(count), 20))
        assert found["low"] < found["gain"] < found["high"]
        widths.append(found["high"] - found["low"])
    assert widths[1] < widths[0] / 3


def test_a_person_who_wrote_much_counts_for_one() -> None:
    people = np.array([0] * 90 + [1] * 10)
    difference = np.array([[1.0] * 90 + [0.0] * 10])
    found = gate._interval(difference, people)
    assert found["gain"] == 0.5
    assert found["low"] + found["high"] == pytest.approx(1)
    assert found["low"] < 0  # Two people who differ tell next to nothing.


def test_readers_that_differ_widen_the_interval() -> None:
    people = np.repeat([0, 1], 50)
    same, unlike = np.full((3, 100), 0.1), np.repeat([[0.0], [0.1], [0.2]], 100, 1)
    assert gate._interval(same, people)["low"] == pytest.approx(0.1)
    assert gate._interval(unlike, people)["low"] < 0.06


def test_a_class_without_real_samples_is_an_error(hands: list[Glyphs]) -> None:
    labels = [*_LABELS, *charset.encode("說")]
    with pytest.raises(ValueError, match=r"must hold samples of each class\. 1 have none"):
        gate.measure({"any": _fake(hands[0])}, hands[:1], hands[2:], labels, None, _SETTINGS)


def test_illegible_writing_is_drawn_anew_and_then_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    class Writer(Generator):
        def write(self, labels, seed=0):
            return np.full((len(labels), 8, 8), seed % 251, np.uint8)

    calls: list[int] = []

    def read(model, images):
        calls.append(len(images))
        good = [5, 5, 5] if len(calls) == 1 else [6] * len(images)
        return np.array(good[: len(images)])

    monkeypatch.setattr(metrics, "read", read)
    writer = Writer(None, {}, np.zeros((9, 8, 8), np.uint8))
    written, legible = writer.write_legibly(np.array([5, 6, 7]), None)
    assert legible.tolist() == [True, True, False]
    assert calls == [3, 2, 1, 1, 1]
    assert (written[2] == 255).all()
