import hashlib
import json
from pathlib import Path

import pytest

from eucentric.publish.document import Document
from eucentric.publish.package import Package, PackageExists, write_package


def package(folder: Path) -> Package:
    for place in ("a", "b"):
        (folder / place).mkdir(exist_ok=True)
        (folder / place / "movie.tiff").write_bytes(place.encode() * 1000)
    found = Package(
        documents={
            "deposition.json": Document({"title": "Å"}, ("A person is needed.",)),
            "header.xml": Document("<a/>"),
        },
        open=["A licence.", "A person is needed."],
    )
    found.add_files("/data/grid/movies", [folder / "a" / "movie.tiff", folder / "b" / "movie.tiff"])
    return found


@pytest.mark.parametrize("copy", [True, False])
def test_a_whole_package(tmp_path: Path, copy: bool) -> None:
    done: list[float] = []
    out = tmp_path / "out"
    checksums = write_package(out, package(tmp_path), copy=copy, progress=done.append)
    movies = out / "data" / "grid" / "movies"
    assert [each.name for each in sorted(movies.iterdir())] == ["movie-2.tiff", "movie.tiff"]
    assert all(each.is_symlink() != copy for each in movies.iterdir())
    assert (movies / "movie-2.tiff").read_bytes() == b"b" * 1000
    assert json.loads((out / "deposition.json").read_text()) == {"title": "Å"}
    for line in (out / "checksums.sha256").read_text().splitlines():
        checksum, _, path = line.partition("  ")
        assert hashlib.sha256((out / path).read_bytes()).hexdigest() == checksum == checksums[path]
    assert len(checksums) == 4
    assert done == sorted(done)
    assert done[-1] == 1
    assert (out / "TO_DECIDE.md").read_text().count("- [ ]") == 2


def test_nothing_half_written_stays(tmp_path: Path) -> None:
    broken = package(tmp_path)
    (tmp_path / "b" / "movie.tiff").unlink()
    with pytest.raises(FileNotFoundError):
        write_package(tmp_path / "out", broken, copy=True)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a", "b"]


def test_nothing_is_written_over(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").touch()
    with pytest.raises(PackageExists, match="is not empty"):
        write_package(tmp_path / "out", package(tmp_path), copy=True)
    assert [each.name for each in (tmp_path / "out").iterdir()] == ["mine"]
