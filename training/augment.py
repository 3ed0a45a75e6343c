"""Distorts characters as pens, paper and cameras do.

One call makes one training image. Geometry (affine, perspective and elastic distortion) is a
single `cv2.remap`, because each resampling costs sharpness and time.
"""

import dataclasses

import cv2
import numpy as np

from training.sources import EM


@dataclasses.dataclass(frozen=True)
class Distortion:
    """How far characters are distorted; each figure is the largest that is drawn.

    Attributes:
        margin: What a crop shows around its cell, as a share of the cell, as the reader cuts it.
        rotation: Degrees.
        shear: Shift of the top against the bottom, in shares of the height.
        scale: Smallest and largest size of the em square, in shares of the cell, mostly near the middle; small marks
            are smaller yet.
        shift: Shift of the character, in shares of the cell.
        proportion: How far some parts are widened at the cost of others, in shares of the em square.
        elastic: Local displacement in pixels of the em square.
        perspective: Displacement of the corners, in shares of the cell.
    """

    margin: float = 0.06
    rotation: float = 8.0
    shear: float = 0.2
    scale: tuple[float, float] = (0.68, 1.18)
    shift: float = 0.16
    proportion: float = 0.04
    elastic: float = 3.2
    perspective: float = 0.05

    def faded(self, share: float) -> "Distortion":
        """The same with this share of its turning and bending; size and place vary as before."""
        return dataclasses.replace(
            self,
            rotation=self.rotation * share,
            shear=self.shear * share,
            proportion=self.proportion * share,
            elastic=self.elastic * share,
            perspective=self.perspective * share,
        )


