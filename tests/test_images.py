"""Reading files of every kind, and refusing those that cannot be read."""

import concurrent.futures
import json
import os
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFile

from serving import images
from serving.images import ImageError
from tests import malformed

CORPUS = Path(__file__).parent / "corpus" / "images"
PAGE = malformed.page()
EXTENSIONS = sorted(malformed.FORMATS)

# Prints, for each path on the standard input, how long the refusal takes at best (milliseconds)
# and by how much it raises the memory of the process (megabytes).
MEASURE = """
import json, sys, time
from serving import images
import numpy, pathlib

def memory(name):
    for line in open("/proc/self/status"):
        if line.startswith(name):
            return int(line.split()[1]) / 1024

costs = {}
for path in json.load(sys.stdin):
    seconds, megabytes = [], []
    for _ in range(3):
        open("/proc/self/clear_refs", "w").write("5")
        before = memory("VmRSS")
        start = time.perf_counter()
        try:
            images.decode(path)
        except images.ImageError:
            pass
        seconds.append(time.perf_counter() - start)
        megabytes.append(memory("VmHWM") - before)
    costs[path] = [1000 * min(seconds), max(megabytes)]
print(json.dumps(costs))
"""


@pytest.fixture(scope="module")
def bad(tmp_path_factory) -> dict[str, Path]:
    """The malformed files by name."""
    return {path.name: path for path, _ in malformed.write_malformed(tmp_path_factory.mktemp("malformed"))}


@pytest.fixture(scope="module")
def odd() -> dict[str, bytes]:
    """The odd but valid files by name."""
    return {name: content for name, (content, _) in malformed.odd().items()}


def message(source) -> str:
    """What is said about a source that cannot be read."""
    with pytest.raises(ImageError) as caught:
        images.decode(source)
    assert not isinstance(caught.value.__cause__, Warning)
    return str(caught.value)


def attempt(source) -> list[np.ndarray]:
    """The pages of a source that may be readable or not; none if it is refused as it should be."""
    try:
        pages = images.decode(source)
    except ImageError as error:
        if "\n" in str(error):
            pytest.fail(f"The message must be one line: {error}")
        # Warnings are errors here, and would else hide behind the ImageError that they cause.
        if isinstance(error.__cause__, Warning):
            pytest.fail(f"Pillow warned: {error.__cause__}")
        return []
    for page in pages:
        assert_is_page(page)
    return pages


def assert_is_page(page: np.ndarray) -> None:
    assert page.dtype == np.uint8
    assert page.ndim == 3
    assert page.shape[2] == 3
    assert page.flags.c_contiguous
    assert page.flags.writeable


# ------------------------------------------------------------------------------------ good files


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_good_file_is_read_from_path_string_bytes_and_view(extension, tmp_path):
    data = malformed.good(extension)
    path = tmp_path / f"page.{extension}"
    path.write_bytes(data)
    pages = [images.decode(source) for source in (path, str(path), data, bytearray(data), memoryview(data))]
    for (page,) in pages:
        assert_is_page(page)
        np.testing.assert_array_equal(page, pages[0][0])
    # PNG, TIFF and BMP keep every pixel; JPEG and WebP blur the edges of the strokes.
    assert np.abs(pages[0][0].astype(int) - PAGE).mean() <= (0 if extension in ("png", "tif", "bmp") else 6)


def test_odd_files_are_read(odd):
    for name, content in odd.items():
        pages = images.decode(content)
        assert pages, name
        for page in pages:
            assert_is_page(page)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("extension", ["png", "jpg", "webp", "tif"])
def test_page_stands_upright_for_every_exif_orientation(odd, orientation, extension):
    (page,) = images.decode(odd[f"exif_{orientation}.{extension}"])
    assert page.shape == PAGE.shape
    tolerance = 4 if extension == "jpg" else 0  # JPEG blurs the edges of the strokes
    assert np.abs(page.astype(int) - PAGE).mean() <= tolerance


