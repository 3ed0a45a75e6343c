"""Temperatures, calibration errors and reject thresholds with known answers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training import calibration, sources
from training.calibration import Calibration


def _writer(
    seed: int, samples: int = 1500, sharpness: float = 1.0, classes: int = 10
) -> tuple[np.ndarray, np.ndarray]:
    """Logits that are `sharpness` times those which the labels were drawn from."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, (samples, classes))
    odds = np.exp(logits)
    labels = (rng.random((samples, 1)) > np.cumsum(odds / odds.sum(1, keepdims=True), 1)).sum(1)
    return (sharpness * logits).astype(np.float32), np.minimum(labels, classes - 1)


def test_the_temperature_of_overconfident_scores_is_found() -> None:
    logits, labels = _writer(0, 4000, sharpness=3)
    assert calibration.fit_temperature(logits, labels) == pytest.approx(3, rel=0.05)  # 4,000 samples
    assert calibration.fit_text_temperature(logits, labels) == pytest.approx(3, rel=0.05)


def test_a_few_mistakes_that_a_model_is_sure_of_hardly_lower_its_scores() -> None:
    logits, labels = _writer(3, 4000)
    logits[:80] = 0
    logits[:80, 1] = 25
    labels[:80] = 2
    assert calibration.fit_temperature(logits, labels) < 1.2
    assert calibration.fit_text_temperature(logits, labels) > 1.5


def test_a_single_mistake_does_not_make_scores_certain() -> None:
    logits = np.zeros((100, 10), np.float32)
    logits[:, 1] = 6
    labels = np.ones(100, int)
    labels[0] = 2
    temperature = calibration.fit_temperature(logits, labels)
    assert temperature >= calibration.fit_text_temperature(logits, labels) / 2
    assert calibration.scores_of(logits, temperature).max() < 1


def test_scores_are_the_softmax_of_the_first_answer() -> None:
    logits, _ = _writer(1, 50)
    odds = np.exp(logits.astype(float) / 1.7)
    expected = odds.max(1) / odds.sum(1)
    np.testing.assert_allclose(calibration.scores_of(logits, 1.7), expected, rtol=1e-6)  # float32
    assert calibration.scores_of(np.array([[0, 1e5]], np.float32), 0.2).tolist() == [1.0]


def test_calibrated_scores_have_no_calibration_error_and_others_their_distance() -> None:
    rng = np.random.default_rng(2)
    scores = rng.random(200_000)
    right = rng.random(200_000) < scores
    assert calibration.expected_calibration_error(scores, right) < 0.005  # 13,000 samples a bin
    assert calibration.expected_calibration_error(np.ones(200_000), right) == pytest.approx(1 - right.mean())
    assert calibration.expected_calibration_error(np.array([0.75, 0.75]), np.array([True, False])) == 0.25


def test_the_bins_of_a_reliability_diagram_hold_every_sample_once() -> None:
    scores = np.array([0.0, 0.1, 0.1, 0.5, 0.99, 1.0])
    right = np.array([False, False, True, True, True, False])
    bins = calibration.reliability(scores, right, bins=10)
    assert [(one["from"], one["samples"]) for one in bins] == [(0, 1), (0.1, 2), (0.5, 1), (0.9, 2)]
    assert bins[1] == {"from": 0.1, "to": 0.2, "samples": 2, "score": pytest.approx(0.1), "right": 0.5}
    assert bins[3]["score"] == pytest.approx(0.995)


def test_the_threshold_accepts_as_much_as_precision_allows() -> None:
    # Of the 200 best answers 2 are wrong, 99 %; the next one is wrong too.
    scores = np.linspace(1, 0, 1000)
    right = np.ones(1000, bool)
    right[[50, 120, 200]] = False
    right[300:] = False
    assert calibration.reject_threshold(scores, right) == scores[299]  # 3 of 300 are wrong
    right[250] = False
    assert calibration.reject_threshold(scores, right) == scores[199]
    assert calibration.reject_threshold(scores, np.zeros(1000, bool)) is None
    assert calibration.reject_threshold(scores, np.ones(1000, bool)) == 0


