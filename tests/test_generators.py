"""`hanzoo sample`, `write` and `balance`, with a generator that a test trains for a moment."""

import dataclasses
import errno
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

import zoo
from serving import preset as presets
from serving import report
from serving.cli import main
from tests import made_hands, tiny
from training import balance, drawing, fit, imitate, sources
from training.characters import CharacterTask
from training.generator import Generator
from training.recipe import CharacterRecipe, GenerationRecipe
from zoo import charset


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    for seed, name in enumerate("ab"):
        made_hands.write_hand(folder / "hands" / "train" / f"{name}.npz", seed, repeats=20)
    made_hands.write_hand(folder / "hands" / "dev" / "c.npz", 5, repeats=20)
    made_hands.write_font(folder / "print.ttf", made_hands.CHARACTERS)
    return folder


@pytest.fixture(scope="module")
def run(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    workdir = tmp_path_factory.mktemp("run") / "fewshot"
    recipe = GenerationRecipe(
        model="fewshot",
        sizes=tiny.GENERATORS["fewshot"],
        adversary={"width": 4},
        data=data,
        glyph_font=data / "print.ttf",
        epochs=1,
        steps=1,
        batch_size=4,
        drawn=200,
    )
    fit.fit(recipe, workdir)
    return workdir


@pytest.fixture
def legible(monkeypatch: pytest.MonkeyPatch) -> None:
    """All that is drawn is read as it should be, but 三."""

    def write_legibly(self, labels, recogniser, seed=0):
        good = labels != charset.encode("三")[0]
        return self.write(labels, seed), good

    monkeypatch.setattr("training.generator.Generator.write_legibly", write_legibly)


def _folder(folder: Path) -> Path:
    for character, count in {"一": 7, "二": 2, "三": 6}.items():
        made_hands.write_folder(folder, character, count)
    return folder


def test_a_sheet_is_drawn(run: Path, data: Path, tmp_path: Path) -> None:
    out = tmp_path / "sheets" / "sheet.png"
    font = str(data / "print.ttf")
    assert main(["sample", str(run), "-o", str(out), "--data", str(data), "--glyph-font", font]) == 0
    sheet = cv2.imread(str(out), cv2.IMREAD_GRAYSCALE)
    assert sheet.shape == (8 * 18, 16 * 18)


def test_a_generator_becomes_a_preset(run: Path, data: Path, tmp_path: Path) -> None:
    folder = presets.export_preset(run, "mine", data, tmp_path)
    assert sorted(file.name for file in folder.iterdir()) == ["card.md", "model.weights.h5", "result.json"]
    card = (folder / "card.md").read_text(encoding="utf-8")
    assert "hanzoo write" in card
    assert "label agreement" in card
    for kept, ours in zip(zoo.load(folder).weights, zoo.load(run).weights, strict=True):
        np.testing.assert_array_equal(kept, ours)
    assert "Preset" not in report.report(tmp_path, tmp_path / "none")


@pytest.mark.slow
def test_a_trained_generator_that_starts_from_print_is_exported_as_int8(
    run: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--out", str(tmp_path / "out"), "--precision", "int8", "--data", str(data)]
    assert main(["export", str(run), *options]) == 1
    assert "give --glyph-font FILE" in capsys.readouterr().err
    assert main(["export", str(run), *options, "--glyph-font", str(data / "print.ttf")]) == 0
    assert (tmp_path / "out" / "model_int8.tflite").is_file()


def test_a_text_is_written_like_samples(run: Path, data: Path, tmp_path: Path) -> None:
    samples = made_hands.write_folder(tmp_path / "samples", "人口", 3)
    (samples / "broken.png").write_bytes(b"no picture")
    out = tmp_path / "page.png"
    font = str(data / "print.ttf")
    arguments = ["--model", str(run), "--glyph-font", font, "-o", str(out)]
    assert main(["write", "--like", str(samples), "一二 三\n日", *arguments]) == 0
    page = cv2.imread(str(out), cv2.IMREAD_GRAYSCALE)
    assert page.shape == (2 * 16, 4 * 16)
    assert (page[:16, 32:48] == 255).all()  # The space
    assert (page[16:, 16:] == 255).all()
    assert (page[:16, :16] < 255).any()


def test_what_cannot_be_written_is_named(
    run: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    samples = made_hands.write_folder(tmp_path / "samples", "人", 3)
    base = ["--model", str(run), "--glyph-font", str(data / "print.ttf"), "-o", str(tmp_path / "page.png")]
    for text, like, message in (
        ("一龘", samples, "The charset lacks 龘."),
        ("一說", samples, "The font of the printed characters lacks 說."),
        (" ", samples, "There is no text to write."),
        ("一", tmp_path / "none", "must hold pictures of single characters"),
    ):
        assert main(["write", "--like", str(like), text, *base]) == 1
        assert message in capsys.readouterr().err
    assert not (tmp_path / "page.png").exists()


def test_rare_characters_are_filled_and_marked(
    run: Path, data: Path, tmp_path: Path, legible: None, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = _folder(tmp_path / "mine")
    options = ["--model", str(run), "--glyph-font", str(data / "print.ttf"), "--data", str(data)]
    assert main(["balance", str(folder), "--to", "7", *options]) == 0
    assert "5 pictures added to 1 characters" in capsys.readouterr().out
    assert len(list((folder / "二").glob("generated_*.png"))) == 5
    assert not list((folder / "一").glob("generated_*"))
    manifest = json.loads((folder / "generated.json").read_text())
    assert len(manifest) == 5
    assert manifest["二/generated_0001.png"] == {"generator": "fewshot", "seed": 0}
    assert main(["balance", str(folder), "--to", "9", *options]) == 0
    assert len({file.read_bytes() for file in (folder / "二").glob("generated_*.png")}) == 7  # No copies.
    assert main(["balance", str(folder), "--to", "9", *options]) == 0  # 三 is never legible.
    assert "still missing" in capsys.readouterr().out
    assert len(list(folder.glob("*/generated_*.png"))) == 9


def test_pictures_that_were_added_before_the_disk_is_full_are_listed(
    run: Path,
    data: Path,
    tmp_path: Path,
    legible: None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = _folder(tmp_path / "mine")
    options = ["--model", str(run), "--glyph-font", str(data / "print.ttf"), "--data", str(data)]
    free = balance._free

    def full(place: Path) -> Path:
        if len(list(place.glob("generated_*"))) == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        return free(place)

    monkeypatch.setattr(balance, "_free", full)
    assert main(["balance", str(folder), "--to", "7", *options]) == 1
    assert "No space left" in capsys.readouterr().err
    listed = json.loads((folder / "generated.json").read_text())
    assert {*listed} == {"二/generated_0001.png", "二/generated_0002.png"}
    for damage in ("{", "[]"):
        (folder / "generated.json").write_text(damage)
        assert main(["balance", str(folder), "--to", "7", *options]) == 1
        assert "generated.json: " in capsys.readouterr().err


def test_generated_pictures_train_and_never_validate(
    run: Path, data: Path, tmp_path: Path, legible: None
) -> None:
    folder = _folder(tmp_path / "mine")
    options = ["--model", str(run), "--glyph-font", str(data / "print.ttf"), "--data", str(data)]
    assert main(["balance", str(folder), "--to", "7", *options]) == 0
    task = CharacterTask(
        CharacterRecipe(
            model="hanzinet", sizes={"widths": (4, 4), "depths": (0, 0), "embedding": 4}, data=folder
        )
    )
    assert [source.real for source in task.train] == [True, False]
    assert len(task.train[1].labels) == 5
    assert all(source.real for source in task.validation)
    measured, _ = sources.read_folder(folder, charset.CHARACTERS)
    assert len(measured.labels) == 15


def test_hands_between_two_are_made_up_and_train_like_fonts(
    run: Path, data: Path, tmp_path: Path, legible: None
) -> None:
    hands = sources.read_hands(data / "hands" / "train")
    generator = Generator.load(run, data / "print.ttf", hands)
    path = tmp_path / "made" / "generated_000.npz"
    path.parent.mkdir()
    recogniser = zoo.create("hanzinet", **tiny.READERS["hanzinet"])
    share = imitate.write_hand(path, generator, recogniser, "一二三十", np.random.default_rng(0))
    assert share == 0.75  # 三 is not legible.
    hand = sources.read_hand(path)
    assert charset.decode(hand.labels.tolist()) == "一二十"
    task = CharacterTask(
        CharacterRecipe(
            model="hanzinet",
            sizes={"widths": (4, 4), "depths": (0, 0), "embedding": 4},
            data=data,
            generated=(path.parent,),
        )
    )
    assert [source.writer for source in task.train if not source.real] == ["generated_000"]
    assert task.facts()["data"]["generated_hands"] == 1
    assert "generated_000" not in [source.writer for source in task.validation]


def test_a_hand_between_two_needs_two(run: Path, data: Path, tmp_path: Path) -> None:
    (hand, _) = sources.read_hands(data / "hands" / "train")
    generator = Generator.load(run, data / "print.ttf", [hand])
    with pytest.raises(ValueError, match="two hands or more"):
        imitate.write_hand(tmp_path / "a.npz", generator, None, "一", np.random.default_rng(0))
    unlike = dataclasses.replace(generator, model=zoo.create("cyclegan", **tiny.GENERATORS["cyclegan"]))
    with pytest.raises(ValueError, match="must know hands"):
        imitate.write_hand(tmp_path / "a.npz", unlike, None, "一", np.random.default_rng(0))
    assert not list(tmp_path.iterdir())


def test_a_generator_that_knows_its_writers_goes_on_in_the_hand_of_one(
    run: Path, data: Path, tmp_path: Path, legible: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    hands = sources.read_hands(data / "hands" / "train")
    model = zoo.create("cgan", **tiny.GENERATORS["cgan"] | {"size": 16})
    generator = dataclasses.replace(
        Generator.load(run, data / "print.ttf", hands), model=model, hands=(), writers=(0, 1)
    )
    drawn: list[np.ndarray] = []
    draw = drawing.draw

    def recorded(model, conditions, *rest):
        drawn.append(conditions["writer"])
        return draw(model, conditions, *rest)

    monkeypatch.setattr(drawing, "draw", recorded)
    path = tmp_path / "hand.npz"
    for seed in range(6):
        assert imitate.write_hand(path, generator, None, "一二三十", np.random.default_rng(seed)) == 0.75
        assert charset.decode(sources.read_hand(path).labels.tolist()) == "一二十"
    assert all(len(np.unique(writers)) == 1 for writers in drawn)
    assert {writers[0] for writers in drawn} == {0, 1}


@pytest.mark.parametrize(
    ("model", "writers", "message"),
    [
        ("cgan", ["x", "y"], r"holds none of the writers that .* knows, x, y\. Give the data"),
        ("pix2pix", ["a", "y"], r"writes the same each time: `--hands` must be at most 1, .* Received: 2"),
    ],
)
def test_hands_that_cannot_be_made_up_are_refused(
    model: str,
    writers: list[str],
    message: str,
    run: Path,
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known = dataclasses.replace(
        Generator.load(run, data / "print.ttf", sources.read_hands(data / "hands" / "train")),
        model=zoo.create(model, **tiny.GENERATORS[model]),
        described={"writers": writers},
        writers=(0, 1),
    )
    monkeypatch.setattr(Generator, "load", lambda *_: known)
    options = ["--data", str(data), "--glyph-font", str(data / "print.ttf"), "--out", str(tmp_path / "out")]
    monkeypatch.setattr("sys.argv", ["imitate", str(run), *options, "--hands", "2"])
    with pytest.raises(SystemExit, match=message):
        imitate.main()
    assert not (tmp_path / "out").exists()


def test_hands_are_made_up_once(
    run: Path, data: Path, tmp_path: Path, legible: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "made"
    options = ["--data", str(data), "--glyph-font", str(data / "print.ttf"), "--out", str(out)]
    for hands in (1, 2):
        monkeypatch.setattr("sys.argv", ["imitate", str(run), *options, "--hands", str(hands)])
        before = {path.name: path.read_bytes() for path in out.glob("*")}
        imitate.main()
        assert {path.name for path in out.glob("*.npz")} == {f"generated_{n:03}.npz" for n in range(hands)}
        assert all((out / name).read_bytes() == content for name, content in before.items())
    first, second = sources.read_hands(out)
    assert charset.decode(sorted(first.labels.tolist())) == charset.decode(sorted(second.labels.tolist()))
    assert set(charset.decode(first.labels.tolist())) == set("一二十人口日月")
    monkeypatch.setattr("sys.argv", ["imitate", str(run), *options, "--seed", "7"])
    with pytest.raises(SystemExit, match="made up otherwise"):
        imitate.main()
    monkeypatch.setattr("sys.argv", ["imitate", "dcgan_of_nobody", *options])
    with pytest.raises(SystemExit, match="dcgan_of_nobody"):
        imitate.main()


def test_weights_without_a_training_are_refused(data: Path, tmp_path: Path) -> None:
    zoo.save(zoo.create("cyclegan", **tiny.GENERATORS["cyclegan"]), tmp_path)
    with pytest.raises(ValueError, match="must be a bundled generator or the folder of a finished run"):
        Generator.load(tmp_path, data / "print.ttf")
