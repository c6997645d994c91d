"""Whatever happens in whatever order, the outcome is that of a recomputation from scratch.

`HYPOTHESIS_PROFILE=soak` looks longer.
"""

import os

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from engine.oracle import NONE, Oracle
from engine.replay import Replay
from engine.wiring import fold, source, step
from eucentric.engine import scheduler as ev
from eucentric.engine.graph import Need, Plan

ANY = {
    "deadline": None,
    "print_blob": True,
    "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
}
PROFILES = {
    "default": settings(**ANY, max_examples=600, stateful_step_count=50),
    "soak": settings(**ANY, max_examples=5000, stateful_step_count=60),
}

GPU = Need(cpus=1, memory=1, gpus=1)
WIDE = Need(cpus=3, memory=4)

SHAPES: dict[str, tuple[Plan, ...]] = {
    "diamond": (
        source(),
        step("align", movie="movies"),
        step("ctf", need=GPU, micrograph="align"),
        step("pick", micrograph="align", ctf="ctf"),
        step("export", movie="movies", picks="pick"),
    ),
    "consensus": (
        source(),
        step("align", movie="movies"),
        step("pick-a", need=WIDE, micrograph="align"),
        step("pick-b", micrograph="align"),
        step("agree", picks=["pick-a", "pick-b"]),
        fold("classes", most=2, picks="agree"),
    ),
    "optional": (
        source("movies", out=1, note=1),
        step("align", movie="movies", outputs=("out", "shifts")),
        step("ctf", micrograph="align", note="movies.note"),
        step("report", shifts="align.shifts", ctf="ctf?", note="movies.note?"),
        fold("statistics", most=3, micrograph="align", ctf="ctf?"),
    ),
    "gain": (
        source(),
        source("camera", gain=0),
        step("flip", gain="camera.gain"),
        step("align", movie="movies", gain="flip"),
        step("check", micrograph="align", raw="camera.gain"),
        step("plot", gain="flip", raw="camera.gain"),
        fold("statistics", most=2, micrograph="align", gain="camera.gain?"),
    ),
    "templates": (
        source(),
        step("align", movie="movies"),
        step("blobs", need=GPU, micrograph="align"),
        fold("classes", most=2, picks="blobs"),
        step("choose", classes="classes"),
        step("pick", micrograph="align", templates="choose"),
        fold("again", most=2, picks="pick", earlier="classes?"),
    ),
    "map": (
        source(),
        source("camera", gain=0),
        fold("classes", most=2, movie="movies"),
        step("choose", classes="classes"),
        fold("map", classes="choose", gain="camera.gain?"),
        step("report", map="map"),
    ),
    "latch": (
        source(),
        step("align", movie="movies"),
        fold("classes", most=2, micrograph="align"),
        fold("latch", classes="classes"),
        step("pick", micrograph="align", templates="latch?"),
        step("again", micrograph="align", templates="latch"),
        fold("total", most=2, picks="pick", others="again?"),
    ),
    "series": (
        source("movies", out=2, grid=1, gain=0),
        step("align", movie="movies", gain="movies.gain?", grid="movies.grid"),
        step("map", grid="movies.grid"),
        step("place", micrograph="align", map="map?"),
        fold("statistics", most=2, micrograph="place", map="map"),
    ),
}


@st.composite
def graphs(draw: st.DrawFn) -> tuple[Plan, ...]:
    """A workflow of two sources and up to six runs, wired at random."""
    plans = [source("movies", out=1, note=1), source("camera", gain=0)]
    deep, shallow = ["movies.out", "movies.note"], ["camera.gain"]
    for number in range(draw(st.integers(2, 6))):
        name = f"run-{number}"
        mark = draw(st.sampled_from(["", "", "?"]))
        wires: dict[str, object] = {"one": draw(st.sampled_from(deep))}
        kind = draw(st.sampled_from(["step", "step", "step", "fold", "shallow", "shallow-fold"]))
        if kind.startswith("shallow"):
            wires = {"one": draw(st.sampled_from(shallow))}
        else:
            if draw(st.booleans()):
                wires["two"] = draw(st.sampled_from(deep)) + mark
            if draw(st.booleans()):
                wires["some"] = draw(st.lists(st.sampled_from(deep), min_size=2, max_size=3, unique=True))
            if draw(st.integers(0, 2)) == 0:
                wires["all"] = draw(st.sampled_from(shallow)) + mark
        need = draw(st.sampled_from([Need(memory=1), GPU, WIDE]))
        if kind.endswith("fold"):
            plans.append(fold(name, most=draw(st.integers(1, 3)), need=need, **wires))
        else:
            plans.append(step(name, need=need, **wires))
        (deep if kind == "step" else shallow).append(f"{name}.out")
    return tuple(plans)


