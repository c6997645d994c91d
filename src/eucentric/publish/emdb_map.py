"""The maps, the mask and the correlation of the halves in EMDB's header."""

from collections.abc import Sequence
from typing import Any

from eucentric.publish.emdb_values import ANGSTROM, with_units
from eucentric.publish.map_file import MapFacts


def map_element(known: MapFacts, file: str = "emd_0000.map.gz") -> dict[str, Any]:
    """Return what there is to say of a map in a file that EMDB will call `file`."""
    axes = ("a", "b", "c")
    return {
        "@format": "CCP4",
        "@size_kbytes": max(1, round(known.bytes / 1024)),
        "file": file,
        "symmetry": {"space_group": 1},
        "data_type": known.data_type,
        "dimensions": dict(zip(("col", "row", "sec"), known.dimensions, strict=True)),
        "origin": dict(zip(("col", "row", "sec"), known.origin, strict=True)),
        "spacing": dict(zip("xyz", known.spacing, strict=True)),
        "cell": {
            **{axis: with_units(value, ANGSTROM) for axis, value in zip(axes, known.cell, strict=True)},
            **{angle: with_units(90.0, "deg") for angle in ("alpha", "beta", "gamma")},
        },
        "axis_order": {"fast": "X", "medium": "Y", "slow": "Z"},
        "statistics": {
            "minimum": known.minimum,
            "maximum": known.maximum,
            "average": known.mean,
            "std": known.deviation,
        },
        "pixel_spacing": {
            axis: with_units(cell / spacing, ANGSTROM)
            for axis, cell, spacing in zip("xyz", known.cell, known.spacing, strict=True)
        },
    }


def interpretation(halves: Sequence[MapFacts], mask: MapFacts | None) -> dict[str, Any] | None:
    """Return the half maps and the mask; None where there are none."""
    if not halves and mask is None:
        return None
    return {
        "segmentation_list": {
            "segmentation": {
                "file": "emd_0000_msk_1.map",
                "mask_details": map_element(mask, "emd_0000_msk_1.map"),
            }
        }
        if mask
        else None,
        "half_map_list": {
            "half_map": [
                map_element(half, f"emd_0000_half_map_{number}.map.gz")
                for number, half in enumerate(halves, start=1)
            ]
        }
        if halves
        else None,
    }


def validation(has_correlation: bool) -> dict[str, Any] | None:
    """Return the file of the Fourier shell correlation, if there is one."""
    return {"fsc_curve": {"file": "emd_0000_fsc.xml"}} if has_correlation else None
