"""A tiny run of the task of reading lines."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from tests import made_hands
from training import fit, recognition
from training.recipe import LineRecipe, from_json, to_json

TINY = LineRecipe(
    model="crnn",
    sizes={"height": 16, "units": 4, "widths": [4, 4], "depth": 1},
    alphabet="一二三十",
    hands=True,
    shortest=1,
    longest=3,
    growth=3,
    validation_lines=6,
    epochs=2,
    steps=3,
    batch_size=4,
)


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> LineRecipe:
    data = made_hands.write_data(tmp_path_factory.mktemp("data"))
    font = made_hands.write_font(data / "boxes.ttf")
    return dataclasses.replace(TINY, data=data, unseen_fonts=(font,))


def test_a_run_leaves_error_rates_for_known_and_unseen_writers(recipe: LineRecipe, tmp_path: Path) -> None:
    model = fit.fit(recipe, tmp_path)
    assert model.output["logits"].shape[1:] == (None, 5)
    result = json.loads((tmp_path / "result.json").read_text(encoding="utf-8"))
    assert list(result["validation"]) == ["error_rate", "error_rate_boxes", "error_rate_c"]
    assert all(0 <= rate <= 3 for rate in result["validation"].values())
    assert result["alphabet"] == "一二三十"
    assert result["data"] == {"hands": ["a", "b"], "fonts": [], "unseen": ["boxes", "c"]}
    assert (tmp_path / "pictures" / "training.png").exists()


def test_validation_lines_stay_the_same_and_are_not_drawn_for_training(recipe: LineRecipe) -> None:
    task, again = recognition.LineTask(recipe), recognition.LineTask(recipe)
    for name, (images, labels) in task.validation.items():
        np.testing.assert_array_equal(images, again.validation[name][0])
        np.testing.assert_array_equal(labels, again.validation[name][1])
    (images, _) = task.validation["error_rate"]
    assert images.shape[:2] == (6, 16)
    for drawn, _ in task.batches(0, 6):
        assert drawn.shape[2] != images.shape[2] or not np.array_equal(drawn[:4], images[:4])


def test_the_error_rate_counts_edits_for_each_character_written() -> None:
    texts = [("一二三", "一二三"), ("十十", "十"), ("一二三", "一三三二")]
    assert recognition.character_error_rate(texts) == pytest.approx((0 + 1 + 2) / 8)
    with pytest.raises(ValueError, match="must hold a character"):
        recognition.character_error_rate([("", "一")])


def test_an_alphabet_that_does_not_fit_is_named(recipe: LineRecipe, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="must hold different characters"):
        recognition.LineTask(dataclasses.replace(recipe, alphabet="一一"))
    with pytest.raises(ValueError, match="must have a writer"):
        recognition.LineTask(dataclasses.replace(recipe, hands=False))
    with pytest.raises(ValueError, match="the charset"):
        recognition.LineTask(dataclasses.replace(recipe, alphabet="一龘"))
    fit.fit(dataclasses.replace(recipe, epochs=1, steps=1), tmp_path)
    with pytest.raises(ValueError, match="3 characters for 5 classes"):
        recognition.LineTask(dataclasses.replace(recipe, start=str(tmp_path), alphabet="一二三"))


def test_a_recipe_is_written_without_paths(recipe: LineRecipe) -> None:
    written = to_json(dataclasses.replace(recipe, unseen_fonts=recipe.fonts))
    assert "fonts" not in written
    assert "unseen_fonts" not in written
    assert from_json(written) == dataclasses.replace(recipe, fonts=(), unseen_fonts=(), data=Path("data"))
