"""A picture of one character: where its ink is, and how it is shown to the network."""

import cv2
import numpy as np

from zoo.manuscript import INK, ink_box

_WORK = 640  # Longer side while the ink is looked for; the network sees 64 pixels.
_LIGHT = 96  # Longer side while the light is measured.
_STROKE = 0.4  # Strokes wider than this share of the picture's shorter side are taken for paper.
_FAINTEST = 36  # Darkness below that of paper, 255, from which on the darkest spots are ink.
_MOST = 0.85  # Share of the picture that is ink; a stroke that was cut out closely takes up less, a dark picture more.
_FILL = 0.8  # A single character fills this much of the crop, as in training.
_SMALL = 0.75  # Ink below this share of its picture may be a punctuation mark.
_MARK = 0.28  # A mark takes up about this much of its cell.


def views(image: np.ndarray, size: int) -> tuple[np.ndarray | None, np.ndarray]:
    """Finds the ink and shows it in the ways that a character may be meant.

    The first view fits the ink. Ink that does not fill its picture may also be a mark such as a full
    stop, which the network knows by its size and place: then the second view is the picture itself,
    or of an oblong picture the square around the ink, and the third shows the ink as small as a mark.

    Args:
        image: uint8 (H, W, 3) RGB.
        size: Side of a view in pixels.

    Returns:
        The upright box around the ink, float32 (4, 2) corners clockwise from the top left, None where
        there is no ink; and the views, uint8 (0, 1 or 3, size, size), dark ink on white.
    """
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    scale = min(1.0, _WORK / max(grey.shape))
    flat = _even_light(_shrink(grey, scale))
    box = ink_box(flat)
    if box is None or (flat < INK).mean() > _MOST:
        return None, np.empty((0, size, size), np.uint8)
    left, top, width, height = box
    ink = flat[top : top + height, left : left + width]
    shown = [_fit(ink, size, _FILL)]
    whole = min(flat.shape)
    if max(width, height) < _SMALL * whole:
        x = int(np.clip(left + (width - whole) // 2, 0, flat.shape[1] - whole))
        y = int(np.clip(top + (height - whole) // 2, 0, flat.shape[0] - whole))
        shown += [_resize(flat[y : y + whole, x : x + whole], size, size), _fit(ink, size, _MARK)]
    right, bottom = left + width, top + height
    corners = np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float32)
    # Rounding the shrunken picture's sides may have moved its far edges by a pixel.
    stretch = np.array([grey.shape[1] / flat.shape[1], grey.shape[0] / flat.shape[0]], np.float32)
    return corners * stretch, np.stack(shown)


def _even_light(grey: np.ndarray) -> np.ndarray:
    """Divides the light out: paper about 255, ink towards 0.

    `zoo.manuscript.flatten` does this for pages, whose strokes are thin; a character that fills its
    picture has strokes that it would take for paper.
    """
    small = _shrink(grey, min(1.0, _LIGHT / max(grey.shape)))
    reach = max(round(_STROKE * min(small.shape)), 3)
    paper = cv2.morphologyEx(
        small, cv2.MORPH_CLOSE, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach))
    )
    paper = cv2.GaussianBlur(paper, (0, 0), max(reach / 6, 1))
    paper = _resize(paper, grey.shape[1], grey.shape[0])
    flat = cv2.divide(grey, np.maximum(paper, 1), scale=255)
    darkness = 255 - np.percentile(cv2.blur(flat, (3, 3)), 0.3)
    # Faint pencil is brought to full darkness, the grain of blank paper is not.
    gain = 225 / darkness if darkness >= _FAINTEST else 1.0
    return cv2.convertScaleAbs(255 - np.clip((255.0 - flat) * gain, 0, 255))


def _fit(ink: np.ndarray, size: int, share: float) -> np.ndarray:
    """Puts ink in the middle of a white square, its longer side that share of the square's."""
    scale = share * size / max(ink.shape)
    height, width = (max(round(side * scale), 1) for side in ink.shape)
    square = np.full((size, size), 255, np.uint8)
    top, left = (size - height) // 2, (size - width) // 2
    square[top : top + height, left : left + width] = _resize(ink, width, height)
    return square


def _shrink(image: np.ndarray, scale: float) -> np.ndarray:
    height, width = (max(round(side * scale), 1) for side in image.shape)
    return _resize(image, width, height)


def _resize(image: np.ndarray, width: int, height: int) -> np.ndarray:
    shrinks = width < image.shape[1]
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
