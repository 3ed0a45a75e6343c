from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from fontTools import ttLib
from PIL import Image

from tests import made_hands
from training import glyphs, sources
from zoo import charset


def test_a_hand_keeps_its_characters_in_size_and_place(tmp_path: Path) -> None:
    made_hands.write_hand(tmp_path / "a.npz", 1)
    hand = sources.read_hand(tmp_path / "a.npz")
    assert hand.writer == "a"
    assert hand.real
    assert hand.images.shape == (20, 96, 96)
    assert hand.images.dtype == np.uint8
    assert charset.decode(hand.labels) == charset.normalise("".join(c * 2 for c in made_hands.CHARACTERS))
    sides = [max(np.ptp(np.nonzero(image < 128), axis=1)) + 1 for image in hand.images]
    assert 74 <= sides[0] <= 80  # 0.8 of the em square
    stop = hand.images[hand.labels == charset.encode("。")[0]][0]
    rows, columns = np.nonzero(stop < 128)
    assert np.ptp(rows) < 14  # a full stop stays small ...
    assert rows.mean() > 60  # ... and low on the left
    assert columns.mean() < 36


def test_a_file_without_its_arrays_is_refused(tmp_path: Path) -> None:
    images, labels = np.zeros((1, 96, 96), np.uint8), np.array(["一"])
    np.savez(tmp_path / "a.npz", images=images)
    with pytest.raises(ValueError, match=r"Missing: \['labels'\]"):
        sources.read_hand(tmp_path / "a.npz")
    np.savez(tmp_path / "a.npz", images=images, labels=labels, bbox=np.zeros((1, 4)))
    with pytest.raises(ValueError, match=r"both bbox and canvas or neither\. Missing: \['canvas'\]"):
        sources.read_hand(tmp_path / "a.npz")
    np.savez(tmp_path / "a.npz", images=images[:, ::2], labels=labels)
    with pytest.raises(ValueError, match=r"uint8 \(1, 96, 96\).*Received: uint8 \(1, 48, 96\)"):
        sources.read_hand(tmp_path / "a.npz")
    np.savez(tmp_path / "a.npz", images=images, labels=np.array(["あ"]))
    with pytest.raises(ValueError, match="holds no character of the charset"):
        sources.read_hand(tmp_path / "a.npz")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"labels": np.array("一")}, r"labels must be \(n,\)\. Received: \(\)"),
        ({"bbox": np.zeros((1, 2))}, r"bbox must be numbers \(1, 4\).*Received: float64 \(1, 2\)"),
        ({"bbox": np.zeros((0, 4))}, r"bbox must be numbers \(1, 4\)"),
        ({"bbox": np.array([["a"] * 4])}, r"bbox must be numbers"),
        ({"bbox": np.zeros((1, 4))}, "each bbox must be left, top, right and bottom.*sides from 0 on"),
        ({"bbox": np.array([[0, 0, np.nan, 9]])}, "each bbox must be left, top, right and bottom"),
        ({"canvas": np.array(9)}, r"canvas numbers \(2,\).*and int64 \(\)"),
        ({"canvas": np.array([9])}, r"canvas numbers \(2,\)"),
        (
            {"canvas": np.array([9, 0])},
            "canvas the sides of a sheet.*Received: sides from 8 on, and canvas .9, 0",
        ),
    ],
)
def test_places_that_cannot_be_are_named(changed: dict, message: str, tmp_path: Path) -> None:
    arrays = {
        "images": np.zeros((1, 96, 96), np.uint8),
        "labels": np.array(["一"]),
        "bbox": np.array([[1, 1, 9, 9]]),
        "canvas": np.array([99, 99]),
    }
    np.savez(tmp_path / "a.npz", **arrays | changed)
    with pytest.raises(ValueError, match=message) as caught:
        sources.read_hand(tmp_path / "a.npz")
    assert "a.npz" in str(caught.value)


def test_a_picture_of_sixteen_bits_is_read_as_one_of_eight(tmp_path: Path) -> None:
    grey = np.full((40, 40), 250, np.uint8)
    grey[10:30, 18:22] = 10
    cv2.imwrite(str(tmp_path / "8.png"), grey)
    cv2.imwrite(str(tmp_path / "16.png"), grey.astype(np.uint16) * 257)
    one, other = (sources.read_picture(tmp_path / name) for name in ("8.png", "16.png"))
    np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(one, grey)


def test_damaged_exif_is_an_error_like_any_other(tmp_path: Path) -> None:
    image = Image.new("L", (40, 40), 255)
    image.putpixel((20, 20), 0)
    image.save(tmp_path / "a.png", exif=b"garbagegarbage")
    with pytest.raises(ValueError, match="it cannot be decoded"):
        sources.read_picture(tmp_path / "a.png")


