"""Public handwriting, from small archives in the forms in which it is published."""

import io
import struct
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image

from tests import made_hands
from training import datasets, sources
from training.recipe import CharacterRecipe, to_json
from training.sources import Glyphs
from zoo import charset

COMMON = "cleaned_data(50_50)-20200420T071507Z-{:03}.zip"

TINY = {"widths": (4, 8), "depths": (0, 0), "embedding": 8}


class Big5Info(zipfile.ZipInfo):
    """A member with its name in Big5 and no word about it, as older tools write it."""

    def _encodeFilenameFlags(self) -> tuple[bytes, int]:  # noqa: N802
        return self.filename.encode("cp950"), self.flag_bits & ~0x800


def _png(character: str, seed: int = 0, side: int = 50, mode: str = "L") -> bytes:
    drawn = made_hands.stroke_image(character, np.random.default_rng(seed))
    out = io.BytesIO()
    Image.fromarray(drawn).resize((side, side)).convert(mode).save(out, "PNG")
    return out.getvalue()


def _write_zip(path: Path, members: Mapping[str, bytes], big5: bool = False) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            info = Big5Info(name) if big5 else zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, content)
    return path


def _unpack(members: Mapping[str, bytes], folder: Path) -> Path:
    for name, content in members.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def _record(character: str, width: int = 60, height: int = 64, tag: bytes | None = None) -> bytes:
    drawn = Image.fromarray(made_hands.stroke_image(character, np.random.default_rng(width)))
    pixels = np.array(drawn.resize((width, height)))
    pixels[0, 0] = pixels[-1, -1] = 0  # The picture is cut to the ink.
    code = character.encode("gb18030").ljust(2, b"\0") if tag is None else tag
    return struct.pack("<I2sHH", 10 + pixels.size, code, width, height) + pixels.tobytes()


def _gnt(characters: str) -> bytes:
    return b"".join(_record(character, 50 + index) for index, character in enumerate(characters))


def _same(first: Iterable[Glyphs], second: Iterable[Glyphs]) -> None:
    """Whether both hold the same characters of the same writers, in whichever order."""
    one, other = ({glyphs.writer: glyphs for glyphs in each} for each in (first, second))
    assert one.keys() == other.keys()
    for writer in one:
        rows = [
            sorted((int(label), image.tobytes()) for label, image in zip(g.labels, g.images, strict=True))
            for g in (one[writer], other[writer])
        ]
        assert rows[0] == rows[1]


def _renamed(glyphs: Iterable[Glyphs], writer: str) -> list[Glyphs]:
    return [Glyphs(writer, one.images, one.labels, one.real) for one in glyphs]


@pytest.fixture
def common() -> list[dict[str, bytes]]:
    """What the four archives of the common characters hold."""
    return [
        {f"cleaned_data(50_50)/{character}_{number}.png": _png(character, number) for number in (1, 2)}
        for character in "一人口日"
    ]


@pytest.fixture
def casia(tmp_path: Path) -> Path:
    """Two writers to train on and one to test with, and another version beside them."""
    folder = tmp_path / "casia"
    _write_zip(folder / "Gnt1.1TrainPart1.zip", {"1001-f.gnt": _gnt("一人口，")})
    _write_zip(folder / "Gnt1.1TrainPart2.zip", {"1002-f.gnt": _gnt("日人这1")})
    _write_zip(folder / "Gnt1.1Test.zip", {"1241-f.gnt": _gnt("月人")})
    _write_zip(folder / "Gnt1.0Test.zip", {"121-t.gnt": _gnt("三")})
    return folder


def test_the_common_set_reads_alike_from_its_archives_unpacked_and_built(
    common: list[dict[str, bytes]], tmp_path: Path
) -> None:
    for number, members in enumerate(common, 1):
        _write_zip(tmp_path / "zips" / COMMON.format(number), members)
        _unpack(members, tmp_path / "unpacked")
    (zipped,) = datasets.read_local(tmp_path / "zips")
    assert zipped.writer == "zips"
    assert zipped.real
    assert zipped.images.shape == (8, 96, 96)
    assert (zipped.images.dtype, zipped.labels.dtype) == (np.uint8, np.int32)
    assert charset.decode(zipped.labels) == "一一人人口口日日"
    assert all(74 <= max(np.ptp(np.nonzero(image < 128), axis=1)) + 1 <= 80 for image in zipped.images)
    _same(_renamed([zipped], "unpacked"), datasets.read_local(tmp_path / "unpacked"))
    for name in ("zips", "unpacked"):
        builder = datasets.build("ai_free_common", tmp_path / name, tmp_path / f"built {name}")
        assert builder.info.splits["train"].num_examples == 8
        _same(_renamed([zipped], "ai_free_common"), datasets.read_built(builder))


