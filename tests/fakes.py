"""Stand-ins for the networks, and pages that they can read.

A character is a filled square, and its ink says which one it is. So the tests of the reader need no
trained model, and know what it must answer.
"""

import hashlib
import json
import threading
from pathlib import Path
from typing import ClassVar

import cv2
import numpy as np

from zoo import charset, geometry

CELL = 60
"""Side of a cell in pixels."""

# Root of the share of the crop that is ink; the crop shows 12 % more than the cell.
SIDES = {"": 0.0, "甲": 0.18, "乙": 0.28, "丙": 0.38, ",": 0.48, "田": 0.625}


class Finder:
    """Finds the boxes that it was given, as a detector gives them: clockwise from the top left of the picture."""

    def __init__(self, quads: np.ndarray) -> None:
        self._quads = np.array([geometry.order_corners(quad) for quad in quads], np.float32).reshape(-1, 4, 2)

    def __call__(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        order = np.random.default_rng(0).permutation(len(self._quads))
        return self._quads[order], np.ones(len(order))

    def until(self, over: threading.Event) -> "Finder":
        return self


class FakeSession:
    """Answers like `serving.runtime.Session`, from the amount of ink."""

    path = Path("fake.tflite")
    inputs: ClassVar[dict[str, tuple[tuple[int, ...], type]]] = {"image": ((-1, 64, 64, 1), np.uint8)}

    def __init__(self, *_: object) -> None:
        self.batches: list[int] = []

    def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        crops = inputs["image"]
        if crops.shape[-1] == 3:  # A page, on which no lines are found.
            return {
                "probability": np.zeros((len(crops), crops.shape[1] // 2, crops.shape[2] // 2, 1), np.float32)
            }
        self.batches.append(len(crops))
        inner = crops[:, 6:-6, 6:-6, 0] < 128  # Without the lines of the sheet.
        sides = np.sqrt(inner.sum((1, 2))) / crops.shape[1]
        logits = np.full((len(crops), len(charset.CHARACTERS)), -100, np.float32)
        for character, side in SIDES.items():
            index = charset.encode(character)[0] if character else 0
            logits[:, index] = 50 - 300 * np.abs(sides - side)
        return {"logits": logits}


def preset(folder: Path) -> Path:
    """Writes the files of a preset whose model is no model; only `FakeSession` takes it."""
    return _written(
        folder,
        {"temperature": 1.5, "validation": {"writers": {"w06": {"samples": 100, "top1_int8": 0.9712}}}},
    )


def finder(folder: Path) -> Path:
    """The same of a model that finds lines."""
    recipe = {"kind": "DetectionRecipe", "size": [640, 640]}
    return _written(folder, {"recipe": recipe, "validation": {"pages": 4, "int8": {"h_mean": 0.97}}})


def _written(folder: Path, about: dict[str, object]) -> Path:
    content = b"a model"
    folder.mkdir(parents=True)
    (folder / "model.tflite").write_bytes(content)
    result = {
        **about,
        "files": {"model.tflite": {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}},
    }
    (folder / "result.json").write_text(json.dumps(result), encoding="utf-8")
    return folder


def write(image: np.ndarray, character: str, left: float, top: float, cell: float = CELL) -> None:
    """Writes one character in the middle of a cell."""
    side = round(SIDES[character] * cell * 1.12)
    x, y = round(left + (cell - side) / 2), round(top + (cell - side) / 2)
    image[y : y + side, x : x + side] = 0


def one_character(width: int, height: int, left: int, top: int, side: int = 60) -> np.ndarray:
    """Draws a single 田, uint8 (height, width, 3)."""
    image = np.full((height, width, 3), 255, np.uint8)
    stroke = round(side / 8)
    for start in (0, (side - stroke) // 2, side - stroke):
        image[top + start : top + start + stroke, left : left + side] = 0
        image[top : top + side, left + start : left + start + stroke] = 0
    return image


def sheet(rows: list[str], margin: int = 50) -> tuple[np.ndarray, np.ndarray]:
    """Draws manuscript paper; "_" is a blank cell.

    Returns:
        uint8 (H, W, 3), and the cells, float32 (rows, columns, 4, 2).
    """
    count, columns = len(rows), len(rows[0])
    height, width = count * CELL + 2 * margin, columns * CELL + 2 * margin
    image = np.full((height, width, 3), 255, np.uint8)
    cells = np.zeros((count, columns, 4, 2), np.float32)
    for row, text in enumerate(rows):
        for column, character in enumerate(text):
            left, top = margin + column * CELL, margin + row * CELL
            cells[row, column] = [
                [left, top],
                [left + CELL, top],
                [left + CELL, top + CELL],
                [left, top + CELL],
            ]
            cv2.rectangle(image, (left, top), (left + CELL, top + CELL), (120, 160, 120), 1)
            if character != "_":
                write(image, character, left, top)
    return image, cells
