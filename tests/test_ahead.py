"""What comes next is made while the one before is used."""

import threading
from collections.abc import Iterator

import pytest

from serving.ahead import ahead, meanwhile


def test_the_items_come_in_their_order() -> None:
    assert list(ahead(range(5))) == [0, 1, 2, 3, 4]
    assert list(ahead([None, None])) == [None, None]
    assert list(ahead([])) == []


def test_the_next_one_is_made_while_one_is_used() -> None:
    made = [threading.Event() for _ in range(3)]

    def items() -> Iterator[int]:
        for number, event in enumerate(made):
            event.set()
            yield number

    coming = ahead(items())
    assert next(coming) == 0
    assert made[1].wait(10)  # Nobody has asked for it yet,
    assert not made[2].is_set()  # and no more than that.
    assert list(coming) == [1, 2]


def test_what_making_one_raises_comes_in_its_place() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise OSError("no second one")

    coming = ahead(items())
    assert next(coming) == 1
    with pytest.raises(OSError, match="no second one"):
        next(coming)


def test_work_begins_at_once_but_with_one_thread_when_it_is_asked_for() -> None:
    begun = threading.Event()
    result = meanwhile(lambda: begun.set() or 7)
    assert begun.wait(10)
    assert result() == 7
    begun.clear()
    result = meanwhile(lambda: begun.set() or 7, threads=1)
    assert not begun.is_set()
    assert result() == 7


def test_what_goes_wrong_in_the_other_thread_is_raised_where_its_result_is_asked_for() -> None:
    def work() -> None:
        raise OSError("no disk")

    with pytest.raises(OSError, match="no disk"):
        meanwhile(work)()
