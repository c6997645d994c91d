"""`eucentric convert`: images, tables and coordinates from one format to another, read back."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from eucentric.cli.errors import CommandFailed
from eucentric.cli.sites import JsonOption

if TYPE_CHECKING:
    from eucentric.formats import EERRendering
    from eucentric.formats.convert_images import ConvertedImage


class Kind(StrEnum):
    """What several images in one file are."""

    stack = "stack"
    volume = "volume"


class Compression(StrEnum):
    """How pixels are compressed, always without loss."""

    none = "none"
    lzw = "lzw"
    deflate = "deflate"
    zstd = "zstd"


class To(StrEnum):
    """Formats of the files in a folder."""

    csv = "csv"
    parquet = "parquet"
    star = "star"
    box = "box"
    json = "json"


_IMAGES, _TABLES, _COORDINATES = "Images", "Tables", "Coordinates"


def command(
    source: Annotated[Path, typer.Argument(metavar="IN", help="A file, or a folder of OME-Zarr or tables.")],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="The new file; its ending tells the format.")],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")] = False,
    dtype: Annotated[
        str | None,
        typer.Option(metavar="TYPE", help="Type of the pixels, as float32.", rich_help_panel=_IMAGES),
    ] = None,
    kind: Annotated[
        Kind | None, typer.Option(help="What several images are.", rich_help_panel=_IMAGES)
    ] = None,
    part: Annotated[
        str | None, typer.Option(help="Which image, of several in a file.", rich_help_panel=_IMAGES)
    ] = None,
    compression: Annotated[
        Compression | None, typer.Option(help="By default as is usual.", rich_help_panel=_IMAGES)
    ] = None,
    chunk: Annotated[
        str | None,
        typer.Option(
            metavar="Z,Y,X", help="Chunks of HDF5 and OME-Zarr, in pixels.", rich_help_panel=_IMAGES
        ),
    ] = None,
    shard: Annotated[
        str | None,
        typer.Option(metavar="Z,Y,X", help="Shards of OME-Zarr, in pixels.", rich_help_panel=_IMAGES),
    ] = None,
    levels: Annotated[
        int | None, typer.Option(min=1, max=16, help="Resolutions in OME-Zarr.", rich_help_panel=_IMAGES)
    ] = None,
    eer_fractions: Annotated[
        int | None, typer.Option(min=1, help="Frames to make of an EER movie.", rich_help_panel=_IMAGES)
    ] = None,
    eer_upsampling: Annotated[
        int, typer.Option(min=1, max=2, help="2 for pixels half as wide.", rich_help_panel=_IMAGES)
    ] = 1,
    to: Annotated[
        To | None, typer.Option(help="Make OUT a folder of such files.", rich_help_panel=_TABLES)
    ] = None,
    block: Annotated[
        str | None, typer.Option(help="Which block of a STAR file.", rich_help_panel=_TABLES)
    ] = None,
    pairs: Annotated[
        list[str],
        typer.Option(metavar="BLOCK", help="Write it as pairs; may be repeated.", rich_help_panel=_TABLES),
    ] = [],  # noqa: B006
    micrograph: Annotated[
        str | None, typer.Option(help="Only this micrograph.", rich_help_panel=_COORDINATES)
    ] = None,
    shape: Annotated[
        str | None,
        typer.Option(metavar="Y,X", help="Size of the micrographs in px.", rich_help_panel=_COORDINATES),
    ] = None,
    box: Annotated[
        int | None, typer.Option(min=1, help="Side of the boxes in px.", rich_help_panel=_COORDINATES)
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Convert a file to another format; what is written is read back and compared before it appears.

    Images, stacks, movies and volumes: MRC, TIFF, NeXus, EMD, OME-Zarr; DM3, DM4, EER and Velox are read.
    Tables: STAR, CSV, Parquet. Coordinates: STAR, BOX, EMAN JSON; cryoSPARC's .cs is read.
    What the new file cannot keep is named.
    """
    given: dict[str, dict[str, Any]] = {
        _IMAGES: {
            "dtype": dtype, "kind": kind, "part": part, "compression": compression, "chunk": chunk,
            "shard": shard, "levels": levels, "eer-fractions": eer_fractions,
            "eer-upsampling": eer_upsampling if eer_upsampling != 1 else None,
        },
        _TABLES: {"block": block, "pairs": pairs or None},
        _COORDINATES: {"micrograph": micrograph, "shape": shape, "box": box},
    }  # fmt: skip
    what = _what(source, target, to)
    if what == _IMAGES and to is not None:
        raise CommandFailed("--to is for tables and coordinates.")
    for other, options in given.items():
        if other != what and (wrong := [name for name, value in options.items() if value is not None]):
            raise CommandFailed(f"--{wrong[0]} is for {other.lower()}; {source.name} is of {what.lower()}.")
    runner = {_IMAGES: _images, _TABLES: _tables, _COORDINATES: _coordinates}[what]
    report = runner(source, target, given[what] | {"to": to, "overwrite": overwrite})
    if as_json:
        import json

        typer.echo(json.dumps(report, indent=2, ensure_ascii=False))
    else:
        _show(report)


def _what(source: Path, target: Path, to: To | None) -> str:
    """Tell whether images, tables or coordinates are meant, by the endings."""
    ends = {source.suffix.lower(), target.suffix.lower(), f".{to}"}
    if ends & {".box", ".json"} or (source.suffix.lower() == ".cs" and ".star" in ends):
        return _COORDINATES
    tables = {".star", ".csv", ".parquet", ".cs"}
    if source.suffix.lower() in tables or (source.is_dir() and ends & tables):
        return _TABLES
    return _IMAGES


