"""The gate: does a generator's writing make a reader better than the same number of distorted copies?

Small readers of some classes learn from k real samples of each class and are tried on writers that nobody
trained on: from the real samples alone; with classical distortion; with as many more copies, distorted
beforehand; with as many generated samples instead. Each reader starts from the same weights, sees as many
pictures and the printed character of each class. A generator is accepted if it beats the best of the three
others, with the whole 95 % interval of a paired bootstrap above zero. The bootstrap draws people, characters
of each person and readers, so that a person who wrote much does not count for many.
"""

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tqdm

import zoo
from training import augment, drawing, metrics, pipeline, sources
from training.characters import crossentropy
from training.generator import Generator
from training.sources import EM, Glyphs

RIVALS = ("real", "distorted", "copies")
_READER: dict[str, Any] = {"size": 48, "widths": (16, 32, 64, 96), "depths": (0, 0, 0, 0), "embedding": 64}
_BATCH = 32
_BOOTSTRAPS = 2000

_Samples = tuple[np.ndarray, np.ndarray]
"""Pictures, uint8 (n, 96, 96), and the places of their classes, int (n,)."""


@dataclasses.dataclass(frozen=True)
class Settings:
    """How much the gate spends.

    Attributes:
        shots: Real samples of each class; None for all.
        seeds: Readers of each kind; each has its own choice of real samples, and its own generated ones.
        steps: Batches of 32 that a reader learns from.
        added: Copies or generated samples of each class.
    """

    shots: tuple[int | None, ...] = (0, 2, 5, 20, None)
    seeds: int = 3
    steps: int = 1200
    added: int = 20


@dataclasses.dataclass(frozen=True)
class _Tried:
    """What the readers are tried on: `pictures` for the reader, `places` of their classes, `people`, int (n,)."""

    pictures: np.ndarray
    places: np.ndarray
    people: np.ndarray

    def answered(self, reader: keras.Model) -> np.ndarray:
        """Whether a reader is right, bool (n,)."""
        answers = metrics.best(np.asarray(reader.predict(self.pictures, verbose=0)["logits"]), 1)[:, 0]
        return np.asarray(answers == self.places)


def measure(
    generators: Mapping[str, Generator],
    train: Sequence[Glyphs],
    unseen: Sequence[Glyphs],
    labels: Sequence[int],
    recogniser: keras.Model,
    settings: Settings = Settings(),
) -> dict[str, Any]:
    """Tries generators, all beside the same readers without them.

    Args:
        generators: By name; none has seen the classes.
        train: Hands that the readers may learn from.
        unseen: Hands that they are tried on.
        labels: The classes.
        recogniser: Says which of the generated samples are legible.
        settings: How much to spend.

    Returns:
        `classes`; `people`, the number of samples of each person; `settings`; `rivals`, for each number of shots
        the accuracy of the readers without a generator, the mean of the people; `generators`, for each `name`,
        `legible` (share of what was generated), `rows` with `generated`, `rival` and `gain` with `low` and `high`,
        the `gain` of all rows together, and `accepted`.

    Raises:
        ValueError: The hands lack all samples of a class.
    """
    order = np.array(sorted(labels))
    real, shown = (_only(hands, order) for hands in (train, unseen))
    lacking = set(range(len(order))) - set(real[1].tolist())
    if lacking or not len(shown[1]):
        raise ValueError(f"The hands must hold samples of each class. {len(lacking)} have none.")
    names, people = _people(unseen, order)
    tried = _Tried(pipeline.framed(shown[0], _READER["size"]), shown[1], people)
    asked = np.repeat(np.arange(len(order)), settings.added)
    written: dict[tuple[str, int], _Samples] = {}
    legible: dict[str, list[float]] = {name: [] for name in generators}
    for (name, generator), seed in itertools.product(generators.items(), range(settings.seeds)):
        images, good = generator.write_legibly(order[asked], recogniser, seed)
        written[name, seed] = drawing.shrunk(images[good], EM), asked[good]
        legible[name].append(float(good.mean()))
    right: dict[tuple[int | None, str], list[np.ndarray]] = {}
    arms = (*RIVALS, *generators)
    rounds = list(itertools.product(settings.shots, range(settings.seeds), arms))
    printed = next(iter(generators.values())).printed[order]
    for shots, seed, arm in tqdm.tqdm(rounds, unit="reader"):
        rng = np.random.default_rng([seed, 17])
        samples = _joined((drawing.shrunk(printed, EM), np.arange(len(order))), _few(real, shots, rng))
        if arm in generators:
            samples = _joined(samples, written[arm, seed])
        elif arm == "copies":
            samples = _joined(samples, _copies(samples, asked, rng))
        reader = _train(samples, len(order), seed, settings.steps, distorted=arm != "real")
        right.setdefault((shots, arm), []).append(tried.answered(reader))
    answers = {key: np.array(values, float) for key, values in right.items()}
    return {
        "classes": len(order),
        "people": {name: int((people == place).sum()) for place, name in enumerate(names)},
        "settings": dataclasses.asdict(settings),
        "rivals": [
            {"shots": shots, **{arm: _mean(answers[shots, arm], people) for arm in RIVALS}}
            for shots in settings.shots
        ],
        "generators": [
            {
                "name": name,
                "legible": float(np.mean(legible[name])),
                **_verdict(name, answers, people, settings),
            }
            for name in generators
        ],
    }


