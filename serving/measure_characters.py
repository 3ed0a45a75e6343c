"""Measures a recogniser on labelled characters: what evaluation, presets and model cards report."""

import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

import zoo
from serving import draw, latency, reading_tables, runtime
from serving.runtime import Session
from training import calibration, labelled, metrics, pictures, pipeline, reading, sources
from training import recipe as recipes
from training.calibration import Calibration
from training.recipe import CharacterRecipe
from training.sources import Glyphs
from training.task import learned_before
from zoo import charset


@dataclasses.dataclass(frozen=True)
class Measured:
    """What a model answers to the characters of some writers.

    Attributes:
        writers: The characters.
        answers: Of each writer, in each precision of the model.
        logits: float32 (n, classes) for each writer, in the precision that ships.
        characters: The character of each class.
    """

    writers: Sequence[Glyphs]
    answers: Sequence[reading.Answers]
    logits: Sequence[np.ndarray]
    characters: Sequence[str]

    @property
    def precision(self) -> str:
        """int8 where there is an integer file, for that is what readers run; else float32."""
        return "int8" if "int8" in self.answers[0].best else "float32"

    @property
    def labels(self) -> list[np.ndarray]:
        """The classes that each writer wrote."""
        return [writer.labels for writer in self.writers]

    @property
    def mistakes(self) -> int:
        """How many characters are read as another one."""
        return sum(
            int((logits.argmax(1) != labels).sum())
            for logits, labels in zip(self.logits, self.labels, strict=True)
        )

    def fit(self) -> Calibration:
        """The calibration that fits all writers together, for readers of other writers."""
        return calibration.fit(np.concatenate(self.logits), np.concatenate(self.labels))

    def fit_text_temperature(self) -> float:
        """The temperature of likelihoods, for readers of text."""
        return calibration.fit_text_temperature(np.concatenate(self.logits), np.concatenate(self.labels))

    def figures(self, shipped: Calibration | None = None) -> dict[str, Any]:
        """What `reading.figures` says, `handwriting` (whether hands wrote all of it) and `calibration`.

        Args:
            shipped: The calibration of the model, if it was not fitted on these characters.

        Returns:
            Under `calibration`, as `calibration.measure` gives them: `cross_fitted`, each writer with the
            calibration of the others, None where all characters are of one person; and with `shipped`.
        """
        names = [writer.writer for writer in self.writers]
        several = len({sources.person(name) for name in names}) > 1
        used = {"cross_fitted": calibration.cross_fit(self.logits, self.labels, names) if several else None}
        if shipped is not None:
            used["shipped"] = [shipped] * len(names)
        figures = reading.figures(self.answers, self.precision, self.characters)
        if self.precision == "int8":
            firsts = [
                np.concatenate([one.best[p][:, 0] for one in self.answers]) for p in ("float32", "int8")
            ]
            figures["agreement_int8_float32"] = float(np.mean(firsts[0] == firsts[1]))
        return figures | {
            "handwriting": all(writer.real for writer in self.writers),
            "calibration": {
                name: one and calibration.measure(self.logits, self.labels, names, one)
                for name, one in used.items()
            },
        }


def measure(
    model: keras.Model, session: Session | None, writers: Sequence[Glyphs], characters: Sequence[str]
) -> Measured:
    """Shows a model undistorted characters.

    Args:
        model: From `image`, uint8 (N, size, size, 1), to `logits`, float32 (N, classes).
        session: Its integer file, if it has one.
        writers: Characters of at least one writer.
        characters: The character of each class.

    Raises:
        ValueError: The model does not classify characters.
    """
    outputs = model.output.get("logits")
    if outputs is None or outputs.shape[1:] != (len(characters),):
        shapes = {name: tensor.shape for name, tensor in model.output.items()}
        raise ValueError(
            f"The model must give `logits` (None, {len(characters)}), one for each character. Received: {shapes}."
        )
    answers, kept = [], []
    for writer in writers:
        logits = metrics.logits_of(model, writer)
        best = {"float32": metrics.best(logits)}
        if session is not None:
            logits = logits_of_file(session, writer, model.input_shape[1])
            best["int8"] = metrics.best(logits)
        answers.append(reading.Answers(writer.writer, writer.labels, best))
        kept.append(logits)
    return Measured(writers, answers, kept, characters)


def logits_of_file(session: Session, writer: Glyphs, size: int) -> np.ndarray:
    """What a TFLite file that reads cells of this size answers to a writer: float32 (n, classes)."""
    cells = pipeline.clean_cells(writer, size)
    chunks = [cells[start : start + 64] for start in range(0, len(cells), 64)]
    return np.concatenate([session.run({"image": chunk})["logits"] for chunk in chunks])


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """A model measured on a folder.

    Attributes:
        report: What `hanzoo evaluate --json` writes.
        measured: What it was made from.
    """

    report: dict[str, Any]
    measured: Measured

    def pictures(self) -> dict[str, np.ndarray]:
        """`confusions`, uint8 (H, W, 3)."""
        answers = [one.best[self.measured.precision][:, 0] for one in self.measured.answers]
        sheet = pictures.confusion_sheet(
            self.measured.writers, answers, characters=self.measured.characters, font=draw.find_font()
        )
        return {"confusions": sheet}

    def table(self) -> str:
        """The report for people."""
        return reading_tables.evaluation(self.report)


def evaluate(model: str | Path, data: Path) -> Evaluation:
    """Measures a trained recogniser on all labelled characters of a folder.

    Args:
        model: Name of a preset, or folder of a preset or of a finished run.
        data: Folder as `training.labelled.read` takes it. Of a recipe that names its characters, only
            these are measured.

    Returns:
        The report holds what `Measured.figures` gives, `model`, `characters` with the figures of each,
        `seen` (the writers that the model, or one that it went on from, was trained on), `calibrated_on` (those that its temperature was
        fitted on), `skipped` (a line for each unreadable file), `bytes` of each file and `latency`.

    Raises:
        ValueError: There is no such model, it does not classify characters, or the data cannot be used.
        RuntimeError: The model does not run.
    """
    description = zoo.describe(model)
    characters = zoo.characters(model)
    writers, skipped = labelled.read(data, characters)
    recipe = recipes.from_json(description["recipe"]) if "recipe" in description else None
    if isinstance(recipe, CharacterRecipe) and recipe.characters:
        writers = [sources.only(writer, charset.encode(recipe.characters)) for writer in writers]
    files = {name: facts["bytes"] for name, facts in description.get("files", {}).items()}
    session = None
    if "model.tflite" in files:
        with runtime.without_native_messages():
            session = runtime.preset(model if model in runtime.names() else Path(model)).session()
    measured = measure(zoo.load(model), session, writers, characters)
    shipped = Calibration(description.get("temperature", 1.0), description.get("reject_threshold"))
    report = {
        "model": Path(model).name,
        "seen": _shared(writers, learned_before([str(model)])["hands_before"]),
        "calibrated_on": _shared(writers, description.get("validation", {}).get("writers", ())),
        "skipped": skipped,
        **measured.figures(shipped),
        "characters": reading.by_character(measured.answers, measured.precision, characters),
        "bytes": files,
        "latency": latency.measure(model, session.path if session is not None else None),
    }
    return Evaluation(report, measured)


def _shared(writers: Sequence[Glyphs], names: Iterable[str]) -> list[str]:
    """The writers who are among the people of these names."""
    people = {sources.person(name) for name in names}
    return [one.writer for one in writers if sources.person(one.writer) in people]
