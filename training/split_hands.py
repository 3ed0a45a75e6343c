"""A file of many writers as a data folder: `python -m training.split_hands FILE --unseen 150 --out FOLDER`.

Some of the writers train, `hands/train`, and the others only measure, `hands/dev`; each is a file as `sources.read_hand`
reads it.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

from training import checkpoint
from training.sources import EM


def split(path: Path, unseen: int, out: Path, seed: int = 0) -> tuple[int, int]:
    """Writes each writer's characters into a file of their own.

    Args:
        path: A `.npz` file with `images`, uint8 (n, 96, 96), `labels`, str (n,), and `writer`, str (n,).
        unseen: Writers that do not train.
        out: The data folder; it must not hold hands yet.
        seed: Chooses who does not train.

    Returns:
        The number of writers who train, and of those who do not.

    Raises:
        ValueError: The file is not of this form or has too few writers, or the folder holds hands.
        OSError: A file cannot be read or written.
    """
    with np.load(path, allow_pickle=False) as data:
        if missing := {"images", "labels", "writer"} - set(data.files):
            raise ValueError(f"{path}: must hold images, labels and writer. Missing: {sorted(missing)}.")
        images, labels, writers = (data[name] for name in ("images", "labels", "writer"))
    if images.shape != (len(labels), EM, EM) or len(writers) != len(labels):
        raise ValueError(
            f"{path}: images must be ({len(labels)}, {EM}, {EM}), with a writer for each label. "
            f"Received: {images.shape} and {len(writers)} writers."
        )
    names = np.random.default_rng(seed).permutation(np.unique(writers))
    if not 0 < unseen < len(names):
        raise ValueError(f"`unseen` must be 1 to {len(names) - 1}. Received: {unseen}.")
    if (out / "hands").exists():
        raise ValueError(f"{out / 'hands'}: is there already. Name another folder.")
    for place, name in enumerate(names.tolist()):
        file = out / "hands" / ("dev" if place < unseen else "train") / f"{name}.npz"
        file.parent.mkdir(parents=True, exist_ok=True)
        own = writers == name
        with checkpoint.replacing(file) as opened:
            np.savez_compressed(opened, images=images[own], labels=labels[own])
    return len(names) - unseen, unseen


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
    print(f"{train} writers in {options.out / 'hands' / 'train'}, {dev} in {options.out / 'hands' / 'dev'}")


if __name__ == "__main__":
    main()
