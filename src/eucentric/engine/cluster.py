"""The site's Dask cluster: one scheduler and one single-thread process per worker, for all sessions.

The cluster is a process of its own, so that engines come and go (or are killed) while others go on. The
first engine that needs it starts it; it ends by itself when no engine has been connected for a while. It
listens on loopback, encrypted, with keys that only the site's owner can read, since Dask executes what it
receives. A facility's cluster (Slurm, PBS, SGE, LSF) is used by the scheduler's address in `eucentric.toml`.
"""

import asyncio
import contextlib
import json
import logging
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dask
import psutil
from filelock import FileLock

from eucentric.store import Site

if TYPE_CHECKING:
    from distributed import Client, Scheduler
    from distributed.security import Security

log = logging.getLogger(__name__)

IDLE_SECONDS = 30.0
GRACE_SECONDS = 3.0
_PAUSE_SECONDS = 0.5
_NANNY_PATIENCE = 4  # pauses in which a nanny has no process; one whose process dies as it starts gives up
_CONNECT_SECONDS = 5.0  # also how long a client tries to find a scheduler again that is gone
CONFIG: dict[str, Any] = {
    "distributed.scheduler.allowed-failures": 0,
    "distributed.scheduler.work-stealing": False,
    "distributed.scheduler.worker-saturation": 1.0,
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.terminate": 0.95,
    "distributed.worker.daemon": False,
    "distributed.worker.profile.enabled": False,
    "distributed.comm.timeouts.connect": "10s",
    "distributed.admin.tick.limit": "1h",
}


class ClusterError(RuntimeError):
    """The cluster could not be started or reached."""


def worker_names(cpus: int, gpus: int) -> list[str]:
    """Return the names of a site's workers: one per GPU, and one per CPU that is left."""
    return [f"gpu-{number}" for number in range(gpus)] + [f"cpu-{number}" for number in range(cpus - gpus)]


async def connect(site: Site) -> "Client":
    """Return an asynchronous client of the site's cluster, which is started where it is not running.

    Raises:
        ClusterError: It did not start; the message names its log.
    """
    from distributed import Client

    for name in ("client", "batched", "comm", "core"):  # what is lost, the engine tells in its own words
        logging.getLogger(f"distributed.{name}").setLevel(logging.CRITICAL)
    with dask.config.set(CONFIG):
        if site.workers.scheduler is not None:
            address, security = site.workers.scheduler, _site_security(site)
        else:
            record = await asyncio.to_thread(_running, site)
            address, security = record["address"], _security(record)
        client = Client(
            address, asynchronous=True, security=security, timeout=_CONNECT_SECONDS, set_as_default=False
        )
        try:
            await client
        except BaseException:
            with contextlib.suppress(OSError):
                await client.close()
            raise
        return client


def _site_security(site: Site) -> "Security | None":
    """Return the keys for a cluster that others run: TLS is required unless it is on loopback."""
    from distributed.security import Security

    address = site.workers.scheduler or ""
    if address.startswith("tls://"):
        return Security(
            require_encryption=True,
            tls_ca_file=str(site.workers.tls_ca),
            tls_client_cert=str(site.workers.tls_cert),
            tls_client_key=str(site.workers.tls_key),
        )
    if address.split("//")[-1].split(":")[0] not in ("127.0.0.1", "localhost"):
        raise ClusterError(
            f"The scheduler {address} in eucentric.toml is neither on this machine nor encrypted; Dask"
            " executes what it receives, so use a tls:// address with keys."
        )
    return None


def _security(record: dict[str, Any]) -> "Security":
    from distributed.security import Security

    return Security(
        require_encryption=True,
        tls_ca_file=record["certificate"],
        tls_client_cert=record["certificate"],
        tls_client_key=record["key"],
    )


def _running(site: Site) -> dict[str, Any]:
    """Return the record of the living cluster, after starting one if need be."""
    with FileLock(site.run_folder / "cluster.lock"):
        record = _read(site)
        if record is not None:
            return record
        log = site.logs_folder / "cluster.log"
        process = _begin([sys.executable, "-m", "eucentric.engine.cluster", str(site.folder)], log)
        while (record := _read(site)) is None:
            if os.waitpid(process, os.WNOHANG) != (0, 0):
                raise ClusterError(f"The site's workers could not be started; {log} says why.")
            time.sleep(0.05)
        return record


def _begin(command: list[str], log: Path) -> int:
    """Begin a process that outlives this one, with its output in a file, and return its number."""
    writing = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    files = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, str(log), writing, 0o600),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    return os.posix_spawn(command[0], command, os.environ, file_actions=files, setsid=True)


