"""`eucentric metadata`: what is known of files of a microscope, where it is from, and what is missing."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from eucentric.cli.errors import CommandFailed
from eucentric.cli.sites import JsonOption, SiteOption, find_site

if TYPE_CHECKING:
    from eucentric.metadata.parameters import Target
    from eucentric.metadata.records import SessionRecord
    from eucentric.microscope.gather import Gathering
    from eucentric.store import Site


MOST_REASONS = 3
"""Sentences that are told where nothing could be read."""


def command(
    paths: Annotated[list[Path], typer.Argument(metavar="FILE_OR_FOLDER...", help="What to read.")],
    to: Annotated[
        str | None,
        typer.Option("--to", help="What one repository asks for: empiar, emdb, pdb, oscem or zenodo."),
    ] = None,
    instrument: Annotated[
        str | None, typer.Option(help="The instrument, as the site's registry calls it.")
    ] = None,
    set_: Annotated[
        list[str],
        typer.Option("--set", metavar="TERM=VALUE", help="What you know, as grid.name=3A; may be repeated."),
    ] = [],  # noqa: B006
    watch: Annotated[bool, typer.Option("--watch", help="Follow what comes, until Ctrl-C.")] = False,
    as_json: JsonOption = False,
    site: SiteOption = None,
) -> None:
    """Show what is known of a microscope's files or a session's folder, with where each value is from.

    For each of the 38 parameters that repositories ask for it says whether a file or the site's registry of
    instruments tells it, or who still has to give it.
    """
    from eucentric.metadata.parameters import TARGETS

    if to is not None and to not in TARGETS:
        raise CommandFailed(f"There is no target {to}; there are {', '.join(TARGETS)}.")
    if watch and as_json:
        raise CommandFailed("--watch follows on the screen; leave out --json.")
    gathering = _gathering(paths, instrument, set_, site)
    target: Any = to
    if watch:
        from eucentric.cli.metadata_watch import follow

        follow(gathering, lambda record: _tables(record, target))
        return
    record = _read(gathering, paths)
    if not record.acquisitions and not record.refused:
        raise CommandFailed(f"Nothing in {paths[0]} is known to hold metadata of a microscope.")
    if as_json:
        typer.echo(json.dumps(as_data(record, target), indent=2, ensure_ascii=False))
    elif record.acquisitions:
        _print(record, target)
    else:
        raise CommandFailed(" ".join(record.refused[:MOST_REASONS]))


def _gathering(paths: list[Path], instrument: str | None, given: list[str], site: Path | None) -> "Gathering":
    from eucentric.microscope.gather import Gathering, roots_of

    place = _site(site)
    registry = place.instruments if place else {}
    if instrument is not None and instrument not in registry:
        known = ", ".join(registry) or "none"
        raise CommandFailed(f"The registry has no instrument {instrument}; there are {known}.")
    rules = place.settings.paths if place else {}
    gathering = Gathering(roots_of(paths), registry, instrument=instrument, rules=rules)
    _give(gathering, given)
    return gathering


def _site(folder: Path | None) -> "Site | None":
    """Return the site, or the nearest; None where there is none and none was asked for."""
    try:
        return find_site(folder)
    except CommandFailed:
        return None


def _give(gathering: "Gathering", given: list[str]) -> None:
    from eucentric.metadata.readings import Collector, Findings
    from eucentric.microscope.given_readings import give

    collector = Collector("operator", "")
    for each in given:
        term, equals, value = each.partition("=")
        if not equals:
            raise CommandFailed(f"{each!r} gives no value; write TERM=VALUE, as grid.name=3A.")
        give(collector, "--set", term.strip(), value.strip())
    if collector.refused:
        raise CommandFailed(collector.refused[0].removeprefix(": ").capitalize())
    if collector.readings:
        gathering.knowledge.add("--set", Findings("given by people", collector.taken()))


def _read(gathering: "Gathering", paths: list[Path]) -> "SessionRecord":
    from eucentric.microscope.gather import files_in

    for path in paths:
        path.stat()
        for file in files_in(path):
            gathering.take(file, asked=file == path)
    return gathering.record()


def as_data(record: "SessionRecord", target: "Target | None") -> dict[str, Any]:
    """Return a record, with how it stands with the parameters of each acquisition, as data for JSON."""
    from eucentric.metadata.parameters import statuses

    data = record.model_dump(mode="json", exclude_none=True)
    for known, acquisition in zip(record.acquisitions, data["acquisitions"], strict=True):
        acquisition["parameters"] = [
            {
                "name": each.name,
                "terms": [term.name for term in each.terms],
                "known": each.known,
                "source": each.source,
                "given_by": [] if each.known else list(each.by),
                "needed": dict(each.need),
            }
            for each in statuses(known)
            if target is None or each.need[target] != "not asked"
        ]
    return data


def _print(record: "SessionRecord", target: "Target | None") -> None:
    from eucentric.cli.output import console

    printer = console()
    for part in _tables(record, target):
        printer.print(part, soft_wrap=isinstance(part, str))


def _tables(record: "SessionRecord", target: "Target | None") -> list[Any]:
    from eucentric.cli.metadata_tables import tables

    return tables(record, target)
