"""The import of folders as EPU and SerialEM write them, whole, late, and in part."""

import logging
import os
import re
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import numpy as np
import pytest

from eucentric.engine.protocol import Found, Trouble
from eucentric.formats import write_mrc
from eucentric.metadata import Gain, Movie
from eucentric.microscope.simulate import SimulationSettings, simulate_session
from eucentric.microscope.simulate.epu_documents import EpuImage, image_xml
from eucentric.store import Site
from eucentric.techniques.single_particle import import_gain, import_scan
from techniques.single_particle.scanning import Scan, movie, outputs

StartScan = Callable[..., Scan]
BLANK = {"pixel_size": None, "voltage": None}
"""Nothing is given on the command line."""


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_scan, "TICK", 0.05)
    monkeypatch.setattr(import_scan, "RETRY", 0.2)
    monkeypatch.setattr(import_gain, "SEARCH_AGAIN", 0.1)


def simulated(folder: Path, **settings: object) -> Path:
    settings = {"exposures": 3, "width": 128, "height": 128, "frames": 4, "particles": 2, **settings}
    simulate_session(folder, SimulationSettings(**settings))
    return folder


def found_of(found: list[Found | Trouble], output: str) -> list[Found]:
    return [each for each in found if isinstance(each, Found) and each.output == output]


def troubles(found: list[Found | Trouble]) -> dict[tuple[str, ...], str]:
    return {(each.acquisition, *each.key): each.reason for each in found if isinstance(each, Trouble)}


class EpuTree:
    """A folder of EPU with a K3 of 48 × 32 pixels, made by hand."""

    def __init__(self, root: Path, session: str = "") -> None:
        self.data = root / session / "Images-Disc1" / "GridSquare_77" / "Data"
        self.data.mkdir(parents=True)
        self.gain = root / session / "20240101_000000_K3_gain_ref.mrc"
        write_mrc(self.gain, np.ones((32, 48), np.float32), 1.0)

    def movie(self, number: int, frames: int = 5) -> Path:
        return movie(self.data / f"{self.name(number)}_Fractions.tiff", frames, (32, 48))

    def name(self, number: int) -> str:
        return f"FoilHole_1_Data_2_3_20240101_{number:06d}"

    def xml(self, number: int, pixel_size: float = 0.5, dose: float = 40.0, **more: object) -> Path:
        values = {
            "identity": UUID(int=number),
            "recorded": datetime(2024, 1, 1, tzinfo=UTC),
            "voltage": 200e3,
            "magnification": 165_000,
            "pixel_size": 2 * pixel_size * 1e-10,  # of the preview
            "height": 16,
            "width": 24,
            "binning": 2,
            "super_resolution": 2,
            "fractions": 5,
            "exposure_time": 1.0,
            "camera": "EF-CCD",
            "detector": "BioQuantum K3",
            "dose": dose * 1e20,
            "defocus": -1.5e-6,
            "stage": (0.0, 0.0),
            "extra": {},
            **more,
        }
        part = self.data / f".{self.name(number)}"
        part.write_text(image_xml(EpuImage(**values)))
        return part.rename(self.data / f"{self.name(number)}.xml")


@pytest.fixture
def epu(tmp_path: Path) -> EpuTree:
    return EpuTree(tmp_path / "raw")


@pytest.mark.parametrize("layout", ["epu", "serialem"])
def test_a_folder_tells_all_that_is_needed(
    scan: StartScan, tmp_path: Path, layout: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "eucentric.import")
    raw = simulated(tmp_path / "raw", layout=layout, dose=32, voltage=200, pixel_size=1.3)
    found = scan(raw, **BLANK).end()
    assert troubles(found) == {}
    movies = [each.item for each in found_of(found, "movie")]
    assert len(movies) == 3
    for each in movies:
        assert isinstance(each, Movie)
        assert (each.pixel_size, each.voltage, each.frames) == (pytest.approx(1.3), 200, 4)
        assert each.dose_per_frame == pytest.approx(8)
    assert len(found_of(found, "metadata")) == 3
    assert all(each.item.target_defocus > 0 for each in found_of(found, "metadata"))
    (gain,) = (each.item for each in found_of(found, "gain"))
    assert gain.operation == "multiply"
    assert (tmp_path / "session" / gain.path).name.endswith(".mrc")
    assert (gain.defects_path is not None) == (layout == "serialem")
    assert "Acquisition 128x128" in caplog.text
    assert "4 frames of 8 e⁻/Å² each" in caplog.text


