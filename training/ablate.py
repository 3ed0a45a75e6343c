"""What each choice is worth: `python -m training.ablate DATA --fonts FILE... --strokes FOLDER...`.

Trains one short run for each row of a table, all on the same number of pictures of the same characters, and
writes a result.json for each. Rows of networks differ in the model, rows of data in what it trains on.
Few characters and few pictures: the order of rows tells more than their figures. With `--rows generated
--generated FOLDER`, a trained reader of all characters goes on with the hands of `training.imitate` or without.
"""

import argparse
import dataclasses
import json
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras

import zoo
from training import fit, operations, sources
from training import recipe as recipes
from training.recipe import CharacterRecipe
from zoo import hanzinet

NETWORKS: dict[str, dict[str, Any]] = {
    "plain blocks, 64 px": {},
    "plain blocks, 48 px": {"sizes": {"size": 48}},
    "plain blocks, 96 px": {"sizes": {"size": 96}},
    "more channels at 48 px": {"sizes": {"size": 48, "widths": (24, 48, 112, 320)}},
    "a narrow start and a wide end": {"sizes": {"widths": (16, 40, 88, 320)}},
    "bottleneck blocks": {"sizes": {"block": "bottleneck", "depths": (0, 0, 3, 0)}},
    "depthwise blocks": {"sizes": {"block": "depthwise", "depths": (0, 0, 3, 0)}},
    "parallel blocks that fold": {"sizes": {"block": "parallel", "depths": (0, 0, 2, 0)}},
    "head of rank 96": {"sizes": {"embedding": 96}},
    "head of rank 256": {"sizes": {"embedding": 256}},
    "EfficientNet-like, small": {
        "model": "efficientnet_b0",
        "sizes": {
            "channels": 1,
            "size": 64,
            "width": 0.5,
            "depth": 0.5,
            "lite": True,
            "embedding": 160,
            "dropout": 0.1,
            "drop_connect": 0.0,
        },
    },
}
"""What the rows of networks change in the recipe."""

DATA: dict[str, dict[str, Any]] = {
    "all": {},
    "fonts only": {"hands": False, "stroke_writers": 0},
    "fonts and made-up writers": {"hands": False},
    "hands only": {"fonts": (), "strokes": (), "stroke_writers": 0},
    "hands and fonts": {"stroke_writers": 0},
    "label smoothing 0.1": {"label_smoothing": 0.1},
    "average of weights": {"ema": 0.998},
    "distortions that fade": {"fade": 0.3},
    "answers of a teacher": {"teacher": "hanzinet_m"},
    "hands as often as fonts": {"real_weight": 1.0},
}
"""What the rows of data and tricks change in the recipe."""

GENERATED: dict[str, dict[str, Any]] = {
    "without generated hands": {"generated": ()},
    "with generated hands": {},
}
"""What the rows of generated hands change in the recipe."""

BEFORE = "as it was"
"""The row of the reader that those of generated hands go on with."""


def measure(recipe: CharacterRecipe, rows: dict[str, dict[str, Any]], out: Path) -> None:
    """Trains the rows and writes `out/NAME/result.json` for each; those that stand already are left.

    Args:
        recipe: What all rows share.
        rows: For each row the fields of the recipe that it changes.
        out: Folder of the results.
    """
    for name, changes in rows.items():
        changed = dataclasses.replace(recipe, **changes)
        target = out / re.sub(r"\W+", "_", name)
        if (target / "result.json").exists():
            _check_same(changed, target / "result.json")
            continue
        print(f"\n{name}", flush=True)
        workdir = target / "run"
        model = fit.fit(changed, workdir)
        result = zoo.describe(workdir)
        kept = ("model", "sizes", "recipe", "training", "data", "validation", "history")
        used = _folded(model) if changed.sizes.get("block") == "parallel" else model
        row = {
            "name": name,
            **_cost(used),
            **{key: result[key] for key in kept},
            "sources": recipes.sources_of(changed),
        }
        fit.write_json(target / "result.json", row)
        shutil.rmtree(workdir)


def measure_before(recipe: CharacterRecipe, out: Path) -> None:
    """Writes the row of the model that a recipe starts from, as `measure` writes those of trained ones."""
    if (out / "result.json").exists():
        _check_same(recipe, out / "result.json")
        return
    task = recipe.task()
    out.mkdir(parents=True, exist_ok=True)
    fit.write_json(
        out / "result.json",
        {
            "name": BEFORE,
            **_cost(task.model),
            **task.model.built_by_zoo,
            "recipe": recipes.to_json(recipe),
            "sources": recipes.sources_of(recipe),
            "training": {"pictures": 0, "epochs": 0, "seconds": 0},
            **task.facts(),
            "validation": task.evaluate(task.model),
        },
    )