class Days(RuleBasedStateMachine):
    """A session in which anything may happen at any time."""

    @initialize(
        plans=st.one_of(st.sampled_from(list(SHAPES.values())), graphs()),
        kept_back=st.integers(0, 1),
        workers=st.integers(1, 3),
        gpus=st.integers(0, 1),
        forgets=st.booleans(),
    )
    def begin(self, plans: tuple[Plan, ...], kept_back: int, workers: int, gpus: int, forgets: bool) -> None:
        self.later = list(plans[len(plans) - kept_back :])
        self.replay = Replay(*plans[: len(plans) - kept_back], workers=workers, gpus=gpus, cpus=4, memory=6)
        self.replay.journal.forgets = forgets
        self.lost: dict[tuple[str, str, str], None] = {}

    # ---------------------------------------------------------------- the world

    @rule(
        data=st.data(), acquisition=st.sampled_from("ab"), number=st.integers(0, 3), trouble=st.integers(0, 9)
    )
    def arrive(self, data: st.DataObject, acquisition: str, number: int, trouble: int) -> None:
        streams = [
            (f"{plan.name}.{output}", level)
            for plan in self.replay.plans
            if plan.station == "source"
            for output, level in plan.levels.items()
        ]
        stream, level = data.draw(st.sampled_from(streams))
        key = ["", f"{number}", f"{number % 2}/{number}"][level]
        self.lost.pop((stream, acquisition, key), None)
        self.replay.arrive(key, stream=stream, acquisition=acquisition, trouble=trouble == 0)

    @precondition(lambda self: self.lost)
    @rule(data=st.data(), gone=st.integers(0, 4))
    def find_again(self, data: st.DataObject, gone: int) -> None:
        lost = data.draw(st.sampled_from(list(self.lost)))
        self._find_again(lost, gone == 0)

    def _find_again(self, lost: tuple[str, str, str], gone: bool = False) -> None:
        del self.lost[lost]
        self.replay.arrive(lost[2], stream=lost[0], acquisition=lost[1], trouble=gone)

    # ---------------------------------------------------------------- the workers

    @precondition(lambda self: self.replay.running)
    @rule(data=st.data(), how=st.sampled_from(["done"] * 7 + ["failed", "rejected", "died", "interrupted"]))
    def end(self, data: st.DataObject, how: str) -> None:
        ticket = data.draw(st.sampled_from(list(self.replay.running)))
        match how:
            case "done":
                self.replay.done(ticket)
            case "died":
                self.replay.die(ticket)
            case "interrupted":
                self.replay.interrupt(ticket)
            case _:
                batch = isinstance(self.replay.running[ticket], ev.StartBatch)
                self.replay.fail(ticket, rejected=how == "rejected" and not batch)

    @rule(count=st.integers(1, 12))
    def work(self, count: int) -> None:
        for _ in range(count):
            if self.replay.running:
                self.replay.done(min(self.replay.running))

    @rule(workers=st.integers(0, 3), gpus=st.integers(0, 2), cpus=st.integers(1, 5), memory=st.integers(1, 6))
    def change_workers(self, workers: int, gpus: int, cpus: int, memory: int) -> None:
        self.replay.set_workers(workers, gpus, cpus, memory)

    @rule(held=st.booleans())
    def hold(self, held: bool) -> None:
        self.replay.tell(ev.Hold() if held else ev.Release())

    # ---------------------------------------------------------------- people

    def _draw_place(self, data: st.DataObject) -> tuple[str, str, list[str]]:
        plan = data.draw(st.sampled_from(self.replay.plans))
        acquisition = data.draw(st.sampled_from("ab"))
        numbers = data.draw(st.lists(st.integers(0, 3), min_size=1, max_size=4, unique=True))
        level = data.draw(st.sampled_from(sorted(set(plan.levels.values())))) if plan.levels else plan.level
        level = plan.level if plan.station == "accumulator" else level
        keys = [["", f"{number}", f"{number % 2}/{number}"][level] for number in numbers]
        return plan.name, acquisition, list(dict.fromkeys(keys))

    @rule(data=st.data())
    def withdraw(self, data: st.DataObject) -> None:
        run, acquisition, keys = self._draw_place(data)
        self.replay.withdraw(run, *keys, acquisition=acquisition)

    @precondition(lambda self: self.replay.journal.withdrawn)
    @rule(data=st.data())
    def restore(self, data: st.DataObject) -> None:
        run, path = data.draw(st.sampled_from(list(self.replay.journal.withdrawn)))
        self.replay.restore(run, "/".join(path[1:]), acquisition=path[0])

    @rule(data=st.data())
    def revise(self, data: st.DataObject) -> None:
        plan = data.draw(st.sampled_from(self.replay.plans))
        if plan.station == "source":
            for run, output, path in (*self.replay.journal.live, *self.replay.journal.troubles):
                if run == plan.name:
                    self.lost[f"{run}.{output}", path[0], "/".join(path[1:])] = None
        goes_on = plan.station == "accumulator" and data.draw(st.booleans())
        self.replay.revise(plan.name, goes_on)

    @rule(data=st.data())
    def retry(self, data: st.DataObject) -> None:
        self.replay.retry(data.draw(st.sampled_from(self.replay.plans)).name)

    @precondition(lambda self: self.later)
    @rule()
    def extend(self) -> None:
        self.replay.extend(self.later.pop())

    @rule()
    def crash(self) -> None:
        self.replay.crash()

    # ---------------------------------------------------------------- what must be true

    @invariant()
    def nothing_is_twice_in_an_accumulator(self) -> None:
        for plan in self.replay.plans:
            if plan.station == "accumulator":
                for path, group in self.replay.scheduler.runs[plan.name].groups.items():
                    included = self.replay.journal.included(plan.name, path[0])
                    assert {each: entry[1] for each, entry in group.included.items()} == included

    @invariant()
    def what_descends_from_the_withdrawn_is_gone(self) -> None:
        oracle = Oracle(self.replay, rejections=False)
        for (run, output, path), row in self.replay.journal.live.items():
            if row.state == "current" and self.replay.plan(run).station != "accumulator":
                assert oracle.result(run, output, path, False) != NONE, f"{row} is still there"

    @invariant()
    def a_restart_knows_the_same(self) -> None:
        if self.replay.journal.forgets:
            return  # some of it is made again
        again = ev.Scheduler(self.replay.plans, self.replay.journal.memory())
        for name, run in self.replay.scheduler.runs.items():
            assert again.runs[name].answers == run.answers
            assert again.runs[name].revision == run.revision
            assert again.runs[name].first == run.first

    def teardown(self) -> None:
        """Let everything come to its end, and compare with a recomputation."""
        if not hasattr(self, "replay"):
            return
        replay = self.replay
        for plan in self.later:
            replay.extend(plan)
        for lost in list(self.lost):
            self._find_again(lost)
        replay.tell(ev.Release())
        replay.set_workers(2, 1, 4, 6)
        replay.finish_all()
        for plan in replay.plans:
            replay.retry(plan.name)
            replay.finish_all()
        self._compare()
        replay.crash()
        assert not replay.running
        self._compare()

    def _compare(self) -> None:
        """What is there is what should be; where an input is yet to come again, old results may stay."""
        replay, oracle = self.replay, Oracle(self.replay)
        assert replay.scheduler.idle
        places = [
            (plan.name, output, path)
            for plan in replay.plans
            for output in plan.outputs
            for path in oracle.paths
            if plan.station != "accumulator" and len(path) == plan.levels[output] + 1
        ]
        values = {place: oracle.result(*place, False) for place in places}
        visible = {
            place: row.exact
            for place, row in replay.journal.live.items()
            if row.state == "current" and values.get(place) is not None
        }
        assert visible == {place: value for place, value in values.items() if value not in (None, NONE)}
        for plan in replay.plans:
            if plan.station == "accumulator":
                for acquisition in "ab":
                    self._compare_entries(plan, acquisition, oracle)

    def _compare_entries(self, plan: Plan, acquisition: str, oracle: Oracle) -> None:
        included = self.replay.journal.included(plan.name, acquisition)
        entries = {
            path: self.replay.parts(plan, inputs)
            for path, inputs in included.items()
            if oracle.inputs(plan.name, path, False) is not None
        }
        assert entries == oracle.entries(plan.name, acquisition)


Days.TestCase.settings = PROFILES[os.environ.get("HYPOTHESIS_PROFILE", "default")]
TestAnything = pytest.mark.timeout(3600)(Days.TestCase)  # to make a failure small takes its time
