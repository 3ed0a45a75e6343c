"""The command `hanzoo`.

A command is a function of its options that returns the exit status: 0, or 1 where something could
not be read. tyro makes the options from its signature. What a command needs beyond this file, it
imports itself, so that `hanzoo read` never loads what only `hanzoo train` needs.
"""

import dataclasses
import json
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from serving import cli_generators
from serving.cli_status import fail, with_training, wrong_option

if TYPE_CHECKING:
    import numpy as np

    from serving.ocr import Reader
    from serving.page import Page

_CLOSED_PIPE = 128 + signal.SIGPIPE if hasattr(signal, "SIGPIPE") else 1
_INTERRUPTED = 128 + signal.SIGINT
_TYRO = (tyro.conf.FlagCreatePairsOff,)


def read(
    images: Annotated[
        tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="IMAGE...", help_behavior_hint="")
    ],
    /,
    layout: Literal["auto", "grid", "lines", "line", "char"] = "auto",
    json: bool = False,
    draw: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None,
    model: str | None = None,
    endpoint: Annotated[str | None, tyro.conf.arg(metavar="URL")] = None,
    context: Annotated[bool, tyro.conf.arg(help_behavior_hint="")] = True,
    style: Literal["characters", "lines"] | None = None,
    debug: bool = False,
) -> int:
    """Read the text of images: PNG, JPEG, TIFF, WebP or BMP.

    An image that cannot be read is named with its reason, the others are still read, and the exit
    status is 1.

    Args:
        images: The images, in the order in which they are read.
        layout: Manuscript paper (grid), a page (lines), a line, a character (char); auto: what it looks like.
        json: Print one JSON object per image, one per line.
        draw: Folder to draw each page in, with its cells and its text, as NAME.png.
        model: A bundled model, or the folder that `hanzoo preset` made.
        endpoint: Recognise on TensorFlow Serving: http://HOST:8501/v1/models/NAME or grpc://HOST:8500/NAME.
        context: Read each character for itself, whatever stands beside it.
        style: Cut lines into characters, or read each as a whole with line_s; if none is given, rows with line_s, columns by characters, and what that is unsure of in both ways; all lines with --model or --endpoint by characters.
        debug: Show the traceback of an error.
    """
    if not images:
        return wrong_option("at least one IMAGE must be given")
    if draw is not None:
        try:
            draw.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            return wrong_option(f"--draw {draw}: {error.strerror or error}")
    # Errors about options come first and fast; OpenCV and LiteRT load now.
    from serving.ocr import Reader
    from serving.runtime import ModelError, UnknownModelError, without_native_messages

    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")  # gRPC chats on stderr.
    try:
        reader = Reader(model, endpoint=endpoint, context=context, style=style)
    except ValueError as error:
        return wrong_option(f"--endpoint: {error}")
    try:
        with without_native_messages():
            reader.load()
    except UnknownModelError as error:
        return wrong_option(str(error))
    except ModelError as error:
        return fail(str(error), debug)
    several = len(images) > 1
    show = _show_json if json else _show_text
    sketches = _Sketches(draw, images) if draw is not None else None
    status = 0
    for name in images:
        for outcome in _outcomes(reader, name, layout, sketches, debug):
            show(outcome, several)
            if outcome.error is not None:
                status = 1
    return status


@dataclasses.dataclass(frozen=True)
class _Outcome:
    """What came of one page, and the page's number in a file of several.

    Where there is an error beside the page, it was read and could not be drawn.
    """

    name: str
    number: int | None = None
    page: "Page | None" = None
    error: str | None = None