def test_tiff_gives_all_its_pages_in_order(odd):
    assert [int(page[0, 0, 0]) for page in images.decode(odd["pages.tif"])] == [0, 10, 20, 30, 40]
    assert len(images.decode(odd["20_pages.tif"])) == 20


def test_reduced_copy_in_a_tiff_is_no_page(odd):
    (page,) = images.decode(odd["thumbnail.tif"])
    assert page.shape == (16, 16, 3)


def test_animation_is_read_by_its_first_frame(odd):
    for name in ("animated.png", "animated.webp"):
        (page,) = images.decode(odd[name])
        np.testing.assert_array_equal(page, PAGE)


def test_first_of_several_pictures_of_a_jpeg_is_read(odd):
    (page,) = images.decode(odd["two_pictures.jpg"])
    assert np.abs(page.astype(int) - PAGE).mean() <= 6  # JPEG blurs the edges of the strokes


def test_content_decides_not_the_name(odd, tmp_path):
    for name in ("wrong_name.jpg", "wrong_name.png", "no_extension"):
        (tmp_path / name).write_bytes(odd[name])
        (page,) = images.decode(tmp_path / name)
        assert page.shape == PAGE.shape


@pytest.mark.parametrize("name", ["deep.png", "deep.tif", "deep_lzw.tif"])
def test_sixteen_bits_are_cut_to_eight(odd, name):
    (page,) = images.decode(odd[name])
    np.testing.assert_array_equal(page[:, :, 0], np.asarray(Image.fromarray(PAGE).convert("L")))


def test_sixteen_bits_of_either_byte_order_and_sign_are_read(odd):
    assert images.decode(odd["deep_big_endian.tif"])[0][0, :, 0].tolist() == [0, 80, 160, 255]
    assert images.decode(odd["deep_negative.tif"])[0][0, :, 0].tolist() == [255, 175, 95, 0]
    assert images.decode(odd["deep_colour.png"])[0][0, 0].tolist() == [255, 128, 0]


def test_transparency_lies_on_white(odd):
    alpha = np.asarray(Image.linear_gradient("L").resize((PAGE.shape[1], PAGE.shape[0])))[:, :, None] / 255
    expected = PAGE * alpha + 255 * (1 - alpha)
    for name in ("alpha.png", "alpha.tif", "alpha.webp"):
        (page,) = images.decode(odd[name])
        # Rounding once; lossless WebP and TIFF keep the colour below alpha.
        np.testing.assert_allclose(page[alpha[:, :, 0] > 0], expected[alpha[:, :, 0] > 0], atol=0.51)
        assert (page[alpha[:, :, 0] == 0] == 255).all()


def test_transparent_value_of_sixteen_bits_is_exact(odd):
    # 0x4001 is transparent, 0x4002 beside it is not.
    assert images.decode(odd["deep_key.png"])[0][0, :, 0].tolist() == [255, 0x40]


def test_interlaced_png_is_put_together(odd):
    (page,) = images.decode(odd["interlaced.png"])
    expected = np.arange(8)[:, None] * 16 + np.arange(8)
    np.testing.assert_array_equal(page, np.dstack([expected] * 3))


def test_planes_and_tiles_of_a_tiff_are_put_together(odd):
    assert images.decode(odd["planes.tif"])[0][1, 3].tolist() == [200, 100, 50]
    tiles = images.decode(odd["tiles.tif"])[0][:, :, 0]
    assert tiles[[0, 0, 19, 19], [0, 19, 0, 19]].tolist() == [10, 20, 30, 40]


def test_bmp_with_the_top_row_first_is_upside_down_of_the_other(odd):
    (page,) = images.decode(odd["top_down.bmp"])
    np.testing.assert_array_equal(page, PAGE[::-1])


def test_cmyk_and_palette_keep_the_colours(odd):
    # Tolerances: JPEG blurs strokes; 32 colours of a palette are coarse.
    for name, tolerance in {"cmyk.jpg": 8, "cmyk.tif": 1, "palette.png": 6, "palette.tif": 6}.items():
        (page,) = images.decode(odd[name])
        assert np.abs(page.astype(int) - PAGE).mean() <= tolerance, name


