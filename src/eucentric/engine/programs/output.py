"""What a program prints: taken in pieces, logged line by line, its last lines remembered."""

import logging
import re
from collections import deque
from collections.abc import Callable

MOST_LINES = 20_000
"""Lines of one program that go to the log; of what comes after, only the last ones are known."""
_LONGEST = 2_000
_LAST = 400
_ESCAPE = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|[\x00-\x08\x0b-\x1f\x7f]")
_BREAK = re.compile(rb"(\r?\n|\r)")


class Output:
    """Receives a program's output and gives it to a log.

    Attributes:
        last: The last lines that were not empty, without control characters.
    """

    def __init__(self, log: logging.Logger | None, watch: Callable[[str], None] | None = None) -> None:
        """Log lines to `log`.

        Args:
            log: None logs nothing.
            watch: Is told every line, and every state of a line that is written over.
        """
        self.last: deque[str] = deque(maxlen=_LAST)
        self._log = log
        self._watch = watch
        self._pending = b""
        self._lines = 0

    def feed(self, data: bytes) -> None:
        """Take the next piece of output."""
        *pieces, self._pending = _BREAK.split(self._pending + data)
        if pieces and pieces[-1] == b"\r" and not self._pending:
            self._pending = pieces.pop(-2) + pieces.pop()  # whether a new line follows is not known yet
        for line, end in zip(pieces[::2], pieces[1::2], strict=True):
            self._take(line, logged=end != b"\r")
        self._pending = self._pending[-100 * _LONGEST :]

    def close(self) -> None:
        """Take what came after the last end of a line."""
        pending, self._pending = self._pending.rstrip(b"\r"), b""
        self._take(pending, logged=True)

    def _take(self, line: bytes, *, logged: bool) -> None:
        text = _ESCAPE.sub("", line.decode(errors="replace")).rstrip()[:_LONGEST]
        if not text:
            return
        if self._watch is not None:
            self._watch(text)
        if not logged:
            return
        self.last.append(text)
        self._lines += 1
        if self._log is None:
            return
        if self._lines <= MOST_LINES:
            self._log.info("%s", text)
        elif self._lines == MOST_LINES + 1:
            self._log.warning("It has printed %d lines; what follows is not kept.", MOST_LINES)