def _outcomes(
    reader: "Reader", name: str, layout: str, sketches: "_Sketches | None", debug: bool
) -> Iterator[_Outcome]:
    from serving import images

    try:
        pixels = images.decode(name)
    except Exception as error:
        yield _Outcome(name, error=_explain(error, name, debug))
        return
    several = len(pixels) > 1
    for number, image in enumerate(pixels, 1):
        outcome = _Outcome(name, number if several else None)
        try:
            page = dataclasses.replace(reader.read(image, layout), image=name)
            outcome = dataclasses.replace(outcome, page=page)
            if sketches is not None:
                sketches.add(page, image)
        except Exception as error:
            outcome = dataclasses.replace(outcome, error=_explain(error, name, debug))
        yield outcome


def _explain(error: Exception, name: str, debug: bool) -> str:
    """The error in words; those that no one foresaw say so."""
    from serving import images
    from serving.ocr import LayoutError
    from serving.runtime import ModelError

    if debug:
        traceback.print_exception(error)
    if isinstance(error, images.ImageError | LayoutError | ModelError):
        # Whoever shows the error shows the name of the image too.
        return str(error).removeprefix(f"{images.printable(name) or 'image'}: ")
    if isinstance(error, OSError):
        return f"{error.filename}: {error.strerror}" if error.filename else str(error)
    hint = "" if debug else "; --debug shows the traceback"
    return f"internal error: {type(error).__name__}: {error}{hint}"


def _show_json(outcome: _Outcome, several: bool) -> None:
    record: dict[str, Any] = {"image": outcome.name}
    if outcome.number is not None:
        record["page"] = outcome.number
    record |= {"error": outcome.error} if outcome.page is None else outcome.page.to_dict()
    print(json.dumps(record, ensure_ascii=False), flush=True)
    if outcome.page is not None and outcome.error is not None:
        _complain(outcome)


def _show_text(outcome: _Outcome, several: bool) -> None:
    if outcome.page is not None:
        if several or outcome.number is not None:
            print(f"==> {_place(outcome)} <==")
        print(outcome.page.text, flush=True)
    if outcome.error is not None:
        _complain(outcome)


def _complain(outcome: _Outcome) -> None:
    print(f"hanzoo: {_place(outcome)}: {outcome.error}", file=sys.stderr, flush=True)


def _place(outcome: _Outcome) -> str:
    from serving import images

    name = images.printable(outcome.name)
    return name if outcome.number is None else f"{name}, page {outcome.number}"


class _Sketches:
    """Drawings of pages in a folder, each under a name of its own that is none of the images'."""

    def __init__(self, folder: Path, images: Sequence[str]) -> None:
        from serving import draw

        self._folder = folder
        self._images = {Path(image).resolve() for image in images if "\0" not in image}
        self._names: set[str] = set()
        self._font = draw.find_font()
        if self._font is None:
            print(
                "hanzoo: no font with Chinese characters was found (such as fonts-noto-cjk): "
                "the drawings show boxes only, with the text beside them in NAME.png.txt",
                file=sys.stderr,
            )

    def add(self, page: "Page", image: "np.ndarray") -> None:
        from serving import draw

        target = self._folder / f"{self._free(Path(page.image).stem)}.png"
        draw.save(draw.draw(page, image, self._font), target)
        if self._font is None:
            draw.save_text(page.text + "\n", target.with_name(f"{target.name}.txt"))

    def _free(self, stem: str) -> str:
        """`stem`, or with a number where an earlier page has that name, or an image would be lost."""
        name, number = stem, 1
        while name in self._names or (self._folder / f"{name}.png").resolve() in self._images:
            number += 1
            name = f"{stem}-{number}"
        self._names.add(name)
        return name


def list_presets() -> int:
    """List the trained models that come with hanzoo."""
    from serving import runtime

    names = runtime.names()
    if not names:
        return fail("no trained model is installed", debug=False)
    try:
        presets = [runtime.preset(name) for name in names]
    except runtime.ModelError as error:
        return fail(str(error), debug=False)
    for preset in presets:
        print(f"{preset.name}  {preset.bytes / 1e6:.2f} MB")
        for validated, figures in preset.figures.items():
            shown = "  ".join(f"{name} {value:.4g}" for name, value in figures.items())
            print(f"  {validated}: {shown}")
    return 0


