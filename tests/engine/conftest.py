"""Sessions on sites of both kinds of database, and workers that tests may share."""

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import Callable, Iterator

import psutil
import pytest

from engine.stage import Stage, chain
from eucentric.engine.cluster import connect
from eucentric.engine.workflow import Workflow
from eucentric.store import Database, Site


@pytest.fixture
def stage(site: Site, database: Database) -> Iterator[Stage]:
    """A session of a chain of runs, without anything in it yet."""
    stage = Stage(site, chain(), database=database)
    yield stage
    stage.bell.close()


@pytest.fixture
def staged(site: Site, database: Database) -> Iterator[Callable[[Workflow], Stage]]:
    """Makes a session of another workflow."""
    stages = []

    def make(workflow: Workflow, name: str = "night") -> Stage:
        stages.append(Stage(site, workflow, name, database=database))
        return stages[-1]

    yield make
    for stage in stages:
        stage.bell.close()


def append(site: Site, settings: str) -> None:
    """Add to the settings of a site; open it again for them to count."""
    file = site.folder / "eucentric.toml"
    file.write_text(file.read_text() + settings)


def end_cluster(site: Site) -> None:
    """End a site's own cluster, if it runs."""
    with contextlib.suppress(OSError, ValueError, psutil.NoSuchProcess):
        process = psutil.Process(json.loads((site.run_folder / "cluster.json").read_text())["pid"])
        children = process.children(recursive=True)
        os.kill(process.pid, signal.SIGKILL)
        psutil.wait_procs([process, *children], timeout=60)


@pytest.fixture(scope="session")
def workers_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site whose two workers the sites of tests use."""
    site = Site.create(tmp_path_factory.mktemp("workers") / "site", "[workers]\ncpus = 2\ngpus = 0\n")
    yield site
    end_cluster(site)


async def _touch(site: Site) -> None:
    client = await connect(site)
    await client.wait_for_workers(2)
    await client.close()


@pytest.fixture
def workers(workers_site: Site) -> str:
    """Settings by which a site uses two living workers that tests share, over TLS."""
    asyncio.run(_touch(workers_site))
    record = json.loads((workers_site.run_folder / "cluster.json").read_text())
    return (
        f'[workers]\ncpus = 2\nscheduler = "{record["address"]}"\ntls_ca = "{record["certificate"]}"\n'
        f'tls_cert = "{record["certificate"]}"\ntls_key = "{record["key"]}"\n'
    )


@pytest.fixture
def worked(site: Site, workers: str) -> Iterator[Stage]:
    """A session of the chain on the shared workers."""
    append(site, workers)
    stage = Stage(Site.open(site.folder), chain())
    yield stage
    stage.bell.close()
    stage.database.close()
