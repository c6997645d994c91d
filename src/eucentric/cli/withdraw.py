"""`eucentric withdraw`: take exposures out of the stream."""

from typing import Annotated

import typer

from eucentric.cli.sending import RunArgument, SessionArgument, resolve, send
from eucentric.cli.sites import SiteOption

KeysArgument = Annotated[list[str], typer.Argument(metavar="KEY...", help="Exposures, as status shows them.")]


def command(
    session: SessionArgument,
    run: RunArgument,
    key: KeysArgument,
    reason: Annotated[str, typer.Option(help="Why; it is kept with them.")],
    site: SiteOption = None,
) -> None:
    """Take what a run made of some exposures out of the stream, with all that descends from it."""
    from eucentric.engine.commands import Withdraw

    paths = resolve(site, session, run, key)
    send(site, session, Withdraw(run=run, paths=paths, reason=reason), f"{len(paths)} withdrawn at run {run}")
