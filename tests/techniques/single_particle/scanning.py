"""A scan of import-movies in a thread, for tests."""

import threading
import time

import numpy as np

from eucentric.engine.protocol import Caught, Found
from eucentric.formats import write_tiff
from eucentric.techniques.single_particle.import_movies import ImportMovies

MDOC = """Voltage = 300

[FrameSet = 0]
TargetDefocus = -1.5
StagePosition = 10 -20
DateTime = 21-Nov-26  10:00:00
"""


def movie(path, frames=3, size=(16, 24)):
    path.parent.mkdir(parents=True, exist_ok=True)
    write_tiff(path, np.ones((frames, *size), np.uint8))
    return path


class Scan:
    """A scan in a thread, whose findings are kept."""

    def __init__(self, session, folder, known=(), **params):
        params = {
            "folders": [str(folder)],
            "pixel_size": 1.1,
            "voltage": 300,
            "quiet_period": 0.3,
            "wait_for_metadata": 0.3,
            **params,
        }
        self.source = ImportMovies(ImportMovies.Params(**params))
        self.stop = threading.Event()
        self.found = []
        self.caught = threading.Event()
        self.thread = threading.Thread(target=self._run, args=(session, list(known)), daemon=True)
        self.thread.start()

    def _run(self, session, known):
        for found in self.source.scan(known, session, self.stop):
            if isinstance(found, Caught):
                self.caught.set()
            else:
                self.found.append(found)

    def wait(self, wanted, seconds=100):
        deadline = time.monotonic() + seconds
        while not wanted(self.found):
            assert time.monotonic() < deadline, self.found
            self.stop.wait(0.02)

    def end(self):
        assert self.caught.wait(20)
        self.stop.set()
        self.thread.join(20)
        assert not self.thread.is_alive()
        return self.found


def outputs(found):
    return [(each.acquisition, each.key, each.output) for each in found if isinstance(each, Found)]
