"""Files of labelled pictures: folders, zip archives, and the `.gnt` files of CASIA; nothing is unpacked to disk."""

import bisect
import contextlib
import dataclasses
import functools
import io
import itertools
import os
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np

from training import sources

_PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")
KINDS = frozenset([".zip", ".gnt", *_PICTURES])
"""How the names of files of handwriting end; parts of a split archive end in a number besides."""

_PART = re.compile(r"(.+\.zip)\.(\d+)", re.IGNORECASE)  # a part of a split archive
_HEADER = struct.Struct("<I2sHH")  # of a .gnt record: size, tag, width, height

_LONGEST_SIDE = 2048  # of a .gnt record: at 300 dots an inch, a character as wide as a page
_LARGEST_PICTURE = 16 * 2**20  # bytes of an archived picture; those of AI.FREE have 300 x 300 pixels
_LARGEST_GNT = 2**30  # bytes of an archived .gnt file; those of CASIA hold some 4,000 records

# What `zipfile` raises on damaged or encrypted archives.
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    OSError,
    NotImplementedError,
    RuntimeError,
    UnicodeDecodeError,
)

Source = tuple[Path, ...]
"""A file, or the parts of a split one in their order."""


class _UnreadableError(Exception):
    """A picture cannot be read; the others can."""


@dataclasses.dataclass(frozen=True)
class Found:
    """A labelled picture that is not read yet.

    Attributes:
        where: Its file, and its place in it.
        label: The character.
        writer: The name of the writer, or "".
        read: Gives uint8 (height, width), dark ink on white. To be called before the next is found.
    """

    where: str
    label: str
    writer: str
    read: Callable[[], np.ndarray]


def readable(found: Iterable[Found], skipped: list[str]) -> Iterator[tuple[Found, np.ndarray]]:
    """What can be read of what was found, with its pixels; `skipped` takes a line for each of the others."""
    for one in found:
        try:
            image = one.read()
        except _UnreadableError as error:
            skipped.append(f"{one.where}: {error}")
        else:
            yield one, image


def files_of(path: Path) -> list[Source]:
    """The archives of a folder; else its `.gnt` files; else its pictures; or the file that `path` is.

    Raises:
        ValueError: There are none, a part of a split archive is missing, or pictures in folders of characters stand
            beside archives.
    """
    if path.is_dir():
        inside = (file for file in path.rglob("*") if not _hidden(file.relative_to(path).parts))
        files = sorted(file for file in inside if file.is_file())
    elif path.is_file():
        part = _PART.fullmatch(path.name)
        files = [file for file in sorted(path.parent.iterdir()) if part and file.name.startswith(part[1])]
        files = files or [path]
    else:
        raise ValueError(f"`path` must be a folder or file of handwriting. Received: {path}.")
    archives = _archives(files)
    pictures = [file for file in files if file.suffix.lower() in _PICTURES]
    archives = archives or [(file,) for file in files if file.suffix.lower() == ".gnt"]
    beside = [file for file in pictures if len(file.parent.name) == 1 and file.parent != path]
    if archives and beside:
        raise ValueError(
            f"{path}: holds pictures as {beside[0]} and {archives[0][0].name} beside them. Keep each in a folder of its own."
        )
    archives = archives or [(file,) for file in pictures]
    if not archives:
        raise ValueError(
            f"{path}: must hold zip archives, .gnt files, or pictures (CHARACTER/1.png or CHARACTER_1.png)."
        )
    return archives


def _archives(files: Iterable[Path]) -> list[Source]:
    """The zip archives among `files`, the parts of split ones joined."""
    whole = {file for file in files if file.suffix.lower() == ".zip"}
    split: dict[Path, dict[int, Path]] = {}
    for file in files:
        part = _PART.fullmatch(file.name)
        if part and file.with_name(part[1]) not in whole:
            split.setdefault(file.with_name(part[1]), {})[int(part[2])] = file
    for archive, parts in split.items():
        missing = sorted(set(range(1, max(parts))) - set(parts))
        if missing:
            raise ValueError(f"{archive}: all parts of a split archive are needed. Missing: {missing}.")
    joined = {archive: tuple(parts[number] for number in sorted(parts)) for archive, parts in split.items()}
    return [joined.get(archive, (archive,)) for archive in sorted(whole | set(joined))]


