"""Grain is taken out, ink stays."""

import cv2
import numpy as np

from zoo import paper


def sheet(grain: float, seed: int = 0) -> np.ndarray:
    """16 cells of smooth grain, a pencil line in 12 of them: uint8 (16, 40, 40)."""
    rng = np.random.default_rng(seed)
    smooth = np.stack([cv2.GaussianBlur(one, (0, 0), 1.5) for one in rng.standard_normal((16, 40, 40))])
    cells = 250 - grain * smooth / smooth.std()
    cells[4:, 18:22, 5:35] -= 80
    return np.clip(cells, 0, 255).astype(np.uint8)


def test_the_grain_of_empty_cells_is_measured_beside_full_ones() -> None:
    for grain in (1.0, 4.0, 10.0):
        level = paper.grain(sheet(grain))
        # Three spreads above a darkness of 5; whole grey levels add up to 3.
        assert 5 + 2.5 * grain < level < 5 + 3.5 * grain + 3


def test_paper_becomes_white_and_the_pencil_stays() -> None:
    cells = sheet(5.0)
    clean = paper.whiten(cells, paper.grain(cells))
    assert (clean[:4] == 255).mean() > 0.99
    assert clean[4:, 19:21, 8:32].mean() < 200
    assert (clean[4:, :15] == 255).mean() > 0.99


def test_black_stays_black_and_white_stays_white() -> None:
    ramp = np.arange(256, dtype=np.uint8)[None]
    clean = paper.whiten(ramp, 20.0)
    assert clean[0, 0] == 0
    assert (clean[0, 235:] == 255).all()
    assert (np.diff(clean[0].astype(int)) >= 0).all()
    np.testing.assert_array_equal(paper.whiten(ramp, 0.0), ramp)


def test_squares_of_a_picture_lie_in_rows_and_what_is_left_is_left_out() -> None:
    image = np.arange(35, dtype=np.uint8).reshape(5, 7)
    found = paper.squares(image, 2)
    assert found.shape == (6, 2, 2)
    np.testing.assert_array_equal(found[4], image[2:4, 2:4])
    assert paper.squares(image[:1], 2).shape == (0, 2, 2)


def test_no_cells_have_no_grain_and_dark_cells_are_not_taken_for_paper() -> None:
    assert paper.grain(np.empty((0, 8, 8), np.uint8)) == 0
    dark = np.random.default_rng(0).integers(0, 256, (9, 8, 8), np.uint8)
    assert paper.grain(dark) == 96
