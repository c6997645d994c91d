"""`eucentric restore`: put back what was withdrawn."""

from eucentric.cli.sending import RunArgument, SessionArgument, resolve, send
from eucentric.cli.sites import SiteOption
from eucentric.cli.withdraw import KeysArgument


def command(session: SessionArgument, run: RunArgument, key: KeysArgument, site: SiteOption = None) -> None:
    """Put back what was withdrawn at a run, with all that descends from it."""
    from eucentric.engine.commands import Restore

    paths = resolve(site, session, run, key)
    send(site, session, Restore(run=run, paths=paths), f"{len(paths)} restored at run {run}")
