"""A call that nobody need wait for to its end.

Belongs here: a call in a thread that ends with the process. Stays out: how long who waits for it.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

_T = TypeVar("_T")


def begun(call: Callable[[], _T], name: str) -> "Future[_T]":
    """The call, under way in a thread of this name; an executor's would outlive the process."""
    future: Future[_T] = Future()

    def run() -> None:
        try:
            future.set_result(call())
        except BaseException as error:  # noqa: BLE001  who waits for the result raises it
            future.set_exception(error)

    threading.Thread(target=run, name=name, daemon=True).start()
    return future
