"""The figures of a recogniser as text in Markdown: for the terminal, model cards and RESULTS.md."""

import unicodedata
from collections.abc import Sequence
from typing import Any

from serving import benchmark
from training.calibration import PRECISION
from zoo import kinds

_ESCAPED = {sign: f"\\{sign}" for sign in "|`\\*_<~"}  # What Markdown would take for itself.


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown, its columns padded, numbers to the right."""
    widths = [max(3, *(_width(row[column]) for row in [head, *rows])) for column in range(len(head))]
    lines = [
        " | ".join(
            [
                line[0] + " " * (widths[0] - _width(line[0])),
                *(
                    " " * (width - _width(cell)) + cell
                    for cell, width in zip(line[1:], widths[1:], strict=True)
                ),
            ]
        )
        for line in [head, *rows]
    ]
    rule = " | ".join(["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])])
    return "\n".join(f"| {line} |" for line in [lines[0], rule, *lines[1:]])


def _width(text: str) -> int:
    """Columns of a terminal; Chinese characters take two."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def writers(figures: dict[str, Any]) -> str:
    """Top-1 and top-5 of each writer, and their mean where there are several."""
    names = list(figures["mean"])
    rows = [
        [writer, f"{found['samples']:,}", *(f"{found[name]:.4f}" for name in names)]
        for writer, found in figures["writers"].items()
    ]
    if len(rows) > 1:
        rows.append(["mean", "", *(f"{figures['mean'][name]:.4f}" for name in names)])
    return markdown(["writer", "characters", *(_title(name) for name in names)], rows)


def _title(name: str) -> str:
    return name.replace("_", " ").replace("top", "top-")


def by_kind(figures: dict[str, Any]) -> str:
    """Top-1 and top-5 of each kind of character, and top-1 where look-alikes count as one."""
    rows = [
        [kind, f"{found['samples']:,}"]
        + [f"{found[name]:.4f}" for name in ("top1", "top5", "top1_look_alikes")]
        for kind, found in figures["kinds"].items()
    ]
    return markdown(["kind", "characters", "top-1", "top-5", "look-alikes as one"], rows)


def confusions(figures: dict[str, Any], most: int = 20) -> str:
    """The pairs that are most often taken for each other."""
    rows = []
    for one in figures["confusions"][:most]:
        first, second = (_ESCAPED.get(name, _shown(name)) for name in one["characters"])
        one_way, other_way = one["read_as"]
        rows.append(
            [
                f"{first} {second}",
                str(one["mistakes"]),
                str(sum(one["samples"])),
                str(one_way),
                str(other_way),
            ]
        )
    return markdown(["pair", "mistakes", "samples of both", "first as second", "second as first"], rows)


def confused(figures: dict[str, Any], most: int = 10, chinese: bool = False) -> str:
    """The same pairs in one line of plain text.

    Args:
        figures: Of `training.reading.figures`.
        most: How many pairs.
        chinese: Only pairs of two Chinese characters.
    """
    pairs = [
        one
        for one in figures["confusions"]
        if not chinese or all(name and kinds.kind(name) == "Chinese" for name in one["characters"])
    ]
    return ", ".join(
        f"{' '.join(map(_shown, one['characters']))} {one['mistakes']} of {sum(one['samples'])}"
        for one in pairs[:most]
    )


def _shown(character: str) -> str:
    return character or "(empty)"


def calibration(found: dict[str, Any] | None) -> str:
    """Sentences on scores and thresholds that were fitted on the other writers, for what was measured."""
    if found is None:
        return "All characters are of one writer, so calibration cannot be measured on another one."
    return (
        f"With temperature ({_range(found, 'temperature')}) and threshold ({_range(found, 'threshold')}) fitted "
        f"on the other writers: {_error(found)}. {_accepted(found)}"
    )