def cell_image(
    glyph: np.ndarray | None,
    neighbour: np.ndarray,
    rng: np.random.Generator,
    size: int = 64,
    distortion: Distortion = Distortion(),
) -> np.ndarray:
    """Makes the picture of one cell.

    Args:
        glyph: uint8 (96, 96), dark on white; None for a blank cell.
        neighbour: A glyph whose strokes may reach in from a neighbouring cell.
        rng: Where the randomness comes from.
        size: Side of the picture.
        distortion: How far to distort.

    Returns:
        uint8 (size, size), dark ink on light paper.
    """
    ink = np.zeros((size, size), np.float32)
    if glyph is not None:
        ink = _warp(_change_stroke_width(255 - glyph, rng), rng, size, distortion)
    if rng.random() < 0.25:
        ink = np.maximum(ink, _stray_strokes(255 - neighbour, rng, size))
    # Where every picture is faint and blurred, a small network learns little of how hands differ.
    worn = rng.random() < 0.5
    ink *= np.float32(rng.uniform(0.25 if worn else 0.5, 1.0))
    if rng.random() < 0.4:
        ink *= _smooth_noise(rng, size, 16, 0.45, 1.1)  # Pencil and dry pens skip.
    if rng.random() < 0.2:
        ink *= _graphite(rng, size)
    if rng.random() < 0.06:
        ink *= _smooth_noise(rng, size, size // 3, 0, 1) < rng.uniform(0.75, 0.9)  # Strokes that are broken.
    if rng.random() < 0.75:
        ink = np.maximum(ink, _grid_lines(rng, size, distortion.margin))
    return _photograph(ink, rng, size, worn)


def tooth(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """What of its graphite a pencil leaves where it catches on the tooth of the paper, float32 (height, width)."""
    grain = cv2.GaussianBlur(rng.random((height, width), np.float32), (0, 0), 0.8)
    return np.asarray(np.clip(0.72 + (grain - 0.5) * np.float32(rng.uniform(2, 4)), 0.15, 1))


def _graphite(rng: np.random.Generator, size: int) -> np.ndarray:
    """As `tooth`, of a cell of any number of pixels that is shown as `size` of them."""
    side = round(float(np.exp(rng.uniform(np.log(32), np.log(144)))))
    way = cv2.INTER_AREA if side > size else cv2.INTER_LINEAR
    return cv2.resize(tooth(rng, side, side), (size, size), interpolation=way)


def _change_stroke_width(ink: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    draw = rng.random()
    if draw < 0.25:
        side = int(rng.integers(2, 5))
        return cv2.dilate(ink, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)))
    if draw < 0.4:
        thinner = cv2.erode(ink, np.ones((2, 2), np.uint8))
        # Strokes that are one pixel wide would vanish: keep a trace of them.
        return cv2.addWeighted(thinner, 0.7, ink, 0.3, 0)
    return ink


def _warp(ink: np.ndarray, rng: np.random.Generator, size: int, distortion: Distortion) -> np.ndarray:
    """The ink after one resampling, float32 (size, size) in 0 ... 1."""
    cell = size / (1 + 2 * distortion.margin)
    smallest, largest = distortion.scale
    scale = smallest + (largest - smallest) * rng.triangular(0, 0.5, 1)
    centre = np.array([EM, EM]) / 2
    spread = distortion.shift / 2
    side, middle = extent(ink)
    if side > EM / 3 and rng.random() < 0.3:  # Fitted to the ink, as for a picture of one character.
        scale = 0.8 * size / cell * EM / side * rng.uniform(0.92, 1.08)
        centre = middle
    elif side <= EM / 3 and rng.random() < 0.7:
        # Vertical writing puts its stops at the upper right or in the middle of the cell; some hands make them tiny.
        scale *= rng.uniform(0.7 if is_ring(ink) else 0.5, 1.1)
        centre = middle + rng.uniform(-0.28, 0.28, 2) * EM
        spread = 0.0
    angle = np.deg2rad(rng.normal(0, distortion.rotation / 2.5))
    aspect = np.exp(rng.normal(0, 0.08))
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    shear = np.array([[1, rng.normal(0, distortion.shear / 2)], [rng.normal(0, distortion.shear / 4), 1]])
    forward = rotation @ shear @ np.diag([aspect, 1 / aspect]) * (scale * cell / EM)
    backward = np.linalg.inv(forward)
    shift = np.clip(rng.normal(0, spread, 2), -distortion.shift, distortion.shift) * cell
    steps = np.arange(size, dtype=np.float32) - np.float32(size / 2 - 0.5)
    x, y = steps[None] - np.float32(shift[0]), steps[:, None] - np.float32(shift[1])
    tilt = rng.normal(0, distortion.perspective / 2, 2) * 2 / size
    depth = (1 + np.float32(tilt[0]) * x + np.float32(tilt[1]) * y).astype(np.float32)
    map_x = (backward[0, 0] * x + backward[0, 1] * y) / depth + centre[0]
    map_y = (backward[1, 0] * x + backward[1, 1] * y) / depth + centre[1]
    map_x, map_y = (_widen_parts(axis, rng, distortion.proportion) for axis in (map_x, map_y))
    coarse = rng.normal(0, 1, (2, *rng.integers(3, 7, 2))).astype(np.float32)
    strength = rng.uniform(0, distortion.elastic)
    map_x = map_x + cv2.resize(coarse[0], (size, size), interpolation=cv2.INTER_CUBIC) * strength
    map_y = map_y + cv2.resize(coarse[1], (size, size), interpolation=cv2.INTER_CUBIC) * strength
    step = EM / (scale * cell)  # How many source pixels one target pixel covers.
    if step > 1.2:
        ink = cv2.GaussianBlur(ink, (0, 0), 0.4 * step)
    warped = cv2.remap(ink, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=0)
    warped = warped.astype(np.float32) / 255
    return np.minimum(warped * np.float32(rng.uniform(1.0, 1.6)), 1)


def extent(ink: np.ndarray) -> tuple[int, np.ndarray]:
    """The longer side of the ink of an em square in pixels, and x and y of its middle; those of the square without."""
    rows, columns = np.flatnonzero(ink.max(1) > 60), np.flatnonzero(ink.max(0) > 60)
    if not len(rows):
        return EM, np.array([EM, EM]) / 2
    middle = np.array([columns.min() + columns.max(), rows.min() + rows.max()]) / 2
    return int(max(np.ptp(rows), np.ptp(columns))) + 1, middle


def is_ring(ink: np.ndarray) -> bool:
    """Whether strokes enclose paper, as those of 。 do: much smaller, it would be a dot."""
    paper = (ink < 60).astype(np.uint8)
    return cv2.connectedComponents(paper, connectivity=4)[0] > 2  # The ink counts as one.


def _widen_parts(places: np.ndarray, rng: np.random.Generator, proportion: float) -> np.ndarray:
    """Source places along one axis, moved by a wave that never folds: float32 of the same shape."""
    length = rng.uniform(0.8, 1.6) * EM
    strength = np.clip(rng.normal(0, proportion / 2), -proportion, proportion) * EM
    turn = (places * (2 * np.pi / length) + rng.uniform(0, 2 * np.pi)).astype(np.float32)
    return places.astype(np.float32) + np.float32(strength) * np.sin(turn)


def _stray_strokes(ink: np.ndarray, rng: np.random.Generator, size: int) -> np.ndarray:
    """Strokes of a neighbouring character that reach over the edge of the crop."""
    small = cv2.resize(ink, (size - 8, size - 8), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    stray = np.zeros((size, size), np.float32)
    reach = int(rng.integers(3, 11))
    if rng.random() < 0.5:
        strip = small[-reach:] if rng.random() < 0.5 else small[:reach]
        target = stray[:reach, 4:-4] if rng.random() < 0.5 else stray[-reach:, 4:-4]
    else:
        strip = small[:, -reach:] if rng.random() < 0.5 else small[:, :reach]
        target = stray[4:-4, :reach] if rng.random() < 0.5 else stray[4:-4, -reach:]
    target[:] = strip
    return stray


def _grid_lines(rng: np.random.Generator, size: int, margin: float) -> np.ndarray:
    """What the printed lines of a sheet leave in the crop of a cell."""
    lines = np.zeros((size, size), np.float32)
    edge = margin / (1 + 2 * margin) * size
    darkness = float(rng.uniform(0.08, 0.75))
    tilt = float(rng.normal(0, 0.012)) * size
    for side in range(4):
        if rng.random() < 0.15:
            continue
        place = edge + float(rng.normal(0, 1.6))
        inward = 1 if rng.random() < 0.4 else -1  # Where the second line of a double one lies.
        for _ in range(2 if rng.random() < 0.15 else 1):
            near = place if side % 2 == 0 else size - 1 - place
            start, end = (0.0, near - tilt), (float(size), near + tilt)
            if side >= 2:
                start, end = (start[1], start[0]), (end[1], end[0])
            _draw_line(lines, start, end, darkness, int(rng.choice((1, 1, 1, 1, 2, 2, 4))))
            place += inward * float(rng.uniform(2, 5))
    if rng.random() < 0.1:
        middle, faint = size / 2 + float(rng.normal(0, 1)), darkness * 0.6
        for offset in range(0, size, 6):
            _draw_line(lines, (offset, middle), (offset + 3, middle), faint, 1)
            _draw_line(lines, (middle, offset), (middle, offset + 3), faint, 1)
    return lines


def _draw_line(
    picture: np.ndarray, start: tuple[float, float], end: tuple[float, float], darkness: float, width: int
) -> None:
    fixed = [(round(x * 16), round(y * 16)) for x, y in (start, end)]
    cv2.line(picture, fixed[0], fixed[1], darkness, width, cv2.LINE_AA, 4)


def _smooth_noise(rng: np.random.Generator, size: int, cells: int, low: float, high: float) -> np.ndarray:
    return cv2.resize(rng.uniform(low, high, (cells, cells)).astype(np.float32), (size, size))


def _photograph(ink: np.ndarray, rng: np.random.Generator, size: int, worn: bool) -> np.ndarray:
    """Ink on paper as a camera or a scanner brings it: uneven light, blur, noise, compression; `worn` is far worse."""
    if rng.random() < 0.35:
        side = int(size * np.exp(-rng.uniform(0, 1.05 if worn else 0.5)))
        ink = cv2.resize(cv2.resize(ink, (side, side), interpolation=cv2.INTER_AREA), (size, size))
    if rng.random() < 0.55:
        widest = 1.9 if worn else 0.9
        ink = cv2.GaussianBlur(
            ink, (0, 0), float(np.exp(rng.uniform(np.log(0.3), np.log(widest)))) * size / 64
        )
    if worn and rng.random() < 0.16:
        ink = _shaken(ink, rng)
    paper = float(rng.uniform(225, 256))
    picture = paper * (1 - ink)
    if rng.random() < 0.3:
        picture *= _smooth_noise(rng, size, 2, 0.88, 1.02)
    if rng.random() < 0.8:
        picture += _grain(rng, size) * np.float32(rng.uniform(0.5, 11))
    image = np.clip(picture, 0, 255).astype(np.uint8)
    if rng.random() < 0.15:
        quality = int(rng.integers(30, 90))
        _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
        return np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE), np.uint8)
    return image


