"""`eucentric convert`."""

import json
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

import h5py
import mrcfile
import numpy as np
import pandas as pd
import pytest
from inotify_simple import INotify, flags

from cli.command_line import COMMAND, Cli
from eucentric.formats import read_star, write_eer, write_mrc, write_star


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    pixels = np.random.default_rng(8).normal(size=(5, 20, 24)).astype("f4")
    write_mrc(tmp_path / "map.mrc", pixels, 1.5, volume=True)
    with mrcfile.open(tmp_path / "map.mrc", mode="r+") as file:
        file.header.origin = (3, 4, 5)
        file.add_label("half map 1")
    return tmp_path / "map.mrc"


def test_an_image_says_what_is_kept_and_what_is_not(cli: Cli, volume: Path) -> None:
    result = cli("convert", volume.name, "map.tif")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0].startswith("map.mrc: MRC, volume of 5 × 20 × 24, float32, ")
    assert lines[1].startswith("map.tif: TIFF, stack of 5 × 20 × 24, float32, ")
    assert "  kept: pixel size (1.5 Å)" in lines
    assert "  not carried: origin (x 3, y 4, z 5 Å)" in lines
    assert "  not carried: titles (half map 1)" in lines
    assert lines[-1] == "Read back: every value is as it was written."
    assert "Converting and reading back" in result.stderr


def test_json_for_programs(cli: Cli, volume: Path) -> None:
    stored = ["--chunk", "1,8,8", "--shard", "2,16,24", "--levels", 2, "--compression", "deflate"]
    result = cli("convert", volume.name, "map.ome.zarr", *stored, "--json")
    said = json.loads(result.stdout)
    assert (said["source"]["kind"], said["target"]["format"]) == ("volume", "OME-Zarr")
    assert set(said["kept"]) == {"kind", "pixel size", "distance of sections", "origin", "titles"}
    assert (said["not_carried"], said["changes"], said["verified"]) == ({}, [], True)
    array = json.loads(Path("map.ome.zarr/0/zarr.json").read_text())
    assert array["chunk_grid"]["configuration"]["chunk_shape"] == [2, 16, 24]
    assert array["codecs"][0]["configuration"]["chunk_shape"] == [1, 8, 8]
    assert array["codecs"][0]["configuration"]["codecs"][1]["name"] == "gzip"
    assert sorted(each.name for each in Path("map.ome.zarr").iterdir()) == ["0", "1", "zarr.json"]


def test_what_is_refused_is_one_line(volume: Path) -> None:
    command = [COMMAND, "convert", volume, volume.with_name("map.nxs"), "--dtype", "int16"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert ended.stderr.splitlines()[-1].startswith(f"eucentric: {volume}: frame 1 has the value ")
    assert "Traceback" not in ended.stderr
    assert [each.name for each in volume.parent.iterdir()] == ["map.mrc"]


def test_nothing_is_overwritten_unasked(cli: Cli, volume: Path) -> None:
    assert cli("convert", volume.name, "map.nxs").exit_code == 0
    again = cli("convert", volume.name, "map.nxs")
    assert (again.exit_code, "give another name, or --overwrite" in again.stderr) == (1, True)
    assert cli("convert", volume.name, "map.nxs", "--overwrite", "--dtype", "float64").exit_code == 0
    with h5py.File("map.nxs") as file:
        assert file["entry/data/data"].dtype == np.float64


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--dtype", "int7"], "no pixels of type int7; there are int8, uint8"),
        (["--chunk", "1,2"], "--chunk takes 3 whole numbers"),
        (["--shard", "1,0,2"], "--shard takes 3 whole numbers"),
        (["--block", "particles"], "--block is for tables; map.mrc is of images"),
        (["--box", "64"], "--box is for coordinates"),
        (["--eer-fractions", "3"], "map.mrc is no EER movie"),
        (["--to", "csv"], "--to is for tables and coordinates"),
    ],
)
def test_options_that_make_no_sense(cli: Cli, volume: Path, arguments: list[str], message: str) -> None:
    result = cli("convert", volume.name, "out.zarr", *arguments)
    assert result.exit_code == 1
    assert message in result.stderr
    assert not Path("out.zarr").exists()


def test_an_eer_movie_of_few_frames_in_finer_pixels(cli: Cli, tmp_path: Path) -> None:
    electrons = [np.array([[number, 2.0]], "f4") for number in range(5)]
    write_eer(tmp_path / "m.eer", electrons, shape=(16, 16))
    said = json.loads(cli("convert", "m.eer", "m.tif", "--eer-upsampling", 2, "--json").stdout)
    assert (said["target"]["frames"], said["target"]["width"]) == (5, 32)


def test_ctrl_c_leaves_nothing(tmp_path: Path) -> None:
    frame = np.random.default_rng(1).normal(size=(1024, 1024)).astype("f4")
    write_mrc(tmp_path / "m.mrc", (frame for _ in range(60)), 1.0)
    command = [COMMAND, "convert", tmp_path / "m.mrc", tmp_path / "m.nxs"]
    with INotify() as watcher:
        watcher.add_watch(tmp_path, flags.CREATE)
        process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE)
        assert any(event.name.endswith(".partial") for event in watcher.read(timeout=60_000))
    while process.poll() is None:  # some libraries lose a signal that comes while something is closed
        process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=3)
    assert process.returncode != 0
    assert [each.name for each in tmp_path.iterdir()] == ["m.mrc"]


def test_tables(cli: Cli, tmp_path: Path) -> None:
    table = pd.DataFrame({"rlnCoordinateX": [1.5, 2.0], "rlnCoordinateY": [3.0, 4.0]})
    write_star(tmp_path / "p.star", {"optics": {"rlnVoltage": 300.0}, "particles": table})
    result = cli("convert", "p.star", "tables", "--to", "csv")
    assert "  data_particles: 2 rows, 2 columns" in result.stdout
    assert "--pairs optics makes them pairs again" in result.stdout
    assert cli("convert", "tables", "q.star", "--pairs", "optics").exit_code == 0
    assert read_star(tmp_path / "q.star")["optics"] == {"rlnVoltage": 300.0}
    said = json.loads(cli("convert", "p.star", "p.parquet", "--block", "particles", "--json").stdout)
    assert said["blocks"] == {"particles": {"rows": 2, "columns": 2}}
    wrong = cli("convert", "p.star", "q.csv", "--dtype", "float32")
    assert "--dtype is for images; p.star is of tables" in wrong.stderr


def test_coordinates(cli: Cli, tmp_path: Path) -> None:
    table = pd.DataFrame({"rlnCoordinateX": [40.0, 52.0], "rlnCoordinateY": [33.0, 64.0]})
    write_star(tmp_path / "p.star", {"": table})
    result = cli("convert", "p.star", "p.box", "--box", 20)
    assert "  2 positions in 1 micrograph" in result.stdout
    assert (tmp_path / "p.box").read_text() == "30\t23\t20\t20\n42\t54\t20\t20\n"
    assert cli("convert", "p.box", "boxes", "--to", "json").exit_code == 0
    assert [each.name for each in (tmp_path / "boxes").iterdir()] == ["p.json"]
