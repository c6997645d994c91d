"""MRC files in conversion: maps with other axes, several volumes, extended headers."""

from pathlib import Path

import gemmi
import mrcfile
import numpy as np
import pytest

from eucentric.formats.convert_images import ImageOptions, convert_image
from formats.image_files import read_pixels, same_bits


@pytest.mark.parametrize("order", [(3, 1, 2), (2, 1, 3), (3, 2, 1), (1, 3, 2), (2, 3, 1)])
@pytest.mark.parametrize("byte_order", "<>")
def test_maps_with_other_axes_are_put_in_order(
    tmp_path: Path, order: tuple[int, int, int], byte_order: str
) -> None:
    map_ = np.random.default_rng(6).normal(size=(4, 6, 10)).astype("f4")  # [z, y, x]
    stored = map_.transpose([3 - axis for axis in reversed(order)])
    with mrcfile.new(tmp_path / "a.map") as file:
        file.set_data(np.ascontiguousarray(stored, f"{byte_order}f4"))
        header = file.header
        header.mapc, header.mapr, header.maps = order
        header.mx, header.my, header.mz = 10, 6, 4
        header.cella = (10 * 1.0, 6 * 1.5, 4 * 2.0)
        header.origin = (7, 8, 9)
    done = convert_image(tmp_path / "a.map", tmp_path / "b.map")
    assert done.source.sides == pytest.approx((2.0, 1.5, 1.0))
    assert done.source.origin == pytest.approx((9, 8, 7))
    assert done.carried.lost == {}
    with mrcfile.open(tmp_path / "b.map") as file:
        assert same_bits(np.array(file.data), map_)


def test_a_map_of_the_archive_is_put_in_order_as_gemmi_does(shared: Path, tmp_path: Path) -> None:
    source = shared / "data" / "EMD-3001.map"
    convert_image(source, tmp_path / "a.nxs")
    theirs = gemmi.read_ccp4_map(str(source))
    theirs.setup(float("nan"), gemmi.MapSetup.ReorderOnly)
    np.testing.assert_array_equal(read_pixels(tmp_path / "a.nxs"), np.array(theirs.grid).transpose(2, 1, 0))


def test_several_volumes_in_a_file_stay_several(tmp_path: Path) -> None:
    with mrcfile.new(tmp_path / "v.mrc") as file:
        file.set_data(np.random.default_rng(1).normal(size=(3, 4, 6, 8)).astype("f4"))
        file.voxel_size = (1.5, 1.5, 2.0)
        volumes = np.array(file.data)
    done = convert_image(tmp_path / "v.mrc", tmp_path / "w.mrc")
    assert done.carried.lost == {}
    assert mrcfile.validate(tmp_path / "w.mrc")
    with mrcfile.open(tmp_path / "w.mrc") as file:
        assert file.is_volume_stack()
        assert same_bits(np.array(file.data), volumes)
        assert file.voxel_size.tolist() == pytest.approx((1.5, 1.5, 2.0))
    lost = convert_image(tmp_path / "v.mrc", tmp_path / "w.ome.tif").carried.lost
    assert lost == {"space group": "401", "sections per volume": "4"}


def test_an_extended_header_is_named(shared: Path, tmp_path: Path) -> None:
    done = convert_image(shared / "fixtures" / "mrcfile-1.5.4__epu2.9_crop64.mrc", tmp_path / "a.emd")
    assert done.carried.kept["voltage"] == "300 kV"
    assert done.carried.kept["target defocus"] == "22000 Å"
    assert "of type FEI2" in done.carried.lost["extended header"]


def test_an_extended_header_goes_from_mrc_to_mrc(shared: Path, tmp_path: Path) -> None:
    source = shared / "fixtures" / "mrcfile-1.5.4__epu2.9_crop64.mrc"
    done = convert_image(source, tmp_path / "a.mrc", ImageOptions(dtype=np.dtype("f4")))
    assert done.carried.lost == {}
    assert done.carried.kept["voltage"] == "300 kV"
    with mrcfile.open(source) as theirs, mrcfile.open(tmp_path / "a.mrc") as ours:
        assert ours.header.exttyp == theirs.header.exttyp == b"FEI2"
        assert ours.extended_header.tobytes() == theirs.extended_header.tobytes()
        np.testing.assert_array_equal(ours.data, theirs.data)
