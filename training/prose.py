"""Takes the prose out of handbooks and translated programs: `python -m training.prose FILE_OR_FOLDER... > TEXT`.

Laws and poems are not what people write. Manuals and messages that were translated into Traditional Chinese are text of
today with a free licence, so that n-grams may be counted in them too.
"""

import argparse
import re
import struct
import sys
from collections.abc import Iterable, Iterator
from html.parser import HTMLParser
from pathlib import Path

from zoo import charset, kinds

_LEAST = 6  # Characters of a passage.
_CHINESE = "".join(one for one in charset.CHARACTERS if one and kinds.kind(one) == "Chinese")
# Names and code, and dots, which end menus.
_OTHER = re.compile(f"[^{_CHINESE}，。、；：？！「」『』（）《》〈〉]+")
_INLINE = {"a", "abbr", "acronym", "b", "bdi", "em", "i", "kbd", "small", "span", "strong", "sub", "sup", "u"}
_NO_PROSE = {"code", "pre", "script", "style"}
_LITTLE_ENDIAN, _BIG_ENDIAN = b"\xde\x12\x04\x95", b"\x95\x04\x12\xde"


class _Blocks(HTMLParser):
    """The text of the blocks of a page, such as paragraphs and cells of tables, in their order."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = [""]
        self._outside = 0  # How many elements without prose are open.

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._outside += tag in _NO_PROSE
        self._border(tag)

    def handle_endtag(self, tag: str) -> None:
        self._outside -= tag in _NO_PROSE and self._outside > 0
        self._border(tag)

    def handle_data(self, data: str) -> None:
        if not self._outside:
            self.blocks[-1] += data

    def _border(self, tag: str) -> None:
        if tag not in _INLINE | _NO_PROSE:
            self.blocks.append("")


def of_page(page: str) -> list[str]:
    """The text of the blocks of an HTML page."""
    parser = _Blocks()
    parser.feed(page)
    parser.close()
    return parser.blocks


def of_catalog(catalog: bytes) -> list[str]:
    """The translated messages of a catalog (`.mo` of GNU gettext), line by line.

    Raises:
        ValueError: It is no catalog, or is cut off.
    """
    order = {_LITTLE_ENDIAN: "<", _BIG_ENDIAN: ">"}.get(catalog[:4])
    try:
        if order is None:
            raise ValueError("it does not begin as one")
        count, _, start = struct.unpack_from(f"{order}3I", catalog, 8)
        places = struct.iter_unpack(f"{order}2I", catalog[start : start + 8 * count])
        messages = [catalog[offset : offset + length].decode() for length, offset in places]
    except (struct.error, ValueError) as error:
        raise ValueError(f"is no catalog of messages ({error}).") from error
    return [line for message in messages for line in re.split(r"[\n\0]+|<[^>]*>", message)]


_READERS = {".html": lambda content: of_page(content.decode()), ".mo": of_catalog}


def prose(texts: Iterable[str]) -> Iterator[str]:
    """What is Chinese in texts, parted where other writing stands, without blanks, each passage once.

    Marks are those of Chinese; what is written with the keys of an English keyboard becomes such.
    """
    seen = set()
    for text in texts:
        for passage in _OTHER.split("".join(text.split()).translate(charset.FULL_WIDTH)):
            if len(passage) >= _LEAST and passage not in seen:
                seen.add(passage)
                yield passage


def read(paths: Iterable[Path]) -> Iterator[str]:
    """All texts of pages (`*.html`) and catalogs (`*.mo`), in files or anywhere in folders.

    Raises:
        OSError: A file cannot be read.
        ValueError: A file is not what its name tells.
    """
    for path in paths:
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.suffix in _READERS and file.is_file():
                try:
                    yield from _READERS[file.suffix](file.read_bytes())
                except ValueError as error:
                    raise ValueError(f"{file}: {error}") from error


def main() -> None:
    """Writes the prose of the files to standard output, one paragraph a line."""
    parser = argparse.ArgumentParser(prog="python -m training.prose", description=__doc__)
    parser.add_argument("paths", nargs="+", type=Path, metavar="FILE_OR_FOLDER")
    try:
        for line in prose(read(parser.parse_args().paths)):
            sys.stdout.write(line + "\n")
    except (OSError, ValueError) as error:
        parser.exit(1, f"{error}\n")


if __name__ == "__main__":
    main()
