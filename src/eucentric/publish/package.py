"""A package for a repository: metadata, files, checksums, and what is still to be decided, in one folder."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from eucentric.publish.document import Document

_BLOCK = 1 << 22


class PackageExists(ValueError):
    """There is something at the place of the package already."""


@dataclass
class Package:
    """What goes into the folder.

    Attributes:
        documents: File name -> document: text, bytes, or else JSON.
        files: Path in the package -> the file.
        open: What is still to be decided or given, one sentence each.
    """

    documents: dict[str, Document] = field(default_factory=dict)
    files: dict[str, Path] = field(default_factory=dict)
    open: list[str] = field(default_factory=list)

    def add_files(self, directory: str, files: Iterable[Path]) -> list[str]:
        """Add files to a folder of the package; names that occur twice there get a number.

        Returns:
            The paths that they have in the package.
        """
        paths = []
        for file in files:
            name, number = file.name, 1
            while (path := f"{directory.strip('/')}/{name}") in self.files:
                number += 1
                name = f"{file.stem}-{number}{file.suffix}"
            self.files[path] = file
            paths.append(path)
        return paths

    def content(self, name: str) -> bytes:
        """Return a document as it will be written."""
        content = self.documents[name].content
        if isinstance(content, bytes):
            return content
        if not isinstance(content, str):
            content = json.dumps(content, ensure_ascii=False, indent=2, allow_nan=False) + "\n"
        return content.encode()

    def missing(self) -> list[str]:
        """Return everything that is missing, each once."""
        told = [each for document in self.documents.values() for each in document.missing]
        return list(dict.fromkeys([*told, *self.open]))


def write_package(
    folder: Path, package: Package, *, copy: bool, progress: Callable[[float], None] = lambda _done: None
) -> dict[str, str]:
    """Write a package; the folder appears when it is whole.

    Files are linked, or copied, and read once for their checksums.

    Args:
        folder: Where; it must not be there, or be empty.
        package: What goes into it.
        copy: Copy files instead of linking to them.
        progress: Is told the fraction of bytes done.

    Returns:
        Path in the package -> SHA-256 of each file.

    Raises:
        PackageExists: The folder is there and not empty.
        OSError: A file cannot be read or written.
    """
    if folder.exists() and any(folder.iterdir()):
        raise PackageExists(f"{folder} is not empty; give another folder, or remove it.")
    part = folder.with_name(f".{folder.name}.{os.getpid()}.partial")
    part.mkdir(parents=True)
    try:
        checksums = dict(_place_files(part, package.files, copy, progress))
        for name in package.documents:
            (part / name).write_bytes(package.content(name))
            checksums[name] = _sha256(part / name, lambda _bytes: None)
        lines = [f"{checksum}  {path}\n" for path, checksum in sorted(checksums.items())]
        (part / "checksums.sha256").write_text("".join(lines), encoding="utf-8")
        missing = package.missing()
        if missing:
            text = "".join(f"- [ ] {each}\n" for each in missing)
            (part / "TO_DECIDE.md").write_text(f"# Still to be decided or given\n\n{text}", encoding="utf-8")
        if folder.exists():
            folder.rmdir()
        part.rename(folder)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    return checksums


def _place_files(
    folder: Path, files: dict[str, Path], copy: bool, progress: Callable[[float], None]
) -> Iterator[tuple[str, str]]:
    sizes = {path: file.stat().st_size for path, file in files.items()}
    total, done = max(1, sum(sizes.values())), 0

    def read(count: int) -> None:
        nonlocal done
        done += count
        progress(min(1.0, done / total))

    for path, file in files.items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        if copy:
            shutil.copyfile(file, place)
        else:
            place.symlink_to(file.resolve())
        yield path, _sha256(place, read)


def _sha256(file: Path, read: Callable[[int], None]) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
            read(len(block))
    return digest.hexdigest()
