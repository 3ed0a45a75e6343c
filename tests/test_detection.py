"""Tiny runs of the task of finding lines."""

import dataclasses
import json
from pathlib import Path

import cv2
import keras
import numpy as np
import pytest

import zoo
from tests import made_hands
from training import detection, fit
from training.recipe import DetectionRecipe, from_json, to_json

SIZES = {
    "dbnet": {"backbone": "mobilenet", "neck": 8, "stride": 2, "factor": 0.25, "separable": True},
    "craft": {"factor": 0.125},
}
FIGURES = {
    "dbnet": ["h_mean", "precision", "recall"],
    "craft": ["h_mean", "precision", "recall", "characters"],
}


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> DetectionRecipe:
    return DetectionRecipe(
        model="dbnet",
        sizes=SIZES["dbnet"],
        data=made_hands.write_data(tmp_path_factory.mktemp("data")),
        size=(128, 128),
        em=(12.0, 16.0),
        epochs=2,
        steps=2,
        batch_size=2,
        ema=0.5,
        validation_pages=5,
    )


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] if name == "craft" else []) for name in SIZES]
)
def test_a_run_leaves_figures_and_pictures(name: str, recipe: DetectionRecipe, tmp_path: Path) -> None:
    model = fit.fit(dataclasses.replace(recipe, model=name, sizes=SIZES[name], epochs=1), tmp_path)
    result = json.loads((tmp_path / "result.json").read_text(encoding="utf-8"))
    assert list(result["validation"]) == FIGURES[name]
    assert result["data"]["hands"] == ["a", "b"]
    assert result["data"]["unseen"] == ["c"]
    assert np.isfinite(list(result["history"][0]["training"].values())).all()
    names = {"training", "found", next(iter(model.output))}
    assert {file.stem for file in (tmp_path / "pictures").iterdir()} == names
    for kept, ours in zip(fit.task_of(tmp_path, recipe.data).model.weights, model.weights, strict=True):
        np.testing.assert_array_equal(kept, ours)


