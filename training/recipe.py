"""What a training run is: plain data, looked up by name."""

import dataclasses
import difflib
from pathlib import Path
from typing import Any


@dataclasses.dataclass(frozen=True)
class CharacterRecipe:
    """Trains a classifier of single characters on hands and fonts.

    Attributes:
        model: Name in `zoo.names()`.
        sizes: What its builder takes besides `classes`.
        data: Folder with `hands/train/*.npz` and `hands/dev/*.npz`, one writer a file.
        fonts: Font files; a folder stands for one font that is cut into slices.
        epochs: Number of epochs; a checkpoint is written after each.
        steps: Batches of an epoch.
        batch_size: Pictures of a batch.
        learning_rate: The highest one, reached after the warm-up, then a half cosine to zero.
        warmup: Share of the run in which the rate rises from zero.
        weight_decay: Of AdamW, on kernels only.
        clip_norm: Largest norm of the gradient of all weights.
        real_weight: How often a sample of a real hand is drawn for one of a font.
        blank_share: Share of empty cells.
        seed: Of weights, order and distortions.
    """

    model: str
    sizes: dict[str, Any] = dataclasses.field(default_factory=dict)
    data: Path = Path("data")
    fonts: tuple[Path, ...] = ()
    epochs: int = 16
    steps: int = 500
    batch_size: int = 128
    learning_rate: float = 3e-3
    warmup: float = 0.04
    weight_decay: float = 0.02
    clip_norm: float = 5.0
    real_weight: float = 3.0
    blank_share: float = 0.03
    seed: int = 0


def names() -> list[str]:
    """The names of all recipes."""
    from training.recipes import classification

    return list(classification.RECIPES)


def find(name: str) -> CharacterRecipe:
    """The recipe of this name.

    Raises:
        ValueError: There is none.
    """
    from training.recipes import classification

    if name not in classification.RECIPES:
        close = difflib.get_close_matches(name, names(), 1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise ValueError(f"No recipe named {name!r}.{hint} There are: {', '.join(names())}.")
    return classification.RECIPES[name]
