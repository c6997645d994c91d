"""`eucentric tidy`: remove the files that the site's rules of retention let go."""

import json
import time
from collections import Counter
from typing import TYPE_CHECKING, Annotated

import typer

from eucentric.cli.errors import CommandFailed
from eucentric.cli.sending import SessionArgument
from eucentric.cli.sites import JsonOption, SiteOption, opened
from eucentric.cli.volume import size

if TYPE_CHECKING:
    from pathlib import Path

    from eucentric.engine.retention import Leaving


def command(
    session: SessionArgument,
    apply: Annotated[bool, typer.Option("--apply", help="Remove them; without this nothing is.")] = False,
    site: SiteOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show which files of a session's results the site's rules let go, and with --apply remove them.

    The rules stand under [retention] in eucentric.toml. Raw data are never touched, and
    `eucentric recompute --restore` makes a removed file again.
    """
    from eucentric.engine.retention import leaving
    from eucentric.engine.sessions import session_id_of

    with opened(site) as (place, database):
        folder, rules = place.session_folder(session), place.settings.retention
        if not rules.model_dump(exclude_none=True, exclude={"automatic"}):
            raise CommandFailed(
                f"{place.folder / 'eucentric.toml'} has no rule of retention, so every file stays; write"
                ' [retention] there, and under it for example superseded = "1 d".'
            )
        with database.read() as connection:
            number = session_id_of(connection, session)
            files = list(leaving(connection, number, folder, rules, now=time.time()))
        if apply:
            _remove(folder, files)
    counted: dict[str, Counter[str]] = {}
    for each in files:
        counted.setdefault(each.rule, Counter()).update(files=1, bytes=each.bytes)
    if as_json:
        typer.echo(json.dumps({"removed": apply, "rules": counted}, indent=2))
        return
    for rule, sums in counted.items():
        typer.echo(f"{rule}: {sums['files']} files, {size(sums['bytes'])}")
    total = size(sum(each.bytes for each in files))
    word = "Removed" if apply else "To be removed with --apply:"
    typer.echo(f"{word} {len(files)} files, {total}." if files else "No file is old enough to go.")


def _remove(folder: "Path", files: "list[Leaving]") -> None:
    from rich.console import Console
    from rich.progress import Progress

    from eucentric.engine.retention import remove

    with Progress(console=Console(stderr=True)) as progress:
        bar = progress.add_task("Removing", total=len(files))
        remove(folder, files, lambda _each: progress.advance(bar))