def test_a_built_example_holds_picture_character_and_writer(casia: Path, tmp_path: Path) -> None:
    builder = datasets.build("casia_hwdb/1.1", casia, tmp_path / "built")
    assert set(builder.info.splits) == {"train", "test"}
    examples = list(tfds.as_numpy(builder.as_dataset(split="train")))
    assert [example["label"].decode() for example in examples] == list("一人口，日人这1")
    assert [example["writer"].decode() for example in examples] == ["1001-f"] * 4 + ["1002-f"] * 4
    assert examples[1]["image"].shape == (64, 51, 1)
    assert examples[1]["image"].dtype == np.uint8
    np.testing.assert_array_equal(
        examples[1]["image"].tobytes(), np.frombuffer(_record("人", 51)[10:], np.uint8).tobytes()
    )


def test_writers_of_casia_stay_whole_and_apart(casia: Path, tmp_path: Path) -> None:
    dropped = datasets.Dropped()
    builder = datasets.build("casia_hwdb/1.1", casia, tmp_path / "built")
    train = list(datasets.read_built(builder, "train", dropped))
    assert [(hand.writer, charset.decode(hand.labels)) for hand in train] == [
        ("1001-f", "一人口,"),
        ("1002-f", "日人1"),
    ]
    assert dropped.outside == {"这": 1}  # simplified
    (test,) = datasets.read_built(builder, "test")
    assert test.writer == "1241-f"
    for number in (1, 2):
        archive = casia / f"Gnt1.1TrainPart{number}.zip"
        _same([train[number - 1]], datasets.read_local(archive))


def test_a_recipe_trains_on_a_folder_of_a_public_set(casia: Path, tmp_path: Path) -> None:
    data = made_hands.write_data(tmp_path / "data")
    recipe = CharacterRecipe(model="hanzinet", sizes=TINY, data=data, sets=(str(casia),))
    task = recipe.task()
    # The test writer, 1241-f, stays out.
    assert task.facts()["data"]["hands"] == ["a", "b", "1001-f", "1002-f"]
    assert task.facts()["data"]["sets"] == [casia.name]
    assert "sets" not in to_json(recipe)


def test_a_set_that_is_not_known_is_told() -> None:
    with pytest.raises(ValueError, match=r"named 'casia_hwdb/1\.3'\. Did you mean 'casia_hwdb/1\.\d'\?"):
        datasets.hands("casia_hwdb/1.3")


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("ai_free", "ai_free_common"),
        ("casia_hwdb", r"casia_hwdb/1\.\d"),
        ("casia_hwdb/9.9", r"casia_hwdb/1\.\d"),
    ],
)
def test_a_set_that_cannot_be_built_is_told(name: str, near: str, tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match=rf"named '{name}'\. Did you mean '{near}'\? There are: ai_free_common, "
    ):
        datasets.build(name, data_dir=tmp_path)
    assert not list(tmp_path.iterdir())


def test_unpacked_casia_tells_the_split_by_its_folders(casia: Path, tmp_path: Path) -> None:
    unpacked = tmp_path / "unpacked"
    for archive in casia.glob("*.zip"):
        older = {"Gnt1.1Test": "HWDB1.1tst_gnt", "Gnt1.1TrainPart1": "HWDB1.1trn_gnt"}
        with zipfile.ZipFile(archive) as opened:
            opened.extractall(unpacked / older.get(archive.stem, archive.stem))
    for split in ("train", "test"):
        built = [
            datasets.read_built(
                datasets.build("casia_hwdb/1.1", folder, tmp_path / f"built {folder.name}"), split
            )
            for folder in (casia, unpacked)
        ]
        _same(*built)
    with pytest.raises(ValueError, match=r"must hold files of HWDB1\.2"):
        datasets.build("casia_hwdb/1.2", unpacked, tmp_path / "other")
    (unpacked / "9.gnt").write_bytes(_gnt("一"))
    with pytest.raises(ValueError, match=r"9\.gnt: its name or folder must tell train or test"):
        datasets.build("casia_hwdb/1.1", unpacked, tmp_path / "another")


