"""Where files are here that metadata name by the paths of other computers."""

from pathlib import Path

import pytest

from eucentric.microscope.path_rules import local_path

RULES = {
    r"X:\Johannes": Path("/data/krios"),
    r"X:\Johannes\grid2": Path("/fast/grid2"),
    r"\\192.168.10.81\StorageServer\OffloadData": Path("/offload"),
    "/mnt/scope/": Path("/data/unix"),
}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (r"X:\Johannes\a\b.tif", "/data/krios/a/b.tif"),
        (r"x:\JOHANNES\a\b.tif", "/data/krios/a/b.tif"),
        ("X:/Johannes/a/b.tif", "/data/krios/a/b.tif"),
        (r"X:\Johannes\grid2\b.tif", "/fast/grid2/b.tif"),
        (
            r"\\192.168.10.81\StorageServer\OffloadData\\TemScripting\EF-Falcon\x.mrc",
            "/offload/TemScripting/EF-Falcon/x.mrc",
        ),
        ("/mnt/scope/a.tif", "/data/unix/a.tif"),
        (r"X:\Johannes2\b.tif", None),
        (r"Y:\Johannes\b.tif", None),
        ("b.tif", None),
        ("", None),
        (r"X:\Johannes\..\..\..\etc\passwd", None),
        (r"X:\Johannes\a\..\b.tif", "/data/krios/b.tif"),
        ("X:\\Johannes\\a\0b.tif", None),
    ],
)
def test_paths(path: str, found: str | None) -> None:
    assert local_path(path, RULES) == (found and Path(found))


def test_a_rule_of_nothing_leads_nowhere() -> None:
    assert local_path("/etc/passwd", {"": Path("/"), "/": Path("/x")}) is None
