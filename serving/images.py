"""Turns a path, bytes or an array into pixels: the one place that decodes images.

PNG, JPEG, TIFF (every page), WebP and BMP. The container of each file is walked here first, in
plain Python and without decoding a pixel: that is where the caps hold, where a file that ends
early is found, and where a clear error costs milliseconds instead of gigabytes. Pillow then sees
only a file that was written anew from the parts that hold pixels. It meets no text chunk, colour
profile, EXIF, second frame or unknown tag, and so has no reason to warn: warning filters and the
settings of Pillow belong to the whole process, and other threads rely on them.
"""

import dataclasses
import enum
import io
import os
import re
import stat
import struct
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import NoReturn

import numpy as np
from PIL import (
    BmpImagePlugin,
    Image,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

MAX_BYTES = 20_000_000
"""The largest file."""

MAX_SIDE = 12_000
"""The longest side of a page, in pixels."""

MAX_PIXELS = 40_000_000
"""The most pixels of one page: 120 MB as RGB, and 160 MB more (WebP: 640 MB) while it is decoded."""

MAX_PAGES = 20
"""The most pages of one file."""

MAX_TOTAL_PIXELS = 100_000_000
"""The most pixels of all pages of a file together, because all of them are returned at once:
300 MB as RGB, which is eleven sheets of A4 at 300 dots per inch or twenty at 220."""

# No real file comes near these; they bound the time that a crafted one can take.
_MAX_PARTS = 10_000  # chunks of a PNG or WebP, segments of a JPEG
_MAX_TAGS = 1_000  # of one page of a TIFF
_MAX_VALUES = 200_000  # of one tag: the tiles of 16 x 16 pixels of the largest page
_MAX_SCANS = 64  # of a progressive JPEG; each costs a pass over the whole page

_FORMATS = "PNG, JPEG, TIFF, WebP or BMP"


class ImageError(ValueError):
    """An image that cannot be read. The message is one line: which image, what is wrong, what to do."""


def decode(source: str | os.PathLike[str] | bytes | bytearray | memoryview | np.ndarray) -> list[np.ndarray]:
    """Reads the pages of an image.

    The content decides what a file is, whatever its name says. EXIF orientation is applied, so
    that the page stands as a person sees it; transparency lies on white paper; 16 bits are cut to
    8. An animated PNG or WebP is read by its first frame (of an animated PNG the still picture
    that every viewer can show), a JPEG that holds several pictures by its first. A TIFF gives all
    of its pages, without the reduced copies and masks that some programs store beside them.

    Args:
        source: A path; the bytes of a file; or pixels: uint8 (H, W) or (H, W, 1) grey,
            (H, W, 3) RGB, (H, W, 4) RGBA, which count as one page. Pixels that are already
            (H, W, 3) are returned as they are, not copied.

    Returns:
        One uint8 (H, W, 3) RGB array for each page.

    Raises:
        ImageError: The source is no readable image, is damaged anywhere (a TIFF with one broken
            page is not read at all), or is over a cap: 20 MB, 12,000 pixels a side, 40
            megapixels a page and 100 in all, 20 pages. The caps are checked before pixels are
            decoded.
    """
    name = "image"
    try:
        if isinstance(source, np.ndarray):
            return [_pixels_of_array(source)]
        if isinstance(source, bytes | bytearray | memoryview):
            _check_bytes(memoryview(source).nbytes)
            data = bytes(source)
        elif isinstance(source, str | os.PathLike):
            name = printable(os.fsdecode(source)) or name
            data = _read(os.fsdecode(source))
        else:
            raise ImageError(
                f"an image must be a path, bytes or a uint8 array. Received: {type(source).__name__}"
            )
        return _decode(data)
    except ImageError as error:
        raise ImageError(f"{name}: {error}") from error.__cause__


@dataclasses.dataclass(frozen=True)
class _Sheet:
    """One page, checked and ready to decode.

    Attributes:
        opener: The class of Pillow that reads it.
        width: Width in pixels, before the orientation is applied.
        height: Height in pixels.
        parts: The file that Pillow sees, in pieces, so that the pages of a TIFF share theirs.
        orientation: How it must be turned, 1 ... 8 as in EXIF.
        negative: Whether 0 stands for white.
    """

    opener: Callable[[io.BytesIO], ImageFile.ImageFile]
    width: int
    height: int
    parts: Sequence[bytes | memoryview]
    orientation: int = 1
    negative: bool = False


def _decode(data: bytes) -> list[np.ndarray]:
    kind, sheets = _walk(data)
    if sum(sheet.width * sheet.height for sheet in sheets) > MAX_TOTAL_PIXELS:
        raise ImageError(
            f"its {len(sheets)} pages have more than {MAX_TOTAL_PIXELS // 1_000_000} megapixels together; "
            "split it, or scale it down"
        )
    pages = []
    for number, sheet in enumerate(sheets, 1):
        try:
            pages.append(_pixels(sheet))
        # Pillow raises nearly everything on a damaged file: OSError, SyntaxError, ValueError,
        # struct.error, zlib.error, IndexError, KeyError, MemoryError ...
        except Exception as error:
            where = f" of page {number}" if len(sheets) > 1 else ""
            raise ImageError(
                f"the {kind} data{where} is damaged; nothing was read from it, save or copy it again"
            ) from error
    return pages


# ---------------------------------------------------------------------------------------- sources


def printable(name: str) -> str:
    """The name on one line, whatever characters the file system let it have."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
        for character in name
    )


def _check_bytes(size: int) -> None:
    if size > MAX_BYTES:
        raise ImageError(
            f"{size:,} bytes are too many (at most {MAX_BYTES // 1_000_000} MB); "
            "scale it down or compress it more"
        )
    if size == 0:
        raise ImageError("the file is empty; save or copy it again")


def _read(path: str) -> bytes:
    if not path:
        raise ImageError("the path is empty; name an image file")
    try:
        status = os.stat(path)
        if stat.S_ISDIR(status.st_mode):
            raise ImageError("this is a folder; name the image files in it")
        # Opening a pipe would wait for a writer, and a device may never end.
        if not stat.S_ISREG(status.st_mode):
            raise ImageError("this is a pipe or a device; name an image file")
        _check_bytes(status.st_size)
        with open(path, "rb") as file:
            data = file.read(status.st_size + 1)
    except FileNotFoundError:
        raise ImageError("there is no such file; check the path") from None
    except NotADirectoryError:
        raise ImageError("there is no such file, a part of its path is no folder; check the path") from None
    except PermissionError:
        raise ImageError("you may not read this file; ask its owner, or change its permissions") from None
    except OSError as error:
        reason = (error.strerror or "unknown error").lower()
        raise ImageError(f"the file cannot be read ({reason}); check the path and the disk") from error
    except ValueError as error:  # a path with a zero byte
        if isinstance(error, ImageError):
            raise
        raise ImageError("no file can have this name; check the path") from None
    _check_bytes(len(data))
    return data


def _pixels_of_array(array: np.ndarray) -> np.ndarray:
    shape = array.shape
    if array.dtype != np.uint8 or not (len(shape) == 2 or (len(shape) == 3 and shape[2] in (1, 3, 4))):
        raise ImageError(
            "an array must be uint8 of shape (H, W), (H, W, 1), (H, W, 3) RGB or (H, W, 4) RGBA. "
            f"Received: dtype={array.dtype}, shape={shape}"
        )
    _check_size(shape[1], shape[0])
    return np.ascontiguousarray(_rgb(np.asarray(array)))


# ----------------------------------------------------------------------------------------- pixels


_TURNS: Mapping[int, Callable[[np.ndarray], np.ndarray]] = {
    1: lambda page: page,
    2: lambda page: page[:, ::-1],
    3: lambda page: page[::-1, ::-1],
    4: lambda page: page[::-1],
    5: lambda page: page.transpose(1, 0, 2),
    6: lambda page: page.transpose(1, 0, 2)[:, ::-1],
    7: lambda page: page.transpose(1, 0, 2)[::-1, ::-1],
    8: lambda page: page.transpose(1, 0, 2)[::-1],
}


def _pixels(sheet: _Sheet) -> np.ndarray:
    page = np.empty((sheet.height, sheet.width, 3), np.uint8)
    with sheet.opener(io.BytesIO(b"".join(sheet.parts))) as image:
        if image.size != (sheet.width, sheet.height):
            raise ValueError(f"Pillow sees {image.size}, the container says {sheet.width} x {sheet.height}.")
        image.load()
        # In bands of about a megapixel, so that no intermediate copy is as large as the page.
        rows = max(1, 1_000_000 // sheet.width)
        for top in range(0, sheet.height, rows):
            bottom = min(top + rows, sheet.height)
            page[top:bottom] = _rgb(_samples(image.crop((0, top, sheet.width, bottom))))
    if sheet.negative:
        np.subtract(255, page, out=page)
    return np.ascontiguousarray(_TURNS[sheet.orientation](page))


def _samples(image: Image.Image) -> np.ndarray:
    """uint8 (H, W), (H, W, 3) RGB or (H, W, 4) RGBA of an image in any mode."""
    key = image.info.get("transparency")
    if image.mode.startswith("I"):
        deep = np.asarray(image)
        grey = (deep >> 8).astype(np.uint8)
        if key is None:
            return grey
        return np.dstack([grey, grey, grey, np.where(deep == key, 0, 255).astype(np.uint8)])
    if image.mode == "La":
        image = image.convert("LA")
    if key is not None or image.mode in ("RGBA", "LA", "PA"):
        return np.asarray(image.convert("RGBA"))
    return np.asarray(image.convert("L" if image.mode in ("1", "L") else "RGB"))


def _rgb(samples: np.ndarray) -> np.ndarray:
    """uint8 (H, W, 3) of uint8 (H, W), (H, W, 1), (H, W, 3) or (H, W, 4); alpha lies on white."""
    if samples.ndim == 2:
        samples = samples[:, :, np.newaxis]
    if samples.shape[2] == 4:
        alpha = samples[:, :, 3:].astype(np.uint16)
        # 255 * 255 + 127 still fits 16 bits, and the sum is rounded to the nearest.
        mixed = samples[:, :, :3] * alpha + (255 * (255 - alpha) + 127)
        return (mixed // 255).astype(np.uint8)
    return np.broadcast_to(samples, (*samples.shape[:2], 3))


# ------------------------------------------------------------------------------------- containers


def _walk(data: bytes) -> tuple[str, list[_Sheet]]:
    """The name of the format and the pages of a file, all of them checked."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG", [_png(data)]
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG", [_jpeg(data)]
    if data[:4] in (b"II*\0", b"MM\0*"):
        return "TIFF", _tiff(data)
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "WebP", [_webp(data)]
    # Two letters are little to go by: text may start with BM too.
    if data.startswith(b"BM") and (len(data) < 18 or data[15:18] == b"\0\0\0"):
        return "BMP", [_bmp(data)]
    for start in (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"II*\0", b"MM\0*", b"RIFF"):
        if start.startswith(data):
            _ends_early(data, len(start) + 1, exact=False)
    if not np.frombuffer(data, np.uint8).any():
        _damaged("the file holds nothing but zero bytes")
    raise ImageError(f"this is {_other(data)}")


# What people hand in instead, by how it starts.
_MARKUP = rb"(\xef\xbb\xbf)?\s*(<\?xml[^>]*>\s*)?(<!--.{0,400}?-->\s*)?"
_OTHERS = [
    (rb"GIF8[79]a", "a GIF"),
    (rb"%PDF", "a PDF document"),
    (rb".{4}ftyp(heic|heix|hevc|heim|heis|mif1|msf1)", "a HEIC photo"),
    (rb".{4}ftyp(avif|avis)", "an AVIF image"),
    (rb".{4}ftyp", "a video"),
    (rb"\xff\x0a|\0\0\0\x0cJXL ", "a JPEG XL image"),
    (rb"\xff\x4f\xff\x51|\0\0\0\x0cjP  ", "a JPEG 2000 image"),
    (rb"8BPS", "a Photoshop document"),
    (rb"II\+\0|MM\0\+", "a BigTIFF"),
    (rb"\0\0[\1\2]\0", "an icon"),
    (rb"%!PS|\xc5\xd0\xd3\xc6", "a PostScript document"),
    (rb"PK\x03\x04", "a ZIP archive or an office document"),
    (rb"P[1-6]\s", "a PNM image"),
    (_MARKUP + rb"<(!doctype )?svg", "an SVG drawing"),
    (_MARKUP + rb"<(!doctype )?html", "a web page"),
]


def _other(data: bytes) -> str:
    start = data[:1000]
    for pattern, name in _OTHERS:
        if re.match(pattern, start, re.DOTALL | re.IGNORECASE):
            return f"{name}, which hanzoo does not read; save it as {_FORMATS}"
    try:
        # A character may be cut in two at the end of the excerpt.
        text = start.decode("utf-8") if len(data) <= 1000 else start.decode("utf-8", "ignore")
    except UnicodeDecodeError:
        text = "\0"
    if all(character.isprintable() or character.isspace() for character in text) and "\0" not in text:
        return f"text, not an image; give the image itself, as {_FORMATS}"
    return f"no image that hanzoo knows (it starts with {start[:4].hex(' ')}); save it as {_FORMATS}"


def _ends_early(data: bytes, expected: int, exact: bool = True) -> NoReturn:
    at_least = "" if exact else "at least "
    raise ImageError(
        f"the file ends early ({len(data):,} of {at_least}{expected:,} bytes); nothing was read from it"
    )


def _damaged(what: str) -> NoReturn:
    raise ImageError(f"{what}; nothing was read from it, save or copy it again")


def _unsupported(what: str, instead: str) -> NoReturn:
    raise ImageError(f"{what} is not supported; save it as {instead}")


def _require(data: bytes, end: int) -> None:
    """Raises unless the file has at least `end` bytes."""
    if end > len(data):
        _ends_early(data, end, exact=False)


def _check_size(width: int, height: int) -> None:
    if width <= 0 or height <= 0:
        raise ImageError(f"a size of {width:,} x {height:,} pixels holds no image; save it again")
    if max(width, height) > MAX_SIDE or width * height > MAX_PIXELS:
        raise ImageError(
            f"{width:,} x {height:,} pixels are too many (at most {MAX_SIDE:,} a side and "
            f"{MAX_PIXELS // 1_000_000} megapixels); scale it down"
        )


def _check_parts(number: int) -> None:
    if number > _MAX_PARTS:
        _damaged(f"the file consists of more than {_MAX_PARTS:,} parts")


# -------------------------------------------------------------------------------------------- PNG

_DEFLATE_RATIO = 1032  # No stream of zlib grows more: 258 bytes come of two bits.
_PNG_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}