def test_pixels_of_a_known_writer_tell_the_size(tmp_path: Path) -> None:
    (tmp_path / "7.gnt").write_bytes(
        _record("一", 60, 60) + _record("人", 80, 60) + _record("口", 100, 90) + _record("，", 20, 10)
    )
    (hand,) = datasets.read_local(tmp_path)
    assert hand.writer == "7"
    sides = [max(np.ptp(np.nonzero(image < 250), axis=1)) + 1 for image in hand.images]
    # 0.8 of the em square, 76.8 pixels, are the middle of 60, 80 and 100.
    assert sides == pytest.approx([57.6, 76.8, 94, 19.2], abs=1)  # Pixels are whole, 94 the most.
    for image in hand.images:
        assert np.mean(np.nonzero(image < 250), axis=1) == pytest.approx((48, 48), abs=12)


def test_names_in_big5_are_understood(tmp_path: Path) -> None:
    # The second byte of 功 is a backslash; other pairs of bytes are letters in UTF-8.
    twofold = [
        character
        for character in charset.CHARACTERS[1:]
        if len(raw := character.encode("cp950", "ignore")) == 2
        and 0xC2 <= raw[0] <= 0xDF
        and 0x80 <= raw[1] <= 0xBF
    ]
    assert len(twofold) > 50
    text = ["功", "許", "一", *twofold[:20]]
    flat = {f"cleaned_data(50_50)/{character}_1.png": _png(character) for character in text}
    deep = {f"cleaned_data/{character}/{character}_1.png": _png(character) for character in text}
    for members in (flat, deep):
        (big5,) = datasets.read_local(_write_zip(tmp_path / "a.zip", members, big5=True))
        assert charset.decode(big5.labels) == "".join(text)
        (utf8,) = datasets.read_local(_write_zip(tmp_path / "a.zip", members))
        _same([big5], [utf8])


def test_a_name_in_utf8_that_does_not_say_so_is_understood(tmp_path: Path) -> None:
    path = _write_zip(tmp_path / "a.zip", {"人_1.png": _png("人"), "一_1.png": _png("一")})
    marked, bare = (struct.pack("<HH", 20, flag) for flag in (0x800, 0))
    path.write_bytes(path.read_bytes().replace(marked, bare))
    with zipfile.ZipFile(path) as archive:
        assert not any(info.flag_bits for info in archive.infolist())
    (read,) = datasets.read_local(path)
    assert charset.decode(read.labels) == "人一"


@pytest.fixture
def complete(tmp_path: Path) -> Path:
    """The complete set in four parts."""
    members = {
        f"cleaned_data/{character}/{character}_{number}.png": _png(character, number, 300, "RGB")
        for character in "一人口日龘"
        for number in (1, 2)
    }
    content = _write_zip(tmp_path / "whole.zip", members, big5=False).read_bytes()
    folder = tmp_path / "handwritting_data_all"
    step = len(content) // 4 + 1
    for part in range(4):
        parted = content[part * step : (part + 1) * step]
        (_unpack({f"all_data.zip.{part + 1:03}": parted}, folder) / "README.md").write_text("", "utf-8")
    return folder


def test_the_complete_set_is_read_from_its_parts(complete: Path, tmp_path: Path) -> None:
    dropped = datasets.Dropped()
    (joined,) = _renamed(datasets.read_local(tmp_path / "whole.zip", dropped), "ai_free_complete")
    assert dropped.outside == {"龘": 2}
    assert len(joined.labels) == 8
    builder = datasets.build("ai_free_complete", complete, tmp_path / "built")
    assert builder.info.splits["train"].num_examples == 10  # The charset is applied when it is read.
    _same([joined], datasets.read_built(builder))
    _same([joined], _renamed(datasets.read_local(complete / "all_data.zip.001"), joined.writer))
    # With the joined file beside its parts, nothing is read twice.
    (complete / "all_data.zip").write_bytes((tmp_path / "whole.zip").read_bytes())
    _same([joined], _renamed(datasets.read_local(complete), joined.writer))


def test_a_missing_part_is_told(complete: Path) -> None:
    (complete / "all_data.zip.002").unlink()
    with pytest.raises(ValueError, match=r"all_data\.zip: all parts .* are needed. Missing: \[2\]"):
        datasets.read_local(complete)
    (complete / "all_data.zip.003").unlink()
    (complete / "all_data.zip.004").unlink()
    with pytest.raises(ValueError, match=r"all_data\.zip\.001: must be a whole zip archive"):
        next(datasets.read_local(complete))


