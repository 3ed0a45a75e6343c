"""Finds manuscript paper (稿紙): the sheet, its grid and every cell, in scans and photographs.

The printed lines of a sheet form two pencils of parallel lines. Their vanishing points, found from
line segments, undo rotation and perspective; a displacement field, found by aligning strips, undoes
the curl of the paper; the profiles of the straightened page then show every line as a peak. A gap
between two lines is a row or column of cells if the lines across it run through it, and a gutter if
they do not.
"""

import dataclasses
import itertools
import math
from typing import Literal

import cv2
import numpy as np

from zoo import geometry

_WORK = 1400  # Longer side of the page while lines are looked for: a pale line stays a pixel wide.
_SLANT = 0.26  # Lines up to 15 degrees off the page's own direction belong to its pencils.

Direction = Literal["vertical", "horizontal"]

INK = 128
"""What is darker than this on a page that `flatten` made is ink."""


@dataclasses.dataclass(frozen=True)
class Grid:
    """The cells of a sheet.

    Attributes:
        rows: Number of rows.
        columns: Number of columns.
        cells: float32 (rows, columns, 4, 2), the corners of each cell in pixels of the image,
            clockwise from the top left; from the sheet's top left.
        direction: How the sheet is meant to be written, as its gutters show; None without gutters.
        score: Share of the cells' borders that are seen as lines, 0 to 1.
    """

    rows: int
    columns: int
    cells: np.ndarray
    direction: Direction | None
    score: float

    def turned(self, quarters: int, width: int, height: int) -> "Grid":
        """The grid of the same picture turned anticlockwise, as `numpy.rot90` does it.

        Args:
            quarters: 0 to 3, of a full turn.
            width: Of the picture before, in pixels.
            height: Of the picture before, in pixels.
        """
        # The right column becomes the top row, and the top right corner of each cell the top left one.
        moved = geometry.turned(np.rot90(self.cells, quarters), quarters, width, height)
        cells = np.roll(moved, -quarters, axis=2)
        rows, columns = cells.shape[:2]
        direction = self.direction
        if direction and quarters % 2:
            direction = "horizontal" if direction == "vertical" else "vertical"
        return Grid(rows, columns, cells, direction, self.score)


def flatten(image: np.ndarray) -> np.ndarray:
    """Divides the light out of a page.

    Args:
        image: uint8 (H, W) or (H, W, 3) RGB.

    Returns:
        uint8 (H, W): paper about 255, ink dark, the contrast stretched so that the darkest strokes
        of the page come near to 0.
    """
    grey = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    flat = _divide_light(grey)
    # The mean of what is clearly ink, not the darkest pixel, which may be a speck.
    dark = flat[flat < 200]
    ink = float(np.percentile(dark, 10)) if dark.size > flat.size // 2000 else 128.0
    gain = 215 / (255 - min(max(ink, 40.0), 160.0))
    stretched = cv2.convertScaleAbs(255 - np.clip((250.0 - np.arange(256)) * gain, 0, 255))
    return cv2.LUT(flat, stretched)


def ink_box(flat: np.ndarray) -> tuple[int, int, int, int] | None:
    """Where the ink of a page is.

    Args:
        flat: uint8 (H, W), paper white.

    Returns:
        Left, top, width and height of the upright box around the ink in pixels; None where there is none. Specks,
        which have less than 1/500 of the ink of the largest stroke, do not count.
    """
    count, _, figures, _ = cv2.connectedComponentsWithStats((flat < INK).astype(np.uint8), connectivity=8)
    if count == 1:
        return None
    areas = figures[1:, cv2.CC_STAT_AREA]
    left, top, width, height = figures[1:][areas >= areas.max() / 500].T[:4]
    x, y = left.min(), top.min()
    return int(x), int(y), int((left + width).max() - x), int((top + height).max() - y)


