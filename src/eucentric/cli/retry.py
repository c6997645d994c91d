"""`eucentric retry`: try failed tasks again."""

from typing import Annotated

import typer

from eucentric.cli.sending import RunArgument, SessionArgument, resolve, send
from eucentric.cli.sites import SiteOption


def command(
    session: SessionArgument,
    run: RunArgument,
    key: Annotated[list[str] | None, typer.Argument(help="Exposures; by default all that failed.")] = None,
    site: SiteOption = None,
) -> None:
    """Try failed tasks of a run again."""
    from eucentric.engine.commands import Retry

    paths = resolve(site, session, run, key) if key else None
    send(site, session, Retry(run=run, paths=paths), f"what failed in run {run} is tried again")