@pytest.mark.slow
def test_a_resumed_run_ends_as_one_that_was_never_disturbed(recipe: DetectionRecipe, tmp_path: Path) -> None:
    fit.fit(recipe, tmp_path / "whole")
    calls = 0

    class Killed(detection.DetectionTask):
        def evaluate(self, model: keras.Model) -> dict[str, float]:
            nonlocal calls
            calls += 1
            if calls == 2:
                raise KeyboardInterrupt
            return super().evaluate(model)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(detection, "DetectionTask", Killed)
        with pytest.raises(KeyboardInterrupt):
            fit.fit(recipe, tmp_path / "parts")
    fit.fit(recipe, tmp_path / "parts")
    whole, parts = (zoo.load(tmp_path / part) for part in ("whole", "parts"))
    for ours, theirs in zip(whole.weights, parts.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_the_same_step_gives_the_same_batch(recipe: DetectionRecipe) -> None:
    one, two = detection.DetectionTask(recipe), detection.DetectionTask(recipe)
    (images, maps), (same, others) = one.batch(3), two.batch(3)
    np.testing.assert_array_equal(images, same)
    np.testing.assert_array_equal(maps["probability"], others["probability"])
    assert not np.array_equal(one.batch(4)[0], images)


@pytest.mark.parametrize("name", SIZES)
def test_the_maps_to_learn_give_back_the_lines(name: str, recipe: DetectionRecipe) -> None:
    task = detection.DetectionTask(
        dataclasses.replace(
            recipe, model=name, sizes=SIZES[name], size=(480, 480), em=(30.0, 50.0), batch_size=1
        )
    )
    family = detection.FAMILIES[name]
    stride = 2
    right = there = 0
    for page in (page for step in range(12) for page in task.sampler.batch(step)):
        maps = {output: one[..., 0] for output, one in family.targets(page, stride).items()}
        counts = detection.count(
            family.lines(maps, stride), [line.quad for line in page.lines], list(page.ignore)
        )
        right, there = right + counts.matched, there + counts.true
    # Characters that stray far, and lines that touch, are lost even with perfect maps.
    assert right >= 0.8 * there


def test_without_hands_fonts_write_random_sentences(recipe: DetectionRecipe, tmp_path: Path) -> None:
    font = made_hands.write_font(tmp_path / "font.ttf", made_hands.CHARACTERS)
    task = detection.DetectionTask(dataclasses.replace(recipe, data=tmp_path, fonts=(font,)))
    images, maps = task.batch(0)
    assert images.shape == (2, 128, 128, 3)
    assert maps["probability"].shape == (2, 64, 64, 2)
    with pytest.raises(ValueError, match="holds no hands: give fonts or strokes"):
        detection.DetectionTask(dataclasses.replace(recipe, data=tmp_path))


@pytest.mark.parametrize("name", SIZES)
def test_half_of_the_pictures_show_real_pages_whose_characters_are_guessed(
    name: str, recipe: DetectionRecipe, tmp_path: Path
) -> None:
    page = np.full((200, 200, 3), 255, np.uint8)
    page[40:60, 20:180] = 0
    cv2.imwrite(str(tmp_path / "bar.png"), page)
    quad = [[20, 40], [180, 40], [180, 60], [20, 60]]
    truth = {"bar.png": {"lines": [{"quad": quad, "text": "一二三十人口日月"}]}}
    (tmp_path / "truth.json").write_text(json.dumps(truth), encoding="utf-8")
    given = dataclasses.replace(recipe, model=name, sizes=SIZES[name], pages=(tmp_path,), batch_size=8)
    start = detection.DetectionTask(dataclasses.replace(given, pages=()))
    zoo.save(start.model, tmp_path / "start")
    task = detection.DetectionTask(dataclasses.replace(given, start=str(tmp_path / "start")))
    drawn = [page for step in range(4) for page in task.sampler.batch(step)]
    whole = [page for page in drawn if any("一二三十人口日月" in line.text for line in page.lines)]
    assert 6 <= len([page for page in drawn if any(line.confidence < 1 for line in page.lines)]) <= 26
    assert whole
    for page in whole:
        (line,) = page.lines
        inside = np.zeros(page.image.shape[:2], np.uint8)
        cv2.fillConvexPoly(inside, np.rint(line.quad).astype(np.int32), 1)
        around = cv2.dilate(inside, np.ones((7, 7), np.uint8)) - cv2.dilate(inside, np.ones((3, 3), np.uint8))
        # Also in deep shadow and through the worst lens.
        assert page.image[inside > 0].mean() < 0.7 * page.image[around > 0].mean()
    images, _ = task.batch(0)
    assert images.shape == (8, 128, 128, 3)


def test_a_run_goes_on_from_another_at_another_size(recipe: DetectionRecipe, tmp_path: Path) -> None:
    small = detection.DetectionTask(recipe).model
    zoo.save(small, tmp_path)
    large = detection.DetectionTask(
        dataclasses.replace(recipe, start=str(tmp_path), size=(160, 192), em=(12.0, 20.0))
    ).model
    assert large.input_shape == (None, 160, 192, 3)
    for ours, theirs in zip(large.weights, small.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_another_model_is_refused(recipe: DetectionRecipe) -> None:
    with pytest.raises(ValueError, match=r"`model` must be one of craft, .*Received: hanzinet"):
        detection.DetectionTask(dataclasses.replace(recipe, model="hanzinet"))


def test_a_writer_who_trains_and_validates_is_refused(recipe: DetectionRecipe, tmp_path: Path) -> None:
    data = made_hands.write_data(tmp_path)
    made_hands.write_hand(data / "hands" / "dev" / "b_scan.npz", 9)
    with pytest.raises(ValueError, match=r"must either train or validate\. In both: b\."):
        detection.DetectionTask(dataclasses.replace(recipe, data=data))


def test_a_recipe_survives_json(recipe: DetectionRecipe) -> None:
    again = from_json(json.loads(json.dumps(to_json(recipe))))
    assert isinstance(again, DetectionRecipe)
    assert again.size == recipe.size
    assert again.sizes == recipe.sizes
