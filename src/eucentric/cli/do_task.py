"""One call of a protocol's `process`, outside of any session."""

import json
import logging
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.logging import RichHandler
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from eucentric.cli.errors import CommandFailed
from eucentric.cli.sites import site_here
from eucentric.engine.cluster import count_gpus
from eucentric.engine.ports import ports_of
from eucentric.engine.protocol import Protocol, Rejected, Task
from eucentric.engine.provenance import digest_of
from eucentric.engine.worker import record_of, threads
from eucentric.metadata import Item
from eucentric.microscope.describe import with_paths

log = logging.getLogger(__name__)


def do_task(
    protocol: Protocol, items: Mapping[str, Item | list[Item] | None], out: Path, label: str
) -> tuple[dict[str, Any], Path]:
    """Run a protocol once, with a progress bar on stderr.

    Its files come to lie in `out/LABEL.PROTOCOL/`, all or none, and what it made in
    `out/LABEL.PROTOCOL.json`, with paths relative to `out`.

    Returns:
        The items made, as in that file, by output; and the file.

    Raises:
        CommandFailed: It rejected the input or failed, or there are results of this name already.
    """
    name = f"{label}.{protocol.name}"
    if (out / name).exists() or (out / f"{name}.json").exists():
        raise CommandFailed(f"{out / name} is there already; remove it, or choose another --out.")
    out.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=out))
    try:
        work.chmod(0o777 & ~_umask())
        produced = _process(protocol, items, work, name)
        result = {port: _fields(item, out) for port, item in _outputs(protocol, produced).items()}
        (out / f".{name}.json").write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n")
        if any(work.iterdir()):
            work.rename(out / name)
        (out / f".{name}.json").rename(out / f"{name}.json")
        return result, out / f"{name}.json"
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _process(protocol: Protocol, items: Mapping[str, Any], work: Path, name: str) -> Any:
    console = Console(stderr=True)
    site = site_here(None)
    columns = (TextColumn(protocol.name), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task(protocol.name, total=1.0)
        cpus = len(os.sched_getaffinity(0))
        task = Task(
            key=("do", name),
            folder=work,
            destination=name,
            session=Path("/"),  # the items name their files by absolute paths
            site=site.folder if site else None,
            seed=digest_of([protocol.name, protocol.version, protocol.params.model_dump(mode="json"), name]),
            device="cuda" if protocol.resources.gpus and count_gpus() else "cpu",
            cpus=cpus,
            log=_logger(console),
            progress=lambda fraction: progress.update(bar, completed=fraction),
        )
        try:
            with threads(cpus):
                produced = protocol.process(**items, task=task)
        except Rejected as rejected:
            raise CommandFailed(f"{protocol.name} rejected the input: {rejected}") from rejected
        except Exception as error:  # a protocol may fail in any way; --debug shows where
            says = " ".join(str(error).split()) or type(error).__name__
            raise CommandFailed(f"{protocol.name} failed: {says}") from error
        progress.update(bar, completed=1.0)
    return produced


def _logger(console: Console) -> logging.Logger:
    logger = logging.getLogger("eucentric.do")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.handlers[:] = [RichHandler(console=console, show_path=False, show_level=False)]
    return logger


def _outputs(protocol: Protocol, produced: Any) -> dict[str, Item]:
    declared = ports_of(type(protocol)).outputs
    values = produced._asdict() if hasattr(produced, "_asdict") else dict.fromkeys(declared, produced)
    for name, kind in declared.items():
        if not isinstance(values.get(name), kind):
            raise CommandFailed(
                f"{protocol.name} returned {type(values.get(name)).__name__} as its output {name};"
                f" it declares {kind.__name__}."
            )
    return {name: values[name] for name in declared}


def _fields(item: Item, out: Path) -> dict[str, Any]:
    """Return an item's fields; paths within `out` are relative to it."""
    folder = out.absolute()

    def relative(path: str) -> str:
        return str(Path(path).relative_to(folder)) if Path(path).is_relative_to(folder) else path

    return with_paths(record_of(item)["data"], relative)


def _umask() -> int:
    """Return which permissions new files do not get; asking for it means setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
