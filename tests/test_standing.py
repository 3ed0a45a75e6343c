import hashlib

from serving import report, runtime, standing


def test_the_files_are_those_that_pages_are_read_with() -> None:
    found = standing.files()
    assert found.keys() == {"hanzinet_m", "dbnet_s", "line_s", "ngram"}
    content = (runtime.PRESETS / "ngram" / "model.npz").read_bytes()
    assert found["ngram"] == hashlib.sha256(content).hexdigest()
    assert found["line_s"] == runtime.preset("line_s").result["files"]["model.tflite"]["sha256"]


def test_figures_of_other_files_are_told() -> None:
    now = {"reader": "a", "finder": "b", "ngram": "c"}
    assert standing.remark(now, now, ("reader", "finder")) == ""
    before = {"reader": "x", "finder": "y", "ngram": "c"}
    assert standing.remark(before, now, ("reader", "finder", "ngram")) == (
        "Measured with an earlier reader and finder."
    )
    assert standing.remark(before, now, ("ngram",)) == ""
    assert "not noted which reader" in standing.remark(None, now, ("reader",))


def test_every_section_of_the_report_that_needs_files_names_ones_that_there_are() -> None:
    named = [set(section.models) for section in report.SECTIONS if section.models]
    assert named
    assert all(names <= standing.files().keys() for names in named)
