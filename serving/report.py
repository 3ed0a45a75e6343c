"""Writes RESULTS.md from result.json files: `python -m serving.report`. Nobody types a number into it."""

import argparse
import dataclasses
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from serving import (
    benchmark,
    card,
    compare,
    compare_finders,
    evaluate,
    generator_tables,
    measure_detection,
    measure_lines,
    measure_peers,
    measure_zoo,
    reading_tables,
    standing,
)
from training import ablate, measure_ensemble, measure_grids, measure_rate, sources
from training.generation import ADVERSARIES
from training.recipe import DetectionRecipe, GenerationRecipe, LineRecipe

ROOT = Path(__file__).resolve().parents[1]


@dataclasses.dataclass(frozen=True)
class Section:
    """One table of RESULTS.md, made from `results/NAME/result.json`.

    Attributes:
        name: Of the folder.
        title: Of the section.
        command: That measured it.
        table: Makes Markdown of the result.
        models: The bundled files that it stands on, as of `standing.files`; a remark says where they have changed.
    """

    name: str
    title: str
    command: str
    table: Callable[[dict[str, Any]], str]
    models: tuple[str, ...] = ()


def _pages(figures: dict[str, Any]) -> str:
    return evaluate.table(
        {
            name: {group: evaluate.Errors(**one) for group, one in errors.items()}
            for name, errors in figures.items()
            if name != "models"
        }
    )


def _line_reader(result: dict[str, Any]) -> str:
    lines = result["recipe"]["validation_lines"]
    rows = [
        [name.removeprefix("error_rate").strip("_") or "the fonts it trained on, other lines", f"{value:.4f}"]
        for name, value in result["validation"].items()
    ]
    return (
        f"{result['parameters']:,} parameters, {result['training']['pictures']:,} lines of "
        f"{', '.join(result['data']['fonts'])} in {result['training']['seconds'] / 60:.0f} minutes; "
        f"{lines} lines each.\n\n" + reading_tables.markdown(["lines of", "character error rate"], rows)
    )


_LINES = ("hanzinet_m", "line_s", "ngram")
_READING = ("dbnet_s", *_LINES)