def test_long_page_is_read_whole():
    # Bands of a megapixel: three of them, the last one short.
    tall = np.arange(2_100 * 1_200, dtype=np.uint32).reshape(2_100, 1_200) // 1_200 % 251
    page = np.dstack([tall.astype(np.uint8)] * 3)
    (read,) = images.decode(malformed.encoded(Image.fromarray(page), "PNG", compress_level=1))
    np.testing.assert_array_equal(read, page)


# ----------------------------------------------------------------------------------------- arrays


def test_array_of_every_accepted_shape_is_one_page():
    grey = PAGE[:, :, 0]
    for array in (grey, grey[:, :, None], PAGE, np.dstack([PAGE, np.full_like(grey, 255)])):
        (page,) = images.decode(array)
        assert page.shape == PAGE.shape
        assert page.dtype == np.uint8
        np.testing.assert_array_equal(page[:, :, 0], grey)


def test_transparent_pixel_of_an_array_is_white():
    (page,) = images.decode(np.array([[[10, 20, 30, 0], [10, 20, 30, 255]]], np.uint8))
    assert page.tolist() == [[[255, 255, 255], [10, 20, 30]]]


def test_rgb_array_is_not_copied():
    assert np.shares_memory(images.decode(PAGE)[0], PAGE)


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((4, 4), np.float32),
        np.zeros((4, 4, 3), bool),
        np.zeros((4, 4, 2), np.uint8),
        np.zeros((2, 4, 4, 3), np.uint8),
        np.zeros(4, np.uint8),
    ],
)
def test_other_array_is_refused_with_what_was_received(array):
    text = message(array)
    assert "must be uint8" in text
    assert f"Received: dtype={array.dtype}, shape={array.shape}" in text


def test_array_without_pixels_or_over_the_caps_is_refused():
    assert "holds no image" in message(np.zeros((0, 4), np.uint8))
    assert "too many" in message(np.broadcast_to(np.uint8(0), (10, 12_001)))


@pytest.mark.parametrize("source", [None, 3, [1, 2], Image.new("L", (2, 2))])
def test_other_source_is_refused_with_its_type(source):
    assert message(source) == (
        f"image: an image must be a path, bytes or a uint8 array. Received: {type(source).__name__}"
    )


# -------------------------------------------------------------------------------------- bad files


def test_every_malformed_file_is_refused_on_one_line_that_names_it(bad):
    assert len(bad) >= 50
    for path in bad.values():
        text = message(path)
        assert text.startswith(f"{path}: ")
        assert "\n" not in text
        assert "Traceback" not in text


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="measures memory through /proc")
def test_every_malformed_file_is_refused_within_50_ms_and_50_mb(bad):
    paths = [str(path) for path in bad.values()]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1])}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", MEASURE],
        input=json.dumps(paths),
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    costs = json.loads(done.stdout)
    assert len(costs) == len(paths)
    assert {path: cost for path, cost in costs.items() if cost[0] > 50 or cost[1] > 50} == {}


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("empty.png", "the file is empty"),
        ("zeros.jpg", "nothing but zero bytes"),
        ("text.png", "this is text, not an image"),
        ("markup.webp", "a web page"),
        ("drawing.png", "an SVG drawing"),
        ("document.jpg", "a PDF document"),
        ("animation.png", "a GIF"),
        ("photo.jpg", "a HEIC photo"),
        ("archive.bmp", "a ZIP archive"),
        ("big.tif", "a BigTIFF"),
        ("noise.tif", "no image that hanzoo knows"),
        ("bomb_30000.png", "30,000 x 30,000 pixels are too many (at most 12,000 a side and 40 megapixels)"),
        ("bomb_12000_square.png", "12,000 x 12,000 pixels are too many"),
        ("large.png", "bytes are too many (at most 20 MB)"),
        ("21_pages.tif", "more than 20 pages"),
        ("loop.tif", "form a loop"),
        ("page_3_broken.tif", "page 3 is damaged; nothing was read"),
        ("checksum.png", "the checksum of IDAT is wrong"),
        ("many_scans.jpg", "more than 64 scans"),
        ("folder.png", "this is a folder"),
        (malformed.MISSING, "there is no such file"),
    ],
)
def test_error_says_what_is_wrong(bad, name, part):
    assert part in message(bad[name])


