"""A PostgreSQL server of the tests' own, in a private folder, which tests may stop, kill and start."""

import contextlib
import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
from psycopg import sql

from eucentric.store import Database

TEMPLATE = "eucentric_template"


def find_programs() -> Path | None:
    """The folder of initdb and pg_ctl, of the newest PostgreSQL of this machine."""
    packaged = Path("/usr/lib/postgresql").glob("*/bin")
    folders = sorted(packaged, key=lambda folder: float(folder.parent.name), reverse=True)
    if found := shutil.which("initdb"):
        folders.append(Path(found).resolve().parent)
    if config := shutil.which("pg_config"):
        answer = subprocess.run([config, "--bindir"], capture_output=True, text=True, check=False)
        folders.append(Path(answer.stdout.strip()))
    usable = (folder for folder in folders if all((folder / name).exists() for name in ("initdb", "pg_ctl")))
    return next(usable, None)


def _unprivileged() -> pwd.struct_passwd | None:
    """The user that runs the server where the tests are run by root, whom PostgreSQL refuses."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise RuntimeError("PostgreSQL does not run as root, and there is neither a user postgres nor nobody.")


class PostgresServer:
    """The server: loopback with a random port, a password, and no fsync, since nothing in it matters."""

    def __init__(self, programs: Path) -> None:
        self.programs = programs
        self.password = secrets.token_hex(8)
        self._user = _unprivileged()
        self.folder = Path(tempfile.mkdtemp(prefix="eucentric-pg-"))
        self._own(self.folder)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        password_file = self.folder / "password"
        password_file.write_text(self.password)
        self._own(password_file)
        self._run(
            *(
                "initdb",
                "--pgdata",
                str(self.data),
                "--username",
                "eucentric",
                "--pwfile",
                str(password_file),
            ),
            *("--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C", "--no-sync"),
        )
        with (self.data / "postgresql.conf").open("a") as settings:
            settings.write(
                f"port = {self.port}\nlisten_addresses = '127.0.0.1'\n"
                f"unix_socket_directories = '{self.folder}'\nfsync = off\n"
                "shared_buffers = 32MB\nmax_connections = 60\nautovacuum = off\n"
            )
        self.start()
        self._execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(TEMPLATE)))
        Database.open(self.url(TEMPLATE)).close()

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def url(self, name: str) -> str:
        return f"postgresql+psycopg://eucentric:{self.password}@127.0.0.1:{self.port}/{name}"

    def _own(self, path: Path) -> None:
        if self._user is not None:
            os.chown(path, self._user.pw_uid, self._user.pw_gid)

    def _run(self, program: str, *arguments: str) -> None:
        who = {"user": self._user.pw_uid, "group": self._user.pw_gid} if self._user else {}
        done = subprocess.run(
            [self.programs / program, *arguments],
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            **who,
            extra_groups=[] if who else None,
        )
        if done.returncode:
            log = self.folder / "log"
            raise RuntimeError(f"{program} failed: {done.stderr}{log.read_text() if log.exists() else ''}")

    @property
    def running(self) -> bool:
        return (self.data / "postmaster.pid").exists()

    def start(self) -> None:
        """Start it, if it does not run, and wait until it answers."""
        if not self.running:
            self._run(
                "pg_ctl", "start", "--pgdata", str(self.data), "--wait", "--log", str(self.folder / "log")
            )

    def stop(self) -> None:
        """Stop it as an administrator does: connections are closed, transactions undone."""
        if self.running:
            self._run("pg_ctl", "stop", "--pgdata", str(self.data), "--wait", "--mode", "fast")

    def restart(self) -> None:
        self.stop()
        self.start()

    def crash(self) -> None:
        """Stop it as a crash does: no goodbye to anybody, recovery at the next start."""
        if self.running:
            self._run("pg_ctl", "stop", "--pgdata", str(self.data), "--wait", "--mode", "immediate")

    def _execute(self, statement: sql.Composed) -> None:
        with psycopg.connect(
            host="127.0.0.1", port=self.port, user="eucentric", password=self.password, dbname="postgres",
            autocommit=True,
        ) as connection:  # fmt: skip
            connection.execute(statement)

    @contextlib.contextmanager
    def new_database(self, template: str = TEMPLATE, disk: Path | None = None) -> Iterator[str]:
        """The URL of a fresh database, with all tables (`template="template0"`: with none), on any disk."""
        self.start()
        name = f"test_{secrets.token_hex(6)}"
        names = {"name": sql.Identifier(name), "template": sql.Identifier(template)}
        place = "pg_default"
        if disk is not None:
            place = f"place_{name}"
            self._own(disk)
            folder = sql.Literal(str(disk))
            self._execute(sql.SQL("CREATE TABLESPACE {} LOCATION {}").format(sql.Identifier(place), folder))
        create = sql.SQL("CREATE DATABASE {name} TEMPLATE {template} TABLESPACE {place}")
        self._execute(create.format(**names, place=sql.Identifier(place)))
        try:
            yield self.url(name)
        finally:
            self.start()
            self._execute(sql.SQL("DROP DATABASE {name} WITH (FORCE)").format(**names))
            if disk is not None:
                self._execute(sql.SQL("DROP TABLESPACE {}").format(sql.Identifier(place)))

    def remove(self) -> None:
        """End it for good."""
        self.crash()
        shutil.rmtree(self.folder)