def _read(site: Site) -> dict[str, Any] | None:
    with contextlib.suppress(OSError, ValueError, psutil.NoSuchProcess):
        record: dict[str, Any] = json.loads((site.run_folder / "cluster.json").read_text())
        process = psutil.Process(record["pid"])
        alive = process.status() != psutil.STATUS_ZOMBIE
        if alive and abs(process.create_time() - record["created"]) < 1:
            return record
    return None


async def serve(folder: Path) -> None:
    """Run the cluster of the site in `folder` until nobody has used it for a while."""
    from distributed import Scheduler

    site = Site.open(folder)
    # Should an engine have died while its cluster was starting, the next cluster waits for that one's end.
    with FileLock(site.run_folder / "cluster.alive"), dask.config.set(CONFIG):
        security, record = _new_keys(site)
        async with Scheduler(host="127.0.0.1", port=0, dashboard=False, security=security) as scheduler:
            keepers = [
                asyncio.create_task(_keep_worker(scheduler.address, options))
                for options in _worker_options(site, security)
            ]
            process = psutil.Process()
            record |= {"address": scheduler.address, "pid": process.pid, "created": process.create_time()}
            file = site.run_folder / "cluster.json"
            used = True
            while used:
                file.with_suffix(".new").write_text(json.dumps(record))
                file.with_suffix(".new").replace(file)
                await _until_unused(scheduler, IDLE_SECONDS)
                file.unlink(missing_ok=True)
                # An engine that has just read the address is still welcome.
                used = await _until_unused(scheduler, GRACE_SECONDS)
            for keeper in keepers:
                keeper.cancel()
            await asyncio.gather(*keepers, return_exceptions=True)


async def _keep_worker(address: str, options: dict[str, Any]) -> None:
    """Keep one worker: its nanny begins a new process when one ends, and we a new nanny if that one does."""
    from distributed import Nanny, Status

    while True:
        try:
            async with Nanny(address, **options) as nanny:
                without = 0
                while nanny.status == Status.running and without < _NANNY_PATIENCE:
                    without = 0 if nanny.is_alive() else without + 1
                    await asyncio.sleep(_PAUSE_SECONDS)
        except Exception:  # a process may end at any instant of its start, which the nanny tells in many ways
            log.exception("The worker %s could not be started; trying again.", options["name"])
        await asyncio.sleep(_PAUSE_SECONDS)


def _new_keys(site: Site) -> tuple["Security", dict[str, Any]]:
    """Make a key and a certificate for this life of the cluster, readable by the site's owner only."""
    from distributed.security import Security

    made = Security.temporary()
    record: dict[str, Any] = {}
    for name, content in (("certificate", made.tls_ca_file), ("key", made.tls_client_key)):
        file = site.run_folder / f"cluster-{name}.pem"
        file.unlink(missing_ok=True)
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as stream:
            stream.write(str(content))
        record[name] = str(file)
    return made, record


def _worker_options(site: Site, security: "Security") -> Iterator[dict[str, Any]]:
    gpus = site.workers.gpus if site.workers.gpus is not None else count_gpus()
    for name in worker_names(site.workers.cpu_count, gpus):
        device = name.removeprefix("gpu-") if name.startswith("gpu-") else ""
        yield {
            "nthreads": 1,
            "name": name,
            "memory_limit": site.workers.memory_bytes,
            "dashboard": False,
            "host": "127.0.0.1",
            "security": security,
            "env": {"CUDA_VISIBLE_DEVICES": device, "EUCENTRIC_GPU": "1" if device else "0"},
            "local_directory": str(site.run_folder),
        }


def count_gpus() -> int:
    """Return how many CUDA devices this machine has, without importing torch."""
    return len(list(Path("/proc/driver/nvidia/gpus").glob("*")))


async def _until_unused(scheduler: "Scheduler", seconds: float) -> bool:
    """Return when no client has been connected for so long; say whether one was in the meantime."""
    from distributed.diagnostics.plugin import SchedulerPlugin

    class LastUse(SchedulerPlugin):  # by the scheduler's word, since engines may come and go within a second
        time = time.monotonic()
        any = False

        def add_client(self, *_: Any, **__: Any) -> None:
            self.time, self.any = time.monotonic(), True

        def remove_client(self, *_: Any, **__: Any) -> None:
            self.time = time.monotonic()

    use = LastUse()
    scheduler.add_plugin(use, name="last-use", idempotent=False)
    while (left := use.time + seconds - time.monotonic()) > 0:
        await asyncio.sleep(min(left, seconds / 10))
        if len(scheduler.clients) > 1:  # one is the scheduler's own
            use.add_client()
    scheduler.remove_plugin("last-use")
    return use.any


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1])))