def test_folders_of_a_user_read_as_sources_read_them(tmp_path: Path) -> None:
    folder = made_hands.write_folder(tmp_path / "mine")
    expected, _ = sources.read_folder(folder, charset.CHARACTERS)
    (read,) = datasets.read_local(folder)
    np.testing.assert_array_equal(read.images, expected.images)
    np.testing.assert_array_equal(read.labels, expected.labels)
    assert read.writer == expected.writer
    builder = datasets.build("character_folders", folder, tmp_path / "built")
    _same(_renamed([expected], "character_folders"), datasets.read_built(builder))


def test_what_cannot_be_used_is_left_out_and_counted(tmp_path: Path) -> None:
    blank = io.BytesIO()
    Image.new("L", (50, 50), 180).save(blank, "PNG")
    members = {
        "一_1.png": _png("一"),
        "人_1.png": _png("人")[:60],
        "口_1.png": blank.getvalue(),
        "日_1.png": _png("日", side=3),
        "unnamed.png": _png("一"),
        "1.png": _png("一"),  # A number, no digit.
        "龘_1.png": _png("龘"),
        "①_1.png": _png("一"),  # NFKC takes it for 1, but it looks otherwise.
        "readme.txt": b"",
        "__MACOSX/._一_1.png": b"",
    }
    dropped = datasets.Dropped()
    (read,) = datasets.read_local(_write_zip(tmp_path / "set" / "a.zip", members), dropped)
    assert charset.decode(read.labels) == "一"
    assert dropped.outside == {"龘": 1, "①": 1}
    reasons = [line.partition("a.zip: ")[2] for line in dropped.unreadable]
    assert reasons[0].startswith("人_1.png: ")
    assert reasons[1:] == [
        "口_1.png: it shows no ink.",
        "日_1.png: its sides must be 4 to 4,096 pixels. Received: (3, 3).",
        "unnamed.png: its name must be CHARACTER/1.png or CHARACTER_1.png.",
        "1.png: its name must be CHARACTER/1.png or CHARACTER_1.png.",
    ]
    datasets.build("ai_free_common", tmp_path / "set", tmp_path / "built")
    again = datasets.build("ai_free_common", data_dir=tmp_path / "built")  # It is built already.
    assert again.info.metadata["skipped"] == dropped.unreadable
    assert again.info.splits["train"].num_examples == 3


def test_a_tag_that_is_no_character_is_left_out(tmp_path: Path) -> None:
    tags = [b"\xff\x00", b"\x00\x00", b" \x00", b"12", b"\xa1\xa1"]
    (tmp_path / "1.gnt").write_bytes(_record("一") + b"".join(_record("一", tag=tag) for tag in tags))
    dropped = datasets.Dropped()
    (read,) = datasets.read_local(tmp_path / "1.gnt", dropped)
    assert charset.decode(read.labels) == "一"
    assert len(dropped.unreadable) == len(tags)
    assert "1.gnt, offset 3,850: its tag 0xff00 is no character of GBK." in dropped.unreadable[0]


def test_punctuation_and_letters_of_casia_find_their_classes(tmp_path: Path) -> None:
    (tmp_path / "1.gnt").write_bytes(b"".join(_record(character) for character in "，—…「Aa9?"))
    (read,) = datasets.read_local(tmp_path)
    assert charset.decode(read.labels) == charset.normalise("，—…「Aa9?")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "Received: 0 bytes"),
        (_record("一")[:7], "7 of the 10 bytes of a header at offset 0"),
        (_record("一") + _record("人")[:-1], "3,839 of the 3,840 pixels of the record at offset 3,850"),
        (_record("一") + struct.pack("<I2sHH", 10, b"\xb0\xa1", 0, 9), "width=0, height=9 at offset 3,850"),
        (struct.pack("<I2sHH", 10 + 60_000**2, b"\xb0\xa1", 60_000, 60_000), "width=60000, height=60000"),
        (
            struct.pack("<I2sHH", 12, b"\xb0\xa1", 1, 1) + b"\0\0",
            "must be 11 bytes. Received: 12 at offset 0",
        ),
    ],
)
def test_a_damaged_gnt_file_is_told_with_its_place(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "13.gnt").write_bytes(content)
    with pytest.raises(ValueError, match=r"13\.gnt: .*" + message):
        list(datasets.read_local(tmp_path))
    _write_zip(tmp_path / "13.zip", {"13.gnt": content})
    with pytest.raises(ValueError, match=r"13\.zip: 13\.gnt: .*" + message):
        list(datasets.read_local(tmp_path / "13.zip"))


