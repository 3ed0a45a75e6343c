"""A file of many writers as a data folder: `python -m training.split_hands FILE --unseen 150 --out FOLDER`.

Some of the writers train, `hands/train`, and the others only measure, `hands/dev`; each is a file as `sources.read_hand`
reads it.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

from training import checkpoint, sources
from training.sources import EM


def split(path: Path, unseen: int, out: Path, seed: int = 0) -> tuple[int, int]:
    """Writes each writer's characters into a file of their own.

    Args:
        path: A `.npz` file with `images`, uint8 (n, 96, 96), `labels`, str (n,), and `writer`, str (n,).
        unseen: People who do not train; `NAME` and `NAME_scan` are one.
        out: The data folder; it must not hold hands yet.
        seed: Chooses who does not train.

    Returns:
        The number of people who train, and of those who do not.

    Raises:
        ValueError: The file is not of this form or has too few writers, or the folder holds hands.
        OSError: A file cannot be read or written.
    """
    arrays = sources.read_arrays(path)
    if missing := {"images", "labels", "writer"} - set(arrays):
        raise ValueError(f"{path}: must hold images, labels and writer. Missing: {sorted(missing)}.")
    images, labels, writers = (arrays[name] for name in ("images", "labels", "writer"))
    count = labels.size
    if images.dtype != np.uint8 or images.shape != (count, EM, EM) or labels.shape != writers.shape:
        raise ValueError(
            f"{path}: images must be uint8 ({count}, {EM}, {EM}), with a label and a writer for each. "
            f"Received: {images.dtype} {images.shape}, {labels.shape} and {writers.shape}."
        )
    names = np.unique(writers.astype(str)).tolist()
    if wrong := [name for name in names if Path(name).name != name]:
        raise ValueError(f"{path}: writers must have names that files can have. Received: {wrong[:5]}.")
    people = np.random.default_rng(seed).permutation(sorted({sources.person(name) for name in names}))
    if not 0 < unseen < len(people):
        raise ValueError(f"`unseen` must be 1 to {len(people) - 1}. Received: {unseen}.")
    if (out / "hands").exists():
        raise ValueError(f"{out / 'hands'}: is there already. Name another folder.")
    held_back = set(people[:unseen].tolist())
    for name in names:
        file = out / "hands" / ("dev" if sources.person(name) in held_back else "train") / f"{name}.npz"
        file.parent.mkdir(parents=True, exist_ok=True)
        own = writers == name
        with checkpoint.replacing(file) as opened:
            np.savez_compressed(opened, images=images[own], labels=labels[own])
    return len(people) - unseen, unseen


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.split_hands", description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--unseen", type=int, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    try:
        train, dev = split(options.file, options.unseen, options.out)
    except (ValueError, OSError) as error:
        sys.exit(str(error))
    print(f"{train} people in {options.out / 'hands' / 'train'}, {dev} in {options.out / 'hands' / 'dev'}")


if __name__ == "__main__":
    main()
