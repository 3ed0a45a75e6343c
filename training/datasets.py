"""Public handwriting: builders for tensorflow-datasets, and what they hold as `Glyphs`.

    builder = datasets.build("casia_hwdb/1.1", folder="downloads/casia")
    for hand in datasets.read_built(builder, "train"):
        ...

Each builder downloads what can be downloaded, or reads a folder of the user: the archives as they
were published, or their unpacked files. Both take the same path, and nothing is extracted to disk.

The publishers give no checksums. tensorflow-datasets records its own: with
`tfds.download.DownloadConfig(register_checksums=True)` it writes the size and SHA-256 of what it
downloads to `training/checksums.tsv`, and from then on refuses files that differ. The MD5 sums of
HWDB1.1 below are those of Nevis'22 (https://github.com/google-deepmind/dm_nevis).
"""

import abc
import collections
import dataclasses
import hashlib
import itertools
import os
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
import tensorflow_datasets as tfds

import zoo
from training import archives, sources
from training.sources import EM, Glyphs

_NOTICE = (
    "For research, not for commerce: weights that are trained on these data are bound by their licence. "
    "The weights that come with hanzoo use none of them."
)


@dataclasses.dataclass
class Dropped:
    """What reading left out.

    Attributes:
        outside: For each character that has no class, the number of its pictures.
        unreadable: A line for each picture that cannot be read or has no label, with the reason.
    """

    outside: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    unreadable: list[str] = dataclasses.field(default_factory=list)


def read_local(
    path: Path, dropped: Dropped | None = None, split: Literal["train", "test"] | None = None
) -> Iterator[Glyphs]:
    """Reads a folder of handwriting, or one file of it, without building a data set.

    Of what a folder holds, the first kind is read: zip archives, also split ones (`.zip.001`) and
    those of `.gnt` files; `.gnt` files; pictures named `CHARACTER/1.png` or `CHARACTER_1.png`.

    Args:
        path: The folder or file.
        dropped: Takes up what is left out.
        split: Only the files whose names or folders tell this split; those that tell none are of "train".
            None takes all.

    Returns:
        The characters of one writer after the other, or all in one where writers are not known. As
        pictures of known writers are cut to the ink, their characters keep their sizes, but stand
        in the middle of the em square. Other pictures show a cell or are cut to the ink, as in
        `sources.read_folder`.

    Raises:
        ValueError: There is none, a file is damaged, or no picture can be used.
    """
    out = Dropped() if dropped is None else dropped
    files = archives.files_of(path)
    if split is not None:
        files = [
            parts for parts in files if _split_of(parts, path) in (split, "" if split == "train" else split)
        ]
    found = archives.find(files, out.unreadable)
    inside = (one for one in found if _class_of(one.label, out) is not None)
    read = ((one.writer, one.label, image) for one, image in archives.readable(inside, out.unreadable))
    return _glyphs(read, path.name, out)


def read_built(
    builder: tfds.core.DatasetBuilder, split: str = "train", dropped: Dropped | None = None
) -> Iterator[Glyphs]:
    """Reads a data set that one of the builders of this module has built.

    Args:
        builder: The builder; its data set is built.
        split: As in `tfds.load`; also a part of a split (`train[:10%]`).
        dropped: Takes up what is left out. What could not be read when the data set was built is in
            `builder.info.metadata["skipped"]`.

    Returns:
        As `read_local`.

    Raises:
        ValueError: No picture can be used.
    """
    out = Dropped() if dropped is None else dropped
    examples = tfds.as_numpy(
        builder.as_dataset(split=split, read_config=tfds.ReadConfig(try_autocache=False))
    )
    read = (
        (example["writer"].decode(), label, example["image"][..., 0])
        for example in examples
        if _class_of(label := example["label"].decode(), out) is not None
    )
    return _glyphs(read, builder.name, out)


def hands(name: str, dropped: Dropped | None = None) -> list[Glyphs]:
    """The training characters of a public data set by its name, built if needed, or of a folder of its files.

    Args:
        name: One of `NAMES`, or a folder.
        dropped: Takes up what is left out.

    Raises:
        ValueError: There is no such data set or folder, or its files cannot be used.
        OSError: The files cannot be downloaded.
    """
    if name in NAMES:
        return list(read_built(build(name), "train", dropped))
    if not Path(name).exists():
        raise ValueError(f"No public data set or folder named {name!r}.{zoo.did_you_mean(name, NAMES)}")
    return list(read_local(Path(name), dropped, "train"))


