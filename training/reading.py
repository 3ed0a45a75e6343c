"""The figures of a reader of characters: by writer, by kind, by character, and its confusions."""

import collections
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from training import confusions
from zoo import kinds

_MOST_CONFUSIONS = 100


@dataclasses.dataclass(frozen=True)
class Answers:
    """What a model answers to the characters of one source.

    Attributes:
        writer: Name of the source.
        labels: int (n,), the classes that were written.
        best: Of each precision of the model, int (n, 5), the best classes, the best first.
    """

    writer: str
    labels: np.ndarray
    best: Mapping[str, np.ndarray]


def figures(answers: Sequence[Answers], precision: str, characters: Sequence[str]) -> dict[str, Any]:
    """Accuracies and confusions.

    Args:
        answers: Of at least one source with characters.
        precision: The precision that kinds and confusions describe.
        characters: The character of each class.

    Returns:
        `samples`, `classes` (those with a sample), `precision`, `writers` with `samples` and `top1` and
        `top5` of each precision, `mean` of these over the writers, `kinds`, and the first hundred
        `confusions`.
    """
    writers = {one.writer: _accuracies(one) for one in answers}
    labels = np.concatenate([one.labels for one in answers])
    best = np.concatenate([one.best[precision] for one in answers])
    return {
        "samples": len(labels),
        "classes": len(np.unique(labels)),
        "precision": precision,
        "writers": writers,
        "mean": {
            name: float(np.mean([of_writer[name] for of_writer in writers.values()]))
            for name in next(iter(writers.values()))
            if name != "samples"
        },
        "kinds": _by_kind(labels, best, characters),
        "confusions": [
            {
                "characters": [characters[index] for index in one.classes],
                "mistakes": one.mistakes,
                "read_as": list(one.read_as),
                "samples": list(one.samples),
            }
            for one in confusions.count(labels, best[:, 0])[:_MOST_CONFUSIONS]
        ],
    }


def _accuracies(answers: Answers) -> dict[str, float]:
    found: dict[str, float] = {"samples": len(answers.labels)}
    for precision, best in answers.best.items():
        hit = best == answers.labels[:, None]
        found[f"top1_{precision}"] = float(hit[:, 0].mean())
        found[f"top5_{precision}"] = float(hit.any(1).mean())
    return found


def _by_kind(labels: np.ndarray, best: np.ndarray, characters: Sequence[str]) -> dict[str, Any]:
    """Samples, top-1, top-5, and top-1 where characters that are written alike count as one."""
    kind_of = np.array([kinds.kind(characters[label]) for label in labels.tolist()])
    hit = best == labels[:, None]
    alike = hit[:, 0].copy()
    for index in np.flatnonzero(~alike):
        alike[index] = kinds.look_alike(characters[labels[index]], characters[best[index, 0]])
    rows: dict[str, Any] = {}
    for kind in kinds.KINDS:
        chosen = kind_of == kind
        if chosen.any():
            rows[kind] = {
                "samples": int(chosen.sum()),
                "top1": float(hit[chosen, 0].mean()),
                "top5": float(hit[chosen].any(1).mean()),
                "top1_look_alikes": float(alike[chosen].mean()),
            }
    return rows


def by_character(answers: Sequence[Answers], precision: str, characters: Sequence[str]) -> dict[str, Any]:
    """Of each character that was written, its `samples`, how many are `right`, and the commonest `mistake`.

    The mistake is None where there is none, and an empty string where a cell was taken for an empty one.
    Arguments as in `figures`.
    """
    labels = np.concatenate([one.labels for one in answers])
    read = np.concatenate([one.best[precision][:, 0] for one in answers])
    table: dict[str, Any] = {}
    for label in np.unique(labels).tolist():
        of_label = read[labels == label]
        wrong = collections.Counter(of_label[of_label != label].tolist()).most_common(1)
        table[characters[label]] = {
            "samples": len(of_label),
            "right": int((of_label == label).sum()),
            "mistake": characters[wrong[0][0]] if wrong else None,
            "mistakes": wrong[0][1] if wrong else 0,
        }
    return table
