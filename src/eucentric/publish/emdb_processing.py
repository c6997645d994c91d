"""What became of the images, in EMDB's header: from the picks to the final map, with the programs."""

from typing import Any

from eucentric.metadata.records import AcquisitionRecord
from eucentric.publish import controlled
from eucentric.publish.emdb_values import ANGSTROM, UNDONE, software_list, with_units

_SERIES = ("tilt series alignment",)
_RECONSTRUCT = ("3D refinement", "initial model", "tomogram reconstruction", "subtomogram averaging")


def processing(record: AcquisitionRecord, part: str) -> dict[str, Any]:
    """Return the image processing of a record.

    Args:
        record: The acquisition.
        part: `singleparticle`, `tomography` or `subtomogram_averaging`, as the schema's element begins.
    """
    used = "number_subtomograms_used" if part == "subtomogram_averaging" else "number_images_used"
    found = {"final_reconstruction": _reconstruction(record, used)}
    ctf = {"software_list": software_list(record, ("CTF estimation", "CTF refinement"))}
    common = {
        "ctf_correction": ctf if ctf["software_list"] else None,
        "motion_correction": _motion(record),
    }
    if part == "tomography":
        series = software_list(record, _SERIES)
        return {**found, "series_aligment_software_list": series, **common}  # so spelled in the schema
    classes = _classes(record, record.processing.classes_3d, "3D classification")
    if part == "subtomogram_averaging":
        return {
            **found,
            "extraction": _extraction(record),
            **common,
            "final_three_d_classification": classes,
            "final_angle_assignment": _angles(record),
        }
    return {
        "particle_selection": _selection(record),
        **common,
        **found,
        "final_angle_assignment": _angles(record),
        "final_two_d_classification": _classes(record, record.processing.classes_2d, "2D classification"),
        "final_three_d_classification": classes,
    }


def _extraction(record: AcquisitionRecord) -> dict[str, Any] | None:
    known = record.processing
    if not known.tomograms or not known.particles_used:
        return None
    return {
        "number_tomograms": known.tomograms,
        "number_images_used": known.particles_used,
        "method": known.picking_method,
        "software_list": software_list(record, ("particle extraction",)),
    }


def _selection(record: AcquisitionRecord) -> dict[str, Any] | None:
    known = record.processing
    if not known.particles_picked:
        return None
    return {
        "number_selected": known.particles_picked,
        "method": known.picking_method,
        "software_list": software_list(record, ("particle picking",)),
    }


def _motion(record: AcquisitionRecord) -> dict[str, Any] | None:
    """Return how motion was corrected, as far as the steps tell it."""
    steps = [step for step in record.steps if step.status not in UNDONE]
    if any(step.kind == "particle polishing" for step in steps):
        return {"type": "PER PARTICLE"}
    for step in steps:
        if step.kind == "motion correction" and "patch_x" in step.parameters:
            across, along = step.parameters["patch_x"], step.parameters.get("patch_y", 1)
            if isinstance(across, int) and isinstance(along, int):
                return {"type": "MICROGRAPH PATCHES" if across * along > 1 else "WHOLE MICROGRAPH"}
    return None


def _angles(record: AcquisitionRecord) -> dict[str, Any] | None:
    word = controlled.ANGLE_ASSIGNMENTS.get(record.processing.angle_assignment or "")
    return (
        None if word is None else {"type": word, "software_list": software_list(record, ("3D refinement",))}
    )


def _classes(record: AcquisitionRecord, count: int | None, kind: str) -> dict[str, Any] | None:
    return {"number_classes": count, "software_list": software_list(record, (kind,))} if count else None


def _reconstruction(record: AcquisitionRecord, used: str) -> dict[str, Any] | None:
    known = record.processing
    group = controlled.point_group(known.symmetry)
    sharpened = known.b_factor is not None and -1000 < known.b_factor < 0  # the schema's range
    found = {
        "applied_symmetry": {"point_group": group} if group else None,
        "algorithm": controlled.RECONSTRUCTIONS.get(known.reconstruction_algorithm or ""),
        "resolution": None
        if known.resolution is None
        else {"@units": ANGSTROM, "@res_type": "BY AUTHOR", "#": float(known.resolution)},
        "resolution_method": controlled.resolution_method(known.resolution_method),
        "reconstruction_filtering": {
            "b-factorSharpening": {"_brestore": with_units(known.b_factor, f"{ANGSTROM}^2")}
        }
        if sharpened
        else None,
        "software_list": software_list(record, _RECONSTRUCT),
        used: known.particles_used,
    }
    told = any(found[key] is not None for key in ("resolution", used, "applied_symmetry"))
    return found if told else None
