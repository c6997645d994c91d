"""What came of processing, in OSCEM's JSON, and its form of a quantity."""

from typing import Any

from eucentric.metadata.records import AcquisitionRecord


def quantity(value: float | None, unit: str, factor: float = 1.0) -> dict[str, Any] | None:
    """Return a value times `factor` with its unit, as OSCEM has it; None for None."""
    return None if value is None else {"value": value * factor, "unit": unit}


def processing(record: AcquisitionRecord) -> dict[str, Any]:
    """Return what came of processing; doses and defoci are in the units of the standard's examples."""
    known = record.processing
    return {
        "movies": {
            "dose_per_image": quantity(known.dose_per_frame, "e/Å²"),
            "initial_dose": quantity(known.initial_dose, "e/Å²"),
            "gain_image": record.detector.gain_reference,
        },
        "micrographs": None if known.micrographs is None else {"number_micrographs": known.micrographs},
        "ctfs": {
            "amplitude_contrast": known.amplitude_contrast,
            "defocus": {
                "output_min_defocus": quantity(known.defocus_minimal, "Å"),
                "output_max_defocus": quantity(known.defocus_maximal, "Å"),
                "output_avg_defocus": quantity(known.defocus_mean, "Å"),
            },
            "resolution": {
                "output_min_resolution": quantity(known.ctf_resolution_best, "Å"),
                "output_max_resolution": quantity(known.ctf_resolution_worst, "Å"),
                "output_avg_resolution": quantity(known.ctf_resolution_mean, "Å"),
            },
        },
        "coordinates": None
        if known.particles_picked is None
        else {
            "number_particles": known.particles_picked,
            "particles_per_micrograph": known.particles_per_micrograph,
            "descriptors": _descriptors({"picking method": known.picking_method}),
        },
        "classes2D": {
            "resolution_classes_2D": quantity(known.resolution_2d, "Å"),
            "descriptors": _descriptors({"number of classes": known.classes_2d}),
        },
        "classes3D": {"descriptors": _descriptors({"number of classes": known.classes_3d})},
        "volumes": None
        if known.resolution is None and known.particles_used is None
        else [
            {
                "volume_type": "final volume",
                "vol_number_particles": known.particles_used,
                "vol_resolution": quantity(known.resolution, "Å"),
                "size": None if known.map_box is None else [known.map_box] * 3,
                "descriptors": _descriptors(
                    {
                        "symmetry": known.symmetry,
                        "resolution method": known.resolution_method,
                        "B factor": quantity(known.b_factor, "Å²"),
                        "angle assignment": known.angle_assignment,
                        "reconstruction algorithm": known.reconstruction_algorithm,
                        "pixel size": quantity(known.map_pixel_size, "Å"),
                    }
                ),
            }
        ],
    }


def _descriptors(things: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what the standard has no place for in the form that it lets everybody fill."""
    return [
        {"descriptor_name": name, "descriptor_thing": thing}
        for name, thing in things.items()
        if thing is not None
    ]
