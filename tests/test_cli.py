import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from serving import cli, cli_status, draw, finder, runtime, single
from serving.evaluate import Errors
from tests import fakes, made_hands
from zoo import manuscript

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def hanzoo(tmp_path, monkeypatch, capfd):
    """Runs the command with a model that needs no training; returns status, stdout and stderr."""
    monkeypatch.setattr(runtime, "PRESETS", tmp_path / "presets")
    monkeypatch.setattr(runtime, "Session", fakes.FakeSession)
    fakes.preset(tmp_path / "presets" / "hanzinet_m")
    fakes.finder(tmp_path / "presets" / finder.MODEL)
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        try:
            status = cli.main(arguments)
        except SystemExit as end:
            status = end.code
        output = capfd.readouterr()
        return status, output.out, output.err

    return run


@pytest.fixture
def character(tmp_path, hanzoo):
    """Makes a picture of one character, 田 to the stand-in of the network."""

    def make(name="character.png"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(fakes.one_character(120, 100, 30, 20)).save(path)
        return name

    return make


def test_the_text_of_one_image_is_printed_alone(hanzoo, character):
    assert hanzoo("read", character()) == (0, "田\n", "")


def test_several_images_get_a_heading_each(hanzoo, character):
    status, output, errors = hanzoo("read", character("a.png"), character("b.png"))
    assert (status, errors) == (0, "")
    assert output == "==> a.png <==\n田\n==> b.png <==\n田\n"


def test_json_is_one_object_a_line_in_the_order_given(hanzoo, character):
    names = [character("b.png"), character("字.png"), "missing.png", character("a.png")]
    status, output, errors = hanzoo("read", "--json", *names)
    answers = [json.loads(line) for line in output.splitlines()]
    assert status == 1
    assert errors == ""
    assert [answer["image"] for answer in answers] == names
    assert set(answers[2]) == {"image", "error"}
    for answer in (answers[0], answers[1], answers[3]):
        assert list(answer) == ["image", "width", "height", "layout", "direction", "text", "lines"]
        assert (answer["width"], answer["height"], answer["layout"]) == (120, 100, "char")
        assert answer["lines"][0]["characters"][0]["alternatives"][0][0] == "田"
    assert "字.png" in output


def test_options_may_stand_before_and_after_the_images(hanzoo, character):
    name = character()
    outputs = {
        hanzoo("read", "--json", "--layout", "char", name),
        hanzoo("read", name, "--layout", "char", "--json"),
        hanzoo("read", name, "--layout=char", "--json"),
    }
    assert len(outputs) == 1


def test_manuscript_paper_gives_every_cell(hanzoo, tmp_path, monkeypatch):
    image, cells = fakes.sheet(["甲_", "乙_"])
    monkeypatch.setattr(manuscript, "find", lambda _: manuscript.Grid(2, 2, cells, "vertical", 1.0))
    Image.fromarray(image).save(tmp_path / "page.png")
    status, output, _ = hanzoo("read", "--layout", "grid", "--json", "page.png")
    answer = json.loads(output)
    assert status == 0
    assert answer["text"] == "甲乙"
    assert answer["direction"] == "vertical"
    assert answer["grid"]["cells"][2] == cells[0, 0].tolist()


def test_unreadable_images_are_named_and_the_others_read(hanzoo, character, tmp_path):
    good = character()
    (tmp_path / "broken.png").write_bytes((tmp_path / good).read_bytes()[:60])
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "folder").mkdir()
    names = ["broken.png", good, "empty.jpg", "folder", "missing.png", good]
    status, output, errors = hanzoo("read", *names)
    assert status == 1
    assert output == f"==> {good} <==\n田\n" * 2
    lines = errors.splitlines()
    assert [line.split(": ")[:2] for line in lines] == [
        ["hanzoo", "broken.png"],
        ["hanzoo", "empty.jpg"],
        ["hanzoo", "folder"],
        ["hanzoo", "missing.png"],
    ]
    assert "Traceback" not in errors


def test_an_error_is_one_line_that_names_the_image_once(hanzoo):
    _, _, errors = hanzoo("read", "two\nlines.png")
    assert errors == "hanzoo: two\\nlines.png: there is no such file; check the path\n"
    _, output, _ = hanzoo("read", "--json", "two\nlines.png")
    assert json.loads(output) == {"image": "two\nlines.png", "error": "there is no such file; check the path"}