def _png(data: bytes) -> _Sheet:
    """PNG specification, https://www.w3.org/TR/png-3/: length, name, content, checksum."""
    view = memoryview(data)
    parts: list[bytes | memoryview] = [view[:8]]
    seen: set[bytes] = set()
    width = height = depth = colour = 0
    orientation = 1
    position = 8
    number = 0
    while True:
        number += 1
        _check_parts(number)
        _require(data, position + 12)
        length, name = struct.unpack_from(">I4s", data, position)
        if length > 0x7FFF_FFFF or not name.isalpha() or not name.isascii():
            _damaged(f"the PNG is damaged at byte {position:,}")
        if number == 1:
            if name != b"IHDR" or length != 13:
                _damaged("the PNG has no header")
            _require(data, position + 25)
            width, height, depth, colour = struct.unpack_from(">IIBB", data, position + 8)
            _check_size(width, height)
            if depth not in _PNG_DEPTHS.get(colour, ()):
                _damaged(f"the PNG header gives {depth} bits of colour type {colour}, which do not exist")
        end = position + 12 + length
        _require(data, end)
        content = view[position + 8 : end - 4]
        first = name not in seen
        # The rest is text, profiles and further frames, which the pixels do not need.
        if name in (b"IHDR", b"IDAT", b"IEND") or (name in (b"PLTE", b"tRNS") and b"IDAT" not in seen):
            if zlib.crc32(view[position + 4 : end - 4]) != struct.unpack_from(">I", data, end - 4)[0]:
                _damaged(f"the PNG is damaged at byte {position:,}: the checksum of {name.decode()} is wrong")
            if first or name == b"IDAT":
                if name == b"tRNS" and colour == 2 and depth == 16 and length >= 6:
                    # Pillow compares this colour with pixels that it has cut to 8 bits.
                    parts.append(_png_chunk(name, bytes([0, content[0], 0, content[2], 0, content[4]])))
                else:
                    parts.append(view[position:end])
        elif name == b"eXIf" and first:
            orientation = _orientation(bytes(content))
        seen.add(name)
        if name == b"IEND":
            break
        position = end
    if b"IDAT" not in seen:
        _damaged("the PNG holds no pixels")
    if colour == 3 and b"PLTE" not in seen:
        _damaged("the PNG has no palette")
    if width * height * depth // 8 > _DEFLATE_RATIO * len(data):
        _damaged(f"the PNG is too short for {width:,} x {height:,} pixels")
    return _Sheet(PngImagePlugin.PngImageFile, width, height, parts, orientation)