SECTIONS = (
    Section(
        "grids",
        "Cells of manuscript paper: composed pages, four levels",
        "python -m training.measure_grids DEV/grid --json results/grids/result.json",
        measure_grids.table,
    ),
    Section(
        "grids_scanned",
        "Cells of manuscript paper: real scanned sheets of 10 x 10 boxes",
        "python -m training.measure_grids DEV/real_pages --json results/grids_scanned/result.json",
        measure_grids.table,
    ),
    Section(
        "pages",
        "Text of manuscript paper, read with hanzinet_m",
        "python -m serving.evaluate DEV/grid --apart w12 --json results/pages/result.json",
        _pages,
        ("hanzinet_m", "ngram"),
    ),
    Section(
        "free",
        "Text of free pages, plain and ruled, found with dbnet_s, read with hanzinet_m and with line_s",
        "python -m serving.evaluate DEV/free --styles characters lines --apart w12 --json results/free/result.json",
        _pages,
        _READING,
    ),
    Section(
        "askew",
        "Text of the same free pages, turned by some angles",
        "python -m serving.evaluate DEV/free --turned 10 20 30 45 160 --apart w12 --json results/askew/result.json",
        _pages,
        _READING,
    ),
    Section(
        "finders",
        "Lines of free pages, found by outlines without learning and by networks",
        "python -m serving.compare_finders DEV/free --craft runs/craft_s --json results/finders/result.json",
        compare_finders.table,
        ("dbnet_s",),
    ),
    Section(
        "lines",
        "Text of single lines, vertical ones in the sets vline, read with hanzinet_m and with line_s, with context and "
        "without, beside the recognisers of PP-OCR, which get each picture as it is and have no language model",
        "python -m serving.evaluate DEV/line_* DEV/vline_* --layout line --styles characters lines --peers "
        "--json results/lines/result.json",
        _pages,
        _LINES,
    ),
    Section(
        "lines_cursive",
        "Text of single lines composed in a quick cursive hand, C017 of ICDAR 2013, one sample for each character: written "
        "by `python -m training.line_pictures FOLDER/rows --hands ICDAR2013_C017.npz --text HELD --count 70`, and "
        "FOLDER/columns with `--direction vertical`; HELD is every 160th sentence of law.txt and poems.txt, "
        "without which the trigram was counted (see the card of ngram); "
        "line_s trained on text that holds them; read as those above",
        "python -m serving.evaluate FOLDER/rows FOLDER/columns --layout line --styles characters lines --peers "
        "--json results/lines_cursive/result.json",
        _pages,
        _LINES,
    ),
    Section(
        "lines_everyday",
        "Text of single lines of conversations, which the trigram knows less than laws and poems: everyday.txt (see the "
        "card of ngram) composed in the hands w06, w12 and C017 by `python -m training.line_pictures FOLDER/HAND "
        "--hands HAND.npz --text everyday.txt --count 70`",
        "python -m serving.evaluate FOLDER/w06 FOLDER/w12 FOLDER/C017 --layout line --peers "
        "--json results/lines_everyday/result.json",
        _pages,
        _LINES,
    ),
    Section(
        "lines_numbers",
        "Text of single lines with numbers, codes and Latin words: examples/numbers.txt composed in the hands w06 and w12 by "
        "`python -m training.line_pictures FOLDER/HAND --hands HAND.npz --text examples/numbers.txt --count 70`; how the "
        "trigram counts made-up facts was chosen on lines of it",
        "python -m serving.evaluate FOLDER/w06 FOLDER/w12 --layout line --peers "
        "--json results/lines_numbers/result.json",
        _pages,
        _LINES,
    ),
    Section(
        "compare",
        "Free pages, beside other programs in the same run",
        "hanzoo compare DEV/free --json results/compare/result.json",
        compare.table,
        _READING,
    ),
    Section(
        "compare_grid",
        "Manuscript paper, beside other programs in the same run",
        "hanzoo compare DEV/grid --readers hanzoo RapidOCR --json results/compare_grid/result.json",
        compare.table,
        ("hanzinet_m", "ngram"),
    ),
    Section(
        "speed",
        "Time and memory of a page",
        "python -m serving.benchmark examples/essay.jpg --json results/speed/result.json",
        benchmark.table,
        ("hanzinet_m", "ngram"),
    ),
    Section(
        "peers",
        "Beside the recognisers of PP-OCR: Chinese characters of the validation writers and of one who wrote quickly at a "
        "competition, characters that are alike in traditional and simplified writing, one thread",
        "python -m serving.measure_peers DATA ICDAR2013_C017.npz --json results/peers/result.json",
        measure_peers.table,
        ("hanzinet_m",),
    ),
    Section(
        "ensemble",
        "The networks of the research note, small ones that trained for an hour or less, as they were then, alone and "
        "together: characters of unseen writers",
        "python -m training.measure_ensemble DATA vgg16_small runs/efficientnet_b0 --json results/ensemble/result.json",
        measure_ensemble.table,
    ),
    Section(
        "crnn",
        "A CRNN learns: lines of 8 to 12 characters, 200 characters, pen fonts",
        "hanzoo train crnn_200 runs/crnn_200 --fonts ... --unseen-fonts ..., then its result.json",
        _line_reader,
    ),
    Section(
        "zoo",
        "The published networks at full size, with fresh weights: built, stepped, saved, exported, timed; not trained",
        "python -m serving.measure_zoo --json results/zoo/result.json",
        measure_zoo.table,
    ),
    Section(
        "rate",
        "The rate of the train loop",
        "python -m training.measure_rate DATA --json results/rate/result.json",
        measure_rate.table,
    ),
)


