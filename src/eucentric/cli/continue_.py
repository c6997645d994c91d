"""`eucentric continue`: take a session up again."""

from typing import Annotated

import typer

from eucentric.cli.monitoring import MonitorOption
from eucentric.cli.run import InlineOption, UntilIdleOption, run_to_the_end
from eucentric.cli.sites import SiteOption, find_site


def command(
    session: Annotated[str, typer.Argument(help="The session.")],
    site: SiteOption = None,
    until_idle: UntilIdleOption = False,
    inline: InlineOption = False,
    monitor: MonitorOption = True,
) -> None:
    """Take a session up again where it was left, with whatever was asked for since.

    It goes on until Ctrl-C, which ends it in good order (twice: at once).
    """
    run_to_the_end(find_site(site), session, inline=inline, until_idle=until_idle, monitor=monitor)
