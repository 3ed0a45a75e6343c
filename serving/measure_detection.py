"""Measures a detector on pages of unseen writers: its figures in presets, model cards and RESULTS.md."""

from typing import Any

import numpy as np

from serving import latency, reading_tables
from serving.card import licence
from serving.runtime import Session
from training.detection import DetectionTask

_NAMES = {
    "precision": "precision of lines",
    "recall": "recall of lines",
    "h_mean": "h-mean of lines",
    "characters": "h-mean of characters",
}


def measure(task: DetectionTask, session: Session) -> dict[str, Any]:
    """What `result.json` of a preset says of a detector.

    Args:
        task: With the trained model and the validation pages.
        session: Of its integer file.

    Returns:
        `validation`, with `pages` and the figures of float32 and int8; and `latency`, the median milliseconds
        of a picture of the size that the file takes, by the number of threads.
    """

    def predict(images: np.ndarray) -> dict[str, np.ndarray]:
        answers = [session.run({"image": image[None]}) for image in images]
        return {name: np.concatenate([answer[name] for answer in answers]) for name in answers[0]}

    return {
        "validation": {
            "pages": len(task.validation_pages),
            "float32": task.evaluate(task.model),
            "int8": task.measure(predict),
        },
        "latency": latency.of_picture(session.path, task.validation_pages[0].image[None]),
    }


def card(name: str, result: dict[str, Any]) -> str:
    """The model card in Markdown.

    Args:
        name: Of the preset.
        result: What stands in its `result.json`.
    """
    height, width = result["recipe"]["size"]
    data = result["data"]
    return f"""# {name}

Finds the lines of handwritten text on a page, horizontal and vertical.

- Input `image`: uint8 (N, {height}, {width}, 3), RGB. The reader brings a page to a scale at which lines are about
  30 pixels thick, and looks at it in overlapping tiles.
- Outputs: maps of half that size; `zoo.polygons` (DBNet) and `zoo.regions` (CRAFT) make boxes of them.
- {result["parameters"]:,} parameters; `model.tflite` takes {result["files"]["model.tflite"]["bytes"]:,} bytes (int8).
- Licence of the weights: {licence(result)}

## Training

{result["training"]["pictures"]:,} pictures of pages that were composed of the characters of
{len(data["hands"])} files of handwriting and {len(data["fonts_and_made_up"])} fonts and made-up writers
({", ".join(data["hands"] + data["fonts_and_made_up"])}), with {data["sentences"]:,} sentences of text.

{result["notes"] or "Nothing is noted on the licences of these sources."}

## Validation

Composed pages of writers that do not train ({", ".join(data["unseen"])}).

{table(result)}

## Limits

Printed text, other scripts and text that is turned by more than about fifteen degrees were not trained on.
"""


def summary(name: str, result: dict[str, Any]) -> str:
    """The section of RESULTS.md."""
    size = result["files"]["model.tflite"]["bytes"] / 1e6
    return (
        f"## Preset {name}\n\n{result['parameters']:,} parameters, {size:.2f} MB as int8 TFLite, trained on "
        f"{result['training']['pictures']:,} composed pictures in {result['training']['seconds'] / 60:.0f} minutes. "
        f"Composed pages of writers that the model never saw:\n\n{table(result)}\n"
    )


def table(result: dict[str, Any]) -> str:
    """Figures and speed as text."""
    figures, speed = result["validation"], result["latency"]
    rows = [
        [_NAMES[name], f"{value:.3f}", f"{figures['int8'][name]:.3f}"]
        for name, value in figures["float32"].items()
    ]
    height, width = result["recipe"]["size"]
    head = [f"{figures['pages']} pages", "float32", "int8"]
    return (
        f"{reading_tables.markdown(head, rows)}\n\n"
        f"A picture of {height} by {width} takes {reading_tables.times(speed)}."
    )
