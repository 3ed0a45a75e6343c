"""Tests of scans and photos of pages: the points must land where the picture shows them."""

import cv2
import numpy as np
import pytest

from training import photograph

TAKERS = {
    "scan": photograph.scan,
    "careful": lambda image, rng: photograph.phone(image, rng, 0.0),
    "ordinary": lambda image, rng: photograph.phone(image, rng, 0.4),
    "bad": lambda image, rng: photograph.phone(image, rng, 1.0),
}


def dotted_page(side: int = 150) -> tuple[np.ndarray, np.ndarray]:
    """A white page of 1500 by 1100 with black dots, and their middles (N, 2)."""
    page = np.full((1100, 1500, 3), 255, np.uint8)
    x, y = np.meshgrid(np.arange(side, 1500 - side // 2, side), np.arange(side, 1100 - side // 2, side))
    points = np.stack([x.ravel(), y.ravel()], -1)
    for column, row in points:
        page[row - 6 : row + 7, column - 6 : column + 7] = 0
    return page, points.astype(np.float32)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("taker", TAKERS)
def test_points_land_on_their_dots(taker: str, seed: int):
    page, points = dotted_page()
    picture, warp = TAKERS[taker](page, np.random.default_rng(seed))
    for column, row in warp(points):
        left, top = round(float(column)) - 20, round(float(row)) - 20
        patch = picture[top : top + 41, left : left + 41].astype(float).sum(2)
        # The light changes across a patch at the edge of a shadow, so only the darkest pixels count.
        dark = np.clip(patch.min() + 0.35 * (np.median(patch) - patch.min()) - patch, 0, None)
        weights = dark / dark.sum()
        found = left + (weights.sum(0) @ np.arange(41)), top + (weights.sum(1) @ np.arange(41))
        # 1.5 pixels: noise and the edge of a shadow move the middle of a dot of 13 pixels.
        assert np.hypot(found[0] - column, found[1] - row) < 1.5


@pytest.mark.parametrize("taker", TAKERS)
def test_same_seed_takes_the_same_picture(taker: str):
    page, points = dotted_page()
    first, first_warp = TAKERS[taker](page, np.random.default_rng(3))
    second, second_warp = TAKERS[taker](page, np.random.default_rng(3))
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(first_warp(points), second_warp(points))
    assert first.dtype == np.uint8
    assert first.shape == (first_warp.height, first_warp.width, 3)


@pytest.mark.parametrize("seed", range(12))
def test_whole_page_is_in_the_photo(seed: int):
    page, points = dotted_page()
    _, warp = photograph.phone(page, np.random.default_rng(seed), 1.0)
    moved = warp(points)
    assert moved.min() > 0
    assert (moved < [warp.width, warp.height]).all()
    assert 1500 <= max(warp.width, warp.height) <= 2200


def test_curl_is_undone_to_a_hundredth_of_a_pixel():
    page, points = dotted_page()
    _, warp = photograph.phone(page, np.random.default_rng(1), 1.0)
    bent = cv2.perspectiveTransform(warp(points)[None], np.linalg.inv(warp.homography))[0]
    assert np.abs(warp.curl(bent)).max() > 2  # Else this would test nothing.
    assert np.abs(bent + warp.curl(bent) - points).max() < 0.01


def test_truth_moves_with_its_page():
    quad = [[100.0, 100.0], [200.0, 100.0], [200.0, 200.0], [100.0, 200.0]]
    truth = {
        "width": 400,
        "height": 300,
        "text": "字",
        "cells": [{"row": 0, "column": 0, "quad": quad, "text": "字"}],
        "lines": [{"quad": quad, "text": "字"}],
        "ignore": [quad],
    }
    warp = photograph.Warp(np.diag([2.0, 3.0, 1.0]), 800, 900)
    moved = photograph.move_truth(truth, warp)
    wanted = [[200.0, 300.0], [400.0, 300.0], [400.0, 600.0], [200.0, 600.0]]
    assert (moved["width"], moved["height"], moved["text"]) == (800, 900, "字")
    assert moved["cells"] == [{"row": 0, "column": 0, "quad": wanted, "text": "字"}]
    assert moved["lines"] == [{"quad": wanted, "text": "字"}]
    assert moved["ignore"] == [wanted]
    assert truth["cells"][0]["quad"] == quad
