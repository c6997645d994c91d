"""Printing for people, on stdout."""

from rich.console import Console

WIDE = 200
"""Columns of what goes to a file or another program, where nothing should be cut."""


def console() -> Console:
    """Return the console for results: plain words, nothing coloured by guesswork."""
    found = Console(highlight=False, markup=False)
    if not found.is_terminal:
        found.width = WIDE
    return found