def test_a_hand_without_places_stays_as_it_is(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, 96, 96), np.uint8)
    np.savez(tmp_path / "a.npz", images=images, labels=np.array(["一", "あ", "。"]))
    hand = sources.read_hand(tmp_path / "a.npz")
    assert charset.decode(hand.labels) == "一。"
    np.testing.assert_array_equal(hand.images, images[[0, 2]])


def test_upright_forms_of_a_low_line_are_left_out(tmp_path: Path) -> None:
    images = np.zeros((4, 96, 96), np.uint8)
    np.savez(tmp_path / "a.npz", images=images, labels=np.array(["_", "︳", "︴", "︱"]))
    hand = sources.read_hand(tmp_path / "a.npz")
    assert charset.decode(hand.labels) == "_—"  # A dash stands upright in a column.


def test_only_the_chinese_characters_of_a_hand_are_read(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (4, 96, 96), np.uint8)
    np.savez(tmp_path / "a.npz", images=images, labels=np.array(["一", "⼀", "。", "二"]))
    assert charset.decode(sources.read_hand(tmp_path / "a.npz").labels) == "一一。二"
    (hand,) = sources.read_hands(tmp_path, chinese_only=("a",))
    assert charset.decode(hand.labels) == "一二"


@pytest.mark.parametrize(
    "damage", [lambda whole: b"", lambda whole: b"text", lambda whole: whole[: len(whole) // 2]]
)
def test_a_damaged_file_is_named(damage: Callable[[bytes], bytes], tmp_path: Path) -> None:
    made_hands.write_hand(tmp_path / "a.npz", 1)
    (tmp_path / "a.npz").write_bytes(damage((tmp_path / "a.npz").read_bytes()))
    with pytest.raises(ValueError, match=r"a\.npz: is no whole \.npz file.*Copy it again") as caught:
        sources.read_hand(tmp_path / "a.npz")
    assert "pickle" not in str(caught.value)


def test_arrays_of_objects_are_refused_without_advice_to_load_them(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", labels=np.array(["一", None], object))
    with pytest.raises(ValueError, match=r"no whole \.npz file of numbers and text") as caught:
        sources.read_hand(tmp_path / "a.npz")
    assert "pickle" not in str(caught.value)


def test_a_font_gives_each_character_of_the_charset_that_it_holds(tmp_path: Path) -> None:
    font = sources.read_font(made_hands.write_font(tmp_path / "boxes.ttf"))
    assert charset.decode(font.labels) == "一十。"  # ① looks unlike 1 and is left out
    assert not font.real
    widths = [np.ptp(np.nonzero(image < 128)[1]) for image in font.images]
    assert widths == sorted(widths)


def test_a_woff2_font_reads_like_its_bare_form(tmp_path: Path) -> None:
    plain = made_hands.write_font(tmp_path / "boxes.ttf")
    with ttLib.TTFont(plain) as font:
        font.flavor = "woff2"
        font.save(tmp_path / "boxes.woff2")
    packed = sources.read_font(tmp_path / "boxes.woff2")
    np.testing.assert_array_equal(packed.images, sources.read_font(plain).images)


def test_a_font_without_the_characters_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="must hold characters of the charset"):
        sources.read_font(made_hands.write_font(tmp_path / "boxes.ttf", "\u0e01\u0e02"))


def test_a_font_hand_writes_on_an_em_square_and_says_what_it_lacks(tmp_path: Path) -> None:
    hand = glyphs.FontHand(made_hands.write_font(tmp_path / "boxes.ttf"), 120)
    assert hand("一").shape == (120, 120)
    assert hand("一").min() == 0
    with pytest.raises(KeyError, match="說"):
        hand("說")


def test_a_file_that_is_no_font_is_named(tmp_path: Path) -> None:
    (tmp_path / "notes.ttf").write_text("no font")
    with pytest.raises(ValueError, match=r"notes\.ttf: is no TrueType"):
        sources.read_font(tmp_path / "notes.ttf")


def test_a_folder_named_by_a_variant_of_another_shape_is_refused(tmp_path: Path) -> None:
    folder = made_hands.write_folder(tmp_path / "mine", "①一")
    with pytest.raises(ValueError, match="`characters` must hold '①'"):
        sources.read_folder(folder, charset.CHARACTERS)


def test_punctuation_does_not_scale_a_folder_of_pictures(tmp_path: Path) -> None:
    alone, _ = sources.read_folder(made_hands.write_folder(tmp_path / "a", "口日月"), charset.CHARACTERS)
    mixed, _ = sources.read_folder(
        made_hands.write_folder(tmp_path / "b", "口日月，。、：；！"), charset.CHARACTERS
    )
    chosen = charset.encode("口")[0]
    ink = [
        np.ptp(np.nonzero(glyphs.images[glyphs.labels == chosen][0] < 128)[0]) for glyphs in (alone, mixed)
    ]
    assert abs(ink[0] - ink[1]) <= 1