def _png_chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


# ------------------------------------------------------------------------------------------- JPEG

_JPEG_FRAMES = frozenset({0xC0, 0xC1, 0xC2, 0xC9, 0xCA})
_JPEG_NEEDED = frozenset({0xC4, 0xCC, 0xDA, 0xDB, 0xDD}) | _JPEG_FRAMES  # tables, scans, restarts
_JPEG_COLOURS = {0xE0: b"JFIF\0", 0xEE: b"Adobe"}
_JPEG_OTHER_FRAMES = frozenset({0xC3, 0xC5, 0xC6, 0xC7, 0xCB, 0xCD, 0xCE, 0xCF})


def _jpeg(data: bytes) -> _Sheet:
    """ITU-T T.81, appendix B: segments up to a scan, the scan up to its next marker."""
    view = memoryview(data)
    parts: list[bytes | memoryview] = [view[:2]]
    width = height = 0
    orientation = 1
    scans = 0
    position = 2
    number = 0
    while True:
        number += 1
        _check_parts(number)
        # Some cameras leave a few bytes between segments; every decoder skips them.
        start = _jpeg_marker(data, position)
        code = data[start + 1]
        if code == 0xD9:
            if not scans:
                _damaged("the JPEG holds no pixels")
            parts.append(b"\xff\xd9")
            break
        if code in (0x01, 0xD8):
            _damaged(f"the JPEG is damaged at byte {start:,}")
        _require(data, start + 4)
        end = start + 2 + int.from_bytes(data[start + 2 : start + 4], "big")
        if end < start + 4:
            _damaged(f"the JPEG is damaged at byte {start:,}")
        _require(data, end)
        content = view[start + 4 : end]
        # JFIF and Adobe say which colours the channels are.
        keep = code in _JPEG_NEEDED or content[:5] == _JPEG_COLOURS.get(code)
        if code in _JPEG_OTHER_FRAMES:
            _unsupported("this JPEG is lossless or hierarchical, which", "an ordinary JPEG or PNG")
        elif code in _JPEG_FRAMES:
            if width or len(content) < 6:
                _damaged("the JPEG has a damaged header")
            bits, height, width, components = struct.unpack_from(">BHHB", content)
            _check_size(width, height)
            if bits != 8 or components not in (1, 3, 4):
                _unsupported(f"a JPEG of {components} channels of {bits} bits", "an ordinary JPEG or PNG")
        elif code == 0xDA:
            scans += 1
            if not width:
                _damaged("the JPEG has no header")
            if scans > _MAX_SCANS:
                _damaged(f"the JPEG has more than {_MAX_SCANS} scans")
            end = _jpeg_marker(data, end)
        elif code == 0xE1 and orientation == 1 and content[:6] == b"Exif\0\0":
            orientation = _orientation(bytes(content[6:]))
        if keep:
            parts.append(view[start:end])
        position = end
    return _Sheet(JpegImagePlugin.JpegImageFile, width, height, parts, orientation)


