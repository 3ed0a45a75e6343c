"""Generators train, resume and say what is wrong."""

import dataclasses
import json
import shutil
from pathlib import Path

import cv2
import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import zoo
from tests import made_hands, tiny
from training import adversary, callbacks, drawing, fit, generation, generator, sources
from training.recipe import GenerationRecipe, to_json
from zoo import charset, dcgan

ADVERSARIES = {
    "gan": {},
    "cyclegan": {"width": 4, "pool": 9},
    "progan": {"width": 4, "most": 8},
    "stylegan": {"width": 4, "most": 8},
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    for seed, name in enumerate("ab"):
        made_hands.write_hand(folder / "hands" / "train" / f"{name}.npz", seed, repeats=40)
    made_hands.write_font(folder / "print.ttf", made_hands.CHARACTERS)
    return folder


def _recipe(name: str, data: Path) -> GenerationRecipe:
    sizes = {key: value for key, value in tiny.GENERATORS[name].items() if key != "writers"}
    return GenerationRecipe(
        model=name,
        sizes=sizes,
        adversary=ADVERSARIES.get(name, {"width": 4}),
        data=data,
        glyph_font=data / "print.ttf",
        epochs=2,
        steps=2,
        batch_size=4,
        ema=0.5,
        drawn=200,
        growth=3,
        characters="一二三" if name in generation.OF_CHARACTERS else "",
    )


# Those that keep more than weights: a pool of pictures, pictures seen, means. The others resume as dcgan does.
_RESUMED = [
    "dcgan",
    *(pytest.param(name, marks=[pytest.mark.slow]) for name in ("cyclegan", "progan", "stylegan")),
]


# From noise, from printed characters and from samples of a writer; the others are asked for likewise.
_EACH_WAY = ("dcgan", "wgan_gp", "pix2pix", "fewshot")
_TRAINED = [
    pytest.param(name, marks=[] if name in _EACH_WAY else [pytest.mark.slow])
    for name in generation.ADVERSARIES
]


@pytest.mark.parametrize("name", _TRAINED)
def test_a_generator_trains_and_is_measured(name: str, data: Path, tmp_path: Path) -> None:
    recipe = dataclasses.replace(_recipe(name, data), epochs=1, steps=4)
    model = fit.fit(recipe, tmp_path)
    result = json.loads((tmp_path / "result.json").read_text())
    assert result["model"] == name
    assert {"kid", "fid", "agreement", "diversity", "copy_rate"} <= set(result["validation"])
    assert 0 <= result["validation"]["copy_rate"] <= 1
    assert np.isfinite(list(result["history"][0]["training"].values())).all()
    for kept, ours in zip(zoo.load(tmp_path).weights, model.generator.weights, strict=True):
        np.testing.assert_array_equal(kept, ours)
    sheet = cv2.imread(str(tmp_path / "pictures" / "drawn.png"))
    assert min(sheet.shape[:2]) > 100
    assert np.ptp(sheet) > 0


def _killed(*given: object) -> str:
    raise RuntimeError("killed")


@pytest.mark.parametrize("name", _RESUMED)
def test_a_resumed_run_ends_as_one_that_was_never_disturbed(
    name: str, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = _recipe(name, data)
    fit.fit(recipe, tmp_path / "whole")
    with monkeypatch.context() as patch:
        patch.setattr(callbacks.EndOfEpoch, "_summary", _killed)  # Behind the checkpoint of an epoch.
        with pytest.raises(RuntimeError, match="killed"):
            fit.fit(recipe, tmp_path / "parts")
    fit.fit(recipe, tmp_path / "parts")
    whole, parts = (zoo.load(tmp_path / part) for part in ("whole", "parts"))
    for ours, theirs in zip(whole.weights, parts.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_characters_that_are_held_out_never_train(data: Path) -> None:
    task = dataclasses.replace(_recipe("pix2pix", data), held_out=3).task()
    held_out = set(charset.encode("一二三十人口日月")) & set(task.held_out.labels.tolist())
    assert len(held_out) == 3
    assert not held_out & set(task.train.labels.tolist())
    shown = {image.tobytes() for step in range(20) for image in task.batch(step)["image"]}
    assert shown <= {image.tobytes() for image in task.train.images}
    assert not shown & {image.tobytes() for image in task.held_out.images}


def test_characters_by_name_are_held_out_too(data: Path, tmp_path: Path) -> None:
    recipe = dataclasses.replace(_recipe("pix2pix", data), held_out=3)
    first = set(recipe.task().held_out.labels.tolist())
    more = charset.decode(sorted(set(charset.encode("一二三十人口日月")) - first)[:2])
    task = dataclasses.replace(recipe, also_held_out=more).task()
    assert set(task.held_out.labels.tolist()) == first | set(charset.encode(more))
    assert not set(task.held_out.labels.tolist()) & set(task.train.labels.tolist())
    run = tmp_path / "run"
    zoo.save(adversary.product(task.model), run)
    fit.write_json(run / "result.json", zoo.describe(run) | {"recipe": to_json(task.recipe)} | task.facts())
    (run / "model.json").unlink()
    again = fit.task_of(run, data, glyph_font=recipe.glyph_font)
    assert set(again.held_out.labels.tolist()) == set(task.held_out.labels.tolist())
    with pytest.raises(ValueError, match="`also_held_out`: no hand and no font holds 說"):
        dataclasses.replace(recipe, also_held_out=f"{more}說").task()
    for wrong in ({"held_out": 0}, {"start": "runs/any"}):
        with pytest.raises(ValueError, match="`also_held_out` goes with `held_out`"):
            dataclasses.replace(recipe, also_held_out=more, **wrong)


def test_figures_stand_on_what_hands_wrote(data: Path) -> None:
    """A font trains beside them, and is not taken for handwriting."""
    made_hands.write_font(data / "pen.ttf", made_hands.CHARACTERS)
    for held_out in (0, 3):
        task = dataclasses.replace(
            _recipe("pix2pix", data), held_out=held_out, fonts=(data / "pen.ttf",)
        ).task()
        assert set(task.train.names) == {"a", "b", "pen"}
        assert {task.train.names[place] for place in task._asked.pens.writers} == {"a", "b"}


def test_hands_that_did_not_train_show_samples_of_other_characters(data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    shutil.copytree(data / "hands" / "train", folder / "hands" / "train")
    for seed, name in enumerate("cd"):
        made_hands.write_hand(folder / "hands" / "dev" / f"{name}.npz", 7 + seed, repeats=50)
    recipe = dataclasses.replace(_recipe("fewshot", data), data=folder, held_out=3)
    task = recipe.task()
    figures = task.evaluate(task.model)
    assert {"kid", "style", "kid_unseen", "agreement_unseen", "style_unseen"} <= set(figures)
    others = drawing.Pens.of(sources.read_hands(folder / "hands" / "dev"), 16)
    others = others.only(~np.isin(others.labels, task.held_out.labels))
    asked = task._unseen
    for place in (0, 1):
        shown = asked.conditions["samples"][asked.pens.writers == place].reshape(-1, 16, 16)
        own = others.images[others.writers == place]
        assert {image.tobytes() for image in shown} <= {image.tobytes() for image in own}


def test_prints_stand_beside_their_own_characters(data: Path) -> None:
    task = _recipe("fewshot", data).task()
    batch = task.batch(0)
    pictures = {
        image.tobytes(): label for image, label in zip(task.train.images, task.train.labels, strict=True)
    }
    for image, glyph in zip(batch["image"], batch["glyph"], strict=True):
        own = task.train.printed[pictures[image.tobytes()]]
        np.testing.assert_array_equal(drawing.laid_over(own[None], image[None, ..., 0])[0], glyph[..., 0])
    assert batch["samples"].shape == (4, 8 * 16, 16, 1)


@settings(max_examples=30, deadline=None)
@given(
    middle=st.tuples(st.integers(20, 43), st.integers(20, 43)),
    sides=st.tuples(st.integers(10, 16), st.integers(10, 16)),
)
def test_print_is_laid_where_the_pen_wrote(middle: tuple[int, int], sides: tuple[int, int]) -> None:
    printed, written = np.full((2, 64, 64), 255, np.uint8)
    cv2.rectangle(printed, (25, 25), (37, 37), 0, 2)
    low = [place - side // 2 for place, side in zip(middle, sides, strict=True)]
    high = [place + side for place, side in zip(low, sides, strict=True)]
    cv2.rectangle(written, low, high, 0, 1)
    found = sources.ink_box(drawing.laid_over(printed[None], written[None])[0])
    np.testing.assert_allclose(found, sources.ink_box(written), atol=1.5)


def test_where_nothing_is_written_print_stays() -> None:
    printed = np.full((1, 16, 16), 255, np.uint8)
    printed[0, 4:8, 4:8] = 0
    np.testing.assert_array_equal(drawing.laid_over(printed, np.full_like(printed, 255)), printed)


def test_what_is_moved_has_one_size_and_is_never_the_same_twice(data: Path) -> None:
    recipe = _recipe("dcgan", data)
    task = dataclasses.replace(recipe, growth=0, moved=True).task()
    rng = np.random.default_rng(0)
    boxes = np.array([sources.ink_box(image) for image in task.train.images])
    np.testing.assert_allclose((boxes[:, 2:] - boxes[:, :2]).max(1), 0.8 * 16, atol=2.1)
    np.testing.assert_allclose((boxes[:, 2:] + boxes[:, :2]).mean(0) / 2, 8, atol=0.7)
    known = {image.tobytes() for image in task.train.images}
    first, second = (task.batch(step)["image"] for step in (0, 1))
    assert not {image.tobytes() for image in (*first, *second)} & known
    np.testing.assert_array_equal(task.batch(0)["image"], first)
    ink = [255 - pictures.mean() for pictures in (drawing.moved(task.train.images, rng), task.train.images)]
    assert ink[0] == pytest.approx(ink[1], rel=0.15)


def test_pale_ink_becomes_black() -> None:
    images = np.full((2, 32, 32), 255, np.uint8)
    images[0, 4:12, 6:10] = 180
    pens = drawing.Pens(images, np.array([1, 2]), np.array([0, 0]), ("a",), np.array([True, True]), None)
    pale, blank = pens.centred().images
    assert pale.min() == 0
    assert pale.max() == 255
    assert (blank == 255).all()


def test_print_is_as_large_as_a_hand() -> None:
    images = np.full((3, 96, 96), 255, np.uint8)
    images[:, 2:94, 2:94] = 0
    table = drawing.print_table(sources.Glyphs("font", images, np.array([1, 2, 3]), real=False), 48)
    left, top, right, bottom = sources.ink_box(table[2])
    assert right - left == bottom - top == pytest.approx(0.8 * 48, abs=1)
    assert left + right == pytest.approx(48, abs=1)
    assert (table[4] == 255).all()


def test_samples_are_the_writers_own(data: Path) -> None:
    task = _recipe("fewshot", data).task()
    rng = np.random.default_rng(0)
    for writer in (0, 1):
        own = {image.tobytes() for image in task.train.images[task.train.writers == writer]}
        drawn = task.train.samples_of(np.array([writer] * 5), 3, rng)
        assert all(sample.tobytes() in own for sample in drawn.reshape(15, 16, 16))


def test_a_model_that_starts_from_print_needs_a_font(data: Path) -> None:
    with pytest.raises(ValueError, match="pix2pix starts from printed characters: give --glyph-font FILE"):
        dataclasses.replace(_recipe("pix2pix", data), glyph_font=None).task()


def test_too_few_pictures_are_named(data: Path) -> None:
    with pytest.raises(ValueError, match=r"needs 200 pictures by hands to measure on\. Received: 80"):
        dataclasses.replace(_recipe("cgan", data), held_out=1).task()


def test_characters_and_held_out_exclude_each_other(data: Path) -> None:
    with pytest.raises(ValueError, match="exclude each other"):
        dataclasses.replace(_recipe("dcgan", data), held_out=3)


def test_characters_are_two_or_more_and_for_models_from_noise(data: Path) -> None:
    with pytest.raises(ValueError, match=r"must name two or more\. Received: '一一'"):
        dataclasses.replace(_recipe("dcgan", data), characters="一一")
    with pytest.raises(ValueError, match=r"from noise alone\. Received: cgan"):
        dataclasses.replace(_recipe("cgan", data), characters="一二").task()


def test_a_run_that_starts_from_another_draws_the_same_characters(data: Path, tmp_path: Path) -> None:
    recipe = dataclasses.replace(_recipe("dcgan", data), characters="一二二三", epochs=1, growth=0)
    fit.fit(recipe, tmp_path)
    assert json.loads((tmp_path / "result.json").read_text())["characters"] == "一二三"
    started = dataclasses.replace(recipe, start=str(tmp_path))
    assert started.task().batch(0)["label"].max() <= 2
    for other in ("一三二", "一二三月", ""):
        with pytest.raises(ValueError, match="draws 一二三: give the same --characters"):
            dataclasses.replace(started, characters=other).task()
    drawn = generator.sheet(tmp_path, None, data / "print.ttf")
    assert np.ptp(drawn) > 0


def test_a_model_from_noise_draws_the_characters_that_were_asked_for(data: Path) -> None:
    task = dataclasses.replace(_recipe("dcgan", data), characters="三日月").task()
    assert set(task.train.labels.tolist()) == set(charset.encode("三日月"))
    assert task.facts()["characters"] == "三日月"
    assert "evenness" not in task.evaluate(task.model)  # It is told which one to draw.
    label = task.batch(0)["label"]
    assert label.dtype == np.int32
    assert set(label.tolist()) <= {0, 1, 2}
    free = dataclasses.replace(_recipe("stylegan", data), characters="三日月").task()
    assert 0 <= free.evaluate(free.model)["evenness"] <= 1
    with pytest.raises(ValueError, match="`characters`: no hand and no font holds 龍"):
        dataclasses.replace(_recipe("dcgan", data), characters="三龍").task()


def test_a_run_that_starts_from_another_has_its_writers_and_what_it_held_out(
    data: Path, tmp_path: Path
) -> None:
    recipe = dataclasses.replace(_recipe("pix2pix", data), held_out=3, growth=0, epochs=1, steps=1)
    first = recipe.task()
    fit.fit(recipe, tmp_path)
    made_hands.write_font(data / "more.ttf", made_hands.CHARACTERS[3:])
    started = dataclasses.replace(recipe, start=str(tmp_path), held_out=9, fonts=(data / "more.ttf",)).task()
    assert set(started.held_out.labels) == set(first.held_out.labels)
    with pytest.raises(ValueError, match="writes in the hands of a, b: give the same data and fonts"):
        started.compile(started.model)
    assert started.inputs(50)["writer"].max() == 1  # To be exported, any hand that it knows will do.
    with pytest.raises(ValueError, match=r"must be a cgan\. Received: pix2pix"):
        dataclasses.replace(_recipe("cgan", data), start=str(tmp_path)).task()


def test_what_grows_draws_at_its_stage_and_what_it_starts_from_is_grown(data: Path, tmp_path: Path) -> None:
    task = _recipe("progan", data).task()
    pixels = task.draw(task.model)
    assert pixels.shape == (200, 16, 16)
    np.testing.assert_array_equal(pixels, pixels[:, ::4, ::4].repeat(4, 1).repeat(4, 2))
    zoo.save(task.model.generator, tmp_path)
    started = dataclasses.replace(_recipe("progan", data), start=str(tmp_path)).task()
    grown = drawing.draw(task.model.generator, {}, 200, task.recipe.seed).astype(int)
    np.testing.assert_allclose(started.draw(started.model), grown, atol=1)  # Of rounding.


def test_the_rates_fall_at_the_end_of_a_run(data: Path) -> None:
    recipe = dataclasses.replace(_recipe("dcgan", data), growth=0, ema=0, epochs=1, fall=0.5)
    recipe = dataclasses.replace(recipe, learning_rate=0.5, discriminator_rate=0.25)
    falling = callbacks.FallingRates(dataclasses.replace(recipe, epochs=8))
    falling.set_model(recipe.task().model)
    falling.model.compile(keras.optimizers.SGD(0.5), keras.optimizers.SGD(0.25))
    for epoch, share in ((0, 1), (4, 1), (5, 0.75), (7, 0.25), (0, 1)):  # As if begun anew.
        falling.on_epoch_begin(epoch)
        assert float(falling.model.optimizer.learning_rate) == pytest.approx(0.5 * share)
        assert float(falling.model.discriminator_optimizer.learning_rate) == pytest.approx(0.25 * share)


def test_the_small_slopes_of_a_clipped_critic_move_weights_by_the_rate(data: Path) -> None:
    recipe = dataclasses.replace(_recipe("wgan", data), rule="rmsprop", growth=0, ema=0)
    task = recipe.task()
    task.compile(task.model)
    weights = task.model.drawing_variables()
    before = [keras.ops.convert_to_numpy(weight) for weight in weights]
    task.model.optimizer.apply([keras.ops.full_like(weight, 1e-6) for weight in weights], weights)
    for weight, value in zip(weights, before, strict=True):
        # After one step the mean square is a tenth of the square.
        moved = value - keras.ops.convert_to_numpy(weight)
        np.testing.assert_allclose(moved, 10**0.5 * recipe.learning_rate, rtol=0.01)


def test_only_what_draws_from_noise_may_be_moved(data: Path) -> None:
    with pytest.raises(ValueError, match=r"from noise alone\. Received: pix2pix"):
        dataclasses.replace(_recipe("pix2pix", data), moved=True).task()
    with pytest.raises(ValueError, match=r"`fall` must be a share, 0 \.\.\. 1\. Received: fall=-0\.1"):
        dataclasses.replace(_recipe("dcgan", data), fall=-0.1)


def test_growth_must_end_before_the_run_does(data: Path) -> None:
    with pytest.raises(ValueError, match=r"`growth` must end .* Received: growth=4, epochs=2, steps=2\."):
        dataclasses.replace(_recipe("progan", data), growth=4)


def test_losses_that_are_no_numbers_end_the_run_and_keep_the_checkpoint(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = dataclasses.replace(_recipe("dcgan", data), growth=0)
    fit.fit(dataclasses.replace(recipe, epochs=1), tmp_path)
    before = (tmp_path / "checkpoint.npz").read_bytes()
    lost = dcgan.Dcgan.discriminator_loss
    monkeypatch.setattr(dcgan.Dcgan, "discriminator_loss", lambda *given: lost(*given) * np.nan)
    with pytest.raises(RuntimeError, match="NaN or Inf"):
        fit.fit(recipe, tmp_path)
    assert (tmp_path / "checkpoint.npz").read_bytes() == before