def test_a_damaged_archive_is_told_with_its_place(tmp_path: Path) -> None:
    members = {"一_1.png": _png("一"), "人_1.png": _png("人")}
    whole = _write_zip(tmp_path / "a.zip", members).read_bytes()
    second = whole.index("人_1".encode()) - 30

    def refused(content: bytes) -> str:
        (tmp_path / "a.zip").write_bytes(content)
        with pytest.raises(ValueError, match=r"a\.zip: ") as caught:
            list(datasets.read_local(tmp_path / "a.zip"))
        return str(caught.value)

    assert f"before its end at offset {len(whole) - 30:,}" in refused(whole[:-30])
    assert "must be a whole zip archive" in refused(b"no archive at all")
    at = second + 60
    flipped = refused(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
    assert f"a.zip: 人_1.png: must be a whole member of the archive, at offset {second}" in flipped
    directory = whole.rindex(b"PK\x01\x02")
    encrypted = bytearray(whole)
    encrypted[directory + 8] |= 1
    assert "encrypted" in refused(bytes(encrypted))
    other = bytearray(whole)
    other[directory + 10] = 14
    assert "must be stored or deflated. Received: method 14" in refused(bytes(other))
    huge = bytearray(whole)
    huge[directory + 24 : directory + 28] = struct.pack("<I", 2**31)
    assert "must have at most 16,777,216 bytes. Received: 2,147,483,648" in refused(bytes(huge))


def test_no_single_wrong_byte_raises_anything_but_an_error_of_value(tmp_path: Path) -> None:
    zipped = _write_zip(tmp_path / "a.zip", {"一_1.png": _png("一", side=8), "1.gnt": _record("一", 4, 4)})
    (tmp_path / "b.gnt").write_bytes(_record("一", 4, 4) * 2)
    messages = []
    for path in (zipped, tmp_path / "b.gnt"):
        content = path.read_bytes()
        for place in range(len(content)):
            path.write_bytes(content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :])
            try:
                list(datasets.read_local(path))
            except ValueError as error:
                messages.append((path.name, str(error)))
    assert len(messages) > 100
    assert all(name in message for name, message in messages)


def test_nothing_is_written_where_names_in_an_archive_point(tmp_path: Path) -> None:
    names = ["../../一_1.png", "/人_1.png", "a/../口_1.png", "日_1.png"]
    path = _write_zip(tmp_path / "in" / "deep" / "a.zip", {name: _png(name[-7]) for name in names})
    before = set(tmp_path.rglob("*"))
    (read,) = datasets.read_local(path)
    assert charset.decode(read.labels) == "人日"
    assert set(tmp_path.rglob("*")) == before


def test_an_archive_in_alz_is_told(tmp_path: Path) -> None:
    _write_zip(tmp_path / "HWDB1.1trn_gnt.zip", {"HWDB1.1trn_gnt.alz": b"ALZ\x01"})
    with pytest.raises(ValueError, match=r"HWDB1\.1trn_gnt\.alz: an ALZ archive must be unpacked first"):
        datasets.build("casia_hwdb/1.1", tmp_path, tmp_path / "built")


def test_places_without_handwriting_are_refused(tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match=r"`path` must be a folder or file of handwriting\. Received: .*none"
    ):
        datasets.read_local(tmp_path / "none")
    with pytest.raises(ValueError, match=r"must hold zip archives, \.gnt files, or pictures"):
        datasets.read_local(tmp_path)
    with pytest.raises(ValueError, match="`folder` must be a folder that holds the files of ai_free_common"):
        datasets.build("ai_free_common", tmp_path, tmp_path)
    with pytest.raises(ValueError, match=r"a\.zip: must hold pictures or \.gnt files\. Received: none"):
        next(datasets.read_local(_write_zip(tmp_path / "a.zip", {"readme.txt": b""})))
    with pytest.raises(ValueError, match=r"charset\. Received: 1 of other characters, 1 that cannot be read"):
        next(datasets.read_local(_write_zip(tmp_path / "b.zip", {"龘_1.png": _png("龘"), "一_1.png": b""})))
    _write_zip(tmp_path / "empty" / "c.zip", {"一_1.png": b""})
    with pytest.raises(ValueError, match=r"c\.zip: none of its 1 pictures can be read\. .*一_1\.png: "):
        datasets.build("ai_free_common", tmp_path / "empty", tmp_path / "built")


