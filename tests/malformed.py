"""Makes image files for the tests: malformed ones, and odd ones that are perfectly valid.

Everything is composed here, so that no binary file has to be kept. `python tests/malformed.py FOLDER`
writes all of them into a folder.
"""

import io
import random
import struct
import sys
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from PIL import Image

Cases = list[tuple[Path, str]]
"""Files, each with what is special about it."""

FORMATS = {"png": "PNG", "jpg": "JPEG", "tif": "TIFF", "webp": "WEBP", "bmp": "BMP"}
"""Extension -> the name that Pillow gives the format."""

MISSING = "missing.png"
"""A name in the folder of the malformed files at which there is no file."""


def page(width: int = 96, height: int = 64) -> np.ndarray:
    """uint8 (height, width, 3): a bright sheet whose four corners differ, with a few dark strokes."""
    noise = np.random.default_rng(7).integers(0, 8, (height, width, 3))
    sheet = 247 - noise
    sheet[height // 4 : height // 4 + 3, width // 8 : -width // 8] = 40
    sheet[height // 8 : -height // 8, width // 3 : width // 3 + 3] = 40
    sheet[: height // 8, : width // 8] = (200, 30, 30)
    sheet[: height // 8, -width // 8 :] = (30, 160, 30)
    sheet[-height // 8 :, : width // 8] = (30, 30, 200)
    return sheet.astype(np.uint8)


def encoded(image: Image.Image, form: str, **options: object) -> bytes:
    """The bytes of the image in one of the formats of Pillow."""
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def good(extension: str) -> bytes:
    """A good file of the format with this extension."""
    options: dict[str, dict[str, object]] = {"jpg": {"quality": 90}, "tif": {"compression": "tiff_lzw"}}
    return encoded(Image.fromarray(page()), FORMATS[extension], **options.get(extension, {}))


def png_chunk(name: bytes, content: bytes) -> bytes:
    """One chunk of a PNG with its length and checksum."""
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png(width: int, height: int, *chunks: bytes, depth: int = 1, colour: int = 0) -> bytes:
    """A PNG of a header, the given chunks and the end."""
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + png_chunk(b"IEND", b"")


def png_bomb(side: int = 30_000) -> bytes:
    """A PNG of side x side white pixels in about 110 KB, made row by row."""
    packer = zlib.compressobj(9)
    row = b"\0" + b"\xff" * -(-side // 8)
    packed = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    return png(side, side, png_chunk(b"IDAT", packed))


def resized(data: bytes, width: int, height: int) -> bytes:
    """A good file of any format with another size in its header, and the checksum of it right."""
    if data.startswith(b"\x89PNG"):
        header = struct.pack(">II", width, height) + data[24:29]
        return data[:8] + png_chunk(b"IHDR", header) + data[33:]
    if data.startswith(b"\xff\xd8"):
        at = data.index(b"\xff\xc0") + 5
        return data[:at] + struct.pack(">HH", height, width) + data[at + 4 :]
    if data.startswith(b"RIFF"):
        at = data.index(b"\x9d\x01\x2a") + 3
        return data[:at] + struct.pack("<HH", width, height) + data[at + 4 :]
    if data.startswith(b"BM"):
        return data[:18] + struct.pack("<ii", width, height) + data[26:]
    changed = tiff_set(data, 256, width)
    return tiff_set(changed, 257, height)


Tags = dict[int, tuple[str, tuple[int, ...]]]
"""Tag of TIFF -> the code of its type in struct, and its values."""


def tiff(pages: Iterable[Tags], pixels: bytes = b"", order: str = "<") -> bytes:
    """A TIFF of the given pages; the pixels stand at byte 8, before them."""
    kinds = {"B": 1, "H": 3, "I": 4}
    pixels += b"\0" * (len(pixels) % 2)
    data = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8 + len(pixels)) + pixels
    pages = list(pages)
    for number, tags in enumerate(pages):
        after = len(data) + 2 + 12 * len(tags) + 4
        entries, values = b"", b""
        for tag, (code, numbers) in sorted(tags.items()):
            content = struct.pack(f"{order}{len(numbers)}{code}", *numbers)
            if len(content) > 4:
                content += b"\0" * (len(content) % 2)
                values += content
                content = struct.pack(order + "I", after + len(values) - len(content))
            entries += struct.pack(order + "HHI", tag, kinds[code], len(numbers)) + content.ljust(4, b"\0")
        following = after + len(values) if number + 1 < len(pages) else 0
        data += struct.pack(order + "H", len(tags)) + entries + struct.pack(order + "I", following) + values
    return data


def grey_tags(width: int = 16, height: int = 16, **changes: tuple[str, tuple[int, ...]] | None) -> Tags:
    """The tags of one page of plain 8-bit grey in one strip at byte 8; `t273=...` replaces a tag."""
    tags: Tags = {
        256: ("I", (width,)),
        257: ("I", (height,)),
        258: ("H", (8,)),
        259: ("H", (1,)),
        262: ("H", (1,)),
        273: ("I", (8,)),
        277: ("H", (1,)),
        278: ("I", (height,)),
        279: ("I", (width * height,)),
    }
    for name, value in changes.items():
        tag = int(name[1:])
        if value is None:
            tags.pop(tag, None)
        else:
            tags[tag] = value
    return tags


def tiff_set(data: bytes, tag: int, value: int, page_number: int = 0) -> bytes:
    """The little-endian TIFF with the (single, short) value of a tag of one page replaced."""
    offset = tiff_offsets(data)[page_number]
    (count,) = struct.unpack_from("<H", data, offset)
    for at in range(offset + 2, offset + 2 + 12 * count, 12):
        if struct.unpack_from("<H", data, at)[0] == tag:
            # As a LONG, whatever it was, because the value may need it.
            return data[: at + 2] + struct.pack("<HII", 4, 1, value) + data[at + 12 :]
    raise ValueError(f"`tag` must stand in the page. Received: tag={tag}.")


def tiff_offsets(data: bytes) -> list[int]:
    """Where the pages of a little-endian TIFF start."""
    offsets = [struct.unpack_from("<I", data, 4)[0]]
    while True:
        (count,) = struct.unpack_from("<H", data, offsets[-1])
        (following,) = struct.unpack_from("<I", data, offsets[-1] + 2 + 12 * count)
        if not following:
            return offsets
        offsets.append(following)


def tiff_pages(number: int, width: int = 24, height: int = 16) -> bytes:
    """A TIFF of that many pages; page n (from 0) is grey of value 10 n, compressed with LZW."""
    images = [Image.new("L", (width, height), 10 * index % 256) for index in range(number)]
    return encoded(images[0], "TIFF", save_all=True, append_images=images[1:], compression="tiff_lzw")


def _tiff_loop() -> bytes:
    data = tiff_pages(2)
    first, second = tiff_offsets(data)
    (count,) = struct.unpack_from("<H", data, second)
    at = second + 2 + 12 * count
    return data[:at] + struct.pack("<I", first) + data[at + 4 :]


def _tiff_with_broken_page(broken: int) -> bytes:
    data = bytearray(tiff_pages(4))
    offset = tiff_offsets(bytes(data))[broken]
    (count,) = struct.unpack_from("<H", data, offset)
    for at in range(offset + 2, offset + 2 + 12 * count, 12):
        if struct.unpack_from("<H", data, at)[0] == 273:
            (strip,) = struct.unpack_from("<I", data, at + 8)
    data[strip : strip + 12] = b"\xff" * 12
    return bytes(data)


def _jpeg_of_many_scans() -> bytes:
    data = encoded(Image.fromarray(page()), "JPEG", progressive=True)
    scan = data.rindex(b"\xff\xda")
    return data[:-2] + data[scan:-2] * 2000 + b"\xff\xd9"


def _special() -> dict[str, tuple[bytes, str]]:
    """Name -> content and why it cannot be read."""
    flat = Image.fromarray(page())
    packed = zlib.compress(b"\0" + b"\xff" * 12)
    pixels = png_chunk(b"IDAT", packed)
    png_file, tif_file = good("png"), good("tif")
    raw_tif = encoded(flat, "TIFF")
    animated = encoded(flat, "GIF", save_all=True, append_images=[Image.fromarray(255 - page())])
    text = "五月的風吹過田埂，孩子們寫下第一個字。\n".encode()
    cases: dict[str, tuple[bytes, str]] = {
        "empty.png": (b"", "no bytes"),
        "zeros.jpg": (bytes(4096), "zero bytes only"),
        "one_byte.png": (b"\x89", "one byte"),
        "noise.tif": (random.Random(5).randbytes(3000), "random bytes"),
        "text.png": (text, "text named .png"),
        "text.jpg": (b"this is not an image\n", "text named .jpg"),
        "markup.webp": (b"<!DOCTYPE html><html><body>404</body></html>", "a web page named .webp"),
        "drawing.png": (b"<?xml version='1.0'?>\n<svg width='9' height='9'/>", "SVG named .png"),
        "document.jpg": (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n", "PDF named .jpg"),
        "animation.png": (animated, "GIF named .png"),
        "animation.gif": (animated, "GIF"),
        "photo.jpg": (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100), "HEIC named .jpg"),
        "archive.bmp": (b"PK\x03\x04" + bytes(60), "ZIP named .bmp"),
        "bomb_30000.png": (png_bomb(), "30,000 x 30,000 pixels in about 110 KB"),
        "bomb_13000.png": (png_bomb(13_000), "13,000 x 13,000 pixels"),
        "bomb_12000_square.png": (png_bomb(12_000), "each side allowed, 144 megapixels"),
        "text_bomb.png": (
            png(12, 1, png_chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(60_000_000), 9)), depth=8),
            "no pixels, and 60 MB of zeros in a compressed text",
        ),
        "no_pixels.png": (png(12, 1, depth=8), "no IDAT"),
        "no_palette.png": (png(12, 1, pixels, depth=8, colour=3), "palette colours without a palette"),
        "depth_3.png": (png(12, 1, pixels, depth=3), "3 bits a pixel"),
        "zero_wide.png": (png(0, 10, pixels, depth=8), "0 pixels wide"),
        "checksum.png": (png_file[:60] + bytes([png_file[60] ^ 1]) + png_file[61:], "one bit of the pixels"),
        "bad_zlib.png": (png(12, 1, png_chunk(b"IDAT", b"\xff" * 40), depth=8), "pixels that are not zlib"),
        "header_twice.png": (png_file[:8] + png_file[16:], "the start of the header is missing"),
        "many_chunks.png": (png(12, 1, png_chunk(b"teXt", b"") * 60_000, pixels, depth=8), "60,000 chunks"),
        "no_scan.jpg": (good("jpg")[: good("jpg").index(b"\xff\xda")] + b"\xff\xd9", "no scan"),
        "no_end.jpg": (good("jpg")[:-2], "no end mark"),
        "many_scans.jpg": (_jpeg_of_many_scans(), "2,000 scans"),
        "filling.jpg": (b"\xff\xd8" + b"\xff" * 5_000_000, "five megabytes of fill bytes"),
        "restarts.jpg": (good("jpg")[:-2] + b"\xff\xd0\xff\0" * 2_000_000, "four million false markers"),
        "lossless.jpg": (good("jpg").replace(b"\xff\xc0", b"\xff\xc3"), "SOF3"),
        "loop.tif": (_tiff_loop(), "the second page points back to the first"),
        "no_tags.tif": (tif_file[:4] + struct.pack("<I", 8) + bytes(2) + tif_file[10:], "no tags"),
        "page_3_broken.tif": (_tiff_with_broken_page(2), "the third of four pages is damaged"),
        "21_pages.tif": (tiff_pages(21), "21 pages"),
        "no_pages.tif": (b"II*\0\0\0\0\0", "no page"),
        "huge_strip.tif": (tiff_set(tif_file, 279, 0xFFFF_FFF0), "a strip of 4 GB"),
        "far_strip.tif": (tiff_set(raw_tif, 273, 0xFFFF_FF00), "a strip past the end"),
        "huge_rows.tif": (
            tiff_set(tiff_set(tif_file, 278, 0xFFFF_FFFF), 257, 11_000),
            "one strip for all of 11,000 rows",
        ),
        "many_values.tif": (tiff([grey_tags(t273=("I", (8,) * 10))], bytes(256))[:-8], "values past the end"),
        "overlap.tif": (
            tiff([grey_tags(64, 64, t278=("I", (1,)), t273=("I", (8,) * 64), t279=("I", (4000,) * 64),
                            t259=("H", (5,)))], bytes(4096)),
            "64 strips that are the same 4,000 bytes",
        ),
        "floats.tif": (tiff([grey_tags(t258=("H", (32,)), t339=("H", (3,)))], bytes(1024)), "32-bit floats"),
        "compression.tif": (tiff([grey_tags(t259=("H", (60_000,)))], bytes(256)), "compression 60000"),
        "huge_tile.tif": (
            tiff([grey_tags(t322=("I", (60_000,)), t323=("I", (60_000,)), t324=("I", (8,)),
                            t325=("I", (256,)))], bytes(256)),
            "a tile of 60,000 x 60,000 pixels",
        ),
        "big.tif": (b"II+\0\x08\0\0\0" + bytes(40), "BigTIFF"),
        "rle.bmp": (good("bmp")[:30] + struct.pack("<I", 1) + good("bmp")[34:], "run lengths"),
        "depth_2.bmp": (good("bmp")[:28] + struct.pack("<H", 2) + good("bmp")[30:], "2 bits a pixel"),
        "header.bmp": (good("bmp")[:14] + struct.pack("<I", 41) + good("bmp")[18:], "a header of 41 bytes"),
        "header.webp": (good("webp")[:12] + b"VP8?" + good("webp")[16:], "an unknown kind of WebP"),
        "large.png": (png_file[:-12] + png_chunk(b"teXt", bytes(20_000_000)) + png_file[-12:], "over 20 MB"),
    }  # fmt: skip
    for extension in FORMATS:
        wide = resized(good(extension), 16_000, 16_000)
        cases[f"claims_16000.{extension}"] = (wide, "a header of 16,000 x 16,000 pixels over a small image")
        cases[f"claims_0.{extension}"] = (resized(good(extension), 0, 0), "a header of 0 x 0 pixels")
    # A JPEG fills the missing pixels with grey, and a WebP cannot be told from a blank page that
    # compresses well until it is decoded.
    for extension in ("bmp", "png", "tif"):
        large = resized(good(extension), 6000, 6000)
        cases[f"claims_6000.{extension}"] = (large, "a header of 6,000 x 6,000 pixels over a small image")
    return cases


def write_malformed(folder: Path) -> Cases:
    """Writes files that cannot be read into the folder; also a folder and a path without a file.

    Returns:
        Each path with why it cannot be read, a few over a hundred.
    """
    cases: Cases = []
    for extension in FORMATS:
        data = good(extension)
        for tenth in range(1, 10):
            path = folder / f"cut_{tenth}.{extension}"
            path.write_bytes(data[: len(data) * tenth // 10])
            cases.append((path, f"cut at {tenth} tenths"))
    for name, (content, why) in _special().items():
        (folder / name).write_bytes(content)
        cases.append((folder / name, why))
    (folder / "folder.png").mkdir()
    cases.append((folder / "folder.png", "a folder"))
    cases.append((folder / MISSING, "no such file"))
    return cases


def write_flipped(folder: Path, number: int = 12) -> Cases:
    """Writes files with a few bits flipped, `number` of each format.

    They may be readable still, with wrong pixels or none; if not, the error must be a clear one.
    """
    cases: Cases = []
    for extension in FORMATS:
        dice = random.Random(extension)
        for index in range(number):
            data = bytearray(good(extension))
            flips = 1 + index % 4
            for _ in range(flips):
                data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
            path = folder / f"flipped_{index}.{extension}"
            path.write_bytes(data)
            cases.append((path, f"{flips} bits flipped"))
    return cases


def odd() -> dict[str, tuple[bytes, str]]:
    """Files that must be readable: name -> content and what is odd about it."""
    colour = Image.fromarray(page())
    grey = colour.convert("L")
    deep = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
    opacity = Image.linear_gradient("L").resize(colour.size)
    transparent = colour.copy()
    transparent.putalpha(opacity)
    grey_alpha = Image.merge("LA", (grey, opacity))
    second = Image.fromarray(255 - page())
    palette = colour.quantize(32)
    bilevel = grey.convert("1")
    cases: dict[str, tuple[bytes, str]] = {
        "palette.png": (encoded(palette, "PNG"), "palette"),
        "palette_transparent.png": (
            encoded(palette, "PNG", transparency=bytes(range(0, 256, 8))),
            "palette with alpha",
        ),
        "palette_key.png": (encoded(palette, "PNG", transparency=0), "palette, one colour transparent"),
        "palette.bmp": (encoded(palette, "BMP"), "palette"),
        "palette.tif": (encoded(palette, "TIFF"), "palette"),
        "bilevel.png": (encoded(bilevel, "PNG"), "1 bit"),
        "bilevel.bmp": (encoded(bilevel, "BMP"), "1 bit"),
        "bilevel.tif": (encoded(bilevel, "TIFF", compression="group4"), "1 bit, fax group 4"),
        "bilevel_group3.tif": (encoded(bilevel, "TIFF", compression="group3"), "1 bit, fax group 3"),
        "grey.png": (encoded(grey, "PNG"), "grey"),
        "grey.jpg": (encoded(grey, "JPEG"), "grey"),
        "deep.png": (encoded(deep, "PNG"), "16-bit grey"),
        "deep.tif": (encoded(deep, "TIFF"), "16-bit grey"),
        "deep_lzw.tif": (encoded(deep, "TIFF", compression="tiff_lzw"), "16-bit grey, LZW"),
        "deep_big_endian.tif": (
            tiff([grey_tags(4, 1, t258=("H", (16,)), t279=("I", (8,)))],
                 bytes([0, 9, 80, 9, 160, 9, 255, 9]), ">"),
            "16-bit grey, big-endian",
        ),
        "deep_negative.tif": (
            tiff([grey_tags(4, 1, t258=("H", (16,)), t262=("H", (0,)), t279=("I", (8,)))],
                 bytes([9, 0, 9, 80, 9, 160, 9, 255])),
            "16-bit grey in which 0 is white",
        ),
        "deep_colour.png": (
            png(2, 1, png_chunk(b"IDAT", zlib.compress(bytes([0] + [255, 1, 128, 2, 0, 3] * 2))),
                depth=16, colour=2),
            "16-bit RGB",
        ),
        "deep_key.png": (
            png(2, 1, png_chunk(b"tRNS", b"\x40\x01"),
                png_chunk(b"IDAT", zlib.compress(b"\0\x40\x01\x40\x02")), depth=16),
            "16-bit grey, one value transparent",
        ),
        "alpha.png": (encoded(transparent, "PNG"), "RGBA"),
        "alpha.webp": (encoded(transparent, "WEBP", lossless=True), "RGBA, lossless"),
        "alpha.tif": (encoded(transparent, "TIFF", compression="tiff_adobe_deflate"), "RGBA"),
        "grey_alpha.png": (encoded(grey_alpha, "PNG"), "LA"),
        "grey_alpha.tif": (encoded(grey_alpha, "TIFF"), "LA"),
        "cmyk.jpg": (encoded(colour.convert("CMYK"), "JPEG"), "CMYK"),
        "cmyk.tif": (encoded(colour.convert("CMYK"), "TIFF", compression="tiff_lzw"), "CMYK"),
        "progressive.jpg": (encoded(colour, "JPEG", progressive=True), "progressive"),
        "jpeg.tif": (encoded(colour, "TIFF", compression="jpeg"), "JPEG in TIFF"),
        "packbits.tif": (encoded(colour, "TIFF", compression="packbits"), "PackBits"),
        "planes.tif": (
            tiff([grey_tags(4, 2, t258=("H", (8,) * 3), t262=("H", (2,)), t273=("I", (8, 16, 24)),
                            t277=("H", (3,)), t279=("I", (8,) * 3), t284=("H", (2,)))],
                 bytes([200] * 8 + [100] * 8 + [50] * 8)),
            "a plane for each colour",
        ),
        "tiles.tif": (
            tiff([grey_tags(20, 20, t273=None, t278=None, t279=None, t322=("I", (16,)), t323=("I", (16,)),
                            t324=("I", (8, 264, 520, 776)), t325=("I", (256,) * 4))],
                 bytes([10] * 256 + [20] * 256 + [30] * 256 + [40] * 256)),
            "tiles that jut out",
        ),
        "pages.tif": (tiff_pages(5), "five pages"),
        "20_pages.tif": (tiff_pages(20), "twenty pages"),
        "thumbnail.tif": (
            tiff([grey_tags(), grey_tags(8, 8, t254=("I", (1,)))], bytes(256)),
            "a page and its reduced copy",
        ),
        "animated.png": (encoded(colour, "PNG", save_all=True, append_images=[second]), "animated"),
        "animated.webp": (
            encoded(colour, "WEBP", save_all=True, append_images=[second], lossless=True),
            "animated",
        ),
        "two_pictures.jpg": (encoded(colour, "MPO", save_all=True, append_images=[second]), "two pictures"),
        "interlaced.png": (_interlaced(), "interlaced"),
        "top_down.bmp": (
            good("bmp")[:22] + struct.pack("<i", -page().shape[0]) + good("bmp")[26:], "the top row first"
        ),
        "wrong_name.jpg": (good("png"), "PNG named .jpg"),
        "wrong_name.png": (good("tif"), "TIFF named .png"),
        "no_extension": (good("webp"), "WebP without an extension"),
        "bad_text.png": (
            good("png")[:33] + png_chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(60_000_000), 9))
            + png_chunk(b"iCCP", b"p\0\0rubbish")[:-4] + b"\0\0\0\0" + good("png")[33:],
            "60 MB of text and a damaged profile, neither of which pixels need",
        ),
        "broken_exif.jpg": (
            good("jpg")[:2] + b"\xff\xe1\x00\x20Exif\0\0II*\0\xff\xff\xff\xff" + bytes(16) + good("jpg")[2:],
            "EXIF that points past its end",
        ),
        "after_the_end.jpg": (good("jpg") + good("jpg")[:500], "a cut second picture after the first"),
        "small.png": (encoded(Image.new("L", (1, 1), 90), "PNG"), "one pixel"),
        "narrow.png": (encoded(Image.new("L", (12_000, 1), 90), "PNG"), "12,000 x 1 pixels"),
    }  # fmt: skip
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        stored = Image.fromarray(turned_back(page(), orientation))
        what = f"EXIF {orientation}"
        sharp = encoded(stored, "JPEG", exif=exif, quality=95, subsampling=0)
        cases[f"exif_{orientation}.jpg"] = (sharp, what)
        cases[f"exif_{orientation}.png"] = (encoded(stored, "PNG", exif=exif), what)
        cases[f"exif_{orientation}.webp"] = (encoded(stored, "WEBP", exif=exif, lossless=True), what)
        tagged = encoded(stored, "TIFF", tiffinfo={274: orientation}, compression="tiff_lzw")
        cases[f"exif_{orientation}.tif"] = (tagged, f"orientation {orientation}")
    return cases


def turned_back(upright: np.ndarray, orientation: int) -> np.ndarray:
    """How the upright page is stored under an EXIF orientation, by the table of the EXIF standard.

    The orientation names the sides of the page that the first stored row and column are.
    """
    sides: dict[int, Callable[[np.ndarray], np.ndarray]] = {
        1: lambda page: page,  # top, left
        2: np.fliplr,  # top, right
        3: lambda page: np.flipud(np.fliplr(page)),  # bottom, right
        4: np.flipud,  # bottom, left
        5: lambda page: np.swapaxes(page, 0, 1),  # left, top
        6: lambda page: np.swapaxes(np.fliplr(page), 0, 1),  # right, top
        7: lambda page: np.swapaxes(np.flipud(np.fliplr(page)), 0, 1),  # right, bottom
        8: lambda page: np.swapaxes(np.flipud(page), 0, 1),  # left, bottom
    }
    return np.ascontiguousarray(sides[orientation](upright))


def _interlaced() -> bytes:
    """A PNG of 8 x 8 grey pixels in the seven passes of Adam7; each is its row times 16 + its column."""
    values = np.arange(8)[:, None] * 16 + np.arange(8)[None, :]
    passes = [
        (0, 0, 8, 8),
        (0, 4, 8, 8),
        (4, 0, 8, 4),
        (0, 2, 4, 4),
        (2, 0, 4, 2),
        (0, 1, 2, 2),
        (1, 0, 2, 1),
    ]
    raw = b""
    for top, left, down, across in passes:
        for row in values[top::down, left::across]:
            raw += b"\0" + bytes(row.tolist())
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 0, 0, 0, 1))
    pixels = png_chunk(b"IDAT", zlib.compress(raw))
    return b"\x89PNG\r\n\x1a\n" + header + pixels + png_chunk(b"IEND", b"")


def write_odd(folder: Path) -> Cases:
    """Writes the files of `odd` into the folder."""
    cases: Cases = []
    for name, (content, what) in odd().items():
        (folder / name).write_bytes(content)
        cases.append((folder / name, what))
    return cases


if __name__ == "__main__":
    target = Path(sys.argv[1])
    for write in (write_malformed, write_flipped, write_odd):
        (target / write.__name__.removeprefix("write_")).mkdir(parents=True)
        for path, what in write(target / write.__name__.removeprefix("write_")):
            print(f"{path.relative_to(target)}: {what}")