def _hidden(parts: Sequence[str]) -> bool:
    """Whether a path is what macOS and others leave behind."""
    return any(part.startswith(".") or part == "__MACOSX" for part in parts)


def find(files: Iterable[Source], skipped: list[str]) -> Iterator[Found]:
    """The labelled pictures of files, in their order; `skipped` takes a line for each without a label.

    Raises:
        ValueError: A file is damaged, or holds no pictures.
    """
    for parts in files:
        file = parts[0]
        kind = file.suffix.lower()
        if kind == ".gnt":
            with file.open("rb") as stream:
                yield from _records(stream, str(file), file.stem, skipped)
        elif kind in _PICTURES:
            yield from _labelled(str(file), file.parts, functools.partial(_picture, file), skipped)
        else:
            yield from _members(parts, skipped)


def _labelled(
    where: str, parts: Sequence[str], read: Callable[[], np.ndarray], skipped: list[str]
) -> Iterator[Found]:
    """A picture with the character that its folder or its name begins with, if there is one."""
    stem = parts[-1].rpartition(".")[0]
    folder = parts[-2] if len(parts) > 1 else ""
    label = folder if len(folder) == 1 else stem[:1]
    if len(folder) == 1 or stem[1:2] == "_":
        yield Found(where, label, "", read)
    else:
        skipped.append(f"{where}: its name must be CHARACTER/1.png or CHARACTER_1.png.")


def _picture(file: Any) -> np.ndarray:
    """Reads a picture, a path or an open file."""
    try:
        picture = sources.read_picture(file)
    except Exception as error:  # Pillow raises nearly everything on a damaged file.
        raise _UnreadableError(str(error)) from error
    return _inked(picture)


def _inked(picture: np.ndarray) -> np.ndarray:
    if picture.min() >= 250 or picture.min() == picture.max():
        raise _UnreadableError("it shows no ink.")
    return picture


class _Joined(io.RawIOBase):
    """The parts of a split file, read as one."""

    def __init__(self, parts: Sequence[Path]) -> None:
        self._files = [part.open("rb") for part in parts]
        self._ends = list(itertools.accumulate(part.stat().st_size for part in parts))
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._ends[-1]}[whence]
        if start + offset < 0:
            raise OSError(f"there is nothing at offset {start + offset:,}")
        self._position = start + offset
        return self._position

    def readinto(self, buffer: Any) -> int:
        index = bisect.bisect_right(self._ends, self._position)
        if index == len(self._ends):
            return 0
        file = self._files[index]
        file.seek(self._position - (self._ends[index - 1] if index else 0))
        count = file.readinto(memoryview(buffer)[: self._ends[index] - self._position])
        self._position += count
        return count

    def close(self) -> None:
        for file in self._files:
            file.close()
        super().close()


def _members(parts: Source, skipped: list[str]) -> Iterator[Found]:
    """The pictures and the records of `.gnt` files in a zip archive, read in memory."""
    file = parts[0]
    with contextlib.closing(io.BufferedReader(_Joined(parts))) as opened:
        try:
            archive = zipfile.ZipFile(opened)
        except _DAMAGE as error:
            size = sum(part.stat().st_size for part in parts)
            raise ValueError(
                f"{file}: must be a whole zip archive, with a directory before its end at offset {size:,}. "
                f"Received: {error}"
            ) from error
        with archive:
            empty = True
            for info in archive.infolist():
                name = _name_of(info)
                parts_of_name = name.split("/")
                kind = Path(name).suffix.lower()
                if info.is_dir() or _hidden(parts_of_name) or kind not in (".gnt", ".alz", *_PICTURES):
                    continue
                empty = False
                where = f"{file}: {name}"
                if kind == ".alz":
                    raise ValueError(
                        f"{where}: an ALZ archive must be unpacked first, and the folder of its .gnt files given."
                    )
                if kind == ".gnt":
                    with _opened(archive, info, where, _LARGEST_GNT) as stream:
                        yield from _records(stream, where, Path(name).stem, skipped)
                else:
                    read = functools.partial(_archived_picture, archive, info, where)
                    yield from _labelled(where, parts_of_name, read, skipped)
            if empty:
                raise ValueError(f"{file}: must hold pictures or .gnt files. Received: none.")


