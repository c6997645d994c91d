"""What tests run in processes of their own."""

import asyncio
from multiprocessing.connection import Connection as Pipe
from pathlib import Path

from sqlalchemy import insert, select, update

from eucentric.store import Bell, Database, Site
from eucentric.store.tables import session


def count_up(url: str, times: int) -> None:
    with Database(url) as database:
        for _ in range(times):
            with database.write() as connection:
                token = connection.execute(select(session.c.lease_token).with_for_update()).scalar_one()
                connection.execute(update(session).values(lease_token=token + 1))


def write_and_hang(url: str, pipe: Pipe) -> None:
    with Database(url) as database:
        with database.write() as connection:
            connection.execute(insert(session).values(name="whole", created=0))
        with database.write() as connection:
            connection.execute(insert(session).values(name="half", created=0))
            connection.execute(update(session).where(session.c.name == "whole").values(weight=7))
            pipe.send("in the middle")
            pipe.recv()


def open_database(address: str) -> None:
    Database.open(address).close()


def open_bell(folder: Path) -> Bell:
    site = Site.open(folder)
    return Bell(site, Database(site))


def ring_from_elsewhere(folder: Path, topics: list[str]) -> None:
    bell = open_bell(folder)
    for topic in topics:
        bell.ring(topic)


def listen_and_hang(folder: Path, pipe: Pipe) -> None:
    async def hang() -> None:
        async for _ in open_bell(folder).listen():
            pipe.send("listening")

    asyncio.run(hang())
