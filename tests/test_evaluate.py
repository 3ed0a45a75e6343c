import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from serving import evaluate, peers, report, standing
from serving.images import ImageError
from serving.page import Page


class _Reader:
    """Reads what it is told to read."""

    def __init__(self, texts: dict[str, str]) -> None:
        self._texts = texts

    def read(self, path: Path, layout: str) -> Page:
        if path.name not in self._texts:
            raise ImageError(f"{path}: no such file")
        return _page(self._texts[path.name])


def _page(text: str) -> Page:
    class Answer(Page):
        @property
        def text(self) -> str:
            return text

    return Answer("", 1, 1, "grid", "vertical", ())


def test_errors_are_counted_over_pages_and_groups(tmp_path: Path) -> None:
    (tmp_path / "manifest.tsv").write_text(
        "a.png\t天地，\\n玄黃\nb.png\t宇宙\nc.png\t洪荒\n", encoding="utf-8"
    )
    truth = {
        "a.png": {"level": "flat", "source": "w1", "ink": "pencil", "direction": "vertical"},
        "b.png": {"level": "phone", "source": "w1", "ink": "blue", "direction": "horizontal"},
    }
    (tmp_path / "truth.json").write_text(json.dumps(truth), encoding="utf-8")
    pages = evaluate.read_labelled(tmp_path)
    assert pages[0].text == "天地，\n玄黃"

    def read(texts: dict[str, str]) -> Callable[[Path], str]:
        return lambda path: _Reader(texts).read(path, "auto").text

    errors = evaluate.evaluate(read({"a.png": "天地,玄 黄", "b.png": "宇"}), pages)
    assert (errors["all"].pages, errors["all"].characters, errors["all"].unread) == (3, 9, 1)
    assert errors["all"].edits == 1 + 1 + 2  # 黃 read as 黄, 宙 missing, c.png unread
    assert errors["level flat"].rate == pytest.approx(1 / 5)
    assert errors["level phone, source w1"].edits == 1
    assert (errors["ink pencil"].edits, errors["ink blue"].edits) == (1, 1)
    assert (errors["direction vertical"].edits, errors["direction horizontal"].edits) == (1, 1)
    assert "all but w1" not in errors
    others = evaluate.evaluate(read({}), pages, apart=["w2"])
    assert (others["all but w2"].pages, others["level phone, all but w2"].pages) == (3, 1)
    assert evaluate.evaluate(read({}), pages, apart=["w1"])["all but w1"].pages == 1
    alone = evaluate.evaluate(read({}), pages)
    table = evaluate.table({"in_context": errors, "alone": alone})
    assert "| all | 3 | 9 | 0.4444 | 1.0000 | 1 |" in table


def test_several_folders_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "manifest.tsv").write_text(f"{name}.png\t天地\n", encoding="utf-8")
    texts = {True: {"one.png": "天地", "two.png": "天"}, False: {"one.png": "天"}}
    monkeypatch.setattr(
        evaluate,
        "Reader",
        lambda context, style: _Reader(texts[context] if style is None else {"two.png": "天地"}),
    )
    out = tmp_path / "result.json"
    folders = [str(tmp_path / name) for name in ("one", "two")]
    monkeypatch.setattr("sys.argv", ["evaluate", *folders, "--json", str(out)])
    evaluate.main()
    figures = json.loads(out.read_text(encoding="utf-8"))
    assert figures.pop("models") == standing.files()
    edits = {name: {group: one["edits"] for group, one in groups.items()} for name, groups in figures.items()}
    assert edits == {
        "in_context": {"all": 1, "set one": 0, "set two": 1},
        "alone": {"all": 3, "set one": 1, "set two": 2},
    }
    monkeypatch.setattr("sys.argv", ["evaluate", *folders, "--styles", "lines", "--json", str(out)])
    evaluate.main()
    whole = json.loads(out.read_text(encoding="utf-8"))
    assert list(whole) == ["in_context", "alone", "lines_in_context", "lines_alone", "models"]
    assert whole["lines_alone"]["set one"]["edits"] == 2

    class Peer:
        def __init__(self, peer: peers.Peer) -> None:
            pass

        def read_line(self, image: np.ndarray) -> str:
            assert image.shape == (4, 9, 3)
            return "天"

    for folder in folders:
        Image.new("RGB", (9, 4), "white").save(Path(folder) / f"{Path(folder).name}.png")
    monkeypatch.setattr(peers, "PeerReader", Peer)
    monkeypatch.setattr("sys.argv", ["evaluate", *folders, "--layout", "line", "--peers", "--json", str(out)])
    evaluate.main()
    beside = json.loads(out.read_text(encoding="utf-8"))
    assert [beside[peer.name]["all"]["edits"] for peer in peers.PEERS] == [2, 2, 2]
    del beside["models"]
    named = {
        name: {g: evaluate.Errors(**one) for g, one in groups.items()} for name, groups in beside.items()
    }
    assert "| PP-OCRv6-small |" in evaluate.table(named)
    monkeypatch.setattr("sys.argv", ["evaluate", *folders, "--peers"])
    with pytest.raises(SystemExit):
        evaluate.main()
    with pytest.raises(ValueError, match="names of their own"):
        evaluate.read_sets([tmp_path / "one", tmp_path / "two" / ".." / "one"])


