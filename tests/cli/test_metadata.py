"""`eucentric metadata`."""

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cli.command_line import COMMAND, Cli
from eucentric.metadata.parameters import PARAMETERS
from eucentric.metadata.records import SessionRecord
from eucentric.store import Site

K3 = "EMharvest__FoilHole_19513699_Data_19508496_19508498_20230919_154056.xml"
MOVIE = "FoilHole_19513699_Data_19508496_19508498_20230919_154056"
REGISTRY = """\
[instrument."Krios 1"]
matches = ["TITAN52336320"]
model = "Titan Krios G3i"
cs = 2.7
"""


@pytest.fixture
def folder(shared: Path, tmp_path: Path) -> Path:
    made = tmp_path / "grid1"
    made.mkdir()
    shutil.copyfile(shared / "fixtures" / K3, made / f"{MOVIE}.xml")
    return made


def test_values_are_shown_with_where_they_are_from(cli: Cli, folder: Path) -> None:
    result = cli("metadata", folder)
    assert result.exit_code == 0
    lines = [" ".join(line.split()) for line in result.output.splitlines()]
    assert lines[0] == "Acquisition collection-165000x: 1 exposure"
    assert any(line.startswith("energy_filter.width_energy_filter 10 eV") for line in lines)
    assert "microscopeData/gun/AccelerationVoltage [V] × 0.001" in " ".join(lines)
    shown = [name for name in PARAMETERS if any(line.startswith(name) for line in lines)]
    assert shown == list(PARAMETERS)
    assert any(line.startswith("CS to be given: registry") for line in lines)
    assert any(line.startswith("Acceleration Voltage 300 from file") for line in lines)


def test_the_registry_of_the_site_tells_the_rest(cli: Cli, folder: Path, tmp_path: Path) -> None:
    site = Site.create(tmp_path / "site", REGISTRY)
    lines = [
        " ".join(line.split()) for line in cli("metadata", folder, "--site", site.folder).output.splitlines()
    ]
    assert any(line.startswith("CS 2.7 from registry") for line in lines)
    assert any(line.startswith("Instrument Name Titan Krios G3i from registry") for line in lines)


def test_what_is_given_counts_most(cli: Cli, folder: Path, tmp_path: Path) -> None:
    site = Site.create(tmp_path / "site", REGISTRY)
    result = cli(
        "metadata",
        folder,
        "--site",
        site.folder,
        "--set",
        "instrument.cs=2.6",
        "--set",
        "grid.name=3A",
        "--json",
    )
    (record,) = json.loads(result.output)["acquisitions"]
    assert record["instrument"]["cs"] == 2.6
    assert record["grid"]["name"] == "3A"
    assert record["acquisition"]["name"] == "3A-collection-165000x"


def test_json_holds_everything_and_can_be_read_back(cli: Cli, folder: Path) -> None:
    data = json.loads(cli("metadata", folder, "--json").output)
    (acquisition,) = data["acquisitions"]
    dose = acquisition["exposures"][0]["dose"]
    assert dose == pytest.approx(39.92313609)
    origin = acquisition["provenance"]["instrument.acceleration_voltage"]["origin"]
    assert origin == {
        "source": "companion",
        "file": f"{MOVIE}.xml",
        "key": "microscopeData/gun/AccelerationVoltage",
        "unit": "V",
        "conversion": "× 0.001",
    }
    parameters = {each["name"]: each for each in acquisition.pop("parameters")}
    assert parameters["CS"]["given_by"] == ["registry"]
    assert parameters["Acceleration Voltage"]["source"] == "file"
    assert SessionRecord.model_validate(data).acquisitions[0].exposures[0].dose == dose


def test_one_repositorys_wishes(cli: Cli, folder: Path) -> None:
    output = cli("metadata", folder, "--to", "empiar").output
    assert "Movie frames per image" in output
    assert "alignment procedure" not in output
    data = json.loads(cli("metadata", folder, "--to", "zenodo", "--json").output)
    assert data["acquisitions"][0]["parameters"] == []


def test_what_does_not_agree_and_what_is_left_out_is_told(cli: Cli, folder: Path) -> None:
    file = folder / f"{MOVIE}.xml"
    text = file.read_text()
    file.write_text(text.replace("3.9923136094518787E+21", "6.5E+21").replace(">300000<", ">9E9<"))
    output = cli("metadata", folder).output
    assert "Not agreed:" in output
    assert "dose is 65.0" in output
    assert "Left out:" in output
    assert "acceleration voltage of 9e+06 kV" in output


def test_what_steers_a_terminal_is_not_printed(cli: Cli, tmp_path: Path) -> None:
    text = "T = SerialEM: a\x1b[2Jb [red]c\n[FrameSet = 0]\nNavigatorLabel = \x1b]0;x\x07\nExposureTime = 1\n"
    (tmp_path / "a.mdoc").write_text(text)
    output = cli("metadata", tmp_path / "a.mdoc").output
    assert "\x1b" not in output
    assert "[red]c" in output


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--to", "nowhere"], "There is no target nowhere; there are empiar"),
        (["--set", "grid.name"], "gives no value; write TERM=VALUE"),
        (["--set", "grid.nme=3"], "there is no term grid.nme"),
        (["--set", "instrument.cs=much"], "cs of 'much' mm"),
        (["--instrument", "Krios 9"], "The registry has no instrument Krios 9"),
        (["--watch", "--json"], "leave out --json"),
    ],
)
def test_what_is_asked_wrongly_is_told(cli: Cli, folder: Path, arguments: list[str], told: str) -> None:
    result = cli("metadata", folder, *arguments)
    assert result.exit_code == 1
    assert told in result.stderr


def test_a_folder_without_anything_is_told(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    result = cli("metadata", tmp_path / "empty")
    assert result.exit_code == 1
    assert "Nothing in" in result.stderr
    assert "No such file" in cli("metadata", tmp_path / "none").stderr


def test_a_session_is_followed_as_it_grows(shared: Path, folder: Path) -> None:
    process = subprocess.Popen(
        [str(COMMAND), "metadata", str(folder), "--watch"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        for line in process.stdout:
            if "collection-165000x 1 exposures" in line:
                break
        late = folder / f"{MOVIE.replace('19513699', '19513700')}.xml"
        shutil.copyfile(shared / "fixtures" / K3, late)
        assert any("2 exposures" in line for line in process.stdout)
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=100)
    assert process.returncode == 0, sys.stderr


def test_a_file_that_nobody_reads_gets_the_reason(cli: Cli, tmp_path: Path) -> None:
    (file := tmp_path / "run_data.star").write_text("data_\n")
    result = cli("metadata", file)
    assert result.exit_code == 1
    assert "tables of processing programs are not read: they are results, not recordings" in " ".join(
        result.output.split()
    )
    as_json = json.loads(cli("metadata", file, "--json").output)
    assert (as_json["acquisitions"], len(as_json["refused"])) == ([], 1)


def test_images_of_several_detectors_are_one_exposure_with_all_of_them(cli: Cli, shared: Path) -> None:
    file = shared / "fixtures" / "rosettasciio__fei_example_dpc_titles.emd"
    (acquisition,) = json.loads(cli("metadata", file, "--json").output)["acquisitions"]
    assert len(acquisition["exposures"]) == 1
    assert [each["name"] for each in acquisition["detectors"]] == ["DF4"]
    known = acquisition["provenance"]["instrument.acceleration_voltage"]
    assert (known["value"], known["unit"]) == (300, "kV")
    assert known["origin"]["key"] == "Optics/AccelerationVoltage"
