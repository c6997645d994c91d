"""A program's process: its environment, its output, and how it ended."""

import contextlib
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from eucentric.engine.programs.failure import failure, has_space, signal_name
from eucentric.engine.programs.output import Output

KEEPER = Path(__file__).with_name("keeper.py")
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")
_OURS = ("PYTHONHOME", "PYTHONPATH", "PYTHONSTARTUP", "VIRTUAL_ENV", "__PYVENV_LAUNCHER__")


def environment_of(cpus: int, device: str) -> dict[str, str]:
    """Return the environment of a program: ours, without what concerns our Python alone."""
    env = {name: value for name, value in os.environ.items() if name not in _OURS}
    env |= dict.fromkeys(_THREADS, str(cpus))
    env["LC_ALL"] = "C.UTF-8"  # numbers are printed with a dot
    if device == "cpu":
        env["CUDA_VISIBLE_DEVICES"] = ""
    return env


def run_kept(
    command: list[str],
    stdin: IO[bytes],
    folder: Path,
    env: dict[str, str],
    output: Output,
    until: float | None,
) -> list[str] | None:
    """Run `command` under a keeper; return what the keeper told, or None if it was ended at `until`."""
    with contextlib.ExitStack() as open_ends:
        lifeline, held, told, status = (
            open_ends.enter_context(os.fdopen(end, mode, buffering=0))
            for pipe in (os.pipe(), os.pipe())
            for end, mode in zip(pipe, ("rb", "wb"), strict=True)
        )
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(KEEPER), str(lifeline.fileno()), str(status.fileno()), *command],
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env=env,
            pass_fds=(lifeline.fileno(), status.fileno()),
            start_new_session=True,
        )
        lifeline.close()
        status.close()
        assert process.stdout is not None
        with process:
            try:
                answer = _read(process.stdout, told, output, until)
            finally:
                held.close()
        if answer == []:  # somebody killed the keeper, so what it left is ended here
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            return ["lost"]
        return answer


def _read(printed: IO[bytes], told: IO[bytes], output: Output, until: float | None) -> list[str] | None:
    """Feed `output` until the keeper has ended; return what it told, or None if `until` came first."""
    answer = b""
    with selectors.DefaultSelector() as selector:
        selector.register(printed, selectors.EVENT_READ)
        selector.register(told, selectors.EVENT_READ)
        while told in {key.fileobj for key in selector.get_map().values()}:
            ready = selector.select(None if until is None else max(0.0, until - time.monotonic()))
            if not ready:
                return None
            for key, _ in ready:
                data = os.read(key.fd, 65536)
                if key.fileobj is told:
                    answer += data
                else:
                    output.feed(data)
                if not data:
                    selector.unregister(key.fileobj)
    os.set_blocking(printed.fileno(), False)  # others may hold it open still
    with contextlib.suppress(BlockingIOError):
        while data := os.read(printed.fileno(), 65536):
            output.feed(data)
    output.close()
    return answer.decode().split()


def why_not(told: Sequence[str]) -> str:
    """Return why a program could not be started, from what its keeper told."""
    return os.strerror(int(told[2])) if told[0] == "cannot" else "the process that kept it was killed"


def check(who: str, status: int, lines: Sequence[str], folder: Path, expects: Sequence[str]) -> None:
    """Raise what went wrong, if something did; `status` is the program's wait status."""
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        raise failure(who, f"was killed by {signal_name(-code)}", lines, folder, killed_by=-code)
    if code:
        killed_by = code - 128 if code > 128 else None  # as launchers tell it
        raise failure(who, f"ended with exit code {code}", lines, folder, killed_by)
    missing = [
        name for name in expects if not (folder / name).is_file() or not (folder / name).stat().st_size
    ]
    if missing:
        raise failure(who, f"ended well but did not write {', '.join(missing)}", lines, folder)
    if not has_space(folder):
        raise failure(who, "found no space", lines, folder)
