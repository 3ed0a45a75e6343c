import numpy as np

from tests import made_hands
from training import augment

GLYPH = made_hands.stroke_image("口", np.random.default_rng(0))
OTHER = made_hands.stroke_image("日", np.random.default_rng(0))


def _pictures(glyph: np.ndarray | None, count: int = 200) -> np.ndarray:
    return np.stack([augment.cell_image(glyph, OTHER, np.random.default_rng(seed)) for seed in range(count)])


def test_a_cell_is_a_grey_picture_and_the_same_for_the_same_seed() -> None:
    first, again = _pictures(GLYPH, 5), _pictures(GLYPH, 5)
    assert first.shape == (5, 64, 64)
    assert first.dtype == np.uint8
    np.testing.assert_array_equal(first, again)
    assert len({picture.tobytes() for picture in first}) == 5


def test_the_character_stays_in_the_picture() -> None:
    # The middle of the cell is where neither grid lines nor neighbours reach.
    middle = (slice(None), slice(12, 52), slice(12, 52))
    ink = 255.0 - _pictures(GLYPH)[middle]
    paper = 255.0 - _pictures(None)[middle]
    contrast = np.percentile(ink, 99, axis=(1, 2)) - np.percentile(ink, 20, axis=(1, 2))
    assert np.mean(contrast > 30) > 0.95
    assert ink.mean() > 1.5 * paper.mean()


def test_the_borders_bring_lines_and_neighbours() -> None:
    blank = 255.0 - _pictures(None)
    assert blank[:, :10].mean() > 1.5 * blank[:, 24:40, 24:40].mean()


def test_parts_are_widened_without_folding() -> None:
    places = np.linspace(0, 96, 200, dtype=np.float32)[None]
    for seed in range(50):
        moved = augment._widen_parts(places, np.random.default_rng(seed), 0.04)
        assert (np.diff(moved) > 0).all()
        assert np.abs(moved - places).max() <= 0.04 * 96 + 1e-3


def test_graphite_is_uneven_from_pixel_to_pixel_and_nowhere_gone() -> None:
    left = augment.tooth(np.random.default_rng(0), 90, 120)
    assert left.shape == (90, 120)
    assert left.dtype == np.float32
    assert 0.15 <= left.min() < 0.5
    assert 0.9 < left.max() <= 1
    assert 0.6 < left.mean() < 0.8
    near, far = (np.corrcoef(left[:, :-by].ravel(), left[:, by:].ravel())[0, 1] for by in (1, 6))
    assert near > 0.5
    assert abs(far) < 0.1
