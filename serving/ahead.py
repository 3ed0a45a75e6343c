"""Work of two kinds at the same time: what comes next is made in another thread.

OpenCV, numpy and LiteRT let other threads run while they compute.
"""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")


def ahead(items: Iterable[Item]) -> Iterator[Item]:
    """The items, each made in another thread while the one before it is used.

    What making one raises is raised where it is asked for.
    """
    making = ([item] for item in items)  # In a list, for any item to be told from the end.
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, making, None)
        while (made := coming.result()) is not None:
            coming = pool.submit(next, making, None)
            yield made[0]
