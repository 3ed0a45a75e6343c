"""What a training run is: plain data, looked up by name."""

import dataclasses
import importlib
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import tyro

import zoo


@dataclasses.dataclass(frozen=True)
class Recipe:
    """What every run has. The subclasses add what they need to know of their data.

    Attributes:
        model: Name in `zoo.names()`.
        sizes: What its builder takes besides `classes`.
        data: Folder of the data.
        start: Preset, or folder of a run, whose model the run goes on with; of `sizes`, only `size` holds then.
        epochs: Number of epochs; a checkpoint is written after each.
        steps: Batches of an epoch.
        batch_size: Pictures of a batch.
        learning_rate: The highest one.
        ema: Momentum of the moving average of the weights, which is what is validated and kept;
            0 keeps the weights themselves.
        patience: Epochs without a better figure after which the run stops and the best weights are
            kept; 0 never stops early.
        precision: What layers compute in; bfloat16 pays on processors that have it.
        seed: Of weights, order and distortions.
    """

    TASK: ClassVar[str] = ""
    """Where the class of the task stands, as "module:class"."""

    model: str
    sizes: Annotated[dict[str, Any], tyro.conf.Suppress] = dataclasses.field(default_factory=dict)
    data: Path = Path("data")
    start: Annotated[str | None, tyro.conf.arg(name="from")] = None
    epochs: int = 16
    steps: int = 500
    batch_size: int = 128
    learning_rate: float = 3e-3
    ema: float = 0.0
    patience: int = 0
    precision: Literal["float32", "mixed_bfloat16"] = "float32"
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("epochs", "steps", "batch_size", "learning_rate"):
            if getattr(self, name) <= 0:
                raise ValueError(f"`{name}` must be above 0. Received: {name}={getattr(self, name)}.")

    def task(self) -> Any:
        """The `training.task.Task` of this recipe, its data read."""
        module, name = self.TASK.split(":")
        return getattr(importlib.import_module(module), name)(self)


@dataclasses.dataclass(frozen=True)
class SupervisedRecipe(Recipe):
    """What learns from labels, with AdamW: the rate rises to `learning_rate`, then a half cosine to zero.

    Attributes:
        warmup: Share of the run in which the rate rises from zero.
        weight_decay: Of AdamW, on kernels only.
        clip_norm: Largest norm of the gradient of all weights.
    """

    warmup: float = 0.04
    weight_decay: float = 0.02
    clip_norm: float = 5.0


@dataclasses.dataclass(frozen=True)
class CharacterRecipe(SupervisedRecipe):
    """Trains a classifier of single characters.

    Attributes:
        data: Folder with `hands/train/*.npz` and `hands/dev/*.npz`, one writer a file; or with a
            folder of pictures for each character, `CHARACTER/*.png`. Where it is not given and `data` is not there,
            a part of the sets validates, else the last font, else the last made-up writer.
        hands: Whether the hands of `data` train; those of `hands/dev` validate all the same.
        chinese_only: Hands of which only Chinese characters train, because their other labels are wrong.
        sets: Public handwriting that trains too: names of `training.datasets`, or folders of their files.
        generated: Folders of hands that a generator made up, see `training.imitate`; they count as fonts do.
        fonts: Font files; a folder stands for one font that is cut into slices.
        characters: The only characters that are taken from the data; empty for all.
        strokes: Folders of characters as strokes, see `training.strokes`.
        stroke_writers: How many made-up writers write with these strokes, if there are any; every character once each.
        real_weight: How often a sample of a real hand is drawn for one of a font or made-up writer.
        blank_share: Share of empty cells.
        fade: Last share of the run, in which the geometric distortions shrink to half.
        head_from: Preset of another model whose last layer this one starts from. Thousands of classes
            start as noise otherwise, and a deep network learns nothing for the first 100,000 pictures.
        narrow_from: Preset, or folder of a run, of a wider network of the same kind; the most important of its
            channels are what this one starts from, see `zoo.narrowing`.
        widen_from: Preset, or folder of a run, of a smaller network of the same kind; this one starts with its answers,
            see `zoo.widening`.
        label_smoothing: Share of the target that is spread over all characters; not beside a teacher.
        teacher: Preset, or folder of a run, whose answers the model learns besides the labels.
        teacher_share: Share of the loss that follows the teacher.
        teacher_temperature: Divides the logits of both, so that the lesser answers count.
        add_characters: Adds characters of the data that the charset lacks behind its others.
    """

    TASK: ClassVar[str] = "training.characters:CharacterTask"

    hands: bool = True
    chinese_only: tuple[str, ...] = ()
    sets: tuple[str, ...] = ()
    generated: tuple[Path, ...] = ()
    fonts: tuple[Path, ...] = ()
    characters: str = ""
    strokes: tuple[Path, ...] = ()
    stroke_writers: int = 60
    real_weight: float = 3.0
    blank_share: float = 0.05
    fade: float = 0.0
    head_from: str | None = None
    narrow_from: str | None = None
    widen_from: str | None = None
    label_smoothing: float = 0.0
    teacher: str | None = None
    teacher_share: float = 0.7
    teacher_temperature: float = 2.0
    add_characters: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.teacher is not None and self.label_smoothing:
            raise ValueError(
                "`label_smoothing` has no place beside a `teacher`, whose answers are soft already."
            )
        beginnings = [
            name for name in ("start", "narrow_from", "widen_from") if getattr(self, name) is not None
        ]
        if len(beginnings) > 1:
            raise ValueError(f"A model starts from one other model. Received: {', '.join(beginnings)}.")


