"""Labelled characters to measure a reader on."""

from collections.abc import Sequence
from pathlib import Path

from training import archives, sources
from training.sources import Glyphs


def read(data: Path, characters: Sequence[str]) -> tuple[list[Glyphs], list[str]]:
    """Reads all labelled characters of a folder, one source for each writer.

    Args:
        data: A folder of training data with `hands/dev`, of which these validation writers are taken; a
            folder of hands, `*.npz`, or one such file; public handwriting as `training.datasets` reads it, zip
            archives, `.gnt` files or pictures `CHARACTER_1.png`; or a folder of pictures for each character,
            `CHARACTER/*.png`.
        characters: The character of each class of the model.

    Returns:
        The characters, and a line for each picture that cannot be read, with the reason.

    Raises:
        ValueError: It holds none of these or several, or pictures of characters that the model does not know.
        OSError: A file cannot be read.
    """
    if not data.exists():
        raise ValueError(f"`data` must be a folder, or a file of handwriting. Received: {data}.")
    if data.suffix == ".npz" and data.is_file():
        return [sources.read_hand(data)], []
    files = [file for folder in (data / "hands" / "dev", data) for file in sorted(folder.glob("*.npz"))]
    folders = data.is_dir() and any(len(path.name) == 1 for path in data.iterdir() if path.is_dir())
    if files and folders:
        raise ValueError(
            f"{data}: holds folders of pictures and {files[0].name}. Keep each in a folder of its own."
        )
    if files:
        return sources.read_hands(files[0].parent), []
    kinds = {file.suffix.lower() for file in ([data] if data.is_file() else data.rglob("*"))}
    if not folders and not kinds & archives.KINDS:
        raise ValueError(
            f"{data}: must hold hands/dev/*.npz, *.npz, zip archives, .gnt files, or pictures (CHARACTER/1.png or "
            "CHARACTER_1.png)."
        )
    if not folders or kinds & {".gnt", ".zip"}:
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
