"""What axes of images, scans and spectra say in our vocabulary, and which of a file's images are one
recording.

Detectors that record at the same time make several images of one size, in one file: they are one exposure.
"""

from collections.abc import Callable, Sequence
from datetime import datetime

from eucentric.formats.image_info import believable_pixel_size
from eucentric.formats.scaled_image import Axis, ScaledImage
from eucentric.metadata.readings import Collector, Findings, Reading
from eucentric.microscope.naming import exposure_name

_SAME = 1e-3
"""Relative difference up to which two sides of a pixel are the same."""


def of_axes(collector: Collector, axes: Sequence[Axis], key: str) -> None:
    """Take in sizes and scales.

    The last two axes are an image's rows and columns, unless one is an energy: then what remains is the
    scan. An axis before an image counts frames; two are a scan, at each place of which an image was taken:
    the two that have lengths, where the others have none.

    Args:
        collector: What takes in the values.
        axes: The slowest first.
        key: What the axes are called in the file, for provenance.
    """
    energies = [axis for axis in axes if axis.energy_step is not None]
    others = [axis for axis in axes if axis.energy_step is None]
    if energies:
        collector.add("exposure.channels", energies[0].points, key)
        collector.add("detector.dispersion", energies[0].energy_step, key, energies[0].unit)
        _scan(collector, others[-2:], key)
    elif len(others) == 1:
        collector.add("exposure.channels", others[0].points, key)
    elif len(others) > 3:
        scan, image = others[-4:-2], others[-2:]
        if _step(image) is not None and _step(scan) is None:  # programs differ in what comes first
            scan, image = image, scan
        _image(collector, image, key)
        _scan(collector, scan, key)
    else:
        _image(collector, others[-2:], key)
        if len(others) == 3 and others[0].points > 1:
            collector.add("exposure.frames", others[0].points, key)


def _image(collector: Collector, axes: Sequence[Axis], key: str) -> None:
    rows, columns = axes
    collector.add("exposure.height", rows.points, key)
    collector.add("exposure.width", columns.points, key)
    if (step := _step(axes)) is not None and (believed := believable_pixel_size(step)) is not None:
        collector.add("exposure.pixel_size", believed, key, columns.unit, _factor(columns, believed))


def _scan(collector: Collector, axes: Sequence[Axis], key: str) -> None:
    for axis, side in zip(reversed(axes), ("width", "height"), strict=False):
        collector.add(f"exposure.scan_{side}", axis.points, key)
    if axes and (step := _step(axes)) is not None:
        collector.add("exposure.scan_step", step, key, axes[-1].unit, _factor(axes[-1], step))


def _step(axes: Sequence[Axis]) -> float | None:
    """Return Å from one point to the next, where that is the same along all axes."""
    steps = [axis.step for axis in axes]
    last = steps[-1]
    if last is None or any(step is None or abs(step / last - 1) > _SAME for step in steps):
        return None
    return last


def _factor(axis: Axis, converted: float) -> str:
    factor = converted / abs(axis.scale) if axis.scale else 1.0
    return "" if abs(factor - 1) < _SAME else f"× {factor:g}"


def findings_of_images(
    kind: str,
    file: str,
    collector: Collector,
    images: Sequence[ScaledImage],
    axes: str,
    read: Callable[[Collector, ScaledImage], None],
) -> Findings:
    """Return what a file with several images says.

    Args:
        kind: What the file is, for people.
        file: Its name.
        collector: What takes in the values.
        images: What it holds.
        axes: What sizes and scales are called in the file, for provenance.
        read: Takes in what is said about one of them.

    Returns:
        One exposure for images of one size that were recorded together; of several exposures, each is called
        as the file with its number behind it.
    """
    groups: dict[tuple[object, ...], dict[tuple[str, str, object], Reading]] = {}
    for image in images:
        of_axes(collector, image.axes, axes)
        read(collector, image)
        readings = collector.taken()
        times = [each.value for each in readings if isinstance(each.value, datetime)]
        group = groups.setdefault((image.axes, *times), {})
        for reading in readings:
            group.setdefault((reading.term, reading.part, reading.value), reading)
    name = exposure_name(file)
    several = len(groups) > 1
    exposures = {
        f"{name}[{number}]" if several else name: tuple(group.values())
        for number, group in enumerate(groups.values())
    }
    refused = tuple(dict.fromkeys(collector.refused))
    return Findings(kind, exposures=exposures, stack=name if several else "", refused=refused)