@dataclasses.dataclass(frozen=True)
class LineRecipe(SupervisedRecipe):
    """Trains a reader of lines that are composed of single characters as the run goes.

    With `widths`, the lines are natural text and random characters on paper, photographed and straightened, as a
    reader of pages meets them; without, random characters of an alphabet in a row.

    Attributes:
        data: Folder with `hands/train/*.npz` and `hands/dev/*.npz`, one writer a file, and, for strips,
            `text/*.txt` or `text/*.txt.xz`.
        alphabet: The characters of the lines; empty for the whole charset, as strips take it.
        hands: Whether the hands of `data` write lines too.
        chinese_only: Hands of which only Chinese characters train, because their other labels are wrong.
        fonts: Font files that write; a folder stands for one font that is cut into slices.
        unseen_fonts: Font files that write validation lines only.
        strokes: Folders of characters as strokes, see `training.strokes`.
        stroke_writers: How many made-up writers write with these strokes, if there are any.
        shortest: Characters of the shortest line.
        longest: Characters of the longest line.
        growth: Steps in which lines and their alphabet grow from one character to their full size; 0 for none.
        widths: Widths of strips in pixels, see `training.strips`; none for lines of an alphabet.
        texts: Files of sentences for strips, one a line, in place of those of `data`; where there are none,
            sentences are made of random characters.
        without: Files of text of which no sentence shares a passage of eight Chinese characters, as the texts of
            pages that are to measure.
        recogniser: Preset of a recogniser of single characters whose weights a `zoo.linenet` starts with, and whose
            normalisation it keeps.
        validation_lines: Validation lines of each figure.
    """

    TASK: ClassVar[str] = "training.recognition:LineTask"

    alphabet: str = ""
    hands: bool = False
    chinese_only: tuple[str, ...] = ()
    fonts: tuple[Path, ...] = ()
    unseen_fonts: tuple[Path, ...] = ()
    strokes: tuple[Path, ...] = ()
    stroke_writers: int = 20
    shortest: int = 8
    longest: int = 12
    growth: int = 0
    widths: tuple[int, ...] = ()
    texts: tuple[Path, ...] = ()
    without: tuple[Path, ...] = ()
    recogniser: str | None = None
    validation_lines: int = 200

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.widths and self.alphabet:
            raise ValueError("`alphabet` has no place beside `widths`: strips show the whole charset.")
        if (self.texts or self.without) and not self.widths:
            raise ValueError("`texts` and `without` go with `widths`: only strips show sentences.")


@dataclasses.dataclass(frozen=True)
class GenerationRecipe(Recipe):
    """Trains a generator of characters against a discriminator.

    Attributes:
        data: Folder with `hands/train/*.npz`, one writer a file.
        adversary: What the training of this model takes besides the generator, such as the width of its
            discriminator.
        chinese_only: Hands of which only Chinese characters train, because their other labels are wrong.
        fonts: Font files that count as writers too; a folder stands for one font that is cut into slices.
        glyph_font: Font of the printed characters, for models that start from them.
        characters: The only characters that train, for models from noise; empty for all.
        held_out: The so many characters that the most hands and fonts hold, which do not train, and are drawn to
            measure what the model makes of characters that it has never seen written. What starts from
            another model holds out what that one did, unless it is 0.
        also_held_out: Characters that are held out beside these, as those that `hanzoo gate` is to try; the figures
            stand on them too.
        moved: Whether pictures are brought to one size and darkness, and then turned, sized, slanted and shifted
            anew each time; few ones are learnt by heart otherwise.
        samples: Characters of a writer that a few-shot generator is shown.
        growth: Steps in which ProGAN grows to its full size; 0 if it has it from the first step on. What a run
            starts from is grown.
        rule: The rule of both optimizers.
        discriminator_rate: Learning rate of the discriminator; 0 for that of the generator.
        fall: Last share of the run in which both learning rates fall towards zero.
        beta_1: Of Adam.
        beta_2: Of Adam.
        recogniser: Preset that measures what is drawn.
        drawn: Pictures that each figure stands on.
    """

    TASK: ClassVar[str] = "training.generation:GenerationTask"

    adversary: Annotated[dict[str, Any], tyro.conf.Suppress] = dataclasses.field(default_factory=dict)
    chinese_only: tuple[str, ...] = ()
    fonts: tuple[Path, ...] = ()
    glyph_font: Path | None = None
    characters: str = ""
    held_out: int = 0
    also_held_out: str = ""
    moved: bool = False
    samples: int = 8
    growth: int = 0
    rule: Literal["adam", "rmsprop"] = "adam"
    discriminator_rate: float = 0.0
    fall: float = 0.0
    beta_1: float = 0.5
    beta_2: float = 0.999
    recogniser: str = "hanzinet_m"
    drawn: int = 500

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.characters and self.held_out:
            raise ValueError("`characters` and `held_out` exclude each other: give one of them.")
        if self.also_held_out and (not self.held_out or self.start):
            raise ValueError("`also_held_out` goes with `held_out`, and not with a model to start from.")
        if len(set(self.characters)) == 1:
            raise ValueError(f"`characters` must name two or more. Received: {self.characters!r}.")
        if not 0 <= self.fall <= 1:
            raise ValueError(f"`fall` must be a share, 0 ... 1. Received: fall={self.fall}.")
        if self.growth and self.start is None and self.growth >= self.epochs * self.steps:
            raise ValueError(
                "`growth` must end before the run does, after `epochs` times `steps`. "
                f"Received: growth={self.growth}, epochs={self.epochs}, steps={self.steps}."
            )


