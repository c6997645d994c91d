"""NeXus, EMD and Velox: what others find in our files, what we find in theirs, and what is refused."""

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray

from eucentric.formats import FormatError
from eucentric.formats.any_images import open_image
from eucentric.formats.convert_images import ImageOptions, convert_image
from eucentric.formats.emd_images import write_emd
from eucentric.formats.hdf5_writing import HDF5Storage
from eucentric.formats.image_info import ImageInfo
from eucentric.formats.nexus_writing import write_nexus

KNOWN = {"voltage": 300.0, "dose": 41.5, "camera": "Falcon", "phase_plate": False, "binning": 2}


def _info(frames: int = 4, dtype: str = "i2", **known: Any) -> ImageInfo:
    facts = {"volume": True, "voxel": (3.0, 1.5, 1.25), "origin": (9.0, 0.0, -6.0), "extended": KNOWN}
    facts |= {"titles": ("a title", "another")} | known
    return ImageInfo(Path("m.mrc"), "MRC", frames, 30, 40, np.dtype(dtype), None, **facts)


def _pixels(info: ImageInfo) -> NDArray[Any]:
    shape = (info.frames, info.height, info.width)
    return np.random.default_rng(5).integers(-500, 500, shape).astype(info.dtype)


def test_nexus_is_plain_nxdata(tmp_path: Path) -> None:
    info = _info()
    pixels = _pixels(info)
    write_nexus(tmp_path / "m.nxs", iter(pixels), info)
    with h5py.File(tmp_path / "m.nxs") as file:
        entry = file[file.attrs["default"]]
        data = entry[entry.attrs["default"]]
        assert (entry.attrs["NX_class"], data.attrs["NX_class"]) == ("NXentry", "NXdata")
        np.testing.assert_array_equal(data[data.attrs["signal"]], pixels)
        assert list(data.attrs["axes"]) == ["z", "y", "x"]
        for place, (name, start, step) in enumerate((("z", 9, 3.0), ("y", 0, 1.5), ("x", -6, 1.25))):
            assert data.attrs[f"{name}_indices"] == place
            assert data[name].attrs["units"] == "angstrom"
            np.testing.assert_allclose(data[name], start + step * np.arange(pixels.shape[place]))
        assert entry["title"][()] == b"a title"
        assert entry["instrument/source/voltage"][()] == 300
        assert entry["instrument/source/voltage"].attrs["units"] == "kV"
        kinds = {node.name: node.attrs["NX_class"] for node in _groups(entry)}
        assert kinds == {
            "/entry/data": "NXdata", "/entry/instrument": "NXinstrument", "/entry/eucentric": "NXcollection",
            "/entry/instrument/source": "NXsource",
        }  # fmt: skip


def _groups(group: h5py.Group) -> list[h5py.Group]:
    found: list[h5py.Group] = []
    group.visititems(lambda _, node: found.append(node) if isinstance(node, h5py.Group) else None)
    return found


@pytest.mark.parametrize("writer", [write_nexus, write_emd])
@pytest.mark.parametrize(
    "storage", [None, HDF5Storage("none", (2, 7, 9)), HDF5Storage("deflate", (3, 30, 40))]
)
def test_all_that_is_known_comes_back(tmp_path: Path, writer: Any, storage: HDF5Storage | None) -> None:
    info = _info()
    pixels = _pixels(info)
    writer(tmp_path / "m.h5", iter(pixels), info, storage)
    with open_image(tmp_path / "m.h5") as reader:
        found = reader.info
        np.testing.assert_array_equal(list(reader), pixels)
        np.testing.assert_array_equal(reader.read(1, 3), pixels[1:3])
    assert found.volume
    assert found.sides == pytest.approx((3.0, 1.5, 1.25))
    assert found.origin == pytest.approx((9.0, 0.0, -6.0))
    assert found.titles == ("a title", "another")
    assert found.extended == KNOWN


@pytest.mark.parametrize("frames", [1, 4])
@pytest.mark.parametrize("writer", [write_nexus, write_emd])
def test_a_stack_of_unknown_size_claims_none(tmp_path: Path, writer: Any, frames: int) -> None:
    info = _info(frames, volume=False, voxel=(None, None, None), origin=None, extended={}, titles=())
    writer(tmp_path / "m.h5", iter(_pixels(info)), info)
    with open_image(tmp_path / "m.h5") as reader:
        assert reader.info.kind == ("stack" if frames > 1 else "image")
        assert reader.info.sides == (None, None, None)
        assert (reader.info.origin, reader.info.extended, reader.info.titles) == (None, {}, ())


def test_too_few_frames_are_noticed(tmp_path: Path) -> None:
    info = _info()
    with pytest.raises(ValueError, match="3 frames came where 4"):
        write_nexus(tmp_path / "m.h5", iter(_pixels(info)[:3]), info)
    with pytest.raises(ValueError, match="of memory"):
        write_nexus(tmp_path / "m.h5", [], _info(10**6), HDF5Storage(chunk=(10**6, 30, 40)))
    assert list(tmp_path.iterdir()) == []


