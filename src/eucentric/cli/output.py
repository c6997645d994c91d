"""Printing for people: results on stdout, progress on stderr."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console

WIDE = 200
"""Columns of what goes to a file or another program, where nothing should be cut."""


def console() -> Console:
    """Return the console for results: plain words, nothing coloured by guesswork."""
    found = Console(highlight=False, markup=False)
    if not found.is_terminal:
        found.width = WIDE
    return found


@contextmanager
def progress_bar(text: str) -> Iterator[Callable[[float], None]]:
    """Show a bar on stderr; what is given shows the fraction done, from 0 to 1."""
    from rich.progress import Progress

    with Progress(console=Console(stderr=True)) as bars:
        bar = bars.add_task(text, total=1.0)
        yield lambda fraction: bars.update(bar, completed=fraction)
