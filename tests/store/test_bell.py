"""The bell: heard across processes, never in the way."""

import asyncio
import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from pathlib import Path

import pytest

from eucentric.store import Bell, Database, Site
from eucentric.store.bell_sockets import ring_sockets
from postgres_server import PostgresServer
from processes import listen_and_hang, ring_from_elsewhere

spawn = multiprocessing.get_context("spawn")


@pytest.fixture
def bell(site: Site, database: Database) -> Iterator[Bell]:
    """The bell of `site`, closed before its database."""
    with Bell(site, database) as bell:
        yield bell


async def soon(rings: AsyncGenerator[str | None]) -> str | None:
    async with asyncio.timeout(100):
        return await anext(rings)


@contextlib.asynccontextmanager
async def listening(bell: Bell) -> "AsyncGenerator[AsyncGenerator[str | None]]":
    """Rings of `bell`, after the first one, which says only that it listens."""
    async with contextlib.aclosing(bell.listen()) as rings:
        assert await soon(rings) is None
        yield rings


async def elsewhere(function: Callable[..., None], *arguments: object) -> int | None:
    process = spawn.Process(target=function, args=arguments)
    process.start()
    await asyncio.to_thread(process.join)
    return process.exitcode


async def test_it_is_heard_across_processes(site: Site, bell: Bell) -> None:
    async with listening(bell) as rings:
        assert await elsewhere(ring_from_elsewhere, site.folder, ["changes:é"]) == 0
        assert await soon(rings) == "changes:é"


async def test_everybody_hears_it(bell: Bell) -> None:
    async with listening(bell) as first, listening(bell) as second:
        bell.ring("a")
        assert [await soon(first), await soon(second)] == ["a", "a"]


async def test_who_listens_to_nothing_holds_up_nobody(bell: Bell) -> None:
    async with listening(bell) as rings:
        for _ in range(1000):
            bell.ring("often")
        bell.ring("last")
        bell.close()
        heard = [await soon(rings)]
        while heard[-1] not in ("last", None):
            heard.append(await soon(rings))
        assert heard[0] == "often"
        assert len(heard) <= 1001


async def test_lost_rings_are_owned_up_to(tmp_path: Path) -> None:
    """The queue of a socket is short: what it could not take is made good by None."""
    site = Site.create(tmp_path)
    bell = Bell(site, Database(site))
    async with listening(bell) as rings:
        for number in range(2000):
            bell.ring(f"topic {number}")
        heard = {await soon(rings)}
        while None not in heard:
            heard.add(await soon(rings))
        assert len(heard) > 1


async def test_nobody_need_listen(bell: Bell) -> None:
    for _ in range(1000):
        bell.ring("a")
    bell.close()
    bell.ring("b")


async def test_it_ends_with_its_task(site: Site, bell: Bell) -> None:
    heard = asyncio.Event()

    async def listen() -> None:
        async for _ in bell.listen():
            heard.set()

    task = asyncio.create_task(listen())
    await asyncio.wait_for(heard.wait(), 100)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    bell.ring("a")
    bell.close()
    bells = site.run_folder / "bells"
    assert not bells.exists() or not list(bells.iterdir())


async def test_the_dead_leave_nothing_behind(tmp_path: Path) -> None:
    site = Site.create(tmp_path)
    here, there = spawn.Pipe()
    process = spawn.Process(target=listen_and_hang, args=(tmp_path, there))
    process.start()
    assert await asyncio.to_thread(here.recv) == "listening"
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    await asyncio.to_thread(process.join)
    bells = site.run_folder / "bells"
    assert len(list(bells.iterdir())) == 1
    bell = Bell(site, Database(site))
    async with listening(bell) as rings:
        bell.ring("a")
        assert await soon(rings) == "a"
        assert len(list(bells.iterdir())) == 1
    assert list(bells.iterdir()) == []


async def test_a_site_may_lie_deep(tmp_path: Path) -> None:
    folder = tmp_path / ("deep" * 25) / ("deeper" * 20)
    bell = Bell(site := Site.create(folder), Database(site))
    async with listening(bell) as rings:
        bell.ring("a")
        assert await soon(rings) == "a"
    assert list((folder / "run" / "bells").iterdir()) == []


def test_what_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "note").touch()
    ring_sockets(tmp_path, "a")
    ring_sockets(tmp_path / "nowhere", "a")
    ring_sockets(tmp_path / "note", "a")
    assert [path.name for path in tmp_path.iterdir()] == ["note"]


postgresql_only = pytest.mark.parametrize("site", ["postgresql"], indirect=True)


@postgresql_only
@pytest.mark.parametrize("how", ["restart", "crash"])
async def test_a_lost_connection_is_made_again(bell: Bell, postgres_server: PostgresServer, how: str) -> None:
    async with listening(bell) as rings:
        await asyncio.to_thread(getattr(postgres_server, how))
        heard = asyncio.create_task(soon(rings))
        await asyncio.to_thread(postgres_server.start)
        assert await heard is None
        bell.ring("again")
        assert await soon(rings) == "again"


@postgresql_only
async def test_a_server_that_is_down_is_waited_for(bell: Bell, postgres_server: PostgresServer) -> None:
    await asyncio.to_thread(postgres_server.stop)
    bell.ring("lost")
    async with contextlib.aclosing(bell.listen()) as rings:
        heard = asyncio.create_task(soon(rings))
        await asyncio.sleep(0.3)
        assert not heard.done()
        await asyncio.to_thread(postgres_server.start)
        assert await heard is None


@postgresql_only
def test_a_slow_server_does_not_hold_up_who_rings(
    site: Site, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    goes_on, sent = threading.Event(), []

    def slow(self: Bell) -> None:
        goes_on.wait()
        sent.append(self._pending)
        self._pending = set()

    monkeypatch.setattr(Bell, "_notify", slow)
    bell = Bell(site, database)
    for number in range(100):
        bell.ring(f"topic {number % 3}")
    assert sent == []
    goes_on.set()
    bell.close()
    assert sent == [{"topic 0", "topic 1", "topic 2"}]
