"""What a worker does: run one task, or one batch of an accumulator, from a small plain description.

The description and the result are plain data, so that they travel to any executor. Everything is written in
the task's private folder and is on disk (fsync) before the result is returned; the engine then moves the
folder into place and commits.
"""

import contextlib
import errno
import faulthandler
import json
import logging
import os
import sys
import threading
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict
from threadpoolctl import threadpool_limits
from typing_extensions import TypedDict

from eucentric.engine.places import crash_file
from eucentric.engine.ports import ports_of
from eucentric.engine.programs import NoSpaceForProgram
from eucentric.engine.protocol import Accumulator, Key, Protocol, Rejected, Task
from eucentric.engine.registry import UnknownItem, code_digest, current_registry, item_kind
from eucentric.metadata import Item

STATE_FILE = "state.json"
CHANGED = (
    "The code of {0} has changed since the engine was started, so this result would be recorded under the"
    " wrong code; stop and continue the session, and the change becomes a new revision."
)


class ItemRecord(TypedDict):
    """An item as it travels: its kind and its fields."""

    kind: str
    data: dict[str, Any]


PortRecords = dict[str, ItemRecord | list[ItemRecord] | None]


class TaskSpec(BaseModel):
    """One task, or (with `batch`) one batch of an accumulator.

    Attributes:
        protocols: The site's folder of own protocols, or None.
        code: Digest of the protocol's source file, to be sure that this code is recorded with the result.
        path: The acquisition's name followed by the key of the inputs.
        session: Absolute path of the session's folder.
        work: Where to write, relative to the session's folder; made anew.
        destination: Where the files will lie, likewise.
        log: File for the task's log, likewise; made only when there is something to say.
        seed: Digest of the run's revision and of the inputs.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    protocol: str
    protocols: str | None = None
    code: str = ""
    params: dict[str, Any] = {}
    inputs: PortRecords = {}
    path: Key
    session: str
    work: str
    destination: str
    log: str
    seed: str
    cpus: int = 1
    device: str = "cpu"
    batch: "BatchSpec | None" = None


class BatchSpec(BaseModel):
    """What is folded into which version; `before` is the folder of the version before, if any."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    before: str | None
    added: list[PortRecords]
    removed: list[PortRecords]


