"""OME-Zarr folders: what another library and the schema's models say of them, and what is refused."""

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import ome_zarr_models
import pytest
import zarr
from hypothesis import event, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from eucentric.formats import FormatError
from eucentric.formats.any_images import open_image
from eucentric.formats.convert_images import ImageOptions, convert_image
from eucentric.formats.image_info import ImageInfo
from eucentric.formats.ome_zarr_writing import ZarrStorage, layout, write_ome_zarr


def _info(shape: tuple[int, int, int], dtype: str, **known: Any) -> ImageInfo:
    return ImageInfo(Path("map.mrc"), "MRC", *shape, np.dtype(dtype), None, **known)


def _write(path: Path, dtype: str = "f4", **known: Any) -> NDArray[Any]:
    pixels = (np.random.default_rng(7).random((7, 33, 50)) * 100).astype(dtype)
    facts = {"volume": True, "voxel": (3.0, 1.5, 1.5), "origin": (9.0, 0.0, -6.0)} | known
    info = _info(pixels.shape, dtype, **facts)
    write_ome_zarr(path, iter(pixels), info, ZarrStorage(chunk=(2, 16, 16), levels=3))
    return pixels


def _attributes(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((path / "zarr.json").read_text())["attributes"]
    return found


@pytest.mark.parametrize(
    "known", [{}, {"volume": False}, {"voxel": (None, None, None), "origin": None}, {"titles": ("a",)}]
)
def test_the_models_of_the_specification_accept_it(tmp_path: Path, known: dict[str, Any]) -> None:
    _write(tmp_path / "v.zarr", **known)
    image = ome_zarr_models.open_ome_zarr(zarr.open_group(tmp_path / "v.zarr", mode="r"))
    assert isinstance(image, ome_zarr_models.v05.Image)
    (scales,) = image.attributes.ome.multiscales
    assert [axis.name for axis in scales.axes] == ["z" if known.get("volume", True) else "t", "y", "x"]
    assert [each.path for each in scales.datasets] == ["0", "1", "2"]


def test_resolutions_are_means_that_lie_where_their_pixels_did(tmp_path: Path) -> None:
    pixels = _write(tmp_path / "v.zarr")
    group = zarr.open_group(tmp_path / "v.zarr", mode="r")
    padded = np.pad(pixels, [(0, 1), (0, 1), (0, 0)], mode="edge").astype("f8")
    means = padded.reshape(4, 2, 17, 2, 25, 2).mean((1, 3, 5))
    np.testing.assert_allclose(group["1"][...], means, rtol=1e-6)
    assert group["2"].shape == (2, 9, 13)
    transformations = [
        each["coordinateTransformations"]
        for each in _attributes(tmp_path / "v.zarr")["ome"]["multiscales"][0]["datasets"]
    ]
    for level, (scale, translation) in enumerate(transformations):
        factor = 2**level
        assert scale == {"type": "scale", "scale": [3.0 * factor, 1.5 * factor, 1.5 * factor]}
        # A level's first pixel lies amid those it was made from.
        middle = [9.0 + 3.0 * (factor - 1) / 2, 1.5 * (factor - 1) / 2, -6.0 + 1.5 * (factor - 1) / 2]
        assert translation == {"type": "translation", "translation": middle}


def test_frames_of_a_stack_are_not_mixed(tmp_path: Path) -> None:
    pixels = _write(tmp_path / "s.zarr", "i2", volume=False)
    smaller = zarr.open_group(tmp_path / "s.zarr", mode="r")["1"][...]
    assert smaller.shape == (7, 17, 25)
    assert smaller.dtype == np.int16
    assert smaller[4, 3, 5] == round(pixels[4, 6:8, 10:12].mean())


def test_another_resolution_can_be_read(tmp_path: Path) -> None:
    _write(tmp_path / "v.zarr")
    with open_image(tmp_path / "v.zarr", part="1") as reader:
        assert reader.info.sides == pytest.approx((6.0, 3.0, 3.0))
        assert reader.info.origin == pytest.approx((10.5, 0.75, -5.25))
        assert (reader.info.frames, reader.info.height, reader.info.width) == (4, 17, 25)
    with pytest.raises(FormatError, match="choose one of: 0, 1, 2"):
        open_image(tmp_path / "v.zarr", part="7")


@pytest.mark.parametrize(
    ("storage", "chunk", "shard"),
    [
        (ZarrStorage(chunk=(1, 8, 8), shard=(2, 16, 64)), (1, 8, 8), (2, 16, 56)),
        (ZarrStorage(chunk=(1, 8, 8), shard=(1, 8, 8)), (1, 8, 8), (1, 8, 8)),
        (ZarrStorage(chunk=(1, 8, 8)), (1, 8, 8), (7, 40, 56)),
        (ZarrStorage(), (7, 33, 50), (7, 33, 50)),
    ],
)
def test_chunks_and_shards_are_those_chosen(
    tmp_path: Path, storage: ZarrStorage, chunk: tuple[int, ...], shard: tuple[int, ...]
) -> None:
    info = _info((7, 33, 50), "f4", volume=True)
    assert layout(info, storage) == (chunk, shard)
    pixels = np.arange(7 * 33 * 50, dtype="f4").reshape(7, 33, 50)
    write_ome_zarr(tmp_path / "v.zarr", iter(pixels), info, storage)
    array = zarr.open_group(tmp_path / "v.zarr", mode="r")["0"]
    assert array.chunks == chunk
    assert (array.shards or array.chunks) == shard
    np.testing.assert_array_equal(array[...], pixels)


def test_large_frames_make_shallow_chunks_and_small_ones_share_shards() -> None:
    chunk, shard = layout(_info((500, 8192, 8192), "f4", volume=True), ZarrStorage())
    assert chunk == (*shard[:1], 128, 128)
    assert chunk[0] * 8192 * 8192 * 4 <= 2**28
    chunk, shard = layout(_info((100_000, 64, 64), "f4"), ZarrStorage())
    assert chunk == (64, 64, 64)
    assert shard == (4096, 64, 64)
    with pytest.raises(ValueError, match="of memory"):
        layout(_info((500, 8192, 8192), "f4"), ZarrStorage(chunk=(64, 64, 64), shard=(64, 8192, 8192)))


@pytest.mark.parametrize("compression", ["none", "deflate", "zstd"])
def test_compressions(tmp_path: Path, compression: Any) -> None:
    pixels = np.arange(2 * 40 * 50, dtype="u2").reshape(2, 40, 50)
    path = tmp_path / f"{compression}.zarr"
    write_ome_zarr(path, iter(pixels), _info((2, 40, 50), "u2"), ZarrStorage(compression))
    text = (path / "0" / "zarr.json").read_text()
    assert {name for name in ("zstd", "gzip") if f'"{name}"' in text} == {
        "none": set(), "deflate": {"gzip"}, "zstd": {"zstd"}
    }[compression]  # fmt: skip
    np.testing.assert_array_equal(zarr.open_group(path, mode="r")["0"][...], pixels)


@pytest.mark.parametrize("dtype", ["f4", "c16"])
def test_zeros_keep_their_sign(tmp_path: Path, dtype: str) -> None:
    pixels = -np.zeros((1, 4, 4), dtype)
    write_ome_zarr(tmp_path / "z.zarr", iter(pixels), _info((1, 4, 4), dtype), ZarrStorage())
    with open_image(tmp_path / "z.zarr") as reader:
        assert next(iter(reader)).tobytes() == pixels.tobytes()


def test_version_04_with_more_axes_is_read(tmp_path: Path) -> None:
    group = zarr.create_group(tmp_path / "old.zarr", zarr_format=2)
    pixels = np.arange(4 * 6 * 8, dtype="u2").reshape(1, 1, 4, 6, 8)
    group.create_array("s0", data=pixels, chunks=(1, 1, 2, 6, 8))
    axes = [{"name": "t", "type": "time"}, {"name": "c", "type": "channel"}]
    axes += [{"name": name, "type": "space", "unit": "nanometer"} for name in "zyx"]
    scale = {"type": "scale", "scale": [1, 1, 2.0, 0.5, 0.5]}
    whole = {"type": "scale", "scale": [1, 1, 2, 2, 2]}
    group.attrs["multiscales"] = [
        {
            "version": "0.4",
            "axes": axes,
            "datasets": [{"path": "s0", "coordinateTransformations": [scale]}],
            "coordinateTransformations": [whole],
        }
    ]
    done = convert_image(tmp_path / "old.zarr", tmp_path / "new.map")
    assert done.source.sides == pytest.approx((40.0, 10.0, 10.0))
    assert done.target.kind == "volume"
    with open_image(tmp_path / "new.map") as reader:
        np.testing.assert_array_equal(list(reader), pixels[0, 0])


def _set(path: Path, change: Any) -> None:
    document = json.loads((path / "zarr.json").read_text())
    change(document)
    (path / "zarr.json").write_text(json.dumps(document))


@pytest.mark.parametrize("place", ["../secret", "/etc", "0/../../secret", "link"])
def test_paths_that_lead_out_of_the_folder_are_refused(tmp_path: Path, place: str) -> None:
    _write(tmp_path / "v.zarr")
    _write(tmp_path / "secret")
    (tmp_path / "v.zarr" / "link").symlink_to(tmp_path / "secret" / "0")
    _set(
        tmp_path / "v.zarr",
        lambda said: said["attributes"]["ome"]["multiscales"][0]["datasets"][0].update(path=place),
    )
    with pytest.raises(FormatError, match=r"impossible path|outside of it"):
        open_image(tmp_path / "v.zarr")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda said: said["attributes"].pop("ome"), "name no image"),
        (lambda said: said["attributes"]["ome"]["multiscales"][0].pop("axes"), "cannot be read as Zarr"),
        (lambda said: said["attributes"]["ome"]["multiscales"][0]["axes"].pop(), "names 2 axes of 3"),
        (lambda said: said.update(node_type="array"), "cannot be read as Zarr"),
    ],
)
def test_damaged_metadata_are_one_clear_error(tmp_path: Path, change: Any, message: str) -> None:
    _write(tmp_path / "v.zarr")
    _set(tmp_path / "v.zarr", change)
    with pytest.raises(FormatError, match=message):
        open_image(tmp_path / "v.zarr")


