"""Virtual environments of their own for other programs that benchmarks compare with.

They lie in `~/.cache/eucentric-peers` (or below `XDG_CACHE_HOME`), are made when they are first asked for,
and made anew when their requirements change. None of it enters the project's own environment.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from filelock import FileLock


def peer_python(name: str, requirements: list[str]) -> Path:
    """Return the Python of an environment that holds a peer; make it first where there is none yet.

    Args:
        name: Name of its folder, such as "torch-ctf-estimation".
        requirements: What pip installs, as on its command line, such as "torch==2.13.0" or "--no-deps".

    Raises:
        RuntimeError: pip cannot install it; the message ends with pip's last lines.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "eucentric-peers"
    cache.mkdir(parents=True, exist_ok=True)
    folder, listed = cache / name, "\n".join(requirements) + "\n"
    python, complete = folder / "bin" / "python", folder / "installed.txt"
    with FileLock(cache / f".{name}.lock"):
        if complete.exists() and complete.read_text() == listed:
            return python
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        pip = subprocess.run(
            [str(python), "-m", "pip", "install", "--quiet", *requirements], capture_output=True, text=True
        )
        if pip.returncode:
            last = "\n".join(pip.stderr.strip().splitlines()[-5:])
            raise RuntimeError(f"The peer {name} cannot be installed; pip says:\n{last}")
        complete.write_text(listed)
    return python