def _split_of(parts: archives.Source, folder: Path) -> str:
    """What the name of a file, or that of a folder above it, tells: "train", "test" or ""."""
    inside = parts[0].relative_to(folder).parts if folder.is_dir() else parts[0].parts[-1:]
    found = _first_match(r"(?<![a-z])(?:train|trn|test|tst)(?![a-z])|trainpart", (folder.name, *inside)[::-1])
    return {"tr": "train", "te": "test", "ts": "test"}.get(found[:2], "")


def _class_of(label: str, dropped: Dropped) -> int | None:
    index = sources.class_of(label)
    if index is None:
        dropped.outside[label] += 1
    return index


def _glyphs(read: Iterable[tuple[str, str, np.ndarray]], name: str, dropped: Dropped) -> Iterator[Glyphs]:
    """Puts the pictures of each writer in turn on em squares; `name` stands for a writer who is not known."""
    empty = True
    for writer, pictures in itertools.groupby(read, key=lambda one: one[0]):
        empty = False
        yield _placed(pictures, writer, name)
    if empty:
        raise ValueError(
            f"{name}: must hold pictures of characters of the charset. Received: "
            f"{dropped.outside.total()} of other characters, {len(dropped.unreadable)} that cannot be read"
            f"{': ' + dropped.unreadable[0] if dropped.unreadable else '.'}"
        )


def _placed(pictures: Iterable[tuple[str, str, np.ndarray]], writer: str, name: str) -> Glyphs:
    inks, boxes, shapes, labels = [], [], [], []
    for _, label, picture in pictures:
        box = sources.ink_box(picture)
        ink = picture[box[1] : box[3], box[0] : box[2]]
        inks.append(zlib.compress(ink.tobytes(), 1))  # The complete AI.FREE set would take 20 GB.
        boxes.append(box)
        shapes.append(picture.shape)
        labels.append(label)
    corners = np.array(boxes, np.float32)
    sizes = corners[:, 2:] - corners[:, :2]
    # At one resolution pixels tell the size; else only the share of the picture does.
    units = np.ones(len(labels)) if writer else np.array([max(shape) for shape in shapes])
    sides = sizes.max(axis=1) / units
    scale = sources.scale_of(sides, labels)
    images = np.empty((len(labels), EM, EM), np.uint8)
    for index, (packed, shape) in enumerate(zip(inks, shapes, strict=True)):
        columns, rows = sizes[index].astype(int)
        ink = np.frombuffer(zlib.decompress(packed), np.uint8).reshape(rows, columns)
        if writer:
            middle = (corners[index, :2] + corners[index, 2:]) / 2
        else:
            middle = np.array(shape[::-1], np.float32) / 2
        images[index] = sources.place_ink(ink, corners[index], middle, scale / float(units[index]))
    classes = np.array([sources.class_of(label) for label in labels], np.int32)
    return Glyphs(writer or name, images, classes, real=True)


NAMES = (
    "ai_free_common",
    "ai_free_complete",
    "casia_hwdb/1.0",
    "casia_hwdb/1.1",
    "casia_hwdb/1.2",
    "character_folders",
)
"""All data sets; the second and the last need a folder."""


class _Archive(NamedTuple):
    """A file to download, and its MD5 sum where one is known."""

    url: str
    md5: str = ""


