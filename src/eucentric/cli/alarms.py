"""`eucentric alarms`: what is wrong with a session, and what to say to that."""

import json
import time
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from eucentric.cli.errors import CommandFailed
from eucentric.cli.sending import SessionArgument
from eucentric.cli.sites import JsonOption, SiteOption, opened, user

if TYPE_CHECKING:
    from eucentric.monitors.alarms import Mute, OpenAlarm
    from eucentric.store import Database, Site

ALL = "all"


def command(
    session: SessionArgument,
    acknowledge: Annotated[
        list[str] | None,
        typer.Option(metavar="NUMBER", help="Be reminded of this alarm no more; `all` for all. Repeatable."),
    ] = None,
    mute: Annotated[
        str | None, typer.Option(metavar="RULE", help="Be told nothing of a rule for a while; `all` for all.")
    ] = None,
    how_long: Annotated[str, typer.Option("--for", metavar="TIME", help="How long to mute.")] = "2 h",
    unmute: Annotated[
        str | None,
        typer.Option(metavar="RULE", help="Be told of it again; `all` for what `--mute all` muted."),
    ] = None,
    history: Annotated[
        int, typer.Option(metavar="N", help="List the newest N alarms, cleared ones too.")
    ] = 0,
    test: Annotated[bool, typer.Option("--test", help="Send a test notice on every channel.")] = False,
    as_json: JsonOption = False,
    site: SiteOption = None,
) -> None:
    """List what is wrong with a session; acknowledge alarms, or mute rules for a while."""
    from eucentric.engine.sessions import session_id_of
    from eucentric.store import Bell

    with opened(site) as (place, database):
        with database.read() as connection:
            number = session_id_of(connection, session)
        if test:
            _test(place, session)
            return
        if acknowledge or mute or unmute:
            _say(database, number, acknowledge, (mute, how_long), unmute)
            with Bell(place, database) as bell:
                bell.ring(f"changes:{session}")
            return
        _list(database, number, history, as_json)


def _say(
    database: "Database",
    number: int,
    acknowledged: list[str] | None,
    muted: tuple[str | None, str],
    unmuted: str | None,
) -> None:
    """Write down what somebody says to alarms and rules."""
    from eucentric.monitors.alarms import acknowledge, mute_rule, unmute_rule

    now, lines = time.time(), []
    with database.write() as connection:
        if acknowledged:
            done = acknowledge(connection, number, _numbers(acknowledged), user(), now)
            lines.append(f"Acknowledged: {', '.join(map(str, done)) or 'nothing, somebody was faster'}.")
        if muted[0] is not None:
            until = now + _seconds(muted[1])
            mute_rule(connection, number, _rule(muted[0]), until, user(), now)
            lines.append(f"Nothing is told of {muted[0]} until {_when(until)}.")
        if unmuted is not None:
            there = unmute_rule(connection, number, _rule(unmuted))
            lines.append(f"{unmuted} is told again." if there else f"{unmuted} was not muted.")
    for line in lines:
        typer.echo(line)


def _numbers(given: list[str]) -> list[int] | None:
    """Return the numbers of alarms; None for all of them."""
    if ALL in given:
        return None
    if wrong := [each for each in given if not each.isdecimal()]:
        raise CommandFailed(f"{wrong[0]} is no number of an alarm; `eucentric alarms SESSION` lists them.")
    return [int(each) for each in given]


def _rule(name: str) -> str:
    from eucentric.monitors.alarms.judging import ALL_RULES

    return ALL_RULES if name == ALL else name


def _seconds(text: str) -> float:
    from pydantic import TypeAdapter, ValidationError

    from eucentric.store.periods import Period

    try:
        return float(TypeAdapter(Period).validate_python(text).total_seconds())
    except ValidationError:
        raise CommandFailed(f"--for {text}: write a number and s, min, h or d, such as '2 h'.") from None


def _list(database: "Database", number: int, history: int, as_json: bool) -> None:
    from eucentric.cli.output import console
    from eucentric.monitors.alarms import mutes, open_alarms, recent_alarms

    with database.read() as connection:
        found = recent_alarms(connection, number, history) if history else open_alarms(connection, number)
        quiet = mutes(connection, number, time.time())
    if as_json:
        whole = {"alarms": [asdict(each) for each in found], "mutes": [asdict(each) for each in quiet]}
        typer.echo(json.dumps(whole, indent=2, ensure_ascii=False))
        return
    printer = console()
    if not found:
        printer.print("There has been no alarm." if history else "No alarm is open.")
    for each in found:
        for line in _told(each):
            printer.print(line, soft_wrap=True)
    for mute in quiet:
        printer.print(_told_mute(mute), soft_wrap=True)


def _told(alarm: "OpenAlarm") -> list[str]:
    """Return what there is to say of one alarm, line by line."""
    notes = [alarm.severity, f"since {_when(alarm.raised)}"]
    if alarm.acknowledged is not None:
        notes.append(f"acknowledged by {alarm.acknowledged_by}")
    if alarm.cleared is not None:
        notes.append(f"cleared {_when(alarm.cleared)}")
    elif alarm.muted:
        notes.append("muted")
    lines = [f"{alarm.number}  {alarm.rule}: {alarm.title} ({', '.join(notes)})", f"   {alarm.message}"]
    return lines if alarm.cleared is not None else [*lines, f"   {alarm.advice}"]


def _told_mute(mute: "Mute") -> str:
    what = mute.rule or "all rules"
    return f"Muted: {what}, by {mute.author}, until {_when(mute.until)}."


def _when(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).strftime("%Y-%m-%d %H:%M")


def _test(site: "Site", session: str) -> None:
    """Send a test notice on every channel, and say what became of it."""
    from eucentric.monitors.notify import try_all

    channels = site.settings.notices.channels()
    if not channels:
        raise CommandFailed(
            f"{site.folder} has no channel for notices; add [notices.email] or [notices.webhooks.NAME] to"
            " eucentric.toml."
        )
    results = try_all(channels, session, time.time())
    for name, reason in results.items():
        typer.echo(f"{name}: {'sent' if reason is None else reason}")
    if any(reason is not None for reason in results.values()):
        raise typer.Exit(1)
