"""How found cells are counted."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from training import measure_grids
from training.measure_grids import Found


def _cells(*corners: tuple[float, float], side: float = 10) -> np.ndarray:
    return np.array(
        [[[x, y], [x + side, y], [x + side, y + side], [x, y + side]] for x, y in corners], np.float32
    ).reshape(-1, 4, 2)


def test_a_cell_is_found_once_and_the_best_pair_first() -> None:
    truth = _cells((0, 0), (20, 0))
    assert measure_grids.match(truth, truth) == 2
    assert measure_grids.match(truth, _cells((2, 0), (1, 0))) == 1  # Both lie on the first one.
    assert measure_grids.match(truth, _cells((6, 0), (26, 0))) == 0  # IoU 0.25.
    assert measure_grids.match(truth, _cells()) == measure_grids.match(_cells(), truth) == 0
    # (3, 0) lies on both, and the second goes to the one that lies better on it.
    assert measure_grids.match(_cells((0, 0), (6, 0)), _cells((3, 0), (6, 0))) == 2


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A squared page with two cells, a level without one, and a plain page."""
    cells = [{"quad": quad.tolist()} for quad in _cells((0, 0), (20, 0))]
    truth = {
        "a.png": {"level": "scan", "rows": 1, "columns": 2, "cells": cells},
        "b.png": {"level": "plain"},
    }
    for name in truth:
        cv2.imwrite(str(tmp_path / name), np.full((50, 50, 3), 255, np.uint8))
    (tmp_path / "truth.json").write_text(json.dumps(truth), encoding="utf-8")
    return tmp_path


def test_what_is_found_on_a_plain_page_is_wrong(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = Found(_cells((0, 0), (20, 0), (40, 40)), (1, 2))
    monkeypatch.setitem(measure_grids.DETECTORS, "manuscript", lambda image: found)
    figures = measure_grids.measure(folder, "manuscript")
    assert list(figures) == ["scan", "plain", "all"]
    assert figures["scan"] == {
        "pages": 1, "cells": 2, "found": 3, "right": 2, "precision": pytest.approx(2 / 3), "recall": 1.0,
        "right_shape": 1.0, "seconds": figures["scan"]["seconds"],
    }  # fmt: skip
    assert (figures["plain"]["precision"], figures["plain"]["recall"]) == (0.0, 1.0)
    assert figures["plain"]["right_shape"] == 0.0
    assert figures["all"]["precision"] == pytest.approx(2 / 6)
    measure_grids.main([str(folder), "--detector", "manuscript", "--json", str(folder / "out.json")])
    assert "| manuscript | all | 2 | 0.3333 | 1.0000 | 0.500 |" in capsys.readouterr().out
    written = json.loads((folder / "out.json").read_text(encoding="utf-8"))
    assert written["manuscript"]["scan"]["right"] == 2


def test_a_folder_without_truth_or_with_a_damaged_picture_is_refused(folder: Path, tmp_path: Path) -> None:
    (folder / "a.png").write_bytes(b"no picture")
    with pytest.raises(ValueError, match=r"a\.png: cannot be read as a picture"):
        measure_grids.measure(folder, "manuscript")
    with pytest.raises(ValueError, match=r"must hold truth\.json"):
        measure_grids.measure(tmp_path / "none", "manuscript")
