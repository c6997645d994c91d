"""What an accumulator folds in next: entries to be added, replaced or removed, in batches."""

from collections.abc import Mapping

from eucentric.engine.scheduler.events import Inputs, Path
from eucentric.engine.scheduler.records import Batch, Group, RunRecord, Sending
from eucentric.engine.scheduler.wanted import SKIP, WAIT, inputs_of, lacks_what_comes, wanted


def reconsider_entry(run: RunRecord, group: Group, path: Path, order: int, epochs: Mapping[int, int]) -> None:
    """Work out anew whether the entry for `path` is to be added, replaced or removed."""
    included = group.included.get(path)
    now = SKIP if path in run.withdrawn else wanted(run, path, epochs)
    if now == SKIP:
        changes = included is not None
    elif now == WAIT or (included is not None and included[0] == now):
        changes = False
    else:
        changes = not lacks_what_comes(run, path)
    if changes:
        group.dirty[path] = None
        group.order = max(group.order, order)
    else:
        group.dirty.pop(path, None)


def choose_batch(run: RunRecord, group: Group, epochs: Mapping[int, int]) -> Batch:
    """Take the entries of the next batch, at most `run.plan.most`, and note in `sending` what it brings."""
    added: list[tuple[Path, Inputs]] = []
    removed: list[tuple[Path, Inputs]] = []
    group.sending = {}
    for path in list(group.dirty)[: run.plan.most]:
        now: object = SKIP if path in run.withdrawn else wanted(run, path, epochs)
        if path in group.included:
            removed.append((path, group.included[path][1]))
        if isinstance(now, tuple):
            inputs = inputs_of(run, path)
            group.sending[path] = (now, inputs)
            added.append((path, inputs))
        else:
            group.sending[path] = None
    return added, removed


def fold_in(group: Group, sending: Sending) -> None:
    """Note that a version with what a batch brought is committed."""
    for path, entry in sending.items():
        if entry is None:
            group.included.pop(path, None)
        else:
            group.included[path] = entry


def is_due(run: RunRecord, group: Group) -> bool:
    """Say whether the group's next batch could start: there is one, or a revision is to go on with none."""
    goes_on = group.version > 0 and group.revision != run.revision
    return bool(group.dirty or group.replay or goes_on) and group.ticket is None and not group.failed
