"""Publishing reports: rsync, or a program of the site's own, in a thread that never holds up the monitor."""

import logging
import subprocess
import threading
import time
from collections.abc import Callable

from eucentric.store import Site

log = logging.getLogger(__name__)

_LONGEST_SAID = 300


class Publisher:
    """Publishes the reports of one session as often as the site allows, the newest state always last.

    What fails is logged, told to `on_trouble`, and tried again with the next report, or a minute later.
    """

    RETRY = 60.0
    """Seconds after which what failed is tried again."""

    def __init__(self, site: Site, session: str, on_trouble: Callable[[str | None], None]) -> None:
        """Start the thread, where the site publishes at all.

        Args:
            site: The site.
            session: Name of the session.
            on_trouble: Called with a sentence when publishing fails, with None when it works (again).
        """
        self._settings = site.settings.report
        self._arguments = publishing_command(site, session)
        self._on_trouble = on_trouble
        self._wanted, self._ended = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None
        if self._arguments is not None:
            self._thread = threading.Thread(target=self._publish, name="publish", daemon=True)
            self._thread.start()

    def publish(self) -> None:
        """Let the report be published, soon; never waits."""
        self._wanted.set()

    def close(self, patience: float = 60.0) -> None:
        """Publish what is new once more, for `patience` seconds at most, and end the thread."""
        self._ended.set()
        self._wanted.set()
        if self._thread is not None:
            self._thread.join(patience)

    def _publish(self) -> None:
        while True:
            self._wanted.wait()
            last = self._ended.is_set()
            self._wanted.clear()
            trouble = self._try()
            self._on_trouble(trouble)
            if trouble is not None:
                log.warning("%s", trouble)
            if last:
                return
            if trouble is not None:
                self._ended.wait(self.RETRY)
                self._wanted.set()
            else:
                self._ended.wait(self._settings.every.total_seconds())

    def _try(self) -> str | None:
        """Run the program once; return what went wrong."""
        assert self._arguments is not None
        program, timeout = self._arguments[0], self._settings.timeout.total_seconds()
        began = time.monotonic()
        try:
            ended = subprocess.run(
                self._arguments,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=timeout,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return f"The report is not published: {program} did not end within {timeout:.0f} s."
        except OSError as error:
            return f"The report is not published: {program} cannot be started ({error.strerror})."
        if ended.returncode != 0:
            said = " ".join((ended.stderr or ended.stdout).split())[-_LONGEST_SAID:]
            return (
                f"The report is not published: {program} ended with {ended.returncode}: {said or 'no word'}"
            )
        log.info("The report was published in %.1f s.", time.monotonic() - began)
        return None


def publishing_command(site: Site, session: str) -> list[str] | None:
    """Return the program and arguments that publish a session's report, or None; no shell reads them."""
    settings, folder = site.settings.report, site.reports_folder
    if settings.rsync is not None:
        # Copies of what the links point to; a remote shell that asks for a password would wait for ever.
        return [
            "rsync",
            "--recursive",
            "--copy-links",
            "--times",
            "--delay-updates",
            "--exclude=.*",
            "--chmod=D755,F644",
            "--rsh=ssh -o BatchMode=yes -o ConnectTimeout=20",
            "--",
            str(folder / "index.html"),
            str(folder / session),
            settings.rsync,
        ]
    if settings.command is not None:
        values = {"{folder}": str(folder), "{session}": session}
        return [_filled(argument, values) for argument in settings.command]
    return None


def _filled(argument: str, values: dict[str, str]) -> str:
    for name, value in values.items():
        argument = argument.replace(name, value)
    return argument