def train(arguments: Sequence[str]) -> int:
    """Train a model; run again with the same folder, it goes on where it stopped."""

    def run(
        workdir: Annotated[Path, tyro.conf.Positional],
        /,
        recipe: Any,
        across: Literal["devices", "machines"] | None = None,
        debug: bool = False,
    ) -> int:
        """Train a model; run again with the same folder, it goes on where it stopped.

        Args:
            workdir: Folder of the run.
            recipe: What to train on what.
            across: Train on all `devices` of this machine, or on several `machines` with one process each.
            debug: Show the traceback of an error.
        """

        def start() -> None:
            from training import fit

            fit.fit(recipe, workdir, across)

        return with_training(start, debug)

    return _with_recipe("train", run, arguments)


def sheet(arguments: Sequence[str]) -> int:
    """Write pictures of what a recipe trains on, to look at before a long run."""

    def run(folder: Annotated[Path, tyro.conf.Positional], /, recipe: Any, debug: bool = False) -> int:
        """Write pictures of what a recipe trains on, to look at before a long run.

        Args:
            folder: Folder of the pictures.
            recipe: What to train on what.
            debug: Show the traceback of an error.
        """

        def start() -> None:
            from training import callbacks

            print(*callbacks.save_pictures(folder, recipe.task().samples()), sep="\n")

        return with_training(start, debug)

    return _with_recipe("sheet", run, arguments)


def _with_recipe(command: str, run: Callable[..., int], arguments: Sequence[str]) -> int:
    """Runs a command whose options are the fields of the recipe that it names first."""
    import zoo
    from training import recipe as recipes

    if not arguments or arguments[0].startswith("-"):
        print(f"usage: hanzoo {command} RECIPE FOLDER [--FIELD VALUE ...]\n\nRECIPE is one of:")
        for name, recipe in recipes.recipes().items():
            print(
                f"  {name:24} {recipe.model}, {recipe.epochs * recipe.steps * recipe.batch_size:,} pictures"
            )
        print(f"\n`hanzoo {command} RECIPE --help` lists its fields.")
        return 0 if {"-h", "--help"} & set(arguments) else 2
    try:
        found = recipes.find(arguments[0])
    except zoo.UnknownNameError as error:
        return wrong_option(str(error))
    run.__annotations__["recipe"] = Annotated[type(found), tyro.conf.arg(name="")]
    run.__defaults__ = (found, *(run.__defaults__ or ()))
    try:
        # Fields that are on are told with both flags, since their texts tell what they are.
        return tyro.cli(run, prog=f"hanzoo {command} {arguments[0]}", args=arguments[1:])
    except ValueError as error:  # A field of the recipe; the run answers for its own errors.
        if "--debug" in arguments:
            traceback.print_exc()
        return wrong_option(str(error))


def evaluate(
    model: Annotated[str, tyro.conf.Positional],
    /,
    data: Path = Path("data"),
    fonts: tuple[Path, ...] = (),
    json: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None,
    pictures: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None,
    debug: bool = False,
) -> int:
    """Measure a trained model on labelled characters.

    Everything in the folder is measured; of a folder of training data, its validation writers
    (`hands/dev`). A reader of lines reads lines that these writers and fonts write.

    Args:
        model: Name of a bundled model, folder of a finished run, or folder that `hanzoo preset` made.
        data: Folder of training data, of hands (*.npz, one a writer), of pictures (CHARACTER/*.png or CHARACTER_1.png),
            or of archives (.gnt, .zip).
        fonts: Fonts as for training; for readers of lines only.
        json: File for all figures, those of each character too.
        pictures: Folder for confusions.png, the pairs that are most often taken for each other.
        debug: Show the traceback of an error.
    """

    def run() -> None:
        import zoo
        from training import callbacks, fit

        if json is not None:
            json.parent.mkdir(parents=True, exist_ok=True)
        if zoo.describe(model).get("recipe", {}).get("kind") == "LineRecipe":
            if pictures is not None:
                raise ValueError("--pictures shows confusions of single characters; this model reads lines.")
            figures: dict[str, Any] = fit.evaluate(model, data, fonts)
            print("\n".join(f"{name}  {value:.4f}" for name, value in figures.items()))
        else:
            from serving import measure_characters

            evaluation = measure_characters.evaluate(model, data)
            figures = evaluation.report
            print(evaluation.table())
            if pictures is not None:
                callbacks.save_pictures(pictures, evaluation.pictures())
        if json is not None:
            fit.write_json(json, figures)

    return with_training(run, debug)