def test_a_missing_model_of_a_layout_is_told_for_each_image(hanzoo, character, monkeypatch):
    monkeypatch.setattr(finder, "MODEL", "dbnet_missing")
    status, output, errors = hanzoo("read", "--layout", "lines", character())
    assert (status, output) == (1, "")
    assert errors.startswith("hanzoo: character.png: layout 'lines' needs the model that finds lines")


def test_an_error_no_one_foresaw_stops_one_image_only(hanzoo, character, monkeypatch):
    is_character = single.is_character

    def fail(image):
        if image.shape[1] != 120:
            raise ZeroDivisionError("division by zero")
        return is_character(image)

    monkeypatch.setattr(single, "is_character", fail)
    Image.new("L", (50, 50), 255).save("odd.png")
    good = character()
    status, output, errors = hanzoo("read", "odd.png", good)
    assert (status, output) == (1, f"==> {good} <==\n田\n")
    assert errors == (
        "hanzoo: odd.png: internal error: ZeroDivisionError: division by zero; --debug shows the traceback\n"
    )
    _, _, errors = hanzoo("read", "odd.png", "--debug")
    assert "Traceback (most recent call last)" in errors


def test_pages_of_a_tiff_are_numbered(hanzoo, tmp_path):
    pages = [Image.fromarray(np.full((80, 60 + 10 * n, 3), 255, np.uint8)) for n in range(3)]
    pages[0].save(tmp_path / "pages.tif", save_all=True, append_images=pages[1:])
    status, output, _ = hanzoo("read", "--json", "pages.tif")
    answers = [json.loads(line) for line in output.splitlines()]
    assert status == 0
    assert [(answer["image"], answer["page"], answer["width"]) for answer in answers] == [
        ("pages.tif", 1, 60),
        ("pages.tif", 2, 70),
        ("pages.tif", 3, 80),
    ]
    _, output, _ = hanzoo("read", "pages.tif")
    assert output == "==> pages.tif, page 1 <==\n\n==> pages.tif, page 2 <==\n\n==> pages.tif, page 3 <==\n\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["read"],
        ["read", "--json"],
        ["read", "a.png", "--layout", "table"],
        ["read", "a.png", "--layout"],
        ["read", "a.png", "--jsn"],
        ["reed", "a.png"],
        ["read", "a.png", "--model", "hanzinet_x"],
        ["gate"],
        ["list", "extra"],
    ],
)
def test_wrong_options_exit_with_2(hanzoo, arguments):
    status, output, errors = hanzoo(*arguments)
    assert (status, output) == (2, "")
    assert errors
    assert "Traceback" not in errors


def test_help_names_every_option(hanzoo):
    status, output, _ = hanzoo("read", "--help")
    assert status == 0
    for option in ("IMAGE...", "--layout {auto,grid,lines,line,char}", "--json", "--draw DIR", "--debug"):
        assert option in output
    assert hanzoo("--help")[0] == 0
    assert "list" in hanzoo()[1]


def test_presets_are_listed_with_their_figures(hanzoo):
    assert hanzoo("list") == (
        0,
        "dbnet_s  0.00 MB\n  composed pages: h_mean 0.97\n"
        "hanzinet_m  0.00 MB\n  w06: samples 100  top1_int8 0.9712\n",
        "",
    )


def test_a_damaged_model_is_reported_once(hanzoo, character, tmp_path, monkeypatch):
    monkeypatch.undo()
    monkeypatch.setattr(runtime, "PRESETS", tmp_path / "presets")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "presets" / "hanzinet_m" / "model.tflite").write_bytes(b"changed")
    status, output, errors = hanzoo("read", character("a.png"), character("b.png"))
    assert (status, output) == (1, "")
    assert len(errors.splitlines()) == 1
    assert "the model is damaged" in errors


def test_drawings_get_names_of_their_own(hanzoo, character, tmp_path):
    names = [character("a.png"), character("a.jpg"), character("more/a.png")]
    assert hanzoo("read", "--draw", "drawn/here", *names)[0] == 0
    drawn = tmp_path / "drawn" / "here"
    assert sorted(path.name for path in drawn.glob("*.png")) == ["a-2.png", "a-3.png", "a.png"]
    with Image.open(drawn / "a.png") as picture:
        assert picture.size == (120, 100)


