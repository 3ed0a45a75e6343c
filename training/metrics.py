"""What a classifier answers to characters, and what it makes of drawn ones."""

import cv2
import keras
import numpy as np

from training import pipeline
from training.sources import Glyphs


def logits_of(model: keras.Model, source: Glyphs) -> np.ndarray:
    """The logits of all characters of a source, undistorted: float32 (n, classes)."""
    cells = pipeline.clean_cells(source, model.input_shape[1])
    batches = [cells[start : start + 512] for start in range(0, len(cells), 512)]
    return np.concatenate([np.asarray(model.predict_on_batch(batch)["logits"]) for batch in batches])


def best(logits: np.ndarray, count: int = 5) -> np.ndarray:
    """The classes with the highest logits, the highest first: float (n, classes) to int (n, count).

    Fewer than `count` where there are fewer classes.
    """
    count = min(count, logits.shape[1])
    found = np.argpartition(-logits, count - 1, axis=1)[:, :count]
    order = np.argsort(-np.take_along_axis(logits, found, 1), axis=1, kind="stable")
    return np.take_along_axis(found, order, 1)


def feature_model(model: keras.Model) -> keras.Model:
    """What a classifier with a layer "embedding_norm" sees in pictures before it names them."""
    return keras.Model(model.input, model.get_layer("embedding_norm").output)


def features_of(model: keras.Model, images: np.ndarray) -> np.ndarray:
    """Features of pictures: float32 (n, features).

    Args:
        model: From `feature_model`.
        images: uint8 (n, size, size), em squares of any size, dark ink on white.
    """
    return np.asarray(model.predict(pipeline.framed(images, model.input_shape[1]), 512, verbose=0))


def kid(real: np.ndarray, drawn: np.ndarray, size: int = 200, rounds: int = 20) -> float:
    """Kernel inception distance between two sets of features: 0 where both have one origin, on average.

    The unbiased estimate of the squared maximum mean discrepancy with the kernel (x.y / d + 1)^3, the mean over
    random subsets of a fixed size, so that figures of different models compare.

    Args:
        real: float (n, d).
        drawn: float (m, d).
        size: Of a subset, of either set.
        rounds: Number of subsets.

    Raises:
        ValueError: A set is smaller than a subset.

    Reference:
        Bińkowski et al. 2018, https://arxiv.org/abs/1801.01401
    """
    if min(len(real), len(drawn)) < size:
        raise ValueError(f"Both sets must hold {size} pictures. Received: {len(real)} and {len(drawn)}.")
    rng = np.random.default_rng(0)
    found = []
    for _ in range(rounds):
        x, y = (rows[rng.choice(len(rows), size, replace=False)].astype(float) for rows in (real, drawn))
        of_x, of_y, between = ((a @ b.T / x.shape[1] + 1) ** 3 for a, b in ((x, x), (y, y), (x, y)))
        within = of_x.sum() - np.trace(of_x) + of_y.sum() - np.trace(of_y)
        found.append(within / (size * (size - 1)) - 2 * between.mean())
    return float(np.mean(found))


def fid(real: np.ndarray, drawn: np.ndarray) -> float:
    """Fréchet distance between two sets of features, float (n, d) and (m, d), taken as normal distributions.

    Reference:
        Heusel et al. 2017, https://arxiv.org/abs/1706.08500
    """
    means = real.mean(0) - drawn.mean(0)
    first, second = (np.cov(rows, rowvar=False) for rows in (real, drawn))
    # The trace of the root of the product is the sum of the roots of its eigenvalues, which are not negative.
    roots = np.sqrt(np.clip(np.linalg.eigvals(first @ second).real, 0, None)).sum()
    return float(means @ means + np.trace(first) + np.trace(second) - 2 * roots)


