"""Which run of a session comes after which."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Row


def streams_of(row: Row[Any]) -> list[str]:
    """Return the streams that feed a run, as RUN.OUTPUT."""
    wired = row.inputs.values()
    return [stream for streams in wired for stream in ([streams] if isinstance(streams, str) else streams)]


def downstream(runs: dict[str, Row[Any]]) -> Iterator[str]:
    """Yield the names of runs, each after those it takes its inputs from."""
    done: dict[str, None] = {}

    def visit(name: str) -> None:
        for stream in streams_of(runs[name]):
            above = stream.split(".")[0]
            if above not in done:
                visit(above)
        done.setdefault(name)

    for name in runs:
        visit(name)
    yield from done