def test_a_drawing_never_takes_the_place_of_an_image(hanzoo, character, tmp_path):
    image = tmp_path / character("a.png")
    content = image.read_bytes()
    status, _, _ = hanzoo("read", "--draw", ".", "a.png")
    assert status == 0
    assert image.read_bytes() == content
    assert (tmp_path / "a-2.png").exists()


@pytest.mark.parametrize("more", [[], ["--json"]])
def test_what_was_read_is_told_though_it_cannot_be_drawn(hanzoo, character, tmp_path, more):
    (tmp_path / "drawn" / "a.png").mkdir(parents=True)
    status, output, errors = hanzoo("read", "--draw", "drawn", *more, character("a.png"), character("b.png"))
    assert status == 1
    assert output.count("田") >= 2
    assert "error" not in output
    assert errors.startswith("hanzoo: a.png: drawn/a.png: Is a directory")
    assert sorted(os.listdir(tmp_path / "drawn")) == ["a.png", "b.png"]


def test_without_stderr_images_are_read_all_the_same(hanzoo, character, monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    assert hanzoo("read", "missing.png", character())[:2] == (1, "==> character.png <==\n田\n")
    sys.stderr.close()


@pytest.mark.parametrize(
    "arguments",
    [
        ("read", "--model", "hanzinot", "page.png"),
        ("evaluate", "hanzinot", "--data", "data"),
        ("export", "hanzinot", "--out", "out"),
        ("sample", "hanzinot"),
        ("train", "hanzinot", "run", "--data", "data"),
    ],
)
def test_a_name_that_is_not_known_is_a_wrong_option(hanzoo, arguments):
    status, _, errors = hanzoo(*arguments)
    assert status == 2
    assert "'hanzinot'" in errors.splitlines()[-1]
    assert "Traceback" not in errors


def test_a_model_of_another_kind_is_a_wrong_option(hanzoo, character):
    status, _, errors = hanzoo("read", "--model", finder.MODEL, character())
    assert status == 2
    assert "reads no single characters" in errors
    (runtime.PRESETS / "writer").mkdir()
    (runtime.PRESETS / "writer" / "result.json").write_text('{"files": {}}')
    status, _, errors = hanzoo("read", "--model", "writer", character())
    assert status == 2
    assert "holds no model.tflite" in errors


@pytest.mark.parametrize("wrong", ['"recipe": []', '"size": "abc"', '"size": -1'])
def test_a_damaged_description_is_told(hanzoo, character, wrong):
    file = runtime.PRESETS / "hanzinet_m" / "result.json"
    file.write_text(file.read_text(encoding="utf-8").replace("{", "{" + wrong + ",", 1), encoding="utf-8")
    status, _, errors = hanzoo("read", character())
    assert status == 1
    assert errors.startswith(f"hanzoo: {file}: must ")


@pytest.mark.parametrize("command", ["train", "sheet"])
def test_a_field_that_cannot_be_is_a_wrong_option(hanzoo, command):
    status, _, errors = hanzoo(command, "hanzinet_tiny", "run", "--data", "data", "--epochs", "0")
    assert (status, errors) == (2, "hanzoo: `epochs` must be above 0. Received: epochs=0.\n")


@pytest.mark.parametrize("command", [["write", "一", "--like", "hand"], ["sample", "cgan"]])
def test_a_picture_of_another_kind_than_png_is_a_wrong_option(hanzoo, command):
    status, _, errors = hanzoo(*command, "--out", "picture.jpg")
    assert (status, errors) == (2, "hanzoo: --out must end in .png. Received: picture.jpg\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["out", "--fonts", "nofont.ttf"], "nofont.ttf: there is no such file or folder; check the path"),
        (["out", "--fonts", "file/a.ttf"], "file/a.ttf: a part of this path is a file, and must be a folder"),
        (["file"], "file: this is a file, and a folder must stand here; name another folder"),
    ],
)
def test_a_path_that_cannot_be_used_is_told_in_words(hanzoo, tmp_path, arguments, message):
    made_hands.write_data(tmp_path / "data")
    (tmp_path / "file").touch()
    status, output, errors = hanzoo("sheet", "hanzinet_tiny", *arguments)
    assert (status, output) == (1, "")
    assert errors.startswith(f"hanzoo: {message}")
    assert len(errors.splitlines()) == 1


