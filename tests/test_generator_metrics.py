"""What tells drawn pictures from real ones."""

import numpy as np
import pytest

from training import metrics


def test_pictures_of_one_origin_have_no_distance() -> None:
    rng = np.random.default_rng(0)
    first, second, far = rng.normal(0, 1, (1000, 8)), rng.normal(0, 1, (1000, 8)), rng.normal(1, 1, (1000, 8))
    same, other = metrics.kid(first, second), metrics.kid(first, far)
    assert abs(same) < 0.1  # Unbiased: around 0, also below it.
    assert other > 10 * abs(same)
    assert metrics.fid(first, far) == pytest.approx(8, rel=0.1)  # Eight means that are 1 apart.
    assert metrics.fid(first, second) < 0.2


def test_the_estimate_of_the_kernel_distance_is_that_of_all_pairs() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.normal(0, 1, (3, 2)), rng.normal(0.5, 1, (3, 2))
    kernel = lambda a, b: (float(a @ b) / 2 + 1) ** 3  # noqa: E731
    within = [
        sum(kernel(rows[i], rows[j]) for i in range(3) for j in range(3) if i != j) / 6 for rows in (x, y)
    ]
    between = np.mean([kernel(a, b) for a in x for b in y])
    assert metrics.kid(x, y, size=3, rounds=1) == pytest.approx(sum(within) - 2 * between)


def test_too_few_pictures_have_no_distance() -> None:
    with pytest.raises(ValueError, match=r"must hold 200 pictures\. Received: 10 and 300"):
        metrics.kid(np.zeros((10, 2)), np.zeros((300, 2)))


def test_copies_are_found() -> None:
    rng = np.random.default_rng(0)
    train, unseen, fresh = (rng.normal(0, 1, (400, 4)) for _ in range(3))
    usual = metrics.nearest(unseen, train)
    assert metrics.copy_rate(train[:100], train, usual) == 1
    assert metrics.copy_rate(fresh, train, usual) == pytest.approx(0.05, abs=0.04)
    assert metrics.copy_rate(fresh + 9, train, usual) == 0


def test_the_nearest_is_the_nearest() -> None:
    rng = np.random.default_rng(0)
    rows, others = rng.normal(0, 1, (300, 3)), rng.normal(0, 1, (40, 3))
    expected = [min(np.linalg.norm(row - other) for other in others) for row in rows]
    np.testing.assert_allclose(metrics.nearest(rows, others), expected, rtol=1e-6)


def test_the_nearest_other_is_not_the_row_itself() -> None:
    rows = np.array([[0.0], [1.0], [4.0], [9.0]])
    np.testing.assert_allclose(metrics.nearest_others(rows, np.array([7, 7, 7, 7]), 3), [1, 1, 3])
    np.testing.assert_allclose(metrics.nearest_others(rows, np.array([7, 7, 8, 8])), [4, 3, 3, 8])


def test_diversity_is_the_mean_distance_within_a_class() -> None:
    features = np.array([[0.0, 0], [3, 4], [100, 0], [100, 1], [7, 7]])
    assert metrics.diversity(features, np.array([1, 1, 2, 2, 3])) == pytest.approx(3)
    assert np.isnan(metrics.diversity(features, np.arange(5)))
    assert metrics.diversity(np.ones((4, 2)), np.zeros(4, int)) == 0


def test_evenness_is_the_share_of_classes_that_are_drawn() -> None:
    assert metrics.evenness(np.repeat(np.arange(10), 7), 10) == pytest.approx(1)
    assert metrics.evenness(np.repeat(np.arange(5), 7), 10) == pytest.approx(0.5)
    assert 0.2 < metrics.evenness(np.array([1, 1, 1, 1, 2, 3]), 10) < 0.3
    assert metrics.evenness(np.zeros(0, int), 10) == 0


def test_looks_tell_wide_pens_slant_and_size() -> None:
    thin = np.full((64, 64), 255, np.uint8)
    thin[10:50, 30:33] = 0
    wide = thin.copy()
    wide[10:50, 27:36] = 0
    slanted = np.full((64, 64), 255, np.uint8)
    for row in range(10, 50):
        slanted[row, 40 - row // 4 : 44 - row // 4] = 0
    a, b, c = metrics.looks(np.stack([thin, wide, slanted]))
    assert b[1] > 1.9 * a[1]
    assert abs(a[2]) < 0.01 < abs(c[2])
    assert a[4] == pytest.approx(39 / 64)
    assert (metrics.looks(np.full((1, 64, 64), 255, np.uint8)) == 0).all()


def test_hands_that_look_alike_have_no_discrepancy() -> None:
    rng = np.random.default_rng(0)
    writers = np.repeat(np.arange(5), 100)
    looks = writers[:, None] + rng.normal(0, 0.1, (500, 6))
    same = metrics.style_discrepancy(looks, looks + rng.normal(0, 0.1, looks.shape), writers, writers)
    assert same < 0.05
    swapped = metrics.style_discrepancy(looks, looks[::-1], writers, writers)
    assert swapped > 1
