"""The gate: does a generator's writing make a reader better than the same number of distorted copies?

Small readers of some classes learn from k real samples of each class and are tried on writers that nobody
trained on: from the real samples alone; with classical distortion; with distortion and copies that were distorted
before; with distortion and as many generated samples instead, less those that are illegible. All see as many
pictures, and the printed character of each class; those of one seed start from the same weights.

A generator is accepted if its gain over as many copies, the mean of all k, has its whole 95 % interval above zero, and
it is not surely worse than the best of the three. Copies are a weak rival where distortion alone does better, so both
gains are told.
The interval is that of a paired bootstrap that draws people, characters of each person and seeds, so that a person
who wrote much does not count for many; it is widened as Student's t asks of so few people.
"""

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tqdm
from scipy import stats

import zoo
from training import augment, drawing, metrics, pipeline, sources
from training.generator import Generator
from training.sources import EM, Glyphs

COPIES = "copies"
RIVALS = ("real", "distorted", COPIES)
_READER: dict[str, Any] = {"size": 48, "widths": (16, 32, 64, 96), "depths": (0, 0, 0, 0), "embedding": 64}
_BATCH = 32
_MARGIN = 0.06  # Around the em square, as readers cut cells.
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

    Raises:
        ValueError: One of them is none, or `shots` names a number twice.
    """

    shots: tuple[int | None, ...] = (0, 2, 5, 20, None)
    seeds: int = 3
    steps: int = 1000
    added: int = 20

    def __post_init__(self) -> None:
        if min(self.seeds, self.steps, self.added) < 1:
            raise ValueError(
                "`seeds`, `steps` and `added` must be at least 1. "
                f"Received: {self.seeds}, {self.steps}, {self.added}."
            )
        if not self.shots or len(set(self.shots)) != len(self.shots):
            raise ValueError(f"`shots` must name some numbers, each once. Received: {self.shots}.")


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
        `legible` (share of what it was asked for), `rows` with `generated`, the `best` of the rivals, `over_copies` and
        `over_best`, each a `gain` with its `low` and `high`; both of all rows together; and `accepted`.

    Raises:
        ValueError: The hands lack all samples of a class, nobody is there to try the readers on, or somebody is on
            both sides.
    """
    order = np.array(sorted(labels))
    real, shown = (_only(hands, order) for hands in (train, unseen))
    lacking = set(range(len(order))) - set(real[1].tolist())
    if lacking:
        raise ValueError(f"The hands must hold samples of each class. {len(lacking)} have none.")
    names, people = _people(unseen, order)
    both = {sources.person(hand.writer) for hand in train} & set(names)
    if both or not names:
        raise ValueError(
            "The readers must be tried on people who wrote some of the classes, and whom they do not learn from. "
            f"On both sides: {', '.join(sorted(both)) or 'nobody'}."
        )
    tried = _Tried(pipeline.framed(shown[0], _READER["size"], _MARGIN), shown[1], people)
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
    printed = drawing.shrunk(next(iter(generators.values())).printed[order], EM)
    reader = _Reader(len(order), settings.steps)
    for shots, seed, arm in tqdm.tqdm(rounds, unit="reader"):
        rng = np.random.default_rng([seed, 17])
        samples = _joined((printed, np.arange(len(order))), _few(real, shots, rng))
        if arm in generators:
            samples = _joined(samples, written[arm, seed])
        elif arm == COPIES:
            samples = _joined(samples, _copies(samples, asked, rng))
        reader.learn(samples, seed, distorted=arm != "real")
        right.setdefault((shots, arm), []).append(tried.answered(reader.model))
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
    """What a generator gains over copies and over the best rival, for each number of shots and together."""
    rows: list[dict[str, Any]] = []
    gains: dict[str, list[np.ndarray]] = {"over_copies": [], "over_best": []}
    for shots in settings.shots:
        best = max(RIVALS, key=lambda arm: _mean(answers[shots, arm], people))
        found = {}
        for over, rival in (("over_copies", COPIES), ("over_best", best)):
            gains[over].append(answers[shots, name] - answers[shots, rival])
            found[over] = _interval(gains[over][-1], people)
        rows.append({"shots": shots, "generated": _mean(answers[shots, name], people), "best": best, **found})
    together = {over: _interval(np.mean(differences, 0), people) for over, differences in gains.items()}
    accepted = together["over_copies"]["low"] > 0 and together["over_best"]["high"] >= 0
    return {"rows": rows, **together, "accepted": accepted}


