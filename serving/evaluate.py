"""Reads labelled folders of pages and measures how well: `python -m serving.evaluate FOLDER...`."""

import argparse
import dataclasses
import json
import tempfile
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from rapidfuzz.distance import Levenshtein

from serving import images, peers, standing
from serving.images import ImageError
from serving.ocr import LAYOUTS, STYLES, LayoutError, Reader
from zoo import geometry


@dataclasses.dataclass(frozen=True)
class Labelled:
    """A page with its true text, and the groups that it belongs to, such as its level of difficulty."""

    path: Path
    text: str
    groups: dict[str, str]


@dataclasses.dataclass(frozen=True)
class Column:
    """A way to read, and the title of its error rates; without a style as they are by default."""

    style: str | None
    context: bool
    title: str


COLUMNS = {
    "in_context": Column(None, True, "character error rate"),
    "alone": Column(None, False, "without context"),
    "characters_in_context": Column("characters", True, "character by character"),
    "characters_alone": Column("characters", False, "character by character, without context"),
    "lines_in_context": Column("lines", True, "line by line"),
    "lines_alone": Column("lines", False, "line by line, without context"),
}


def read_labelled(folder: Path) -> list[Labelled]:
    """Reads `manifest.tsv` (image TAB text, `\\n` between lines) and the groups in `truth.json`, if there.

    Raises:
        ValueError: The folder has no manifest, or a line of it has no text.
    """
    manifest = folder / "manifest.tsv"
    if not manifest.is_file():
        raise ValueError(f"A labelled folder must hold manifest.tsv. Received: {folder}.")
    truth_file = folder / "truth.json"
    truth = json.loads(truth_file.read_text(encoding="utf-8")) if truth_file.is_file() else {}
    pages = []
    for number, line in enumerate(manifest.read_text(encoding="utf-8").splitlines(), 1):
        name, tab, text = line.partition("\t")
        if not tab:
            raise ValueError(
                f"{manifest}: each line must be an image, a tab and its text. Received: line {number}."
            )
        about = truth.get(name, {})
        groups = {
            key: str(about[key]) for key in ("level", "style", "source", "direction", "ink") if key in about
        }
        pages.append(Labelled(folder / name, text.replace("\\n", "\n"), groups))
    return pages


def names_of(folders: Sequence[Path]) -> list[str]:
    """The names of labelled folders.

    Raises:
        ValueError: Two have the same one.
    """
    names = [folder.resolve().name for folder in folders]
    if len(set(names)) < len(names):
        raise ValueError(f"Labelled folders must have names of their own. Received: {', '.join(names)}.")
    return names


def read_sets(folders: Sequence[Path]) -> list[Labelled]:
    """Reads labelled folders; where there are several, the name of its folder is among the groups of a page.

    Raises:
        ValueError: A folder is not labelled, or two have the same name.
    """
    names = names_of(folders)
    return [
        dataclasses.replace(page, groups={"set": name, **page.groups}) if len(folders) > 1 else page
        for folder, name in zip(folders, names, strict=True)
        for page in read_labelled(folder)
    ]


def turned(pages: Sequence[Labelled], degrees: Sequence[float], folder: Path) -> list[Labelled]:
    """Pages turned anticlockwise on a ground of the colour of their edges, by each angle; of their groups the hand stays.

    Args:
        pages: What to turn.
        degrees: By which angles.
        folder: Where the pictures are written.

    Raises:
        ImageError: A picture cannot be read.
    """
    leaning = []
    for number, page in enumerate(pages):
        image = cv2.cvtColor(images.decode(page.path)[0], cv2.COLOR_RGB2BGR)
        height, width = image.shape[:2]
        ground = np.median(np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]]), axis=0).tolist()
        for angle in degrees:
            there, size = geometry.leaning(width, height, angle)
            path = folder / f"{number}_{angle:g}_{page.path.stem}.png"
            cv2.imwrite(str(path), cv2.warpAffine(image, there, size, borderValue=ground))
            groups = {"turned": f"{angle:g} degrees"} | {
                k: v for k, v in page.groups.items() if k == "source"
            }
            leaning.append(Labelled(path, page.text, groups))
    return leaning


def plain(text: str) -> str:
    """The text as errors are counted in it: NFKC, without white space."""
    return "".join(c for c in unicodedata.normalize("NFKC", text) if not c.isspace())


@dataclasses.dataclass
class Errors:
    """Edits between texts that were read and true ones, summed over pages."""

    pages: int = 0
    characters: int = 0
    edits: int = 0
    unread: int = 0

    def add(self, read: str | None, true: str) -> None:
        """Counts one page; None is a page that could not be read."""
        self.pages += 1
        self.characters += len(plain(true))
        self.edits += Levenshtein.distance(plain(read or ""), plain(true))
        self.unread += read is None

    @property
    def rate(self) -> float:
        """The character error rate: edits for each true character."""
        return self.edits / max(1, self.characters)


