"""Images from one format to another: values to the last bit, metadata kept or named."""

import tempfile
from pathlib import Path
from typing import Any

import h5py
import mrcfile
import numpy as np
import pytest
import tifffile
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from eucentric.formats import (
    EERRendering,
    FormatError,
    image_targets,
    open_frames,
    read_info,
    write_eer,
    write_mrc,
)
from eucentric.formats.any_images import open_image
from eucentric.formats.convert_images import ImageOptions, convert_image
from eucentric.formats.image_info import ImageInfo
from eucentric.formats.image_targets import TYPES, format_of
from formats.image_files import ENDINGS, read_pixels, same_bits, write_plain

CODES = sorted(set().union(*TYPES.values()))


@st.composite
def _cases(draw: st.DrawFn) -> tuple[str, NDArray[Any]]:
    ending = draw(st.sampled_from(ENDINGS))
    code = draw(st.sampled_from(sorted(TYPES[str(format_of(Path("x" + ending)))])))
    order = draw(st.sampled_from("<>"))
    shape = draw(st.tuples(st.integers(1, 4), st.integers(2, 9), st.integers(2, 9)))
    return ending, draw(arrays.arrays(np.dtype(order + code), shape))


@given(_cases())
@example((".ome.zarr", -np.zeros((1, 2, 2), "c16")))
@settings(max_examples=120, deadline=None)
def test_every_value_of_every_type_comes_back(case: tuple[str, NDArray[Any]]) -> None:
    ending, pixels = case
    with tempfile.TemporaryDirectory() as folder:
        source = write_plain(Path(folder, "source.h5"), pixels)
        target, back = Path(folder, f"target{ending}"), Path(folder, "back.nxs")
        convert_image(source, target)
        found = read_pixels(target).reshape(pixels.shape)
        assert same_bits(found[:, ::-1] if "tif" in ending else found, pixels)
        convert_image(target, back)
        assert same_bits(read_pixels(back).reshape(pixels.shape), pixels)


def _volume(path: Path, **known: Any) -> NDArray[Any]:
    pixels = np.random.default_rng(3).normal(size=(6, 10, 14)).astype("f4")
    facts: dict[str, Any] = {
        "volume": True,
        "voxel": (2.5, 1.25, 1.25),
        "origin": (10.0, -20.0, 30.5),
        "titles": ("GroEL, 300 K", "second title"),
    }
    info = ImageInfo(path, "MRC", *pixels.shape, pixels.dtype, None, **facts | known)
    write_mrc(path, iter(pixels), None, carried=info)
    return pixels


ALL = {"kind", "pixel size", "distance of sections", "origin", "titles"}


@pytest.mark.parametrize(
    ("ending", "lost"),
    [
        (".map", set()),
        (".tif", {"kind", "distance of sections", "origin", "titles"}),
        (".ome.tif", {"origin"}),
        (".nxs", set()),
        (".h5", set()),
        (".emd", set()),
        (".zarr", set()),
    ],
)
def test_what_a_volume_says_is_kept_or_named(tmp_path: Path, ending: str, lost: set[str]) -> None:
    _volume(tmp_path / "v.mrc")
    done = convert_image(tmp_path / "v.mrc", tmp_path / f"w{ending}")
    assert set(done.carried.lost) == lost
    assert set(done.carried.kept) == ALL - lost
    with open_image(tmp_path / f"w{ending}") as reader:
        info = reader.info
    assert info.pixel_size == pytest.approx(1.25)
    if not lost:
        assert info.sides == pytest.approx((2.5, 1.25, 1.25))
        assert info.origin == pytest.approx((10.0, -20.0, 30.5))
        assert set(info.titles) >= {"GroEL, 300 K", "second title"}


def test_sides_that_differ_and_a_place_in_a_larger_map(tmp_path: Path) -> None:
    _volume(tmp_path / "v.mrc", voxel=(2.5, 1.5, 1.25), origin=None)
    with mrcfile.open(tmp_path / "v.mrc", mode="r+") as file:
        file.nstart = (4, -2, 1)
    for ending in (".nxs", ".emd", ".zarr", ".rec"):
        assert convert_image(tmp_path / "v.mrc", tmp_path / f"w{ending}").carried.lost == {}
        with open_image(tmp_path / f"w{ending}") as reader:
            assert reader.info.sides == pytest.approx((2.5, 1.5, 1.25))
            assert reader.info.origin == pytest.approx((2.5, -3.0, 5.0))
    assert "pixel size" in convert_image(tmp_path / "v.mrc", tmp_path / "w.tif").carried.lost