def test_eer_is_read_in_fractions_of_one_electron(scan: StartScan, tmp_path: Path) -> None:
    raw = simulated(tmp_path / "raw", layout="epu", movie_format="eer", exposures=1, dose=20)
    found = scan(raw, **BLANK).end()
    (item,) = (each.item for each in found_of(found, "movie"))
    assert item.raw_frames > 100
    assert (item.frames, item.height, item.upsampling) == (20, 128, 1)
    assert item.dose_per_frame == pytest.approx(1, rel=1e-3)
    fine = scan(raw, **BLANK, eer_upsampling=2, eer_fractions=8).end()
    (item,) = (each.item for each in found_of(fine, "movie"))
    assert (item.frames, item.height, item.pixel_size) == (8, 256, pytest.approx(0.6))
    assert item.dose_per_frame == pytest.approx(2.5, rel=1e-3)


@pytest.mark.parametrize("layout", ["epu", "serialem"])
def test_every_grid_and_magnification_is_an_acquisition(scan: StartScan, tmp_path: Path, layout: str) -> None:
    grids = [{"name": "grid1"}, {"name": "grid2", "pixel_size": 2.0}]
    raw = simulated(tmp_path / "raw", layout=layout, grids=grids, exposures=4)
    found = scan(raw, **BLANK).end()
    sizes = {(each.acquisition, round(each.item.pixel_size, 3)) for each in found_of(found, "movie")}
    assert sizes == {("grid1-128x128", 1.2), ("grid2-128x128", 2.0)}
    assert {each.acquisition for each in found_of(found, "gain")} == {"grid1-128x128", "grid2-128x128"}


def test_a_second_magnification_on_one_grid_is_an_acquisition_of_its_own(
    scan: StartScan, epu: EpuTree, tmp_path: Path
) -> None:
    for number, pixel_size in ((1, 0.5), (2, 1.06), (3, 0.5001)):
        epu.movie(number)
        epu.xml(number, pixel_size)
        os.utime(epu.movie(number), (number, number))
    running = scan(tmp_path / "raw", **BLANK)
    found = running.end()
    places = {each.key[0][-16:-10]: each.acquisition for each in found_of(found, "movie")}
    assert places == {"000001": "48x32", "000002": "48x32-1.06A", "000003": "48x32"}
    assert scan(tmp_path / "raw", known=found, **BLANK).end() == []
    # Without metadata nobody can say which of the two a movie is.
    epu.movie(4)
    again = scan(tmp_path / "raw", known=found, **BLANK).end()
    ((place, reason),) = troubles(again).items()
    assert "several pixel sizes" in reason
    epu.xml(4, 1.06)
    last = scan(tmp_path / "raw", known=found, **BLANK).end()
    assert [each.acquisition for each in found_of(last, "movie")] == ["48x32-1.06A"]
    assert place[1] == found_of(last, "movie")[0].key[0]


def test_the_first_movie_waits_for_its_metadata_and_the_others_need_not(
    scan: StartScan, epu: EpuTree, tmp_path: Path
) -> None:
    epu.movie(1)
    running = scan(tmp_path / "raw", **BLANK, wait_for_metadata=60)
    assert not running.caught.wait(1)
    assert running.found == []
    epu.xml(1)
    running.wait(lambda found: found_of(found, "movie"))
    epu.movie(2)
    running.wait(lambda found: len(found_of(found, "movie")) == 2)
    first, second = (each.item for each in found_of(running.end(), "movie"))
    assert second.pixel_size == first.pixel_size == pytest.approx(0.5)
    assert second.dose_per_frame == first.dose_per_frame == pytest.approx(8)
    assert second.voltage == 200