def build(
    name: str, folder: str | Path | None = None, data_dir: str | Path | None = None
) -> tfds.core.DatasetBuilder:
    """Builds a data set, unless it is built already.

    Args:
        name: One of `NAMES`.
        folder: Where the files of the data set are, as `read_local` reads them; None downloads them.
        data_dir: Where data sets are built; `~/tensorflow_datasets` unless it is given.

    Raises:
        ValueError: There is no data set of this name; `folder` is no folder, lacks the files, or holds damaged ones; the
            data set was built from another folder; or it cannot be downloaded.
        OSError: The files cannot be downloaded.
    """
    if name not in NAMES:
        hint = zoo.did_you_mean(name, NAMES)
        raise ValueError(f"No public data set named {name!r}.{hint} There are: {', '.join(NAMES)}.")
    if folder is not None and not (Path(folder).is_dir() and any(Path(folder).iterdir())):
        raise ValueError(f"`folder` must be a folder that holds the files of {name}. Received: {folder}.")
    builder = tfds.builder(name, data_dir=data_dir)
    origin = Path(builder.data_dir) / "built_from.txt"
    wanted = "" if folder is None else str(Path(folder).resolve())
    built_from = origin.read_text(encoding="utf-8") if origin.is_file() else None
    if wanted and built_from not in (None, wanted):
        raise ValueError(
            f"{builder.data_dir}: {name} was built from {built_from or 'a download'}. "
            f"Remove it to build it from {folder}."
        )
    builder.download_and_prepare(download_config=tfds.download.DownloadConfig(manual_dir=folder))
    if built_from is None:
        origin.write_text(wanted, encoding="utf-8")
    return builder


