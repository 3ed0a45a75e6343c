"""Real pages with marked lines."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from training import labelled_pages
from training.labelled_pages import LabelledPage

ROW = [[10, 10], [70, 10], [70, 30], [10, 30]]
COLUMN = [[80, 10], [100, 10], [100, 70], [80, 70]]


def marked(folder: Path, **truth: Any) -> list[LabelledPage]:
    image = np.full((90, 110, 3), 255, np.uint8)
    image[10:30, 10:70] = (0, 0, 200)  # Red, in the order of OpenCV.
    cv2.imwrite(str(folder / "page.png"), image)
    (folder / "truth.json").write_text(json.dumps({"page.png": truth}), encoding="utf-8")
    return labelled_pages.read(folder)


def test_lines_without_characters_are_cut_evenly_along_their_direction(tmp_path: Path) -> None:
    lines = [{"quad": ROW, "text": "一 二三"}, {"quad": COLUMN, "text": "日月人"}]
    (page,) = marked(tmp_path, lines=lines, ignore=[ROW])
    assert page.image[20, 20].tolist() == [200, 0, 0]
    assert [line.vertical for line in page.lines] == [False, True]
    done = labelled_pages.complete(page, None)
    assert [line.text for line in done.lines] == ["一二三", "日月人"]
    assert [line.confidence for line in done.lines] == [0.5, 0.5]
    middles = [line.characters.mean(1) for line in done.lines]
    np.testing.assert_allclose(
        middles[0], [[20, 20], [40, 20], [60, 20]], atol=0.6
    )  # Half a pixel of the edge.
    np.testing.assert_allclose(middles[1], [[90, 20], [90, 40], [90, 60]], atol=0.6)
    np.testing.assert_array_equal(done.ignore, [ROW])


def test_marked_characters_are_kept(tmp_path: Path) -> None:
    chars = [{"quad": COLUMN, "text": "一"}]
    (page,) = marked(tmp_path, direction="horizontal", lines=[{"quad": COLUMN, "text": "一", "chars": chars}])
    (line,) = labelled_pages.complete(page, None).lines
    assert line.confidence == 1
    np.testing.assert_array_equal(line.characters, [COLUMN])


def test_a_network_that_finds_the_characters_is_believed(tmp_path: Path) -> None:
    def region_of(image: np.ndarray) -> np.ndarray:
        region = np.zeros((image.shape[0] // 2, image.shape[1] // 2), np.float32)
        for share in (1 / 6, 1 / 2, 5 / 6):
            cv2.circle(region, (round(share * region.shape[1]), region.shape[0] // 2), 8, 1.0, -1)
        return cv2.GaussianBlur(region, (0, 0), 3)

    (page,) = marked(tmp_path, lines=[{"quad": ROW, "text": "一二三"}])
    (line,) = labelled_pages.complete(page, region_of).lines
    assert line.confidence == 1
    np.testing.assert_allclose(line.characters.mean(1)[:, 0], [20, 40, 60], atol=1)  # A place of the map.


@pytest.mark.parametrize(
    ("truth", "reason"),
    [
        ({"lines": [{"quad": ROW[:3], "text": "一"}]}, "a quad has four corners"),
        ({"lines": [{"quad": ROW, "text": "一", "chars": [{"quad": ROW}, {"quad": ROW}]}]}, "2 in `chars`"),
        ({}, "'lines'"),
    ],
)
def test_a_damaged_truth_is_named(tmp_path: Path, truth: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=rf"truth\.json: does not tell where .*{reason}"):
        marked(tmp_path, **truth)


def test_a_missing_truth_or_picture_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"truth\.json: does not tell"):
        labelled_pages.read(tmp_path)
    (tmp_path / "truth.json").write_text('{"none.png": {"lines": []}}', encoding="utf-8")
    with pytest.raises(ValueError, match=r"none\.png: cannot be read as a picture"):
        labelled_pages.read(tmp_path)


def test_a_picture_that_ends_early_is_named(tmp_path: Path) -> None:
    marked(tmp_path, lines=[])
    (picture,) = tmp_path.glob("*.png")
    content = cv2.imencode(".jpg", cv2.imread(str(picture)))[1].tobytes()
    picture.write_bytes(content[: len(content) * 2 // 3])
    with pytest.raises(ValueError, match=rf"{picture.name}: cannot be read as a picture .*truncated"):
        labelled_pages.read(tmp_path)
