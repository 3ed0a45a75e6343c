"""A tiny run of the task of reading lines."""

import dataclasses
import json
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

import zoo
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

SIZES = {"widths": (4, 4, 4, 4), "depths": (0, 0, 0, 0), "embedding": 4}
STRIPS = LineRecipe(
    model="linenet",
    sizes={**SIZES, "context": (3,)},
    hands=True,
    widths=(128, 192),
    validation_lines=3,
    epochs=1,
    steps=2,
    batch_size=2,
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
    whose = {"hands": ["a", "b"], "fonts": [], "unseen": ["boxes", "c"]}
    sentences = {"sentences": 0, "sentences_left_out": 0, "sentences_held_out": 0}
    before: dict[str, list[str]] = {"hands_before": [], "sets_before": []}
    assert result["data"] == {**whose, **sentences, **before, "held_out_all_along": False}
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


def test_a_run_on_strips_leaves_error_rates_for_both_directions(recipe: LineRecipe, tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text("一二三十人口日月。\n", encoding="utf-8")
    strips = dataclasses.replace(STRIPS, data=recipe.data, texts=(text,))
    fit.fit(strips, tmp_path / "run")
    result = json.loads((tmp_path / "run" / "result.json").read_text(encoding="utf-8"))
    figures = result["validation"]
    assert list(figures) == ["error_rate", "error_rate_horizontal", "error_rate_vertical"]
    rates = sorted((figures["error_rate_horizontal"], figures["error_rate_vertical"]))
    assert rates[0] <= figures["error_rate"] <= rates[1]
    whose = {"hands": ["a", "b"], "fonts": [], "unseen": ["c"]}
    assert result["data"].items() > whose.items()
    assert result["data"]["sentences"] > 0
    assert from_json(result["recipe"]).widths == (128, 192)
    task = fit.task_of(tmp_path / "run", recipe.data)
    assert task.evaluate(task.model).keys() == figures.keys()


def test_validation_strips_are_written_by_hands_that_do_not_train(recipe: LineRecipe) -> None:
    task = recognition.LineTask(dataclasses.replace(STRIPS, data=recipe.data))
    assert [source.writer for source in task.unseen] == ["c"]
    for images, labels in task.validation.values():
        assert images.shape == (3, 64, 192, 1)
        assert (labels[:, 0] > 0).all()
    widths = {images.shape[2] for images, _ in task.batches(0, 6)}
    assert widths == {128, 192}


def test_a_reader_of_strips_starts_as_the_recogniser(recipe: LineRecipe, tmp_path: Path) -> None:
    single = zoo.create("hanzinet", classes=4972, **SIZES)
    zoo.save(single, tmp_path)
    started = dataclasses.replace(STRIPS, data=recipe.data, recogniser=str(tmp_path))
    model = recognition.LineTask(started).model
    image = np.random.default_rng(0).integers(0, 256, (1, 64, 64, 1), np.uint8)
    # float32 sums in another order.
    np.testing.assert_allclose(model(image)["logits"][:, 4], single(image)["logits"], rtol=1e-4, atol=1e-4)


def test_a_reader_of_strips_that_goes_on_keeps_its_normalisation(recipe: LineRecipe, tmp_path: Path) -> None:
    zoo.save(zoo.create("hanzinet", classes=4972, **SIZES), tmp_path / "single")
    fresh = dataclasses.replace(STRIPS, data=recipe.data)
    zoo.save(recognition.LineTask(fresh).model, tmp_path / "line")
    norm = "stage0_down_norm"
    for changes, learns in (
        ({}, True),
        ({"recogniser": str(tmp_path / "single")}, False),
        ({"start": str(tmp_path / "line")}, False),
    ):
        model = recognition.LineTask(dataclasses.replace(fresh, **changes)).model
        assert model.get_layer(norm).trainable is learns, changes


def test_strips_that_do_not_fit_are_named(recipe: LineRecipe) -> None:
    strips = dataclasses.replace(STRIPS, data=recipe.data)
    with pytest.raises(ValueError, match="`alphabet` has no place beside `widths`"):
        dataclasses.replace(strips, alphabet="一二")
    with pytest.raises(ValueError, match=r"must read strips of 64 pixels\. Received: height=32"):
        recognition.LineTask(dataclasses.replace(strips, sizes={**STRIPS.sizes, "height": 32}))
    with pytest.raises(ValueError, match="`widths` must hold multiples of 8"):
        recognition.LineTask(dataclasses.replace(strips, widths=(100,)))


def test_a_font_that_trains_is_not_measured_on(recipe: LineRecipe) -> None:
    with pytest.raises(ValueError, match=r"must either train or validate\. In both: boxes\."):
        dataclasses.replace(recipe, fonts=recipe.unseen_fonts).task()


def test_the_loss_is_that_of_ctc_over_all_classes() -> None:
    rng = np.random.default_rng(0)
    labels = np.array([[1, 2, 2, 5, 1], [3, 3, 0, 0, 0], [7, 0, 0, 0, 0], [0, 0, 0, 0, 0]], np.int32)
    logits = rng.normal(0, 3, (4, 12, 40)).astype(np.float32)
    logits[1, ::3, 3] += 20  # Near certain: other classes have next to no share.
    found, expected = [], []
    for loss, into in ((recognition.ctc_loss, found), (keras.losses.CTC(reduction=None), expected)):
        with tf.GradientTape() as tape:
            watched = tf.constant(logits)
            tape.watch(watched)
            value = loss(tf.constant(labels), watched)
        into += [np.asarray(value), np.asarray(tape.gradient(value, watched))]
    # What the other classes have together is a difference of float32 sums near 1.
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(found[1], expected[1], atol=1e-4)


@pytest.fixture
def text(tmp_path: Path) -> Path:
    """Sentences of which the twentieth is held out."""
    path = tmp_path / "text.txt"
    path.write_text("一二三十\n" * 19 + "人口日月\n" + "一二三十\n" * 5, encoding="utf-8")
    return path


def test_what_a_forerunner_read_is_not_called_new(recipe: LineRecipe, text: Path, tmp_path: Path) -> None:
    strips = dataclasses.replace(STRIPS, data=recipe.data, texts=(text,))
    folder = tmp_path / "before"
    zoo.save(strips.task().model, folder)
    described = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    (folder / "model.json").unlink()  # A run that has ended leaves result.json alone.
    for told in ({}, {"data": {"held_out_all_along": True}}):
        (folder / "result.json").write_text(json.dumps({**described, **told}), encoding="utf-8")
        task = dataclasses.replace(strips, start=str(folder)).task()
        assert task.facts()["data"]["held_out_all_along"] == bool(told)


def test_sentences_that_measure_do_not_train(recipe: LineRecipe, text: Path) -> None:
    task = dataclasses.replace(STRIPS, data=recipe.data, texts=(text,)).task()
    assert task.facts()["data"]["sentences_held_out"] == 1
    assert task.facts()["data"]["held_out_all_along"]
    assert "人口日月" not in task._sampler.texts
    drawn, _ = task.validation["error_rate_horizontal"]
    assert len(drawn) == STRIPS.validation_lines
    task._sentences = []  # They have no part in what measures.
    del task.validation
    np.testing.assert_array_equal(task.validation["error_rate_horizontal"][0], drawn)


def test_sentences_of_pages_that_measure_are_left_out(recipe: LineRecipe, tmp_path: Path) -> None:
    written, pages = tmp_path / "text.txt", tmp_path / "pages.tsv"
    written.write_text("一二三十人口日月\n人口日月，一二三十。\n日月人口一二\n", encoding="utf-8")
    pages.write_text("a.jpg\t十人口日月一二三十\n", encoding="utf-8")
    strips = dataclasses.replace(STRIPS, data=recipe.data, texts=(written,), without=(pages,))
    task = strips.task()
    assert task._sentences == ["一二三十人口日月", "日月人口一二"]
    assert task.facts()["data"]["sentences_left_out"] == 1
    written_down = from_json(json.loads(json.dumps(to_json(strips))))
    assert (written_down.texts, written_down.without) == ((), ())
    pages.write_text("一二三十人口日月一二三十日月人口一二三十\n", encoding="utf-8")
    written.write_text("一二三十人口日月\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"`without`: all 1 sentences share a passage"):
        strips.task()
