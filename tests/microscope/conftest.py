import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from eucentric.microscope import FoundFile, Quiet, watch


class Watching:
    """A `watch` running in a thread, and what it has yielded."""

    def __init__(self, roots: list[Path], patterns: list[str], **settings: Any) -> None:
        self.stop = threading.Event()
        self.came: list[FoundFile | Quiet] = []
        self._changed = threading.Condition()
        self._error: BaseException | None = None
        files = watch(roots, patterns, stop=self.stop, **settings)
        self._thread = threading.Thread(target=self._run, args=(files,))
        self._thread.start()

    def _run(self, files: Iterator[FoundFile | Quiet]) -> None:
        try:
            for each in files:
                with self._changed:
                    self.came.append(each)
                    self._changed.notify_all()
        except BaseException as error:
            self._error = error
            raise

    @property
    def files(self) -> list[FoundFile]:
        return [each for each in self.came if isinstance(each, FoundFile)]

    @property
    def names(self) -> list[str]:
        return [each.path.name for each in self.files]

    def until(self, condition: Callable[[], bool], seconds: float = 100) -> None:
        with self._changed:
            assert self._changed.wait_for(condition, seconds), f"only these came: {self.came}"

    def until_quiet(self) -> None:
        self.until(lambda: bool(self.came) and isinstance(self.came[-1], Quiet))

    def until_names(self, *names: str) -> None:
        """Wait until exactly these names have come, in any order, and then all is quiet."""
        self.until(lambda: sorted(self.names) == sorted(names))
        self.until_quiet()

    def end(self) -> None:
        self.stop.set()
        self._thread.join(60)
        assert not self._thread.is_alive()
        assert self._error is None


@pytest.fixture
def watching() -> Iterator[Callable[..., Watching]]:
    running: list[Watching] = []

    def start(roots: list[Path] | Path, *patterns: str, **settings: Any) -> Watching:
        settings = {"quiet_period": 0.3, "poll_interval": 0.05, **settings}
        roots = [roots] if isinstance(roots, Path) else roots
        running.append(Watching(roots, list(patterns) or ["**/*.tiff"], **settings))
        return running[-1]

    yield start
    for each in running:
        each.end()
