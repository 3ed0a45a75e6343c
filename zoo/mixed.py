"""Cuts a page that is written in both directions into parts of one direction each.

Lines that are written across the others are grouped with their neighbours first, so that a block stays whole
wherever it stands: above the text, below it, beside it, or in a corner of it.

numpy only.
"""

from collections.abc import Iterator

import numpy as np

# In em.
_NEIGHBOUR = 2.0  # Lines of one block are less far apart.
_OVERLAP = 0.5  # What stands before something may overlap it by so much.


def parts(corners: np.ndarray, strange: np.ndarray, down: int, lean: float) -> list[np.ndarray]:
    """The parts of a page in reading order.

    Args:
        corners: Of its lines, in the frame of those that are not `strange`: along the writing and from line to
            line, float (n, 4, 2), in em.
        strange: Which lines are written across the others, bool (n,).
        down: The axis that runs down the page, 0 or 1.
        lean: Slope of the margins against the second axis, at most.

    Returns:
        The numbers of the lines of each part, int (k,) each; none holds lines of both directions.
    """
    page = _Page(corners, strange, down, lean)
    return page.parts(np.arange(len(corners)))


class _Page:
    """Arguments as of `parts`."""

    def __init__(self, corners: np.ndarray, strange: np.ndarray, down: int, lean: float) -> None:
        low, high = corners.min(1), corners.max(1)
        gaps = low[None] - high[:, None]
        near = (np.maximum(gaps, gaps.transpose(1, 0, 2)) < _NEIGHBOUR).all(2)
        self.strange = strange
        self.block = _connected(near & strange[:, None] & strange[None])
        self.down = down
        self.height = (low + high)[:, down] / 2
        across = (low + high)[:, 1] / 2
        # [one, other, axis]: whether one stands before the other one.
        self.before = gaps > -_OVERLAP
        self.before[:, :, 0] = gaps[:, :, 0] > -_OVERLAP - lean * np.abs(across[None] - across[:, None])

    def parts(self, members: np.ndarray) -> list[np.ndarray]:
        """The parts of some lines."""
        strange = self.strange[members]
        if strange.all() or not strange.any():
            return [members]
        first = next(self._cuts(members), None)
        if first is not None:
            return [*self.parts(members[first]), *self.parts(members[~first])]
        # Blocks that are set into the text.
        middle = np.median(self.height[members[~strange]])
        above = np.array([self.height[self.block == block].mean() < middle for block in self.block[members]])
        chosen = [members[strange & above], members[~strange], members[strange & ~above]]
        return [part for part in chosen if len(part)]

    def _cuts(self, members: np.ndarray) -> Iterator[np.ndarray]:
        """What is before each cut along the side of a block, bool (members,), the best first."""
        strange, blocks = self.strange[members], self.block[members]
        # The text is torn only where it must be.
        for torn in (False, True):
            for axis in (self.down, 1 - self.down):
                before = self.before[np.ix_(members, members)][:, :, axis]
                for block in np.unique(blocks[strange]):
                    own = blocks == block
                    for first in (before[:, own].all(1) & ~own, ~before[own].all(0) | own):
                        rest = ~first
                        if (
                            first.any()
                            and before[np.ix_(first, rest)].all()
                            and not np.isin(blocks[first], blocks[rest]).any()
                            and (torn or strange[first].all() or strange[rest].all())
                            and rest.any()
                        ):
                            yield first


def _connected(near: np.ndarray) -> np.ndarray:
    """Which lines are neighbours of neighbours: a number for each block, int (n,); symmetric `near`, bool (n, n)."""
    near = near | np.eye(len(near), dtype=bool)
    block = np.arange(len(near))
    while True:
        lower = np.where(near, block[None], len(near)).min(1)
        if (lower == block).all():
            return block
        block = lower
