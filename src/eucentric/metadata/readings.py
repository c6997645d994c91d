"""One value of one term, with where it is from: what readers return and knowledge is made of."""

import math
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from eucentric.metadata.vocabulary import TERMS, Source, checked, unit_of_term

MAX_TEXT = 2**17
"""Letters of the longest text that is believed: some sequences are long."""

Value = float | int | str | bool | datetime


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value is from, and how it became ours.

    Attributes:
        source: What kind of source it is; the table of terms says which are believed more.
        file: The file, as the reader was given it; empty where there is none.
        key: What it is called there.
        unit: Its unit there; empty where it has none.
        conversion: What was done with it, as `× 1e10`; empty where nothing was.
    """

    source: Source
    file: str = ""
    key: str = ""
    unit: str = ""
    conversion: str = ""

    def __str__(self) -> str:
        """Say it for people."""
        where = " ".join(each for each in (self.file, self.key) if each) or self.source
        how = " ".join(each for each in (f"[{self.unit}]" if self.unit else "", self.conversion) if each)
        return f"{where} {how}".rstrip()


@dataclass(frozen=True, slots=True)
class Reading:
    """A value of a term.

    Attributes:
        term: Its name, `instrument.acceleration_voltage`.
        value: The value in the term's unit.
        origin: Where it is from.
        part: Which one, where there can be several: a detector's name, a molecule's number.
    """

    term: str
    value: Value
    origin: Origin
    part: str = ""

    @property
    def unit(self) -> str | None:
        """The symbol of its unit."""
        return unit_of_term(self.term)


@dataclass(frozen=True)
class Findings:
    """What one file says.

    Attributes:
        kind: What the file is, for people: "EPU exposure", "SerialEM tilt series".
        readings: What holds for all exposures that it describes (or, without any, for the whole session).
        exposures: What holds for one exposure, by its name: the file name of the movie or image without
            ending, as `microscope.naming.exposure_name` makes it.
        by_intent: What holds for all exposures of an intent, "atlas" or "collection": presets of a session.
        stack: Name of the stack of images that the exposures are sections of, which is no exposure itself.
        refused: Sentences about values that stand there and cannot be.
    """

    kind: str
    readings: tuple[Reading, ...] = ()
    exposures: Mapping[str, tuple[Reading, ...]] = field(default_factory=dict)
    by_intent: Mapping[str, tuple[Reading, ...]] = field(default_factory=dict)
    stack: str = ""
    refused: tuple[str, ...] = ()


class Collector:
    """Collects the readings of one file: a reader makes one and calls `add` for every key that it knows.

    Args:
        source: What kind of source the file is.
        file: How provenance names it.
    """

    def __init__(self, source: Source, file: str) -> None:
        self.source = source
        self.file = file
        self.readings: list[Reading] = []
        self.refused: list[str] = []

    def add(
        self, term: str, value: Any, key: str, unit: str = "", conversion: str = "", *, part: str = ""
    ) -> None:
        """Take in a value, which is in the term's unit; None and "" are nothing; what cannot be is refused.

        Args:
            term: The term's name.
            value: The value.
            key: What it is called in the file.
            unit: Its unit there.
            conversion: How it was converted, for people.
            part: See `Reading`.
        """
        if value is None or value == "" or (isinstance(value, float) and math.isnan(value)):
            return
        try:
            if isinstance(value, str) and len(value) > MAX_TEXT:
                raise ValueError("too long")
            believed = checked(term, value)
        except ValueError:
            shown = f"{value:g}" if isinstance(value, float) else repr(value)[:80]
            what = term.partition(".")[2].replace("_", " ")
            unit_here = unit_of_term(term) or ""
            self.refused.append(
                f"{self.file}: its {what} of {f'{shown} {unit_here}'.strip()} ({key}) cannot be."
            )
            return
        if believed is not None:
            # Thousands of exposures say the same words: they are kept once.
            if isinstance(believed, str):
                believed = sys.intern(believed)
            origin = Origin(self.source, self.file, sys.intern(key), unit, sys.intern(conversion))
            self.readings.append(Reading(term, believed, origin, part))

    def scaled(
        self, term: str, value: float | None, factor: float, key: str, unit: str, *, part: str = ""
    ) -> None:
        """Take in a number that is multiplied by `factor` to be in the term's unit; -0 becomes 0."""
        if value is not None:
            self.add(term, value * factor + 0.0, key, unit, "" if factor == 1 else f"× {factor:g}", part=part)

    def named(
        self, term: str, word: str | None, words: Mapping[str, str], key: str, *, part: str = ""
    ) -> None:
        """Take in a word of a controlled vocabulary, translated by `words` (keys in small letters)."""
        if word and (found := words.get(word.strip().lower())):
            self.add(term, found, key, "", f"{word.strip()} is {found}", part=part)

    def taken(self) -> tuple[Reading, ...]:
        """Return the readings so far, and begin anew."""
        found, self.readings = tuple(self.readings), []
        return found


def best(term: str, readings: list[Reading]) -> Reading:
    """Return the reading that is believed: by the term's precedence, then the latest."""
    order = TERMS[term].precedence
    rank = min(order.index(each.origin.source) for each in readings)
    return next(each for each in reversed(readings) if order.index(each.origin.source) == rank)


def agree(term: str, one: Value, other: Value) -> bool:
    """Say whether two values of a term are the same within its tolerance."""
    numbers = (int, float)
    if isinstance(one, numbers) and isinstance(other, numbers) and not isinstance(one, bool):
        return abs(one - other) <= TERMS[term].tolerance * max(abs(one), abs(other), 1e-12)
    if isinstance(one, datetime) and isinstance(other, datetime):
        return _near(one, other)
    if isinstance(one, str) and isinstance(other, str):
        if term.endswith(".path"):  # another computer reaches the same file by another way
            one, other = (re.split(r"[\\/]", each)[-1] for each in (one, other))
        return " ".join(one.lower().split()) == " ".join(other.lower().split())
    return one == other


_MINUTES = 120
"""Seconds that two clocks, or the begin and the end of an exposure, may be apart."""


def _near(one: datetime, other: datetime) -> bool:
    if (one.tzinfo is None) != (other.tzinfo is None):  # the microscope's clock, in an unknown time zone
        apart = abs((one.replace(tzinfo=None) - other.replace(tzinfo=None)).total_seconds()) % 3600
        return min(apart, 3600 - apart) < _MINUTES
    return abs((one - other).total_seconds()) < _MINUTES
