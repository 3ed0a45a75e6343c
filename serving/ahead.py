"""Work of two kinds at the same time.

OpenCV, numpy and LiteRT let other threads run while they compute.
"""

import functools
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Result = TypeVar("Result")


def meanwhile(work: Callable[[], Result], threads: int = 2) -> Callable[[], Result]:
    """Begins work in another thread.

    Args:
        work: Takes nothing.
        threads: With 1, the work is only done when its result is asked for.

    Returns:
        What waits for the end of the work and gives its result, or raises what it raised.
    """
    if threads == 1:
        return work
    try:
        return _workers().submit(work).result
    except RuntimeError:  # The main thread has ended, and pools take nothing more.
        return work


def ahead(items: Iterable[Result]) -> Iterator[Result]:
    """The items, each made in another thread while the one before it is used.

    What making one raises is raised where it is asked for.
    """
    making = ([item] for item in items)  # In a list, for any item to be told from the end.
    make = functools.partial(next, making, None)
    coming = meanwhile(make)
    while (made := coming()) is not None:
        coming = meanwhile(make)
        yield made[0]


@functools.cache
def _workers() -> ThreadPoolExecutor:
    # Always the same one: what a thread has used of the memory stays its own.
    return ThreadPoolExecutor(1, "hanzoo")


if hasattr(os, "register_at_fork"):  # A process that is forked has no threads.
    os.register_at_fork(after_in_child=_workers.cache_clear)