def _divide_light(grey: np.ndarray) -> np.ndarray:
    """The page as if evenly lit, uint8; the paper lies at about 250."""
    height, width = grey.shape
    step = max(1, round(max(height, width) / 500))
    small = cv2.resize(grey, (max(1, width // step), max(1, height // step)), interpolation=cv2.INTER_AREA)
    paper = cv2.morphologyEx(small, cv2.MORPH_CLOSE, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (13, 13)))
    paper = cv2.GaussianBlur(paper, (0, 0), 2)
    paper = np.maximum(cv2.resize(paper, (width, height), interpolation=cv2.INTER_LINEAR), 1)
    return cv2.divide(grey, paper, scale=250)


def _without_table(flat: np.ndarray) -> np.ndarray:
    """Blanks the surface that the sheet lies on, where its grain shows it: uint8 to uint8 (H, W).

    Most of a written page is bare paper, so the median of a neighbourhood is the grain of the paper;
    on wood or cloth the median is dark. The sheet is the convex hull of what is smooth.
    """
    sparse = np.ascontiguousarray(flat[::3, ::3])
    grain = 250 - np.minimum(cv2.medianBlur(sparse, 15), 250)
    limit = max(6.0, cv2.threshold(grain, 0, 255, cv2.THRESH_OTSU)[0])
    smooth = (grain <= limit).astype(np.uint8)
    count, labels, statistics, _ = cv2.connectedComponentsWithStats(smooth, connectivity=4)
    if count < 2:
        return flat
    area = statistics[:, cv2.CC_STAT_AREA].copy()
    area[0] = 0
    parts = np.isin(labels, np.flatnonzero(area > 0.1 * area.max()))
    # The first and the last pixel of each row have the hull of all.
    rows = np.flatnonzero(parts.any(1))
    first, last = parts.argmax(1)[rows], parts.shape[1] - 1 - parts[:, ::-1].argmax(1)[rows]
    hull = cv2.convexHull(np.stack([np.concatenate([first, last]), np.tile(rows, 2)], 1).astype(np.int32))
    sheet = cv2.fillConvexPoly(np.zeros_like(smooth), hull, 1)
    outside = cv2.resize(sheet, flat.shape[::-1], interpolation=cv2.INTER_NEAREST) == 0
    blanked = flat.copy()
    blanked[outside] = 250
    return blanked


def find(image: np.ndarray) -> Grid | None:
    """Finds the grid of a sheet of manuscript paper.

    Args:
        image: uint8 (H, W) or (H, W, 3) RGB, upright or turned by at most 20 degrees.

    Returns:
        The grid, or None where no manuscript paper is seen.
    """
    if min(image.shape[:2]) < 60:
        return None
    scale = min(1.0, _WORK / max(image.shape[:2]))
    work = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else image
    if work.ndim == 3:
        # Coloured lines are darkest in one channel, whichever colour they have.
        red, green, blue = cv2.split(work)
        work = cv2.min(cv2.min(red, green), blue)
    flat = _without_table(_divide_light(work))
    pose = _pose(flat)
    if pose is None:
        return None
    straight = _Straightened(flat, *pose)
    for _ in range(2):
        straight.uncurl()
    found = _lines_of_grid(straight.darkness)
    if found is None:
        return None
    tops, bottoms, lefts, rights, score = found
    direction = _written(tops, bottoms, lefts, rights)
    x = np.stack([lefts, rights, rights, lefts], -1)[None].repeat(len(tops), 0)
    y = np.stack([tops, tops, bottoms, bottoms], -1)[:, None].repeat(len(lefts), 1)
    corners = straight.to_page(np.stack([x, y], -1).reshape(-1, 4, 2).astype(np.float32))
    cells = ((corners + 0.5) / scale - 0.5).reshape(len(tops), len(lefts), 4, 2).astype(np.float32)
    return Grid(len(tops), len(lefts), cells, direction, score)


def _pose(flat: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """The homography (3, 3) from a straight page to this one, both with the origin in the middle.

    Returns:
        The homography, and the line segments of the straight page, (N, 2, 2); None without lines.
    """
    # At half the size printed lines are still found, in a third of the time.
    segments = cv2.createLineSegmentDetector(cv2.LSD_REFINE_NONE, 0.5).detect(flat)[0]
    if segments is None or len(segments) < 8:
        return None
    height, width = flat.shape
    segments = segments.reshape(-1, 2, 2) - np.array([width / 2, height / 2], np.float32)
    delta = segments[:, 1] - segments[:, 0]
    length = np.hypot(delta[:, 0], delta[:, 1])
    long = length > max(height, width) / 60
    if long.sum() < 8:
        return None
    middle, delta, length = segments[long].mean(1), delta[long], length[long]
    angle = np.arctan2(delta[:, 1], delta[:, 0])
    turn = _dominant_turn(angle, length)
    # Angles against the page's own horizontal, -90 ... 90 degrees.
    relative = (angle - turn + np.pi / 2) % np.pi - np.pi / 2
    flat_lying = np.abs(relative) < _SLANT
    upright = np.abs(np.abs(relative) - np.pi / 2) < _SLANT
    # In coordinates that are turned with the page, both pencils are nearly along the axes.
    rotation = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    middle, delta = middle @ rotation.T, delta @ rotation.T
    horizontal = _pencil(middle[flat_lying], delta[flat_lying], length[flat_lying])
    vertical = _pencil(middle[upright][:, ::-1], delta[upright][:, ::-1], length[upright])
    pose = np.eye(3)
    pose[:, 0] = 1, horizontal[0], horizontal[1]
    pose[:, 1] = vertical[0], 1, vertical[1]
    back = np.eye(3)
    back[:2, :2] = rotation.T
    pose = back @ pose
    ends = segments[long].reshape(1, -1, 2).astype(np.float64)
    return pose, cv2.perspectiveTransform(ends, np.linalg.inv(pose)).reshape(-1, 2, 2)


def _dominant_turn(angle: np.ndarray, length: np.ndarray) -> float:
    """The angle, within 45 degrees of the axes, at which most line length lies, crossing lines included."""
    folded = (angle + np.pi / 4) % (np.pi / 2) - np.pi / 4
    bins = 180
    index = ((folded + np.pi / 4) / (np.pi / 2) * bins).astype(int) % bins
    # Squares, so that a few printed lines outweigh many strokes.
    counts = np.bincount(index, length**2, minlength=bins)
    ring = np.concatenate([counts[-4:], counts, counts[:4]])
    smooth = np.convolve(ring, np.hanning(9), mode="valid")
    return float((np.argmax(smooth) + 0.5) / bins * np.pi / 2 - np.pi / 4)


def _pencil(middle: np.ndarray, delta: np.ndarray, length: np.ndarray) -> tuple[float, float]:
    """Fits the slopes of nearly horizontal segments by a vanishing point (1, a, b): slope = a + b (slope x - y)."""
    if len(length) < 4:
        return 0.0, 0.0
    slope = delta[:, 1] / delta[:, 0]
    base = np.stack([np.ones_like(slope), slope * middle[:, 0] - middle[:, 1]], 1)
    size = np.abs(middle).max() + 1
    base[:, 1] /= size
    weight = length.copy()
    a = b = 0.0
    centre = float(np.median(np.repeat(slope, np.maximum(1, length // 10).astype(int))))
    residual = np.abs(slope - centre)
    for tolerance in (0.12, 0.1, 0.07, 0.05, 0.04, 0.03, 0.03):
        weight = length / (1 + (residual / tolerance) ** 4)
        # A slight pull towards parallel lines decides where nothing else does.
        ridge = np.diag([0.0, 1e-3 * weight.sum()])
        normal = base.T @ (base * weight[:, None]) + ridge
        a, b = np.linalg.solve(normal + 1e-9 * np.eye(2), base.T @ (slope * weight))
        residual = np.abs(base @ np.array([a, b]) - slope)
    limit = 0.6
    return float(a), float(np.clip(b, -limit, limit) / size)


_COARSE = 8  # Pixels between the places at which the smooth displacements are kept.


class _Straightened:
    """A page without its rotation, perspective and curl, and the way back.

    Attributes:
        darkness: float32 (H, W), how much darker than the paper each pixel is.
    """

    def __init__(self, flat: np.ndarray, pose: np.ndarray, segments: np.ndarray) -> None:
        height, width = flat.shape
        centre = np.array([[1, 0, width / 2], [0, 1, height / 2], [0, 0, 1.0]])
        corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float64)
        placed = cv2.perspectiveTransform(corners[None], np.linalg.inv(centre @ pose))[0]
        low = np.maximum(placed.min(0), -0.9 * max(height, width))
        high = np.minimum(placed.max(0), 0.9 * max(height, width))
        size = np.maximum(np.ceil((high - low) / _COARSE), 2).astype(int)
        shift = np.array([[1, 0, low[0]], [0, 1, low[1]], [0, 0, 1.0]])
        self._to_page = centre @ pose @ shift
        self._source = 250.0 - np.minimum(flat, 250).astype(np.float32)
        segments = segments - low
        self._x, self._y = np.meshgrid(
            *(((np.arange(n) + 0.5) * _COARSE - 0.5).astype(np.float32) for n in size)
        )
        self._dy = _curl(segments, size)
        self._dx = _curl(segments[:, :, ::-1], size[::-1]).T
        self.darkness = self._resample()

    def _resample(self) -> np.ndarray:
        points = np.stack([self._x + self._dx, self._y + self._dy], -1)
        places = cv2.perspectiveTransform(points, self._to_page)
        places = cv2.resize(places, None, fx=_COARSE, fy=_COARSE, interpolation=cv2.INTER_LINEAR)
        # The stubs of OpenCV do not know that the second map may be missing.
        return cv2.remap(self._source, places, None, cv2.INTER_LINEAR)  # type: ignore[call-overload]

    def _displacement(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """dx and dy at places of the straightened page, all float32 of one shape."""
        x, y = (((places + 0.5) / _COARSE - 0.5).astype(np.float32) for places in (x, y))
        field = cv2.merge([self._dx, self._dy])
        moved = cv2.remap(field, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return moved[..., 0], moved[..., 1]

    def uncurl(self) -> None:
        """Bends the page until its lines are straight."""
        height, width = self.darkness.shape
        narrow = cv2.resize(self.darkness, (-(-width // _SQUEEZE), height), interpolation=cv2.INTER_AREA)
        low = cv2.resize(self.darkness, (width, -(-height // _SQUEEZE)), interpolation=cv2.INTER_AREA)
        dy = _bend(narrow, self._dy.shape)
        dx = _bend(np.ascontiguousarray(low.T), self._dx.T.shape).T
        # The fields compose: what is now at (x, y) was at (x + dx, y + dy) before.
        before_x, before_y = self._displacement(self._x + dx, self._y + dy)
        self._dx, self._dy = dx + before_x, dy + before_y
        self.darkness = self._resample()

    def to_page(self, points: np.ndarray) -> np.ndarray:
        """Moves points, float32 (n, m, 2), from the straightened page to the given one; OpenCV takes up to 32,766 a side."""
        moved = points + np.stack(self._displacement(points[..., 0], points[..., 1]), -1)
        return cv2.perspectiveTransform(moved.astype(np.float64), self._to_page)


def _curl(segments: np.ndarray, size: np.ndarray) -> np.ndarray:
    """The smooth displacement dy, float32 (height, width), whose slope is that of the horizontal segments.

    Args:
        segments: (N, 2, 2), x and y of both ends.
        size: Width and height of the field, which has a value every `_COARSE` pixels.
    """
    width, height = (int(n) * _COARSE for n in size)
    delta = segments[:, 1] - segments[:, 0]
    chosen = np.abs(delta[:, 1]) < 0.2 * np.abs(delta[:, 0])
    middle, delta = segments[chosen].mean(1), delta[chosen]
    field_x, field_y = (((np.arange(n) + 0.5) / n * 2 - 1) for n in size)
    if len(middle) < 40:
        return np.zeros((size[1], size[0]), np.float32)
    x, y = (2 * middle / np.array([width, height]) - 1).T
    slope, length = delta[:, 1] / delta[:, 0], np.hypot(delta[:, 0], delta[:, 1])
    terms = [(i, j) for i in range(1, 5) for j in range(3)]
    # The slope of x^i y^j, in pixels of height for pixels of width.
    base = np.stack([i * x ** (i - 1) * y**j * 2 / width for i, j in terms], 1)
    coefficients = np.zeros(len(terms))
    for tolerance in (0.06, 0.045, 0.03, 0.02, 0.015, 0.012):
        residual = np.abs(base @ coefficients - slope)
        weight = length / (1 + (residual / tolerance) ** 4)
        ridge = (
            2e-2
            * (2 / width) ** 2
            * weight.sum()
            * np.diag([float((i - 1) ** 2 + j) for i, j in terms])
            * 0.1
        )
        normal = base.T @ (base * weight[:, None]) + ridge + 1e-12 * np.eye(len(terms))
        coefficients = np.linalg.solve(normal, base.T @ (slope * weight))
    inside_x = np.clip(field_x, x.min(), x.max())
    inside_y = np.clip(field_y, y.min(), y.max())[:, None]
    field = sum(c * inside_x**i * inside_y**j for c, (i, j) in zip(coefficients, terms, strict=True))
    return np.asarray(field, np.float32)


_RUN = 15  # Pixels along a line over which it is smoothed.
_SQUEEZE = 4  # Pixels along a line that become one where only its bends are looked for.
_PALE = 12.0  # A line this much darker than its surroundings is seen well, before its contrast is known.


def _ridge(run: np.ndarray) -> np.ndarray:
    """The contrast of each pixel of a page that is smoothed along its lines, against what is above and below."""
    reach = 3
    ridge = np.zeros_like(run)
    if len(run) > 2 * reach:
        above, middle, below = run[: -2 * reach], run[reach:-reach], run[2 * reach :]
        beside = cv2.max(cv2.min(above, below), cv2.addWeighted(above, 0.5, below, 0.5, -1))
        cv2.subtract(middle, beside, dst=ridge[reach:-reach])
    # A line may be a pixel off its place here and there.
    return cv2.dilate(ridge, np.ones((3, 1), np.uint8))


def _bend(narrow: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The displacement dy, float32 of the given (height, width), that straightens the horizontal lines of a page.

    Args:
        narrow: Its darkness, float32 (H, W / `_SQUEEZE`).
        shape: Of the displacement.
    """
    height = len(narrow)
    strips = max(2, narrow.shape[1] * _SQUEEZE // 32)
    bands = max(1, min(6, height // 200))
    ridge = _ridge(cv2.blur(narrow, (_RUN // _SQUEEZE, 1)))
    # Ink counts no more than a line that is seen well. Each strip takes half of its neighbours in, so that ink weighs
    # less.
    halves = cv2.resize(np.clip(ridge / _PALE, 0, 1), (2 * strips, height), interpolation=cv2.INTER_AREA)
    profiles = np.ascontiguousarray(cv2.blur(halves, (4, 1), anchor=(1, 0))[:, ::2].T)
    profiles = cv2.GaussianBlur(profiles, (0, 0), sigmaX=1.2, sigmaY=0.01)
    middle = np.linspace(0, height, bands + 1)
    shifts = np.zeros((bands, strips), np.float32)
    for band in range(bands):
        top = int(max(0, middle[band] - height / bands / 2))
        bottom = int(min(height, middle[band + 1] + height / bands / 2))
        shifts[band] = _align(profiles[:, top:bottom])
    shifts -= np.median(shifts)
    shifts = cv2.GaussianBlur(shifts, (0, 0), sigmaX=1.5, sigmaY=0.6, borderType=cv2.BORDER_REPLICATE)
    return cv2.resize(shifts, shape[::-1], interpolation=cv2.INTER_LINEAR)


def _align(profiles: np.ndarray) -> np.ndarray:
    """The shift of each strip against the others: profiles (strips, height) -> (strips,)."""
    strips, height = profiles.shape
    reach = 4
    shifts = np.zeros(strips, np.float32)
    energy = (profiles**2).sum(1)
    start = int(np.argmax(np.convolve(energy, np.ones(5), mode="same")))
    for step in (1, -1):
        template = profiles[start].copy()
        slope = 0.0
        previous = 0.0
        for strip in range(start + step, strips if step > 0 else -1, step):
            guess = previous + slope
            guessed = _from(profiles[strip], guess - reach, height + 2 * reach)
            scores = np.correlate(guessed, template, mode="valid")
            best = int(scores.argmax())
            likeness = scores[best] / (float(energy[strip] * (template @ template)) ** 0.5 + 1e-6)
            if likeness > 0.45 and 0 < best < 2 * reach:
                left, peak, right = scores[best - 1 : best + 2].tolist()
                curve = left - 2 * peak + right
                offset = 0.5 * (left - right) / curve if curve < 0 else 0.0
                shift = guess + best - reach + offset
                template = 0.7 * template + 0.3 * _from(profiles[strip], shift, height)
                slope = 0.6 * slope + 0.4 * (shift - previous)
            else:
                shift = guess
                slope *= 0.8
            shifts[strip] = previous = shift
    return shifts


def _from(profile: np.ndarray, place: float, count: int) -> np.ndarray:
    """`count` values of a profile, a pixel apart, from a place between its pixels on; 0 beyond its ends."""
    whole = math.floor(place)
    share = place - whole
    values = np.zeros(count + 1, np.float32)
    low, high = max(0, -whole), min(count + 1, len(profile) - whole)
    if low < high:
        values[low:high] = profile[whole + low : whole + high]
    return (1 - share) * values[:-1] + share * values[1:]


def _lines_of_grid(
    darkness: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, float] | None:
    """Tops and bottoms of the rows, lefts and rights of the columns, and the score."""
    ridge_across = _ridge(cv2.blur(darkness, (_RUN, 1)))
    ridge_upright = _ridge(np.ascontiguousarray(cv2.blur(darkness, (1, _RUN)).T)).T
    height, width = darkness.shape
    rows, columns = slice(0, height), slice(0, width)
    contrast_across = contrast_upright = _PALE
    for _ in range(3):
        across = np.clip(ridge_across / contrast_across, 0, 1)
        upright = np.clip(ridge_upright / contrast_upright, 0, 1)
        ys = _peaks(across[:, columns].mean(1), rows)
        xs = _peaks(upright[rows].mean(0), columns)
        if len(ys) < 3 or len(xs) < 3:
            return None
        columns, rows = _extent(across[ys].mean(0)), _extent(upright[:, xs].mean(1))
        contrast_across = max(_PALE / 3, 0.8 * float(np.median(ridge_across[ys][:, columns])))
        contrast_upright = max(_PALE / 3, 0.8 * float(np.median(ridge_upright[rows][:, xs])))
    ys = _without_middles(ys, across[:, columns].mean(1))
    xs = _without_middles(xs, upright[rows].mean(0))
    columns_found = _cells_between(xs, across[ys])
    rows_found = _cells_between(ys, upright[:, xs].T)
    if columns_found is None or rows_found is None:
        return None
    lefts, rights = columns_found
    tops, bottoms = rows_found
    cell_width, cell_height = float(np.median(rights - lefts)), float(np.median(bottoms - tops))
    if not 0.6 < cell_width / cell_height < 1 / 0.6 or min(cell_width, cell_height) < 8:
        return None
    if not (_is_regular(lefts, rights) and _is_regular(tops, bottoms)):
        return None
    tops, bottoms = _extended(tops, bottoms, across[:, columns].mean(1), upright[:, xs].mean(1))
    rows = slice(int(tops[0]), int(bottoms[-1]) + 1)
    lefts, rights = _extended(lefts, rights, upright[rows].mean(0), across[ys].mean(0))
    inside = slice(int(lefts[0]), int(rights[-1]) + 1), slice(int(tops[0]), int(bottoms[-1]) + 1)
    seen_across = float(np.mean([across[round(y), inside[0]].mean() for y in (*tops, *bottoms)]))
    seen_upright = float(np.mean([upright[inside[1], round(x)].mean() for x in (*lefts, *rights)]))
    score = (seen_across + seen_upright) / 2
    # Ruled paper has all of one direction, and strokes pass for a part of the other. Real sheets
    # score 0.77 and more, writing on plain paper less than 0.68.
    if min(seen_across, seen_upright) < 0.5 or score < 0.68:
        return None
    return tops, bottoms, lefts, rights, score


def _peaks(profile: np.ndarray, extent: slice) -> np.ndarray:
    """Places of the lines in a profile, within an extent that is widened a little."""
    smooth = cv2.GaussianBlur(profile.astype(np.float32).reshape(1, -1), (0, 0), 1.0).ravel()
    widest = cv2.dilate(smooth.reshape(1, -1), np.ones((1, 5), np.uint8)).ravel()
    place = np.flatnonzero((smooth == widest) & (smooth > 0.05))
    margin = 24
    place = place[(place >= extent.start - margin) & (place < extent.stop + margin)]
    if len(place) < 3:
        return place
    strong = float(np.mean(np.sort(smooth[place])[-5:]))
    # Frames run through, inner lines are broken by gutters: the reference is the usual strong line.
    usual = float(np.median(smooth[place][smooth[place] > 0.7 * strong]))
    ground = float(np.median(smooth))
    return place[smooth[place] > ground + 0.68 * (usual - ground)]


def _without_middles(places: np.ndarray, profile: np.ndarray) -> np.ndarray:
    """Leaves out every other line if it is fainter than its neighbours: the dashed middle of the cells."""
    if len(places) < 5:
        return places
    strength = profile[places]
    ratio = strength[1:-1] / np.maximum((strength[:-2] + strength[2:]) / 2, 1e-6)
    for first in (0, 1):
        odd = ratio[first::2]
        if len(odd) > 1 and np.median(odd) < 0.9 and np.mean(odd < 0.97) > 0.75:
            return np.delete(places, np.arange(first + 1, len(places) - 1, 2))
    return places


def _extent(profile: np.ndarray) -> slice:
    """Where the lines run: from the first to the last place at which many of them are seen."""
    smooth = cv2.blur(profile.astype(np.float32).reshape(1, -1), (61, 1)).ravel()
    seen = np.flatnonzero(smooth > 0.5 * np.percentile(smooth, 90))
    return slice(int(seen[0]), int(seen[-1]) + 1)


def _cells_between(places: np.ndarray, crossing: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """The gaps between lines that hold cells.

    Args:
        places: Where the lines are, ascending.
        crossing: (lines across, length), how much of each line across is seen along this axis.

    Returns:
        Starts and ends of the cells, or None where no regular cells stand.
    """
    seen = []
    for start, end in itertools.pairwise(places):
        trim = max(2, (end - start) // 6)
        part = crossing[:, start + trim : max(end - trim, start + trim + 1)]
        seen.append(float(np.median(part.mean(1))))
    seen_array, size = np.array(seen), np.diff(places).astype(np.float64)
    run_through = seen_array > 0.5 * np.percentile(seen_array, 80)
    if not run_through.any():
        return None
    typical = _weighted_median(size[run_through], size[run_through])
    candidates = run_through & (size > 0.6 * typical)
    typical = float(np.median(size[candidates & (size < 1.5 * typical)]))
    index = np.flatnonzero(candidates)
    between = [places[b] - places[a + 1] for a, b in itertools.pairwise(index)]
    gutter = float(np.median(between)) if between else 0.0
    starts: list[float] = []
    ends: list[float] = []
    for start, end in zip(places[index].astype(float), places[index + 1].astype(float), strict=True):
        # Lines between two cells may have been missed.
        count = max(1, round((end - start + gutter) / (typical + gutter)))
        pitch = (end - start + gutter) / count
        starts += [start + pitch * part for part in range(count)]
        ends += [start + pitch * (part + 1) - gutter for part in range(count)]
    if len(starts) < 2:
        return None
    return np.array(starts), np.array(ends)


def _extended(
    starts: np.ndarray, ends: np.ndarray, profile: np.ndarray, crossing: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Adds the cells beyond the first and the last one that fainter or curled lines still bound.

    Args:
        starts: Where the cells start, ascending.
        ends: Where they end.
        profile: (length,), how much of a line is seen at each place.
        crossing: (length,), how many of the lines across run through each place.
    """
    for _ in range(2):
        # The same from the other side, mirrored.
        starts, ends = (len(profile) - 1 - ends)[::-1], (len(profile) - 1 - starts)[::-1]
        profile, crossing = profile[::-1], crossing[::-1]
        inside = [crossing[int(a) + 3 : int(b) - 2].mean() for a, b in zip(starts, ends, strict=True)]
        lines = [profile[max(0, int(b) - 2) : int(b) + 3].max() for b in ends]
        ground = float(np.median(profile[int(starts[0]) : int(ends[-1])]))
        for _ in range(len(starts)):
            size = float(np.median((ends - starts)[-4:]))
            gutter = float(np.median((starts[1:] - ends[:-1])[-4:]))
            start = _peak_near(profile, ends[-1] + gutter, 0.12 * size) if gutter > 0.05 * size else ends[-1]
            end = _peak_near(profile, start + size, 0.15 * size)
            if end + 1 >= len(profile):
                break
            line = min(profile[int(start)], profile[int(end)])
            seen = crossing[int(start) + 3 : int(end) - 2].mean()
            if seen < 0.7 * np.median(inside) or line - ground < 0.3 * (np.median(lines) - ground):
                break
            starts, ends = np.append(starts, start), np.append(ends, end)
    return starts, ends


def _peak_near(profile: np.ndarray, place: float, reach: float) -> float:
    """The place of the largest value within `reach` of `place`."""
    low = int(np.clip(round(place - reach), 0, len(profile) - 1))
    high = int(np.clip(round(place + reach), low, len(profile) - 1))
    return float(low + np.argmax(profile[low : high + 1]))


def _is_regular(starts: np.ndarray, ends: np.ndarray) -> bool:
    """Whether at least three cells follow each other at even distances, as print does and strokes do not."""
    if len(starts) < 3:
        return False
    size = ends - starts
    return float(np.median(np.abs(np.diff(size)))) < 0.07 * float(np.median(size))


def _weighted_median(values: np.ndarray, weights: np.ndarray) -> float:
    order = np.argsort(values)
    total = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(total, total[-1] / 2)])


def _written(
    tops: np.ndarray, bottoms: np.ndarray, lefts: np.ndarray, rights: np.ndarray
) -> Direction | None:
    """How the gutters say that a sheet is written."""
    between_columns = float(np.median(lefts[1:] - rights[:-1])) / float(np.median(rights - lefts))
    between_rows = float(np.median(tops[1:] - bottoms[:-1])) / float(np.median(bottoms - tops))
    gutter = 0.08
    if between_columns > gutter >= between_rows:
        return "vertical"
    if between_rows > gutter >= between_columns:
        return "horizontal"
    return None


def reading_order(grid: Grid, direction: Direction) -> list[tuple[int, int]]:
    """The (row, column) of each cell in reading order.

    Vertical text runs down the columns, the rightmost column first; horizontal text runs along the
    rows from the left.
    """
    if direction == "vertical":
        return [(row, column) for column in reversed(range(grid.columns)) for row in range(grid.rows)]
    return [(row, column) for row in range(grid.rows) for column in range(grid.columns)]


def guess_direction(grid: Grid, filled: np.ndarray) -> Direction:
    """Judges from the written cells how a sheet without gutters is written.

    Writing fills a line cell after cell and leaves its end blank, so writing and blanks alternate
    less often along the lines than across them; and lines start at the sheet's edge, at the top for
    vertical writing and at the left for horizontal writing.

    Args:
        grid: The sheet.
        filled: bool (rows, columns), which cells hold writing.
    """
    across = int(np.sum(filled[:, 1:] != filled[:, :-1]))
    down = int(np.sum(filled[1:] != filled[:-1]))
    if across != down:
        return "horizontal" if across < down else "vertical"
    # A full sheet tells nothing; sheets without gutters are mostly written from the left.
    return "horizontal"
