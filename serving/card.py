"""The model card of a preset, made from its `result.json`."""

from typing import Any

from serving import reading_tables
from training import sources
from training.calibration import PRECISION
from zoo import kinds


def card(name: str, result: dict[str, Any], shape: tuple[int | None, ...]) -> str:
    """The card in Markdown.

    Args:
        name: Of the preset.
        result: What stands in its `result.json`.
        shape: Of the model's input.
    """
    figures, data = result["validation"], result["data"]
    _, height, width, channels = shape
    classes = result["sizes"]["classes"]
    return f"""# {name}

Reads one handwritten Traditional Chinese character, a punctuation mark, digit, letter or bopomofo symbol,
or tells that a cell is empty.

- Input `image`: uint8 (N, {height}, {width}, {channels}), dark ink on light paper, a cell with 6 % of its
  surroundings.
- Output `logits`: float32 (N, {classes:,}), the ids of `zoo.characters`; id 0 is an empty cell.
  They are those of characters that are all as likely. Divide by the temperature {result["temperature"]:.3f} before the
  softmax; for text, add the logarithm of `zoo.emphasis.of` and divide by {result["text_temperature"]:.3f}.
- {_threshold(result)}
- {result["parameters"]:,} parameters; `model.tflite` takes {result["files"]["model.tflite"]["bytes"]:,} bytes
  (int8; the last layer gives its sums as float32).
- Licence of the weights: {licence(result)}

## Training

{result["training"]["pictures"]:,} distorted pictures of {sources_of(data)}.

{_names(data)}

{data["classes_without_a_sample"]} of the {classes - 1:,} characters have no sample.

{result["notes"] or "Nothing is noted on the licences of these sources."}

## Validation

{whose(figures, data)} All characters are undistorted.

{reading_tables.writers(figures)}

int8 and float32 agree on {figures["agreement_int8_float32"]:.4f} of them. What follows is of the int8 model.

{reading_tables.by_kind(figures)}

Look-alikes have the same shape, and only size, place and the text around tell them apart: {_look_alikes()}.

## Calibration

{_calibration(result)}

## Confusions

{_confusions(figures)}
{_speed(result["latency"])}## Limits

Cursive hands and characters outside the charset are read as something else, often with a low score.
Handwriting with broken strokes is read much worse than clean handwriting.
"""


def _threshold(result: dict[str, Any]) -> str:
    threshold = result["reject_threshold"]
    if threshold is None:
        return f"No score is known to be high enough for {PRECISION:.0%} right answers."
    of = f" of {result['calibrated_by']}" if result.get("calibrated_by") else ""
    return f"From the score {threshold:.3f} on, {PRECISION:.0%} of the answers{of} to validation characters are right."


def _look_alikes() -> str:
    return ", ".join(f"`` {' '.join(group)} ``" for group in kinds.LOOK_ALIKES)


def licence(result: dict[str, Any]) -> str:
    """What a card says of the licence of the weights: public sets bind what learned from them, directly or not."""
    data = result["data"]
    sets = sorted({*data.get("sets", ()), *data.get("sets_before", ())})
    if sets:
        return f"that of the public sets which it, or a model before it, was trained on: {', '.join(sets)}."
    if not result["notes"]:
        return "not stated, because nothing is noted on the licences of what it learned from."
    return "Apache-2.0."


def sources_of(data: dict[str, Any]) -> str:
    """What a model was trained on, in words."""
    parts = [f"{len(data['hands'])} files of handwriting", f"{len(data['fonts'])} fonts"]
    if data.get("stroke_writers"):
        parts.append(f"{data['stroke_writers']} made-up writers with strokes of {', '.join(data['strokes'])}")
    if data.get("generated_hands"):
        parts.append(f"{data['generated_hands']} hands that a generator made up")
    return f"{', '.join(parts[:-1])} and {parts[-1]}"


def _names(data: dict[str, Any]) -> str:
    return "\n".join(f"- {kind}: {', '.join(data[kind]) or 'none'}." for kind in ("hands", "fonts"))


def last_stage(recipe: dict[str, Any]) -> str:
    """What follows the amount of training of a model that went on from another run."""
    return ", its last stage: it went on from runs that its card tells of" if recipe["start"] else ""


def whose(figures: dict[str, Any], data: dict[str, Any]) -> str:
    """Whose characters the figures stand on, in words."""
    if not figures.get("handwriting", True):  # Older presets do not say it; hands wrote all of theirs.
        apart = set(figures["writers"]) <= set(data.get("unseen", ()))
        names = ", ".join(figures["writers"])
        trained = "did not train" if apart else "trained too"
        return f"No handwriting: characters of a font or made-up writer ({names}) that {trained}."
    writers = {sources.person(name) for name in figures["writers"]}
    if writers & {sources.person(name) for name in data["hands"]}:
        return "Characters that the model never saw, of writers that it was trained on."
    if known := sorted(writers & {sources.person(name) for name in data.get("hands_before", ())}):
        return f"Writers that a model which this one went on from was trained on: {', '.join(known)}."
    return "Writers that the model never saw."


def _calibration(result: dict[str, Any]) -> str:
    found = result["validation"]["calibration"]["cross_fitted"]
    sentence = reading_tables.calibration(found)
    if found is not None:
        sentence = (
            "How well temperature and threshold serve for another writer is measured on writers that they are not "
            f"fitted on. {sentence}\n\n{reading_tables.by_writer_calibration(found)}"
        )
    if result.get("calibrated_by"):
        return (
            f"Temperature and threshold above are those of {result['calibrated_by']}: the mistakes here are too few to fit "
            f"others. {sentence}"
        )
    return (
        f"Temperature and threshold above are fitted on all these writers. {sentence}" if found else sentence
    )


def _confusions(figures: dict[str, Any]) -> str:
    if not figures["confusions"]:
        return "No character was read as another one.\n"
    text = f"The pairs that are most often taken for each other:\n\n{reading_tables.confusions(figures)}\n"
    chinese = reading_tables.confused(figures, most=20, chinese=True)
    return text + (f"\nPairs of Chinese characters: {chinese}.\n" if chinese else "")


def _speed(latency: dict[str, Any] | None) -> str:
    return "" if latency is None else f"## Speed\n\n{reading_tables.latency(latency)}\n\n"
