"""Protocols are found as entry points and in a site's folder; what is broken hides nothing else."""

from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from engine.little import Number, Numbers, Shift, Total
from eucentric.engine import registry as module
from eucentric.engine.ports import ContractBroken
from eucentric.engine.protocol import Protocol, Task
from eucentric.engine.registry import Registry, UnknownItem, code_digest, station_of
from eucentric.engine.worker import ItemRecord, item_of, record_of
from eucentric.metadata import Item

FILE = '''
"""A site's own protocol."""
from eucentric.engine.protocol import Protocol, Task
from engine.little import Number

class Flip(Protocol):
    """Flip the sign."""

    name = "{name}"
    version = "{version}"

    def process(self, number: Number, task: Task) -> Number:
        return Number(value=-number.value)
'''


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two entry points, one of which cannot be loaded."""
    points = [
        EntryPoint("shift", "engine.little:Shift", module.GROUP),
        EntryPoint("gone", "engine.no_such_module:Gone", module.GROUP),
    ]
    monkeypatch.setattr(module, "entry_points", lambda group: points if group == module.GROUP else [])


@pytest.mark.usefixtures("installed")
def test_installed_protocols_are_loaded_when_they_are_asked_for() -> None:
    registry = Registry()
    assert list(registry) == ["gone", "shift"]
    assert registry["shift"] is Shift
    assert len(registry) == 2


@pytest.mark.usefixtures("installed")
def test_a_broken_entry_point_hides_no_other() -> None:
    registry = Registry()
    assert "gone" not in registry
    assert list(registry) == ["shift"]
    assert registry.broken["gone"].startswith("ModuleNotFoundError")
    with pytest.raises(KeyError, match="gone"):
        registry["gone"]


def test_the_installed_protocols_of_this_project_work() -> None:
    registry = Registry()
    assert {name: registry[name].name for name in list(registry)} == {name: name for name in registry}
    assert registry.broken == {}


@pytest.mark.usefixtures("installed")
def test_a_file_in_the_sites_folder_is_a_protocol(tmp_path: Path) -> None:
    (tmp_path / "flip.py").write_text(FILE.format(name="flip", version="1"))
    (tmp_path / "_private.py").write_text("raise RuntimeError")
    registry = Registry(tmp_path)
    assert list(registry) == ["flip", "gone", "shift"]
    assert registry["flip"]().process(Number(value=2), None) == Number(value=-2)
    assert registry.broken == {}


@pytest.mark.usefixtures("installed")
def test_a_sites_file_wins_over_what_is_installed(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(FILE.format(name="shift", version="of the site"))
    assert Registry(tmp_path)["shift"].version == "of the site"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("def", "SyntaxError"),
        ("raise RuntimeError('no licence')", "RuntimeError: no licence"),
        ("import sys; answer = 42", "has no class derived from Protocol"),
        (
            FILE.format(name="flip", version="1").replace('version = "1"', ""),
            "does not declare its `version`",
        ),
        (FILE.format(name="flip", version="1").replace("-> Number", ""), "must be annotated to return"),
    ],
)
def test_a_broken_file_is_named_with_the_reason_and_hides_no_other(
    tmp_path: Path, text: str, reason: str
) -> None:
    (tmp_path / "a_broken.py").write_text(text)
    (tmp_path / "good.py").write_text(FILE.format(name="good", version="1"))
    registry = Registry(tmp_path)
    assert "good" in registry
    assert reason in registry.broken[str(tmp_path / "a_broken.py")]


def test_a_site_without_a_folder_of_protocols_is_well(tmp_path: Path) -> None:
    assert Registry(tmp_path / "protocols").broken == {}


def test_a_protocol_needs_a_name() -> None:
    class Nameless(Protocol):
        version = "1"

        def process(self, number: Number, task: Task) -> Number:
            return number

    with pytest.raises(ContractBroken, match="Nameless does not declare its `name`"):
        Registry().add(Nameless)


def test_the_code_digest_follows_the_file(tmp_path: Path) -> None:
    file = tmp_path / "flip.py"
    file.write_text(FILE.format(name="flip", version="1"))
    before = code_digest(Registry(tmp_path)["flip"])
    file.write_text(FILE.format(name="flip", version="1") + "# changed\n")
    assert code_digest(Registry(tmp_path)["flip"]) != before


def test_stations() -> None:
    assert [station_of(protocol) for protocol in (Numbers, Shift, Total)] == [
        "source",
        "exposure",
        "accumulator",
    ]


def test_a_file_that_comes_later_is_found_and_what_was_loaded_stays(tmp_path: Path) -> None:
    (tmp_path / "flip.py").write_text(FILE.format(name="flip", version="1"))
    (tmp_path / "bad.py").write_text("1 +")
    registry = Registry(tmp_path)
    loaded = registry["flip"]
    (tmp_path / "turn.py").write_text(FILE.format(name="turn", version="1"))
    (tmp_path / "bad.py").write_text(FILE.format(name="mended", version="1"))
    registry.look_for_new_files()
    assert {"flip", "turn", "mended"} <= set(registry)
    assert registry["flip"] is loaded
    assert not registry.broken


PLUGGED = """
from eucentric.metadata import Item

class PluggedMap(Item):
    number: int
"""


def test_items_of_a_plug_in_are_read_back_where_it_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record: ItemRecord = {"kind": "plugged_map", "data": {"number": 3}}
    with pytest.raises(UnknownItem, match=r"kind plugged_map cannot be read, .* install the plug-in"):
        item_of(record)
    (tmp_path / "plugged_items.py").write_text(PLUGGED)
    points = tmp_path / "plugged-1.0.dist-info/entry_points.txt"
    points.parent.mkdir()
    points.write_text("[eucentric.items]\nplugged_map = plugged_items:PluggedMap\n")
    monkeypatch.syspath_prepend(tmp_path)
    read = item_of(record)
    assert type(read).__name__ == "PluggedMap"
    assert record_of(read) == record
    monkeypatch.delitem(Item.kinds, "plugged_map")
