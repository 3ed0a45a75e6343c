"""CTC decoding against sums over every path, and against TensorFlow's beam search."""

import functools
import itertools
import math
from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from zoo import ctc
from zoo.ngram import Bigram


def merged(path: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(label for label, _ in itertools.groupby(path) if label)


def every_text(logits: np.ndarray) -> dict[tuple[int, ...], float]:
    """The log probability of every text, by the sum over all paths."""
    scores = ctc.log_softmax(logits)
    sums: dict[tuple[int, ...], float] = defaultdict(float)
    for path in itertools.product(range(logits.shape[1]), repeat=len(logits)):
        sums[merged(path)] += math.exp(sum(scores[step, label] for step, label in enumerate(path)))
    return {text: math.log(value) for text, value in sums.items()}


def language(bigram: Bigram, text: tuple[int, ...], weight: float, bonus: float) -> float:
    pairs = itertools.pairwise((ctc.BLANK, *text))
    return sum(weight * float(bigram.log_probability(a, [b])[0]) + bonus for a, b in pairs)


@st.composite
def small_logits(draw: st.DrawFn) -> np.ndarray:
    shape = draw(st.tuples(st.integers(1, 5), st.integers(2, 4)))
    values = st.floats(-6, 6, width=32)
    return draw(arrays.arrays(np.float32, shape, elements=values))


@st.composite
def bigrams(draw: st.DrawFn, classes: int) -> Bigram:
    unigram = np.array([0, *draw(st.lists(st.integers(1, 9), min_size=classes - 1, max_size=classes - 1))])
    pairs = [(a, b) for a in range(1, classes) for b in range(1, classes) if draw(st.booleans())]
    shares = np.array([draw(st.floats(0, 0.9)) / classes for _ in pairs])
    starts = np.searchsorted([a for a, _ in pairs], np.arange(classes + 1))
    return Bigram(unigram / unigram.sum(), starts, np.array([b for _, b in pairs], int), shares)


@settings(deadline=None, max_examples=100)
@given(small_logits())
def test_a_wide_beam_equals_the_sum_over_all_paths(logits: np.ndarray) -> None:
    truth = every_text(logits)
    readings = ctc.prefix_beam(logits, beam_width=1000, top=4)
    # Several texts may be equally likely: compare probabilities.
    assert readings[0].score == pytest.approx(max(truth.values()), abs=1e-9)
    assert {reading.ids for reading in readings} == set(truth)
    for reading in readings:
        assert reading.score == pytest.approx(truth[reading.ids], abs=1e-9)


@settings(deadline=None, max_examples=100)
@given(st.data())
def test_a_wide_beam_with_a_bigram_equals_the_sum_over_all_paths(data: st.DataObject) -> None:
    logits = data.draw(small_logits())
    bigram = data.draw(bigrams(logits.shape[1]))
    weight, bonus = data.draw(st.floats(0, 2)), data.draw(st.floats(-1, 2))
    truth = {
        text: score + language(bigram, text, weight, bonus) for text, score in every_text(logits).items()
    }
    readings = ctc.prefix_beam(logits, 1000, 4, bigram, weight, bonus)
    assert readings[0].score == pytest.approx(max(truth.values()), abs=1e-9)
    for reading in readings:
        assert reading.score == pytest.approx(truth[reading.ids], abs=1e-9)


@settings(deadline=None, max_examples=100)
@given(small_logits())
def test_a_narrow_beam_never_claims_too_much(logits: np.ndarray) -> None:
    truth = every_text(logits)
    readings = ctc.prefix_beam(logits, beam_width=2, top=2)
    assert 1 <= len(readings) <= 2
    assert [r.score for r in readings] == sorted((r.score for r in readings), reverse=True)
    for reading in readings:
        assert reading.score <= truth[reading.ids] + 1e-9


@settings(deadline=None, max_examples=100)
@given(small_logits())
def test_classes_that_are_hardly_possible_may_be_left_out(logits: np.ndarray) -> None:
    truth = every_text(logits)
    possible = {0, *np.flatnonzero((ctc.log_softmax(logits) >= -1.0).any(0)).tolist()}
    for reading in ctc.prefix_beam(logits, 1000, 4, least=-1.0):
        assert possible.issuperset(reading.ids)
        assert reading.score <= truth[reading.ids] + 1e-9
    assert ctc.prefix_beam(logits, 1000, 4, least=-1e9) == ctc.prefix_beam(logits, 1000, 4)


@settings(deadline=None, max_examples=100)
@given(small_logits())
def test_greedy_reads_the_best_path_and_where_it_runs(logits: np.ndarray) -> None:
    scores = ctc.log_softmax(logits)
    reading = ctc.greedy(logits)
    path = tuple(scores.argmax(1).tolist())
    assert reading.ids == merged(path)
    assert reading.score == pytest.approx(scores.max(1).sum())
    assert reading.spans is not None
    assert len(reading.spans) == len(reading.ids)
    rebuilt = [0] * len(path)
    for label, (start, stop) in zip(reading.ids, reading.spans, strict=True):
        rebuilt[start:stop] = [label] * (stop - start)
    assert tuple(rebuilt) == path


@settings(deadline=None, max_examples=100)
@given(small_logits(), st.data())
def test_a_text_is_aligned_along_its_best_path(logits: np.ndarray, data: st.DataObject) -> None:
    scores = ctc.log_softmax(logits)
    ids = data.draw(st.sampled_from(sorted(every_text(logits))))
    paths = itertools.product(range(logits.shape[1]), repeat=len(logits))
    truth = max(scores[range(len(path)), path].sum() for path in paths if merged(path) == ids)
    path = np.zeros(len(logits), int)
    spans = ctc.align(logits, ids)
    for label, (start, stop) in zip(ids, spans, strict=True):
        path[start:stop] = label
    assert merged(tuple(path.tolist())) == ids
    assert scores[range(len(path)), path].sum() == pytest.approx(truth)


def test_a_text_that_is_too_long_cannot_be_aligned() -> None:
    with pytest.raises(ValueError, match="Received: 2 steps for 3"):
        ctc.align(np.zeros((2, 3)), [1, 1])


def test_a_wide_beam_agrees_with_tensorflow() -> None:
    tf = pytest.importorskip("tensorflow")
    rng = np.random.default_rng(3)
    for _ in range(5):
        logits = rng.normal(0, 2, (6, 4)).astype(np.float32)
        blank_last = np.roll(logits, -1, axis=1)[:, None]
        # Wide enough for every text: where texts are dropped, the two need not agree.
        paths, scores = tf.nn.ctc_beam_search_decoder(blank_last, [6], beam_width=4_000, top_paths=3)
        readings = ctc.prefix_beam(logits, beam_width=4_000, top=4)
        for path, score, reading in zip(paths, scores[0].numpy(), readings, strict=False):
            assert reading.ids == tuple((path.values.numpy() + 1).tolist())
            assert reading.score == pytest.approx(float(score), abs=1e-4)  # float32 there


def test_a_bigram_settles_what_the_picture_leaves_open() -> None:
    logits = np.log(np.array([[0.02, 0.94, 0.02, 0.02], [0.94, 0.02, 0.02, 0.02], [0.02, 0.02, 0.49, 0.47]]))
    unigram = np.array([0, 1 / 3, 1 / 3, 1 / 3])
    likes_three = Bigram(unigram, [0, 0, 1, 1, 1], [3], [0.8])
    assert ctc.prefix_beam(logits)[0].ids == (1, 2)
    assert ctc.prefix_beam(logits, bigram=likes_three)[0].ids == (1, 3)
    assert ctc.prefix_beam(logits, bigram=likes_three, weight=0.0)[0].ids == (1, 2)


def test_lengths_cut_the_padding_off() -> None:
    sure = 9.0 * np.eye(3, dtype=np.float32)
    logits = np.stack([sure[[1, 0, 2, 2]], sure[[2, 1, 1, 1]]])
    assert [reading.ids for reading in ctc.read_batch(logits)] == [(1, 2), (2, 1)]
    assert [reading.ids for reading in ctc.read_batch(logits, [2, 1])] == [(1,), (2,)]
    assert [reading.ids for reading in ctc.read_batch(logits, [0, 4])] == [(), (2, 1)]
    best = functools.partial(ctc.prefix_beam, beam_width=4)
    assert [readings[0].ids for readings in ctc.read_batch(logits, [4, 1], best)] == [(1, 2), (2,)]
    for lengths in ([2], [2, 5], [-1, 2]):
        with pytest.raises(ValueError, match="`lengths` must hold"):
            ctc.read_batch(logits, lengths)


def test_an_empty_line_has_no_text() -> None:
    nothing = np.zeros((0, 3), np.float32)
    assert ctc.greedy(nothing) == ctc.Reading((), 0.0, ())
    assert ctc.prefix_beam(nothing) == [ctc.Reading((), 0.0)]


def test_more_steps_than_exact_sums_can_check_stay_finite() -> None:
    logits = np.random.default_rng(0).normal(0, 3, (160, 5000)).astype(np.float32)
    readings = ctc.prefix_beam(logits, beam_width=4, top=4)
    assert len(readings) == 4
    assert all(math.isfinite(reading.score) for reading in readings)


@pytest.mark.parametrize("decoder", [ctc.greedy, ctc.prefix_beam])
def test_logits_of_another_form_are_named(decoder) -> None:
    with pytest.raises(ValueError, match=r"must be \(steps, classes\).*\(2, 3, 4\)"):
        decoder(np.zeros((2, 3, 4)))
    with pytest.raises(ValueError, match="must be finite"):
        decoder(np.array([[0.0, np.nan]]))


def test_a_margin_drops_what_falls_behind() -> None:
    logits = np.log(np.array([[0.01, 0.9, 0.09], [0.98, 0.01, 0.01]], np.float32))
    every = ctc.prefix_beam(logits)
    assert ctc.prefix_beam(logits, margin=50.0) == every
    assert [reading.ids for reading in every[:2]] == [(1,), (2,)]
    assert every[0].score - every[1].score == pytest.approx(math.log(10), abs=0.1)
    # After the first step 2 is 2.3 behind 1.
    assert all(2 not in reading.ids[:1] for reading in ctc.prefix_beam(logits, margin=2.0))
    assert ctc.prefix_beam(logits, margin=0.0)[0].ids == (1,)


def test_wrong_widths_and_bigrams_are_named() -> None:
    logits = np.zeros((2, 4), np.float32)
    for margin in (-1.0, math.nan):
        with pytest.raises(ValueError, match="`margin` must be at least 0"):
            ctc.prefix_beam(logits, margin=margin)
    with pytest.raises(ValueError, match="beam_width=0"):
        ctc.prefix_beam(logits, beam_width=0)
    other = Bigram(np.array([0, 0.5, 0.5]), np.zeros(4, int), np.zeros(0, int), np.zeros(0))
    with pytest.raises(ValueError, match="3 and 4 classes"):
        ctc.prefix_beam(logits, bigram=other)


def test_the_steps_that_a_text_needs() -> None:
    assert ctc.steps_needed([]) == 0
    assert ctc.steps_needed([1, 2, 3]) == 3
    assert ctc.steps_needed([1, 1, 2, 2, 2]) == 8
    assert ctc.steps_needed([4, 4, 0, 0]) == 3


def test_labels_that_cannot_be_learnt_are_named() -> None:
    ctc.check_labels(np.array([[1, 1, 0], [1, 2, 3]]), steps=3, classes=4)
    with pytest.raises(ValueError, match="line 1 needs 5 of steps=4"):
        ctc.check_labels(np.array([[1, 2, 0], [3, 3, 3]]), steps=4, classes=4)
    with pytest.raises(ValueError, match=r"lie in 0 \.\.\. 3"):
        ctc.check_labels(np.array([[1, 4]]), steps=4, classes=4)
    with pytest.raises(ValueError, match="blanks at the end only"):
        ctc.check_labels(np.array([[1, 0, 2]]), steps=9, classes=4)
    with pytest.raises(ValueError, match="whole numbers"):
        ctc.check_labels(np.array([[1.0]]), steps=9, classes=4)