def _jpeg_marker(data: bytes, position: int) -> int:
    """Where the next marker starts, at `position` or later."""
    everything = np.frombuffer(data, np.uint8)
    block = 256
    while position + 1 < len(data):
        part = everything[position : position + block]
        code = part[1:]
        # 0xFF is followed by 0 in the data of a scan, by itself where it fills, and by 0xD0 ... 0xD7
        # where a scan restarts.
        found = (part[:-1] == 0xFF) & (code != 0) & (code != 0xFF) & (code & 0xF8 != 0xD0)
        first = int(found.argmax())
        if found[first]:
            return position + first
        position += len(part) - 1
        # The next marker is mostly near, but behind a scan it may be megabytes away.
        block = min(4 * block, 1 << 20)
    raise ImageError(
        f"the file ends early (after {len(data):,} bytes, without its end mark); nothing was read from it"
    )


# ------------------------------------------------------------------------------------------- WebP


def _webp(data: bytes) -> _Sheet:
    """https://developers.google.com/speed/webp/docs/riff_container."""
    _require(data, 30)
    total = 8 + int.from_bytes(data[4:8], "little")
    if total > len(data):
        _ends_early(data, total)
    name = data[12:16]
    if name == b"VP8X":
        width = int.from_bytes(data[24:27], "little") + 1
        height = int.from_bytes(data[27:30], "little") + 1
    elif name == b"VP8 " and data[23:26] == b"\x9d\x01\x2a":
        width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", data, 26))
    elif name == b"VP8L" and data[20] == 0x2F:
        bits = int.from_bytes(data[21:25], "little")
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    else:
        _damaged("the WebP has a damaged header")
    _check_size(width, height)
    orientation = 1
    position = 12
    number = 0
    while position + 8 <= total:
        number += 1
        _check_parts(number)
        name, length = struct.unpack_from("<4sI", data, position)
        end = position + 8 + length
        if end > total:
            _damaged(f"the WebP is damaged at byte {position:,}")
        if name == b"EXIF" and orientation == 1:
            content = data[position + 8 : end]
            orientation = _orientation(content.removeprefix(b"Exif\0\0"))
        position = end + length % 2
    view = memoryview(data)[:total]
    return _Sheet(WebPImagePlugin.WebPImageFile, width, height, [view], orientation)