def test_pages_are_turned_and_told_apart_by_angle(tmp_path: Path, examples: Path) -> None:
    groups = {"source": "w1", "level": "flat"}
    page = evaluate.Labelled(examples / "note.jpg", "天地", groups)
    turned = evaluate.turned([page], [0, 90, 30], tmp_path)
    assert [one.groups for one in turned] == [
        {"turned": f"{angle} degrees", "source": "w1"} for angle in (0, 90, 30)
    ]
    straight, side, askew = (np.asarray(Image.open(one.path)) for one in turned)
    image = np.asarray(Image.open(page.path))
    np.testing.assert_array_equal(straight, image)
    assert side.shape[:2] == image.shape[1::-1]
    assert np.abs(side[2:-2, 2:-2].astype(int) - np.rot90(image)[2:-2, 2:-2]).mean() < 5
    assert min(askew.shape[:2]) > max(image.shape[:2]) * 0.5
    # The corners show the colour of the paper's edge.
    assert np.abs(askew[0, 0].astype(int) - np.median(image[0], axis=0)).max() < 30
    errors = evaluate.evaluate(lambda path: "天地" if "_30_" in path.name else "天", turned, apart=["w2"])
    assert errors["turned 30 degrees"].edits == errors["turned 30 degrees, all but w2"].edits == 0
    assert errors["turned 90 degrees"].edits == 1
    assert errors["all"].edits == 2


def test_a_folder_without_labels_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"must hold manifest\.tsv"):
        evaluate.read_labelled(tmp_path)
    (tmp_path / "manifest.tsv").write_text("a.png 天地\n", encoding="utf-8")
    with pytest.raises(ValueError, match="Received: line 1"):
        evaluate.read_labelled(tmp_path)


def test_the_report_shows_each_section_that_has_figures(tmp_path: Path) -> None:
    folder = tmp_path / "results" / "pages"
    folder.mkdir(parents=True)
    figures = {
        name: {"all": {"pages": 2, "characters": 200, "edits": edits, "unread": 0}}
        for name, edits in (("in_context", 7), ("alone", 9))
    }
    (folder / "result.json").write_text(json.dumps(figures), encoding="utf-8")
    text = report.report(tmp_path / "presets", tmp_path / "results")
    assert "| all | 2 | 200 | 0.0350 | 0.0450 | 0 |" in text
    assert "serving.evaluate" in text
    assert "Time and memory" not in text
    assert "not noted which hanzinet_m and ngram measured" in text
    (folder / "result.json").write_text(json.dumps(figures | {"models": {}}), encoding="utf-8")
    assert "earlier hanzinet_m and ngram" in report.report(tmp_path / "presets", tmp_path / "results")
    (folder / "result.json").write_text(json.dumps(figures | {"models": standing.files()}), encoding="utf-8")
    assert "earlier" not in report.report(tmp_path / "presets", tmp_path / "results").split("##", 1)[1]


def test_results_are_up_to_date() -> None:
    root = Path(__file__).resolve().parents[1]
    expected = report.report(root / "zoo" / "presets", root / "results")
    assert (root / "RESULTS.md").read_text(encoding="utf-8") == expected
