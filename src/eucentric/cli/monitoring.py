"""The monitor of a session beside its engine: a process of its own, which ends with this one."""

import contextlib
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from eucentric.store import Site

log = logging.getLogger(__name__)

MonitorOption = Annotated[
    bool,
    typer.Option(
        "--monitor/--no-monitor",
        envvar="EUCENTRIC_MONITOR",
        help="Write the live report and watch for alarms, in a process of its own.",
    ),
]
PATIENCE = 20.0
"""Seconds to wait for the last report; a monitor that takes longer, to publish it, ends by itself later."""


@contextlib.contextmanager
def monitored(site: "Site", session: str, wanted: bool = True) -> Iterator[None]:
    """Let a monitor follow the session within the block, and write its last report at the end of it.

    It is told of the end, also when this process is killed, by the end of its input. What it says is in the
    session's `logs/monitor.log`; when it cannot be started, or fails, the session goes on without it.
    """
    process = _start(site, session) if wanted else None
    try:
        yield
    finally:
        if process is not None and process.stdin is not None:
            with contextlib.suppress(OSError):
                process.stdin.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(PATIENCE)


def _start(site: "Site", session: str) -> "subprocess.Popen[bytes] | None":
    command = [sys.executable, "-m", "eucentric.cli", "monitor", session, "--attached"]
    try:
        with (site.session_folder(session) / "logs" / "monitor.log").open("ab") as said:
            return subprocess.Popen(
                [*command, "--site", str(site.folder)],
                stdin=subprocess.PIPE,
                stdout=said,
                stderr=said,
                env={**os.environ, "OMP_NUM_THREADS": "1"},
                start_new_session=True,  # Ctrl-C is for this process, which then ends that one
            )
    except OSError as error:
        log.warning("The session goes on without report and alarms: no monitor can be started (%s).", error)
        return None
