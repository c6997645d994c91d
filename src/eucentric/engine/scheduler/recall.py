"""Going on from what was committed: the past of a session, taken over by a new scheduler."""

from eucentric.engine.scheduler.batches import fold_in
from eucentric.engine.scheduler.flow import Flow
from eucentric.engine.scheduler.memory import Memory
from eucentric.engine.scheduler.records import Group, Sending
from eucentric.engine.scheduler.wanted import signature_of


def recall(flow: Flow, memory: Memory) -> None:
    """Take over what was committed, then work out what is due, upstream runs first."""
    flow.recalling = True
    for name, revision in memory.revisions.items():
        flow.runs[name].revision = revision
        flow.runs[name].first = memory.firsts[name]
    for name, path in memory.withdrawn:
        flow.runs[name].withdrawn.add(path)
    _recall_epochs(flow, memory)
    _recall_items(flow, memory)
    for task in memory.tasks:
        run = flow.runs[task.run]
        node = flow.node(run, task.path)
        node.outcome, node.generation = task.outcome, task.generations
        node.signature = signature_of(run, task.inputs, flow.epochs)
    _recall_batches(flow, memory)
    for run in flow.runs.values():
        flow.catch_up(run)
    flow.recalling = False
    for run in flow.runs.values():
        for path, group in run.groups.items():
            flow.queue_group(run, path, group)


def _recall_epochs(flow: Flow, memory: Memory) -> None:
    for number in sorted(memory.shallow):  # an item is made after those that it is made of
        above = sum(flow.epochs.get(each, 0) for each in memory.made_from.get(number, ()))
        flow.epochs[number] = memory.shallow[number] + above


def _recall_items(flow: Flow, memory: Memory) -> None:
    for name, output, path, number, hidden, revision in memory.items:
        run = flow.runs[name]
        flow.order(path)
        if run.plan.station == "exposure":
            node = flow.node(run, path)
            node.items += (number,)
            node.hidden = hidden
        elif revision == run.first:
            if run.plan.station == "source":
                run.found[output][path] = number
                if hidden:
                    run.hidden.add(number)
            else:
                run.answers[output][path] = number
    for name, output, path in memory.troubles:
        flow.runs[name].found[output].setdefault(path, 0)
        flow.order(path)


def _recall_batches(flow: Flow, memory: Memory) -> None:
    for batch in memory.batches:
        run = flow.runs[batch.run]
        group = run.groups.get(batch.path)
        if group is None:
            group = run.groups[batch.path] = Group(0)
        sending: Sending = {path: None for path, _ in batch.removed}
        for path, inputs in batch.added:
            sending[path] = (signature_of(run, inputs, flow.epochs), inputs)
        group.failed = batch.state == "failed"
        if batch.state == "done":
            group.version, group.revision = batch.version, batch.revision
            fold_in(group, sending)
        elif batch.state != "failed":
            group.replay, group.sending = (batch.added, batch.removed), sending
