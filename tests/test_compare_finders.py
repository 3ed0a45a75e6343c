import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from serving import compare_finders, finder
from training import labelled_pages

TRUE = np.array([[20, 20], [180, 20], [180, 50], [20, 50]], np.float32)


def _folder(folder: Path) -> Path:
    truth = {}
    for name, level in (("b.png", "phone"), ("a.png", "scan")):
        cv2.imwrite(str(folder / name), np.full((100, 200, 3), 255, np.uint8))
        truth[name] = {"level": level, "lines": [{"quad": TRUE.tolist(), "text": "天地"}]}
    (folder / "truth.json").write_text(json.dumps(truth), encoding="utf-8")
    return folder


def test_lines_that_overlap_by_half_count(tmp_path: Path) -> None:
    seen = []

    def late(image: np.ndarray) -> np.ndarray:  # Finds the line of the first page, a.png, only.
        seen.append(image.shape)
        return TRUE[None] + 3 if len(seen) == 1 else TRUE[None] + 25

    result = compare_finders.measure(
        labelled_pages.read(_folder(tmp_path)),
        {"late": late, "blind": lambda image: np.zeros((0, 4, 2))},
        tmp_path / "drawn",
    )
    late_lines, blind_lines = (result["finders"][name]["lines"] for name in ("late", "blind"))
    assert seen == [(100, 200, 3)] * 2
    assert late_lines["all"] == {"matched": 1, "found": 2, "true": 2}
    assert late_lines["scan"] == {"matched": 1, "found": 1, "true": 1}
    assert late_lines["phone"] == {"matched": 0, "found": 1, "true": 1}
    assert blind_lines["all"] == {"matched": 0, "found": 0, "true": 2}
    drawn = cv2.imread(str(tmp_path / "drawn" / "late_a.jpg"))
    assert np.ptp(drawn) > 100
    table = compare_finders.table(json.loads(json.dumps(result)))
    assert "| late   |       0.500 |        1.000 |         0.000 |     0.500 |  0.500 |" in table


def test_the_figures_are_written_where_no_folder_is_yet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(compare_finders, "finders", lambda craft: {"sure": lambda image: TRUE[None]})
    target = tmp_path / "new" / "result.json"
    monkeypatch.setattr("sys.argv", ["compare_finders", str(_folder(tmp_path)), "--json", str(target)])
    compare_finders.main()
    assert json.loads(target.read_text())["finders"]["sure"]["lines"]["all"]["matched"] == 2
    assert "sure" in capsys.readouterr().out
    noise = np.random.default_rng(0).integers(0, 256, (100, 200, 3), np.uint8)
    half = cv2.imencode(".jpg", noise)[1].tobytes()[:5000]  # OpenCV would read it without a word.
    (tmp_path / "a.png").write_bytes(half)
    with pytest.raises(SystemExit):
        compare_finders.main()
    told = capsys.readouterr().err
    assert told.startswith(f"hanzoo: {tmp_path / 'a.png'}: ")
    assert len(told.splitlines()) == 1
    (tmp_path / "truth.json").unlink()
    with pytest.raises(SystemExit):
        compare_finders.main()
    assert "does not tell where the lines of pages are" in capsys.readouterr().err


def test_the_finders_are_the_baseline_and_the_networks(tmp_path: Path) -> None:
    found_by = compare_finders.finders()
    assert list(found_by) == ["contours", finder.MODEL]
    page = np.full((700, 700, 3), 255, np.uint8)
    assert all(find(page).shape == (0, 4, 2) for find in found_by.values())
    with pytest.raises(ValueError, match="holds no preset"):
        compare_finders.finders(tmp_path / "craft_s")


def test_the_maps_of_a_craft_become_lines() -> None:
    rows, columns = np.mgrid[:60, :100]

    def blob(x: float, y: float) -> np.ndarray:
        return np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * 6**2))

    region = sum(blob(x, 30) for x in (20, 40, 60)).astype(np.float32)
    affinity = sum(blob(x, 30) for x in (30, 50)).astype(np.float32)
    quads, scores = finder.of_craft({"region": region, "affinity": affinity}, 2.0)
    assert quads.shape == (1, 4, 2)
    assert scores[0] > 0.9
    assert quads[0, :, 0].min() < 40 < 120 < quads[0, :, 0].max()
