"""How the sessions of a site share its workers: by weight, among those that have something to do."""

import contextlib
import time
from collections.abc import Collection, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, select, update
from sqlalchemy.exc import IntegrityError

from eucentric.store.tables import session as sessions
from eucentric.store.tables import slot as slots

TURN = 10.0
"""Seconds after which a worker that cannot be divided passes to the next session."""


def divide(total: int, wants: dict[int, tuple[float, int]], turn: int = 0) -> dict[int, int]:
    """Divide workers among sessions in proportion to their weights, but give none more than it can use.

    What one cannot use goes to the others. Single workers left over go round the sessions from turn to turn,
    so that even with more sessions than workers each gets some.

    Args:
        total: Number of workers.
        wants: For every session its weight and how many workers it can use.
        turn: Number of the turn.

    Returns:
        The number of workers for every session.
    """
    shares = dict.fromkeys(wants, 0)
    while (left := total - sum(shares.values())) > 0:
        hungry = [each for each in sorted(wants) if shares[each] < wants[each][1]]
        if not hungry:
            break
        weights = sum(wants[each][0] for each in hungry)
        given = 0
        for each in hungry:
            weight, most = wants[each]
            extra = min(int(left * weight / weights), most - shares[each])
            shares[each] += extra
            given += extra
        if given == 0:  # fewer workers left than sessions: one each, beginning with whose turn it is
            first = turn % len(hungry)
            for each in (hungry[first:] + hungry[:first])[:left]:
                shares[each] += 1
    return shares


class Leased(NamedTuple):
    """Workers that a session holds: those it may use, and busy ones that it may not use again."""

    usable: list[str]
    excess: list[str]


def lease_slots(
    connection: Connection, session_id: int, workers: Sequence[str], demand: int, busy: Collection[str]
) -> Leased:
    """Take and give back workers so that the session holds its share; runs in a write transaction.

    Busy ones beyond the share are held until they are free: call again then.

    Args:
        connection: A transaction of the engine of this session.
        session_id: The session.
        workers: Names of all workers of the site.
        demand: How many the session could use now.
        busy: Those on which the session has tasks.
    """
    now = time.time()
    connection.execute(update(sessions).where(sessions.c.id == session_id).values(demand=demand))
    living = {
        row.id: (row.weight, row.demand)
        for row in connection.execute(
            select(sessions.c.id, sessions.c.weight, sessions.c.demand).where(sessions.c.lease_expires > now)
        )
    }
    # Locked in one order, so that two engines never wait for each other.
    held = {
        row.worker: row.session_id
        for row in connection.execute(select(slots).order_by(slots.c.worker).with_for_update())
    }
    for worker in sorted(set(workers) - set(held)):
        with contextlib.suppress(IntegrityError), connection.begin_nested():  # another engine was first
            connection.execute(slots.insert().values(worker=worker))
    share = divide(len(workers), living, int(now / TURN)).get(session_id, 0)
    if not any(wanted for each, (_, wanted) in living.items() if each != session_id):
        share = len(workers)  # nobody else needs them: what comes next starts without asking
    mine = [worker for worker in workers if held.get(worker) == session_id]
    free = [worker for worker in workers if held.get(worker) not in living]
    usable = [*sorted(mine, key=lambda worker: worker not in busy), *free][:share]
    excess = [worker for worker in mine if worker in busy and worker not in usable]
    changed: dict[str, int | None] = {worker: session_id for worker in usable if worker not in mine}
    changed |= {worker: None for worker in mine if worker not in (*usable, *excess)}
    for worker, owner in sorted(changed.items()):
        connection.execute(update(slots).where(slots.c.worker == worker).values(session_id=owner))
    return Leased(usable, excess)
