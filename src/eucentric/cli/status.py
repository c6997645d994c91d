"""`eucentric status`: what the site's sessions are doing."""

import json
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from eucentric.cli.sites import JsonOption, SiteOption, opened

if TYPE_CHECKING:
    from rich.console import RenderableType

    from eucentric.engine.overview import Failure, SessionOverview
    from eucentric.store import Database, Site


def command(
    session: Annotated[str | None, typer.Argument(help="A session, to look at it closely.")] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Follow it live, until Ctrl-C.")] = False,
    failures: Annotated[int, typer.Option(help="How many recent failures to list.", min=0)] = 10,
    as_json: JsonOption = False,
    site: SiteOption = None,
) -> None:
    """Show all sessions of the site, or one with its runs and what has failed."""
    from eucentric.cli.errors import CommandFailed

    if watch and (session is None or as_json):
        raise CommandFailed("--watch follows one session on the screen; name it, and leave out --json.")
    with opened(site) as (place, database):
        if session is None:
            _list(database, as_json)
        elif watch:
            _watch(place, database, session)
        else:
            _show(place, database, session, failures, as_json)


def _list(database: "Database", as_json: bool) -> None:
    from rich.table import Table

    from eucentric.cli.output import console
    from eucentric.engine.overview import list_sessions

    with database.read() as connection:
        sessions = list_sessions(connection)
    if as_json:
        typer.echo(json.dumps([each.model_dump(mode="json") for each in sessions], indent=2))
        return
    counted = ("running", "rejected", "failed")
    table = Table("session", "made", "engine", "found", *counted, "", box=None, header_style="dim")
    for each in sessions:
        found = max((run.done for run in each.runs if run.source), default=0)
        counts = [str(sum(getattr(run, name) for run in each.runs) or "·") for name in counted]
        table.add_row(each.name, _when(each.created), each.engine, str(found), *counts, each.held or "")
    if sessions:
        console().print(table)
    else:
        typer.echo("This site has no session yet; begin one with `eucentric run`.")


def _when(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).strftime("%Y-%m-%d %H:%M")


def _show(site: "Site", database: "Database", session: str, limit: int, as_json: bool) -> None:
    from eucentric.cli.output import console
    from eucentric.engine.follower import SessionFollower
    from eucentric.engine.sessions import session_id_of
    from eucentric.monitors.alarms import open_alarms
    from eucentric.monitors.results import read_results

    with database.read() as connection:
        follower = SessionFollower(session_id := session_id_of(connection, session))
        follower.update(connection)
        overview, failures = follower.overview(), follower.failures(connection, limit)
        alarms, results = open_alarms(connection, session_id), read_results(connection, session_id)
    if as_json:
        whole = {
            **overview.model_dump(mode="json"),
            "folder": str(site.session_folder(session)),
            "alarms": [asdict(each) for each in alarms],
            "results": results,
            "failures": [each.model_dump(mode="json") for each in failures],
        }
        typer.echo(json.dumps(whole, indent=2, ensure_ascii=False))
        return
    printer = console()
    for alarm in alarms:
        printer.print(f"Alarm {alarm.number}: {alarm.title}: {alarm.message}", soft_wrap=True)
    folder = site.session_folder(session)
    for part in _described(overview, failures, str(folder)):
        printer.print(part, soft_wrap=isinstance(part, str))
    for acquisition, found in results.items():
        for each in found:
            figures = ", ".join(f"{name} {value}" for name, value in each["figures"])
            printer.print(f"{each['title']} of {acquisition}: {figures}", soft_wrap=True)
            if each["path"]:
                printer.print(f"  {folder / each['path']}", soft_wrap=True)


def _described(overview: "SessionOverview", failures: "list[Failure]", folder: str) -> "list[RenderableType]":
    from rich.table import Table

    from eucentric.cli.running import report_of

    engine = f"{overview.engine} ({overview.holder})" if overview.holder else overview.engine
    parts: list[RenderableType] = [f"{overview.name}: engine {engine}; files in {folder}"]
    if (report := report_of(Path(folder))).exists():
        parts.append(f"Report: {report}")
    if overview.held:
        parts.append(f"Held: {overview.held}")
    counted = ("done", "running", "waiting", "rejected", "failed", "withdrawn")
    table = Table("run", "protocol", "revision", *counted, "", box=None, header_style="dim")
    for run in overview.runs:
        counts = [str(getattr(run, name) or "·") for name in counted]
        note = "closed" if run.closed else f"version {run.versions}" if run.versions else ""
        table.add_row(run.name, run.protocol, str(run.revision), *counts, note)
    parts.append(table)
    for failure in failures:
        parts.append(f"{failure.state}: {failure.run} {failure.path}: {failure.reason}")
        if failure.log:
            parts.append(f"  log: {folder}/{failure.log}")
    return parts


def _watch(site: "Site", database: "Database", session: str) -> None:
    import asyncio

    from rich.console import Console

    from eucentric.cli.interrupts import on_interrupt
    from eucentric.cli.looking import keep_looking
    from eucentric.cli.showing import shown_on

    async def watch() -> None:
        loop, stop = asyncio.get_running_loop(), asyncio.Event()

        def end() -> None:
            loop.call_soon_threadsafe(stop.set)

        with on_interrupt(end):
            await keep_looking(site, database, session, view.show, stop)

    with shown_on(Console()) as view:
        asyncio.run(watch())