def _grain(rng: np.random.Generator, size: int) -> np.ndarray:
    """Noise of standard deviation 1: of single pixels, or smooth, as that of a crop which was resampled."""
    grain = rng.standard_normal((size, size), np.float32)
    if rng.random() < 0.5:
        return grain
    smooth = cv2.GaussianBlur(grain, (0, 0), float(rng.uniform(0.5, 1.8)))
    return np.asarray(smooth / smooth.std(), np.float32)


def _shaken(ink: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Ink as a camera that moves sees it."""
    angle, length = rng.uniform(0, np.pi), rng.uniform(2, 5) * len(ink) / 64
    kernel = np.zeros((7, 7), np.float32)
    reach = length / 2 * np.array([np.cos(angle), np.sin(angle)])
    start, end = (tuple(np.round((3 + sign * reach) * 16).astype(int).tolist()) for sign in (-1, 1))
    cv2.line(kernel, start, end, 1.0, 1, cv2.LINE_AA, 4)
    return cv2.filter2D(ink, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REPLICATE)


def bent(glyph: np.ndarray, rng: np.random.Generator, size: int = EM, margin: float = 0.0) -> np.ndarray:
    """Another copy of a glyph, moved and bent but on clean paper.

    Args:
        glyph: uint8 (96, 96), dark on white.
        rng: Where the randomness comes from.
        size: Side of the copy.
        margin: What it shows around the em square, as a share of that.

    Returns:
        uint8 (size, size), dark on white.
    """
    ink = _warp(_change_stroke_width(255 - glyph, rng), rng, size, Distortion(margin=margin))
    return np.asarray(255 * (1 - ink), np.uint8)
