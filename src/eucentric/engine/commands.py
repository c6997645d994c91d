"""What people ask of a session's engine: typed commands, written to the database by anyone who may.

The engine carries them out in order, each in the transaction that marks it handled, at once when it runs and
otherwise at its next start.
"""

import time
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from sqlalchemy import Connection, insert, select, update

from eucentric.engine.workflow import RunName, RunSpec
from eucentric.store.tables import command


class _Command(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Stop(_Command):
    """End the engine; what runs is interrupted and done again when the session is continued."""

    kind: Literal["stop"] = "stop"


class Close(_Command):
    """Let a source look for nothing new; what is there is worked on to the end."""

    kind: Literal["close"] = "close"
    run: RunName


class Reopen(_Command):
    """Let a closed source look again, or any source look at everything once more."""

    kind: Literal["reopen"] = "reopen"
    run: RunName


class Extend(_Command):
    """Add runs to the workflow; they catch up with all past items."""

    kind: Literal["extend"] = "extend"
    runs: dict[RunName, RunSpec]


class Revise(_Command):
    """Do a run again with these parameters (None: the same ones), and then all that depends on it."""

    kind: Literal["revise"] = "revise"
    run: RunName
    params: dict[str, Any] | None = None


Path = Annotated[list[str], Field(min_length=1, description="Acquisition, then the parts of the key.")]


class Retry(_Command):
    """Try failed tasks of a run again: those of `paths`, or all."""

    kind: Literal["retry"] = "retry"
    run: RunName
    paths: list[Path] | None = None


class Withdraw(_Command):
    """Take what a run made under these paths out of the stream, with all that descends from it."""

    kind: Literal["withdraw"] = "withdraw"
    run: RunName
    paths: list[Path]
    reason: str = Field(min_length=1)


class Restore(_Command):
    """Put back what was withdrawn."""

    kind: Literal["restore"] = "restore"
    run: RunName
    paths: list[Path]


Command = Annotated[
    Stop | Close | Reopen | Extend | Revise | Retry | Withdraw | Restore, Field(discriminator="kind")
]
_adapter: TypeAdapter[Command] = TypeAdapter(Command)


def send_command(connection: Connection, session_id: int, sent: Command, author: str) -> int:
    """Write a command for a session's engine and return its number. Ring the bell after the commit."""
    values = {
        "session_id": session_id,
        "kind": sent.kind,
        "arguments": sent.model_dump(mode="json", exclude={"kind"}),
        "author": author,
        "created": time.time(),
    }
    number: int = connection.execute(insert(command).values(values).returning(command.c.id)).scalar_one()
    return number


def open_commands(connection: Connection, session_id: int) -> list[tuple[int, Command | None]]:
    """Return the commands that were not handled yet, in order; None for one that cannot be understood."""
    query = (
        select(command)
        .where(command.c.session_id == session_id, command.c.handled.is_(None))
        .order_by(command.c.id)
    )
    return [(row.id, _understood({"kind": row.kind, **row.arguments})) for row in connection.execute(query)]


def _understood(record: dict[str, Any]) -> Command | None:
    try:
        return _adapter.validate_python(record)
    except ValidationError:
        return None


def mark_handled(connection: Connection, number: int, error: str | None = None) -> None:
    """Write that a command was carried out, or why it was refused."""
    connection.execute(update(command).where(command.c.id == number).values(handled=time.time(), error=error))