# -------------------------------------------------------------------------------------------- BMP


def _bmp(data: bytes) -> _Sheet:
    """The headers of OS/2 1.x (12 bytes) and of Windows 3 and later (40 ... 124 bytes)."""
    _require(data, 26)
    (offset,) = struct.unpack_from("<I", data, 10)
    (header,) = struct.unpack_from("<I", data, 14)
    compression = 0
    if header == 12:
        width, height, _, bits = struct.unpack_from("<HHHH", data, 18)
    elif header in (40, 52, 56, 64, 108, 124):
        _require(data, 14 + header)
        width, height, _, bits, compression = struct.unpack_from("<iiHHI", data, 18)
        height = abs(height)
    else:
        _damaged("the BMP has a damaged header")
    _check_size(width, height)
    if bits not in (1, 4, 8, 16, 24, 32):
        _unsupported(f"a BMP of {bits} bits a pixel", "PNG, or as BMP of 24 bits")
    # Pillow unpacks run lengths in Python, byte by byte: seconds for a page.
    if compression not in (0, 3):
        _unsupported("a compressed BMP", "PNG, or as BMP without compression")
    expected = offset + (width * bits + 31) // 32 * 4 * height
    if expected > len(data):
        _ends_early(data, expected)
    if offset < 14 + header:
        _damaged("the BMP has a damaged header")
    return _Sheet(BmpImagePlugin.BmpImageFile, width, height, [data])


