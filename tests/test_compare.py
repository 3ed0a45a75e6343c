"""Readers side by side. A made-up Tesseract stands for all of them: a program in a process of its own."""

import json
import os
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from serving import cli, compare

TABLE = (
    "level\tpage_num\tblock_num\tpar_num\tline_num\tword_num\tleft\ttop\twidth\theight\tconf\ttext\n"
    "4\t1\t1\t1\t1\t0\t10\t10\t80\t20\t-1\t\n"
    "5\t1\t1\t1\t1\t1\t10\t12\t40\t18\t90\t一二\n"
    "5\t1\t1\t1\t1\t2\t50\t10\t40\t20\t90\t三\n"
    "5\t1\t1\t1\t2\t1\t10\t50\t80\t20\t90\t四\n"
)


@pytest.fixture
def tesseract(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program of this name that finds the same two lines on every page."""
    (tmp_path / "table.tsv").write_text(TABLE, encoding="utf-8")
    (tmp_path / "chi_tra.traineddata").write_bytes(bytes(600))
    (tmp_path / "chi_tra_vert.traineddata").write_bytes(bytes(400))
    program = tmp_path / "bin" / "tesseract"
    program.parent.mkdir()
    program.write_text(
        "#!/bin/sh\n"
        'case "$1" in\n'
        f"--list-langs) echo 'List of available languages in \"{tmp_path}\" (2):'; echo chi_tra; echo chi_tra_vert;;\n"
        "--version) echo 'tesseract 9.8';;\n"
        f"*) case \"$*\" in *'-l chi_tra+chi_tra_vert'*) cat {tmp_path}/table.tsv;; *) exit 9;; esac;;\n"
        "esac\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")


def _quad(left: float, top: float, right: float, bottom: float) -> list[list[float]]:
    return [[left, top], [right, top], [right, bottom], [left, bottom]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two pages; on the second a line counts for nothing, and the lines stand in another order."""
    pages = tmp_path / "pages"
    pages.mkdir()
    first = {"quad": _quad(10, 10, 90, 30), "text": "一二三"}
    second = {"quad": _quad(10, 50, 90, 70), "text": "四五"}
    truth = {
        "a.png": {"level": "scan", "lines": [first, second]},
        "b.png": {"level": "phone", "lines": [second, first]},
        "c.png": {"level": "scan", "lines": [first], "ignore": [_quad(0, 45, 100, 80)]},
    }
    for name in truth:
        cv2.imwrite(str(pages / name), np.full((100, 100, 3), 255, np.uint8))
    (pages / "truth.json").write_text(json.dumps(truth), encoding="utf-8")
    return pages


@pytest.mark.usefixtures("tesseract")
def test_a_reader_is_measured_in_a_process_of_its_own(folder: Path) -> None:
    result = compare.compare([folder], ["Tesseract"])
    (reader,) = result["readers"].values()
    assert (reader["version"], reader["bytes"], result["pages"]) == ("9.8", 1000, 3)
    assert 0 < reader["seconds"] < 30
    assert 10 < reader["megabytes"] < 2000
    # One of the eight characters of the scans is missing. On the photograph the lines are read in the wrong order:
    # 一二三四 for 四五一二三.
    assert reader["groups"]["scan"] == {"error_rate": 1 / 8, "error_rate_ordered": 1 / 8, "h_mean": 1.0}
    assert reader["groups"]["phone"] == {"error_rate": 3 / 5, "error_rate_ordered": 1 / 5, "h_mean": 1.0}


@pytest.mark.usefixtures("tesseract")
def test_a_line_with_a_crossed_out_character_counts(folder: Path) -> None:
    truth = json.loads((folder / "truth.json").read_text(encoding="utf-8"))
    truth["a.png"]["ignore"] = [_quad(40, 10, 60, 30)]
    (folder / "truth.json").write_text(json.dumps(truth), encoding="utf-8")
    (reader,) = compare.compare([folder], ["Tesseract"])["readers"].values()
    assert reader["groups"]["scan"] == {"error_rate": 1 / 8, "error_rate_ordered": 1 / 8, "h_mean": 1.0}


@pytest.mark.usefixtures("tesseract")
def test_several_folders_are_groups_of_their_own(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"names of their own\. Received: pages, pages"):
        compare.compare([folder, folder], ["Tesseract"])
    other = shutil.copytree(folder, tmp_path / "others")
    result = compare.compare([folder, other], ["Tesseract"])
    groups = result["readers"]["Tesseract"]["groups"]
    assert result["pages"] == 6
    assert set(groups) == {"pages", "others"}
    assert groups["pages"] == groups["others"]
    assert groups["pages"]["error_rate_ordered"] == pytest.approx(2 / 13)


@pytest.mark.usefixtures("tesseract")
def test_the_table_names_what_is_missing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    shown = compare.table(compare.compare([folder], ["Tesseract", "RapidOCR"]))
    assert "| Tesseract |     9.8 |" in shown
    assert "bar [0.125]" in shown
    assert (
        "Not measured: RapidOCR: rapidocr is missing: `pip install -e '.[compare]'` in the clone of hanzoo."
        in shown
    )


@pytest.mark.usefixtures("tesseract")
def test_a_reader_that_fails_says_why(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "table.tsv").unlink()
    with pytest.raises(RuntimeError, match=r"(?s)Tesseract failed: .*table\.tsv: No such file"):
        compare.compare([folder], ["Tesseract"])


@pytest.mark.usefixtures("tesseract")
def test_a_language_that_is_lacking_leaves_the_reader_out(folder: Path, tmp_path: Path) -> None:
    program = tmp_path / "bin" / "tesseract"
    program.write_text(program.read_text().replace(" echo chi_tra_vert;", ""))
    shown = compare.table(compare.compare([folder], ["hanzoo", "Tesseract"]))
    assert "Not measured: Tesseract: tesseract lacks chi_tra_vert: Debian has it as" in shown
    assert "| hanzoo " in shown


def test_an_unknown_reader_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(
        ValueError, match=r"--readers must be of 'hanzoo', 'hanzoo, characters', .* Received: 'Abbyy'"
    ):
        compare.compare([folder], ["Abbyy"])
    assert cli.main(["compare", str(folder), "--readers", "Abbyy"]) == 2
    assert capsys.readouterr().err.startswith("hanzoo: --readers must be of")


@pytest.mark.usefixtures("tesseract")
def test_a_damaged_picture_is_named_before_any_reader_starts(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(tmp_path / "bin")
    whole = (folder / "b.png").read_bytes()
    (folder / "b.png").write_bytes(whole[: len(whole) // 2])
    assert cli.main(["compare", str(folder), "--readers", "Tesseract"]) == 1
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith(f"hanzoo: {folder / 'b.png'}: the file ends early")
    assert len(output.err.splitlines()) == 1


def test_pages_without_lines_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="does not tell where the lines of pages are"):
        compare.read_truth(tmp_path)


def test_parts_of_a_line_follow_it() -> None:
    """A column from above downwards, then a row from left to right."""
    true = np.array([_quad(100, 0, 120, 200), _quad(0, 220, 90, 240)], np.float32)
    parts = [
        (_quad(50, 221, 90, 239), "d"),
        (_quad(200, 300, 220, 320), "elsewhere"),
        (_quad(101, 100, 119, 190), "b"),
        (_quad(0, 221, 45, 239), "c"),
        (_quad(101, 0, 119, 95), "a"),
    ]
    assert [text for _, text in compare.in_true_order(parts, true)] == ["a", "b", "c", "d", "elsewhere"]
