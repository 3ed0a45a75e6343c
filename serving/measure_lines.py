"""Measures a line reader on composed lines of unseen writers: its figures in presets, model cards and RESULTS.md."""

from typing import Any

import numpy as np

from serving import latency, reading_tables
from serving.card import last_stage, licence
from serving.runtime import Session
from training.recognition import LineTask
from zoo import strips

_TIMED = 512
"""Width in pixels of the strip that is timed."""


def measure(task: LineTask, session: Session) -> dict[str, Any]:
    """What `result.json` of a preset says of a line reader.

    Args:
        task: With the trained model and the validation lines.
        session: Of its integer file.

    Returns:
        `validation`, with the number of `lines` of each figure and the figures of float32 and int8; and `latency`, the
        median milliseconds of a strip of 512 pixels, by the number of threads.
    """

    def predict(images: np.ndarray) -> np.ndarray:
        return np.concatenate([session.run({"image": image[None]})["logits"] for image in images])

    return {
        "validation": {
            "lines": task.recipe.validation_lines,
            "float32": task.evaluate(task.model),
            "int8": task.measure(predict),
        },
        "latency": latency.of_picture(session.path, np.full((1, strips.HEIGHT, _TIMED, 1), 255, np.uint8)),
    }


def card(name: str, result: dict[str, Any]) -> str:
    """The model card in Markdown.

    Args:
        name: Of the preset.
        result: What stands in its `result.json`.
    """
    data = result["data"]
    recogniser = result["recipe"]["recogniser"]
    started = f" It started from {recogniser}." if recogniser else ""
    left_out = data.get("sentences_left_out")  # Older runs left none out.
    kept = f" ({left_out:,} were left out, which pages hold that measure it)" if left_out else ""
    return f"""# {name}

Reads a line of handwritten Traditional Chinese as a whole.

- Input `image`: uint8 (N, {strips.HEIGHT}, width, 1), dark ink on light paper, the line from left to right. The
  characters of a vertical line are laid out side by side, see `zoo.strips`.
- Output `logits`: float32 (N, width / {strips.STEP}, classes), the ids of `zoo.characters`; id 0 is the blank of CTC,
  see `zoo.ctc`.
- {result["parameters"]:,} parameters; `model.tflite` takes {result["files"]["model.tflite"]["bytes"]:,} bytes (int8).
- Licence of the weights: {licence(result)}

## Training

{result["training"]["pictures"]:,} lines that were composed of the characters of {len(data["hands"])} files of handwriting
and {len(data["fonts"])} fonts and made-up writers ({", ".join(data["hands"] + data["fonts"])}), photographed and cut
out: {data["sentences"]:,} sentences of text{kept}, and random characters.{started}

{result["notes"] or "Nothing is noted on the licences of these sources."}

## Validation

{table(result)}

## Limits

Half of these lines are random characters, and many are distorted more than a page that is held before a camera.
"""


def summary(name: str, result: dict[str, Any]) -> str:
    """The section of RESULTS.md."""
    size = result["files"]["model.tflite"]["bytes"] / 1e6
    return (
        f"## Preset {name}\n\n{result['parameters']:,} parameters, {size:.2f} MB as int8 TFLite, trained on "
        f"{result['training']['pictures']:,} composed lines in {result['training']['seconds'] / 60:.0f} minutes"
        f"{last_stage(result['recipe'])}. {table(result)}\n"
    )


def table(result: dict[str, Any]) -> str:
    """Figures and speed as text."""
    figures, unseen = result["validation"], ", ".join(result["data"]["unseen"])
    whose = (
        f"of writers that the model never saw ({unseen})" if unseen else "of the writers that it trained on"
    )
    unread = result["data"].get("held_out_all_along")  # Older runs held no sentences out.
    text = "of sentences that it did not train on" if unread else "of sentences that it trained on too"
    rows = [
        [name.removeprefix("error_rate").strip("_") or "both", f"{value:.4f}", f"{figures['int8'][name]:.4f}"]
        for name, value in figures["float32"].items()
    ]
    return (
        f"Character error rates on {figures['lines']} composed lines of each direction, half of them random characters and half {text}, "
        f"{whose}, without a language model:\n\n"
        f"{reading_tables.markdown(['lines', 'float32', 'int8'], rows)}\n\n"
        f"A strip of {strips.HEIGHT} by {_TIMED} takes {reading_tables.times(result['latency'])}."
    )
