"""Fonts and strokes are fetched by npm and pip; stand-ins of both bring packages that the tests make."""

import io
import os
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests import made_hands
from training import fetch, sources, strokes

FONT = fetch.Package("neat", "fonts", "npm:@fontsource/neat", r"files/.*-400-normal\.woff2")
STROKES = fetch.Package("kanjivg", "strokes", "pip:kanjivg", r"kanji/.*\.svg")
SVG = '<svg xmlns="http://www.w3.org/2000/svg"><path d="M10,50 L90,50"/></svg>'


@pytest.fixture
def npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A command npm that brings the archive of the test, whose path it returns."""
    archive = tmp_path / "neat.tgz"
    command = tmp_path / "bin" / "npm"
    command.parent.mkdir()
    command.write_text(
        f'#!/bin/sh\n[ "$1" = pack ] && [ "$2" = @fontsource/neat ] && cp {archive} neat-1.0.tgz\n'
    )
    command.chmod(0o755)
    monkeypatch.setenv("PATH", str(command.parent), prepend=os.pathsep)
    return archive


def _pack(archive: Path, files: dict[str, bytes]) -> None:
    with tarfile.open(archive, "w:gz") as packed:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            packed.addfile(member, io.BytesIO(content))


def test_a_font_arrives_with_its_licence_and_can_be_read(npm: Path, tmp_path: Path) -> None:
    made_hands.write_font(tmp_path / "neat.ttf")
    font = (tmp_path / "neat.ttf").read_bytes()
    _pack(
        npm,
        {
            "package/files/neat-1-400-normal.woff2": font,
            "package/files/neat-1-700-normal.woff2": font,
            "package/../../escaped-400-normal.woff2": font,
            "package/index.css": b"",
            "package/LICENSE": b"OFL",
        },
    )
    assert fetch.fetch(tmp_path / "sources", [FONT]) == []
    folder = tmp_path / "sources" / "fonts" / "neat"
    assert {file.name for file in folder.iterdir()} == {"neat-1-400-normal.woff2", "LICENSE"}
    assert len(sources.read_font(folder).labels)
    npm.unlink()
    assert fetch.fetch(tmp_path / "sources", [FONT]) == []  # It is there already.
    assert sorted(path.name for path in (tmp_path / "sources").iterdir()) == ["fonts"]


def test_what_cannot_be_fetched_is_named_and_does_not_hinder_the_rest(
    npm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = tmp_path / "kanjivg-1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as packed:
        packed.writestr("kanji/04e00.svg", SVG)
        packed.writestr("kanjivg-1.dist-info/METADATA", "")
    pip = tmp_path / "python"
    pip.write_text(f"#!/bin/sh\ncp {wheel} .\n")
    pip.chmod(0o755)
    monkeypatch.setattr(fetch.sys, "executable", str(pip))
    failures = fetch.fetch(tmp_path / "sources", [FONT, STROKES])
    assert len(failures) == 1
    assert failures[0].startswith("neat: `")
    assert "brought no package" in failures[0]
    (kanjivg,) = strokes.read_strokes(tmp_path / "sources" / "strokes" / "kanjivg")
    assert list(kanjivg.characters) == ["一"]
    _pack(npm, {"package/index.css": b""})
    assert "holds no file" in fetch.fetch(tmp_path / "sources", [FONT])[0]
    assert not (tmp_path / "sources" / "fonts" / "neat").exists()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "npm is missing" in fetch.fetch(tmp_path / "sources", [FONT])[0]