# ------------------------------------------------------------------------------------------- TIFF


class _Tag(enum.IntEnum):
    """The tags of TIFF that pixels need, by the names of its specification."""

    NEW_SUBFILE_TYPE = 254
    IMAGE_WIDTH = 256
    IMAGE_LENGTH = 257
    BITS_PER_SAMPLE = 258
    COMPRESSION = 259
    PHOTOMETRIC = 262
    FILL_ORDER = 266
    STRIP_OFFSETS = 273
    ORIENTATION = 274
    SAMPLES_PER_PIXEL = 277
    ROWS_PER_STRIP = 278
    STRIP_BYTE_COUNTS = 279
    PLANAR_CONFIGURATION = 284
    T4_OPTIONS = 292
    T6_OPTIONS = 293
    PREDICTOR = 317
    COLOR_MAP = 320
    TILE_WIDTH = 322
    TILE_LENGTH = 323
    TILE_OFFSETS = 324
    TILE_BYTE_COUNTS = 325
    EXTRA_SAMPLES = 338
    SAMPLE_FORMAT = 339
    JPEG_TABLES = 347
    YCBCR_SUBSAMPLING = 530


_TAGS = frozenset(_Tag)
_TIFF_TYPES = {1: "B", 3: "H", 4: "I", 7: "B", 13: "I"}
# None, CCITT run lengths, groups 3 and 4, LZW, JPEG, Deflate, PackBits, Deflate by its older number.
_TIFF_COMPRESSIONS = frozenset([1, 2, 3, 4, 5, 7, 8, 32773, 32946])

# Positions and lengths may need 32 bits.
_TIFF_LONG = frozenset([_Tag.STRIP_OFFSETS, _Tag.STRIP_BYTE_COUNTS, _Tag.TILE_OFFSETS, _Tag.TILE_BYTE_COUNTS])
# What a decoder may need and nothing here depends on.
_TIFF_OPTIONS = (
    _Tag.FILL_ORDER,
    _Tag.T4_OPTIONS,
    _Tag.T6_OPTIONS,
    _Tag.PREDICTOR,
    _Tag.EXTRA_SAMPLES,
    _Tag.JPEG_TABLES,
    _Tag.YCBCR_SUBSAMPLING,
)

_Tags = dict[int, tuple[int, ...]]


def _tiff(data: bytes) -> list[_Sheet]:
    """TIFF 6.0: a chain of directories, one a page."""
    order = "<" if data.startswith(b"II") else ">"
    _require(data, 8)
    (offset,) = struct.unpack_from(order + "I", data, 4)
    sheets = []
    seen: set[int] = set()
    while offset:
        if offset in seen:
            _damaged("the pages of the TIFF form a loop")
        if len(seen) == MAX_PAGES:
            raise ImageError(f"it has more than {MAX_PAGES} pages; split it")
        seen.add(offset)
        try:
            tags, offset = _directory(data, order, offset)
            # Bit 0 marks a reduced copy of another page, bit 2 a mask.
            if not tags.get(_Tag.NEW_SUBFILE_TYPE, (0,))[0] & 0b101:
                sheets.append(_tiff_page(data, order, tags))
        except ImageError as error:
            if len(seen) == 1:
                raise
            raise ImageError(f"page {len(seen)}: {error}") from None
    if not sheets:
        _damaged("the TIFF holds no page")
    return sheets


