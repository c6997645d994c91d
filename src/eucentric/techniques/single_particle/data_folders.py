"""Raw data lie where the microscope puts them; a session reaches them through links in its `data/` folder."""

import contextlib
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path


class DataFolders:
    """The folders of a session's raw data, and the names of the files in them relative to the session."""

    def __init__(self, session: Path, folders: Sequence[Path]) -> None:
        """Link the folders into the session's `data/` folder, each under its own name."""
        self.session = session
        # A path with `..` in it is no name to compare others with.
        self.folders = [each.resolve() if ".." in each.parts else each.absolute() for each in folders]
        self._links = {folder: self._link(folder) for folder in self.folders}

    def _link(self, folder: Path) -> str:
        data = self.session / "data"
        data.mkdir(parents=True, exist_ok=True)
        for name in (
            folder.name or "root",
            f"{folder.name or 'root'}-{hashlib.sha256(os.fsencode(folder)).hexdigest()[:6]}",
        ):
            link = data / name
            with contextlib.suppress(FileExistsError):
                link.symlink_to(folder, target_is_directory=True)
            if link.is_symlink() and link.readlink() == folder:
                return f"data/{name}"
        raise FileExistsError(f"{data} holds other data under the name of {folder}; move them away.")

    def name(self, file: Path) -> str:
        """Return the path by which items name a file, relative to the session's folder.

        A file outside the data folders (a gain reference, say) has its own folder linked in.
        """
        file = file.absolute()
        for folder, link in self._links.items():
            if file.is_relative_to(folder):
                return f"{link}/{file.relative_to(folder).as_posix()}"
        self._links[file.parent] = self._link(file.parent)
        return f"{self._links[file.parent]}/{file.name}"

    def locate(self, path: str) -> Path:
        """Return the file that an item names as `path`."""
        for folder, link in self._links.items():
            if path.startswith(f"{link}/"):
                return folder / path.removeprefix(f"{link}/")
        return self.session / path

    def below(self, file: Path) -> Path:
        """Return a file's path relative to the data folder that holds it."""
        for folder in self.folders:
            if file.is_relative_to(folder):
                return file.relative_to(folder)
        return file
