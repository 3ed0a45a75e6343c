"""Labelled characters to measure a reader on."""

from collections.abc import Sequence
from pathlib import Path

from training import sources
from training.sources import Glyphs


def read(data: Path, characters: Sequence[str]) -> tuple[list[Glyphs], list[str]]:
    """Reads all labelled characters of a folder, one source for each writer.

    Args:
        data: A folder of training data with `hands/dev`, of which these validation writers are taken; a
            folder of hands, `*.npz`, or one such file; a folder of public handwriting, zip archives or
            `.gnt` files, as `training.datasets` reads it; or a folder of pictures for each character,
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
    if any(file.suffix.lower() in (".gnt", ".zip") for file in data.rglob("*")):
        from training import datasets  # Brings tensorflow-datasets, which the other data do not need.

        dropped = datasets.Dropped()
        return list(datasets.read_local(data, dropped)), dropped.unreadable
    known = set(characters)
    unknown = [
        label
        for label in sources.labels_of_folder(data)
        if label not in known and sources.class_of(label) is None
    ]
    if unknown:
        raise ValueError(
            f"{data}: holds {len(unknown)} characters that the model does not know: {''.join(unknown[:20])}. "
            "Remove them."
        )
    glyphs, skipped = sources.read_folder(data, characters)
    return [glyphs], skipped
