"""The printed report: what it says, and that it is set, of sessions of all sizes."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest

from eucentric.engine.sessions import NoSuchSession
from eucentric.formats import write_mrc
from eucentric.monitors.exposures import SessionRecord
from eucentric.monitors.pdf import write_pdf
from eucentric.monitors.pdf.content import content
from eucentric.monitors.pdf.examples import chosen
from eucentric.store import Database, Site
from monitors.written_session import WrittenSession, draw_pictures

pytestmark = pytest.mark.parametrize("site", ["sqlite"], indirect=True)


@pytest.fixture
def night(site: Site, database: Database) -> WrittenSession:
    """A session of two acquisitions, with the pictures of its examples."""
    night = WrittenSession(database, began=1_763_700_000.0)
    night.night(120)
    night.night(40, acquisition="grid-2", seed=3)
    for listed in record_of(night).acquisitions.values():
        for number, (_, exposure) in enumerate(chosen(listed)):
            draw_pictures(site.session_folder("night"), exposure.path, number)
    return night


def record_of(night: WrittenSession) -> SessionRecord:
    record = SessionRecord(night.number)
    with night.database.read() as connection:
        record.update(connection)
    return record


def said(night: WrittenSession, site: Site, folder: Path) -> dict[str, Any]:
    with night.database.read() as connection:
        return content(connection, record_of(night), site.session_folder("night"), folder)


def words(file: Path) -> str:
    if shutil.which("pdftotext") is None:
        pytest.skip("pdftotext is not installed (package poppler-utils)")
    done = subprocess.run(
        ["pdftotext", "-layout", str(file), "-"], capture_output=True, check=True, text=True
    )
    return done.stdout


def test_what_is_said(night: WrittenSession, site: Site, tmp_path: Path) -> None:
    data = said(night, site, tmp_path)
    tiles = {tile["label"]: tile["value"] for tile in data["tiles"]}
    assert tiles["exposures"] == "160"
    assert (
        int(tiles["accepted"]) + int(tiles["rejected"]) + int(tiles["failed"]) + int(tiles["waiting"]) == 160
    )
    assert tiles["of movies"] == "112\N{NO-BREAK SPACE}GB"
    first, second = data["acquisitions"]
    assert (first["name"], second["name"]) == ("grid-1", "grid-2")
    assert ("Acceleration voltage", "300 kV") in first["facts"]
    assert [each["label"] for each in first["histograms"]][:3] == ["Defocus", "CTF fit to", "Motion"]
    (classes,) = first["results"]
    assert ("classes selected", "9 of 24") in classes["figures"]
    assert classes["picture"] is None
    # Reasons that differ by their numbers only are one.
    reasons = {(each["state"], each["run"]): each for each in first["reasons"]}
    assert reasons["failed", "align"]["number"] == 3
    assert reasons["failed", "align"]["reason"] == "frame 12 of the movie cannot be decoded"
    assert len([each for each in first["reasons"] if "resolution" in each["reason"]]) == 1
    assert next(run["name"] for run in data["runs"]) == "movies"
    assert [run["params"] for run in data["runs"] if run["name"] == "pick"] == [[("diameter", "150")]]
    assert any(package.startswith("eucentric ") for package in data["software"][0]["packages"])


def test_figures_are_those_of_the_exposures(night: WrittenSession, site: Site, tmp_path: Path) -> None:
    data = said(night, site, tmp_path)
    (row,) = (row for row in data["acquisitions"][0]["table"] if row[0] == "CTF fit to")
    exposures = record_of(night).acquisitions["grid-1"]
    values = [each.items["ctf"]["resolution"] for each in exposures if "ctf" in each.items]
    low, middle, high = np.percentile(values, [5, 50, 95])
    assert row[1:] == ["Å", f"{low:.2f}", f"{middle:.2f}", f"{high:.2f}", str(len(values))]


def test_examples_are_the_best_the_median_and_the_worst(
    night: WrittenSession, site: Site, tmp_path: Path
) -> None:
    best, median, worst = said(night, site, tmp_path)["acquisitions"][0]["examples"]
    fits = [float(dict(each["figures"])["CTF fit to"].split()[0]) for each in (best, median, worst)]
    assert fits == sorted(fits)
    assert best["state"] == "done"
    assert len(best["picks"]) == 60
    assert all(0 <= x <= 1 and 0 <= y <= 1 for x, y in best["picks"])
    picture = imagecodecs.jpeg8_decode((tmp_path / best["image"]).read_bytes())
    assert picture.shape == (364, 512)
    # Picks lie on the dark particles, so the picture and the places are the same way up.
    at = [picture[int(y * 364), int(x * 512)] for x, y in best["picks"]]
    assert np.mean(at) < picture.mean() - 1.5 * picture.std() / np.sqrt(len(at))


def test_an_image_without_a_thumbnail_is_shown_the_right_way_up(
    site: Site, database: Database, tmp_path: Path
) -> None:
    night = WrittenSession(database, began=1_763_700_000.0)
    night.night(4)
    exposure = next(each for each in record_of(night).exposures() if "ctf" in each.items)
    image = np.random.default_rng(0).normal(size=(800, 1200)).astype(np.float32)
    image[:100] += 20  # the first rows are the bottom of the picture
    file = site.session_folder("night") / exposure.items["micrograph"]["path"]
    file.parent.mkdir(parents=True)
    write_mrc(file, image, pixel_size=0.83)
    examples = said(night, site, tmp_path)["acquisitions"][0]["examples"]
    (shown,) = (each for each in examples if each["name"] == exposure.name)
    picture = imagecodecs.jpeg8_decode((tmp_path / shown["image"]).read_bytes())
    assert max(picture.shape) == 640
    assert picture[-20:].mean() > 200
    assert picture[:200].mean() < 200


def test_nothing_outside_the_session_is_shown(site: Site, database: Database, tmp_path: Path) -> None:
    secret = site.folder / "secret.png"
    secret.write_bytes(imagecodecs.png_encode(np.zeros((9, 9), np.uint8)))
    night = WrittenSession(database, began=1_763_700_000.0)
    night.night(4)
    record = record_of(night)
    for each in record.exposures():
        for items in each.items.values():
            items.update(thumbnail_path="../../secret.png", diagnostic_path="../../secret.png")
    with database.read() as connection:
        data = content(connection, record, site.session_folder("night"), tmp_path)
    assert {each["spectrum"] for each in data["acquisitions"][0]["examples"]} == {None}


def test_the_file(night: WrittenSession, site: Site, database: Database, tmp_path: Path) -> None:
    file = tmp_path / "report.pdf"
    write_pdf(site, database, "night", file)
    written = file.read_bytes()
    assert written.startswith(b"%PDF-1.7")
    assert len(written) < 3_000_000
    text = words(file)
    for word in ("SESSION REPORT", "Acquisition grid-1", "Acquisition grid-2", "CTF fit to", "Best", "Worst"):
        assert word in text
    assert "frame 12 of the movie cannot be decoded" in text
    assert re.search(r"page 1 of \d", text)


def test_a_session_without_exposures(site: Site, database: Database, tmp_path: Path) -> None:
    WrittenSession(database)
    write_pdf(site, database, "night", tmp_path / "report.pdf")
    assert "No exposure has been found yet." in words(tmp_path / "report.pdf")


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_a_few_exposures_without_ctf_or_pictures(
    site: Site, database: Database, tmp_path: Path, count: int
) -> None:
    WrittenSession(database).night(count)  # the last two wait
    write_pdf(site, database, "night", tmp_path / "report.pdf")
    assert f"{count}\n" in re.sub(r" +", "\n", words(tmp_path / "report.pdf"))


def test_text_is_never_taken_for_markup(site: Site, database: Database, tmp_path: Path) -> None:
    night = WrittenSession(database)
    name = '#panic("x") $ *_ <a> "]'
    night.night(4, acquisition=name)
    night.ended("ctf", (name, "FoilHole_31000001_Data_00001"), "failed", '#read("/etc/passwd") $x^ ` {')
    write_pdf(site, database, "night", tmp_path / "report.pdf")
    text = words(tmp_path / "report.pdf").replace("“", '"').replace("”", '"')
    assert '#panic("x") $ *_ <a> "]' in text


def test_no_such_session(site: Site, database: Database, tmp_path: Path) -> None:
    with pytest.raises(NoSuchSession):
        write_pdf(site, database, "night", tmp_path / "report.pdf")
    assert not (tmp_path / "report.pdf").exists()
