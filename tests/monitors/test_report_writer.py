"""What is written into a report: figures, pictures within their budget, a night of 20,000 exposures."""

import json
from pathlib import Path

import imagecodecs
import numpy as np
import pytest

from eucentric.monitors.exposures import SessionRecord
from eucentric.monitors.report.facts import facts_of
from eucentric.monitors.report.load import MOST_POINTS, load_of
from eucentric.monitors.report.pictures import Pictures, smaller
from eucentric.monitors.report.quantities import QUANTITIES
from eucentric.monitors.report.rows import Rows, shortened
from eucentric.monitors.report.writer import ReportWriter
from eucentric.store import Database, Site
from monitors.conftest import Night
from monitors.test_system import sample_at
from monitors.written_session import WrittenSession


def test_rows_hold_the_figures_of_the_items(night: Night) -> None:
    rows = Rows()
    exposures = night.record.acquisitions["grid-1"]
    read = json.loads(rows.of(exposures))
    assert [row[1] for row in read] == sorted(round(each.recorded, 1) for each in exposures)
    by_name = {row[0]: row for row in read}
    place = {each.name: 6 + number for number, each in enumerate(QUANTITIES)}
    for each in exposures:
        row = by_name[each.name]
        assert rows.reasons[row[5]] == each.reason
        if each.state == "done":
            ctf, micrograph = each.items["ctf"], each.items["micrograph"]
            assert row[place["astigmatism"]] == pytest.approx(ctf["defocus_u"] - ctf["defocus_v"], abs=0.5)
            assert row[place["target"]] == each.items["metadata"]["target_defocus"] / 1e4
            share = micrograph["mean_counts"] / micrograph["expected_counts"]
            assert row[place["counts"]] == pytest.approx(100 * share, abs=0.05)
            assert row[place["particles"]] == each.items["particles"]["count"]


def test_a_row_is_written_again_only_when_it_changed(night: Night) -> None:
    rows = Rows()
    exposure = night.record.acquisitions["grid-2"][0]
    before = rows.of([exposure])
    kept, exposure.recorded = exposure.recorded, 5.0
    try:
        assert rows.of([exposure]) == before
        exposure.version += 1
        assert json.loads(rows.of([exposure]))[0][1] == 5.0
    finally:
        exposure.recorded = kept


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ("/data/site/raw/x.tif: it is cut short", "x.tif: it is cut short"),
        ("40 e⁻/Å²/s is too much", "40 e⁻/Å²/s is too much"),
        ("look into /raw/night/", "look into night/"),
    ],
)
def test_reasons_name_files_without_folders(reason: str, told: str) -> None:
    assert shortened(reason) == told


def test_facts_are_told_in_units(night: Night) -> None:
    facts = dict(facts_of(night.record.acquisitions["grid-1"], night.record.shared["grid-1"]))
    assert facts["Pixel size"] == "0.83 Å"
    assert facts["Dose"] == "50 e⁻/Å² (1.25 per frame)"
    assert facts["Intended defocus"] == "0.8 to 2 µm"
    assert facts["Gain reference"] == "counts are multiplied with gain.tif"
    assert facts["Particle diameter"] == "150 Å"
    assert facts_of([], {}) == []


def test_pictures_are_those_of_the_newest_within_the_budget(night: Night) -> None:
    all_of_them = Pictures(night.folder).of(night.record.acquisitions)["grid-1"]
    newest = [each.name for each in night.record.acquisitions["grid-1"][-30:] if "micrograph" in each.items]
    assert sorted(all_of_them) == sorted(newest)
    few = Pictures(night.folder, budget=200_000).of(night.record.acquisitions)["grid-1"]
    assert 0 < sum(len(each) for each in few.values()) <= 200_000
    assert list(few) == newest[: -len(few) - 1 : -1]
    drawn = json.loads(all_of_them[newest[-1]])
    assert drawn.keys() == {"image", "spectrum", "profile", "motion", "picks"}
    assert len(drawn["profile"]["model"]) == 300
    assert len(drawn["picks"]["places"]) == 120
    assert drawn["picks"]["diameter"] == pytest.approx(150 / 0.83 / 5760 * 1000, abs=0.1)


def test_files_outside_the_session_are_not_shown(night: Night, tmp_path: Path) -> None:
    secret = tmp_path / "secret.png"
    secret.write_bytes(imagecodecs.png_encode(np.zeros((8, 8), np.uint8)))
    pictures = Pictures(night.folder)
    assert pictures._image(str(secret), 320) is None
    (night.folder / "link.png").symlink_to(secret)
    assert pictures._image("link.png", 320) is None
    damaged = night.folder / "damaged.png"
    damaged.write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    assert pictures._image("damaged.png", 320) is None


def test_smaller_images_are_means() -> None:
    image = np.kron(np.array([[10, 200], [90, 40]], np.uint8), np.ones((300, 400), np.uint8))
    reduced = smaller(image, 80)
    assert reduced.shape == (60, 80)
    np.testing.assert_array_equal(reduced[::30, ::40], [[10, 200], [90, 40]])
    assert smaller(image[:50, :50], 80).shape == (50, 50)
    assert smaller(np.stack([image] * 3, axis=2), 80).shape == (60, 80)
    with pytest.raises(ValueError, match="no picture"):
        smaller(np.zeros(5), 80)


def test_the_load_is_thinned_out_to_means() -> None:
    samples = [sample_at(10.0 * n).model_copy(update={"cpu": float(n % 2)}) for n in range(6000)]
    samples[-1] = samples[-1].model_copy(update={"disk_free": {"/": 5, "/raw": 7}})
    load = load_of(samples)
    assert load is not None
    assert len(load["time"]) == MOST_POINTS
    assert set(load["cpu"]) == {0.5}
    assert [disk["folder"] for disk in load["disks"]] == ["/", "/raw"]
    assert load["disks"][1]["free"][0] is None
    assert load_of([]) is None


@pytest.mark.parametrize("site", ["sqlite"], indirect=True)
def test_a_long_session_stays_small_and_cheap(site: Site, database: Database, tmp_path: Path) -> None:
    """Of 1,500 exposures each takes up no more than some 200 bytes; one more is all that is read again."""
    written = WrittenSession(database)
    written.night(1500)
    record = SessionRecord(written.number)
    with database.read() as connection:
        record.update(connection)
    writer, file = ReportWriter(tmp_path), tmp_path / "report.html"
    writer.write(file, record)
    assert file.stat().st_size < 1500 * 250 + 200_000
    written.night(1, acquisition="grid-2")
    with database.read() as connection:
        record.update(connection)
    assert len(record.changed) == 1
    writer.write(file, record)
    assert '"grid-2"' in file.read_text()
