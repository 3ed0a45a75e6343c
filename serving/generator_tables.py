"""Figures of generators as text in Markdown."""

from collections.abc import Mapping
from typing import Any

from serving import benchmark, reading_tables
from serving.card import licence
from training import gate
from training.generation import UNSEEN

_FIGURES = {
    "kid": "KID",
    "fid": "FID",
    "agreement": "label agreement",
    "diversity": "diversity",
    "evenness": "evenness",
    "copy_rate": "copy rate",
    "style": "style",
}

_NAMED = 12  # People whose samples are counted one by one.


def drawn(results: Mapping[str, dict[str, Any]]) -> str:
    """A row for each run, from its `result.json`."""
    rows = []
    for name, result in results.items():
        characters = (
            f"{len(result['characters'])} that trained"
            if result["characters"]
            else f"{len(result['held_out'])} held out"
        )
        for ending, hands in (("", ""), (UNSEEN, ", hands that did not train")):
            figures = {key: result["validation"].get(key + ending) for key in _FIGURES}
            if figures["kid"] is not None:
                rows.append(
                    [
                        name + hands,
                        characters,
                        *("" if value is None else f"{value:.3f}" for value in figures.values()),
                        f"{result['parameters'] / 1e6:.2f}",
                        f"{result['data']['pictures']:,}",
                        f"{result['training']['seconds'] / 60:.0f}",
                    ]
                )
    head = ["model", "characters", *_FIGURES.values(), "million parameters", "pictures", "minutes"]
    return (
        "KID and FID compare features of hanzinet_m, as it was when the run was measured, of what is drawn and of what "
        "hands wrote; label agreement is the share that it reads as what was asked for; nobody asks gan, wgan, progan and stylegan for a certain one of "
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
- Licence of the weights: {licence(result)}

## Training

{result["training"]["pictures"]:,} pictures, drawn from {data["pictures"]:,} of {data["characters"]:,} characters by
{data["writers"]} writers and fonts ({", ".join(result["writers"])}).

{result["notes"] or "Nothing is noted on the licences of these sources."}

## Figures

{drawn({name: result})}

## Limits

It imitates strokes and their order of size, not a person: do not pass its writing off as somebody's own.
"""


def gates(report: dict[str, Any]) -> str:
    """What `hanzoo gate` found."""
    settings, people = report["settings"], report["people"]
    each = (
        "" if len(people) > _NAMED else f" ({', '.join(f'{name} {count}' for name, count in people.items())})"
    )
    return (
        f"Shares of right answers of small readers of {report['classes']} characters on {sum(people.values()):,} samples "
        f"of {len(people)} people whom no reader learned from, the mean of the people{each}. "
        f"Each figure is the mean of {settings['seeds']} "
        f"seeds. All readers have the printed character of each class and see {settings['steps']:,} batches of 32; those of "
        f"one seed start from the same weights. {settings['added']} copies of each character are added, distorted once more "
        f"when they are shown, or {settings['added']} generated samples, drawn up to five times until {report['recogniser']}, "
        "as it was then, reads them as what they should be, else left out. Gains "
        "are those of generated samples, over as many copies and over the best of the three others. Their 95 % intervals "
        "are those of a paired bootstrap over people, their samples and seeds, widened for so few people; a generator is "
        "accepted if the gain over copies, of all rows together, is surely above zero and the one over the best is not "
        f"surely below; copies are distorted twice, and where plain distortion does better they are a weak rival. {report['seconds'] / 60:.0f} minutes on "
        f"{benchmark.machine_in_words(report['machine'])}.\n\n{gate.tables(report)}"
    )
