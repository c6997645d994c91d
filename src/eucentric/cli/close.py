"""`eucentric close`: let a source rest."""

from eucentric.cli.sending import RunArgument, SessionArgument, send
from eucentric.cli.sites import SiteOption


def command(session: SessionArgument, run: RunArgument, site: SiteOption = None) -> None:
    """Let a source look for nothing new; what it has found is worked on to the end."""
    from eucentric.engine.commands import Close

    send(site, session, Close(run=run), f"the source {run} is closed")
