"""Finding protocols: installed ones by entry point, a site's own as files in its `protocols/` folder."""

import hashlib
import importlib.util
import inspect
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from eucentric.engine.graph import Station
from eucentric.engine.ports import ContractBroken, ports_of
from eucentric.engine.protocol import Accumulator, Protocol, Source
from eucentric.metadata import Item

GROUP = "eucentric.protocols"
ITEMS = "eucentric.items"
"""Entry points of the items that a plug-in declares, by kind, so that they can be read back anywhere."""


class UnknownItem(LookupError):
    """An item is of a kind that nothing installed here declares."""


class Registry(Mapping[str, type[Protocol]]):
    """The protocols that a site knows, by name.

    Installed protocols are loaded only when they are asked for, so that a command that needs one does not
    import them all. What could not be loaded is in `broken`, with the reason.
    """

    def __init__(self, folder: Path | None = None) -> None:
        """Look for protocols that are installed, and in the files of `folder` (they win over installed)."""
        self.folder = folder
        self.broken: dict[str, str] = {}
        self._points: dict[str, EntryPoint] = {point.name: point for point in entry_points(group=GROUP)}
        self._loaded: dict[str, type[Protocol]] = {}
        self._files: set[Path] = set()
        self.look_for_new_files()

    def look_for_new_files(self) -> None:
        """Load what has been put into the folder since; what was loaded stays as it was then."""
        if self.folder is None or not self.folder.is_dir():
            return
        for file in sorted(self.folder.glob("*.py")):
            if not file.name.startswith("_") and (file not in self._files or str(file) in self.broken):
                self._files.add(file)
                self.broken.pop(str(file), None)
                self._load_file(file)

    def add(self, protocol: type[Protocol]) -> None:
        """Make `protocol` known. Raises ContractBroken where it does not keep the contract."""
        for attribute in ("name", "version"):
            if not isinstance(getattr(protocol, attribute, None), str):
                raise ContractBroken(f"{protocol.__name__} does not declare its `{attribute}`.")
        ports_of(protocol)
        if issubclass(protocol, Accumulator) and (
            unknown := protocol.carries - set(protocol.Params.model_fields)
        ):
            raise ContractBroken(
                f"{protocol.__name__} carries {min(unknown)}, which is none of its parameters."
            )
        self._loaded[protocol.name] = protocol

    def _load_file(self, file: Path) -> None:
        try:
            protocols = list(protocols_in(file))
            if not protocols:
                raise ContractBroken("it has no class derived from Protocol")
            for protocol in protocols:
                self.add(protocol)
        except Exception as error:  # a site's file may do anything; the others must still load
            self.broken[str(file)] = f"{type(error).__name__}: {error}"

    def __getitem__(self, name: str) -> type[Protocol]:
        """Return the protocol called `name`; KeyError where there is none that works."""
        if name not in self._loaded:
            if name not in self._points or name in self.broken:
                raise KeyError(name)
            try:
                self.add(self._points[name].load())
            except Exception as error:  # as above: a broken plug-in must not stop the rest
                self.broken[name] = f"{type(error).__name__}: {error}"
                raise KeyError(name) from error
        return self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names of all protocols that are not known to be broken."""
        return iter(sorted((set(self._loaded) | set(self._points)) - set(self.broken)))

    def __len__(self) -> int:
        """Return the number of protocols."""
        return sum(1 for _ in self)


def current_registry(folder: Path | None) -> Registry:
    """Return the registry of `folder`, loaded anew when one of the files there has changed."""
    stamp = folder and tuple(sorted((str(file), file.stat().st_mtime_ns) for file in folder.glob("*.py")))
    if _latest.get("stamp", ()) != (folder, stamp):
        _latest.update(stamp=(folder, stamp), registry=Registry(folder))
    found: Registry = _latest["registry"]
    return found


_latest: dict[str, Any] = {}


def item_kind(kind: str) -> type[Item]:
    """Return the class of the items of `kind`: one of ours, or one that an installed plug-in declares.

    Raises:
        UnknownItem: There is none.
    """
    if kind not in Item.kinds:
        for point in entry_points(group=ITEMS, name=kind):
            point.load()  # which makes it known
    if kind not in Item.kinds:
        raise UnknownItem(
            f"An item of the kind {kind} cannot be read, since nothing installed here declares this kind;"
            " install the plug-in that made it."
        )
    return Item.kinds[kind]


def protocols_in(file: Path) -> Iterator[type[Protocol]]:
    """Load the Python file and yield the protocols defined in it."""
    name = f"eucentric_site_{file.stem}_{hashlib.sha256(str(file).encode()).hexdigest()[:8]}"
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise ImportError(f"{file} cannot be loaded as Python")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    for value in vars(module).values():
        if isinstance(value, type) and issubclass(value, Protocol) and value.__module__ == name:
            yield value


def code_digest(protocol: type[Protocol]) -> str:
    """Return a digest of the source file that holds `protocol`, hexadecimal."""
    return hashlib.sha256(Path(inspect.getfile(protocol)).read_bytes()).hexdigest()


def station_of(protocol: type[Protocol]) -> Station:
    """Return what kind of protocol it is: "source", "accumulator" or "exposure"."""
    if issubclass(protocol, Source):
        return "source"
    return "accumulator" if issubclass(protocol, Accumulator) else "exposure"
