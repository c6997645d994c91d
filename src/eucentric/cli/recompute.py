"""`eucentric recompute`: compute a recorded result again, and compare."""

from typing import TYPE_CHECKING, Annotated

import typer

from eucentric.cli.errors import CommandFailed
from eucentric.cli.sending import RunArgument, SessionArgument, resolve
from eucentric.cli.sites import SiteOption, opened

if TYPE_CHECKING:
    from eucentric.engine.recompute import Recomputed


def command(
    session: SessionArgument,
    run: RunArgument,
    key: Annotated[str, typer.Argument(help="The exposure.")],
    restore: Annotated[
        bool, typer.Option("--restore", help="Put back files that retention removed.")
    ] = False,
    site: SiteOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
) -> None:
    """Compute a recorded result again, from what is recorded about it, and compare.

    Nothing changes, unless --restore asks for the files that a rule of retention has removed.
    """
    from eucentric.engine.recompute import recompute

    (path,) = resolve(site, session, run, [key])
    with opened(site) as (found, database):
        compared = recompute(found, database, session, run, tuple(path), restore=restore)
    typer.echo(compared.model_dump_json(indent=2) if as_json else _told(compared))
    if not compared.identical:
        raise CommandFailed(f"The result of {run} for {key} is not what is recorded.")


def _told(compared: "Recomputed") -> str:
    name = f"{compared.run} {'/'.join(compared.path)} (revision {compared.revision})"
    back = f" Put back: {', '.join(compared.restored_files)}." if compared.restored_files else ""
    if compared.identical:
        return f"{name}: the same to the last bit, {len(compared.same_files)} files included.{back}"
    lines = [f"{name}: {compared.outcome}"]
    if compared.outcome == "done":
        lines = [f"{name}: the items are {'the same' if compared.same_items else 'others'}"]
        lines += [f"  differs: {file}" for file in compared.other_files]
    if not compared.same_code:
        lines.append("  the protocol's code has changed since")
    lines += [f"  other software: {each}" for each in compared.other_software]
    return "\n".join(lines)
