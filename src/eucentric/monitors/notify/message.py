"""What is told of an alarm, in words."""

import socket
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal


class NoticeFailed(RuntimeError):
    """A notice could not be sent; the message says why, and trying again may help."""


@dataclass(frozen=True)
class Message:
    """One notice.

    Attributes:
        key: The same whenever this notice is sent again, so that receivers can drop the second copy.
        session: The session.
        alarm: Number of the alarm, 0 for a test.
        kind: Whether the alarm was raised, is still there, or is over.
        rule, title, subject, severity: As in the alarm.
        text: One sentence with numbers.
        advice: What to do.
        time: When it happened, in s since 1970, UTC.
        raised: When the alarm was raised.
    """

    key: str
    session: str
    alarm: int
    kind: Literal["raised", "reminded", "cleared", "test"]
    rule: str
    title: str
    subject: str
    severity: Literal["warning", "critical"]
    text: str
    advice: str
    time: float
    raised: float

    @property
    def headline(self) -> str:
        """What has happened where, in one line."""
        word = {"raised": self.severity, "reminded": "still", "cleared": "cleared", "test": "test"}[self.kind]
        return f"{self.session}: {self.title} ({word})"

    @property
    def body(self) -> str:
        """All of it in words, several lines."""
        lines = [self.text]
        if self.kind == "reminded":
            lines.append(f"The alarm was raised at {clock(self.raised)}.")
        if self.kind == "cleared":
            lines.append(f"All is well again; the alarm was raised at {clock(self.raised)}.")
        elif self.advice:
            lines.append(self.advice)
        if self.kind in ("raised", "reminded"):
            lines.append(
                f"To hear no more of it: eucentric alarms {self.session} --acknowledge {self.alarm}"
                f"  or  --mute {self.rule} --for 2h"
            )
        return "\n".join(lines)


def clock(seconds: float) -> str:
    """Return a time as people read it, in this machine's time zone."""
    return datetime.fromtimestamp(seconds, UTC).astimezone().strftime("%Y-%m-%d %H:%M %Z")


def test_message(session: str, time: float) -> Message:
    """Return a notice that only tells that notices arrive."""
    return Message(
        key=f"{session}.test.{time:.0f}",
        session=session,
        alarm=0,
        kind="test",
        rule="",
        title="Notices arrive",
        subject="",
        severity="critical",
        text=f"This is a test notice of the session {session}, from {socket.gethostname()}.",
        advice="Nothing is wrong.",
        time=time,
        raised=time,
    )
