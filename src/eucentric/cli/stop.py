"""`eucentric stop`: end a session's engine."""

from eucentric.cli.sending import SessionArgument, send
from eucentric.cli.sites import SiteOption


def command(session: SessionArgument, site: SiteOption = None) -> None:
    """End a session's engine in good order; what was being computed is done again when it is continued."""
    from eucentric.engine.commands import Stop

    send(site, session, Stop(), "the engine ends")
