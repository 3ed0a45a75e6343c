"""The mean of the weights of several runs: `python -m training.soup MODEL MODEL... --out FOLDER`.

Runs that start from the same weights end near one another, and their mean is often better than each of them. Another
run may go on from it with `--from FOLDER`, or `hanzoo preset` make a preset of it. With `--apart` the models stay side
by side, and their answers are averaged: an ensemble, which teaches with `--teacher FOLDER`.

References:
    Wortsman et al. 2022, model soups, https://arxiv.org/abs/2203.05482
    Hinton et al. 2015, an ensemble as a teacher, https://arxiv.org/abs/1503.02531
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np

import zoo
from training import fit
from training.task import learned_before
from zoo import ensemble

_TOLD = ("recipe", "training", "added_characters", "data")
"""What a run tells of how it was trained."""


def mean(models: Sequence[str | Path]) -> keras.Model:
    """The model whose weights, normalisation included, are the mean of those of several.

    Args:
        models: Presets, or folders of runs, of the same network.

    Raises:
        ValueError: There are fewer than two, one cannot be loaded, or the networks differ.
    """
    if len(models) < 2:
        raise ValueError(f"`models` must name two or more. Received: {list(map(str, models))}.")
    loaded = [zoo.load(name) for name in models]
    first = loaded[0]
    for name, model in zip(models, loaded, strict=True):
        if model.built_by_zoo != first.built_by_zoo:
            raise ValueError(
                f"`models` must be the same network. Received: {models[0]}: {first.built_by_zoo}, "
                f"{name}: {model.built_by_zoo}."
            )
    for kept, *others in zip(first.weights, *(model.weights for model in loaded[1:]), strict=True):
        kept.assign(np.mean([np.asarray(weight) for weight in (kept, *others)], axis=0))
    return first


def save(models: Sequence[str | Path], folder: Path, apart: bool = False) -> None:
    """Writes the mean or the ensemble, and of runs or presets what the last one tells of its training.

    Args:
        models: As of `mean`; or, where they stay apart, different networks of the same classes.
        folder: Made if needed.
        apart: Average the answers of the models instead of their weights, see `zoo.ensemble`.

    Raises:
        ValueError: As of `mean` or `zoo.ensemble.of`.
        OSError: The folder cannot be written.
    """
    joined = ensemble.of([zoo.load(name) for name in models]) if apart else mean(models)
    zoo.save(joined, folder)
    last = zoo.describe(models[-1])
    if "recipe" not in last:
        return
    told = {name: last[name] for name in _TOLD if name in last}
    told["data"] = told.get("data", {}) | learned_before(map(str, models))
    names = {"members" if apart else "mean_of": [Path(name).name for name in models]}
    content = {**zoo.describe(folder), **told, "parameters": joined.count_params(), **names}
    fit.write_json(folder / "result.json", content)
    (folder / "model.json").unlink()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.soup", description=__doc__)
    parser.add_argument("models", nargs="+", metavar="MODEL", help="preset, or folder of a run")
    parser.add_argument("--out", type=Path, required=True, help="folder of the result")
    parser.add_argument("--apart", action="store_true", help="average the answers instead of the weights")
    options = parser.parse_args()
    try:
        save(options.models, options.out, options.apart)
    except (ValueError, OSError) as error:
        sys.exit(f"hanzoo: {error}")


if __name__ == "__main__":
    main()
