"""A model of the journal: what an engine would commit, and what it would read back after a crash.

Every item has a *value* that says what it was made from, so that results can be compared with those of a
recomputation (oracle.py) that knows nothing of schedulers.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from eucentric.engine.graph import Plan
from eucentric.engine.scheduler import BatchMemory, Inputs, Memory, Path, TaskMemory

Value = tuple[object, ...]


@dataclass
class Row:
    """One item in the journal.

    `exact` says what it is, `epoch` forgets which version it is, `lineage` holds the revisions in it.
    """

    number: int
    run: str
    output: str
    path: Path
    revision: int
    exact: Value
    epoch: Value
    lineage: frozenset[tuple[str, int]]
    made_from: tuple[int, ...] = ()
    state: str = "current"


@dataclass
class Journal:
    """What was committed.

    `firsts` holds the first of the revisions that share the present state of a run; a row's revision is that.
    `forgets` says that of every path only the newest task is remembered, be it finished or not.
    """

    plans: list[Plan]
    forgets: bool = False
    rows: dict[int, Row] = field(default_factory=dict)
    live: dict[tuple[str, str, Path], Row] = field(default_factory=dict)
    tasks: dict[tuple[str, Path], TaskMemory] = field(default_factory=dict)
    batches: dict[tuple[str, Path, int], BatchMemory] = field(default_factory=dict)
    troubles: dict[tuple[str, str, Path], None] = field(default_factory=dict)
    withdrawn: dict[tuple[str, Path], None] = field(default_factory=dict)
    revisions: dict[str, int] = field(default_factory=dict)
    firsts: dict[str, int] = field(default_factory=dict)
    folders: set[tuple[str, int, Path, int]] = field(default_factory=set)

    def write(self, row: Row) -> None:
        self.supersede(row.run, row.output, row.path)
        self.rows[row.number] = self.live[row.run, row.output, row.path] = row

    def supersede(self, run: str, output: str, path: Path) -> None:
        if (old := self.live.pop((run, output, path), None)) is not None:
            old.state = "superseded"

    def memory(self) -> Memory:
        """What a scheduler that starts now is given."""
        live = sorted(self.live.values(), key=lambda row: row.number)
        shallow = [row for row in self.rows.values() if len(row.path) == 1]
        return Memory(
            revisions=dict(self.revisions),
            firsts=dict(self.firsts),
            items=[(r.run, r.output, r.path, r.number, r.state == "withdrawn", r.revision) for r in live],
            shallow={row.number: row.revision for row in shallow},
            made_from={row.number: row.made_from for row in shallow if row.made_from},
            troubles=list(self.troubles),
            tasks=list(self.tasks.values()),
            batches=sorted(self.batches.values(), key=lambda batch: batch.version),
            withdrawn=list(self.withdrawn),
        )

    def included(self, run: str, acquisition: str) -> dict[Path, Inputs]:
        """The fold of an accumulator's journal; nothing may come twice or leave before it came."""
        included: dict[Path, Inputs] = {}
        versions = []
        for (name, path, version), batch in sorted(self.batches.items(), key=lambda each: each[0]):
            if (name, path) != (run, (acquisition,)) or batch.state != "done":
                continue
            versions.append(version)
            for each, inputs in batch.removed:
                assert included.pop(each) == inputs, f"{run} removes what was never added: {each}"
            for each, inputs in batch.added:
                assert each not in included, f"{run} adds {each} twice"
                included[each] = inputs
        assert versions == list(range(1, len(versions) + 1))
        return included


def flat(inputs: Inputs) -> Iterator[int]:
    """The numbers of all items in `inputs`."""
    for used in inputs.values():
        yield from used if isinstance(used, list) else [used] if used else []


def path_of(key: str, acquisition: str = "a") -> Path:
    return (acquisition, *key.split("/")) if key else (acquisition,)


def key_of(path: Path) -> str:
    return "/".join(path[1:])