def test_what_was_said_of_a_path_beyond_the_system_is_told():
    told = OSError(errno.EISDIR, "it is a folder; the file stays as it was", "a.png")
    assert cli_status.of_system(told) == "a.png: it is a folder; the file stays as it was"
    assert cli_status.of_system(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "a.png")) == (
        "a.png: No space left on device"
    )
    assert cli_status.of_system(OSError("The files cannot be downloaded.")) == (
        "The files cannot be downloaded."
    )


def test_without_a_font_the_text_stands_in_a_file(hanzoo, character, tmp_path, monkeypatch):
    monkeypatch.setattr(draw, "find_font", lambda: None)
    status, _, errors = hanzoo("read", "--draw", "drawn", character("a.png"), character("b.png"))
    assert status == 0
    assert errors.count("no font with Chinese characters") == 1
    assert sorted(os.listdir(tmp_path / "drawn")) == ["a.png", "a.png.txt", "b.png", "b.png.txt"]
    assert (tmp_path / "drawn" / "a.png.txt").read_text(encoding="utf-8") == "田\n"


def test_a_file_in_place_of_the_folder_to_draw_in_is_a_wrong_option(hanzoo, character, tmp_path):
    (tmp_path / "drawn").touch()
    status, output, errors = hanzoo("read", "--draw", "drawn", character())
    assert (status, output, errors) == (2, "", "hanzoo: --draw drawn: File exists\n")


# From here on the command runs in a process of its own, with the stand-in of the network.
RUN = """
import sys
from pathlib import Path
from serving import cli, runtime
from tests import fakes
runtime.PRESETS = Path({presets!r})
runtime.Session = fakes.FakeSession
sys.exit(cli.main())
"""


@pytest.fixture
def command(hanzoo, tmp_path):
    script = tmp_path / "run.py"
    script.write_text(RUN.format(presets=str(tmp_path / "presets")))
    return [sys.executable, str(script), "read"]


def environment(**changes):
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
        **changes,
    }


def test_output_is_utf8_whatever_the_locale(command, character, tmp_path):
    for options in ([], ["--json"]):
        process = subprocess.run(
            [*command, *options, character()],
            cwd=tmp_path,
            env=environment(LC_ALL="C", PYTHONIOENCODING="ascii", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0"),
            capture_output=True,
            check=True,
        )
        assert "田" in process.stdout.decode("utf-8")
        assert process.stderr == b""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse names that are not UTF-8")
def test_a_name_that_is_not_utf8_is_escaped(command, tmp_path):
    process = subprocess.run(
        [*command, "--json", b"\xff.png"], cwd=tmp_path, env=environment(), capture_output=True
    )
    assert process.returncode == 1
    assert json.loads(process.stdout)["image"] == "\udcff.png"


def test_a_closed_pipe_is_quiet(command, character, tmp_path):
    process = subprocess.Popen(
        [*command, "--json", *[character()] * 400],
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    process.stdout.readline()
    process.stdout.close()
    errors = process.stderr.read()
    process.stderr.close()
    assert process.wait(60) == 128 + signal.SIGPIPE
    assert errors == b""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_named(command, character, tmp_path):
    with open("/dev/full", "wb") as full:
        process = subprocess.run(
            [*command, character()], cwd=tmp_path, env=environment(), stdout=full, stderr=subprocess.PIPE
        )
    assert process.returncode == 1
    assert process.stderr == b"hanzoo: the output cannot be written: No space left on device\n"


def test_interrupting_is_quiet(command, character, tmp_path):
    process = subprocess.Popen(
        [*command, "--json", *[character()] * 20_000],
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # A job in the background of a shell ignores interrupts, and so would its children.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGINT
    assert errors == b""


def test_the_example_pages_are_read_within_the_bounds(examples):
    pages = sorted(examples.glob("*.jpg"))
    if not pages or not runtime.names():
        pytest.skip("the example pages or the trained model are not built yet")
    process = subprocess.run(
        [sys.executable, "-m", "serving.cli", "read", "--json", *map(str, pages)],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    errors = Errors()
    for page, line in zip(pages, process.stdout.decode().splitlines(), strict=True):
        answer = json.loads(line)
        assert answer["layout"] == ("lines" if page.stem == "note" else "grid")
        errors.add(answer["text"], page.with_suffix(".txt").read_text(encoding="utf-8"))
    assert errors.rate <= 0.04  # Measured: 0.021. What breaks the reader costs far more than two points.
