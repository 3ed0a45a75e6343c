"""A picture of one character: where its ink is, and how it is shown to the network."""

from typing import NamedTuple

import cv2
import numpy as np

from zoo.manuscript import INK, ink_box

_WORK = 640  # Longer side while the ink is looked for; the network sees 64 pixels.
_CLOSER = _WORK // 8  # Ink that is smaller while it is looked for is looked at more closely.
_AROUND = 4  # Times the ink is then seen with what is around it.
_SURROUNDED = 0.6  # Share of the edge that is ink: .95 with a frame or table, up to .45 with a character.
_REST = 0.08  # Of the picture's longer side, at least, is what a frame surrounds.
# Strokes beside all ink: a character has .015 and more, rules and pages of text .006 and less, edges of a scan .011.
_THIN = 0.012
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
    ink = _ink(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY))
    if ink is None:
        return None, np.empty((0, size, size), np.uint8)
    flat, (left, top, width, height) = ink.flat, ink.box
    fitted = flat[top : top + height, left : left + width]
    shown = [_fit(fitted, size, _FILL)]
    whole = min(flat.shape)
    if max(width, height) < _SMALL * whole:
        x = int(np.clip(left + (width - whole) // 2, 0, flat.shape[1] - whole))
        y = int(np.clip(top + (height - whole) // 2, 0, flat.shape[0] - whole))
        shown += [_resize(flat[y : y + whole, x : x + whole], size, size), _fit(fitted, size, _MARK)]
    right, bottom = left + width, top + height
    corners = np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float32)
    return corners * ink.stretch + ink.corner, np.stack(shown)


def is_character(image: np.ndarray) -> bool:
    """Whether the ink of a picture may be one character.

    Rules, squares, many small characters and the table around a sheet are none: their strokes are thin beside
    all of them, or the picture's edge is dark.

    Args:
        image: uint8 (H, W, 3) RGB.
    """
    ink = _ink(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY))
    if ink is None:
        return False
    dark = (ink.flat < INK).astype(np.uint8)
    if _edge(dark).mean() > _SURROUNDED:
        return False
    contours, _ = cv2.findContours(dark, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    thickness = 2 * dark.sum() / max(sum(cv2.arcLength(contour, True) for contour in contours), 1.0)
    return bool(thickness > _THIN * max(ink.box[2:]))


class _Ink(NamedTuple):
    """The ink of a picture.

    Attributes:
        flat: The part of the picture where it is, evenly lit, uint8 (h, w).
        box: Left, top, width and height of the ink in pixels of `flat`.
        stretch: Pixels of the picture for one of `flat`, float32 (2,), across and down.
        corner: Where `flat` starts in the picture, float32 (2,).
    """

    flat: np.ndarray
    box: tuple[int, int, int, int]
    stretch: np.ndarray
    corner: np.ndarray


def _ink(grey: np.ndarray) -> _Ink | None:
    """Finds the ink of a picture, uint8 (H, W), None where there is none; small ink of a large one is seen closer."""
    scale = min(1.0, _WORK / max(grey.shape))
    flat = _inside(_even_light(_shrink(grey, scale)))
    box = ink_box(flat)
    if box is None or (flat < INK).mean() > _MOST:
        return None
    # Rounding the shrunken picture's sides may have moved its far edges by a pixel.
    stretch = np.array([grey.shape[1] / flat.shape[1], grey.shape[0] / flat.shape[0]], np.float32)
    left, top, width, height = box
    if scale == 1.0 or max(width, height) >= _CLOSER:
        return _Ink(flat, box, stretch, np.zeros(2, np.float32))
    reach = _AROUND * max(width, height, _CLOSER // 2) / 2
    middle = np.array([left + width / 2, top + height / 2])
    x, y = np.maximum((middle - reach) * stretch, 0).astype(int)
    right, bottom = np.ceil((middle + reach) * stretch).astype(int)
    closer = _ink(grey[y:bottom, x:right])
    return None if closer is None else closer._replace(corner=closer.corner + np.array([x, y], np.float32))


def _inside(flat: np.ndarray) -> np.ndarray:
    """Blanks the frame around what is written, such as the lines of a cell: uint8 to uint8 (h, w)."""
    dark = (flat < INK).astype(np.uint8)
    if _edge(dark).mean() < _SURROUNDED:
        return flat
    _, labels = cv2.connectedComponents(dark, connectivity=8)
    frame = np.isin(labels, np.unique(_edge(labels))) & (dark > 0)
    soft = cv2.dilate(frame.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    inner = np.where(soft, np.uint8(255), flat)
    box = ink_box(inner)
    return flat if box is None or max(box[2:]) < _REST * max(flat.shape) else inner


def _edge(picture: np.ndarray) -> np.ndarray:
    """The outermost pixels of a picture, (h, w), in a row."""
    return np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]])


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
