"""A polite end while waiting: SIGTERM unwinds, as Ctrl-C does.

Belongs here: that one signal, for the time of a wait. Stays out: what has to be put right on the
way out (pace.py).
"""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def unwinding_on_sigterm() -> Iterator[None]:
    """Meanwhile a SIGTERM that would end the process on the spot raises `SystemExit` (143).

    Who handles SIGTERM already, as Dagster does in its runs, is left to it. Only the main thread
    can do this; a wait in another one dies with the process, and its reserved call is lost.
    """
    if (
        threading.current_thread() is not threading.main_thread()
        or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
    ):
        yield
        return
    signal.signal(signal.SIGTERM, _end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _end(number: int, frame: FrameType | None) -> None:
    sys.exit(128 + number)