def test_cut_file_says_how_much_of_it_is_there(bad):
    size = len(malformed.good("bmp"))
    assert message(bad["cut_5.bmp"]) == (
        f"{bad['cut_5.bmp']}: the file ends early ({size // 2:,} of {size:,} bytes); nothing was read from it"
    )


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_file_cut_anywhere_ends_early(extension):
    data = malformed.good(extension)
    for end in [*range(1, 80), *range(80, len(data) - 2, len(data) // 50)]:
        text = message(data[:end])
        # Of two or three bytes one cannot know what they are the start of.
        assert "ends early" in text or end < 12, (end, text)


def test_last_bytes_of_a_file_are_missed():
    for extension in EXTENSIONS:
        assert "ends early" in message(malformed.good(extension)[:-1]), extension


def test_too_many_pixels_on_all_pages_together_are_refused():
    many = malformed.tiff(
        [malformed.grey_tags(6_000, 6_000, t259=("H", (8,)), t279=("I", (40,)))] * 3, bytes(64)
    )
    assert "3 pages have more than 100 megapixels together" in message(many)


def test_broken_page_anywhere_refuses_the_whole_tiff():
    data = malformed.tiff_pages(3)
    third = malformed.tiff_offsets(data)[2]
    assert "page 3: the file ends early" in message(data[: third + 20])


def test_flipped_bits_leave_a_page_or_a_clear_error(tmp_path):
    cases = malformed.write_flipped(tmp_path, number=30)
    read = [path for path, _ in cases if attempt(path)]
    assert 0 < len(read) < len(cases)


def test_corpus_of_the_fuzzer_is_read_or_refused():
    files = sorted(CORPUS.iterdir())
    assert len(files) >= 30
    assert sum(path.stat().st_size for path in files) < 300_000
    for path in files:
        start = time.perf_counter()
        attempt(path)
        # A second is far above the few milliseconds of each, and far below an endless loop.
        assert time.perf_counter() - start < 1, path


def test_file_without_permission_is_refused(monkeypatch, tmp_path):
    (tmp_path / "page.png").write_bytes(malformed.good("png"))

    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    # The superuser may read anything, so the refusal is made here.
    monkeypatch.setattr(images, "open", refuse, raising=False)
    assert "you may not read this file" in message(tmp_path / "page.png")


def test_pipe_is_refused_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    assert "this is a pipe or a device" in message(tmp_path / "pipe.png")


@pytest.mark.parametrize(
    ("path", "part"),
    [
        ("", "image: the path is empty"),
        ("a\0b.png", r"a\x00b.png: no file can have this name"),
        ("two\nlines.png", r"two\nlines.png: there is no such file"),
        (b"\xff.png".decode("utf-8", "surrogateescape"), r"\udcff.png: there is no such file"),
        ("x" * 300, "the file cannot be read (file name too long)"),
        (f"{__file__}/page.png", "a part of its path is no folder"),
    ],
)
def test_odd_path_is_named_on_one_line(path, part):
    assert part in message(path)


# ---------------------------------------------------------------------------------------- process


def test_decoding_changes_nothing_in_the_process(bad, odd):
    before = (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES, list(warnings.filters))
    for name in ("bomb_30000.png", "loop.tif", "cut_5.jpg"):
        message(bad[name])
    images.decode(odd["pages.tif"])
    assert (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES, list(warnings.filters)) == before


def test_threads_read_what_one_thread_reads(odd):
    names = [name for name in sorted(odd) if "exif" not in name] * 3
    expected = {name: images.decode(odd[name]) for name in set(names)}
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for name, pages in zip(names, pool.map(lambda name: images.decode(odd[name]), names), strict=True):
            for page, other in zip(pages, expected[name], strict=True):
                np.testing.assert_array_equal(page, other)