def test_emd_as_its_specification_says(tmp_path: Path) -> None:
    info = _info()
    write_emd(tmp_path / "m.emd", iter(_pixels(info)), info)
    with h5py.File(tmp_path / "m.emd") as file:
        assert (file.attrs["version_major"], file.attrs["version_minor"]) == (0, 2)
        group = file["data/image"]
        assert group.attrs["emd_group_type"] == 1
        assert [group[f"dim{n}"].attrs["units"] for n in (1, 2, 3)] == ["[n_m]"] * 3
        assert [len(group[f"dim{n}"]) for n in (1, 2, 3)] == list(group["data"].shape)
        np.testing.assert_allclose(group["dim1"][:2], [0.9, 1.2])
        assert {"microscope", "sample", "user", "comments"} <= set(file)


def test_emd_of_others(shared: Path, tmp_path: Path) -> None:
    source = shared / "fixtures" / "rosettasciio__example_image.emd"
    done = convert_image(source, tmp_path / "a.nxs")
    assert (done.source.format, done.source.height, done.source.dtype) == ("EMD", 3, np.int32)
    with h5py.File(source) as theirs, h5py.File(tmp_path / "a.nxs") as ours:
        np.testing.assert_array_equal(ours["entry/data/data"], theirs["signals/__unnamed__/data"])


