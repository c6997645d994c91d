"""What of an image's metadata another file of it still says, and what it does not."""

import math
from dataclasses import dataclass, field
from typing import Any

from eucentric.formats.hdf5_writing import plain_value
from eucentric.formats.image_info import ImageInfo

_CLOSE = 1e-5  # relative: sides of a cell are kept as float32, resolutions of TIFF as fractions
_UNITS = {
    "voltage": "kV", "dose": "e⁻/Å²", "tilt": "°", "tilt_axis": "°", "stage_x": "Å", "stage_y": "Å",
    "stage_z": "Å", "target_defocus": "Å", "exposure_time": "s", "slit_width": "eV",
}  # fmt: skip


@dataclass
class Carried:
    """What a converted file keeps and what it does not, by name, as text for people.

    Attributes:
        kept: What the new file says as the old one did.
        lost: What the old one says and the new one does not.
    """

    kept: dict[str, str] = field(default_factory=dict)
    lost: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, text: str, kept: bool) -> None:
        """Note one value."""
        (self.kept if kept else self.lost)[name] = text


def compare(source: ImageInfo, target: ImageInfo) -> Carried:
    """Compare what two files of the same image say, the second as it was read back."""
    found = Carried()
    if source.kind == "volume" or target.kind != source.kind:
        found.add("kind", source.kind, source.kind == target.kind)
    (z, *plane), (found_z, *found_plane) = source.sides, target.sides
    if any(plane):
        found.add("pixel size", _lengths(plane), _all_close(plane, found_plane))
    if source.volume and z is not None:
        found.add("distance of sections", f"{z:.6g} Å", _close(z, found_z))
    if source.origin is not None:
        there = target.origin or (0.0, 0.0, 0.0)
        steps = [side or 1.0 for side in source.sides]
        near = all(
            abs(a - b) <= max(_CLOSE * abs(a), _CLOSE * step)
            for a, b, step in zip(source.origin, there, steps, strict=True)
        )
        z0, y0, x0 = source.origin
        found.add("origin", f"x {x0:.6g}, y {y0:.6g}, z {z0:.6g} Å", near)
    _compare_titles(source, target, found)
    for name, value in source.extended.items():
        if name == "pixel_size" and any(plane):
            continue
        text = f"{value:.6g}" if isinstance(value, float) else str(value)
        unit = f" {_UNITS[name]}" if name in _UNITS else ""
        found.add(name.replace("_", " "), text + unit, _equal(value, target.extended.get(name)))
    return found


def _compare_titles(source: ImageInfo, target: ImageInfo, found: Carried) -> None:
    kept = [title for title in source.titles if title in target.titles]
    if kept:
        found.kept["titles"] = "; ".join(kept)
    if lost := [title for title in source.titles if title not in kept]:
        found.lost["titles"] = "; ".join(lost)


def _lengths(sides: list[float | None]) -> str:
    y, x = sides
    if _close(x, y):
        return f"{x:.6g} Å"
    return " × ".join("unknown" if side is None else f"{side:.6g} Å" for side in (x, y))


def _all_close(a: list[float | None], b: list[float | None]) -> bool:
    return all(one is None or _close(one, other) for one, other in zip(a, b, strict=True))


def _close(a: float | None, b: float | None) -> bool:
    return a is not None and b is not None and math.isclose(a, b, rel_tol=_CLOSE)


def _equal(a: Any, b: Any) -> bool:
    if isinstance(a, float) and isinstance(b, int | float):
        return math.isclose(a, b, rel_tol=_CLOSE)
    return b is not None and plain_value(a) == plain_value(b)
