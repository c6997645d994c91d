"""`eucentric reopen`: let a source look again."""

from eucentric.cli.sending import RunArgument, SessionArgument, send
from eucentric.cli.sites import SiteOption


def command(session: SessionArgument, run: RunArgument, site: SiteOption = None) -> None:
    """Let a closed source look again; an open one looks at everything once more."""
    from eucentric.engine.commands import Reopen

    send(site, session, Reopen(run=run), f"the source {run} is open again")