def test_another_library_reads_the_geometry_of_mrc(tmp_path: Path) -> None:
    pixels = _volume(tmp_path / "v.mrc")
    convert_image(tmp_path / "v.mrc", tmp_path / "v.nxs")
    convert_image(tmp_path / "v.nxs", tmp_path / "w.map")
    assert mrcfile.validate(tmp_path / "w.map")
    with mrcfile.open(tmp_path / "w.map") as file:
        assert same_bits(np.array(file.data), pixels)
        assert file.is_volume()
        assert file.voxel_size.tolist() == pytest.approx((1.25, 1.25, 2.5))
        assert file.header.origin.tolist() == pytest.approx((30.5, -20.0, 10.0))
        assert {"GroEL, 300 K", "second title"} <= set(file.get_labels())


def test_another_library_reads_ome_tiff(tmp_path: Path) -> None:
    pixels = _volume(tmp_path / "v.mrc")
    convert_image(tmp_path / "v.mrc", tmp_path / "v.ome.tif")
    with tifffile.TiffFile(tmp_path / "v.ome.tif") as file:
        assert file.is_ome
        assert file.series[0].axes == "ZYX"
        assert same_bits(file.series[0].asarray()[:, ::-1], pixels)
        said = tifffile.xml2dict(str(file.ome_metadata))["OME"]["Image"]["Pixels"]
        assert (said["PhysicalSizeX"], said["PhysicalSizeXUnit"]) == (1.25, "Å")
        assert said["PhysicalSizeZ"] == 2.5


def test_ome_tiff_of_other_programs_in_other_units(tmp_path: Path) -> None:
    pixels = np.zeros((5, 8, 9), "u2")
    said = {"axes": "ZYX", "PhysicalSizeX": 0.5, "PhysicalSizeXUnit": "nm", "PhysicalSizeY": 0.5}
    said |= {"PhysicalSizeYUnit": "nm", "PhysicalSizeZ": 0.0007}  # µm where nothing is said
    tifffile.imwrite(tmp_path / "a.ome.tif", pixels, metadata=said)
    info = read_info(tmp_path / "a.ome.tif")
    assert info.volume
    assert info.sides == pytest.approx((7.0, 5.0, 5.0))
    convert_image(tmp_path / "a.ome.tif", tmp_path / "a.mrc")
    with mrcfile.open(tmp_path / "a.mrc") as file:
        assert file.voxel_size.tolist() == pytest.approx((5.0, 5.0, 7.0))


@pytest.mark.parametrize(
    "text",
    [
        '<!DOCTYPE OME [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]><OME>&b;</OME>',
        "<OME><Image></OME>",
        "<OME/>",
        '<OME><Image><Pixels SizeZ="many" PhysicalSizeX="wide" PhysicalSizeY="-1"/></Image></OME>',
    ],
)
def test_a_description_that_is_no_ome_is_passed_over(tmp_path: Path, text: str) -> None:
    pixels = np.zeros((2, 8, 9), "u2")
    resolution = {"resolution": (1e8, 1e8), "resolutionunit": "CENTIMETER"}
    tifffile.imwrite(tmp_path / "a.tif", pixels, description=text, metadata=None, **resolution)
    info = read_info(tmp_path / "a.tif")
    assert (info.pixel_size, info.volume) == (1.0, False)


def test_the_name_says_what_several_images_are(tmp_path: Path) -> None:
    _volume(tmp_path / "particles.mrcs")
    done = convert_image(tmp_path / "particles.mrcs", tmp_path / "particles.nxs")
    assert done.target.kind == "stack"
    assert any("taken as a stack" in change for change in done.changes)
    done = convert_image(tmp_path / "particles.mrcs", tmp_path / "v.zarr", ImageOptions(kind="volume"))
    assert done.target.kind == "volume"
    assert done.target.sides[0] == pytest.approx(2.5)


@pytest.mark.parametrize("code", ["i4", "u4", "i8", "f8", "c16"])
def test_pixels_that_mrc_cannot_hold_are_refused(tmp_path: Path, code: str) -> None:
    source = write_plain(tmp_path / "a.h5", np.ones((2, 4, 5), code))
    with pytest.raises(FormatError, match=r"MRC cannot hold; choose a type with --dtype: int8, int16"):
        convert_image(source, tmp_path / "a.mrc")
    assert [each.name for each in tmp_path.iterdir()] == ["a.h5"]


def test_bytes_become_wider_in_mrc_and_it_is_told(tmp_path: Path) -> None:
    pixels = np.arange(256, dtype="u1").reshape(1, 16, 16)
    done = convert_image(write_plain(tmp_path / "a.h5", pixels), tmp_path / "a.mrc")
    assert "uint16" in done.changes[0]
    np.testing.assert_array_equal(read_pixels(tmp_path / "a.mrc"), pixels[0])


