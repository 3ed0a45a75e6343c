"""Characters that are read beside their neighbours."""

import itertools
from collections.abc import Iterable, Iterator

import numpy as np
import pytest

from serving import context, runtime
from serving.context import Alternatives
from zoo import charset, ngram


def trigram_of(
    pairs: dict[tuple[int, int], float],
    triples: dict[tuple[int, int, int], float] | None = None,
    classes: int = 6,
) -> ngram.Trigram:
    """A trigram with these shares, the pairs of the triples among them, and a unigram that prefers the lower classes."""
    unigram = np.array([0.0, *1 / np.arange(1, classes)])
    bigram = ngram.Bigram(unigram / unigram.sum(), *_kept(range(classes), pairs))
    of_pairs = {((a, b), c): share for (a, b, c), share in (triples or {}).items()}
    return ngram.Trigram(bigram, *_kept(sorted(pairs), of_pairs))


def _kept(contexts: Iterable, shares: dict) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Starts, following classes and shares of what follows contexts, in their order."""
    counts = [sum(context == one for context, _ in shares) for one in contexts]
    ordered = sorted(shares)
    return (
        np.cumsum([0, *counts]),
        np.array([following for _, following in ordered], int),
        np.array([shares[one] for one in ordered]),
    )


def every_reading(
    text: list[Alternatives], trigram: ngram.Trigram, weight: float
) -> Iterator[tuple[list[int], float]]:
    """All readings one by one, with the logarithm of what each is worth beside an unknown character."""
    for reading in itertools.product(*text):
        score = sum(np.log(share) for _, share in reading)
        labels = [ngram.BLANK, *(label for label, _ in reading)]
        for before, last, label in zip(labels, labels[1:], labels[2:], strict=False):
            score += weight * trigram.log_probability(before, last, [label])[0]
        yield labels[1:], score


def by_enumeration(text: list[Alternatives], trigram: ngram.Trigram, weight: float) -> list[dict[int, float]]:
    """The probabilities of each place, summed over all readings one by one."""
    totals: list[dict[int, float]] = [{} for _ in text]
    for labels, score in every_reading(text, trigram, weight):
        for place, label in enumerate(labels):
            totals[place][label] = totals[place].get(label, 0.0) + np.exp(score)
    return [{label: one / sum(place.values()) for label, one in place.items()} for place in totals]


def some_text(places: int = 5) -> list[Alternatives]:
    """Three alternatives at each place."""
    rng = np.random.default_rng(0)
    text: list[Alternatives] = []
    for _ in range(places):
        shares = rng.dirichlet(np.ones(3))
        labels = rng.choice(np.arange(1, 6), 3, replace=False)
        pairs = zip(labels.tolist(), shares.tolist(), strict=True)
        text.append(tuple(sorted(pairs, key=lambda one: -one[1])))
    return text


_PAIRS = {(1, 2): 0.6, (2, 3): 0.5, (2, 1): 0.2, (4, 5): 0.9}
_TRIPLES = {(1, 2, 3): 0.1, (1, 2, 4): 0.8, (2, 1, 1): 0.9, (4, 5, 2): 0.7}


@pytest.mark.parametrize("weight", [0.0, 0.7, 1.0])
def test_probabilities_are_those_of_all_readings_together(weight: float) -> None:
    trigram, text = trigram_of(_PAIRS, _TRIPLES), some_text()
    found = context.reread(text, trigram, weight)
    for place, expected in zip(found, by_enumeration(text, trigram, weight), strict=True):
        assert dict(place) == pytest.approx(expected)
        assert [share for _, share in place] == sorted((share for _, share in place), reverse=True)


@pytest.mark.parametrize("places", [1, 2, 5])
@pytest.mark.parametrize("weight", [0.0, 0.7, 1.0])
def test_the_evidence_is_that_of_all_readings_together(weight: float, places: int) -> None:
    trigram, text = trigram_of(_PAIRS, _TRIPLES), some_text(places=places)
    total = sum(
        np.exp(score + weight * trigram.bigram.log_probability(ngram.BLANK, [labels[0]])[0])
        for labels, score in every_reading(text, trigram, weight)
    )
    assert context.evidence(text, trigram, weight) == pytest.approx(np.log(total) / places)


def test_what_people_write_is_more_evident_than_its_parts() -> None:
    def evidence(text: str, share: float) -> float:
        sure = [((label, share), (charset.encode("龜")[0], 1 - share)) for label in charset.encode(text)]
        return context.evidence(sure, context.load())

    assert evidence("國有林地", 0.8) > evidence("國有木木地", 0.8)
    assert evidence("日本", 0.9) > evidence("曰", 0.99)


def test_what_the_recogniser_thinks_little_of_is_found_beside_its_neighbours() -> None:
    before, written, after = charset.encode("到期日")
    others = charset.encode("0OoAQD689pqgaebdcGCU")
    shares = np.geomspace(0.25, 0.002, len(others))
    shares *= 0.999 / shares.sum()
    doubtful = (*zip(others, shares.tolist(), strict=True), (written, 0.001))
    assert len(doubtful) <= context.FOLLOWED
    place = context.reread([((before, 1.0),), doubtful, ((after, 1.0),)], context.load())[1]
    assert place[0][0] == written


def test_the_neighbours_decide_between_look_alikes() -> None:
    trigram = trigram_of({(1, 2): 0.9, (3, 4): 0.9})
    either: Alternatives = ((4, 0.51), (2, 0.49))
    first, second = (context.reread([((label, 1.0),), either], trigram)[1] for label in (1, 3))
    assert (first[0][0], second[0][0]) == (2, 4)


def test_the_two_characters_before_decide_where_one_does_not() -> None:
    trigram = trigram_of({(1, 3): 0.5, (2, 3): 0.5}, {(1, 3, 4): 0.8, (2, 3, 5): 0.8})
    either: Alternatives = ((4, 0.5), (5, 0.5))
    found = [context.reread([((first, 1.0),), ((3, 1.0),), either], trigram)[2] for first in (1, 2)]
    assert [place[0][0] for place in found] == [4, 5]
    # And those behind it decide which it is.
    first = context.reread([((1, 0.5), (2, 0.5)), ((3, 1.0),), ((5, 1.0),)], trigram)[0]
    assert first[0][0] == 2


def test_a_long_text_that_nobody_would_write_is_read() -> None:
    text: list[Alternatives] = [((4, 1e-4), (5, 1e-5))] * 500
    found = context.reread(text, trigram_of({(1, 2): 0.999}, {(1, 2, 3): 0.999}), weight=3.0)
    assert all(np.isfinite(share) and share > 0 for place in found for _, share in place)


def test_what_is_hardly_possible_keeps_its_share() -> None:
    doubtful: Alternatives = ((3, 0.6), (1, 0.39), (2, 1e-9))
    found = context.reread([((4, 1.0),), doubtful], trigram_of({(4, 1): 0.9}))[1]
    assert [label for label, _ in found] == [1, 3, 2]
    assert found[-1] == (2, 1e-9)
    assert sum(share for _, share in found) == pytest.approx(0.99)


def test_alternatives_may_come_in_any_order_and_leave_in_that_of_their_shares() -> None:
    text: list[Alternatives] = [((4, 1.0),), ((5, 5e-6), (2, 0.99), (3, 0.009))]
    found = context.reread(text, trigram_of({}))[1]
    assert [label for label, _ in found] == [2, 3, 5]
    assert dict(found)[5] == 5e-6
    # What the neighbours rule out falls behind what was not followed.
    pair = trigram_of({(4, 2): 0.999})
    found = context.reread([((4, 1.0),), ((3, 2e-5), (2, 0.9), (5, 9e-6))], pair, weight=3.0)[1]
    assert [label for label, _ in found] == [2, 5, 3]


def test_a_character_without_neighbours_stays_as_it_is() -> None:
    assert context.reread([], trigram_of({})) == []
    alone: Alternatives = ((3, 0.6), (1, 0.4))
    assert context.reread([alone], trigram_of({})) == [alone]


def test_a_place_without_any_share_keeps_its_first() -> None:
    nothing: Alternatives = ((5, 0.0), (4, 0.0))
    assert [place[0][0] for place in context.reread([nothing, nothing], trigram_of({}))] == [5, 5]


def test_the_bundled_trigram_knows_the_charset_and_what_people_write() -> None:
    trigram = context.load()
    assert trigram.bigram.classes == len(charset.CHARACTERS)
    for text, wrong in (
        ("臺灣", "臺濟"),
        ("一個", "—個"),
        ("日期", "曰期"),
        ("說明", "說朋"),
        ("iPhone", "iPh。ne"),
    ):
        scores = [_likelihood(trigram, charset.encode(one)) for one in (text, wrong)]
        assert scores[0] > scores[1] + 1


@pytest.mark.parametrize("mark", ["！", "？", "：", "；"])
def test_the_bundled_trigram_leaves_marks_to_the_pen(mark: str) -> None:
    """Laws and poems, in which it is counted, hardly ask or exclaim."""
    seen, comma = charset.encode(f"{mark}，")
    text = [((label, 0.99),) for label in charset.encode("天氣真好")]
    *_, last = context.reread([*text, ((seen, 0.9), (comma, 0.05))], context.load())
    assert last[0][0] == seen


def _likelihood(trigram: ngram.Trigram, ids: list[int]) -> float:
    labels = np.array([ngram.BLANK, ngram.BLANK, *ids])
    return float(trigram.log_probability(labels[:-2], labels[1:-1], labels[2:]).sum())


def test_a_damaged_file_of_n_grams_is_an_error_about_a_model(monkeypatch, tmp_path):
    damaged = tmp_path / "model.npz"
    damaged.write_bytes(b"changed")
    monkeypatch.setattr(context, "FILE", damaged)
    context.load.cache_clear()
    with pytest.raises(runtime.ModelError, match=r"no n-gram file.*install hanzoo again"):
        context.load()