class Result(BaseModel):
    """How a task ended.

    Attributes:
        status: `no_space` is a full disk, which is nobody's fault but ends no exposure.
        outputs: By output name, when it is done.
        reason: Why it was rejected or failed, in one line.
        files: Whether the work folder holds anything.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    status: Literal["done", "rejected", "failed", "no_space"]
    outputs: dict[str, ItemRecord] = {}
    reason: str = ""
    files: bool = False


def execute(spec: TaskSpec) -> Result:
    """Run the task that `spec` describes, and say how it ended; never raises for what a protocol does."""
    session = Path(spec.session)
    work = session / spec.work
    try:
        work.mkdir(parents=True, exist_ok=True)
        with _log_to(session / spec.log, session / crash_file(spec.work)) as log:
            return _run(spec, work, log)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            program = str(error) if isinstance(error, NoSpaceForProgram) else None
            return Result(status="no_space", reason=program or f"No space is left for {work}.")
        return Result(status="failed", reason=f"{type(error).__name__}: {error}")


def _run(spec: TaskSpec, work: Path, log: logging.Logger) -> Result:
    task = Task(
        key=spec.path,
        folder=work,
        destination=spec.destination,
        session=Path(spec.session),
        site=Path(spec.protocols).parent if spec.protocols else None,
        seed=spec.seed,
        device=spec.device,
        cpus=spec.cpus,
        log=log,
    )
    try:
        registry = current_registry(Path(spec.protocols) if spec.protocols else None)
        if spec.protocol not in registry:
            why = registry.broken.get(spec.protocol, "it is not installed where the task ran")
            return Result(status="failed", reason=f"The protocol {spec.protocol} cannot be loaded: {why}.")
        kind = registry[spec.protocol]
        if spec.code and code_digest(kind) != spec.code:
            return Result(status="failed", reason=CHANGED.format(spec.protocol))
        protocol = kind(kind.Params.model_validate(spec.params))
        with threads(spec.cpus):
            produced = _call(protocol, spec, task)
        outputs = _outputs(type(protocol), produced)
        return Result(status="done", outputs=outputs, files=_sync(work))
    except Rejected as rejected:
        return Result(status="rejected", reason=str(rejected) or "rejected without a reason")
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
        return _failure(error, log, _if_removed(error, task.session))
    except Exception as error:  # whatever a protocol does wrong fails this task and nothing else
        return _failure(error, log)


def _if_removed(error: OSError, session: Path) -> str:
    """Say how to bring a missing file back where a rule of retention removed it."""
    if not isinstance(error, FileNotFoundError) or not error.filename:
        return ""
    from eucentric.engine.retention import removed_by  # with the database's library, which workers do without

    path = os.path.relpath(os.fsdecode(error.filename), session)
    if (rule := removed_by(session, path)) is None:
        return ""
    run, exposure = path.split("/")[1], "/".join(path.split("/")[3:5])
    return (
        f"The retention rule {rule} removed {path}; bring it back with"
        f" `eucentric recompute {session.name} {run} {exposure} --restore`, then retry."
    )


def _failure(error: BaseException, log: logging.Logger, explained: str = "") -> Result:
    log.error("%s", "".join(traceback.format_exception(error)))
    if explained:
        return Result(status="failed", reason=explained)
    says = " ".join(str(error).split()) or "no message"
    return Result(status="failed", reason=f"{type(error).__name__}: {says}"[:2000])


def _call(protocol: Protocol, spec: TaskSpec, task: Task) -> Any:
    kinds = {name: port.kind for name, port in ports_of(type(protocol)).inputs.items()}
    if spec.batch is None:
        return protocol.process(**_items(spec.inputs, kinds), task=task)
    assert isinstance(protocol, Accumulator)
    state = None
    if spec.batch.before is not None:
        record = json.loads((Path(spec.session) / spec.batch.before / STATE_FILE).read_text())
        state = Item.kinds[record["kind"]].model_validate(record["data"])
    added = [protocol.Entry(**_items(entry, kinds)) for entry in spec.batch.added]
    removed = [protocol.Entry(**_items(entry, kinds)) for entry in spec.batch.removed]
    state, output = protocol.update(state, added, removed, task)
    (task.folder / STATE_FILE).write_text(json.dumps(record_of(state)))
    return output


def _items(records: PortRecords, kinds: dict[str, type[Item]]) -> dict[str, Any]:
    """Return the arguments for all ports; those without a record are None."""
    found: dict[str, Any] = dict.fromkeys(kinds)
    for port, record in records.items():
        if isinstance(record, list):
            found[port] = [item_of(each, kinds[port]) for each in record]
        elif record is not None:
            found[port] = item_of(record, kinds[port])
    return found


def item_of(record: ItemRecord, kind: type[Item] = Item) -> Item:
    """Return the item that `record` holds; `kind` is what it is when its own kind is not known here.

    Raises:
        UnknownItem: It is of a kind that nothing installed here declares, and `kind` does not say more.
    """
    try:
        kind = item_kind(record["kind"])
    except UnknownItem:
        if kind is Item:
            raise
    return kind.model_validate(record["data"])


def record_of(item: Item) -> ItemRecord:
    """Return `item` as it travels; defaults are left out."""
    return {"kind": item.kind, "data": item.model_dump(mode="json", exclude_defaults=True)}


def _outputs(protocol: type[Protocol], produced: Any) -> dict[str, ItemRecord]:
    """Return what was made by output; nothing where an accumulator lets stand what there is."""
    if produced is None and issubclass(protocol, Accumulator):
        return {}
    declared = ports_of(protocol).outputs
    values = produced._asdict() if hasattr(produced, "_asdict") else dict.fromkeys(declared, produced)
    for name, kind in declared.items():
        if not isinstance(values.get(name), kind):
            raise TypeError(
                f"{protocol.name} returned {type(values.get(name)).__name__} as its output {name};"
                f" it declares {kind.__name__}"
            )
    return {name: record_of(values[name]) for name in declared}


def _sync(folder: Path) -> bool:
    """Force all files of `folder`, and their names, to disk; say whether there were any."""
    if not any(folder.iterdir()):
        return False
    for base, _, names in os.walk(folder):
        for name in names:
            _fsync(Path(base) / name)
        _fsync(Path(base))
    return True


def _fsync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def _log_to(file: Path, crash: Path) -> Iterator[logging.Logger]:
    """Give a logger that writes to `file`, made with its first line; a crash leaves its stack in `crash`."""
    file.parent.mkdir(parents=True, exist_ok=True)
    log = logging.getLogger(f"eucentric.task.{threading.get_ident()}")
    log.setLevel(logging.INFO)
    log.propagate = False
    handler = logging.FileHandler(file, delay=True, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    log.addHandler(handler)
    try:
        with _stack_to(crash):
            yield log
    finally:
        log.removeHandler(handler)
        handler.close()


@contextlib.contextmanager
def _stack_to(crash: Path) -> Iterator[None]:
    """Let a crash of the process write its stack to `crash`, unless somebody else has asked for it."""
    if faulthandler.is_enabled():
        yield
        return
    with crash.open("w") as stream:
        faulthandler.enable(stream)
        try:
            yield
        finally:
            faulthandler.disable()
    crash.unlink(missing_ok=True)


@contextlib.contextmanager
def threads(count: int) -> Iterator[None]:
    """Let torch, Numba and scipy's FFT use `count` threads, as far as they are loaded, and BLAS one.

    The threads of NumPy's BLAS wait in a loop for the next product, and those of protocols are small: fitting
    a CTF spent ten times as long in them with two threads as with one.
    """
    if (torch := sys.modules.get("torch")) is not None:
        torch.set_num_threads(count)
    if (numba := sys.modules.get("numba")) is not None:
        numba.set_num_threads(min(count, numba.config.NUMBA_NUM_THREADS))
    with contextlib.ExitStack() as stack:
        stack.enter_context(threadpool_limits(1, user_api="blas"))
        if (fft := sys.modules.get("scipy.fft")) is not None:
            stack.enter_context(fft.set_workers(count))
        yield