def _cost(model: keras.Model) -> dict[str, int]:
    return {"parameters": model.count_params(), "multiply_adds": operations.multiply_adds(model)}


def _folded(model: keras.Model) -> keras.Model:
    folded = zoo.create("hanzinet", **model.built_by_zoo["sizes"] | {"block": "folded"})
    hanzinet.fold(model, folded)
    return folded


def _check_same(recipe: CharacterRecipe, file: Path) -> None:
    """A finished row stands for this recipe only."""
    stored = json.loads(file.read_text(encoding="utf-8"))
    # A field that the row does not name is newer than the row.
    trained = recipes.to_json(recipes.from_json(stored["recipe"]))
    wanted = recipes.to_json(recipe), recipes.sources_of(recipe)
    # JSON knows no tuples.
    if json.dumps([trained, stored.get("sources")]) != json.dumps(wanted):
        raise ValueError(
            f"{file}: was trained with other options or sources. Remove it, or give another folder."
        )


def table(rows: Sequence[dict[str, Any]]) -> str:
    """The rows as a Markdown table, the best one first."""
    writers = [name for name in rows[0]["validation"] if name != "mean"]
    lines = [
        f"| {' | '.join(['', 'parameters', 'million multiply-adds', 'mean', *writers])} |",
        f"|---|{'---:|' * (3 + len(writers))}",
    ]
    for row in sorted(rows, key=lambda row: -row["validation"]["mean"]):
        shares = [f"{row['validation'][name]:.3f}" for name in ("mean", *writers)]
        figures = [
            f"{row['parameters']:,}",
            f"{row['multiply_adds'] / 1e6:.1f}",
        ]
        lines.append(f"| {' | '.join([row['name'], *figures, *shares])} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.ablate", description=__doc__)
    parser.add_argument("data", type=Path, help="folder with hands/train and hands/dev")
    parser.add_argument("--fonts", type=Path, nargs="*", default=[])
    parser.add_argument("--strokes", type=Path, nargs="*", default=[])
    parser.add_argument("--stroke-writers", type=int, default=10)
    parser.add_argument(
        "--rows", choices=("networks", "data", "generated"), nargs="*", default=["networks", "data"]
    )
    parser.add_argument("--generated", type=Path, nargs="*", default=[], help="see training.imitate")
    parser.add_argument(
        "--from",
        dest="start",
        default="hanzinet_m",
        help="preset, or folder of a run, that goes on with them",
    )
    parser.add_argument("--characters", type=int, default=1000, help="how many characters are told apart")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--steps", type=int, default=250)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--out", type=Path, default=Path("results/ablation"))
    options = parser.parse_args()
    if ("generated" in options.rows) != bool(options.generated):
        parser.error("give both --rows generated and --generated FOLDER, or neither")
    shared: dict[str, Any] = {
        "data": options.data,
        "fonts": tuple(options.fonts),
        "strokes": tuple(options.strokes),
        "stroke_writers": options.stroke_writers,
        "epochs": options.epochs,
        "steps": options.steps,
        "batch_size": options.batch_size,
    }
    try:
        _measure_rows(options, shared)
    except (ValueError, OSError) as error:
        parser.exit(1, f"hanzoo: {error}\n")


def _measure_rows(options: argparse.Namespace, shared: dict[str, Any]) -> None:
    """Trains what the command line asks for; `shared` is what the recipes of all rows have."""
    if set(options.rows) - {"generated"}:
        characters = sources.frequent_characters(options.data, options.characters)
        recipe = CharacterRecipe(model="hanzinet", characters=characters, **shared)
        for name, rows in (("networks", NETWORKS), ("data", DATA)):
            if name in options.rows:
                measure(recipe, rows, options.out / name)
    if "generated" in options.rows:
        last = dataclasses.asdict(recipes.find("hanzinet_m_last"))
        generated = {"start": options.start, "generated": tuple(options.generated)}
        recipe = CharacterRecipe(**last | shared | generated)
        alone = dataclasses.replace(recipe, fonts=(), strokes=(), generated=())
        measure_before(alone, options.out / "generated" / "before")
        measure(recipe, GENERATED, options.out / "generated")


if __name__ == "__main__":
    main()
