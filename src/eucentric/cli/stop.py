"""`eucentric stop`: end a session's engine."""

import typer

from eucentric.cli.sending import SessionArgument, lives, send
from eucentric.cli.sites import SiteOption, opened


def command(session: SessionArgument, site: SiteOption = None) -> None:
    """End a session's engine in good order; what was being computed is done again when it is continued."""
    from eucentric.engine.commands import Stop
    from eucentric.engine.sessions import session_id_of

    with opened(site) as (_, database):
        with database.read() as connection:
            session_id_of(connection, session)
        if not lives(database, session):
            typer.echo(f"No engine runs the session {session}.")
            return
    send(site, session, Stop(), "the engine ends")
