"""The distortions of the example for accelerators: they look as those of `training.augment`."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import cv2
import keras
import numpy as np
import pytest

import zoo
from training import augment, sources
from zoo import charset

jax = pytest.importorskip("jax", reason="JAX is not installed (pip install -e '.[dev]')")
COUNT = 168
EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture(scope="module")
def distort() -> Iterator[ModuleType]:
    sys.path.insert(0, str(EXAMPLES))
    import distort

    yield distort
    sys.path.remove(str(EXAMPLES))


@pytest.fixture(scope="module")
def glyphs(tmp_path_factory: pytest.TempPathFactory) -> np.ndarray:
    """Characters that OpenCV draws: uint8 (n, 96, 96)."""
    rng = np.random.default_rng(0)
    images = np.full((COUNT, 96, 96), 255, np.uint8)
    for image in images:
        for _ in range(5):
            start, end = rng.integers(14, 82, (2, 2)).tolist()
            cv2.line(image, start, end, 0, 3, cv2.LINE_AA)
    return images


Draw = Callable[..., np.ndarray]


@pytest.fixture(scope="module")
def draw(distort: ModuleType) -> Draw:
    """Pictures of glyphs: `COUNT` at a time, for which one program is compiled."""
    compiled = jax.jit(distort.cells)

    def cells(glyphs: np.ndarray, seed: int = 0, blank: bool = False) -> np.ndarray:
        known = distort.facts(glyphs)
        return np.asarray(compiled(jax.random.key(seed), glyphs, known, np.full(COUNT, blank), 1.0))

    return cells


def test_pictures_are_as_dark_as_uneven_and_as_sharp_as_those_of_opencv(
    draw: Draw, glyphs: np.ndarray
) -> None:
    ours = np.concatenate([draw(glyphs, seed) for seed in range(4)])[..., 0].astype(float)
    rng = np.random.default_rng(0)
    theirs = np.stack(
        [augment.cell_image(glyph, glyphs[0], rng).astype(float) for _ in range(4) for glyph in glyphs]
    )
    for measure, tolerance in (
        (lambda x: x.mean((1, 2)), 2.5),
        (lambda x: x.std((1, 2)), 2.5),
        (lambda x: np.abs(np.diff(x, axis=1)).mean((1, 2)), 1.0),
        (lambda x: x[:, 2:6, 20:44].mean((1, 2)), 6.0),  # Where the lines of a sheet lie.
    ):
        assert measure(ours).mean() == pytest.approx(measure(theirs).mean(), abs=tolerance)
        assert measure(ours).std() == pytest.approx(measure(theirs).std(), rel=0.25)


def test_the_bundled_reader_reads_them_as_well(draw: Draw) -> None:
    font = _font()
    glyphs, labels = font.images, font.labels
    rng = np.random.default_rng(0)
    theirs = np.stack([augment.cell_image(glyph, glyphs[0], rng) for glyph in glyphs])[..., None]
    reader = zoo.load("hanzinet_m")
    read = [_share(reader, pictures, labels) for pictures in (draw(glyphs), theirs)]
    assert min(read) > 0.5
    assert abs(read[0] - read[1]) < 0.1


def test_the_same_key_gives_the_same_pictures_and_a_blank_cell_shows_no_character(
    draw: Draw, glyphs: np.ndarray
) -> None:
    first, again, other = (draw(glyphs, seed) for seed in (1, 1, 2))
    assert first.dtype == np.uint8
    assert first.shape == (COUNT, 64, 64, 1)
    np.testing.assert_array_equal(first, again)
    assert (first != other).any((1, 2, 3)).all()
    solid = np.zeros((COUNT, 96, 96), np.uint8)
    inner = [draw(solid, blank=blank)[:, 24:40, 24:40].mean() for blank in (False, True)]
    assert inner[0] < 160
    assert inner[1] > 190


def test_facts_are_the_place_of_ink_and_whether_it_encloses_paper(distort: ModuleType) -> None:
    images = np.full((4, 96, 96), 255, np.uint8)
    cv2.rectangle(images[1], (10, 20), (29, 29), 0, -1)
    cv2.circle(images[2], (60, 70), 6, 0, 2)
    cv2.circle(images[3], (48, 48), 40, 0, 2)
    known = distort.facts(images)
    np.testing.assert_array_equal(known.side[:2], (96, 20))
    np.testing.assert_array_equal(known.middle[:3], [(48, 48), (19.5, 24.5), (60, 70)])
    np.testing.assert_array_equal(known.ring, (0, 0, 1, 0))  # Of small ones only.


@pytest.mark.parametrize("quality", [30, 49, 50, 75, 89])
def test_jpeg_loses_what_that_of_opencv_loses(distort: ModuleType, glyphs: np.ndarray, quality: int) -> None:
    picture = (
        cv2.resize(glyphs[0], (64, 64), interpolation=cv2.INTER_AREA) // 10 * 10
    )  # No paper whose level lies halfway between two steps.
    _, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
    expected = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE).astype(float)
    found = np.asarray(distort._compressed(picture.astype(np.float32), quality))
    assert np.abs(found - expected).mean() < 0.5 < np.abs(found - picture).mean()


def _font() -> sources.Glyphs:
    """Letters and digits that OpenCV writes."""
    characters = "ABCDEFGHJKMNPQRTUVWXYZ234678" * 6
    images = np.full((len(characters), 96, 96), 255, np.uint8)
    for image, character in zip(images, characters, strict=True):
        cv2.putText(image, character, (22, 70), cv2.FONT_HERSHEY_SIMPLEX, 2.0, 0, 4, cv2.LINE_AA)
    return sources.Glyphs("opencv", images, np.array(charset.encode(characters), np.int32), real=False)


def _share(reader: keras.Model, pictures: np.ndarray, labels: np.ndarray) -> float:
    logits = np.asarray(reader(pictures)["logits"])
    return float((logits.argmax(-1) == labels).mean())