def _directory(data: bytes, order: str, offset: int) -> tuple[_Tags, int]:
    """The known tags of one directory, and where the next one is (0: nowhere)."""
    _require(data, offset + 2)
    (count,) = struct.unpack_from(order + "H", data, offset)
    if not 0 < count <= _MAX_TAGS:
        _damaged(f"the TIFF is damaged at byte {offset:,}: a page with {count:,} tags")
    end = offset + 2 + 12 * count
    _require(data, end + 4)
    tags: _Tags = {}
    for position in range(offset + 2, end, 12):
        tag, kind, length = struct.unpack_from(order + "HHI", data, position)
        if tag not in _TAGS or tag in tags:
            continue
        if kind not in _TIFF_TYPES or not 0 < length <= _MAX_VALUES:
            _damaged(f"the TIFF is damaged: {_Tag(tag).name} has {length:,} values of type {kind}")
        code = f"{order}{length}{_TIFF_TYPES[kind]}"
        size = struct.calcsize(code)
        where = position + 8
        if size > 4:
            (where,) = struct.unpack_from(order + "I", data, where)
            _require(data, where + size)
        tags[tag] = struct.unpack_from(code, data, where)
    return tags, struct.unpack_from(order + "I", data, end)[0]


def _tiff_page(data: bytes, order: str, tags: _Tags) -> _Sheet:
    def one(tag: int, default: int) -> int:
        return tags.get(tag, (default,))[0]

    width, height = one(_Tag.IMAGE_WIDTH, 0), one(_Tag.IMAGE_LENGTH, 0)
    _check_size(width, height)
    compression = one(_Tag.COMPRESSION, 1)
    if compression not in _TIFF_COMPRESSIONS:
        _unsupported(f"TIFF compression {compression}", "TIFF with LZW or Deflate, or as PNG")
    samples, planes = one(_Tag.SAMPLES_PER_PIXEL, 1), one(_Tag.PLANAR_CONFIGURATION, 1)
    photometric = one(_Tag.PHOTOMETRIC, 2 if samples >= 3 else 0)
    bits = tags.get(_Tag.BITS_PER_SAMPLE, (1,))
    if len(bits) == 1:
        bits *= min(samples, 7)
    if (
        not 1 <= samples <= 6
        or len(bits) != samples
        or len(set(bits)) > 1
        or bits[0] not in (1, 2, 4, 8, 16)
        or set(tags.get(_Tag.SAMPLE_FORMAT, (1,))) != {1}
        or photometric not in (0, 1, 2, 3, 5, 6)
        or (photometric == 6 and compression != 7)
        or (planes == 2 and bits[0] != 8)
        or planes not in (1, 2)
    ):
        _unsupported(
            f"a TIFF of {samples} channels of {bits[0] if bits else 1} bits, colours of kind {photometric},",
            "TIFF with 8-bit grey or RGB, or as PNG",
        )
    # Pillow does not turn round 16-bit scans that count from white to black.
    negative = photometric == 0 and bits[0] == 16
    page = {
        _Tag.IMAGE_WIDTH: (width,),
        _Tag.IMAGE_LENGTH: (height,),
        _Tag.BITS_PER_SAMPLE: bits,
        _Tag.COMPRESSION: (compression,),
        _Tag.PHOTOMETRIC: (1 if negative else photometric,),
        _Tag.SAMPLES_PER_PIXEL: (samples,),
        _Tag.PLANAR_CONFIGURATION: (planes,),
        **_tiff_pieces(data, tags, width, height, compression, sum(bits), samples if planes == 2 else 1),
    }
    for tag in _TIFF_OPTIONS:
        if tag in tags:
            if max(tags[tag]) > (0xFF if tag == _Tag.JPEG_TABLES else 0xFFFF):
                _damaged(f"the TIFF is damaged: a value of {tag.name} is too large")
            page[tag] = tags[tag]
    if photometric == 3:
        page[_Tag.COLOR_MAP] = tags.get(_Tag.COLOR_MAP, ())
        if len(page[_Tag.COLOR_MAP]) != 3 << bits[0]:
            _damaged("the TIFF has no palette")
    orientation = one(_Tag.ORIENTATION, 1)
    padding = b"\0" * (len(data) % 2)  # a directory stands at an even byte
    at = len(data) + len(padding)
    return _Sheet(
        TiffImagePlugin.TiffImageFile,
        width,
        height,
        [
            struct.pack(order + "2sHI", data[:2], 42, at),
            memoryview(data)[8:],
            padding,
            _written(page, order, at),
        ],
        orientation if orientation in _TURNS else 1,
        negative,
    )


