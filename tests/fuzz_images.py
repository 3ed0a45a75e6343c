"""Fuzzes `serving.images` under the guidance of coverage: `pip install atheris`, then from the repository

    python -m tests.fuzz_images FOLDER -max_total_time=240 -timeout=5 -rss_limit_mb=0 -malloc_limit_mb=1024

The folder starts with tests/corpus/images and with good and malformed files of every format;
what it gains can be minimised into tests/corpus/images (`-merge=1`), which tests/test_images.py replays.
An exception other than ImageError, a warning, pixels that are not uint8 RGB, five seconds or a gigabyte
count as a find. The limit is on single allocations, because atheris 3.0 keeps the result of every
comparison of numpy arrays that it watches, so that the process grows by about 17 KB an input.
"""

import shutil
import sys
import tempfile
import warnings
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["PIL", "serving"]):
    from serving import images

from tests import malformed


def check(data: bytes) -> None:
    """Raises if the bytes neither decode to pages nor are refused as they should be."""
    try:
        pages = images.decode(data)
    except images.ImageError as error:
        if "\n" in str(error):
            raise RuntimeError("The message must be one line.") from error
        if isinstance(error.__cause__, Warning):
            raise RuntimeError("Pillow must have no reason to warn.") from error
        return
    for page in pages:
        if page.dtype != "uint8" or page.ndim != 3 or page.shape[2] != 3:
            raise RuntimeError(f"A page must be uint8 RGB. Received: dtype={page.dtype}, shape={page.shape}.")


def main() -> None:
    """Fills the corpus folder, if one is named, and fuzzes."""
    warnings.simplefilter("error")
    folders = [Path(argument) for argument in sys.argv[1:] if not argument.startswith("-")]
    # The first corpus folder is the one that libFuzzer adds to.
    if folders and not (folders[0].exists() and any(folders[0].iterdir())):
        folders[0].mkdir(parents=True, exist_ok=True)
        for path in (Path(__file__).parent / "corpus" / "images").iterdir():
            shutil.copy(path, folders[0])
        with tempfile.TemporaryDirectory() as made:
            cases = malformed.write_odd(Path(made)) + malformed.write_malformed(Path(made))
            for path, _ in cases:
                if path.is_file() and path.stat().st_size < 20_000:
                    shutil.copy(path, folders[0])
    atheris.Setup(sys.argv, check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