def test_equal_scores_are_accepted_or_rejected_together() -> None:
    scores = np.array([0.9, 0.8, 0.8, 0.8])
    assert calibration.reject_threshold(scores, np.array([True, True, True, False])) == 0.9
    assert calibration.reject_threshold(scores, np.array([False, True, True, True])) is None


@given(st.lists(st.tuples(st.integers(0, 20), st.booleans()), min_size=1), st.floats(0.1, 1))
def test_a_threshold_keeps_its_promise(answers: list[tuple[int, bool]], precision: float) -> None:
    scores = np.array([score / 20 for score, _ in answers])
    right = np.array([is_right for _, is_right in answers])
    threshold = calibration.reject_threshold(scores, right, precision)
    promising = [one for one in np.unique(scores) if right[scores >= one].mean() >= precision]
    assert threshold == (min(promising) if promising else None)


def test_two_files_of_a_person_are_one_hand() -> None:
    assert sources.person("w12_scan") == sources.person("w12") == "w12"
    assert sources.person("student_01") != sources.person("student_02")


def test_no_writer_is_measured_with_what_was_fitted_on_that_writer() -> None:
    names = ["w12", "w06", "w12_scan", "s11"]
    sources = [_writer(seed, sharpness=1 + seed / 2) for seed in range(4)]
    logits, labels = zip(*sources, strict=True)
    fitted = calibration.cross_fit(logits, labels, names)
    others = [np.concatenate([one[1], one[3]]) for one in (logits, labels)]
    assert fitted[0] == fitted[2] == calibration.fit(*others)
    # Whatever w12 and its scan hold, their calibration stays, and that of the others moves.
    noise = [
        _writer(9, sharpness=9) if name.startswith("w12") else one
        for name, one in zip(names, sources, strict=True)
    ]
    changed = calibration.cross_fit(*zip(*noise, strict=True), names)
    assert [one == other for one, other in zip(fitted, changed, strict=True)] == [True, False, True, False]


def test_many_people_are_held_out_in_ten_groups() -> None:
    names = [f"p{number:02}" for number in range(25)]
    logits, labels = zip(*(_writer(seed, 40) for seed in range(25)), strict=True)
    fitted = calibration.cross_fit(logits, labels, names)
    assert len(set(fitted)) == 10
    assert fitted[3] == fitted[13] == fitted[23]


def test_one_person_cannot_be_held_out() -> None:
    logits, labels = _writer(0, 40)
    with pytest.raises(ValueError, match=r"at least two people\. Received: \['w12', 'w12_scan'\]"):
        calibration.cross_fit([logits, logits], [labels, labels], ["w12", "w12_scan"])


def test_errors_of_opposite_writers_do_not_cancel_in_the_mean() -> None:
    # Both writers have the score 0.75 everywhere; one is always right, the other is right half the time.
    logits = np.tile(np.log([[3.0, 1.0]]), (100, 1)).astype(np.float32)
    labels = [np.zeros(100, int), np.arange(100) % 2]
    found = calibration.measure([logits] * 2, labels, ["a", "b"], [Calibration(1.0, 0.5)] * 2)
    assert found["expected_calibration_error"] == pytest.approx(0, abs=1e-6)  # float32
    assert found["mean_expected_calibration_error"] == pytest.approx(0.25, abs=1e-6)
    assert (found["precision"], found["coverage"]) == (0.75, 1)
    assert found["writers"]["b"]["precision"] == 0.5
    assert [one["samples"] for one in found["bins"]] == [200]


def test_without_a_threshold_nothing_is_accepted() -> None:
    logits, labels = _writer(0, 40)
    found = calibration.measure([logits], [labels], ["a"], [Calibration(1.0, None)])
    assert (found["precision"], found["coverage"]) == (None, 0)
