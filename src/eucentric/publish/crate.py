"""A session's processing as a Workflow Run RO-Crate: what was run, on what, by whom, and what came of it.

Source: the profiles Workflow Run RO-Crate 0.5 (Leo et al. (2024), PLoS ONE 19, e0309210) and RO-Crate 1.1.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from eucentric.publish.description import Description, Person

CONTEXT = (
    "https://w3id.org/ro/crate/1.1/context",
    "https://w3id.org/ro/terms/workflow-run/context",
)
_PROFILES = (
    ("https://w3id.org/ro/wfrun/process/0.5", "Process Run Crate", "0.5"),
    ("https://w3id.org/ro/wfrun/workflow/0.5", "Workflow Run Crate", "0.5"),
    ("https://w3id.org/workflowhub/workflow-ro-crate/1.0", "Workflow RO-Crate", "1.0"),
)
_LICENCES = "https://spdx.org/licenses/"


@dataclass(frozen=True)
class CrateFile:
    """A file of the crate.

    Attributes:
        path: Relative to the crate.
        name: For people.
        bytes: Its size.
        media_type: Such as `application/json`.
        is_result: Whether the processing made it; else it is what was processed.
    """

    path: str
    name: str
    bytes: int
    media_type: str = "application/octet-stream"
    is_result: bool = True


@dataclass(frozen=True)
class ProcessedRun:
    """One run of the workflow.

    Attributes:
        name: In the workflow.
        protocol: Its protocol.
        version: Of the protocol.
        params: Its parameters.
    """

    name: str
    protocol: str
    version: str
    params: Mapping[str, Any]


def run_crate(
    description: Description,
    runs: Sequence[ProcessedRun],
    files: Sequence[CrateFile],
    *,
    workflow: str,
    version: str,
    began: datetime | None = None,
    ended: datetime | None = None,
) -> dict[str, Any]:
    """Return the content of `ro-crate-metadata.json`.

    Args:
        description: What people say; the corresponding author is who ran it.
        runs: The runs of the workflow.
        files: All files of the crate but the workflow and the metadata.
        workflow: Path of the workflow's JSON file within the crate.
        version: Of Eucentric.
        began: When the processing began, with a time zone; None where nobody knows.
        ended: When it ended; what is published without that is of today.
    """
    parameters = [
        (f"#{quote(f'{run.name}.{name}')}", f"{run.name}.{name}", value)
        for run in runs
        for name, value in run.params.items()
        if value is not None
    ]
    agents = [_person(each) for each in description.authors]
    # No file there is that was processed: raw data stay where they are, and are named by the parameters.
    processed = [{"@id": each.path} for each in files if not each.is_result]
    results = [{"@id": each.path} for each in files if each.is_result]
    action = {
        "@id": "#processing",
        "@type": "CreateAction",
        "name": f"Processing of {description.title}",
        "instrument": {"@id": workflow},
        "agent": {"@id": _person(description.corresponding)["@id"]},
        "object": [*processed, *({"@id": f"{key}-value"} for key, _, _ in parameters)],
        "result": results,
        **{
            key: moment.isoformat(timespec="seconds")
            for key, moment in (("startTime", began), ("endTime", ended))
            if moment is not None
        },
        "actionStatus": {"@id": "http://schema.org/CompletedActionStatus"},
    }
    graph = [
        {
            "@id": "ro-crate-metadata.json",
            "@type": "CreativeWork",
            "about": {"@id": "./"},
            "conformsTo": [{"@id": "https://w3id.org/ro/crate/1.1"}, {"@id": _PROFILES[2][0]}],
        },
        _root(description, agents, files, workflow, ended or datetime.now(UTC)),
        *({"@id": key, "@type": "CreativeWork", "name": name, "version": v} for key, name, v in _PROFILES),
        {"@id": f"{_LICENCES}{description.licence}", "@type": "CreativeWork", "name": description.licence},
        *_workflow(workflow, runs, parameters, version),
        action,
        *agents,
        *(_file(each) for each in files),
        *_parameters(parameters),
    ]
    return {"@context": list(CONTEXT), "@graph": graph}


def _root(
    description: Description,
    agents: Sequence[Mapping[str, Any]],
    files: Sequence[CrateFile],
    workflow: str,
    published: datetime,
) -> dict[str, Any]:
    return {
        "@id": "./",
        "@type": "Dataset",
        "name": description.title,
        "description": description.abstract or description.title,
        "datePublished": published.date().isoformat(),
        "license": {"@id": f"{_LICENCES}{description.licence}"},
        "author": [{"@id": each["@id"]} for each in agents],
        "keywords": ", ".join(description.keywords),
        "conformsTo": [{"@id": key} for key, _, _ in _PROFILES],
        "hasPart": [{"@id": workflow}, *({"@id": each.path} for each in files)],
        "mainEntity": {"@id": workflow},
        "mentions": [{"@id": "#processing"}],
    }


def _workflow(
    path: str, runs: Sequence[ProcessedRun], parameters: Sequence[tuple[str, str, Any]], version: str
) -> list[dict[str, Any]]:
    steps = ", ".join(
        f"{run.name} ({run.protocol}{f', version {run.version}' if run.version else ''})" for run in runs
    )
    return [
        {
            "@id": path,
            "@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow"],
            "name": "Workflow of the session",
            "description": f"Its runs: {steps}.",
            "encodingFormat": "application/json",
            "programmingLanguage": {"@id": "#eucentric"},
            "input": [{"@id": key} for key, _, _ in parameters],
        },
        {
            "@id": "#eucentric",
            "@type": ["ComputerLanguage", "SoftwareApplication"],
            "name": "Eucentric",
            "version": version,
            "description": "Workflows of Eucentric: named runs of protocols, and the streams between them.",
        },
    ]


def _parameters(parameters: Sequence[tuple[str, str, Any]]) -> list[dict[str, Any]]:
    entities: list[dict[str, Any]] = []
    for key, name, value in parameters:
        entities.append(
            {
                "@id": key,
                "@type": "FormalParameter",
                "name": name,
                "additionalType": _type(value),
                "conformsTo": {"@id": "https://bioschemas.org/profiles/FormalParameter/1.0-RELEASE"},
            }
        )
        entities.append(
            {
                "@id": f"{key}-value",
                "@type": "PropertyValue",
                "name": name,
                "value": value if isinstance(value, str | int | float | bool) else str(value),
                "exampleOfWork": {"@id": key},
            }
        )
    return entities


def _type(value: Any) -> str:
    if isinstance(value, bool):
        return "Boolean"
    if isinstance(value, int):
        return "Integer"
    return "Float" if isinstance(value, float) else "Text"


def _person(person: Person) -> dict[str, Any]:
    address = f"https://orcid.org/{person.orcid}" if person.orcid else None
    name = f"{person.given_name} {person.family_name}"
    place = person.affiliation.name if person.affiliation else None
    known = {
        "@id": address or f"#{name.replace(' ', '-')}",
        "@type": "Person",
        "name": name,
        "affiliation": place,
    }
    return {key: value for key, value in known.items() if value is not None}


def _file(file: CrateFile) -> dict[str, Any]:
    return {
        "@id": file.path,
        "@type": "File",
        "name": file.name,
        "contentSize": str(file.bytes),
        "encodingFormat": file.media_type,
    }
