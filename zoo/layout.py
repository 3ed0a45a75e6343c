"""Puts the lines or the characters of a page into reading order.

Everything is looked at in a frame of its own: one axis runs along the writing, the other from line to line, and
lengths are in em, the typical thickness of a line. Vertical writing turned into this frame is horizontal
writing, so that one set of rules serves both.

What stands in one row is joined to lines. Columns of lines that stand side by side are read one after another:
the page is cut along the blank between them, as far as lines on both sides leave it free. So a title above two
columns, which crosses that blank, is read before both. Blocks that are written across the others, `zoo.mixed` sets apart
first.

numpy only.

Reference:
    Nagy, Seth and Viswanathan 1992, cutting a page along its blanks, https://doi.org/10.1109/2.144436
"""

import dataclasses
import itertools
from collections.abc import Iterator

import numpy as np

from zoo import geometry, mixed
from zoo.manuscript import Direction

# In em.
_LEVEL = 0.55  # Pieces of a line are level to this,
_WIDEST = 1.6  # and at most so far apart.
_LEVELLER = 0.4  # Beyond one em apart they must be more level, by so much of that for each em.
_MARK = 0.8  # Commas are smaller,
_FAR = 0.8  # and stray further from the middle of their line.
_GUTTER = 0.8  # Columns are at least so far apart,
_COLUMN = 8.0  # and have lines that are so long: halves of the lines of a poem are shorter.
_SHORT = 4.0  # Page numbers are shorter.

_LONG = 2.0  # Lengths by thickness from which on a quadrilateral shows how it is written.
_LEAN = 0.12  # Slope of the margins of a photographed page against its lines, at most.
_EMPTY = 1.7  # Steps from line to line that leave a row empty.
_PARTED = 2.6  # Steps that leave more rows empty, with which columns end.
_NEAR = 3.5  # Steps to the rows that show a gutter.


@dataclasses.dataclass(frozen=True)
class Block:
    """Lines that belong together.

    Attributes:
        direction: How they are written.
        lines: In reading order, the numbers of the quadrilaterals of each, in the order of the text.
    """

    direction: Direction
    lines: list[list[int]]


def arrange(quads: np.ndarray) -> list[Block]:
    """Puts a page into reading order.

    Args:
        quads: Lines, pieces of lines or characters, in any order: corners clockwise from the top left of the
            text, float (n, 4, 2), in pixels. The page may be turned by up to about 20 degrees.

    Returns:
        The blocks in reading order; each quadrilateral is in one of their lines.

    Raises:
        ValueError: `quads` has another shape, or holds a value that is not finite.
    """
    quads = np.asarray(quads, np.float64)
    if quads.ndim != 3 or quads.shape[1:] != (4, 2) or not np.isfinite(quads).all():
        raise ValueError(f"`quads` must be finite, (n, 4, 2). Received: shape {quads.shape}.")
    if not len(quads):
        return []
    # The order in which they came must not matter, not even where two are alike.
    order = np.lexsort(quads.mean(1).T)
    quads = quads[order]
    direction = _direction(quads)
    other: Direction = "vertical" if direction == "horizontal" else "horizontal"
    strange = _written_across(quads, direction)
    if strange.any():
        corners = quads @ _axes(quads[~strange], direction)
        parts = mixed.parts(corners, strange, 1 if direction == "horizontal" else 0, _LEAN)
    else:
        parts = [np.arange(len(quads))]
    return [
        Block(block.direction, [order[line].tolist() for line in block.lines])
        for part in parts
        for block in _arranged(quads, part, other if strange[part[0]] else direction)
    ]


def _arranged(quads: np.ndarray, chosen: np.ndarray, direction: Direction) -> Iterator[Block]:
    """The blocks of some quadrilaterals, all of one direction."""
    pieces = _Lines.of(quads[chosen], direction)
    lines = _absorbed(_joined(pieces))
    along = pieces.start[:, 0] + pieces.end[:, 0]
    step = _step(lines)
    for part in _beyond(lines) if direction == "vertical" else [np.arange(len(lines))]:
        for region in _regions(lines, part, step):
            for block in _blocks(lines, region, step):
                members = [sorted(lines.members[line], key=along.__getitem__) for line in block]
                yield Block(direction, [chosen[line].tolist() for line in members])