def evaluate(
    read: Callable[[Path], str],
    pages: list[Labelled],
    progress: Callable[[str], None] = lambda line: None,
    apart: Sequence[str] = (),
) -> dict[str, Errors]:
    """Reads all pages.

    Args:
        read: The text of a picture, which may raise `ImageError` or `LayoutError`.
        pages: What to read.
        progress: Is told of each page.
        apart: Sources of pages; all pages but theirs make groups too.

    Returns:
        The errors of all together, and of each group.
    """
    errors: dict[str, Errors] = defaultdict(Errors)
    for page in pages:
        try:
            text = read(page.path)
        except (ImageError, LayoutError) as error:
            progress(f"{page.path.name}: {error}")
            text = None
        for group in _groups(page, apart):
            errors[group].add(text, page.text)
        own = Errors()
        own.add(text, page.text)
        progress(f"{page.path.name}: character error rate {own.rate:.4f}")
    return dict(errors)


def _groups(page: Labelled, apart: Sequence[str]) -> Iterator[str]:
    yield "all"
    if apart and page.groups.get("source") not in apart:
        others = f"all but {', '.join(apart)}"
        yield others
        yield from (
            f"{key} {page.groups[key]}, {others}" for key in ("level", "turned") if key in page.groups
        )
    for key, value in page.groups.items():
        yield f"{key} {value}"
    if {"level", "source"} <= page.groups.keys():
        yield f"level {page.groups['level']}, source {page.groups['source']}"


def table(figures: dict[str, dict[str, Errors]]) -> str:
    """The errors as a table in Markdown.

    Args:
        figures: For some of `COLUMNS`, or for a peer by its name, the errors as of `evaluate`.
    """
    titles = [COLUMNS[name].title if name in COLUMNS else name for name in figures]
    head = ["pages", "number", "characters", *titles, "unread"]
    lines = [f"| {' | '.join(head)} |", f"|---{'|---:' * (len(head) - 1)}|"]
    for group, errors in sorted(next(iter(figures.values())).items()):
        rates = " | ".join(f"{column[group].rate:.4f}" for column in figures.values())
        lines.append(f"| {group} | {errors.pages} | {errors.characters:,} | {rates} | {errors.unread} |")
    return "\n".join(lines)


def _text_of(reader: Reader, layout: str) -> Callable[[Path], str]:
    return lambda path: reader.read(path, layout).text


def _line_of(peer: peers.PeerReader) -> Callable[[Path], str]:
    return lambda path: peer.read_line(images.decode(path)[0])


def _figures(options: argparse.Namespace, pages: list[Labelled]) -> dict[str, dict[str, Errors]]:
    """The errors in each way that the command line asks for."""
    others = {peer.name: peers.PeerReader(peer) for peer in peers.PEERS if options.peers}
    figures = {}
    for name, column in COLUMNS.items():
        if column.style in (None, *options.styles):
            print(f"{column.title}:")
            reader = Reader(context=column.context, style=column.style)
            figures[name] = evaluate(_text_of(reader, options.layout), pages, print, options.apart)
    for name, other in others.items():
        print(f"{name}:")
        figures[name] = evaluate(_line_of(other), pages, print, options.apart)
    return figures


def main() -> None:
    """Prints the table; `--json FILE` writes the figures as well."""
    parser = argparse.ArgumentParser(prog="python -m serving.evaluate", description=__doc__)
    parser.add_argument("folders", type=Path, metavar="FOLDER", nargs="+")
    parser.add_argument("--layout", default="auto", choices=LAYOUTS)
    parser.add_argument(
        "--styles",
        nargs="+",
        default=[],
        choices=STYLES,
        help="read lines in these styles too, one for all lines",
    )
    parser.add_argument(
        "--peers",
        action="store_true",
        help="read lines with the recognisers of PP-OCR too; with --layout line, needs the extra `compare`",
    )
    parser.add_argument(
        "--apart",
        nargs="+",
        default=[],
        metavar="SOURCE",
        help="tell the rates of all pages but those of a hand too",
    )
    parser.add_argument(
        "--turned",
        nargs="+",
        default=[],
        type=float,
        metavar="DEGREES",
        help="read the pages turned anticlockwise, by each of these angles",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to FILE")
    options = parser.parse_args()
    if options.peers and options.layout != "line":
        parser.error("--peers reads pictures of single lines: give --layout line as well")
    try:
        with tempfile.TemporaryDirectory() as folder:
            pages = read_sets(options.folders)
            if options.turned:
                pages = turned(pages, options.turned, Path(folder))
            figures = _figures(options, pages)
    except ValueError as error:
        parser.exit(1, f"hanzoo: {error}\n")
    print(f"\n{table(figures)}")
    if options.json is not None:
        content: dict[str, Any] = {
            name: {group: dataclasses.asdict(one) for group, one in sorted(errors.items())}
            for name, errors in figures.items()
        }
        content["models"] = standing.files()
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
