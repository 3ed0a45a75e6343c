"""The commands `hanzoo write`, `sample`, `gate` and `balance`, which draw characters with trained generators."""

from pathlib import Path
from typing import Annotated, Any

import tyro

from serving.cli_status import with_training, wrong_option


def write(
    text: Annotated[str, tyro.conf.Positional],
    /,
    like: Annotated[Path, tyro.conf.arg(metavar="FOLDER")],
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="FILE")],
    model: str = "fewshot",
    glyph_font: Path | None = None,
    seed: int = 0,
    debug: bool = False,
) -> int:
    """Write a text in the hand of a few samples.

    Args:
        text: What to write; a line break starts a new line.
        like: Folder of pictures of single characters in that hand, 5 to 20 of any characters, or a .npz file.
        out: The picture to write, PNG.
        model: A bundled generator, or the folder of a finished run.
        glyph_font: Font of the printed characters; one of this system if none is given.
        seed: Of what varies from one character to the next.
        debug: Show the traceback of an error.
    """

    if refused := _no_png(out):
        return refused

    def run() -> None:
        from serving import writing

        writing.write(text, like, out, model, glyph_font or _font(), seed)

    return with_training(run, debug)


def sample(
    name: Annotated[str, tyro.conf.Positional],
    /,
    out: Annotated[Path | None, tyro.conf.arg(aliases=["-o"], metavar="FILE")] = None,
    data: Path | None = None,
    glyph_font: Path | None = None,
    seed: int = 0,
    debug: bool = False,
) -> int:
    """Write a sheet of what a generator draws.

    Args:
        name: A bundled generator, or the folder of a finished run.
        out: The picture to write, PNG; NAME.png if none is given.
        data: Folder as for training; generators that write like samples take them from it.
        glyph_font: Font of the printed characters, for generators that start from them.
        seed: Of the noise and of what is drawn.
        debug: Show the traceback of an error.
    """

    target = out or Path(f"{Path(name).name}.png")
    if refused := _no_png(target):
        return refused

    def run() -> None:
        from training import callbacks, generator

        callbacks.save_pictures(
            target.parent, {target.stem: generator.sheet(name, data, glyph_font or _font(), seed)}
        )

    return with_training(run, debug)


def gate(
    names: Annotated[tuple[str, ...], tyro.conf.Positional],
    /,
    data: Path = Path("data"),
    glyph_font: Path | None = None,
    characters: str = "",
    recogniser: str = "hanzinet_m",
    shots: tuple[int, ...] = (0, 2, 5, 20, -1),
    seeds: int = 3,
    steps: int = 1000,
    added: int = 20,
    json: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None,
    debug: bool = False,
) -> int:
    """Find out whether generators' writing makes a reader better than distorted copies do.

    Small readers of the characters that the generators have never seen written learn from few or many real
    samples, with and without generated ones, and are tried on the hands of `hands/dev`.

    Args:
        names: Bundled generators, or folders of finished runs, all of which held the same characters out.
        data: Folder with hands/train and hands/dev.
        glyph_font: Font of the printed characters.
        characters: What to try of the characters that were held out; empty for all of them.
        recogniser: Preset that says which samples are legible.
        shots: Real samples of each character; -1 for all.
        seeds: Readers of each kind.
        steps: Batches of 32 that a reader learns from.
        added: Generated samples, or copies, of each character.
        json: File for the figures.
        debug: Show the traceback of an error.
    """
    if not names:
        return wrong_option("at least one NAME must be given")

    def run() -> None:
        import time

        import zoo
        from serving import benchmark
        from training import fit, sources
        from training import gate as gates
        from training.generator import Generator
        from zoo import charset

        described = [zoo.describe(name) for name in names]
        held_out = {one.get("held_out") for one in described}
        if len(held_out) != 1 or not (unseen := held_out.pop()):
            raise ValueError(
                "Name generators that held the same characters out of their training. "
                f"Received: {', '.join(names)}."
            )
        if written := set(characters) - set(unseen):
            raise ValueError(
                f"`characters`: {''.join(sorted(written))} were not held out. Name some of {unseen}."
            )
        if len({Path(name).name for name in names}) != len(names):
            raise ValueError(f"{', '.join(names)}: must have different names.")
        labels = charset.encode("".join(dict.fromkeys(characters or unseen)))
        chinese_only = {writer for one in described for writer in one["recipe"]["chinese_only"]}
        train = sources.read_hands(data / "hands" / "train", chinese_only)
        shown = gates.styles(train, labels)
        font = glyph_font or _font()
        started = time.monotonic()
        generators = {Path(name).name: Generator.load(name, font, shown) for name in names}
        report: dict[str, Any] = gates.measure(
            generators,
            train,
            sources.read_hands(data / "hands" / "dev"),
            labels,
            zoo.load(recogniser),
            gates.Settings(tuple(None if count < 0 else count for count in shots), seeds, steps, added),
        )
        print(gates.tables(report))
        for generator in report["generators"]:
            generator["sha256"] = generators[generator["name"]].described["files"][zoo.WEIGHTS]["sha256"]
        report |= {
            "data": data.name,
            "characters": characters,
            "recogniser": recogniser,
            "machine": benchmark.machine(),
            "seconds": time.monotonic() - started,
        }
        if json is not None:
            fit.write_json(json, report)

    return with_training(run, debug)


def balance(
    folder: Annotated[Path, tyro.conf.Positional],
    /,
    to: int,
    model: str = "fewshot",
    data: Path | None = None,
    glyph_font: Path | None = None,
    recogniser: str = "hanzinet_m",
    seed: int = 0,
    debug: bool = False,
) -> int:
    """Fill the rare characters of a folder of pictures with generated ones.

    They are named generated_*.png, stand in generated.json, and train only: `hanzoo train` never validates on
    them, and `hanzoo evaluate` leaves them out.

    Args:
        folder: Folder of pictures, CHARACTER/*.png.
        to: Pictures that each character shall have.
        model: A bundled generator, or the folder of a finished run.
        data: Folder with hands/train, whose hands a generator that takes samples writes like; without it, the
            folder's own.
        glyph_font: Font of the printed characters; one of this system if none is given.
        recogniser: Preset that says which samples are legible; the others are left out.
        seed: Of what is drawn.
        debug: Show the traceback of an error.
    """

    def run() -> None:
        from training import balance as balancing

        print(balancing.balance(folder, to, model, data, glyph_font or _font(), recogniser, seed).summary())

    return with_training(run, debug)


def _font() -> Path:
    """A font of this system with Chinese characters.

    Raises:
        ValueError: There is none.
    """
    from serving import draw

    font = draw.find_font()
    if font is None:
        raise ValueError("No font with Chinese characters was found: give --glyph-font FILE.")
    return font


def _no_png(out: Path) -> int:
    """The exit status of a picture to write that is no PNG; 0 for one that is."""
    return 0 if out.suffix == ".png" else wrong_option(f"--out must end in .png. Received: {out}")
