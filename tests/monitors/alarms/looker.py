"""A monitor in a process of its own, which looks until it is killed."""

import time
from multiprocessing.connection import Connection as Pipe
from pathlib import Path

from eucentric.monitors.alarms import AlarmKeeper
from eucentric.monitors.exposures import SessionRecord
from eucentric.store import Database, Site


def look_on(folder: Path, number: int, pipe: Pipe) -> None:
    """Look at the session `night` of a site again and again; say so first."""
    site = Site.open(folder)
    database = Database(site)
    keeper = AlarmKeeper(site, database, "night")
    record = SessionRecord(number)
    pipe.send("looking")
    while True:
        with database.read() as connection:
            record.update(connection)
        keeper.look(record, [])
        time.sleep(0.01)
