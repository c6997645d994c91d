"""What all tests share: the real data, small disks, and a site on each kind of database."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from eucentric.store import Database, Site
from postgres_server import PostgresServer, find_programs
from shared_files import shared_folder


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data that is kept beside the repository, not in it."""
    return shared_folder()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A PostgreSQL server of these tests' own; `stop`, `crash`, `start` and `restart` it as you like."""
    programs = find_programs()
    if programs is None:
        reason = "no PostgreSQL server is installed (initdb, pg_ctl): install the package postgresql"
        if os.environ.get("CI"):
            raise FileNotFoundError(reason)
        pytest.skip(reason)
    server = PostgresServer(programs)
    yield server
    server.remove()


@pytest.fixture(params=["sqlite", "postgresql"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    """A fresh site, once on SQLite and once on PostgreSQL.

    A test for which one kind is enough says `@pytest.mark.parametrize("site", ["sqlite"], indirect=True)`.
    """
    if request.param == "sqlite":
        yield Site.create(tmp_path / "site")
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    with server.new_database() as url:
        yield Site.create(tmp_path / "site", f'database = "{url}"\n')


@pytest.fixture
def database(site: Site) -> Iterator[Database]:
    """The database of `site`, with all tables and no rows."""
    with Database.open(site) as database:
        yield database


@pytest.fixture
def small_disk(request: pytest.FixtureRequest) -> Iterator[Path]:
    """A disk of a few megabytes, where the user who runs the server can find it."""
    folder = Path(tempfile.mkdtemp(prefix="eucentric-disk-"))
    mount = ["mount", "-t", "tmpfs", "-o", f"size={request.param}", "tmpfs", str(folder)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        folder.rmdir()
        pytest.skip(f"a small disk cannot be mounted here ({done.stderr.strip()}); it takes root")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)
    folder.rmdir()
