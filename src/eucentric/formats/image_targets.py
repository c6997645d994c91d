"""The formats that images are converted to: told by a name, what they hold, how they are written."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from eucentric.formats.errors import FormatError
from eucentric.formats.frame_reader import Frame
from eucentric.formats.image_info import ImageInfo
from eucentric.formats.mrc import write_mrc
from eucentric.formats.mrc_carried import extended_header
from eucentric.formats.ome_xml import TYPES as OME_TYPES
from eucentric.formats.ome_xml import ome_xml
from eucentric.formats.tiff_writing import DTYPES as TIFF_TYPES
from eucentric.formats.tiff_writing import write_tiff

Compression = Literal["none", "lzw", "deflate", "zstd"]
Shape = tuple[int, int, int]

ENDINGS = {
    "MRC": (".mrc", ".mrcs", ".map", ".st", ".rec", ".ali", ".ccp4"),
    "OME-TIFF": (".ome.tif", ".ome.tiff"),
    "TIFF": (".tif", ".tiff"),
    "NeXus": (".nxs", ".h5", ".hdf5"),
    "EMD": (".emd",),
    "OME-Zarr": (".zarr",),
}
"""The formats that are written, and the endings of their files."""

COMPRESSIONS: dict[str, tuple[Compression, ...]] = {
    "MRC": ("none",),
    "OME-TIFF": ("lzw", "none", "deflate", "zstd"),
    "TIFF": ("lzw", "none", "deflate", "zstd"),
    "NeXus": ("deflate", "none"),
    "EMD": ("deflate", "none"),
    "OME-Zarr": ("zstd", "none", "deflate"),
}
"""How each may be compressed; the first is the usual way."""

_ALL_TYPES = frozenset(TIFF_TYPES)
TYPES: dict[str, frozenset[str]] = {
    "MRC": frozenset({"i1", "i2", "u2", "f2", "f4", "c8"}),
    "OME-TIFF": frozenset(OME_TYPES),
    "TIFF": _ALL_TYPES,
    "NeXus": _ALL_TYPES,
    "EMD": _ALL_TYPES,
    "OME-Zarr": _ALL_TYPES,
}
"""The types of pixels that each holds, as NumPy's codes."""


@dataclass(frozen=True)
class Target:
    """A format to be written, with all choices made.

    Attributes:
        name: What it is called.
        types: The types of pixels that it holds, as NumPy's codes.
        write: Writes frames [y, x] to a path, of which all is known that the image's info says.
        replaceable: Tells whether what lies at a path may be replaced by such a file.
    """

    name: str
    types: frozenset[str]
    write: Callable[[Path, Iterable[Frame], ImageInfo], None]
    replaceable: Callable[[Path], bool] = Path.is_file


def format_of(path: Path) -> str | None:
    """Return the name of the format of images that a file's ending tells, None for any other ending."""
    name = path.name.lower()
    return next((kind for kind, endings in ENDINGS.items() if name.endswith(endings)), None)


def target_of(
    path: Path,
    compression: Compression | None = None,
    chunk: Shape | None = None,
    shard: Shape | None = None,
    levels: int | None = None,
) -> Target:
    """Return the format that the ending of a file's name tells.

    Raises:
        FormatError: There is no such format for images, or it has no such compression, chunks, shards or
            resolutions.
    """
    name = format_of(path)
    if name is None:
        known = ", ".join(ending for endings in ENDINGS.values() for ending in endings)
        raise FormatError(
            path, "its ending tells no format that images are written in", f"give one of {known}"
        )
    if compression is not None and compression not in COMPRESSIONS[name]:
        able = ", ".join(COMPRESSIONS[name])
        raise FormatError(path, f"{name} is not written with {compression}", f"choose one of: {able}")
    if chunk is not None and name not in ("NeXus", "EMD", "OME-Zarr"):
        raise FormatError(path, f"{name} has no chunks", "leave them out")
    if (shard is not None or levels is not None) and name != "OME-Zarr":
        raise FormatError(path, f"{name} has no shards and no resolutions", "leave them out")
    if name == "OME-Zarr":
        return _zarr(compression, chunk, shard, levels)
    if name in ("NeXus", "EMD"):
        return _hdf5(name, compression, chunk)
    if name == "MRC":
        return Target(name, TYPES[name], _write_mrc)
    return _tiff(name, compression)


def _write_mrc(path: Path, frames: Iterable[Frame], info: ImageInfo) -> None:
    extended = extended_header(info.path) if info.format == "MRC" else (b"", b"")
    write_mrc(path, frames, None, carried=info, extended=extended)


def _tiff(name: str, compression: Compression | None) -> Target:
    def write(path: Path, frames: Iterable[Frame], info: ImageInfo) -> None:
        write_tiff(
            path,
            frames,
            compression=compression or "lzw",
            pixel_size=info.pixel_size,
            description=ome_xml(info) if name == "OME-TIFF" else None,
        )

    return Target(name, TYPES[name], write)


def _hdf5(name: str, compression: Compression | None, chunk: Shape | None) -> Target:
    from eucentric.formats.emd_images import write_emd
    from eucentric.formats.hdf5_writing import HDF5Storage
    from eucentric.formats.nexus_writing import write_nexus

    storage = HDF5Storage("none" if compression == "none" else "deflate", chunk)
    writer = write_nexus if name == "NeXus" else write_emd
    return Target(name, TYPES[name], lambda path, frames, info: writer(path, frames, info, storage))


def _zarr(
    compression: Compression | None, chunk: Shape | None, shard: Shape | None, levels: int | None
) -> Target:
    from eucentric.formats.ome_zarr_writing import ZarrStorage, write_ome_zarr

    codec: Literal["zstd", "deflate", "none"] = "zstd"
    if compression in ("deflate", "none"):
        codec = "deflate" if compression == "deflate" else "none"
    storage = ZarrStorage(codec, chunk, shard, levels)
    return Target(
        "OME-Zarr",
        TYPES["OME-Zarr"],
        lambda path, frames, info: write_ome_zarr(path, frames, info, storage),
        lambda path: (path / "zarr.json").is_file(),
    )