def export(
    name: Annotated[str, tyro.conf.Positional],
    /,
    out: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None,
    precision: tuple[Literal["float32", "float16", "dynamic", "int8"], ...] = (),
    data: Path | None = None,
    fonts: tuple[Path, ...] = (),
    glyph_font: Path | None = None,
    compatible: bool = False,
    tf_serving: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None,
    debug: bool = False,
) -> int:
    """Write a model as SavedModel and TFLite, and measure the files against Keras.

    Args:
        name: A bundled model, the folder of a finished run, or a name of the zoo with fresh weights.
        out: Folder of saved_model/, model_PRECISION.tflite and export.json.
        precision: Only these TFLite files.
        data: Folder as for training; int8 of a trained model needs it, or fonts.
        fonts: Fonts as for training.
        glyph_font: Font of the printed characters as for training, for generators that start from them.
        compatible: Make TFLite files that tflite-runtime 2.14 runs too.
        tf_serving: Add the model to this repository of TensorFlow Serving as its next version.
        debug: Show the traceback of an error.
    """
    if out is None and tf_serving is None:
        return wrong_option("export needs --out DIR or --tf-serving DIR")

    def run() -> None:
        if out is not None:
            from serving import export as exporter

            report = exporter.export_named(name, out, data, precision, compatible, fonts, glyph_font)
            print(exporter.table(report))
            if report["failures"]:
                raise RuntimeError("; ".join(report["failures"]))
        if tf_serving is not None:
            from serving import tf_serving as repository

            print(repository.export(name, tf_serving))

    return with_training(run, debug)


def preset(
    workdir: Annotated[Path, tyro.conf.Positional],
    name: Annotated[str, tyro.conf.Positional],
    /,
    presets: Path,
    data: Path = Path("data"),
    fonts: tuple[Path, ...] = (),
    strokes: tuple[Path, ...] = (),
    sets: tuple[str, ...] = (),
    notes: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None,
    debug: bool = False,
) -> int:
    """Make a preset of a finished run: weights, int8 TFLite, figures and card.

    Args:
        workdir: Folder of the run.
        name: Name of the preset.
        presets: Folder in which the preset is made.
        data: Folder as for training.
        fonts: Fonts as for training; without a folder of data, what validated there is measured.
        strokes: Strokes as for training.
        sets: Public handwriting as for training.
        notes: Markdown for the card: where the data come from, their licences, how the training went.
        debug: Show the traceback of an error.
    """

    def run() -> None:
        from serving import preset as presets_of

        print(presets_of.export_preset(workdir, name, data, presets, notes, fonts, strokes, sets))

    return with_training(run, debug)


def ngram(
    texts: Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="TEXT...")],
    /,
    out: Path,
    words: Path | None = None,
    without: tuple[Path, ...] = (),
    limit: int = 2_000_000,
    debug: bool = False,
) -> int:
    """Learn which character follows which one or two, for the reader of pages.

    Args:
        texts: Text files, plain or .xz, UTF-8.
        out: The file to write.
        words: A word and its frequency a line, such as tsi.src of libchewing.
        without: Text that will measure a reader; lines that share a passage with it teach nothing.
        limit: Largest size of the file in bytes.
        debug: Show the traceback of an error.
    """
    if not texts:
        return wrong_option("at least one TEXT must be given")

    def run() -> None:
        from training import ngram as learner

        for name, value in learner.train(texts, out, limit, words, without).items():
            print(f"{name}  {value:,.1f}")

    return with_training(run, debug)


