"""The site's own cluster: kept alive, private, and shared."""

import asyncio
import contextlib
import json
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from distributed import KilledWorker

from engine.conftest import append, end_cluster
from engine.tormentor import kill, pids_of_workers
from eucentric.engine.cluster import ClusterError, connect, worker_names
from eucentric.store import Site

# No database is opened here.
pytestmark = pytest.mark.parametrize("site", ["sqlite"], indirect=True)


@pytest.fixture
def own(site: Site) -> Iterator[Site]:
    """A site with one worker of its own."""
    append(site, "[workers]\ncpus = 1\ngpus = 0\n")
    site = Site.open(site.folder)
    yield site
    end_cluster(site)


@pytest.mark.parametrize(
    ("cpus", "gpus", "names"),
    [
        (4, 1, ["gpu-0", "cpu-0", "cpu-1", "cpu-2"]),
        (2, 0, ["cpu-0", "cpu-1"]),
        (1, 2, ["gpu-0", "gpu-1"]),
    ],
)
def test_there_is_a_worker_for_each_gpu_and_each_cpu_that_is_left(
    site: Site, cpus: int, gpus: int, names: list[str]
) -> None:
    assert worker_names(cpus, gpus) == names


async def test_all_who_come_at_once_get_the_same_private_cluster(own: Site) -> None:
    clients = await asyncio.gather(*(connect(own) for _ in range(3)))
    assert len({client.scheduler.address for client in clients}) == 1
    record = json.loads((own.run_folder / "cluster.json").read_text())
    assert record["address"].startswith("tls://127.0.0.1:")
    for name in ("certificate", "key"):
        assert stat.S_IMODE(Path(record[name]).stat().st_mode) == 0o600
    assert stat.S_IMODE(own.run_folder.stat().st_mode) == 0o700
    for client in clients:
        await client.close()


async def test_a_worker_that_is_killed_at_any_age_comes_back(own: Site) -> None:
    """Dask's nanny gives up when a process dies while it is begun again."""
    client = await connect(own)
    try:
        for age in (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0):
            async with asyncio.timeout(100):
                while not (pids := pids_of_workers(own)):
                    await asyncio.sleep(0.02)
            await asyncio.sleep(age)
            kill(pids[0])
        answer = None
        async with asyncio.timeout(100):
            while answer != 8:
                with contextlib.suppress(KilledWorker):  # it went to the last one that was killed
                    answer = await client.submit(pow, 2, 3, pure=False)
    finally:
        await client.close()


async def test_a_cluster_of_others_must_be_encrypted_unless_it_is_here(site: Site) -> None:
    append(site, '[workers]\nscheduler = "tcp://far.example:8786"\n')
    with pytest.raises(ClusterError, match="use a tls:// address with keys"):
        await connect(Site.open(site.folder))


async def test_a_cluster_that_does_not_start_is_told(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/bin/false")
    with pytest.raises(ClusterError, match="says why"):
        await connect(site)
