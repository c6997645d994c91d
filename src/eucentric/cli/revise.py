"""`eucentric revise`: do a run again with other parameters."""

from typing import Annotated

import typer

from eucentric.cli.errors import CommandFailed
from eucentric.cli.sending import RunArgument, SessionArgument, send
from eucentric.cli.sites import SiteOption, opened


def command(
    session: SessionArgument,
    run: RunArgument,
    setting: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="PARAM=VALUE",
            help="A parameter that changes; the others stay. Null is none, such as no threshold. May be"
            " repeated.",
        ),
    ] = None,
    reset: Annotated[
        list[str] | None,
        typer.Option(metavar="PARAM", help="A parameter that takes its default. May be repeated."),
    ] = None,
    site: SiteOption = None,
) -> None:
    """Do a run again, and then all that depends on it; old results stay until new ones replace them."""
    from eucentric.cli.assignments import assignments
    from eucentric.engine.commands import Revise
    from eucentric.engine.recollect import read_runs
    from eucentric.engine.sessions import session_id_of

    with opened(site) as (_, database), database.read() as connection:
        runs = read_runs(connection, session_id_of(connection, session))
    if run not in runs:
        there = f"it has {', '.join(runs)}" if runs else "it gets its runs when it is first continued"
        raise CommandFailed(f"The session {session} has no run {run}; {there}.")
    changed = {**runs[run].params, **assignments(setting or [])}
    params = {name: value for name, value in changed.items() if name not in (reset or [])}
    send(site, session, Revise(run=run, params=params), f"run {run} is done again")