@dataclasses.dataclass(frozen=True)
class _Lines:
    """Lines or pieces of them in the frame of the writing, in em.

    Attributes:
        start: Middle of the edge where each starts: along, across; float (n, 2).
        end: Middle of the edge where it ends, float (n, 2).
        thick: Float (n,).
        members: Numbers of the quadrilaterals of each.
    """

    start: np.ndarray
    end: np.ndarray
    thick: np.ndarray
    members: list[list[int]]

    @classmethod
    def of(cls, quads: np.ndarray, direction: Direction) -> "_Lines":
        """Each quadrilateral, (n, 4, 2), as a piece of its own."""
        start, end, thick = geometry.middles(quads, direction)
        axes = _axes(quads, direction)
        start, end = start @ axes, end @ axes
        end[:, 0] = np.maximum(start[:, 0], end[:, 0])
        return cls(start, end, thick * np.linalg.norm(axes[:, 0]), [[index] for index in range(len(quads))])

    def __len__(self) -> int:
        return len(self.thick)

    @property
    def length(self) -> np.ndarray:
        return self.end[:, 0] - self.start[:, 0]


def _axes(quads: np.ndarray, direction: Direction) -> np.ndarray:
    """What turns pixels into the frame of the writing, in em, float (2, 2): points @ axes."""
    start, end, thick = geometry.middles(quads, direction)
    way = end - start
    length = np.linalg.norm(way, axis=1)
    em = max(_median(thick, length), 1e-6)
    # Long lines tell best how the page is turned.
    forward = np.array([1.0, 0.0] if direction == "horizontal" else [0.0, 1.0])
    turns = np.arctan2(way @ [-forward[1], forward[0]], way @ forward)
    turn = _median(turns, length * (length / np.maximum(thick, 0.1 * em)))
    cosine, sine = np.cos(turn), np.sin(turn)
    along = np.array([[cosine, -sine], [sine, cosine]]) @ forward
    return np.stack([along, [-along[1], along[0]]], 1) / em


def _median(values: np.ndarray, weights: np.ndarray) -> float:
    """The weighted median."""
    order = np.argsort(values, kind="stable")
    total = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(total, total[-1] / 2)])