@pytest.mark.parametrize(
    ("values", "code", "dtype", "outcome"),
    [
        ([1.0, -2.0, 32767.0], "f4", "int16", None),
        ([1.0, 2.5, 0.0], "f4", "int16", "frame 1 has the value 2.5"),
        ([1.0, np.nan, 0.0], "f4", "int16", "frame 1 has the value nan"),
        ([0, 40_000, 1], "u4", "int16", "frame 1 has the value 40000"),
        ([0, -1, 1], "i8", "uint16", "frame 1 has the value -1"),
        ([0, 2**63, 1], "u8", "int64", "value 9223372036854775808"),
        ([2.0**63, 0, 0], "f8", "int64", "frame 1 has the value"),
        ([1e300, 0, 0], "f8", "float32", "frame 1 has the value 1e\\+300"),
        ([70_000, 0, 0], "i4", "float16", "frame 1 has the value 70000"),
        ([1 + 2j, 0, 0], "c8", "float32", "complex"),
        ([np.nan, np.inf, 1.5], "f8", "float32", None),
        ([16_777_217, 0, 1], "i4", "float32", "rounded to float32, by 1 at most"),
        ([0.1, 0, 1], "f8", "float32", "by 1.49e-09 at most"),
    ],
)
def test_another_type_keeps_values_or_is_refused(
    tmp_path: Path, values: list[Any], code: str, dtype: str, outcome: str | None
) -> None:
    pixels = np.array([values, values], code)[np.newaxis]
    source, target = write_plain(tmp_path / "a.h5", pixels), tmp_path / "a.nxs"
    options = ImageOptions(dtype=np.dtype(dtype))
    if outcome is None or "at most" in outcome:
        done = convert_image(source, target, options)
        assert f"{np.dtype(code)} pixels are kept as {dtype}" in done.changes
        assert any(outcome in change for change in done.changes) if outcome else len(done.changes) == 1
        assert same_bits(read_pixels(target), pixels[0].astype(dtype))
    else:
        with pytest.raises(FormatError, match=outcome):
            convert_image(source, target, options)
        assert not target.exists()


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("a.mrc", ImageOptions(compression="zstd"), "MRC is not written with zstd; choose one of: none"),
        ("a.nxs", ImageOptions(compression="lzw"), "choose one of: deflate, none"),
        ("a.tif", ImageOptions(chunk=(1, 8, 8)), "no chunks"),
        ("a.nxs", ImageOptions(levels=2), "no shards and no resolutions"),
        ("a.zarr", ImageOptions(chunk=(1, 8, 8), shard=(1, 12, 8)), "no multiples"),
        ("a.png", ImageOptions(), r"give one of \.mrc"),
        ("no/a.mrc", ImageOptions(), "mkdir -p"),
        ("there.mrc", ImageOptions(), "there already; give another name, or --overwrite"),
        ("s.mrc", ImageOptions(overwrite=True), "the file that is read"),
        ("folder.zarr", ImageOptions(overwrite=True), "something else"),
        ("a.mrc", ImageOptions(part="x"), "has no parts"),
    ],
)
def test_what_makes_no_sense_is_refused(
    tmp_path: Path, name: str, options: ImageOptions, message: str
) -> None:
    _volume(tmp_path / "s.mrc")
    (tmp_path / "there.mrc").write_bytes(b"mine")
    (tmp_path / "folder.zarr").mkdir()
    (tmp_path / "folder.zarr" / "thesis.txt").write_text("all of it")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(FormatError, match=message):
        convert_image(tmp_path / "s.mrc", tmp_path / name, options)
    assert sorted(tmp_path.rglob("*")) == before
    assert (tmp_path / "there.mrc").read_bytes() == b"mine"


@pytest.mark.parametrize("ending", [".mrc", ".tif", ".nxs", ".zarr"])
def test_what_is_there_is_replaced_where_that_is_asked(tmp_path: Path, ending: str) -> None:
    _volume(tmp_path / "s.map")
    target = tmp_path / f"t{ending}"
    for times in range(2):
        convert_image(tmp_path / "s.map", target, ImageOptions(overwrite=times == 1))
    assert {each.name for each in tmp_path.iterdir()} == {"s.map", target.name}