def test_what_nobody_says_is_asked_for_and_taken_when_it_comes(
    scan: StartScan, epu: EpuTree, tmp_path: Path
) -> None:
    epu.movie(1)
    running = scan(tmp_path / "raw", **BLANK)
    running.wait(troubles)
    assert running.caught.wait(20)
    ((place, reason),) = troubles(running.found).items()
    assert "the pixel size (--pixel-size, in Å) and the acceleration voltage (--voltage, in kV)" in reason
    epu.xml(1)
    running.wait(lambda found: found_of(found, "movie"))
    (late,) = found_of(running.end(), "movie")
    assert (late.acquisition, *late.key) == place


def test_what_is_given_counts_more_than_what_is_found(scan: StartScan, epu: EpuTree, tmp_path: Path) -> None:
    epu.movie(1)
    epu.xml(1)
    found = scan(tmp_path / "raw", pixel_size=0.51, voltage=300, dose=20, no_gain=True).end()
    (item,) = (each.item for each in found_of(found, "movie"))
    assert (item.pixel_size, item.voltage, item.dose_per_frame) == (0.51, 300, 4)
    assert found_of(found, "gain")[0].item.path is None


@pytest.mark.parametrize(("dose", "pixel_size", "again"), [(41, 0.5001, False), (60, 0.5, True)])
def test_only_metadata_that_change_something_bring_the_movie_again(
    scan: StartScan, epu: EpuTree, tmp_path: Path, dose: float, pixel_size: float, again: bool
) -> None:
    epu.movie(1)
    epu.xml(1)
    running = scan(tmp_path / "raw", **BLANK)
    running.wait(lambda found: found_of(found, "movie"))
    epu.movie(2)
    running.wait(lambda found: len(found_of(found, "movie")) == 2)
    epu.xml(2, pixel_size, dose)
    running.wait(lambda found: len(found_of(found, "metadata")) == 2)
    movies = found_of(running.end(), "movie")
    assert len(movies) == (3 if again else 2)
    assert movies[-1].item.dose_per_frame == pytest.approx(12 if again else 8)


def test_late_metadata_may_show_that_a_movie_belongs_elsewhere(
    scan: StartScan, epu: EpuTree, tmp_path: Path
) -> None:
    epu.movie(1)
    epu.xml(1)
    running = scan(tmp_path / "raw", **BLANK)
    running.wait(lambda found: found_of(found, "movie"))
    epu.movie(2)
    running.wait(lambda found: len(found_of(found, "movie")) == 2)
    epu.xml(2, 1.06)
    running.wait(lambda found: len(found_of(found, "movie")) == 3)
    found = running.end()
    key = found_of(found, "movie")[1].key
    assert troubles(found) == {
        ("48x32", *key): "By its metadata this exposure belongs to 48x32-1.06A, where it is processed."
    }
    last = found_of(found, "movie")[-1]
    assert (last.acquisition, last.key, last.item.pixel_size) == ("48x32-1.06A", key, pytest.approx(1.06))


