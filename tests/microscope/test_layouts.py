from pathlib import Path

import pytest

from eucentric.microscope.layouts import is_movie, place_of

EPU = "Images-Disc1/GridSquare_19493759/Data/FoilHole_19513699_Data_19508496_19508498_20230919_154056"
RULES = ["{name}.mdoc", "{stem}.mdoc"]


@pytest.mark.parametrize(
    ("name", "movie"),
    [
        ("FoilHole_19513699_Data_19508496_19508498_20230919_154056_Fractions.tiff", True),
        ("FoilHole_19513699_Data_19508496_19508498_20230919_154056_fractions.tiff", True),
        ("FoilHole_19513699_Data_19508496_19508498_20230919_154056_Fractions.mrc", True),
        ("FoilHole_31933450_Data_31923928_31923930_20240901_060108_EER.eer", True),
        ("FoilHole_9015883_Data_9017347_6_20250108_154915_EER.eer", True),
        ("FoilHole_1234_Data_5678_9_20180101_1234-98765.mrc", True),  # an early K2
        ("FoilHole_19513699_Data_19508496_19508498_20230919_154056.mrc", False),  # the sum
        ("FoilHole_9015883_Data_9017347_6_20250108_154915.mrc", False),
        ("FoilHole_19507368_20230919_142541.mrc", False),
        ("GridSquare_20230919_140816.mrc", False),
        ("Atlas_19493264.mrc", False),
        ("Tile_19493278_0_19493264.mrc", False),
        ("20240830_103455_EER_GainReference.gain", False),
        ("20240830_103455_K3_gain_ref.mrc", False),
        ("CountRef_grid1_0001_Oct08_01.59.24.mrc", False),
        ("SuperRef_s_mmm_00000_-15.0_Oct08_01.59.24.dm4", False),
        ("gain.mrc", False),
        ("K3_Gain_x1.mrc", False),
        ("mygainref.tif", False),
        ("against_all_0001.tif", True),
        ("grid1_0001_Oct08_07.39.05.tif", True),
        ("Atlasmoth_1.tif", True),
    ],
)
def test_which_files_are_movies(name: str, movie: bool) -> None:
    assert is_movie(name) == movie


def test_epu(tmp_path: Path) -> None:
    place = place_of(tmp_path / f"{EPU}_Fractions.tiff", [tmp_path], RULES)
    assert (place.layout, place.group) == ("EPU", "")
    assert place.companions[0] == tmp_path / f"{EPU}.xml"
    assert (place.grid_square, place.hole) == ("19493759", "19513699")


@pytest.mark.parametrize("session", ["Supervisor_20230919_grid1", "raw/Supervisor_20230919_grid1"])
def test_epu_sessions_of_several_grids_are_groups(tmp_path: Path, session: str) -> None:
    place = place_of(tmp_path / session / f"{EPU}_EER.eer", [tmp_path], RULES)
    assert place.group == "Supervisor_20230919_grid1"


def test_epu_folders_that_somebody_copied_in_part(tmp_path: Path) -> None:
    below = EPU.removeprefix("Images-Disc1/")
    assert place_of(tmp_path / "grid2" / f"{below}_EER.eer", [tmp_path], RULES).group == "grid2"
    assert place_of(tmp_path / f"{Path(EPU).name}_EER.eer", [tmp_path], RULES).layout == "EPU"


def test_metadata_may_lie_in_another_tree(tmp_path: Path) -> None:
    movies, metadata = tmp_path / "offload", tmp_path / "epu"
    place = place_of(movies / f"{EPU}_EER.eer", [movies, metadata], RULES)
    assert metadata / f"{EPU}.xml" in place.companions
    assert place.companions[0] == movies / f"{EPU}.xml"
    assert place.group == "offload"


@pytest.mark.parametrize("sign", ["other.tif.mdoc", "CountRef_x.mrc", "defects_x.txt"])
def test_serialem_is_known_by_what_lies_in_the_folder(tmp_path: Path, sign: str) -> None:
    frames = tmp_path / "grid1" / "frames"
    frames.mkdir(parents=True)
    assert place_of(frames / "a.tif", [tmp_path], RULES).layout == "plain"
    (frames / sign).touch()
    place = place_of(frames / "a.tif", [tmp_path], RULES)
    assert (place.layout, place.group) == ("SerialEM", "grid1")
    assert place.companions == (frames / "a.tif.mdoc", frames / "a.mdoc")


def test_signs_may_lie_one_folder_above_but_not_outside(tmp_path: Path) -> None:
    frames = tmp_path / "grid1" / "frames"
    frames.mkdir(parents=True)
    (tmp_path / "grid1" / "SuperRef_x.dm4").touch()
    assert place_of(frames / "a.tif", [tmp_path], RULES).layout == "SerialEM"
    assert place_of(frames / "a.tif", [frames], RULES).layout == "plain"


def test_plain_folders_name_no_group(tmp_path: Path) -> None:
    place = place_of(tmp_path / "x" / "a.mrc", [tmp_path], RULES)
    assert (place.layout, place.group, place.hole) == ("plain", "", None)
    assert place_of(tmp_path / "x" / "a.mrc", [tmp_path], RULES, serialem=True).group == "x"
