"""Figures of generators as text in Markdown."""

from collections.abc import Mapping, Sequence
from typing import Any

from serving import benchmark, reading_tables
from training import gate

_FIGURES = {
    "kid": "KID",
    "fid": "FID",
    "agreement": "label agreement",
    "diversity": "diversity",
    "evenness": "evenness",
    "copy_rate": "copy rate",
    "style": "style",
}


def drawn(results: Mapping[str, dict[str, Any]]) -> str:
    """A row for each run, from its `result.json`."""
    rows = []
    for name, result in results.items():
        figures = result["validation"]
        rows.append(
            [
                name,
                f"{len(result['characters'])} that trained"
                if result["characters"]
                else f"{len(result['held_out'])} held out",
                *(f"{figures[figure]:.3f}" if figure in figures else "" for figure in _FIGURES),
                f"{result['parameters'] / 1e6:.2f}",
                f"{result['data']['pictures']:,}",
                f"{result['training']['seconds'] / 60:.0f}",
            ]
        )
    head = ["model", "characters", *_FIGURES.values(), "million parameters", "pictures", "minutes"]
    return (
        "KID and FID compare features of hanzinet_m, of what is drawn and of real characters; label agreement is the "
        "share that it reads as what was asked for; nobody asks gan, wgan, progan and stylegan for a certain one of "
        "their characters, so any of them is right, and evenness is 1 where each is drawn as often. Diversity is that of "
        "real characters of one class, as 1. A copy rate of 0.05 is what real characters have. Style is how "
        "far ink, pen, slant and size are from those of the writer, in standard deviations between writers. "
        "cyclegan takes nothing but print, and draws it always the same.\n\n"
        + reading_tables.markdown(head, rows)
    )


def card(name: str, result: dict[str, Any]) -> str:
    """The model card in Markdown.

    Args:
        name: Of the preset.
        result: What stands in its `result.json`.
    """
    data = result["data"]
    return f"""# {name}

Draws handwritten characters (`zoo.{result["model"]}`): `hanzoo sample {name}`, `hanzoo balance`, and `hanzoo write` if it
writes like the samples of a hand. `model.weights.h5` is for Keras; `hanzoo export` makes a TFLite file.

- {result["parameters"]:,} parameters.
- Licence of the weights: Apache-2.0.

## Training

{result["training"]["pictures"]:,} pictures, drawn from {data["pictures"]:,} of {data["characters"]:,} characters by
{data["writers"]} writers and fonts ({", ".join(result["writers"])}).

{result["notes"] or "Nothing is noted on the licences of these sources."}

## Figures

{drawn({name: result})}

## Limits

It imitates strokes and their order of size, not a person: do not pass its writing off as somebody's own.
"""


def gates(results: Sequence[dict[str, Any]]) -> str:
    """What `hanzoo gate` found of each generator."""
    parts = [
        "Shares of right answers of small readers on writers that no reader learned from. Each reader starts from the "
        "same weights, has the printed character of each class, and sees as many pictures. The gain is that of "
        "generated samples over as many distorted copies, or over distortion without copies where that is better, with "
        "its 95 % interval by a paired bootstrap."
    ]
    for result in results:
        machine = benchmark.machine_in_words(result["machine"])
        parts.append(
            f"{result['generator']}: {'accepted' if result['accepted'] else 'not accepted'}. {result['classes']} characters, "
            f"{result['samples']:,} samples of unseen writers, {result['legible']:.2f} of what it drew is legible; "
            f"{result['seconds'] / 60:.0f} minutes on {machine}.\n\n{gate.table(result)}"
        )
    return "\n\n".join(parts)
