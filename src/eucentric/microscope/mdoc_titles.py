"""What titles and global values of .mdoc files say: microscope, camera, tilt axis.

Titles are texts that every site composes for itself; what is found in them is only what stands there plainly.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from eucentric.formats import Mdoc
from eucentric.formats.xml_documents import number_of
from eucentric.metadata.detectors import DETECTORS
from eucentric.metadata.readings import Collector

_LONGEST = 1000
"""Letters of a title that are looked at."""

_TITLE_END = re.compile(r"\s+\d{1,4}-\w{3}-\d{2,4}\s.*$")
_PROGRAM = re.compile(r"\s*(SerialEM|Tomography)\s*:\s*(.*)", re.IGNORECASE)
_CAMERAS = re.compile(r"(.*?)\s*Cameras?\s*->\s*(.*)")
_CAMERA = re.compile(r"(\d+):(\S+)")
_BY = re.compile(r"(?:Digiti[sz]ed|Acquired)\s+(?:by\s+(?P<camera>.+?)\s+)?on\s+(?P<scope>.+)", re.IGNORECASE)
_AXIS = re.compile(r"tilt\s*axis\s*angle\s*=\s*([-+]?[\d.,]+(?:e[-+]?\d+)?)", re.IGNORECASE)
_VERSION = re.compile(r"(?:SerialEM\s+)?Version\s+([^\s,]+)", re.IGNORECASE)

_SOURCES = {
    "feg": "field emission gun",
    "x-feg": "field emission gun",
    "xfeg": "field emission gun",
    "c-feg": "field emission gun",
    "cfeg": "field emission gun",
    "e-cfeg": "field emission gun",
    "fieldemission": "field emission gun",
    "field emission gun": "field emission gun",
    "lab6": "LaB6",
    "tungsten": "tungsten hairpin",
}


def read_titles(collector: Collector, mdoc: Mdoc) -> None:
    """Read the titles and what sites add to the global values (SerialEM's property `GlobalAutodocEntry`)."""
    _software(collector, mdoc)
    _tilt_axis(collector, mdoc)
    index = _camera_index(mdoc)
    for program, text in _programs(mdoc):
        scope = text
        if cameras := _CAMERAS.match(text):
            scope = cameras[1]
            if index in (named := dict(_CAMERA.findall(cameras[2]))):
                collector.add("detector.name", named[index], "title Camera -> N:NAME")
        elif by := _BY.match(text):
            scope = by["scope"]
            collector.add("detector.name", by["camera"], "title Digitized by NAME on")
        collector.add("instrument.name", scope.strip(), f"title {program}:")
        if not any(each.term == "detector.name" for each in collector.readings):
            for row in DETECTORS:  # a camera that is in the table may be named anywhere in the text
                if found := re.search(row.names, text, re.IGNORECASE):
                    collector.add("detector.name", found[0], f"title {program}:")
                    break
    of_entries(collector, mdoc.values, "", index)


def read_header_titles(collector: Collector, path: Path, titles: Sequence[str]) -> None:
    """Read the titles in the header of an MRC file, where SerialEM or Tomography wrote them.

    Args:
        collector: What takes in the values.
        path: The file.
        titles: Its titles; each has 80 letters at most, so that a camera's name may be cut off.
    """
    mdoc = Mdoc(path, {}, tuple(titles), ())
    if any(True for _ in _programs(mdoc)):
        read_titles(collector, mdoc)
    else:
        _tilt_axis(collector, mdoc)


def of_entries(collector: Collector, values: dict[str, str], head: str, index: str = "") -> None:
    """Read what sites write by `GlobalAutodocEntry`, by key; of cameras that with the number `index`."""
    collector.add("detector.name", values.get(f"Camera{index}") if index else None, f"{head}Camera{index}")
    for key in ("Source", "ElectronSource", "Electron_Source"):
        collector.named("instrument.electron_source", values.get(key), _SOURCES, f"{head}{key}")
    for key in ("Cs", "CS", "SphericalAberration"):
        collector.add("instrument.cs", number_of(values.get(key)), f"{head}{key}", "mm")


def _programs(mdoc: Mdoc) -> Iterator[tuple[str, str]]:
    for title in _titles(mdoc):
        if program := _PROGRAM.match(title):
            text = _TITLE_END.sub("", f"{program[2].strip()} ").strip()
            if text:
                yield program[1], text


def _titles(mdoc: Mdoc) -> Iterator[str]:
    """Yield the titles with single spaces; so much of each as anybody writes."""
    for title in mdoc.titles:
        yield " ".join(title[:_LONGEST].split()).removesuffix("]").rstrip()


def _camera_index(mdoc: Mdoc) -> str:
    for section in mdoc.sections:
        if number := section.text("CameraIndex"):
            return number
    return mdoc.text("CameraIndex")


def _software(collector: Collector, mdoc: Mdoc) -> None:
    version = mdoc.text("Version") or next(
        (text for each in mdoc.sections if (text := each.text("Version"))), ""
    )
    named = [program for program, _ in _programs(mdoc)]
    program = "Tomography" if named and named[0].lower() == "tomography" else "SerialEM"
    key = f"title {program}:" if named else "Version" if version else "name of the file"
    collector.add("acquisition.microscope_software", program, key)
    if found := _VERSION.search(version):
        collector.add("acquisition.microscope_software_version", found[1], "Version")


def _tilt_axis(collector: Collector, mdoc: Mdoc) -> None:
    """The tilt axis, in three ways of writing; `RotationAngle` is another angle."""
    for title in _titles(mdoc):
        if found := _AXIS.search(title):
            angle = number_of(found[1].rstrip(".,"))
            collector.add("acquisition.tilt_axis_angle", angle, "title Tilt axis angle", "°")
            collector.add("tilt_series.tilt_axis_angle", angle, "title Tilt axis angle", "°")
            return
    for values in (mdoc, *mdoc.sections):
        if (angle := values.number("TiltAxisAngle")) is not None:
            collector.add("acquisition.tilt_axis_angle", angle, "TiltAxisAngle", "°")
            collector.add("tilt_series.tilt_axis_angle", angle, "TiltAxisAngle", "°")
            return
