"""From folders to what is known: what a reader knows is read, and put together by grid and exposure."""

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from eucentric.formats import FormatError
from eucentric.metadata.knowledge import Knowledge
from eucentric.metadata.readings import Findings
from eucentric.metadata.records import SessionRecord
from eucentric.metadata.registry import Registry
from eucentric.microscope.layouts import MEANS_NOTHING, is_movie
from eucentric.microscope.metadata_readers import IMAGES, read_metadata, reader_for
from eucentric.microscope.naming import exposure_name
from eucentric.microscope.path_rules import PathRules, local_path
from eucentric.microscope.patterns import is_ignored
from eucentric.store.site import SETTINGS

_EPU_BELOW = re.compile(r"Images-Disc\d+|GridSquare_\d+|Metadata|Atlas")
_EPU_SAMPLE = re.compile(r"Sample\d+")


class Gathering:
    """Takes files as they come, and tells what is known.

    Args:
        roots: The folders that the files lie in; what stands above them tells nothing.
        registry: The site's instruments.
        instrument: Name of the instrument in the registry, where that is known.
        rules: Where files are that metadata name by the paths of other computers.
    """

    def __init__(
        self,
        roots: Sequence[Path],
        registry: Registry | None = None,
        *,
        instrument: str | None = None,
        rules: PathRules | None = None,
    ) -> None:
        self.roots = [root.absolute() for root in roots]
        self.knowledge = Knowledge(registry, instrument)
        self._rules = rules or {}
        self._taken: set[str] = set()
        self._groups: dict[str, set[str]] = {}
        """The groups in which metadata speak of an exposure, by its name."""
        self._headers: dict[str, tuple[str, Findings, str]] = {}
        """The image file of an exposure: how it is called, what its headers say, and its own group."""

    def take(self, path: Path, *, asked: bool = False) -> None:
        """Read a file, if anybody reads such files; again, if it was read before.

        Args:
            path: The file.
            asked: Whether somebody asked for this very file: then it is read whatever it is called, and if
                nobody reads such files, that is said.
        """
        path = path.absolute()
        if not path.is_file():
            return  # gone again, or a pipe
        if path.suffix.lower() in IMAGES and not is_movie(path.name) and not asked:
            return  # references, and images that EPU writes an XML for
        name = self._name(path)
        try:
            if not asked and reader_for(path) is None:
                return
            findings = read_metadata(path, name)
        except FormatError as error:
            self.knowledge.refuse(name, " ".join(str(error).split()))
            return
        except OSError as error:
            self.knowledge.refuse(name, f"{path}: it cannot be read ({error.strerror}).")
            return
        self._taken.add(name)
        self._add(name, findings, self.group(path), is_image=path.suffix.lower() in IMAGES)

    def record(self) -> SessionRecord:
        """Return all that is known."""
        return self.knowledge.record()

    def group(self, path: Path) -> str:
        """Return what tells grids apart: the name of the folder that a file's grid has.

        Of EPU that is the folder of the session (or of the sample, for an atlas), of others the nearest
        folder that is not just called frames.
        """
        root = next((each for each in self.roots if path.is_relative_to(each)), path.parent)
        parts = [*([root.name] if len(self.roots) > 1 else []), *path.relative_to(root).parts[:-1]]
        below = next((number for number, part in enumerate(parts) if _EPU_BELOW.fullmatch(part)), None)
        if below is not None or path.suffix.lower() == ".dm":
            above = parts[:below]
            is_sample = len(above) > 1 and _EPU_SAMPLE.fullmatch(above[-1])
            return "/".join(above[-2:] if is_sample else above[-1:])
        return next((part for part in reversed(parts) if part.lower() not in MEANS_NOTHING), "")

    def _add(self, name: str, findings: Findings, group: str, *, is_image: bool) -> None:
        """Take in what a file says; an image goes to the group where metadata speak of it."""
        if is_image:
            for exposure in findings.exposures:
                self._headers[exposure] = (name, findings, group)
                group = self._group_of_image(exposure, group)
            self.knowledge.add(name, findings, group)
            return
        self.knowledge.add(name, findings, group)
        for exposure in findings.exposures:
            self._groups.setdefault(exposure, set()).add(group)
            if exposure in self._headers:
                image, said, own = self._headers[exposure]
                self.knowledge.add(image, said, self._group_of_image(exposure, own))
        for frames in self._elsewhere(findings):
            self._take_elsewhere(frames, group)

    def _group_of_image(self, exposure: str, own: str) -> str:
        """Return the group of an image: its own, unless metadata speak of it in one other only."""
        groups = self._groups.get(exposure, set())
        return own if own in groups or len(groups) != 1 else next(iter(groups))

    def _name(self, path: Path) -> str:
        """Return how provenance names a file: below its root, with the root where there are several."""
        for root in self.roots:
            if path.is_relative_to(root):
                return str(path.relative_to(root.parent if len(self.roots) > 1 else root))
        return str(path)

    def _elsewhere(self, findings: Findings) -> Iterator[Path]:
        """Yield the frames that are named there, and lie where the rules say."""
        if not self._rules:
            return
        for readings in findings.exposures.values():
            for reading in readings:
                if reading.term == "exposure.path" and reading.origin.source == "companion":
                    found = local_path(str(reading.value), self._rules)
                    if found is not None and found.suffix.lower() in IMAGES and found.is_file():
                        yield found

    def _take_elsewhere(self, path: Path, group: str) -> None:
        """Read frames that lie outside of the folders, once, as belonging to the group that names them."""
        name = self._name(path)
        if name in self._taken or any(path.is_relative_to(root) for root in self.roots):
            return
        self._taken.add(name)
        try:
            self.knowledge.add(name, read_metadata(path, name), group)
        except (FormatError, OSError) as error:
            self.knowledge.refuse(name, " ".join(str(error).split()))


def files_in(path: Path) -> Iterator[Path]:
    """Yield the files in a folder and all below it, in order; of a file, it and what belongs to it.

    Hidden and temporary files are passed over, and sites, where results lie. Links to folders are not
    followed.
    """
    if path.is_dir():
        for folder, folders, files in os.walk(path):
            if SETTINGS in files:
                folders.clear()  # a site of ours, where results lie
                continue
            folders[:] = sorted(each for each in folders if not is_ignored(each))
            for file in sorted(files):
                if not is_ignored(file):
                    yield Path(folder) / file
        return
    yield path
    name = exposure_name(path.name)
    try:
        beside = sorted(path.absolute().parent.iterdir())
    except OSError:
        return
    for other in beside:
        if other.name != path.name and exposure_name(other.name) == name and other.is_file():
            yield other


def roots_of(paths: Iterable[Path]) -> list[Path]:
    """Return the folders that are given, and those of the files that are."""
    absolute = [path.absolute() for path in paths]
    return list(dict.fromkeys(path if path.is_dir() else path.parent for path in absolute))


def gather(
    paths: Iterable[Path],
    registry: Registry | None = None,
    *,
    instrument: str | None = None,
    rules: PathRules | None = None,
) -> SessionRecord:
    """Return all that is known of what lies in folders, or of single files.

    Args:
        paths: Folders and files.
        registry: The site's instruments.
        instrument: Name of the instrument in the registry, where that is known.
        rules: Where files are that metadata name by the paths of other computers.

    Raises:
        OSError: One of them cannot be opened.
    """
    chosen = list(paths)
    gathering = Gathering(roots_of(chosen), registry, instrument=instrument, rules=rules)
    for path in chosen:
        path.stat()
        for file in files_in(path):
            gathering.take(file, asked=file == path)
    return gathering.record()
