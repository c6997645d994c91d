"""What the tests of single-particle protocols share."""

import pytest

from techniques.single_particle.scanning import Scan


@pytest.fixture
def scan(tmp_path):
    scans = []

    def start(folder, **kwargs):
        scans.append(Scan(tmp_path / "session", folder, **kwargs))
        return scans[-1]

    (tmp_path / "session").mkdir()
    yield start
    for each in scans:
        each.stop.set()