def test_emd_1_0_with_positions_of_two(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.emd", "w") as file:
        file.attrs["version_major"], file.attrs["version_minor"] = 1, 0
        group = file.create_group("root/volume")
        group.attrs["emd_group_type"] = "array"
        group["data"] = np.ones((4, 5, 6), "f4")
        for number, step in enumerate((0.4, 0.2, 0.2)):
            group[f"dim{number}"] = [1.0, 1.0 + step]
            group[f"dim{number}"].attrs["units"] = "nm"
    with open_image(tmp_path / "a.emd") as reader:
        assert reader.info.volume
        assert reader.info.sides == pytest.approx((4.0, 2.0, 2.0))
        assert reader.info.origin == pytest.approx((10.0, 10.0, 10.0))


def test_velox_is_turned_upside_down_and_keeps_its_scale(shared: Path, tmp_path: Path) -> None:
    source = shared / "fixtures" / "rosettasciio__fei_example_dpc_titles.emd"
    with pytest.raises(FormatError, match=r"holds 9 images; choose the part .* \(DF4\)"):
        open_image(source)
    part = "15c7bc815fc74329b0dbe36f041c17ed"
    done = convert_image(source, tmp_path / "a.mrc", ImageOptions(part=part))
    assert done.source.pixel_size == pytest.approx(0.99619915558306547)
    assert done.source.extended["voltage"] == 300
    assert set(done.carried.kept) == {"pixel size"}
    with h5py.File(source) as file, open_image(tmp_path / "a.mrc") as reader:
        np.testing.assert_array_equal(next(iter(reader)), file[f"Data/Image/{part}/Data"][:, :, 0][::-1])


def test_a_velox_series_and_a_transform(shared: Path, tmp_path: Path) -> None:
    pixels = np.random.default_rng(1).integers(0, 99, (5, 6, 3)).astype("u2")
    said = {"BinaryResult": {"Detector": "HAADF", "PixelSize": {"width": "2e-10", "height": "2e-10"}}}
    said["BinaryResult"] |= {"PixelUnitX": "m", "PixelUnitY": "m"}
    text = np.zeros((2000, 3), "u1")
    text[: len(json.dumps(said)), :] = np.frombuffer(json.dumps(said).encode(), "u1")[:, None]
    with h5py.File(tmp_path / "v.emd", "w") as file:
        for name in ("a", "b"):
            group = file.create_group(f"Data/Image/{name}")
            group.create_dataset("Data", data=pixels, chunks=(5, 6, 1))
            group["Metadata"] = text
        file["Data/Image/b/Metadata"][:] = 0
    with open_image(tmp_path / "v.emd", part="HAADF") as reader:
        np.testing.assert_array_equal(list(reader), np.moveaxis(pixels, 2, 0)[:, ::-1])
        assert reader.info.pixel_size == pytest.approx(2.0)
        assert reader.info.format == "Velox EMD"
    source = shared / "fixtures" / "rosettasciio__fei_example_complex_fft.emd"
    with open_image(source) as reader:
        frame = next(iter(reader))
    with h5py.File(source) as file:
        (name,) = file["Data/Image"]
        raw = file[f"Data/Image/{name}/Data"][:, :, 0][::-1]
    np.testing.assert_array_equal(frame.real, raw["realFloatHalfEven"])
    np.testing.assert_array_equal(frame.imag, raw["imagFloatHalfEven"])
    assert reader.info.pixel_size is None  # its unit is 1/m


def test_nexus_of_others(shared: Path) -> None:
    with open_image(shared / "fixtures" / "rosettasciio__nexus_dls_example.nxs") as reader:
        assert (reader.info.frames, reader.info.height, reader.info.width) == (10, 10, 15)
    with pytest.raises(FormatError, match="4 dimensions"):
        open_image(shared / "fixtures" / "rosettasciio__py4DSTEM_size2x3x4x5.h5")
    with pytest.raises(FormatError, match=r"lies in another file \(test_00_data_000001.h5\)"):
        open_image(shared / "fixtures" / "rosettasciio__test_00_master.h5")


def test_of_several_images_one_is_chosen(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["one"] = np.ones((3, 4))
        file["group/two"] = np.full((3, 4), 2.0)
        file["curve"] = np.ones(5)
        file["link"] = h5py.SoftLink("/group/two")
    with pytest.raises(
        FormatError, match="holds 2 images; choose the part that is meant, of: /group/two, /one"
    ):
        open_image(tmp_path / "a.h5")
    for part in ("group/two", "/group/two", "link"):
        with open_image(tmp_path / "a.h5", part=part) as reader:
            assert next(iter(reader))[0, 0] == 2
    with pytest.raises(FormatError, match="no part three; choose one of"):
        open_image(tmp_path / "a.h5", part="three")


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A file that a hostile one points at."""
    path = tmp_path / "secret.h5"
    with h5py.File(path, "w") as file:
        file["data"] = np.full((3, 4), 7.0)
    return path


def _nxdata(file: h5py.File) -> h5py.Group:
    group = file.create_group("data")
    group.attrs["NX_class"], group.attrs["signal"] = "NXdata", "data"
    file.attrs["default"] = "data"
    return group


def test_what_lies_in_other_files_is_not_read(tmp_path: Path, secret: Path) -> None:
    bad = tmp_path / "bad.h5"
    with h5py.File(bad, "w") as file:
        _nxdata(file)["data"] = h5py.ExternalLink(str(secret), "/data")
    with pytest.raises(FormatError, match=r"/data/data lies in another file"):
        open_image(bad)
    with h5py.File(bad, "w") as file:
        _nxdata(file)["data"] = h5py.SoftLink("/far")
        file["far"] = h5py.ExternalLink(str(secret), "/data")
    with pytest.raises(FormatError, match="/far lies in another file"):
        open_image(bad)
    with h5py.File(bad, "w") as file:
        _nxdata(file).create_dataset("data", (3, 4), "u1", external=[("/etc/passwd", 0, 12)])
    with pytest.raises(FormatError, match="lie in other files"):
        open_image(bad)
    with h5py.File(bad, "w") as file:
        layout = h5py.VirtualLayout((3, 4), "f8")
        layout[...] = h5py.VirtualSource(secret, "data", (3, 4))
        _nxdata(file).create_virtual_dataset("data", layout)
    with pytest.raises(FormatError, match="lie in other files"):
        open_image(bad)


def test_links_in_circles_end(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "bad.h5", "w") as file:
        file.attrs["default"] = "a"
        file["a"] = h5py.SoftLink("/b/b")
        file["b"] = h5py.SoftLink("/a/a")
    with pytest.raises(FormatError, match="links"):
        open_image(tmp_path / "bad.h5")


def test_absurd_sizes_are_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "bad.h5", "w") as file:
        file.create_dataset("data", (10, 2**18, 2**18), "f4", chunks=(1, 64, 64))
    with pytest.raises(FormatError, match="frames of 262144 × 262144"):
        open_image(tmp_path / "bad.h5")
    with h5py.File(tmp_path / "bad.h5", "w") as file:
        file.create_dataset("data", (90_000, 200, 200), "u1", chunks=(90_000, 200, 200))
    with pytest.raises(FormatError, match="its chunks are of 3600000000 bytes"):
        open_image(tmp_path / "bad.h5")


@pytest.mark.parametrize("kept", [8, 100, 2000, 5000])
def test_a_file_cut_short_is_refused(tmp_path: Path, kept: int) -> None:
    info = _info()
    write_nexus(tmp_path / "m.nxs", iter(_pixels(info)), info)
    raw = (tmp_path / "m.nxs").read_bytes()
    (tmp_path / "m.nxs").write_bytes(raw[:kept])
    with pytest.raises(FormatError, match="cannot be opened as HDF5"):
        open_image(tmp_path / "m.nxs")


def test_damaged_pixels_are_told_with_their_frame(tmp_path: Path) -> None:
    info = _info()
    write_nexus(tmp_path / "m.nxs", iter(_pixels(info)), info)
    with h5py.File(tmp_path / "m.nxs") as file:
        chunk = file["entry/data/data"].id.get_chunk_info(2)
    with (tmp_path / "m.nxs").open("r+b") as raw:
        raw.seek(chunk.byte_offset)
        raw.write(bytes(60))
    with (
        open_image(tmp_path / "m.nxs") as reader,
        pytest.raises(FormatError, match="frame 3 of 4 cannot be read"),
    ):
        list(reader)
