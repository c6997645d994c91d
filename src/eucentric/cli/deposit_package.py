"""From what a deposit is made of to its package, in the forms of one repository."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from eucentric.cli.errors import CommandFailed

if TYPE_CHECKING:
    from eucentric.cli.deposit_sources import Chosen, Source
    from eucentric.publish import Description, ImageSet
    from eucentric.publish.crate import CrateFile
    from eucentric.publish.package import Package


def package_of(to: str, description: "Description", source: "Source") -> "Package":
    """Return the package for a repository.

    Args:
        to: `empiar`, `emdb` or `zenodo`.
        description: What people say.
        source: What it is made of.

    Raises:
        CommandFailed: Several acquisitions have a map, and the repository takes one.
        FormatError: A map cannot be read.
        OSError: A file cannot be read.
    """
    from eucentric.publish import datacite_json, datacite_xml, empiar, mmcif, oscem, zenodo
    from eucentric.publish.document import file_name
    from eucentric.publish.package import Package

    package = Package(open=list(source.open))
    _add_files(package, source)
    for one in source.acquisitions:
        suffix = f"-{file_name(one.name)}" if len(source.acquisitions) > 1 else ""
        package.documents[f"oscem{suffix}.json"] = oscem(one.record, description)
        if to == "emdb":
            package.documents[f"experiment{suffix}.cif"] = mmcif(one.record, description)
        package.open += [each.sentence() for each in one.record.contradictions]
    if to == "empiar":
        images = tuple(images for one in source.acquisitions for images in _image_sets(one))
        package.documents["deposition.json"] = empiar(description, images)
    elif to == "emdb":
        _add_header(package, description, source.acquisitions)
    else:
        package.documents["zenodo.json"] = zenodo(description)
        package.documents["datacite.json"] = datacite_json(description)
        package.documents["datacite.xml"] = datacite_xml(description)
        for one in source.acquisitions:
            _add_map(package, one, f"map/{file_name(one.name)}" if len(source.acquisitions) > 1 else "map")
        _add_nxem(package, description, source)
    _add_crate(package, description, source)
    return package


def _add_files(package: "Package", source: "Source") -> None:
    """Add the files, and the tables with which RELION reads them."""
    from eucentric.publish.relion_optics import OpticsFiles, relion_optics

    tables: dict[str, list[OpticsFiles]] = {"movies": [], "micrographs": []}
    for one in source.acquisitions:
        for each in one.sets:
            paths = package.add_files(each.images.directory, each.files)
            if each.kind in tables:
                size = each.images.pixel_size
                files = OpticsFiles(one.name, one.record, paths, each.groups, size, each.conditions)
                tables[each.kind].append(files)
    for kind, sets in tables.items():
        if sets:
            package.documents[f"{kind}.star"] = relion_optics(kind, sets)


def _image_sets(one: "Chosen") -> "list[ImageSet]":
    """Return the sets of images of an acquisition; those of tilt series are counted by series."""
    known = one.record
    series = known.acquisition.tilt_series or len(known.tilt_series)
    if known.acquisition.technique != "tomography" or not series:
        return [each.images for each in one.sets]
    return [
        replace(
            each.images, category="tilt series", images=series, details=f"{each.images.images} tilt images"
        )
        if each.kind in ("movies", "micrographs")
        else each.images
        for each in one.sets
    ]


def _add_nxem(package: "Package", description: "Description", source: "Source") -> None:
    """Add what is known of all acquisitions as one NeXus file, which names the other documents."""
    from eucentric.publish import nxem

    notes = {name: package.content(name) for name in package.documents}
    package.documents["nxem.nxs"] = nxem([one.record for one in source.acquisitions], description, notes)


def _add_map(package: "Package", one: "Chosen", folder: str) -> None:
    found = one.map
    if found is not None:
        files = (found.path, *found.halves, found.mask, found.fsc)
        package.add_files(folder, [file for file in files if file is not None])


def _add_header(package: "Package", description: "Description", acquisitions: "Sequence[Chosen]") -> None:
    """Add EMDB's header and the map, of the one acquisition that has a map."""
    from datetime import date

    from eucentric.publish import emdb, read_map_facts

    with_map = [one for one in acquisitions if one.map is not None]
    if len(with_map) > 1:
        names = ", ".join(one.name for one in with_map)
        raise CommandFailed(f"Several acquisitions have a map ({names}); choose one with --acquisition.")
    one = (with_map or acquisitions)[0]
    _add_map(package, one, "map")
    package.documents["header.xml"] = emdb(
        one.record,
        description,
        read_map_facts(one.map.path) if one.map else None,
        date.today(),
        halves=[read_map_facts(half) for half in one.map.halves] if one.map else (),
        mask=read_map_facts(one.map.mask) if one.map and one.map.mask else None,
        has_correlation=bool(one.map and one.map.fsc),
    )


def _add_crate(package: "Package", description: "Description", source: "Source") -> None:
    """Add the workflow and, as an RO-Crate, how the files came about."""
    from importlib.metadata import version

    from eucentric.publish.crate import run_crate
    from eucentric.publish.document import Document

    package.documents["workflow.json"] = Document(source.workflow)
    crate = run_crate(
        description,
        source.runs,
        _crate_files(package),
        workflow="workflow.json",
        version=version("eucentric"),
        began=source.began,
        ended=source.ended,
    )
    package.documents["ro-crate-metadata.json"] = Document(crate)


def _crate_files(package: "Package") -> "list[CrateFile]":
    from eucentric.publish.crate import CrateFile

    return [
        CrateFile(path, Path(path).name, file.stat().st_size, is_result="/movies/" not in path)
        for path, file in package.files.items()
    ]
