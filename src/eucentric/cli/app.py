"""The command `eucentric` and its subcommands, each of which has a file of its own.

Whatever is slow to import is imported within the commands, so that `eucentric --help` answers at once.
"""

import logging
import os
from importlib.metadata import version
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from eucentric.cli import (
    alarms,
    close,
    continue_,
    convert,
    demo,
    deposit,
    do,
    export,
    extend,
    harvest,
    init,
    metadata,
    monitor,
    protocols,
    recompute,
    reopen,
    report,
    restore,
    retry,
    revise,
    run,
    simulate,
    status,
    stop,
    tidy,
    volume,
    withdraw,
    workflows,
)
from eucentric.cli.errors import told


class _Group(TyperGroup):
    """Tells expected errors in one line on stderr, and ends with 1."""

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]
        try:
            return super().invoke(ctx)
        except Exception as error:
            own = type(error).__module__.startswith("typer.")  # wrong usage, or the wish to exit
            message = None if own or ctx.params.get("debug") else told(error)
            if message is None:
                raise
            typer.echo(f"eucentric: {message}", err=True)
            raise typer.Exit(1) from error


app = typer.Typer(
    cls=_Group,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"eucentric {version('eucentric')}")
        raise typer.Exit


@app.callback()
def eucentric(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks, and log more.")] = False,
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Live processing, and all around it, for electron microscopy.

    Exit codes: 0 all went well, 1 it did not and stderr says why, 2 wrong usage, 3 the session went on to
    its end but some of its tasks failed.
    """
    logging.basicConfig(
        level=logging.DEBUG if debug else logging.WARNING, format="%(levelname)s %(name)s: %(message)s"
    )


for _module, _name, _panel in (
    (demo, "demo", "Begin"),
    (init, "init", "Begin"),
    (simulate, "simulate", "Begin"),
    (run, "run", "Process"),
    (continue_, "continue", "Process"),
    (do, "do", "Process"),
    (status, "status", "Follow and steer sessions"),
    (alarms, "alarms", "Follow and steer sessions"),
    (monitor, "monitor", "Follow and steer sessions"),
    (report, "report", "Follow and steer sessions"),
    (stop, "stop", "Follow and steer sessions"),
    (retry, "retry", "Follow and steer sessions"),
    (revise, "revise", "Follow and steer sessions"),
    (extend, "extend", "Follow and steer sessions"),
    (close, "close", "Follow and steer sessions"),
    (reopen, "reopen", "Follow and steer sessions"),
    (withdraw, "withdraw", "Follow and steer sessions"),
    (restore, "restore", "Follow and steer sessions"),
    (export, "export", "Hand on"),
    (convert, "convert", "Hand on"),
    (volume, "volume", "Keep house"),
    (tidy, "tidy", "Keep house"),
    (recompute, "recompute", "Look up"),
    (metadata, "metadata", "Look up"),
    (harvest, "harvest", "Look up"),
    (protocols, "protocols", "Look up"),
    (workflows, "workflows", "Look up"),
):
    app.command(_name, rich_help_panel=_panel, context_settings=getattr(_module, "CONTEXT", None))(
        _module.command
    )


app.add_typer(deposit.app, name="deposit", rich_help_panel="Hand on")


def main() -> None:
    """Run the command line; the threads of torch, of workers too, sleep while they wait for the next loop.

    By default they wait in a loop of their own, which took more CPU time than the work of many short steps.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    app()
