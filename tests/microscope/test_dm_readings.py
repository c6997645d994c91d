"""DigitalMicrograph's tags in the vocabulary."""

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from eucentric.formats.scaled_image import Axis, ScaledImage
from eucentric.metadata.readings import Collector
from eucentric.microscope.dm_readings import local_time, of_tags
from eucentric.microscope.metadata_readers import read_metadata
from microscope.found_values import values


def tags(said: dict[str, Any]) -> dict[str, Any]:
    collector = Collector("header", "x.dm4")
    of_tags(collector, ScaledImage((Axis(4092), Axis(5760)), said))
    assert collector.refused == []
    return {each.term: each.value for each in collector.readings}


def test_a_counted_image_of_a_camera_behind_a_filter() -> None:
    found = tags(
        {
            "Brightness": {"Scale": 0.25, "Units": "e-", "Origin": 0.0},
            "Microscope Info": {
                "Voltage": 300_000.0,
                "Indicated Magnification": 105_000.0,
                "Actual Magnification": 60_000.0,
                "Illumination Mode": "TEM NANOPROBE",
                "Imaging Mode": "DIFFRACTION",
                "STEM Camera Length": 100.0,
                "Stage Position": {"Stage X": 1.5, "Stage Y": -2.0, "Stage Z": 0.0, "Stage Alpha": -59.9},
            },
            "Acquisition": {
                "Device": {
                    "Name": "K3",
                    "CCD": {"Pixel Size (µm)": (5.0, 5.0)},
                    "Active Size (pixels)": (5760, 4092),
                },
                "Parameters": {
                    "High Level": {"Exposure (s)": 2.5, "Binning": (2, 2), "Processing": "Dark Subtracted"}
                },
            },
            "EELS Spectrometer": {"Slit inserted": 1, "Slit width (eV)": 20.0, "Energy loss (eV)": 0.0},
            "DataBar": {"Acquisition Date": "1/2/2024", "Acquisition Time": "1:00:00 PM"},
        }
    )
    assert found["instrument.acceleration_voltage"] == 300
    assert found["acquisition.calibrated_magnification"] == 60_000
    assert (found["instrument.operating_mode"], found["instrument.imaging"]) == ("TEM", "diffraction")
    assert found["instrument.probe_mode"] == "nanoprobe"
    assert "instrument.camera_length" not in found  # that of the scan, which is off
    assert (found["exposure.stage_x"], found["exposure.tilt_angle"]) == (15_000, -59.9)
    assert (found["detector.name"], found["detector.width"], found["detector.height"]) == ("K3", 5760, 4092)
    assert found["detector.counts_per_electron"] == 4
    assert found["detector.gain_corrected"] is False
    assert (found["exposure.exposure_time"], found["exposure.binning"]) == (2.5, 2)
    assert (found["energy_filter.used"], found["energy_filter.width_energy_filter"]) == (True, 20)
    assert "exposure.date_time" not in found  # January or February: nobody can tell


def test_numbers_of_dm_that_mean_nothing_are_left_out() -> None:
    found = tags(
        {
            "Microscope Info": {
                "Voltage": 0.0,
                "Cs(mm)": 0.0,
                "Indicated Magnification": float("nan"),
                "Name": "",
            }
        }
    )
    assert found == {}


@pytest.mark.parametrize(
    ("day", "clock", "when"),
    [
        ("7/20/2015", "6:48:25 PM", datetime(2015, 7, 20, 18, 48, 25)),
        ("20/7/2015", "18:48:25", datetime(2015, 7, 20, 18, 48, 25)),
        ("02.03.2024", "00:05", datetime(2024, 3, 2, 0, 5)),
        ("2024-03-02", "12:00:01 AM", datetime(2024, 3, 2, 0, 0, 1)),
        ("3/3/24", "12:00:00 PM", datetime(2024, 3, 3, 12)),
        ("2/3/2024", "12:00:00 PM", None),
        ("31/31/2024", "12:00:00", None),
        ("2/30/2024", "12:00:00", None),
        ("", "12:00:00", None),
    ],
)
def test_dates_are_read_only_where_one_can_tell(day: str, clock: str, when: datetime | None) -> None:
    assert local_time(day, clock) == when


def test_a_spectrum_image_of_dm(shared: Path) -> None:
    found = values(read_metadata(shared / "fixtures" / "rosettasciio__EELS_SI.dm4"), "rosettasciio__EELS_SI")
    assert (found["exposure.scan_width"], found["exposure.scan_height"]) == (2, 2)
    assert found["exposure.channels"] == 2048
    assert found["exposure.scan_step"] == pytest.approx(19.92074, abs=1e-4)
    assert "exposure.width" not in found
    assert found["detector.dispersion"] == 1.0
    assert (found["energy_filter.model"], found["energy_filter.energy_loss"]) == ("GIF Quantum ER", 500)
    assert (found["instrument.beam_convergence"], found["detector.collection_angle_maximal"]) == (21, 62)
    assert found["exposure.date_time"] == datetime(2019, 5, 14, 20, 50, 13)


# TIA