def own_calibration(found: dict[str, Any], fitted_on: Sequence[str]) -> str:
    """Sentences on the temperature and the threshold that come with a model.

    Args:
        found: Of `training.calibration.measure`.
        fitted_on: Those of the writers that they were fitted on.
    """
    used = next(iter(found["writers"].values()))
    flattered = f" (fitted on {', '.join(fitted_on)}, which flatters it)" if fitted_on else ""
    text = f"With the model's own temperature {used['temperature']:.3f}{flattered}: {_error(found)}."
    if used["threshold"] is None:
        return text
    return f"{text} Its threshold is {used['threshold']:.3f}. {_accepted(found)}"


def _range(found: dict[str, Any], name: str) -> str:
    values = [of_writer[name] for of_writer in found["writers"].values() if of_writer[name] is not None]
    return f"{min(values):.3f} to {max(values):.3f}" if values else "none"


def _error(found: dict[str, Any]) -> str:
    return (
        f"expected calibration error {found['mean_expected_calibration_error']:.4f} in the mean of the writers, "
        f"{found['expected_calibration_error']:.4f} over all characters"
    )


def _accepted(found: dict[str, Any]) -> str:
    if found["precision"] is None:
        return "No score reaches the threshold."
    return (
        f"Answers from the threshold for {PRECISION:.0%} precision on are {found['precision']:.2%} right, "
        f"{found['coverage']:.1%} of all answers."
    )


def by_writer_calibration(found: dict[str, Any]) -> str:
    """Calibration of each writer, fitted on the other ones."""
    rows = []
    for writer, one in found["writers"].items():
        threshold = "none" if one["threshold"] is None else f"{one['threshold']:.3f}"
        precision = "" if one["precision"] is None else f"{one['precision']:.4f}"
        error = f"{one['expected_calibration_error']:.4f}"
        rows.append(
            [writer, f"{one['temperature']:.3f}", error, threshold, precision, f"{one['coverage']:.4f}"]
        )
    head = ["writer", "temperature", "calibration error", "threshold", "precision", "coverage"]
    return markdown(head, rows)


def latency(found: dict[str, Any]) -> str:
    """Milliseconds of a character in each precision on each number of threads."""
    counts = list(next(iter(found["milliseconds"].values())))
    rows = [
        [precision, *(f"{times[count]:.2f}" for count in counts)]
        for precision, times in found["milliseconds"].items()
    ]
    head = ["ms a character", *(f"{count} thread{'s' * (count != '1')}" for count in counts)]
    return (
        f"Batches of {found['batch']}, float32 in Keras, int8 in LiteRT; "
        f"{benchmark.machine_in_words(found['machine'])}.\n\n{markdown(head, rows)}"
    )


def times(found: dict[str, Any]) -> str:
    """The milliseconds of a picture on each number of threads, in words."""
    each = " and ".join(
        f"{value:.0f} ms on {count} thread{'s' * (count != '1')}"
        for count, value in found["milliseconds"].items()
    )
    return f"{each} ({found['machine']['cpu']})"


def evaluation(report: dict[str, Any]) -> str:
    """What `hanzoo evaluate` prints: the parts that are short."""
    parts = [
        f"{report['model']}: {report['samples']:,} characters, {report['classes']:,} different ones; kinds, "
        f"confusions and calibration in {report['precision']}."
    ]
    if report["seen"]:
        parts.append(
            f"The model was trained on these writers, so it reads others worse: {', '.join(report['seen'])}."
        )
    if report["skipped"]:
        parts.append(f"{len(report['skipped'])} files cannot be used: {'; '.join(report['skipped'][:3])}")
    parts += [writers(report), by_kind(report)]
    if report["confusions"]:
        parts.append(f"Most confused: {confused(report)}.")
    found = report["calibration"]
    parts.append(
        f"{own_calibration(found['shipped'], report['calibrated_on'])}\n{calibration(found['cross_fitted'])}"
    )
    parts.append("\n".join(f"{name}: {size:,} bytes" for name, size in report["bytes"].items()))
    if report["latency"] is not None:
        parts.append(latency(report["latency"]))
    return "\n\n".join(parts)