def test_a_set_that_was_built_from_another_folder_is_told(tmp_path: Path) -> None:
    first, second = (made_hands.write_folder(tmp_path / name) for name in ("first", "second"))
    datasets.build("character_folders", first, tmp_path / "built")
    datasets.build("character_folders", first, tmp_path / "built")
    with pytest.raises(ValueError, match=r"was built from .*first\. Remove it to build it from .*second"):
        datasets.build("character_folders", second, tmp_path / "built")


def test_a_set_that_cannot_be_downloaded_says_how_to_bring_it(tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match=r"git clone https://github\.com/chenkenanalytic/handwritting_data_all"
    ):
        datasets.build("ai_free_complete", data_dir=tmp_path)
    with pytest.raises(ValueError, match="a folder of pictures for each character"):
        datasets.build("character_folders", data_dir=tmp_path)


def test_without_a_network_the_files_to_bring_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(manager: tfds.download.DownloadManager, urls: object) -> None:
        raise ConnectionError("no route to host")

    monkeypatch.setattr(tfds.download.DownloadManager, "download", fail)
    with pytest.raises(OSError, match=r"no route to host\n.*build\(name, folder\).*Gnt1\.2TrainPart2\.zip"):
        datasets.build("casia_hwdb/1.2", data_dir=tmp_path)


def test_what_is_downloaded_reads_as_a_local_folder(
    common: list[dict[str, bytes]], casia: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, members in enumerate(common, 1):
        _write_zip(tmp_path / "common" / COMMON.format(number), members)
    asked = []

    def download(manager: tfds.download.DownloadManager, urls: dict[str, list[str]]) -> dict[str, list[Path]]:
        asked.extend(url for group in urls.values() for url in group)
        folder = tmp_path / "common" if "AI-FREE" in asked[-1] else casia
        return {split: [folder / url.rpartition("/")[2] for url in group] for split, group in urls.items()}

    monkeypatch.setattr(tfds.download.DownloadManager, "download", download)
    builder = datasets.build("ai_free_common", data_dir=tmp_path / "built")
    (read,) = datasets.read_built(builder)
    assert charset.decode(read.labels) == "一一人人口口日日"
    with pytest.raises(ValueError, match=r"Gnt1\.1TrainPart1\.zip: its MD5 sum must be 72bac7b6a5ce37f"):
        datasets.build("casia_hwdb/1.1", data_dir=tmp_path / "built")
    assert len(asked) == 4 + 3
    assert all(url.startswith("https://") and url.endswith(".zip") for url in asked)
    monkeypatch.setattr(datasets.CasiaHwdb, "_PARTS", {"1.1": (2, {})})
    downloaded = datasets.build("casia_hwdb/1.1", data_dir=tmp_path / "built")
    local = datasets.build("casia_hwdb/1.1", casia, tmp_path / "local")
    for split in ("train", "test"):
        _same(datasets.read_built(downloaded, split), datasets.read_built(local, split))


@pytest.mark.parametrize("name", ["ai_free_common", "ai_free_complete", "casia_hwdb/1.0", "casia_hwdb/1.2"])
def test_each_public_set_tells_its_licence_and_whom_to_cite(name: str, tmp_path: Path) -> None:
    info = tfds.builder(name, data_dir=tmp_path).info
    assert "For research, not for commerce" in info.description
    assert "The weights that come with hanzoo use none of them" in info.description
    assert info.citation.startswith("@")
    assert info.homepage.startswith("https://")
    assert info.as_proto.redistribution_info.license.startswith(("CC BY-NC-SA 4.0", "Free for academic"))


def test_a_mocked_set_has_the_features(tmp_path: Path) -> None:
    with tfds.testing.mock_data(num_examples=2):
        examples = list(tfds.as_numpy(tfds.load("casia_hwdb/1.1", split="train", data_dir=tmp_path)))
    assert len(examples) == 2
    assert examples[0]["image"].shape[-1] == 1
    assert set(examples[0]) == {"image", "label", "writer"}