def _sides(quads: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean width and height of each quadrilateral, (n,) each."""
    sides = np.linalg.norm(np.roll(quads, -1, axis=1) - quads, axis=2)
    return (sides[:, 0] + sides[:, 2]) / 2, (sides[:, 1] + sides[:, 3]) / 2


def _direction(quads: np.ndarray) -> Direction:
    """How most of a page is written."""
    wide, high = _sides(quads)
    lying, standing = wide[wide > _LONG * high].sum(), high[high > _LONG * wide].sum()
    if max(lying, standing) > 0.5 * np.maximum(wide, high).sum():
        return "horizontal" if lying >= standing else "vertical"
    # Characters follow each other more closely, and more in line, than lines do.
    distance = {}
    for direction in ("horizontal", "vertical"):
        pieces = _Lines.of(quads, direction)
        first, _, gap, off = _near(pieces, 1.0)
        ahead = gap > -0.5
        to_next = np.full(len(pieces), 3.0)  # For those at the end of a line.
        np.minimum.at(to_next, first[ahead], np.maximum(gap[ahead], 0) + off[ahead])
        distance[direction] = float(np.median(to_next))
    return "horizontal" if distance["horizontal"] <= distance["vertical"] else "vertical"


def _written_across(quads: np.ndarray, direction: Direction) -> np.ndarray:
    """Which lines are written across the others, such as a heading above vertical text, bool (n,).

    What is short shows no direction, and goes with the nearest that is long.
    """
    wide, high = _sides(quads)
    em = _median(np.minimum(wide, high), np.maximum(wide, high))
    along, across = (wide, high) if direction == "horizontal" else (high, wide)
    strange = across > _LONG * np.maximum(along, em)
    usual = along > _LONG * np.maximum(across, em)
    if not strange.any() or not usual.any():
        return strange
    low, high = quads.min(1), quads.max(1)
    gaps = np.maximum(low[None] - high[:, None], 0)
    distance = np.linalg.norm(np.maximum(gaps, gaps.transpose(1, 0, 2)), axis=2)
    return strange | (~usual & (distance[:, strange].min(1) < distance[:, usual].min(1)))


def _near(lines: _Lines, level: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The pairs of lines of which one ends about as far across as the other one starts.

    Args:
        lines: All lines.
        level: How far they may be off.

    Returns:
        For each pair the first and the second line, int; from the end of the first to the start of the second one
        the gap along, and how far they are off across, float; (pairs,) each.
    """
    order = np.argsort(lines.start[:, 1], kind="stable")
    across = lines.start[order, 1]
    low = np.searchsorted(across, lines.end[:, 1] - level)
    counts = np.searchsorted(across, lines.end[:, 1] + level) - low
    first = np.repeat(np.arange(len(lines)), counts)
    second = order[np.arange(len(first)) - np.repeat(np.cumsum(counts) - counts - low, counts)]
    first, second = first[first != second], second[first != second]
    gap, off = (lines.start[second] - lines.end[first]).T
    return first, second, gap, np.abs(off)


def _following(pieces: _Lines, widest: float) -> np.ndarray:
    """The piece that follows each one in its line, -1 for none, int (n,); at most `widest` of its size apart."""
    count, length, thick = len(pieces), pieces.length, pieces.thick
    first, second, gap, off = _near(pieces, _LEVEL * max(1.0, float(thick.max())))
    size = np.maximum(1, np.maximum(thick[first], thick[second]))
    # Pieces may overlap a little.
    least = -0.5 * np.minimum(np.minimum(length[first], length[second]), size)
    level = _LEVEL * (size - _LEVELLER * np.maximum(gap - 1, 0))
    possible = (off < level) & (gap < widest * size) & (gap > least)
    first, second, cost = first[possible], second[possible], (np.abs(gap) + 2 * off)[possible]
    apart = _over_a_gutter(pieces, first, second)
    first, second, cost = first[~apart], second[~apart], cost[~apart]
    after, before = np.full(count, np.inf), np.full(count, np.inf)
    np.minimum.at(after, first, cost)
    np.minimum.at(before, second, cost)
    mutual = (cost <= after[first]) & (cost <= before[second])
    first, second = first[mutual], second[mutual]
    # Of two that are alike only one.
    single = np.unique(second, return_index=True)[1]
    following = np.full(count, -1)
    following[first[single]] = second[single]
    return following


def _over_a_gutter(pieces: _Lines, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Whether the blank between two pieces, numbers (pairs,), runs on as a gutter, bool (pairs,).

    Two rows near it or more have it between long pieces then, and fewer cross it.
    """
    apart = np.zeros(len(first), bool)
    low, high = pieces.end[first, 0], pieces.start[second, 0]
    wide = np.flatnonzero(high - low > _GUTTER)
    if not len(wide):
        return apart
    long = pieces.length > _COLUMN
    across = (pieces.start + pieces.end)[:, 1] / 2
    reach = _NEAR * _step(pieces)
    for pair in wide.tolist():
        moved = np.abs(across - (pieces.end[first[pair], 1] + pieces.start[second[pair], 1]) / 2)
        near = (moved > _LEVEL) & (moved < reach)
        before = pieces.end[:, 0] < high[pair] - _GUTTER + _LEAN * moved
        behind = pieces.start[:, 0] > low[pair] + _GUTTER - _LEAN * moved
        rows = min((near & long & before).sum(), (near & long & behind).sum())
        apart[pair] = rows > max(1, (near & ~before & ~behind).sum())
    return apart


def _joined(pieces: _Lines) -> _Lines:
    """Joins pieces of one line, the near ones first."""
    return _joined_up_to(_joined_up_to(pieces, _GUTTER), _WIDEST)


def _joined_up_to(pieces: _Lines, widest: float) -> _Lines:
    """Joins pieces of one line that are at most `widest` of their size apart."""
    while True:
        following = _following(pieces, widest)
        if (following < 0).all():
            return pieces
        first = np.setdiff1d(np.arange(len(pieces)), following)
        chains = []
        for piece in first.tolist():
            chain = [piece]
            while following[chain[-1]] >= 0:
                chain.append(int(following[chain[-1]]))
            chains.append(chain)
        pieces = _Lines(
            np.array([_corner(pieces, chain[:3], pieces.start) for chain in chains]),
            np.array([_corner(pieces, chain[:-4:-1], pieces.end) for chain in chains]),
            np.array([pieces.thick[chain].max() for chain in chains]),
            [
                list(itertools.chain.from_iterable(pieces.members[piece] for piece in chain))
                for chain in chains
            ],
        )


def _absorbed(lines: _Lines) -> _Lines:
    """Takes marks that no line holds, such as a comma far below the middle, into the line where they stand."""
    middle = (lines.start + lines.end) / 2
    share = (middle[:, None, 0] - lines.start[None, :, 0]) / np.maximum(lines.length[None], 1e-6)
    level = lines.start[None, :, 1] + share * (lines.end - lines.start)[None, :, 1]
    off = np.abs(middle[:, None, 1] - level)
    small = np.maximum(lines.length, lines.thick) < _MARK
    inside = (lines.start[:, None, 0] > lines.start[None, :, 0]) & (
        lines.start[:, None, 0] < lines.end[None, :, 0] + _MARK
    )
    off = np.where(small[:, None] & ~small[None] & inside, off, np.inf)
    host = off.argmin(1)
    kept = np.flatnonzero(off.min(1) >= _FAR)
    members = [list(line) for line in lines.members]
    for mark in np.flatnonzero(off.min(1) < _FAR).tolist():
        members[host[mark]] += members[mark]
    return _Lines(lines.start[kept], lines.end[kept], lines.thick[kept], [members[line] for line in kept])


def _corner(pieces: _Lines, chain: list[int], edges: np.ndarray) -> np.ndarray:
    """Where a line starts or ends: along as its outermost piece, across as the large ones of the first few."""
    weight = pieces.thick[chain] * pieces.length[chain] + 1e-3
    return np.array([edges[chain[0], 0], weight @ edges[chain, 1] / weight.sum()])


def _step(lines: _Lines) -> float:
    """How far apart neighbouring lines usually are."""
    if len(lines) < 2:
        return 1.5
    across = lines.start[:, 1]
    below = across[None] - across[:, None]
    over = (lines.start[None, :, 0] < lines.end[:, None, 0]) & (
        lines.start[:, None, 0] < lines.end[None, :, 0]
    )
    nearest = np.where(over & (below > 0.5), below, np.inf).min(1)
    nearest = nearest[np.isfinite(nearest)]
    return float(np.median(nearest)) if len(nearest) else 1.5


def _beyond(lines: _Lines) -> list[np.ndarray]:
    """What is written above vertical text, the text, and what is written below it, such as a page number."""
    short = lines.length < _SHORT
    if short.all() or not short.any():
        return [np.arange(len(lines))]
    starts, ends = lines.start[:, 0], lines.end[:, 0]
    lean = _LEAN * np.abs(lines.start[None, :, 1] - lines.start[:, None, 1])
    above = short & (ends[:, None] < starts[None] + lean)[:, ~short].all(1)
    below = short & (starts[:, None] > ends[None] - lean)[:, ~short].all(1)
    parts = [np.flatnonzero(part) for part in (above, ~above & ~below, below)]
    return [part for part in parts if len(part)]


def _regions(lines: _Lines, members: np.ndarray, step: float) -> Iterator[np.ndarray]:
    """Cuts a part of a page into columns; regions without columns, in reading order."""
    members = members[np.argsort(lines.start[members, 1], kind="stable")]
    cut = _columns(lines, members, step)
    if cut is None:
        yield members
        return
    for part in cut:
        if len(part):
            yield from _regions(lines, part, step)


def _columns(lines: _Lines, members: np.ndarray, step: float) -> list[np.ndarray] | None:
    """The longest run of lines that stand side by side: what is above it, its left and its right side, and what
    is below it; None where there is none.

    Args:
        lines: All lines.
        members: Those that are cut, from the first row on.
        step: From row to row.
    """
    start, end, across = lines.start[members, 0], lines.end[members, 0], lines.start[members, 1]
    gap = start[None] - end[:, None]
    beside = (gap > _GUTTER) & (np.abs(across[None] - across[:, None]) < _LEVEL * step)
    neighbour = np.where(beside, gap, np.inf).argmin(1)
    best, most, known = None, 1, set()
    for left in np.flatnonzero(beside.any(1)).tolist():
        right = int(neighbour[left])
        if (left, right) in known:
            continue
        lefts, rights = _run(start.tolist(), end.tolist(), across.tolist(), left, right, step)
        pairs = beside[np.ix_(lefts, rights)]
        known |= {(lefts[one], rights[other]) for one, other in np.argwhere(pairs).tolist()}
        rows = int(min(pairs.any(0).sum(), pairs.any(1).sum()))
        if rows > most:
            most = rows
            first, stop = min(lefts + rights), max(lefts + rights) + 1
            best = [members[:first], members[lefts], members[rights], members[stop:]]
    return best


def _run(
    start: list[float], end: list[float], across: list[float], left: int, right: int, step: float
) -> tuple[list[int], list[int]]:
    """How far the blank between two lines runs on: over an empty row too, where lines stand on both sides of the
    blank before it and after it.

    Args:
        start: Of all lines along the writing, from the first row on.
        end: Of all lines.
        across: Of all lines.
        left: The line on the left of the blank.
        right: The line on its right.
        step: From row to row.

    Returns:
        The lines on the left and those on the right of the blank; together they follow each other.
    """
    lefts: list[int] = []
    rights: list[int] = []
    seed = min(left, right)
    for places in (range(seed - 1, -1, -1), range(seed, len(across))):
        low, high, last = end[left], start[right], across[seed]
        for place in places:
            moved = abs(across[place] - last)
            low, high = low - _LEAN * moved, high + _LEAN * moved
            if moved > _EMPTY * step:
                rows = [
                    [other for other in range(len(across)) if abs(across[other] - row) < _LEVEL * step]
                    for row in (last, across[place])
                ]
                if moved > _PARTED * step or not all(_free(start, end, row, low, high) for row in rows):
                    break
            last = across[place]
            on_left = start[place] + end[place] < low + high
            low, high = (max(low, end[place]), high) if on_left else (low, min(high, start[place]))
            if high - low < _GUTTER:
                break
            (lefts if on_left else rights).append(place)
    return sorted(lefts), sorted(rights)


def _free(start: list[float], end: list[float], row: list[int], low: float, high: float) -> bool:
    """Whether the lines of a row stand on both sides of a blank and leave it free; from `low` to `high` along."""
    ends = [end[line] for line in row if start[line] + end[line] < low + high]
    starts = [start[line] for line in row if start[line] + end[line] >= low + high]
    return bool(ends and starts) and min(high, *starts) - max(low, *ends) >= _GUTTER


def _blocks(lines: _Lines, region: np.ndarray, step: float) -> Iterator[list[int]]:
    """Cuts a region at its empty rows; the lines of each block in order."""
    block: list[int] = []
    for line in region.tolist():
        if block and lines.start[line, 1] - lines.start[block[-1], 1] > _EMPTY * step:
            yield block
            block = []
        place = len(block)
        while place and _before_in_row(lines, line, block[place - 1]):
            place -= 1
        block.insert(place, line)
    yield block


def _before_in_row(lines: _Lines, line: int, other: int) -> bool:
    """Whether a line stands in the row of another one, on the left of it."""
    level = abs(lines.start[line, 1] - lines.start[other, 1]) < _LEVEL
    return bool(level and lines.end[line, 0] < lines.start[other, 0])
