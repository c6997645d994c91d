"""What a task for one path of one run would be made from now: questions that change nothing."""

from collections.abc import Mapping
from typing import Final, Literal

from eucentric.engine.scheduler.events import Inputs, Path
from eucentric.engine.scheduler.records import Feed, RunRecord, Signature

Verdict = Literal["wait", "skip"]
WAIT: Final = "wait"
"""An input has no answer yet."""
SKIP: Final = "skip"
"""There is nothing to make: a required input's answer is that there is none."""


def wanted(run: RunRecord, path: Path, epochs: Mapping[int, int]) -> Signature | Verdict:
    """Return what a task for `path` would be made from now, or WAIT, or SKIP.

    `epochs` holds the epoch of every acquisition-level item (see `Signature`).
    """
    signature: list[int | tuple[int, ...]] = []
    waits = False
    for feed in run.feeds:
        at = path if feed.full else path[: feed.length]
        if feed.several:
            answers = [answers.get(at) for answers in feed.answers]
            if None in answers:
                waits = True
            elif not any(answers):
                return SKIP
            signature.append(tuple(_sign(feed, answer, epochs) for answer in answers if answer))
            continue
        answer = feed.answers[0].get(at)
        if not feed.optional:
            if answer == 0:
                return SKIP
            waits = waits or answer is None
        signature.append(_sign(feed, answer or 0, epochs))
    return WAIT if waits else tuple(signature)


def signature_of(run: RunRecord, inputs: Inputs, epochs: Mapping[int, int]) -> Signature:
    """Return what `wanted` gave when these inputs were the answers."""
    signature: list[int | tuple[int, ...]] = []
    for feed in run.feeds:
        used = inputs.get(feed.name)
        if isinstance(used, list):
            signature.append(tuple(_sign(feed, each, epochs) for each in used))
        else:
            signature.append(_sign(feed, used or 0, epochs))
    return tuple(signature)


def _sign(feed: Feed, item: int, epochs: Mapping[int, int]) -> int:
    return -epochs.get(item, 0) if item and feed.by_epoch else item


def inputs_of(run: RunRecord, path: Path) -> Inputs:
    """Return the numbers of the items that a task for `path` takes in now."""
    inputs: Inputs = {}
    for feed in run.feeds:
        at = path[: feed.length]
        if feed.several:
            inputs[feed.name] = [answers[at] for answers in feed.answers if answers[at]]
        else:
            inputs[feed.name] = feed.answers[0].get(at) or None
    return inputs


def lacks_what_comes(run: RunRecord, path: Path) -> bool:
    """Say whether an optional input is missing that is being made: it is worth waiting for."""
    for feed in run.feeds:
        if feed.optional:
            at = path[: feed.length]
            if feed.answers[0].get(at) is None and _is_coming(feed.producers[0], at):
                return True
    return False


def _is_coming(run: RunRecord, path: Path) -> bool:
    """Say whether a run will have an answer for `path` once what can be computed now has been.

    A source and an accumulator promise nothing.
    """
    if run.plan.station != "exposure":
        return False
    node = run.nodes.get(path)
    if node is not None and node.answer is not None:
        return False
    missing = [
        (producer, path[: feed.length])
        for feed in run.feeds
        if not feed.optional
        for producer, answers in zip(feed.producers, feed.answers, strict=True)
        if answers.get(path[: feed.length]) is None
    ]
    if not missing:
        return node is not None
    return all(_is_coming(producer, at) for producer, at in missing)