@dataclasses.dataclass(frozen=True)
class DetectionRecipe(SupervisedRecipe):
    """Trains a detector of lines and characters on pages that are composed as the run goes.

    Attributes:
        data: Folder with `hands/train/*.npz` and `hands/dev/*.npz`, one writer a file, and `text/*.txt` or
            `text/*.txt.xz`; without hands, fonts and made-up writers write.
        size: Height and width of the pictures that train, in pixels.
        em: Smallest and largest side of a character's square in pictures that show a part of a page, in pixels.
        chinese_only: Hands of which only Chinese characters train, because their other labels are wrong.
        fonts: Font files; a folder stands for one font that is cut into slices.
        strokes: Folders of characters as strokes, see `training.strokes`.
        stroke_writers: How many made-up writers write with these strokes, if there are any.
        texts: Files of sentences, one a line, in place of those of `data`; where there are none, sentences
            are made of random characters.
        pages: Folders of real pages with the places of their lines, see `training.labelled_pages`, which make
            up half of the pictures. Where the places of characters are not marked, a CRAFT guesses them by
            what the run starts from, once: to learn from better guesses, start another run from this one.
        validation_pages: Pages that the figures stand on.
    """

    TASK: ClassVar[str] = "training.detection:DetectionTask"

    size: tuple[int, int] = (640, 640)
    em: tuple[float, float] = (16.0, 72.0)
    chinese_only: tuple[str, ...] = ()
    fonts: tuple[Path, ...] = ()
    strokes: tuple[Path, ...] = ()
    stroke_writers: int = 10
    texts: tuple[Path, ...] = ()
    pages: tuple[Path, ...] = ()
    validation_pages: int = 40


_MODULES = ("classification", "recognition", "detection", "generation")


def recipes() -> dict[str, Recipe]:
    """All recipes by their names."""
    modules = [importlib.import_module(f"training.recipes.{name}") for name in _MODULES]
    return {name: recipe for module in modules for name, recipe in module.RECIPES.items()}


def names() -> list[str]:
    """The names of all recipes."""
    return list(recipes())


def find(name: str) -> Recipe:
    """The recipe of this name.

    Raises:
        zoo.UnknownNameError: There is none.
    """
    known = recipes()
    if name not in known:
        hint = zoo.did_you_mean(name, known)
        raise zoo.UnknownNameError(f"No recipe named {name!r}.{hint} There are: {', '.join(known)}.")
    return known[name]


_PATHS = ("fonts", "unseen_fonts", "strokes", "sets", "generated", "glyph_font", "texts", "without", "pages")
"""Fields that hold paths of this machine, besides `data`."""


def to_json(recipe: Recipe) -> dict[str, Any]:
    """The recipe as JSON holds it, without the paths of this machine."""
    fields = dataclasses.asdict(recipe) | {"data": "data"}
    kept = {name: value for name, value in fields.items() if name not in _PATHS}
    models = {
        name: Path(kept[name]).name
        for name in ("start", "head_from", "narrow_from", "widen_from", "teacher", "recogniser")
        if kept.get(name)
    }
    return {"kind": type(recipe).__name__, **kept, **models}


def sources_of(recipe: Recipe) -> dict[str, list[str]]:
    """The names of the files and folders that `to_json` leaves out, by field."""
    fields = {name: getattr(recipe, name) for name in ("data", *_PATHS) if hasattr(recipe, name)}
    return {
        name: [Path(path).name for path in ((value,) if isinstance(value, str | Path) else value or ())]
        for name, value in fields.items()
    }


def from_json(content: dict[str, Any]) -> Recipe:
    """What `to_json` wrote.

    Raises:
        ValueError: The kind or a field is unknown.
    """
    kinds = {kind.__name__: kind for kind in (CharacterRecipe, LineRecipe, DetectionRecipe, GenerationRecipe)}
    # JSON knows no tuples.
    fields: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in content.items()
        if name != "kind"
    }
    try:
        recipe = kinds[content["kind"]](**fields)
    except (KeyError, TypeError) as error:
        raise ValueError(
            f"`content` must be a recipe of one of {sorted(kinds)}. Received: {content}."
        ) from error
    return dataclasses.replace(recipe, data=Path(recipe.data))