def test_dropped_frames_are_counted_and_the_dose_is_that_of_whole_movies(
    scan: StartScan, epu: EpuTree, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    epu.movie(1, frames=4)
    epu.xml(1)
    (item,) = (each.item for each in found_of(scan(tmp_path / "raw", **BLANK).end(), "movie"))
    assert (item.frames, item.dropped_frames, item.dose_per_frame) == (4, 1, pytest.approx(8))
    assert "of 5 frames 1 are missing" in caplog.text


def test_movies_of_a_camera_that_needs_a_gain_reference_wait_for_it(
    scan: StartScan, epu: EpuTree, tmp_path: Path
) -> None:
    kept = shutil.move(epu.gain, tmp_path / "kept.mrc")
    epu.movie(1)
    epu.xml(1)
    running = scan(tmp_path / "raw", **BLANK)
    running.wait(troubles)
    (reason,) = troubles(running.found).values()
    assert "--gain FILE" in reason
    assert "--no-gain" in reason
    shutil.move(kept, epu.gain)
    running.wait(lambda found: found_of(found, "movie"))
    running.end()


def test_a_reference_that_is_named_anew_serves_the_movies_that_come_after(
    scan: StartScan, epu: EpuTree, tmp_path: Path
) -> None:
    root = epu.gain.parent
    for name in ("first_gain.mrc", "second_gain.mrc"):
        shutil.copy(epu.gain, root / name)
    running = scan(tmp_path / "raw", **BLANK)
    for number, name in ((1, "first_gain"), (2, "first_gain"), (3, "second_gain")):
        epu.xml(number, extra={"Detectors[EF-CCD].GainReference": f"X:\\refs\\{name}.dm4"})
        epu.movie(number)
        running.wait(lambda found, number=number: len(found_of(found, "movie")) == number)
    found = running.end()
    order = [each.item.path.rpartition("/")[2] for each in found if each.output == "gain"]
    assert order == ["first_gain.mrc", "second_gain.mrc"]
    assert [each.output for each in found if each.output != "metadata"][-2:] == ["gain", "movie"]
    assert scan(tmp_path / "raw", known=found, **BLANK).end() == []


def test_the_sum_beside_a_movie_and_overviews_are_no_movies(
    scan: StartScan, epu: EpuTree, tmp_path: Path
) -> None:
    epu.movie(1)
    epu.xml(1)
    square = epu.data.parent
    for file in (epu.data / f"{epu.name(1)}.mrc", square / "GridSquare_20240101_000000.mrc"):
        write_mrc(file, np.ones((32, 48), np.float32), 1.0)
    (square / "FoilHoles").mkdir()
    write_mrc(square / "FoilHoles" / "FoilHole_1_20240101_000000.mrc", np.ones((32, 48), np.float32), 1.0)
    found = scan(tmp_path / "raw", **BLANK).end()
    assert len(found_of(found, "movie")) == 1
    assert troubles(found) == {}


def test_broken_metadata_are_told_and_the_movie_goes_its_way(
    scan: StartScan, epu: EpuTree, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    epu.movie(1)
    epu.xml(1)
    running = scan(tmp_path / "raw", **BLANK)
    running.wait(lambda found: found_of(found, "movie"))
    (epu.data / f"{epu.name(2)}.xml").write_text("<MicroscopeImage><unfinished")
    epu.movie(2)
    running.wait(lambda found: len(found_of(found, "movie")) == 2)
    assert "are left out" in caplog.text
    assert troubles(running.end()) == {}


def test_metadata_in_another_watched_tree_are_found(scan: StartScan, tmp_path: Path) -> None:
    movies, metadata = EpuTree(tmp_path / "offload"), EpuTree(tmp_path / "epu")
    movies.movie(1)
    metadata.xml(1)
    found = scan(
        tmp_path / "offload", **BLANK, folders=[str(tmp_path / "offload"), str(tmp_path / "epu")]
    ).end()
    assert outputs(found)[:2] == [
        ("offload-48x32", (), "gain"),
        ("offload-48x32", (f"{movies.name(1)}_Fractions",), "movie"),
    ]


def test_results_below_a_watched_folder_are_no_movies(tmp_path: Path) -> None:
    session = tmp_path / "raw" / "site" / "sessions" / "night"
    movie(session / "runs" / "align" / "weighted.tiff", frames=1)
    movie(tmp_path / "raw" / "a.tiff")
    running = Scan(session, tmp_path / "raw")
    assert [each.key for each in found_of(running.end(), "movie")] == [("a",)]


def test_falcon_movies_are_corrected_already(scan: StartScan, tmp_path: Path) -> None:
    raw = simulated(tmp_path / "raw", layout="epu", movie_format="mrc-int16", exposures=1)
    (gain,) = (each.item for each in found_of(scan(raw, **BLANK).end(), "gain"))
    assert isinstance(gain, Gain)
    assert gain.path is None
    assert "Falcon" in (gain.detector or "")


def test_maps_of_serialem_are_no_movies(scan: StartScan, tmp_path: Path) -> None:
    raw = simulated(tmp_path / "raw", layout="serialem", exposures=1)
    write_mrc(raw / "frames" / "LMM.mrc", np.ones((2, 128, 128), np.float32), 500.0)
    (raw / "frames" / "LMM.mrc.mdoc").write_text(
        "ImageFile = LMM.mrc\nImageSize = 128 128\n[ZValue = 0]\nPixelSpacing = 500\n"
    )
    found = scan(raw, **BLANK).end()
    assert [each.key[0][:5] for each in found_of(found, "movie")] == ["GroEL"]
    assert troubles(found) == {}


def test_a_reference_is_turned_as_serialem_says(scan: StartScan, tmp_path: Path) -> None:
    raw = simulated(tmp_path / "raw", layout="serialem", exposures=1, height=96)
    (mdoc,), (reference,) = raw.glob("frames/*.mdoc"), raw.glob("frames/CountRef*")
    write_mrc(reference, np.ones((96, 128), np.float32), 1.0)  # without a title: as the camera delivers
    mdoc.write_text(re.sub(r"RotationAndFlip = \d", "RotationAndFlip = 2", mdoc.read_text()))
    (gain,) = (each.item for each in found_of(scan(raw, **BLANK).end(), "gain"))
    assert (gain.rotation, gain.flip) == (180, "none")
    (gain,) = (each.item for each in found_of(scan(raw, **BLANK, gain_flip="top-bottom").end(), "gain"))
    assert (gain.rotation, gain.flip) == (0, "top-bottom")
    mdoc.write_text(mdoc.read_text().replace("RotationAndFlip = 2", "RotationAndFlip = 1"))
    (reason,) = troubles(scan(raw, **BLANK).end()).values()
    assert "turned by 90° it does not fit" in reason


# ---------------------------------------------------------------- the registry of instruments


@pytest.mark.parametrize(
    ("settings", "given", "expected"),
    [
        ('[instrument.Titan]\nmatches = ["EUCENTRIC1"]\ncs = 1.4\n', {}, 1.4),
        ('[instrument.Titan]\nmatches = ["EUCENTRIC1"]\ncs = 1.4\n', {"spherical_aberration": 0.01}, 0.01),
        ('[instrument.Titan]\nmatches = ["ANOTHER"]\ncs = 1.4\n', {}, 2.7),
        ("", {}, 2.7),
    ],
)
def test_the_registry_of_the_site_says_the_spherical_aberration(
    tmp_path: Path, settings: str, given: dict[str, float], expected: float
) -> None:
    site = Site.create(tmp_path / "site", settings)
    session = site.session_folder("s")
    session.mkdir()
    tree = EpuTree(tmp_path / "raw")
    tree.movie(1)
    tree.xml(1)
    first = Scan(session, tmp_path / "raw", **BLANK, **given).end()
    assert [each.item.spherical_aberration for each in found_of(first, "movie")] == [expected]
    # Another movie, of which no metadata have come, is of the same microscope; also after a restart.
    tree.movie(2)
    known = [each for each in first if isinstance(each, Found)]
    again = Scan(session, tmp_path / "raw", known=known, **BLANK, **given)
    assert [each.item.spherical_aberration for each in found_of(again.end(), "movie")] == [expected]


def test_a_registry_that_is_wrong_is_told_and_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    site = Site.create(tmp_path / "site", "")
    (site.folder / "instruments.toml").write_text("[instrument.x]\ncs = 'much'\n")
    session = site.session_folder("s")
    session.mkdir()
    tree = EpuTree(tmp_path / "raw")
    tree.movie(1)
    tree.xml(1)
    found = Scan(session, tmp_path / "raw", **BLANK).end()
    assert [each.item.spherical_aberration for each in found_of(found, "movie")] == [2.7]
    assert "The registry of instruments is left out" in caplog.text