@pytest.mark.parametrize("ending", [".tif", ".nxs", ".zarr"])
def test_a_source_that_breaks_off_leaves_nothing(tmp_path: Path, ending: str) -> None:
    pixels = np.random.default_rng(1).integers(0, 9000, (5, 40, 50), "u2")
    tifffile.imwrite(tmp_path / "m.tif", pixels, compression="deflate", rowsperstrip=40, metadata=None)
    with tifffile.TiffFile(tmp_path / "m.tif") as file:
        place = file.pages[3].dataoffsets[0]
    raw = bytearray((tmp_path / "m.tif").read_bytes())
    raw[place : place + 40] = bytes(40)
    (tmp_path / "m.tif").write_bytes(raw)
    with pytest.raises(FormatError, match="frame 4 of 5"):
        convert_image(tmp_path / "m.tif", tmp_path / f"t{ending}")
    assert [each.name for each in tmp_path.iterdir()] == ["m.tif"]


def test_a_disk_that_keeps_other_values_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _volume(tmp_path / "s.map")
    (tmp_path / "t.mrc").write_bytes(b"old")

    def bad_disk(path: Path, *arguments: Any, **options: Any) -> None:
        write_mrc(path, *arguments, **options)
        with path.open("r+b") as file:
            file.seek(1024 + 2 * 10 * 14 * 4 + 17)
            byte = file.read(1)
            file.seek(-1, 1)
            file.write(bytes([byte[0] ^ 4]))

    monkeypatch.setattr(image_targets, "write_mrc", bad_disk)
    with pytest.raises(FormatError, match=r"t\.mrc: frame 3 was read back with other values"):
        convert_image(tmp_path / "s.map", tmp_path / "t.mrc", ImageOptions(overwrite=True))
    assert {each.name for each in tmp_path.iterdir()} == {"s.map", "t.mrc"}
    assert (tmp_path / "t.mrc").read_bytes() == b"old"


def test_sources_of_other_byte_orders_and_four_bits(tmp_path: Path) -> None:
    pixels = np.random.default_rng(2).normal(size=(3, 8, 9)).astype(">f4")
    with mrcfile.new(tmp_path / "big.mrcs") as file:
        file.set_data(pixels)
        file.set_image_stack()
        assert file.header.mode.dtype.byteorder == ">"
    convert_image(tmp_path / "big.mrcs", tmp_path / "big.zarr")
    assert same_bits(read_pixels(tmp_path / "big.zarr"), pixels)
    write_mrc(tmp_path / "packed.mrc", np.full((4, 4), 0x31, np.int8), 1.0)
    with (tmp_path / "packed.mrc").open("r+b") as raw:
        raw.write((8).to_bytes(4, "little"))
        raw.seek(12)
        raw.write((101).to_bytes(4, "little"))
    convert_image(tmp_path / "packed.mrc", tmp_path / "packed.tif")
    np.testing.assert_array_equal(read_pixels(tmp_path / "packed.tif"), [np.tile([1, 3], (4, 4))])


def test_a_movie_of_electrons(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    frames = [np.argwhere(rng.random((64, 64)) < 0.05)[:, ::-1].astype("f4") for _ in range(12)]
    write_eer(tmp_path / "m.eer", frames, shape=(64, 64), pixel_size=0.75)
    done = convert_image(tmp_path / "m.eer", tmp_path / "m.tif", ImageOptions(eer=EERRendering(2, 3)))
    assert (done.target.frames, done.target.width) == (3, 128)
    assert done.target.pixel_size == pytest.approx(0.375)
    assert "electron events" in done.carried.lost
    with open_frames(tmp_path / "m.eer", eer=EERRendering(2, 3)) as movie:
        np.testing.assert_array_equal(read_pixels(tmp_path / "m.tif")[:, ::-1], list(movie))


def test_transforms_are_for_conversion_only(tmp_path: Path) -> None:
    pixels = (np.arange(12) * (1 + 2j)).astype("c8").reshape(1, 3, 4)
    source = write_plain(tmp_path / "a.h5", pixels)
    for ending in (".mrc", ".tif"):
        convert_image(source, tmp_path / f"a{ending}")
        with pytest.raises(FormatError):
            read_info(tmp_path / f"a{ending}")
    with pytest.raises(FormatError, match="convert it to MRC first"):
        read_info(source)
    with h5py.File(source) as file:
        assert file["images"].dtype == np.complex64


@pytest.mark.parametrize("small_disk", ["3m"], indirect=True)
@pytest.mark.parametrize("ending", [".mrc", ".tif", ".nxs", ".emd", ".zarr"])
def test_a_full_disk_leaves_nothing(tmp_path: Path, small_disk: Path, ending: str) -> None:
    pixels = np.random.default_rng(9).integers(0, 2**16, (12, 512, 512), "u2")
    source = write_plain(tmp_path / "s.h5", pixels)
    with pytest.raises(OSError, match="No space left"):
        convert_image(source, small_disk / f"t{ending}")
    assert list(small_disk.iterdir()) == []