def report(presets: Path, results: Path) -> str:
    """The text of RESULTS.md.

    Args:
        presets: Folder with `NAME/result.json` of the trained models.
        results: Folder with `NAME/result.json` of each section; those that are missing are left out.
    """
    parts = [
        "# Results\n\nMade by `python -m serving.report` from the `result.json` files under `zoo/presets` and "
        "`results`.\nDEV is a folder of development sets, not part of this repository: pages and lines that were composed, as "
        "those are that detectors and line readers train on, in the hands of writers that no model trains on (w06, w12), and "
        "in style 6 of a font whose other styles are trained on (jason6); only the scanned sheets of boxes are real, and "
        "training writers wrote some of them. Their text is laws and poems. line_s trains on text of these kinds, which "
        "holds a seventh of the characters of DEV/free word for word, in clauses of ten or more; the trigram is counted in "
        "such text too, without the lines that DEV holds. Temperatures and thresholds of scores are fitted on hands/dev, to "
        "which w06 and w12 belong, the weight of the trigram was chosen on sentences in their hands, how it counts made-up "
        "facts beside the lines of the quick cursive hand, and the training of dbnet_s ended after a look at DEV/free. "
        "ICDAR2013_C017.npz is that hand, and casia_hwdb11_62.npz people of CASIA-HWDB 1.1: files for research that are not "
        "part of this repository either. A mean of writers counts w12 "
        "and w12_scan, one person's hand twice, as two.\n"
    ]
    parts += [_preset(path.parent.name, _load(path)) for path in sorted(presets.glob("*/result.json"))]
    current = standing.files()
    parts += [_section(section, results, current) for section in SECTIONS]
    parts += [_ablation(results / "ablation" / name, title) for name, title in _ABLATIONS.items()]
    parts += [_generators(results / "generators"), _gates(results / "gate"), _made_up(results / "ablation")]
    return "\n".join(filter(None, parts))


_ABLATIONS = {
    "networks": "What networks were tried: short runs on the same pictures",
    "data": "What each kind of data and each trick is worth: short runs of one network",
}


def _section(section: Section, results: Path, current: Mapping[str, str]) -> str:
    path = results / section.name / "result.json"
    if not path.exists():
        return ""
    result = _load(path)
    said = [f"## {section.title}", f"`{section.command}`"]
    if section.models:
        said.append(standing.remark(result.get("models"), current, section.models))
    return "\n\n".join([*filter(None, said), section.table(result)]) + "\n"


def _ablation(folder: Path, title: str) -> str:
    rows = [_load(path) for path in sorted(folder.glob("*/result.json"))]
    if not rows:
        return ""
    recipe, pictures = rows[0]["recipe"], rows[0]["training"]["pictures"]
    writers = max(row["recipe"]["stroke_writers"] for row in rows)
    amount = (
        f"--characters {len(recipe['characters'])} --epochs {recipe['epochs']} --steps {recipe['steps']} "
        f"--batch-size {recipe['batch_size']} --stroke-writers {writers}"
    )
    return (
        f"## {title}\n\n`python -m training.ablate DATA --fonts ... --strokes ... --rows {folder.name} {amount}`\n\n"
        f"{pictures:,} pictures of {len(recipe['characters']):,} characters for each row. Shares of right answers on "
        f"the same characters of writers that no row trained on, where any of {rows[0]['sizes']['classes'] - 1:,} "
        f"can be the answer. So short a run is far from trained: what is easier to learn leads at first, such as larger "
        f"pictures.\n\n{ablate.table(rows)}\n"
    )


def _generators(folder: Path) -> str:
    """What each generator draws, one row for `NAME.json` of each run."""
    results = {path.stem: _load(path) for path in sorted(folder.glob("*.json"))}
    if not results:
        return ""
    names = [name for name in ADVERSARIES if name in results]
    sheets = "\n\n".join(f"{name}\n\n![{name}](docs/samples/{name}.png)" for name in names)
    return (
        "## What the generators draw\n\n`hanzoo train NAME runs/NAME --data DATA --glyph-font FONT --fonts ...`, then its "
        "result.json, with fonts beside the hands; figures stand on hands alone; the pictures are `hanzoo sample runs/NAME`\n\n"
        f"{generator_tables.drawn({name: results[name] for name in names})}\n\n{sheets}\n"
    )


_CASIA = (
    "`casia` is made by `python -m training.split_hands casia_hwdb11_62.npz --unseen 150 --out casia`: characters of "
    "some 300 writers of CASIA-HWDB 1.1, for research only; no model trained on them.\n\n"
)


