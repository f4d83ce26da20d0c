"""Gives up a call that takes too long, even if data keeps trickling in."""

from __future__ import annotations

from contextvars import copy_context
from threading import Thread
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

_Result = TypeVar("_Result")


class DeadlinePassed(BaseException):
    """Not an Exception: the libraries in between would treat it as one of theirs, and try again."""


def within(seconds: float, call: Callable[[], _Result]) -> _Result:
    """The result or the error of the call; DeadlinePassed if it takes longer than this many seconds.

    The call runs in a thread of its own, so that this works in every thread and needs no signal. A call that is given
    up goes on until its connection ends, and its result is dropped.
    """
    results: list[_Result] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(call())
        except BaseException as error:  # noqa: BLE001 (raised again where it is waited for)
            errors.append(error)

    thread = Thread(target=copy_context().run, args=(run,), daemon=True)
    thread.start()
    thread.join(seconds)
    if errors:
        raise errors[0]
    if not results:
        raise DeadlinePassed
    return results[0]
