"""Workflows in a line or two: runs by name, wired by "run", "run.output" or, where optional, "run?"."""

from dataclasses import replace

from eucentric.engine.graph import Need, Plan, Port, Stream

SMALL = Need(memory=1)


def source(name: str = "movies", **outputs: int) -> Plan:
    """A source; `outputs` gives the level of each, by default movies of single exposures."""
    levels = outputs or {"out": 1}
    return Plan(name, "source", {}, tuple(levels), max(levels.values()), levels)


def step(name: str, need: Need = SMALL, outputs: tuple[str, ...] = ("out",), **wires: object) -> Plan:
    """An exposure-level run. A wire is "run" or "run.output", "run?" where optional, or a list of wires."""
    return Plan(name, "exposure", _ports(wires), outputs, need=need)


def fold(name: str, most: int = 1000, need: Need = SMALL, **wires: object) -> Plan:
    """An accumulator."""
    return Plan(name, "accumulator", _ports(wires), ("out",), need=need, most=most)


def _ports(wires: dict[str, object]) -> dict[str, Port]:
    ports = {}
    for name, wire in wires.items():
        several = isinstance(wire, list)
        texts = [str(each) for each in wire] if isinstance(wire, list) else [str(wire)]
        streams = [[*text.rstrip("?").split("."), "out"][:2] for text in texts]
        optional = texts[0].endswith("?") if texts else False
        ports[name] = Port(tuple(Stream(*stream) for stream in streams), 0, several, optional)
    return ports


def wire(*plans: Plan) -> list[Plan]:
    """Fill in the levels of ports, runs and outputs."""
    levels: dict[Stream, int] = {}
    wired = []
    for plan in plans:
        if plan.station != "source":
            ports = {name: replace(port, level=levels[port.streams[0]]) for name, port in plan.ports.items()}
            level = max(port.level for port in ports.values())
            out = 0 if plan.station == "accumulator" else level
            plan = replace(plan, ports=ports, level=level, levels=dict.fromkeys(plan.outputs, out))
        levels.update({Stream(plan.name, output): level for output, level in plan.levels.items()})
        wired.append(plan)
    return wired