def promote(
    name: Annotated[str, tyro.conf.Positional],
    folder: Annotated[Path, tyro.conf.Positional],
    /,
    version: int | None = None,
    debug: bool = False,
) -> int:
    """Make a version of a model on TensorFlow Serving the stable one.

    Args:
        name: Name of the model.
        folder: The folder that `hanzoo export NAME --tf-serving` wrote.
        version: The version; the newest if none is given. An earlier one rolls back.
        debug: Show the traceback of an error.
    """

    def run() -> None:
        from serving import tf_serving

        print(f"{name}: version {tf_serving.promote(folder, name, version)} is stable")

    return with_training(run, debug)


def compare(
    pages: Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="FOLDER...")],
    /,
    readers: tuple[str, ...] = (),
    json: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None,
    debug: bool = False,
) -> int:
    """Measure hanzoo and other programs on the same pages: errors, lines found, time, memory.

    Args:
        pages: Folders of pictures with their truth.json, as `python -m training.pages` writes it.
        readers: Only these, such as hanzoo and RapidOCR; those that are not installed are named.
        json: File for all figures.
        debug: Show the traceback of an error.
    """

    if not pages:
        return wrong_option("at least one FOLDER must be given")

    def run() -> None:
        from serving import compare as comparison
        from serving import page_readers

        result = comparison.compare(pages, readers or tuple(page_readers.PAGE_READERS))
        print(comparison.table(result))
        if json is not None:
            from training import fit

            fit.write_json(json, result)

    return with_training(run, debug)


def _see_train() -> int:
    """Train a model; run again with the same folder, it goes on where it stopped."""
    return train(["--help"])


def _see_sheet() -> int:
    """Write pictures of what a recipe trains on, to look at before a long run."""
    return sheet(["--help"])


COMMANDS: dict[str, Callable[..., int]] = {
    "read": read,
    "write": cli_generators.write,
    "list": list_presets,
    "evaluate": evaluate,
    "ngram": ngram,
    "preset": preset,
    "export": export,
    "promote": promote,
    "compare": compare,
    "sample": cli_generators.sample,
    "gate": cli_generators.gate,
    "balance": cli_generators.balance,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns the exit status."""
    if sys.stderr is None:  # The caller closed it, and `print` would take the output instead.
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115
    # The text is Chinese whatever the locale says. Names that are no UTF-8 are shown escaped.
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    try:
        if arguments == ["--version"]:
            return _show_version()
        by_recipe = {"train": train, "sheet": sheet}  # Their options depend on the recipe.
        if arguments and arguments[0] in by_recipe:
            status = by_recipe[arguments[0]](arguments[1:])
        else:
            status = tyro.extras.subcommand_cli_from_dict(
                COMMANDS | {"train": _see_train, "sheet": _see_sheet},
                prog="hanzoo",
                description="Reads handwritten Traditional Chinese.",
                args=arguments or ["--help"],
                config=_TYRO,
            )
        if sys.stdout is not None:  # It is None where the caller closed it.
            sys.stdout.flush()
    except KeyboardInterrupt:
        return _INTERRUPTED
    except OSError as error:
        # Images and drawings answer for themselves: it was the output that could not be written.
        # Python flushes once more at exit; what is left has nowhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            return _CLOSED_PIPE
        return fail(f"the output cannot be written: {error.strerror or error}", debug=False)
    return status


def _show_version() -> int:
    from importlib import metadata

    print(f"hanzoo {metadata.version('hanzoo')}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
