"""Labelled characters to measure a reader on."""

from collections.abc import Sequence
from pathlib import Path

from training import sources
from training.sources import Glyphs
from zoo import charset


def read(data: Path, characters: Sequence[str]) -> tuple[list[Glyphs], list[str]]:
    """Reads all labelled characters of a folder, one source for each writer.

    Args:
        data: A folder of training data with `hands/dev`, of which these validation writers are taken; a
            folder of hands, `*.npz`, or one such file; or a folder of pictures for each character,
            `CHARACTER/*.png`.
        characters: The character of each class of the model.

    Returns:
        The characters, and a line for each picture that cannot be read, with the reason.

    Raises:
        ValueError: It holds none of these, or pictures of characters that the model does not know.
        OSError: A file cannot be read.
    """
    if data.is_file():
        return [sources.read_hand(data)], []
    for folder in (data / "hands" / "dev", data):
        if any(folder.glob("*.npz")):
            return sources.read_hands(folder), []
    known = set(characters)
    unknown = [
        label
        for label in sources.labels_of_folder(data)
        if label not in known and charset.normalise(label) not in known
    ]
    if unknown:
        raise ValueError(
            f"{data}: holds {len(unknown)} characters that the model does not know: {''.join(unknown[:20])}. "
            "Remove them."
        )
    glyphs, skipped = sources.read_folder(data, characters)
    return [glyphs], skipped
