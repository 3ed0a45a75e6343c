"""The mean of the weights of several runs: `python -m training.soup MODEL MODEL... --out FOLDER`.

Runs that start from the same weights end near one another, and their mean is often better than each of them. Another
run may go on from it with `--from FOLDER`.

Reference:
    Wortsman et al. 2022, model soups, https://arxiv.org/abs/2203.05482
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np

import zoo


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


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.soup", description=__doc__)
    parser.add_argument("models", nargs="+", metavar="MODEL", help="preset, or folder of a run")
    parser.add_argument("--out", type=Path, required=True, help="folder of the mean")
    options = parser.parse_args()
    try:
        zoo.save(mean(options.models), options.out)
    except (ValueError, OSError) as error:
        sys.exit(f"hanzoo: {error}")


if __name__ == "__main__":
    main()