def _name_of(info: zipfile.ZipInfo) -> str:
    """The name of a member, which older tools write in Big5 without saying so."""
    if info.flag_bits & 0x800:  # UTF-8
        return info.orig_filename
    raw = info.orig_filename.encode("cp437")  # What `zipfile` takes the bytes for.
    for encoding in ("utf-8", "cp950", "big5hkscs"):
        with contextlib.suppress(UnicodeDecodeError):
            name = raw.decode(encoding)
            # Bytes of Big5 can be UTF-8 too, but only of such letters.
            if encoding != "utf-8" or not re.search("[\u0080-\u07ff]", name):
                return name
    return info.orig_filename


@contextlib.contextmanager
def _opened(archive: zipfile.ZipFile, info: zipfile.ZipInfo, where: str, largest: int) -> Iterator[IO[bytes]]:
    """Opens a member.

    Raises:
        ValueError: It is damaged, or larger than `largest` bytes.
    """
    if info.file_size > largest:
        raise ValueError(f"{where}: must have at most {largest:,} bytes. Received: {info.file_size:,}.")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError(f"{where}: must be stored or deflated. Received: method {info.compress_type}.")
    try:
        with archive.open(info) as stream:
            yield stream
    except _DAMAGE as error:
        raise ValueError(
            f"{where}: must be a whole member of the archive, at offset {info.header_offset:,}. "
            f"Received: {error}"
        ) from error


def _archived_picture(archive: zipfile.ZipFile, info: zipfile.ZipInfo, where: str) -> np.ndarray:
    with _opened(archive, info, where, _LARGEST_PICTURE) as stream:
        content = stream.read()
    return _picture(io.BytesIO(content))


def _records(stream: IO[bytes], where: str, writer: str, skipped: list[str]) -> Iterator[Found]:
    """The characters of a `.gnt` file.

    Each is a record of its size in bytes (uint32), the character in GB 2312 or GBK (2 bytes; ASCII
    and a zero), width and height (uint16 each), and as many grey pixels, 255 where there is no ink.
    All numbers are little-endian.
    """
    offset = 0
    while header := stream.read(_HEADER.size):
        if len(header) < _HEADER.size:
            raise ValueError(
                f"{where}: must hold whole records. Received: {len(header)} of the {_HEADER.size} bytes "
                f"of a header at offset {offset:,}."
            )
        size, tag, width, height = _HEADER.unpack(header)
        if not (1 <= width <= _LONGEST_SIDE and 1 <= height <= _LONGEST_SIDE):
            raise ValueError(
                f"{where}: the sides of a record must be 1 to {_LONGEST_SIDE:,} pixels. "
                f"Received: width={width}, height={height} at offset {offset:,}."
            )
        if size != _HEADER.size + width * height:
            raise ValueError(
                f"{where}: the size of a record of {width} x {height} pixels must be "
                f"{_HEADER.size + width * height:,} bytes. Received: {size:,} at offset {offset:,}."
            )
        body = stream.read(width * height)
        if len(body) < width * height:
            raise ValueError(
                f"{where}: must hold whole records. Received: {len(body):,} of the {width * height:,} pixels "
                f"of the record at offset {offset:,}."
            )
        here = f"{where}, offset {offset:,}"
        label = _character_of(tag)
        if label:
            yield Found(here, label, writer, functools.partial(_pixels, body, height, width))
        else:
            skipped.append(f"{here}: its tag 0x{tag.hex()} is no character of GBK.")
        offset += size
    if not offset:
        raise ValueError(f"{where}: must hold records of characters. Received: 0 bytes.")


def _pixels(body: bytes, height: int, width: int) -> np.ndarray:
    return _inked(np.frombuffer(body, np.uint8).reshape(height, width))


def _character_of(tag: bytes) -> str:
    """The character of a tag of two bytes, or "" if it is none."""
    try:
        text = tag.rstrip(b"\0").decode("gb18030")
    except UnicodeDecodeError:
        return ""
    return text if len(text) == 1 and text.isprintable() and not text.isspace() else ""
