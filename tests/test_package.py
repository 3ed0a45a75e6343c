"""What an installed hanzoo brings."""

import configparser
from pathlib import Path

from serving import context, finder, line_reader, ocr, runtime

ROOT = Path(__file__).resolve().parents[1]


def packaged() -> set[Path]:
    settings = configparser.ConfigParser()
    settings.read(ROOT / "setup.cfg", encoding="utf-8")
    with_data, without = (
        {
            file
            for pattern in settings[f"options.{section}"]["zoo"].split()
            for file in (ROOT / "zoo").glob(pattern)
        }
        for section in ("package_data", "exclude_package_data")
    )
    return with_data - without


def test_the_package_has_all_that_a_page_is_read_with() -> None:
    files = packaged()
    for name in (ocr.MODEL, finder.MODEL, line_reader.MODEL):
        assert {runtime.PRESETS / name / file for file in ("model.tflite", "result.json", "card.md")} <= files
    assert context.FILE in files


def test_the_package_has_no_weights_and_at_most_six_megabytes() -> None:
    files = packaged()
    assert not [file for file in files if file.suffix == ".h5"]
    assert sum(file.stat().st_size for file in files) <= 6_000_000