def nearest(features: np.ndarray, others: np.ndarray) -> np.ndarray:
    """The distance of each row to the nearest of other rows: float (n, d) and (m, d) to float (n,)."""
    squares = (others**2).sum(1)
    parts = [
        ((part**2).sum(1)[:, None] - 2 * part @ others.T + squares).min(1)
        for part in np.array_split(features, -(-len(features) // 256))
    ]
    return np.sqrt(np.clip(np.concatenate(parts), 0, None))


def nearest_others(features: np.ndarray, writers: np.ndarray, count: int = 1000) -> np.ndarray:
    """How far each of the first `count` rows is from the nearest row of another writer, or else of its own.

    Args:
        features: float (n, d).
        writers: Who made each, int (n,).
        count: Number of rows.

    Returns:
        float (m,), m at most `count`.
    """
    gaps = []
    for row in range(min(count, len(features))):
        others = features[writers != writers[row]]
        gaps.append(
            nearest(features[row : row + 1], others if len(others) else np.delete(features, row, axis=0))
        )
    return np.concatenate(gaps)


def copy_rate(drawn: np.ndarray, train: np.ndarray, usual: np.ndarray) -> float:
    """The share of drawn pictures that are nearer to a training picture than 95 % of real ones are.

    0.05 is what real pictures have; 1 is a generator that repeats its training pictures.

    Args:
        drawn: Features, float (n, d).
        train: Of the pictures that the generator learned from, float (m, d).
        usual: How far real pictures are from the nearest of `train` beside themselves.
    """
    return float(np.mean(nearest(drawn, train) < np.quantile(usual, 0.05)))


def diversity(features: np.ndarray, labels: np.ndarray) -> float:
    """The mean distance between pictures of the same class: float (n, d) and int (n,); NaN without pairs."""
    found = []
    for label in np.unique(labels):
        rows = features[labels == label]
        if len(rows) > 1:
            squares = (rows**2).sum(1)
            gaps = np.sqrt(np.clip(squares[:, None] + squares - 2 * rows @ rows.T, 0, None))
            found.append(gaps.sum() / (len(rows) * (len(rows) - 1)))
    return float(np.mean(found)) if found else float("nan")


def evenness(labels: np.ndarray, classes: int) -> float:
    """How evenly labels, int (n,), fall on so many classes: 1 where all are as frequent, near 0 where one is alone.

    It is the number of classes, all as frequent, that would have the entropy of the labels, as a share of `classes`.
    """
    if not len(labels):
        return 0.0
    shares = np.unique(labels, return_counts=True)[1] / len(labels)
    return float(np.exp(-(shares * np.log(shares)).sum()) / classes)


def looks(images: np.ndarray) -> np.ndarray:
    """What tells hands apart whatever they write: float (n, 6).

    Darkness of the ink, width of the pen, slant, width and height of the character, share of ink.

    Args:
        images: uint8 (n, size, size), dark ink on white.
    """
    return np.stack([_look(image) for image in images])


def _look(image: np.ndarray) -> np.ndarray:
    size = len(image)
    ink = 1 - image.astype(np.float32) / 255
    drawn = ink > 0.5
    if not drawn.any():
        return np.zeros(6)
    rows, columns = np.nonzero(drawn)
    depth = cv2.distanceTransform(drawn.astype(np.uint8), cv2.DIST_L2, 3)
    gx, gy = cv2.Sobel(ink, cv2.CV_32F, 1, 0), cv2.Sobel(ink, cv2.CV_32F, 0, 1)
    upright = np.abs(gx) > 2 * np.abs(gy)  # The sides of vertical strokes.
    slant = (gx * gy)[upright].sum() / max(1e-6, float((gx * gx)[upright].sum()))
    return np.array(
        [
            ink[drawn].mean(),
            2 * np.quantile(depth[drawn], 0.8) / size,
            slant,
            np.ptp(columns) / size,
            np.ptp(rows) / size,
            ink.mean(),
        ]
    )


def style_discrepancy(
    real: np.ndarray, drawn: np.ndarray, writers_of_real: np.ndarray, writers_of_drawn: np.ndarray
) -> float:
    """How far drawn hands look from the real ones, in standard deviations between writers.

    Args:
        real: `looks` of real pictures, float (n, 6).
        drawn: `looks` of drawn pictures, float (m, 6).
        writers_of_real: int (n,).
        writers_of_drawn: int (m,), the writers that were asked for.
    """
    writers = np.intersect1d(writers_of_real, writers_of_drawn)
    means = [
        np.stack([rows[of == writer].mean(0) for writer in writers])
        for rows, of in ((real, writers_of_real), (drawn, writers_of_drawn))
    ]
    return float((np.abs(means[0] - means[1]) / (means[0].std(0) + 1e-6)).mean())


def read(model: keras.Model, images: np.ndarray) -> np.ndarray:
    """The class that a classifier reads in each em square, uint8 (n, size, size): int (n,)."""
    cells = pipeline.framed(images, model.input_shape[1])
    return np.asarray(model.predict(cells, 512, verbose=0)["logits"]).argmax(1)
