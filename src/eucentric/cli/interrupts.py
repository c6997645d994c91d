"""Ctrl-C: the first ends in good order, the second at once."""

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator
from types import FrameType

INTERRUPTED = 130
"""The exit code that shells give to what Ctrl-C has ended."""


@contextlib.contextmanager
def on_interrupt(stop: Callable[[], None]) -> Iterator[None]:
    """Within the block call `stop` on the first Ctrl-C (or SIGTERM); another one ends the process at once."""
    asked = False

    def handle(_number: int, _frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            if sys.stderr.isatty():
                sys.stderr.write("\x1b[?25h\n")  # the cursor, which a live view hides
                sys.stderr.flush()
            os._exit(INTERRUPTED)
        asked = True
        stop()

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
