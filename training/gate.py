"""The gate: does a generator's writing make a reader better than the same number of distorted copies?

Small readers of some classes learn from k real samples of each class and are tried on writers that nobody
trained on: from the real samples alone; with classical distortion; with as many more copies, distorted
beforehand; with as many generated samples instead. Each reader starts from the same weights, sees as many
pictures and the printed character of each class. A generator is accepted if it beats the copies, and distortion
without copies where that is better, with the whole 95 % interval of a paired bootstrap above zero.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tqdm

import zoo
from training import augment, drawing, metrics, pipeline
from training.characters import crossentropy
from training.generator import Generator
from training.sources import EM, Glyphs

ARMS = ("real", "distorted", "copies", "generated")
_READER: dict[str, Any] = {"size": 48, "widths": (16, 32, 64, 96), "depths": (0, 0, 0, 0), "embedding": 64}
_BATCH = 64
_BOOTSTRAPS = 2000


@dataclasses.dataclass(frozen=True)
class Settings:
    """How much the gate spends.

    Attributes:
        shots: Real samples of each class; 0 for all.
        seeds: Readers of each arm.
        steps: Batches of 64 that a reader learns from.
        added: Copies or generated samples of each class.
    """

    shots: tuple[int | None, ...] = (0, 2, 5, 20, None)
    seeds: int = 3
    steps: int = 400
    added: int = 20


def measure(
    generator: Generator,
    train: Sequence[Glyphs],
    unseen: Sequence[Glyphs],
    labels: Sequence[int],
    recogniser: keras.Model,
    settings: Settings = Settings(),
) -> dict[str, Any]:
    """Tries a generator.

    Args:
        generator: One that has not seen the classes.
        train: Hands that the readers may learn from.
        unseen: Hands that they are tried on.
        labels: The classes.
        recogniser: Says which of the generated samples are legible.
        settings: How much to spend.

    Returns:
        `classes`, `samples` (tried), `legible` (share of what was generated), `rows`: for each number of shots
        the accuracy of each arm and `gain`, generated less the better of distorted and copies, with `low` and
        `high` of its interval;
        `gain` of all rows together; `accepted`.

    Raises:
        ValueError: The hands lack all samples of a class.
    """
    order = np.array(sorted(labels))
    real, tried = (_only(hands, order) for hands in (train, unseen))
    lacking = set(range(len(order))) - set(real[1].tolist())
    if lacking or not len(tried[1]):
        raise ValueError(f"The hands must hold samples of each class. {len(lacking)} have none.")
    asked = np.repeat(order, settings.added)
    generated, legible = generator.write_legibly(asked, recogniser)
    generated = drawing.shrunk(generated[legible], EM)
    of_generated = np.searchsorted(order, asked[legible])
    printed = drawing.shrunk(generator.printed[order], EM), np.arange(len(order))
    cells = pipeline.framed(tried[0], _READER["size"])
    rows, differences = [], []
    runs = [(shots, seed) for shots in settings.shots for seed in range(settings.seeds)]
    right: dict[tuple[int | None, str], list[np.ndarray]] = {}
    for shots, seed in tqdm.tqdm(runs, unit="round"):
        rng = np.random.default_rng([seed, 17])
        base = _joined(printed, _few(real, shots, rng))
        extra = {"copies": _copies(base, of_generated, rng), "generated": (generated, of_generated)}
        for arm in ARMS:
            samples = _joined(base, extra[arm]) if arm in extra else base
            reader = _train(samples, len(order), seed, settings.steps, distorted=arm != "real")
            answers = metrics.best(np.asarray(reader.predict(cells, verbose=0)["logits"]), 1)[:, 0]
            right.setdefault((shots, arm), []).append(answers == tried[1])
    for shots in settings.shots:
        means = {arm: np.mean(right[shots, arm], 0) for arm in ARMS}
        rival = max(means["distorted"], means["copies"], key=np.mean)
        difference = means["generated"] - rival
        differences.append(difference)
        rows.append(
            {
                "shots": shots,
                **{arm: float(mean.mean()) for arm, mean in means.items()},
                **_interval(difference),
            }
        )
    together = _interval(np.mean(differences, 0))
    return {
        "classes": len(order),
        "samples": len(tried[1]),
        "legible": float(legible.mean()),
        "rows": rows,
        **together,
        "accepted": together["low"] > 0,
    }


def _only(hands: Sequence[Glyphs], order: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The pictures of some classes, uint8 (n, 96, 96), and their places in `order`."""
    images = np.concatenate([hand.images for hand in hands])
    labels = np.concatenate([hand.labels for hand in hands])
    chosen = np.isin(labels, order)
    return images[chosen], np.searchsorted(order, labels[chosen])


