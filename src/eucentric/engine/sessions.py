"""Sessions: made, found, and what they are doing."""

import time

from sqlalchemy import Connection, insert, select

from eucentric.engine.commands import Command, Extend, send_command
from eucentric.engine.workflow import Workflow
from eucentric.store import Bell, Database, Site
from eucentric.store.tables import session as sessions


class NoSuchSession(LookupError):
    """The site has no session of this name."""


class SessionExists(ValueError):
    """The site has a session of this name already."""


def create_session(site: Site, connection: Connection, name: str, workflow: Workflow, author: str) -> int:
    """Make a session with its folder, whose engine will begin with `workflow`; return its number.

    Raises:
        SessionExists: The name is taken.
        ValueError: The name cannot be the name of a folder.
    """
    folder = site.session_folder(name)
    taken = connection.execute(select(sessions.c.id).where(sessions.c.name == name)).first()
    if taken is not None:
        raise SessionExists(f"The session {name} exists already; choose another name, or continue it.")
    for part in ("data", "runs", "state", "work", "logs"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    number: int = connection.execute(
        insert(sessions).values(name=name, created=time.time()).returning(sessions.c.id)
    ).scalar_one()
    send_command(connection, number, Extend(runs=workflow.runs), author)
    return number


def session_id_of(connection: Connection, name: str) -> int:
    """Return the number of a session. Raises NoSuchSession, which names those there are."""
    found = connection.execute(select(sessions.c.id).where(sessions.c.name == name)).scalar_one_or_none()
    if found is None:
        names = connection.execute(select(sessions.c.name).order_by(sessions.c.name)).scalars().all()
        there = f"there are {', '.join(names)}" if names else "there is none yet"
        raise NoSuchSession(f"This site has no session {name}; {there}.")
    return int(found)


def tell(database: Database, bell: Bell, session: str, command: Command, author: str) -> int:
    """Send a command to a session's engine, ring for it, and return the command's number.

    An engine that runs carries it out at once, another at its next start.

    Raises:
        NoSuchSession: There is no such session.
    """
    with database.write() as connection:
        number = send_command(connection, session_id_of(connection, session), command, author)
    bell.ring(f"commands:{session}")
    return number
