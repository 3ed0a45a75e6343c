"""Whole hands that a generator makes up: `python -m training.imitate fewshot --out FOLDER ...`.

A few-shot generator wanders between the hands of two people who trained: for every character, it is shown other
samples of a few of both. A generator that knows its writers by number, such as cgan, goes on in the hand of one of
them. It writes the Chinese characters of the charset once each, and what a recogniser does not read as intended is
left out. A recipe of characters takes the folder as `--generated FOLDER`.
"""

import argparse
import dataclasses
import json
import sys
from pathlib import Path

import keras
import numpy as np
import tqdm

import zoo
from training import checkpoint, drawing, fit, sources
from training.generator import Generator
from zoo import charset, kinds

_SHOWN = 12  # Samples of each of the two hands.


def write_hand(
    path: Path, generator: Generator, recogniser: keras.Model, characters: str, rng: np.random.Generator
) -> float:
    """Writes characters in a made-up hand, as a file that `sources.read_hand` reads.

    Args:
        path: The `.npz` file.
        generator: A few-shot generator with samples of two hands or more, each of another person; or one
            that knows its writers.
        recogniser: Says what is legible.
        characters: What to write.
        rng: Chooses the two hands and their samples, or the writer.

    Returns:
        The share that is legible, and stands in the file.

    Raises:
        ValueError: The generator knows no hands or is shown fewer than two, or nothing is legible.
        OSError: The file cannot be written.
    """
    one = _one_hand(generator, rng)
    labels = np.array(charset.encode(characters), np.int32)
    images, legible = one.write_legibly(labels, recogniser, int(rng.integers(2**31)))
    if not legible.any():
        raise ValueError(f"{path}: nothing of what the generator wrote is legible.")
    with checkpoint.replacing(path) as file:
        np.savez_compressed(
            file,
            images=drawing.shrunk(images[legible], sources.EM),
            labels=np.array([charset.CHARACTERS[label] for label in labels[legible]]),
        )
    return float(legible.mean())


def _one_hand(generator: Generator, rng: np.random.Generator) -> Generator:
    """The same generator in a single hand: between two of those that it is shown, or of one of its writers."""
    if generator.writers:
        return dataclasses.replace(generator, writers=(int(rng.choice(generator.writers)),))
    if "samples" not in generator.model.input:
        raise ValueError("`generator` must know hands, as fewshot, cgan and pix2pix do.")
    if len(generator.hands) < 2:
        raise ValueError(f"`generator` must have two hands or more. Received: {len(generator.hands)}.")
    pair = rng.choice(len(generator.hands), 2, replace=False)
    shown = [
        hand[rng.choice(len(hand), _SHOWN, replace=len(hand) < _SHOWN)]
        for hand in (generator.hands[index] for index in pair)
    ]
    return dataclasses.replace(generator, hands=(np.concatenate(shown),))


def _check_same(options: argparse.Namespace) -> None:
    """A folder holds hands of one run; a file tells which.

    Raises:
        ValueError: It holds those of another run.
    """
    asked = {name: str(value) for name, value in vars(options).items() if name not in ("out", "hands")}
    file = options.out / sources.MADE_BY
    if not file.exists():
        fit.write_json(file, asked)
    elif json.loads(file.read_text(encoding="utf-8")) != asked:
        raise ValueError(f"{options.out}: holds hands that were made up otherwise. Give another folder.")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.imitate", description=__doc__)
    parser.add_argument("generator", help="preset, or folder of a run, of a generator that knows hands")
    parser.add_argument("--data", type=Path, required=True, help="folder with hands/train")
    parser.add_argument("--glyph-font", type=Path, required=True, help="font of the printed characters")
    parser.add_argument("--out", type=Path, required=True, help="folder of the files")
    parser.add_argument("--hands", type=int, default=40, help="how many hands to make up")
    parser.add_argument("--recogniser", default="hanzinet_m", help="preset that says what is legible")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    try:
        chinese_only = zoo.describe(options.generator).get("recipe", {}).get("chinese_only", ())
        hands = {
            sources.person(hand.writer): hand
            for hand in sources.read_hands(options.data / "hands" / "train", chinese_only)
        }
        generator = Generator.load(options.generator, options.glyph_font, list(hands.values()))
        names = generator.described.get("writers", ())
        people = tuple(number for number in generator.writers if sources.person(names[number]) in hands)
        if generator.writers and not people:
            raise ValueError(
                f"{options.data / 'hands' / 'train'}: holds none of the writers that {options.generator} knows, "
                f"{', '.join(names)}. Give the data that it trained on."
            )
        if people and "noise" not in generator.model.input and options.hands > len(people):
            raise ValueError(
                f"{options.generator} writes the same each time: `--hands` must be at most {len(people)}, its "
                f"writers. Received: {options.hands}."
            )
        recogniser = zoo.load(options.recogniser)
        characters = "".join(
            character
            for label, character in enumerate(charset.CHARACTERS)
            if generator.knows(label) and kinds.kind(character) == kinds.KINDS[0]
        )
        options.out.mkdir(parents=True, exist_ok=True)
        _check_same(options)
        for number in tqdm.trange(options.hands, unit="hand"):
            rng = np.random.default_rng([options.seed, number])
            path = options.out / f"{sources.GENERATED}{number:03}.npz"
            if not path.exists():  # An earlier run was cut off.
                writers = (people[number % len(people)],) if people else ()
                one = dataclasses.replace(generator, writers=writers)
                share = write_hand(path, one, recogniser, characters, rng)
                tqdm.tqdm.write(f"{path.name}: {share:.3f} legible")
    except (ValueError, OSError) as error:
        sys.exit(f"hanzoo: {error}")


if __name__ == "__main__":
    main()