def _gates(folder: Path) -> str:
    """Whether what they draw helps a reader, one part for each run of the gate."""
    runs = [_load(path) for path in sorted(folder.glob("*.json"))]
    if not runs:
        return ""
    parts = []
    for run in runs:
        names = " ".join(f"runs/{generator['name']}" for generator in run["generators"])
        characters = f" --characters {run['characters']}" if run["characters"] else ""
        about = _CASIA if run["data"] == "casia" else ""
        parts.append(
            f"{about}`hanzoo gate {names} --data {run['data']}{characters} --glyph-font FONT`\n\n{generator_tables.gates(run)}\n"
        )
    return "## Does generated writing make a reader better?\n\n" + "\n".join(parts)


def _made_up(folder: Path) -> str:
    """What hands that a generator made up are worth to a trained reader."""
    rows = [_load(path) for path in sorted(folder.glob("generated/*/result.json"))]
    if not rows:
        return ""
    trained = max(rows, key=lambda row: row["data"]["generated_hands"])
    recipe, hands = trained["recipe"], trained["data"]["generated_hands"]
    name = " ".join(trained["data"]["generators"])
    return (
        f"## What made-up hands are worth to a trained reader\n\n`python -m training.imitate {name} --data DATA "
        f"--glyph-font FONT --out MADE_UP --hands {hands}`, then `python -m training.ablate DATA --fonts ... "
        f"--strokes ... --rows generated --generated MADE_UP --epochs {recipe['epochs']} --steps {recipe['steps']} "
        f"--stroke-writers {recipe['stroke_writers']} --from RUN`\n\nA trained hanzinet_m, not the "
        f"bundled one, goes on for {trained['training']['pictures']:,} pictures, with {hands} made-up hands beside its "
        "other data or without; one run each. Shares of right answers on writers that no model trained on; some "
        f"writers have only 300 characters.\n\n{ablate.table(rows)}\n"
    )


def _load(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def _preset(name: str, result: dict[str, Any]) -> str:
    if result["recipe"]["kind"] == GenerationRecipe.__name__:
        return ""  # Its figures stand beside those of the other generators.
    if result["recipe"]["kind"] == DetectionRecipe.__name__:
        return measure_detection.summary(name, result)
    if result["recipe"]["kind"] == LineRecipe.__name__:
        return measure_lines.summary(name, result)
    figures, data = result["validation"], result["data"]
    size = result["files"]["model.tflite"]["bytes"] / 1e6
    parts = [
        f"## Preset {name}",
        f"{result['parameters']:,} parameters, {size:.2f} MB as int8 TFLite, trained on "
        f"{result['training']['pictures']:,} pictures of {card.sources_of(data)} in "
        f"{result['training']['seconds'] / 60:.0f} minutes{card.last_stage(result['recipe'])}. "
        f"{card.whose(figures, data)}",
        reading_tables.writers(figures),
        *_without_broken_strokes(figures),
        f"int8 and float32 agree on {figures['agreement_int8_float32']:.4f} of the characters. Of the int8 model:",
        reading_tables.by_kind(figures),
        reading_tables.calibration(figures["calibration"]["cross_fitted"]),
        "The pairs that are most often taken for each other:",
        reading_tables.confusions(figures, most=10),
    ]
    if result["latency"] is not None:
        parts.append(reading_tables.latency(result["latency"]))
    return "\n\n".join(parts) + "\n"


_BROKEN = "w12"


def _without_broken_strokes(figures: dict[str, Any]) -> list[str]:
    """A sentence on the writers but w12, where that hand is among them."""
    others = {name: one for name, one in figures["writers"].items() if sources.person(name) != _BROKEN}
    if not others or len(others) == len(figures["writers"]):
        return []
    mean = np.mean([one["top1_int8"] for one in others.values()])
    return [f"Without {_BROKEN}, whose tracing breaks strokes, top-1 int8 is {mean:.4f} in the mean."]


def main() -> None:
    """Writes RESULTS.md; `--check` only says whether it is up to date."""
    parser = argparse.ArgumentParser(prog="python -m serving.report", description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="fail if RESULTS.md is out of date; write nothing"
    )
    options = parser.parse_args()
    target = ROOT / "RESULTS.md"
    text = report(ROOT / "zoo" / "presets", ROOT / "results")
    if options.check:
        if not target.exists() or target.read_text(encoding="utf-8") != text:
            parser.exit(1, "RESULTS.md is out of date; run `python -m serving.report`.\n")
        return
    target.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
