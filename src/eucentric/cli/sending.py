"""Asking a session's engine for something, and waiting for its answer where it lives."""

import asyncio
import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from eucentric.cli.errors import CommandFailed
from eucentric.cli.sites import opened, user

if TYPE_CHECKING:
    from eucentric.engine.commands import Command
    from eucentric.store import Database, Site

SessionArgument = Annotated[str, typer.Argument(metavar="SESSION", help="The session.")]
RunArgument = Annotated[str, typer.Argument(metavar="RUN", help="The run within it.")]

WAIT = 20.0
"""Seconds to wait for a living engine."""


def send(folder: Path | None, session: str, command: "Command", what: str) -> None:
    """Send a command to a session's engine; tell what became of it.

    Args:
        folder: The site's folder, or None for the nearest.
        session: Name of the session.
        command: What is asked for.
        what: The same in words, a clause such as "run ctf is revised".

    Raises:
        NoSuchSession: There is none.
        CommandFailed: The engine refused it, or did not answer.
    """
    from eucentric.engine.sessions import tell
    from eucentric.store import Bell

    with opened(folder) as (site, database):
        with Bell(site, database) as bell:
            ticket = tell(database, bell, session, command, user())
        if not lives(database, session):
            typer.echo(f"Noted: {what} when the session {session} is continued.")
            return
        handled, refusal = asyncio.run(_answer(site, database, session, ticket))
    if not handled:
        raise CommandFailed(
            f"The engine of {session} has not answered for {WAIT:.0f} s; it will do it when it can:"
            f" see `eucentric status {session}`."
        )
    if refusal:
        raise CommandFailed(f"The engine refused: {refusal}")
    typer.echo(f"Done: {what}.")


def lives(database: "Database", session: str) -> bool:
    """Say whether an engine runs the session."""
    from sqlalchemy import select

    from eucentric.engine.overview import engine_of
    from eucentric.store import tables

    with database.read() as connection:
        row = connection.execute(select(tables.session).where(tables.session.c.name == session)).one()
    return engine_of(row)[0] == "running"


async def _answer(site: "Site", database: "Database", session: str, ticket: int) -> tuple[bool, str | None]:
    """Wait until the command is handled; return whether it was, and why it was refused."""
    from sqlalchemy import select

    from eucentric.store import Bell
    from eucentric.store.tables import command

    def read() -> tuple[bool, str | None]:
        with database.read() as connection:
            row = connection.execute(select(command).where(command.c.id == ticket)).one()
        return row.handled is not None, row.error

    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(WAIT), contextlib.aclosing(Bell(site, database).listen()) as rings:
            async for topic in rings:
                if topic in (None, f"changes:{session}") and (found := read())[0]:
                    return found
    return read()


def resolve(folder: Path | None, session: str, run: str, keys: list[str]) -> list[list[str]]:
    """Return the paths that keys such as `GroEL_0001` or `1024x1024/GroEL_0001` mean in a run.

    Raises:
        NoSuchSession: There is no such session.
        CommandFailed: A key is unknown there, or fits several.
    """
    from eucentric.engine.follower import paths_of_run
    from eucentric.engine.sessions import session_id_of

    with opened(folder) as (_, database), database.read() as connection:
        paths = paths_of_run(connection, session_id_of(connection, session), run)
    found = []
    for key in keys:
        parts = key.strip("/").split("/")
        fitting = [path for path in paths if list(path) == parts or list(path[1:]) == parts]
        if len(fitting) != 1:
            several = ", ".join("/".join(path) for path in fitting[:5])
            what = f"fits several ({several})" if several else "is not there"
            raise CommandFailed(
                f"{key} {what}; give a key as `eucentric status {session}` shows it, ACQUISITION/KEY."
            )
        found.append(list(fitting[0]))
    return found