def test_absurd_sizes_are_refused(tmp_path: Path) -> None:
    _write(tmp_path / "v.zarr")
    array = tmp_path / "v.zarr" / "0"
    _set(array, lambda said: said.update(shape=[10**7, 33, 50]))
    with pytest.raises(FormatError, match="10000000 frames"):
        open_image(tmp_path / "v.zarr")
    huge = {"name": "regular", "configuration": {"chunk_shape": [2048, 2048, 2048]}}
    _set(array, lambda said: said.update(shape=[7, 33, 50], chunk_grid=huge))
    with pytest.raises(FormatError, match="shards are of 16777216 chunks"):
        open_image(tmp_path / "v.zarr")
    _set(array, lambda said: said["codecs"][0]["configuration"].update(chunk_shape=[2048, 2048, 2048]))
    with pytest.raises(FormatError, match="chunks are of 34359738368 bytes"):
        open_image(tmp_path / "v.zarr")
    (tmp_path / "v.zarr" / "zarr.json").write_bytes(b" " * (2**24 + 1))
    with pytest.raises(FormatError, match="larger than"):
        open_image(tmp_path / "v.zarr")


def test_a_damaged_chunk_is_told_with_its_frame(tmp_path: Path) -> None:
    _write(tmp_path / "v.zarr")
    for file in (tmp_path / "v.zarr" / "0" / "c").rglob("*"):
        if file.is_file():
            raw = bytearray(file.read_bytes())
            raw[10:2000] = bytes(1990)
            file.write_bytes(raw)
    with pytest.raises(FormatError, match=r"frame \d of 7 cannot be read"):
        convert_image(tmp_path / "v.zarr", tmp_path / "v.mrc", ImageOptions())
    assert not (tmp_path / "v.mrc").exists()


@given(
    file=st.sampled_from(["zarr.json", "0/zarr.json", "0/c/0/0/0"]),
    harm=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=6),
)
@settings(max_examples=60, deadline=None)
def test_a_damaged_folder_is_read_in_the_right_size_or_refused(
    file: str, harm: list[tuple[float, int]]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "v.zarr")
        _write(path)
        raw = bytearray((path / file).read_bytes())
        for place, value in harm:
            raw[int(place * len(raw))] = value
        (path / file).write_bytes(raw)
        try:
            with open_image(path) as reader:
                shapes = {(frame.shape, frame.dtype) for frame in reader}
                assert shapes == {((reader.info.height, reader.info.width), reader.info.dtype)}
        except FormatError:
            event("refused")
