"""The table of what each choice is worth."""

import dataclasses
import json
from pathlib import Path

import pytest

import zoo
from tests import made_hands
from training import ablate
from training.recipe import CharacterRecipe
from zoo import charset


def test_each_row_leaves_a_result_and_is_trained_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = CharacterRecipe(
        model="hanzinet",
        sizes={"widths": (4, 8), "depths": (0, 0), "embedding": 8},
        data=made_hands.write_data(tmp_path / "data"),
        fonts=(made_hands.write_font(tmp_path / "font.ttf", "一十"),),
        epochs=1,
        steps=1,
        batch_size=4,
    )
    rows = {"all, as it is": {}, "fonts only": {"hands": False}}
    ablate.measure(recipe, rows, tmp_path / "out")
    results = {path.parent.name: json.loads(path.read_text()) for path in tmp_path.glob("out/*/result.json")}
    assert set(results) == {"all_as_it_is", "fonts_only"}
    assert results["all_as_it_is"]["name"] == "all, as it is"
    assert results["all_as_it_is"]["data"]["hands"] == ["a", "b"]
    assert results["fonts_only"]["data"]["hands"] == []
    assert results["fonts_only"]["validation"].keys() == {"mean", "c"}
    assert results["fonts_only"]["multiply_adds"] > 0
    assert [path.name for path in (tmp_path / "out" / "fonts_only").iterdir()] == ["result.json"]
    table = ablate.table(list(results.values()))
    assert all(f"| {name} |" in table for name in rows)
    with pytest.raises(ValueError, match="trained with other options or sources"):
        ablate.measure(dataclasses.replace(recipe, steps=2), rows, tmp_path / "out")
    with pytest.raises(ValueError, match="trained with other options or sources"):
        ablate.measure(dataclasses.replace(recipe, fonts=()), rows, tmp_path / "out")
    monkeypatch.setattr(ablate.fit, "fit", None)
    ablate.measure(recipe, rows, tmp_path / "out")


@pytest.mark.parametrize("name", ablate.NETWORKS)
def test_every_network_of_the_table_can_be_built(name: str) -> None:
    changes = {"model": "hanzinet"} | ablate.NETWORKS[name]
    model = zoo.create(changes["model"], classes=10, **changes.get("sizes", {}))
    assert model.output["logits"].shape == (None, 10)


@pytest.mark.parametrize("name", [*ablate.DATA, *ablate.GENERATED])
def test_every_row_of_data_changes_fields_of_the_recipe(name: str) -> None:
    CharacterRecipe(model="hanzinet", **(ablate.DATA | ablate.GENERATED)[name])


@pytest.mark.parametrize("options", [["--rows", "generated"], ["--generated", "made"]])
def test_rows_of_generated_hands_need_them(
    options: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("sys.argv", ["ablate", str(tmp_path), *options])
    with pytest.raises(SystemExit):
        ablate.main()
    assert "give both --rows generated and --generated FOLDER" in capsys.readouterr().err


def test_a_trained_reader_goes_on_with_generated_hands_and_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = made_hands.write_data(tmp_path / "data")
    made_hands.write_hand(tmp_path / "made" / "generated_000.npz", 4)
    model = zoo.create("hanzinet", classes=len(charset.CHARACTERS), size=32, widths=(4, 8), depths=(0, 0))
    zoo.save(model, tmp_path / "start")
    options = ["--rows", "generated", "--generated", str(tmp_path / "made"), "--epochs", "1", "--steps", "1"]
    places = ["--from", str(tmp_path / "start"), "--out", str(tmp_path / "out")]
    monkeypatch.setattr("sys.argv", ["ablate", str(data), *options, *places])
    ablate.main()
    rows = {
        path.parent.name: json.loads(path.read_text())
        for path in tmp_path.glob("out/generated/*/result.json")
    }
    hands = {name: row["data"]["generated_hands"] for name, row in rows.items()}
    assert hands == {"before": 0, "without_generated_hands": 0, "with_generated_hands": 1}
    assert rows["before"]["training"]["pictures"] == 0
    assert rows["before"]["validation"].keys() == {"mean", "c"}
    assert f"| {ablate.BEFORE} |" in ablate.table(list(rows.values()))
