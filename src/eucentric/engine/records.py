"""The items that tasks take in, as they travel: kept in memory for a while, since most go to the next run."""

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, select

from eucentric.engine.scheduler import Inputs
from eucentric.engine.worker import ItemRecord, PortRecords
from eucentric.store.tables import item

KEPT = 20_000
"""Records kept in memory."""
MOST_NUMBERS = 1000
"""Most items named in one query."""


class Records:
    """Items by their numbers."""

    def __init__(self) -> None:
        self._kept: dict[int, ItemRecord] = {}

    def remember(self, number: int, record: ItemRecord) -> None:
        """Keep an item that was just written; the oldest makes room."""
        self._kept[number] = record
        while len(self._kept) > KEPT:
            del self._kept[next(iter(self._kept))]

    def get(self, numbers: Iterable[int], connection: Connection) -> dict[int, ItemRecord]:
        """Return items by their numbers; one query reads what is not at hand."""
        wanted = set(numbers)
        found = {number: self._kept[number] for number in wanted if number in self._kept}
        for number, record in read_records(connection, wanted - set(found)).items():
            found[number] = record
            self.remember(number, record)
        return found

    def of(self, several: Sequence[Inputs], connection: Connection) -> list[PortRecords]:
        """Return the items at all ports of many tasks or entries; one query reads what is not at hand."""
        numbers = {
            number
            for inputs in several
            for given in inputs.values()
            for number in (given if isinstance(given, list) else [given])
            if number is not None
        }
        found = self.get(numbers, connection)
        return [
            {
                port: [found[number] for number in given]
                if isinstance(given, list)
                else found[given]
                if given is not None
                else None
                for port, given in inputs.items()
            }
            for inputs in several
        ]


def read_records(connection: Connection, numbers: Iterable[int]) -> dict[int, ItemRecord]:
    """Read items by their numbers."""
    wanted, read = sorted(numbers), {}
    for first in range(0, len(wanted), MOST_NUMBERS):
        some = wanted[first : first + MOST_NUMBERS]
        query = select(item.c.id, item.c.kind, item.c.data).where(item.c.id.in_(some))
        for number, kind, data in connection.execute(query):
            read[number] = ItemRecord(kind=kind, data=data)
    return read
