"""Workflows: runs and the streams between them, as JSON; checked before anything is computed."""

import json
from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from eucentric.engine.graph import Graph, Need, Plan, Port, Stream
from eucentric.engine.ports import InputPort, ports_of
from eucentric.engine.protocol import Accumulator, Protocol, Source
from eucentric.engine.registry import Registry, station_of

RunName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=100)]
StreamName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]+\.[a-z0-9_]+$")]


class RunSpec(BaseModel):
    """One run: a protocol placed in a workflow, its parameters, and what feeds its inputs."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    protocol: str = Field(description="Name of the protocol.")
    params: dict[str, Any] = Field(
        default_factory=dict, description="Parameters that differ from the default."
    )
    inputs: dict[str, StreamName | list[StreamName]] = Field(
        default_factory=dict,
        description="For every input port the stream `run.output`, or a list of streams.",
    )


class Workflow(BaseModel):
    """Runs and the streams between them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: RunName
    description: str = ""
    runs: dict[RunName, RunSpec]


class WorkflowError(ValueError):
    """A workflow that cannot run; `problems` says everything that is wrong with it."""

    def __init__(self, problems: list[str], name: str = "workflow") -> None:
        self.problems = problems
        super().__init__(f"The {name} cannot run: " + " ".join(problems))


def read_workflow(path: Path) -> Workflow:
    """Read a workflow from a JSON file.

    Raises:
        WorkflowError: The file is not JSON, or not a workflow; the message names every place.
    """
    try:
        return Workflow.model_validate_json(path.read_bytes())
    except ValidationError as error:
        problems = [
            f"{'.'.join(str(part) for part in problem['loc']) or 'The document'}: {problem['msg']}."
            for problem in error.errors()
        ]
        raise WorkflowError(problems, f"workflow {path}") from error


def workflow_schema() -> dict[str, Any]:
    """Return the JSON Schema that every workflow document keeps."""
    schema = Workflow.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def dump_workflow(workflow: Workflow) -> str:
    """Return the workflow as indented JSON."""
    return json.dumps(workflow.model_dump(exclude_defaults=True), indent=2, ensure_ascii=False) + "\n"


def compile_workflow(workflow: Workflow, registry: Registry) -> Graph:
    """Check the workflow against the protocols and return it as the scheduler sees it.

    Raises:
        WorkflowError: With one sentence for each unknown protocol, wrong parameter, unknown or missing
            port, wrong type, wrong level, or cycle.
    """
    problems: list[str] = []
    protocols = _protocols(workflow, registry, problems)
    if not problems:
        for name, spec in workflow.runs.items():
            problems += _check_params(name, spec, protocols[name])
            problems += _check_wiring(name, spec, protocols)
    if problems:
        raise WorkflowError(problems)
    graph: Graph = {}
    for name in _in_order(workflow):
        graph[name] = _plan(name, workflow.runs[name], protocols[name], graph)
    return graph


def _protocols(workflow: Workflow, registry: Registry, problems: list[str]) -> dict[str, type[Protocol]]:
    found: dict[str, type[Protocol]] = {}
    for name, spec in workflow.runs.items():
        if spec.protocol in registry:
            found[name] = registry[spec.protocol]
        elif spec.protocol in registry.broken:
            problems.append(
                f"Run {name}: the protocol {spec.protocol} cannot be loaded"
                f" ({registry.broken[spec.protocol]})."
            )
        else:
            problems.append(
                f"Run {name}: there is no protocol {spec.protocol}; there are {', '.join(registry)}; install"
                " the plug-in if one has it."
            )
    return found


def _check_params(name: str, spec: RunSpec, protocol: type[Protocol]) -> list[str]:
    try:
        protocol.Params.model_validate(spec.params)
    except ValidationError as error:
        return [
            f"Run {name}: parameter {'.'.join(str(part) for part in problem['loc']) or 'set'}:"
            f" {problem['msg']}."
            for problem in error.errors()
        ]
    return []


def _check_wiring(name: str, spec: RunSpec, protocols: Mapping[str, type[Protocol]]) -> list[str]:
    problems = []
    ports = ports_of(protocols[name]).inputs
    for unknown in sorted(set(spec.inputs) - set(ports)):
        has = f"its inputs are {', '.join(ports)}" if ports else "it takes none"
        problems.append(f"Run {name}: {spec.protocol} has no input {unknown}; {has}.")
    for port_name, port in ports.items():
        if port_name not in spec.inputs:
            if not port.optional:
                problems.append(f"Run {name}: the input {port_name} ({port.kind.__name__}) is not connected.")
            continue
        wired = spec.inputs[port_name]
        if isinstance(wired, list) and not port.several:
            problems.append(f"Run {name}: the input {port_name} takes one stream, not a list.")
            continue
        for stream in [wired] if isinstance(wired, str) else wired:
            problems += _check_stream(name, port_name, port, stream, protocols)
    return problems


def _check_stream(
    name: str, port_name: str, port: InputPort, stream: str, protocols: Mapping[str, type[Protocol]]
) -> list[str]:
    run, output = stream.split(".")
    if run not in protocols:
        return [f"Run {name}: the input {port_name} wants {stream}, but there is no run {run}."]
    outputs = ports_of(protocols[run]).outputs
    if output not in outputs:
        return [
            f"Run {name}: the input {port_name} wants {stream}, but {run} has no output {output};"
            f" it has {', '.join(outputs)}."
        ]
    if not issubclass(outputs[output], port.kind):
        return [
            f"Run {name}: the input {port_name} takes {port.kind.__name__}, but {stream} gives"
            f" {outputs[output].__name__}."
        ]
    return []


def _in_order(workflow: Workflow) -> list[str]:
    sorter: TopologicalSorter[str] = TopologicalSorter()
    for name, spec in workflow.runs.items():
        sorter.add(name, *(stream.run for streams in _streams(spec).values() for stream in streams))
    try:
        return list(sorter.static_order())
    except CycleError as error:
        raise WorkflowError([f"The runs {' → '.join(error.args[1])} feed each other in a circle."]) from error


def _streams(spec: RunSpec) -> dict[str, tuple[Stream, ...]]:
    return {
        port: tuple(Stream(*stream.split(".")) for stream in ([wired] if isinstance(wired, str) else wired))
        for port, wired in spec.inputs.items()
    }


def _plan(name: str, spec: RunSpec, protocol: type[Protocol], graph: Graph) -> Plan:
    station, declared = station_of(protocol), ports_of(protocol)
    ports = {}
    for port, streams in _streams(spec).items():
        levels = {graph[stream.run].levels[stream.output] for stream in streams}
        if len(levels) > 1:
            raise WorkflowError(
                [
                    f"Run {name}: the streams of the input {port} must all belong to exposures, or all to the"
                    " acquisition."
                ]
            )
        if levels:
            kind = declared.inputs[port]
            ports[port] = Port(streams, levels.pop(), kind.several, kind.optional)
    level = max((port.level for port in ports.values()), default=0)
    if station == "source" and issubclass(protocol, Source):
        levels_out = dict(protocol.levels)
        level = max(levels_out.values())
    else:
        levels_out = dict.fromkeys(declared.outputs, 0 if station == "accumulator" else level)
    resources = protocol.resources
    return Plan(
        name=name,
        station=station,
        ports=ports,
        outputs=tuple(declared.outputs),
        level=level,
        levels=levels_out,
        need=Need(resources.cpus, int(resources.memory), resources.gpus),
        most=protocol.most if issubclass(protocol, Accumulator) else 1,
    )