def styles(hands: Sequence[Glyphs], labels: Sequence[int]) -> list[Glyphs]:
    """What people wrote of other characters than `labels`, one entry for each person who did.

    A generator that writes like samples must not be shown the very characters that it is tried on.
    """
    people: dict[str, list[Glyphs]] = {}
    for hand in hands:
        people.setdefault(sources.person(hand.writer), []).append(hand)
    found = []
    for name, parts in people.items():
        images = np.concatenate([part.images for part in parts])
        of = np.concatenate([part.labels for part in parts])
        others = ~np.isin(of, labels)
        if others.any():
            found.append(Glyphs(name, images[others], of[others], real=True))
    return found


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


class _Reader:
    """A small reader that learns anew each time; so it is traced once.

    Args:
        classes: How many.
        steps: Batches that it learns from.
    """

    def __init__(self, classes: int, steps: int) -> None:
        self._classes, self._steps = classes, steps
        self.model = self._fresh()
        schedule = keras.optimizers.schedules.CosineDecay(3e-3, steps)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        self.model.compile(keras.optimizers.Adam(schedule), {"logits": loss}, jit_compile=False)

    def _fresh(self) -> keras.Model:
        return zoo.create("hanzinet", classes=self._classes, **_READER)

    def learn(self, samples: _Samples, seed: int, distorted: bool) -> None:
        """Learns from samples, each class as often, from the weights that the seed gives."""
        keras.utils.set_random_seed(seed)
        self.model.set_weights(self._fresh().get_weights())
        for variable in self.model.optimizer.variables:
            variable.assign(keras.ops.zeros_like(variable))
        images, places = samples
        shares = 1 / np.bincount(places)[places]
        shares /= shares.sum()
        size = _READER["size"]
        rng = np.random.default_rng(seed)
        for _ in range(self._steps):
            chosen = rng.choice(len(places), _BATCH, p=shares)
            if distorted:
                shown = np.stack([augment.bent(images[index], rng, size, _MARGIN) for index in chosen])[
                    ..., None
                ]
            else:
                shown = pipeline.framed(images[chosen], size, _MARGIN)
            self.model.train_on_batch(shown, places[chosen])


def _mean(values: np.ndarray, people: np.ndarray) -> float:
    """The mean of the people's means: float (seeds, n), int (n,)."""
    return float(np.mean([values[:, people == person].mean() for person in np.unique(people)]))


def _interval(difference: np.ndarray, people: np.ndarray) -> dict[str, float]:
    """The mean of paired differences, and its 95 % interval by bootstrap over people, their samples and seeds.

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
    gain, count = _mean(difference, people), len(of_people)
    # A bootstrap of few people varies less than people do.
    wider = (
        stats.t.ppf(0.975, count - 1) / stats.norm.ppf(0.975) * (count / (count - 1)) ** 0.5
        if count > 1
        else 1.0
    )
    low, high = gain + wider * (np.quantile(means, (0.025, 0.975)) - gain)
    return {"gain": gain, "low": float(low), "high": float(high)}


def tables(report: dict[str, Any]) -> str:
    """The figures of `measure` as tables in Markdown: the readers without a generator, and each generator."""
    rivals = {row["shots"]: row for row in report["rivals"]}
    parts = []
    for generator in report["generators"]:
        lines = [
            "| real samples of a class | real only | distorted | + distorted copies | + generated "
            "| over copies | 95 % | over the best | 95 % |",
            "|---|---|---|---|---|---|---|---|---|",
        ]
        for row in generator["rows"]:
            accuracies = " | ".join(f"{rivals[row['shots']][arm]:.3f}" for arm in RIVALS)
            lines.append(f"| {_shots(row)} | {accuracies} | {row['generated']:.3f} | {_gains(row)} |")
        lines.append(f"| together | | | | | {_gains(generator)} |")
        parts.append(
            f"{generator['name']}: {_in_words(generator)}; {generator['legible']:.2f} of what it was asked for is legible.\n\n"
            + "\n".join(lines)
        )
    return "\n\n".join(parts)


def _in_words(generator: dict[str, Any]) -> str:
    """Whether it is accepted, and where it is surely better or worse than the best rival."""
    words = ["accepted" if generator["accepted"] else "not accepted"]
    rows = {_shots(row): row["over_best"] for row in generator["rows"]}
    rows["together"] = generator["over_best"]
    for side, places in (
        ("better", [name for name, gain in rows.items() if gain["low"] > 0]),
        ("worse", [name for name, gain in rows.items() if gain["high"] < 0]),
    ):
        if places:
            words.append(f"surely {side} than the best rival in the rows {', '.join(places)}")
    return ", ".join(words)


def _shots(row: dict[str, Any]) -> str:
    return "all" if row["shots"] is None else str(row["shots"])


def _gains(found: dict[str, Any]) -> str:
    """The cells of both gains."""
    return " | ".join(
        f"{found[over]['gain']:+.3f} | {found[over]['low']:+.3f} to {found[over]['high']:+.3f}"
        for over in ("over_copies", "over_best")
    )
