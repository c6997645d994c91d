"""What all tests share: the real data, and a site on each kind of database."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from eucentric.store import Database, Site
from postgres_server import PostgresServer, find_programs


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data that is kept beside the repository, not in it."""
    folder = Path(os.environ.get("EUCENTRIC_SHARED", Path(__file__).parents[2] / "shared"))
    if not (folder / "data").is_dir():
        reason = f"no real data at {folder}; set EUCENTRIC_SHARED to the folder that has them"
        if os.environ.get("CI"):
            raise FileNotFoundError(reason)
        pytest.skip(reason)
    return folder


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
