"""Files are described in a process of their own, within limits: a damaged one may ask for any memory.

`python -m eucentric_rosettasciio.describing FILE` prints a line of JSON: what a file holds, or its fault.
"""

import contextlib
import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from eucentric.formats import FormatError
from eucentric.formats.scaled_image import Axis, ScaledImage
from eucentric_rosettasciio.formats import format_of

MEMORY = 4 * 2**30
"""Bytes of address space that a reader gets."""

SECONDS = 120
"""Longest time that a reader gets."""

_MOST_OUTPUT = 2**24
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
_MEND = "copy it again, or open it in HyperSpy to see what is wrong"


def described_apart(path: Path) -> list[ScaledImage]:
    """Return axes of everything in a file, and what is said, by HyperSpy's names.

    Args:
        path: The file.

    Raises:
        FormatError: It cannot be read, or not within the limits of memory and time.
        OSError: It cannot be opened.
    """
    format_of(path)
    path.open("rb").close()
    command = [sys.executable, "-P", "-m", "eucentric_rosettasciio.describing", str(path.absolute())]
    with tempfile.TemporaryFile() as out:
        try:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.DEVNULL,
                timeout=SECONDS,
                env={**os.environ, **_ONE_THREAD},
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise FormatError(path, f"RosettaSciIO did not read it within {SECONDS} s", _MEND) from error
        out.seek(0)
        said = out.read(_MOST_OUTPUT + 1)
    if done.returncode or len(said) > _MOST_OUTPUT:
        raise FormatError(path, "RosettaSciIO broke down over it, or needs too much memory", _MEND)
    return _understood(path, json.loads(said))


def _understood(path: Path, said: dict[str, Any]) -> list[ScaledImage]:
    if "wrong" in said:
        raise FormatError(path, said["wrong"], said["mend"])
    return [
        ScaledImage(tuple(Axis(*axis) for axis in each["axes"]), each["said"]) for each in said["signals"]
    ]


def main() -> None:
    """Describe a file, as the child."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    from eucentric_rosettasciio.formats import load
    from eucentric_rosettasciio.signals import described

    path = Path(sys.argv[1])
    try:
        with contextlib.redirect_stdout(sys.stderr):
            images = [described(each) for each in load(path)]
    except FormatError as error:
        told: dict[str, Any] = {"wrong": error.what, "mend": error.mend}
    else:
        told = {
            "signals": [
                {"axes": [(axis.points, axis.scale, axis.unit) for axis in each.axes], "said": each.said}
                for each in images
            ]
        }
    sys.stdout.write(json.dumps(told, default=str))


if __name__ == "__main__":
    main()
