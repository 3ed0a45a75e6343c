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
_SETTINGS = gate.Settings(shots=(0,), seeds=1, steps=80, added=12)


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
    return _Fake(None, {}, printed, (), pile)


def test_writing_that_shows_the_characters_is_accepted(hands: list[Glyphs]) -> None:
    report = gate.measure(_fake(hands[0]), hands[1:2], hands[2:], _LABELS, None, _SETTINGS)
    (row,) = report["rows"]
    assert row["generated"] > row["copies"] + 0.1
    assert report["low"] > 0
    assert report["accepted"]
    assert report["classes"] == 6
    assert report["samples"] == 72
    assert "| 0 |" in gate.table(report)


def test_writing_under_wrong_names_is_not_accepted(hands: list[Glyphs]) -> None:
    shifted = dict(zip(_LABELS, [*_LABELS[1:], _LABELS[0]], strict=True))
    labels = np.array([shifted.get(label, label) for label in hands[0].labels.tolist()], np.int32)
    wrong = dataclasses.replace(hands[0], labels=labels)
    settings = dataclasses.replace(_SETTINGS, shots=(None,))
    report = gate.measure(_fake(wrong), hands[1:2], hands[2:], _LABELS, None, settings)
    assert not report["accepted"]
    assert report["rows"][0]["copies"] > report["rows"][0]["generated"]


def test_few_samples_of_each_class_are_drawn(hands: list[Glyphs]) -> None:
    images, places = gate._few((hands[0].images, hands[0].labels), 2, np.random.default_rng(0))
    assert len(images) == len(places)
    assert set(np.bincount(places)[np.unique(places)]) == {2}


def test_an_interval_holds_its_mean_and_narrows_with_samples() -> None:
    rng = np.random.default_rng(1)
    few, many = (gate._interval(rng.normal(0.1, 1, count)) for count in (100, 10_000))
    for found in (few, many):
        assert found["low"] < found["gain"] < found["high"]
    assert many["high"] - many["low"] < (few["high"] - few["low"]) / 5


def test_a_class_without_real_samples_is_an_error(hands: list[Glyphs]) -> None:
    labels = [*_LABELS, *charset.encode("說")]
    with pytest.raises(ValueError, match=r"must hold samples of each class\. 1 have none"):
        gate.measure(_fake(hands[0]), hands[:1], hands[2:], labels, None, _SETTINGS)


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
