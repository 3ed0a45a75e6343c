"""Ensembles combine what their members say."""

from pathlib import Path

import numpy as np
import pytest

import zoo
from tests import made_hands, tiny
from training import measure_ensemble, metrics, sources, weigh
from zoo import ensemble

A = {"classes": 7, "size": 32, "channels": 1, "width": 0.125, "dense": 16}
B = {"classes": 7, "size": 48, "channels": 1, "width": 0.1, "depth": 0.3}
IMAGES = np.random.default_rng(0).integers(0, 256, (4, 48, 48, 1), np.uint8)


@pytest.mark.parametrize(
    ("combine", "join"),
    [("average", lambda a, b: (a + b) / 2), ("weighted", lambda a, b: (a + b) / 2), ("maximum", np.maximum)],
)
def test_an_ensemble_joins_the_logits_of_its_members(combine: str, join) -> None:
    members = [zoo.create("vgg16", **A | {"size": 48}), zoo.create("efficientnet_b0", **B)]
    joined = ensemble.of(members, combine)
    expected = join(*(model.predict_on_batch(IMAGES)["logits"] for model in members))
    np.testing.assert_allclose(joined.predict_on_batch(IMAGES)["logits"], expected, atol=1e-5)


def test_members_of_other_sizes_see_the_image_resized() -> None:
    small, large = zoo.create("vgg16", **A), zoo.create("efficientnet_b0", **B)
    joined = ensemble.of([small, large])
    assert joined.input_shape == (None, 48, 48, 1)
    blank = np.full((1, 48, 48, 1), 200, np.uint8)  # the same in every size
    expected = (
        small.predict_on_batch(blank[:, :32, :32])["logits"] + large.predict_on_batch(blank)["logits"]
    ) / 2
    np.testing.assert_allclose(joined.predict_on_batch(blank)["logits"], expected, atol=1e-5)


def test_readers_of_grey_pictures_join(tmp_path: Path) -> None:
    members = [zoo.create(name, classes=7) for name in ("hanzinet_m", "hanzinet_s")]
    zoo.save(ensemble.of(members), tmp_path)
    images = np.random.default_rng(1).integers(0, 256, (4, 64, 64, 1), np.uint8)
    expected = np.mean([model.predict_on_batch(images)["logits"] for model in members], axis=0)
    np.testing.assert_allclose(zoo.load(tmp_path).predict_on_batch(images)["logits"], expected, atol=1e-5)


def test_the_weights_favour_the_better_member() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 5, 500)
    good = 3 * np.eye(5)[labels] + rng.normal(0, 1, (500, 5))
    noise = rng.normal(0, 3, (500, 5))
    factors = weigh.fit([good, noise], labels)
    assert factors[0] > 5 * factors[1] >= 0


def test_bad_members_are_refused() -> None:
    with pytest.raises(ValueError, match="`channels` must be 1 with hanzinet_s"):
        ensemble.ensemble(5, channels=3, members=(("hanzinet_s", {}), ("hanzinet_s", {})))
    grey, rgb = zoo.create("vgg16", **A), zoo.create("vgg16", **A | {"channels": 3})
    line = zoo.create("linenet", **tiny.READERS["linenet"])
    for pair in ((grey, rgb), (grey, zoo.create("vgg16", **A | {"classes": 8})), (grey, line)):
        with pytest.raises(ValueError, match="must classify pictures, with the same classes and channels"):
            ensemble.of(pair)
    with pytest.raises(ValueError, match="at least two"):
        ensemble.ensemble(5, members=ensemble.NOTE[:1])
    with pytest.raises(ValueError, match="must be one of"):
        ensemble.ensemble(5, combine="median")  # type: ignore[arg-type]


def test_the_gain_of_an_ensemble_is_measured_on_writers_it_was_not_fitted_on(tmp_path) -> None:
    made_hands.write_hand(tmp_path / "c.npz", 3)
    made_hands.write_hand(tmp_path / "d.npz", 4)
    writers = sources.read_hands(tmp_path)
    models = {
        "a": zoo.create("vgg16", **A | {"classes": 4972}),
        "b": zoo.create("efficientnet_b0", **B | {"classes": 4972}),
    }
    rows = measure_ensemble.measure(models, writers)
    assert set(rows) == {"a", "b", "average of all", "weighted of all", "maximum of all"}
    assert rows["average of all"]["multiply_adds"] == rows["a"]["multiply_adds"] + rows["b"]["multiply_adds"]
    joined = ensemble.of(list(models.values()))
    expected = np.mean(metrics.logits_of(joined, writers[0]).argmax(1) == writers[0].labels)
    assert rows["average of all"]["top1"]["c"] == pytest.approx(expected, abs=0.06)  # resized apart
    assert "| average of all |" in measure_ensemble.table(rows)


def test_a_scan_of_a_writer_does_not_fit_the_factors_of_this_writer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed, name in enumerate(("c", "c_scan", "d")):
        made_hands.write_hand(tmp_path / f"{name}.npz", seed, repeats=seed + 1)
    writers = sources.read_hands(tmp_path)
    fitted = []

    def fit(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
        fitted.append(len(labels))
        return np.ones(len(logits))

    monkeypatch.setattr(measure_ensemble.weigh, "fit", fit)
    models = {name: zoo.create("vgg16", **A | {"classes": 4972}) for name in "ab"}
    measure_ensemble.measure(models, writers)
    of_c, of_scan, of_d = (len(writer.labels) for writer in writers)
    assert fitted == [of_d, of_d, of_c + of_scan]
