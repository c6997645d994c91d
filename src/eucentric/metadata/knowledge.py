"""All that is known of a session, however it came and in whatever order: readings in, typed records out.

Readings are kept by exposure and file, so that a file which is written again replaces what it said before,
and what comes late patches what is there. Values are chosen only when somebody asks, by the precedence of
each term; whatever does not agree is reported.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from eucentric.metadata.derived import derived_of_exposure
from eucentric.metadata.readings import Findings, Reading, Value, agree, best
from eucentric.metadata.records import SessionRecord
from eucentric.metadata.registry import Registry

Place = tuple[str, str]
"""An exposure: the group that its folder belongs to, and its name."""


@dataclass
class Resolved:
    """What is known of one exposure: the readings that count, by term and part, and those that differ."""

    readings: dict[tuple[str, str], Reading] = field(default_factory=dict)
    differing: list[tuple[Reading, Reading]] = field(default_factory=list)

    def value(self, term: str) -> Value | None:
        """Return the value of a term; None where it is not known."""
        found = self.readings.get((term, ""))
        return None if found is None else found.value


class Knowledge:
    """What is known of one session.

    Args:
        registry: The site's instruments.
        instrument: Name of the instrument in the registry, where that is known.
    """

    def __init__(self, registry: Registry | None = None, instrument: str | None = None) -> None:
        self.registry: Registry = registry or {}
        self.instrument = instrument
        self.general: dict[str, dict[str, tuple[Reading, ...]]] = defaultdict(dict)
        """What holds for a whole group of folders, by group and file; group "" is the whole session."""
        self.by_intent: dict[tuple[str, str], dict[str, tuple[Reading, ...]]] = defaultdict(dict)
        """What holds for the exposures of an intent in a group, by both and file."""
        self._exposures: dict[Place, dict[str, tuple[Reading, ...]]] = {}
        self._places: dict[str, set[Place]] = {}
        """The exposures that a file speaks of."""
        self._stacks: dict[str, Place] = {}
        """The stack of images that a file speaks of, which is no exposure itself."""
        self._refused: dict[str, tuple[str, ...]] = {}
        self._resolved: dict[Place, Resolved] = {}

    def add(self, file: str, findings: Findings, group: str = "") -> None:
        """Take in what a file says; what it said before is forgotten.

        Args:
            file: The file, as provenance names it.
            findings: What it says.
            group: What tells grids apart, a folder's name; see `microscope.layouts`.
        """
        self.forget(file)
        if findings.refused:
            self._refused[file] = findings.refused
        if findings.stack:
            self._stacks[file] = (group, findings.stack)
        for intent, readings in findings.by_intent.items():
            self.by_intent[group, intent][file] = readings
        if not findings.exposures:
            if findings.readings:
                self.general[group][file] = findings.readings
            return
        places = self._places[file] = {(group, name) for name in findings.exposures}
        for name, readings in findings.exposures.items():
            self._exposures.setdefault((group, name), {})[file] = (*findings.readings, *readings)
        for place in places:
            self._resolved.pop(place, None)

    def refuse(self, file: str, sentence: str) -> None:
        """Take note that a file could not be read, and why."""
        self.forget(file)
        self._refused[file] = (sentence,)

    def forget(self, file: str) -> None:
        """Forget what a file said."""
        self._refused.pop(file, None)
        self._stacks.pop(file, None)
        for files in (*self.general.values(), *self.by_intent.values()):
            files.pop(file, None)
        for place in self._places.pop(file, ()):
            self._resolved.pop(place, None)
            files = self._exposures[place]
            files.pop(file, None)
            if not files:
                del self._exposures[place]

    @property
    def places(self) -> list[Place]:
        """The exposures that there are files of, in order of coming; those only planned are left out."""
        stacks = set(self._stacks.values())
        return [
            place
            for place, files in self._exposures.items()
            if place not in stacks and any(map(_is_own, files.values()))
        ]

    @property
    def refused(self) -> list[str]:
        """Sentences about what could not be believed or read."""
        return [sentence for sentences in self._refused.values() for sentence in sentences]

    def exposure(self, place: Place) -> Resolved:
        """Return what is known of one exposure by its own files."""
        if place not in self._resolved:
            files = self._exposures[place].values()
            self._resolved[place] = resolve(reading for readings in files for reading in readings)
        return self._resolved[place]

    def record(self) -> SessionRecord:
        """Return all that is known, by acquisition."""
        from eucentric.metadata.session import session_record

        return session_record(self)


def _is_own(readings: tuple[Reading, ...]) -> bool:
    """Say whether readings are those of an exposure's own file, rather than a session's."""
    return any(each.origin.source != "session" for each in readings)


def resolve(readings: Iterable[Reading]) -> Resolved:
    """Choose the readings of one exposure that count, and add what follows from them."""
    by_term: dict[tuple[str, str], list[Reading]] = defaultdict(list)
    for reading in readings:
        by_term[reading.term, reading.part].append(reading)
    chosen = {key: best(key[0], found) for key, found in by_term.items()}
    for derived in derived_of_exposure(_first_parts(chosen)):
        by_term[derived.term, ""].append(derived)
        chosen[derived.term, ""] = best(derived.term, by_term[derived.term, ""])
    differing = [
        (chosen[key], each)
        for key, found in by_term.items()
        for each in found
        if not _is_refined(chosen[key], each) and not agree(key[0], chosen[key].value, each.value)
    ]
    return Resolved(chosen, differing)


def _is_refined(chosen: Reading, other: Reading) -> bool:
    """Say whether the one was made from the other: what follows from a value does not contradict it."""
    one, two = chosen.origin, other.origin
    return chosen is other or (one.source == "derived" and (one.file, one.key) == (two.file, two.key))


def _first_parts(chosen: Mapping[tuple[str, str], Reading]) -> dict[str, Reading]:
    known: dict[str, Reading] = {}
    for (term, part), reading in chosen.items():
        if term not in known or not part:
            known[term] = reading
    return known