def _verdict(
    name: str, answers: Mapping[tuple[int | None, str], np.ndarray], people: np.ndarray, settings: Settings
) -> dict[str, Any]:
    """What a generator gains over the best of the others, for each number of shots and together."""
    rows, differences = [], []
    for shots in settings.shots:
        rival = max(RIVALS, key=lambda arm: _mean(answers[shots, arm], people))
        differences.append(answers[shots, name] - answers[shots, rival])
        row: dict[str, Any] = {
            "shots": shots,
            "generated": _mean(answers[shots, name], people),
            "rival": rival,
        }
        rows.append(row | _interval(differences[-1], people))
    together = _interval(np.mean(differences, 0), people)
    return {"rows": rows, **together, "accepted": together["low"] > 0}


def _only(hands: Sequence[Glyphs], order: np.ndarray) -> _Samples:
    """The pictures of some classes, and their places in `order`."""
    images = np.concatenate([hand.images for hand in hands])
    labels = np.concatenate([hand.labels for hand in hands])
    chosen = np.isin(labels, order)
    return images[chosen], np.searchsorted(order, labels[chosen])


def _people(hands: Sequence[Glyphs], order: np.ndarray) -> tuple[list[str], np.ndarray]:
    """The people who wrote some classes, and the place among them of who wrote each picture, int (n,)."""
    counts = [int(np.isin(hand.labels, order).sum()) for hand in hands]
    names = np.repeat([sources.person(hand.writer) for hand in hands], counts)
    people, places = np.unique(names, return_inverse=True)
    return people.tolist(), places


def _few(samples: _Samples, shots: int | None, rng: np.random.Generator) -> _Samples:
    """At most so many samples of each class; None for all."""
    if shots is None:
        return samples
    images, places = samples
    shuffled = rng.permutation(len(places))
    kept = [shuffled[places[shuffled] == place][:shots] for place in np.unique(places)]
    chosen = np.concatenate(kept)
    return images[chosen], places[chosen]


def _joined(*parts: _Samples) -> _Samples:
    return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])


def _copies(base: _Samples, places: np.ndarray, rng: np.random.Generator) -> _Samples:
    """Distorted copies of samples, one for each of `places`."""
    images, of = base
    members = {place: np.flatnonzero(of == place) for place in np.unique(places).tolist()}
    chosen = [rng.choice(members[place]) for place in places.tolist()]
    return np.stack([augment.bent(images[index], rng) for index in chosen]), places


def _train(samples: _Samples, classes: int, seed: int, steps: int, distorted: bool) -> keras.Model:
    keras.utils.set_random_seed(seed)
    reader = zoo.create("hanzinet", classes=classes, **_READER)
    schedule = keras.optimizers.schedules.CosineDecay(3e-3, steps)
    reader.compile(keras.optimizers.Adam(schedule), {"logits": crossentropy}, jit_compile=False)
    images, places = samples
    shares = 1 / np.bincount(places)[places]
    shares /= shares.sum()
    rng = np.random.default_rng(seed)
    for _ in range(steps):
        chosen = rng.choice(len(places), _BATCH, p=shares)
        shown = images[chosen]
        if distorted:
            shown = np.stack([augment.bent(image, rng) for image in shown])
        reader.train_on_batch(pipeline.framed(shown, _READER["size"]), places[chosen])
    return reader


def _mean(values: np.ndarray, people: np.ndarray) -> float:
    """The mean of the people's means: float (seeds, n), int (n,)."""
    return float(np.mean([values[:, people == person].mean() for person in np.unique(people)]))


def _interval(difference: np.ndarray, people: np.ndarray) -> dict[str, float]:
    """The mean of paired differences, and its 95 % interval by bootstrap over people, their samples and readers.

    Args:
        difference: float (seeds, n).
        people: Who wrote each sample, int (n,).
    """
    rng = np.random.default_rng(0)
    of_people = [difference[:, people == person] for person in np.unique(people)]
    means = []
    for _ in range(_BOOTSTRAPS):
        seeds = rng.integers(0, len(difference), len(difference))
        drawn = [of_people[person] for person in rng.integers(0, len(of_people), len(of_people))]
        means.append(
            np.mean([one[:, rng.integers(0, one.shape[1], one.shape[1])][seeds].mean() for one in drawn])
        )
    low, high = np.quantile(means, (0.025, 0.975))
    return {"gain": _mean(difference, people), "low": float(low), "high": float(high)}


def tables(report: dict[str, Any]) -> str:
    """The figures of `measure` as tables in Markdown: the readers without a generator, and each generator."""
    rivals = {row["shots"]: row for row in report["rivals"]}
    parts = []
    for generator in report["generators"]:
        lines = [
            "| real samples of a class | real only | distorted | + distorted copies | + generated | gain | 95 % |",
            "|---|---|---|---|---|---|---|",
        ]
        for row in generator["rows"]:
            accuracies = " | ".join(f"{rivals[row['shots']][arm]:.3f}" for arm in RIVALS)
            lines.append(
                f"| {'all' if row['shots'] is None else row['shots']} | {accuracies} | {row['generated']:.3f} | {_signed(row)} |"
            )
        lines.append(f"| together | | | | | {_signed(generator)} |")
        verdict = "accepted" if generator["accepted"] else "not accepted"
        parts.append(
            f"{generator['name']}: {verdict}; {generator['legible']:.2f} of what it drew is legible.\n\n"
            + "\n".join(lines)
        )
    return "\n\n".join(parts)


def _signed(found: dict[str, Any]) -> str:
    return f"{found['gain']:+.3f} | {found['low']:+.3f} to {found['high']:+.3f}"
