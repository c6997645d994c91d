"""One engine per session: the lease on a session, with a fencing token that every write checks."""

import os
import socket
import time

import psutil
from sqlalchemy import Connection, bindparam, select, update

from eucentric.store import DatabaseUnavailable
from eucentric.store.tables import session as sessions

SECONDS = 20.0
"""How long a lease lasts without renewal; after that another machine may take the session over."""
MARGIN = 5.0
"""Seconds before its end from which on a lease is not relied upon."""

_RENEW = (
    update(sessions)
    .where(sessions.c.id == bindparam("of_session"), sessions.c.lease_token == bindparam("of_token"))
    .values(lease_expires=bindparam("new_expires"))
)


class SessionBusy(RuntimeError):
    """Another engine runs this session."""


class LeaseLost(RuntimeError):
    """Another engine has taken the session over; this one must stop without writing anything."""


def holder_name() -> str:
    """Return a name for this process that no other process on any machine has, now or later."""
    return f"{socket.gethostname()}:{os.getpid()}:{psutil.Process().create_time():.2f}"


def take_lease(connection: Connection, session_id: int) -> int:
    """Take the session for this process and return the new fencing token.

    Raises:
        SessionBusy: A living engine holds it. An engine of this machine that has died is noticed at once;
            one of another machine when its lease has run out.
    """
    query = select(sessions.c.name, sessions.c.lease_holder, sessions.c.lease_expires, sessions.c.lease_token)
    row = connection.execute(query.where(sessions.c.id == session_id).with_for_update()).one()
    now = time.time()
    if row.lease_holder and row.lease_expires > now and not has_died(row.lease_holder):
        host, pid, _ = row.lease_holder.split(":")
        raise SessionBusy(
            f"The session {row.name} is run by another engine (process {pid} on {host}); stop that one first"
            f" with `eucentric stop`, or wait {row.lease_expires - now:.0f} s if that machine is down."
        )
    token = int(row.lease_token) + 1
    connection.execute(
        update(sessions)
        .where(sessions.c.id == session_id)
        .values(
            lease_holder=holder_name(),
            lease_token=token,
            lease_expires=now + SECONDS,
            state="running",
            held=None,
        )
    )
    return token


def has_died(holder: str) -> bool:
    """Say whether `holder` was a process of this machine and is none any more."""
    host, pid, created = holder.split(":")
    if host != socket.gethostname():
        return False
    try:
        process = psutil.Process(int(pid))
        return abs(process.create_time() - float(created)) > 1 or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def check_lease(connection: Connection, session_id: int, token: int) -> None:
    """Renew the lease within a transaction of the engine, which thereby owns the session's rows.

    Raises:
        LeaseLost: The token is not the newest any more.
    """
    renewed = connection.execute(
        _RENEW, {"of_session": session_id, "of_token": token, "new_expires": time.time() + SECONDS}
    )
    if renewed.rowcount != 1:
        raise LeaseLost("Another engine has taken this session over; this one stops.")


def check_not_frozen(since: float) -> None:
    """Refuse to go on in a transaction that checked the lease at the time `since`, but too long ago.

    A process that was frozen within a transaction may find, when it goes on, that the database has ended the
    transaction and another engine has begun. A commit would fail, but files can be moved without one.

    Raises:
        DatabaseUnavailable: The lease may have run out meanwhile.
    """
    if not 0 <= time.time() - since < SECONDS - MARGIN:
        raise DatabaseUnavailable("The engine was frozen in the middle of a transaction.")


def give_lease_back(connection: Connection, session_id: int, token: int) -> bool:
    """Let the next engine start at once; say whether the lease was (still) ours to give back."""
    given = connection.execute(
        update(sessions)
        .where(sessions.c.id == session_id, sessions.c.lease_token == token)
        .values(lease_holder=None, lease_expires=None, state="stopped", demand=0)
    )
    return given.rowcount == 1
