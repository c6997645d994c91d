"""Other programs' fits of the same micrographs, for `benchmarks/ctf.py`.

Each runs in one process of its own environment with one thread. It reads a list of micrographs with their
optics (JSON: path, pixel_size in Å, voltage in kV, spherical_aberration in mm, amplitude_contrast) and writes
what it found (defocus_u and defocus_v in Å, angle in degrees, cpu in s without reading the file), or null.
"""

import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple

from peers import peer_python

PEERS = {
    "torch-ctf-estimation": ("fit_with_torch_ctf.py", ["torch==2.13.0", "torch-ctf-estimation", "mrcfile"]),
    "aspire": ("fit_with_aspire.py", ["aspire", "mrcfile"]),
}
ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1"
)


class Job(NamedTuple):
    """A micrograph on disk."""

    path: str
    pixel_size: float
    voltage: float
    spherical_aberration: float
    amplitude_contrast: float


class Found(NamedTuple):
    """What a program found."""

    defocus_u: float
    defocus_v: float
    angle: float
    cpu: float


def fit_with(peer: str, jobs: list[Job]) -> list[Found | None]:
    """Return a peer's fits, in the order of the micrographs."""
    script, requirements = PEERS[peer]
    program = Path(__file__).resolve().parent / "peer_programs" / script
    python = peer_python(peer, requirements)
    with tempfile.TemporaryDirectory() as folder:
        asked, answered = Path(folder) / "jobs.json", Path(folder) / "results.json"
        asked.write_text(json.dumps([job._asdict() for job in jobs]))
        subprocess.run(
            [str(python), str(program), str(asked), str(answered)],
            check=True,
            cwd=folder,  # aspire writes its logs where it is started
            env={**os.environ, **ONE_THREAD},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        return [None if each is None else Found(**each) for each in json.loads(answered.read_text())]
