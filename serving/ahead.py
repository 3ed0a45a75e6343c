"""Work of two kinds at the same time.

OpenCV, numpy and LiteRT let other threads run while they compute.
"""

import functools
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

Result = TypeVar("Result")


def meanwhile(work: Callable[[], Result], threads: int = 2) -> Callable[[], Result]:
    """Begins work in a thread of its own.

    Args:
        work: Takes nothing.
        threads: With 1, the work is only done when its result is asked for.

    Returns:
        What waits for the end of the work and gives its result, or raises what it raised.
    """
    if threads == 1:
        return work
    results: list[Result] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()

    def result() -> Result:
        thread.join()
        if errors:
            raise errors[0]
        return results[0]

    return result


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