class _Handwriting(tfds.core.GeneratorBasedBuilder):
    """What the builders share.

    Examples hold `image`, uint8 (height, width, 1), dark ink on white in its own size; `label`, the
    character as text; `writer`, "" where it is not known. They stay in the order of the files, so that
    those of a writer follow each other.
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES: ClassVar[dict[str, str]] = {"1.0.0": "The first."}
    # To find it, tensorflow-datasets 4.9.10 would need importlib_resources, which it does not install.
    code_path = tfds.core.Path(__file__)
    ABOUT = ""
    HOMEPAGE = ""
    LICENCE = ""
    CITATION = ""

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description=self.ABOUT,
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(shape=(None, None, 1)),
                    "label": tfds.features.Text(),
                    "writer": tfds.features.Text(),
                }
            ),
            supervised_keys=("image", "label"),
            disable_shuffling=True,
            homepage=self.HOMEPAGE,
            citation=self.CITATION,
            license=self.LICENCE,
            metadata=tfds.core.MetadataDict(skipped=[]),
        )

    @abc.abstractmethod
    def _archives(self) -> Mapping[str, Sequence[_Archive]]:
        """What to download for each split; nothing if the user must bring it."""

    def _local(self, folder: Path) -> dict[str, list[archives.Source]]:
        """The files of each split in a folder of the user."""
        return {"train": archives.files_of(folder)}

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Iterator[Any]]:
        try:
            files = self._local(Path(dl_manager.manual_dir))
        except AssertionError as error:  # There is no such folder.
            if not self._archives():
                raise ValueError(f"{self.name}: {self.MANUAL_DOWNLOAD_INSTRUCTIONS}") from error
            files = _download(dl_manager, self._archives())
        return {split: self._generate_examples(found) for split, found in files.items()}

    def _generate_examples(self, files: list[archives.Source]) -> Iterator[tuple[int, dict[str, Any]]]:
        skipped = self.info.metadata["skipped"]
        number = -1
        for number, (found, image) in enumerate(archives.readable(archives.find(files, skipped), skipped)):
            yield number, {"image": image[..., None], "label": found.label, "writer": found.writer}
        if number < 0:
            raise ValueError(
                f"{files[0][0]}: none of its {len(skipped)} pictures can be read. {skipped[0] if skipped else ''}"
            )


def _download(
    dl_manager: tfds.download.DownloadManager, archives: Mapping[str, Sequence[_Archive]]
) -> dict[str, list[archives.Source]]:
    urls = {split: [archive.url for archive in group] for split, group in archives.items()}
    try:
        paths = dl_manager.download(urls)
    except Exception as error:  # Of tensorflow-datasets, requests, or the system.
        raise OSError(
            f"The files cannot be downloaded: {error}\nWithout a network, bring them and give their folder: "
            f"build(name, folder). They are: {', '.join(itertools.chain(*urls.values()))}."
        ) from error
    files = {split: [Path(os.fspath(path)) for path in group] for split, group in paths.items()}
    for split, group in archives.items():
        for archive, file in zip(group, files[split], strict=True):
            _check(archive, file)
    return {split: [(file,) for file in group] for split, group in files.items()}


def _check(archive: _Archive, file: Path) -> None:
    """Compares a file with its MD5 sum, if one is known."""
    if not archive.md5:
        return
    with file.open("rb") as stream:
        found = hashlib.file_digest(stream, "md5").hexdigest()
    if found != archive.md5:
        raise ValueError(
            f"{archive.url}: its MD5 sum must be {archive.md5}. Received: {found}. "
            f"Delete {file}, and download it again."
        )


_AI_FREE = "https://github.com/AI-FREE-Team/Traditional-Chinese-Handwriting-Dataset"
_AI_FREE_LICENCE = "CC BY-NC-SA 4.0, https://creativecommons.org/licenses/by-nc-sa/4.0/"
_AI_FREE_CITATION = r"""@misc{AI.FREE2020,
  author = {Po-Chuan Chen},
  title = {Traditional Chinese Handwriting Dataset},
  year = {2020},
  publisher = {GitHub},
  journal = {GitHub repository},
  howpublished = {\url{https://github.com/AI-FREE-Team/Traditional-Chinese-Handwriting-Dataset}},
}"""
_AI_FREE_SOURCE = (
    "The dataset is AI . FREE Team development from STUST EECS_Chinese MNIST "
    "(https://scidm.nchc.org.tw/dataset/stusteecs_chinese_mnist). The writers are not known. "
)


class AiFreeCommon(_Handwriting):
    """AI.FREE Traditional Chinese Handwriting, the common characters.

    Four zip archives of `cleaned_data(50_50)/CHARACTER_1.png`. No checksums are published.
    """

    ABOUT = (
        "AI.FREE Traditional Chinese Handwriting, common characters: 250,712 pictures of 4,803 characters, "
        f"50 x 50 pixels. {_AI_FREE_SOURCE}{_NOTICE}"
    )
    HOMEPAGE = _AI_FREE
    LICENCE = _AI_FREE_LICENCE
    CITATION = _AI_FREE_CITATION
    MANUAL_DOWNLOAD_INSTRUCTIONS = f"""\
    It is downloaded, unless this folder holds the folder `data` of {_AI_FREE},
    its four zip archives, or the pictures unpacked from them."""

    def _archives(self) -> Mapping[str, Sequence[_Archive]]:
        base = _AI_FREE.replace("//github.com", "//raw.githubusercontent.com") + "/master/data"
        name = "cleaned_data(50_50)-20200420T071507Z"
        return {"train": [_Archive(f"{base}/{name}-{number:03}.zip") for number in range(1, 5)]}


class AiFreeComplete(_Handwriting):
    """AI.FREE Traditional Chinese Handwriting, all characters.

    A zip archive of `cleaned_data/CHARACTER/CHARACTER_1.png` with names in Big5, split into the parts
    `all_data.zip.001` ... in a repository of its own. No checksums are published.
    """

    ABOUT = (
        "AI.FREE Traditional Chinese Handwriting, complete: 684,677 pictures of 13,065 characters, "
        f"300 x 300 pixels. {_AI_FREE_SOURCE}{_NOTICE}"
    )
    HOMEPAGE = _AI_FREE
    LICENCE = _AI_FREE_LICENCE
    CITATION = _AI_FREE_CITATION
    MANUAL_DOWNLOAD_INSTRUCTIONS = """\
    Run `git clone https://github.com/chenkenanalytic/handwritting_data_all`, and give the folder.
    The parts all_data.zip.* are read as they are. A folder of all_data.zip, joined from them, or of its
    unpacked pictures will do as well."""

    def _archives(self) -> Mapping[str, Sequence[_Archive]]:
        return {}


class CasiaHwdb(_Handwriting):
    """CASIA-HWDB, isolated characters: simplified Chinese, and symbols.

    Zip archives of `.gnt` files, one a writer; training and test writers are apart. The checksums of 1.0 and
    1.2 are not known, those of 1.1 are MD5 sums that others published.
    """

    BUILDER_CONFIGS: ClassVar[list[tfds.core.BuilderConfig]] = [
        tfds.core.BuilderConfig(
            name="1.0",
            description="1,680,258 pictures of 3,866 Chinese characters and 171 symbols, 420 writers.",
        ),
        tfds.core.BuilderConfig(
            name="1.1",
            description="1,172,907 pictures of 3,755 Chinese characters and 171 symbols, 300 writers.",
        ),
        tfds.core.BuilderConfig(
            name="1.2",
            description="1,041,970 pictures of 3,319 Chinese characters and 171 symbols, 300 writers.",
        ),
    ]
    ABOUT = (
        "CASIA-HWDB, isolated characters of 1,020 writers, scanned at 300 dots an inch and cut to the ink. "
        "Many of the characters are simplified; those that the charset of hanzoo lacks are dropped when "
        f"they are read. {_NOTICE}"
    )
    HOMEPAGE = "https://nlpr.ia.ac.cn/databases/handwriting/Offline_database.html"
    LICENCE = (
        "Free for academic research, not for commercial use; the Institute of Automation of CAS keeps the "
        "copyright. https://nlpr.ia.ac.cn/databases/handwriting/Application_form.html"
    )
    CITATION = """@inproceedings{liu2011casia,
  author = {Cheng-Lin Liu and Fei Yin and Da-Han Wang and Qiu-Feng Wang},
  title = {{CASIA} Online and Offline {Chinese} Handwriting Databases},
  booktitle = {International Conference on Document Analysis and Recognition},
  pages = {37--41},
  year = {2011},
  doi = {10.1109/ICDAR.2011.17},
}"""
    MANUAL_DOWNLOAD_INSTRUCTIONS = """\
    It is downloaded, unless this folder holds its zip archives (Gnt1.1TrainPart1.zip ..., or the older
    HWDB1.1trn_gnt.zip ...), or the .gnt files unpacked from them. The names of the archives, or the folders
    of the .gnt files, must tell the split: train or trn, test or tst."""

    _PARTS: ClassVar[dict[str, tuple[int, dict[str, str]]]] = {
        "1.0": (3, {}),
        "1.1": (
            2,
            {
                "TrainPart1": "72bac7b6a5ce37f184f277421adfacfd",
                "TrainPart2": "a8b76e4eccfb1fd8d56c448f6a096c27",
                "Test": "e74f9a4863e73d8b80ed402452c97448",
            },
        ),
        "1.2": (2, {}),
    }

    def _archives(self) -> Mapping[str, Sequence[_Archive]]:
        version = self.builder_config.name
        count, sums = self._PARTS[version]
        base = f"https://nlpr.ia.ac.cn/databases/Download/Offline/CharData/Gnt{version}"
        names = {"train": [f"TrainPart{number}" for number in range(1, count + 1)], "test": ["Test"]}
        return {
            split: [_Archive(f"{base}{part}.zip", sums.get(part, "")) for part in parts]
            for split, parts in names.items()
        }

    def _local(self, folder: Path) -> dict[str, list[archives.Source]]:
        splits: dict[str, list[archives.Source]] = {"train": [], "test": []}
        for parts in archives.files_of(folder):
            names = (folder.name, *parts[0].relative_to(folder).parts)[::-1]
            version = _first_match(r"1\.[012]", names)
            if version in ("", self.builder_config.name):
                split = _split_of(parts, folder)
                if not split:
                    raise ValueError(f"{parts[0]}: its name or folder must tell train or test.")
                splits[split].append(parts)
        found = {split: parts for split, parts in splits.items() if parts}
        if not found:
            raise ValueError(
                f"{folder}: must hold files of HWDB{self.builder_config.name}. Received: others."
            )
        return found


def _first_match(pattern: str, names: Iterable[str]) -> str:
    """What `pattern` finds in the first of `names` in which it finds something, or ""."""
    for name in names:
        if found := re.search(pattern, name.lower()):
            return found[0]
    return ""


class CharacterFolders(_Handwriting):
    """A folder of pictures for each character, `CHARACTER/1.png`, of the user."""

    ABOUT = "Pictures of characters of the user, a folder for each character."
    MANUAL_DOWNLOAD_INSTRUCTIONS = "Give a folder that holds a folder of pictures for each character."

    def _archives(self) -> Mapping[str, Sequence[_Archive]]:
        return {}