def _tiff_pieces(
    data: bytes, tags: _Tags, width: int, height: int, compression: int, bits: int, planes: int
) -> _Tags:
    """The tags that say where the strips or tiles of a page lie, checked and completed."""
    if _Tag.TILE_WIDTH in tags:
        across, down = tags[_Tag.TILE_WIDTH][0], tags.get(_Tag.TILE_LENGTH, (0,))[0]
        _check_size(across, down)
        offsets = tags.get(_Tag.TILE_OFFSETS, tags.get(_Tag.STRIP_OFFSETS, ()))
        lengths = tags.get(_Tag.TILE_BYTE_COUNTS, tags.get(_Tag.STRIP_BYTE_COUNTS, ()))
        number = -(-width // across) * -(-height // down) * planes
        names = (_Tag.TILE_OFFSETS, _Tag.TILE_BYTE_COUNTS)
        layout: _Tags = {_Tag.TILE_WIDTH: (across,), _Tag.TILE_LENGTH: (down,)}
    else:
        across, down = width, min(max(tags.get(_Tag.ROWS_PER_STRIP, (height,))[0], 1), height)
        offsets, lengths = tags.get(_Tag.STRIP_OFFSETS, ()), tags.get(_Tag.STRIP_BYTE_COUNTS, ())
        number = -(-height // down) * planes
        names = (_Tag.STRIP_OFFSETS, _Tag.STRIP_BYTE_COUNTS)
        layout = {_Tag.ROWS_PER_STRIP: (down,)}
    if len(offsets) < number:
        _damaged(f"the TIFF lists {len(offsets):,} of the {number:,} pieces of a page")
    offsets = offsets[:number]
    if compression == 1:
        # What the pixels take counts, because writers have got the lengths wrong. The last piece of
        # each plane may hold fewer rows.
        row = -(-across * bits // planes // 8)
        rows = [down] * (number // planes)
        if _Tag.TILE_WIDTH not in tags:
            rows[-1] = height - (len(rows) - 1) * down
        lengths = tuple(row * count for count in rows) * planes
    elif not lengths and number == 1:
        lengths = (len(data) - offsets[0],)
    if len(lengths) < number:
        _damaged(f"the TIFF gives the lengths of {len(lengths):,} of the {number:,} pieces of a page")
    lengths = lengths[:number]
    expected = max(offset + length for offset, length in zip(offsets, lengths, strict=True))
    if expected > len(data):
        _ends_early(data, expected)
    if min(lengths) <= 0 or min(offsets) < 8:
        _damaged("the TIFF lists an empty piece of a page")
    # Each piece is read whole: pieces that lie over one another multiply the work.
    if sum(lengths) > len(data):
        _damaged("the pieces of a page of the TIFF overlap")
    return {**layout, names[0]: offsets, names[1]: lengths}


def _written(tags: _Tags, order: str, offset: int) -> bytes:
    """One directory of a TIFF and its values, to stand at `offset` with no other after it."""
    entries = [struct.pack(order + "H", len(tags))]
    values = b""
    after = offset + 2 + 12 * len(tags) + 4
    for tag in sorted(tags):
        kind = 7 if tag == _Tag.JPEG_TABLES else 4 if tag in _TIFF_LONG else 3
        content = struct.pack(f"{order}{len(tags[tag])}{_TIFF_TYPES[kind]}", *tags[tag])
        entries.append(struct.pack(order + "HHI", tag, kind, len(tags[tag])))
        if len(content) <= 4:
            entries.append(content.ljust(4, b"\0"))
        else:
            entries.append(struct.pack(order + "I", after + len(values)))
            values += content + b"\0" * (len(content) % 2)
    return b"".join([*entries, b"\0\0\0\0", values])


def _orientation(exif: bytes) -> int:
    """How to turn the page, 1 ... 8; damaged EXIF is no reason to refuse a page, and gives 1."""
    if exif[:4] not in (b"II*\0", b"MM\0*") or len(exif) < 8:
        return 1
    order = "<" if exif.startswith(b"II") else ">"
    (offset,) = struct.unpack_from(order + "I", exif, 4)
    try:
        tags, _ = _directory(exif, order, offset)
    except ImageError:
        return 1
    orientation = tags.get(_Tag.ORIENTATION, (1,))[0]
    return orientation if orientation in _TURNS else 1
