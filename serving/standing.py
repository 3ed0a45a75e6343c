"""Which bundled files figures stand on: RESULTS.md says where these have changed since."""

import hashlib
from collections.abc import Mapping, Sequence

from serving import context, finder, line_reader, ocr, runtime


def files() -> dict[str, str]:
    """The sha256, in hexadecimal, of each file that pages are read with, by the name of its preset."""
    models = (ocr.MODEL, finder.MODEL, line_reader.MODEL)
    paths = {name: runtime.PRESETS / name / "model.tflite" for name in models} | {"ngram": context.FILE}
    return {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in paths.items()}


def remark(noted: Mapping[str, str] | None, current: Mapping[str, str], names: Sequence[str]) -> str:
    """What people have to know of figures that may stand on other files than those of today.

    Args:
        noted: The sha256 of files by name when the figures were measured; None where they were not noted.
        current: Those of today.
        names: On which of them the figures stand.

    Returns:
        A sentence, or nothing where all are the same.
    """
    if noted is None:
        return f"It was not noted which {' and '.join(names)} measured this; it may have been an earlier one."
    changed = [name for name in names if noted.get(name) != current[name]]
    return f"Measured with an earlier {' and '.join(changed)}." if changed else ""