def _numbers(name: str, text: str | None, count: int) -> Any:
    """Return numbers separated by commas, None for none."""
    if text is None:
        return None
    parts = text.split(",")
    if len(parts) != count or not all(part.strip().isdecimal() and int(part) > 0 for part in parts):
        raise CommandFailed(
            f"--{name} takes {count} whole numbers from 1 on with commas between, not {text}."
        )
    return tuple(int(part) for part in parts)


def _images(source: Path, target: Path, given: dict[str, Any]) -> dict[str, Any]:
    import numpy as np

    from eucentric.cli.output import progress_bar
    from eucentric.formats.convert_images import ImageOptions, convert_image
    from eucentric.formats.pixel_types import TYPES

    if given["dtype"] is not None and given["dtype"] not in TYPES:
        raise CommandFailed(f"There are no pixels of type {given['dtype']}; there are {', '.join(TYPES)}.")
    options = ImageOptions(
        dtype=np.dtype(given["dtype"]) if given["dtype"] else None,
        kind=given["kind"] and given["kind"].value,
        part=given["part"],
        compression=given["compression"] and given["compression"].value,
        chunk=_numbers("chunk", given["chunk"], 3),
        shard=_numbers("shard", given["shard"], 3),
        levels=given["levels"],
        eer=_rendering(source, given["eer-upsampling"], given["eer-fractions"]),
        overwrite=given["overwrite"],
    )
    with progress_bar("Converting and reading back") as progress:
        return _image_report(convert_image(source, target, options, progress))


def _rendering(source: Path, upsampling: Any, fractions: int | None) -> "EERRendering | None":
    """Return how an EER movie is to be rendered, None where nothing is said of it."""
    from eucentric.formats import EERRendering, read_info
    from eucentric.formats.eer import DEFAULT_FRACTIONS

    if upsampling is None and fractions is None:
        return None
    info = read_info(source)
    if info.format != "EER":
        raise CommandFailed(f"{source} is no EER movie; leave out --eer-upsampling and --eer-fractions.")
    return EERRendering(upsampling or 1, fractions or min(DEFAULT_FRACTIONS, info.frames))


def _image_report(done: "ConvertedImage") -> dict[str, Any]:
    return {
        "source": _described(done.source) | {"path": str(done.source.path)},
        "target": _described(done.target) | {"path": str(done.target.path)},
        "changes": done.changes,
        "kept": done.carried.kept,
        "not_carried": done.carried.lost,
        "verified": True,
    }


def _described(info: Any) -> dict[str, Any]:
    files = info.path.rglob("*") if info.path.is_dir() else [info.path]
    return {
        "format": info.format,
        "kind": info.kind,
        "frames": info.frames,
        "height": info.height,
        "width": info.width,
        "dtype": str(info.dtype),
        "bytes": sum(file.stat().st_size for file in files if file.is_file()),
    }


def _tables(source: Path, target: Path, given: dict[str, Any]) -> dict[str, Any]:
    from eucentric.formats.convert_tables import TableOptions, convert_tables

    to = given["to"] and given["to"].value
    options = TableOptions(given["block"], to, tuple(given["pairs"] or ()), given["overwrite"])
    done = convert_tables(source, target, options)
    return {
        "source": {"path": str(source)},
        "target": {"path": str(target)},
        "blocks": {name: {"rows": rows, "columns": columns} for name, (rows, columns) in done.blocks.items()},
        "changes": done.changes,
        "not_carried": done.lost,
        "verified": True,
    }


def _coordinates(source: Path, target: Path, given: dict[str, Any]) -> dict[str, Any]:
    from eucentric.formats.convert_coordinates import CoordinateOptions, convert_coordinates

    options = CoordinateOptions(
        to=given["to"] and given["to"].value,
        micrograph=given["micrograph"],
        shape=_numbers("shape", given["shape"], 2),
        box=given["box"],
        overwrite=given["overwrite"],
    )
    done = convert_coordinates(source, target, options)
    return {
        "source": {"path": str(source)},
        "target": {"path": str(target)},
        "micrographs": done.counts,
        "changes": [],
        "not_carried": done.lost,
        "verified": True,
    }


def _show(report: dict[str, Any]) -> None:
    """Print what became of a conversion, for people."""
    from eucentric.cli.output import console

    lines = [_line(report[end]) for end in ("source", "target")]
    for name, size in report.get("blocks", {}).items():
        lines.append(f"  data_{name}: {size['rows']} rows, {size['columns']} columns")
    if "micrographs" in report:
        counts = report["micrographs"]
        micrographs = "1 micrograph" if len(counts) == 1 else f"{len(counts)} micrographs"
        lines.append(f"  {sum(counts.values())} positions in {micrographs}")
    for name, value in report.get("kept", {}).items():
        lines.append(f"  kept: {name} ({value})")
    lines += [f"  changed: {change}" for change in report["changes"]]
    lines += [f"  not carried: {name} ({value})" for name, value in report["not_carried"].items()]
    lines.append("Read back: every value is as it was written.")
    printer = console()
    for line in lines:
        printer.print(line, soft_wrap=True)


def _line(end: dict[str, Any]) -> str:
    if "format" not in end:
        return str(end["path"])
    frames = "" if end["kind"] == "image" else f"{end['frames']} × "
    size = f"{frames}{end['height']} × {end['width']}"
    return f"{end['path']}: {end['format']}, {end['kind']} of {size}, {end['dtype']}, {_size(end['bytes'])}"


def _size(count: float) -> str:
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} TB"