def _few(
    samples: tuple[np.ndarray, np.ndarray], shots: int | None, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """At most so many samples of each class; None for all."""
    if shots is None:
        return samples
    images, places = samples
    shuffled = rng.permutation(len(places))
    kept = [shuffled[places[shuffled] == place][:shots] for place in np.unique(places)]
    chosen = np.concatenate(kept)
    return images[chosen], places[chosen]


def _joined(*parts: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])


def _copies(
    base: tuple[np.ndarray, np.ndarray], places: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Distorted copies of samples, one for each of `places`."""
    images, of = base
    if not len(places):
        return images[:0], places
    members = {place: np.flatnonzero(of == place) for place in np.unique(of).tolist()}
    chosen = [rng.choice(members[place]) for place in places.tolist()]
    return np.stack([augment.bent(images[index], rng) for index in chosen]), places


def _train(
    samples: tuple[np.ndarray, np.ndarray], classes: int, seed: int, steps: int, distorted: bool
) -> keras.Model:
    keras.utils.set_random_seed(seed)
    reader = zoo.create("hanzinet", classes=classes, **_READER)
    schedule = keras.optimizers.schedules.CosineDecay(3e-3, steps)
    reader.compile(keras.optimizers.Adam(schedule), {"logits": crossentropy}, jit_compile=False)
    images, places = samples
    shares = 1 / np.bincount(places)[places]
    rng = np.random.default_rng(seed)
    plain = pipeline.framed(images, _READER["size"])
    for _ in range(steps):
        chosen = rng.choice(len(places), _BATCH, p=shares / shares.sum())
        batch = plain[chosen]
        if distorted:
            others = rng.integers(0, len(images), _BATCH)
            pictures = [
                augment.cell_image(images[index], images[other], rng)
                for index, other in zip(chosen, others, strict=True)
            ]
            batch = drawing.shrunk(np.stack(pictures), _READER["size"])[..., None]
        reader.train_on_batch(batch, places[chosen])
    return reader


def _interval(difference: np.ndarray) -> dict[str, float]:
    """The mean of paired differences, and its 95 % interval by bootstrap over the samples."""
    rng = np.random.default_rng(0)
    means = [difference[rng.integers(0, len(difference), len(difference))].mean() for _ in range(_BOOTSTRAPS)]
    low, high = np.quantile(means, (0.025, 0.975))
    return {"gain": float(difference.mean()), "low": float(low), "high": float(high)}


def table(report: dict[str, Any]) -> str:
    """The figures of `measure` as a table in Markdown."""
    lines = [
        "| real samples of a class | real only | distorted | + distorted copies | + generated | gain | 95 % |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in report["rows"]:
        shots = "all" if row["shots"] is None else row["shots"]
        accuracies = " | ".join(f"{row[arm]:.3f}" for arm in ARMS)
        lines.append(
            f"| {shots} | {accuracies} | {row['gain']:+.3f} | {row['low']:+.3f} to {row['high']:+.3f} |"
        )
    lines.append(
        f"| together | | | | | {report['gain']:+.3f} | {report['low']:+.3f} to {report['high']:+.3f} |"
    )
    return "\n".join(lines)
