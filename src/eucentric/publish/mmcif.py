"""PDBx/mmCIF: the experiment's categories, as the wwPDB's deposition takes them beside a model or a map.

Items and units are those of the PDBx/mmCIF dictionary (defocus in nm, doses in e⁻/Å²).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from gemmi import cif

from eucentric.metadata.records import AcquisitionRecord
from eucentric.publish import controlled
from eucentric.publish.acceptable import MMCIF_RANGES, MMCIF_WORDS, acceptable
from eucentric.publish.description import Description
from eucentric.publish.document import Document
from eucentric.publish.emdb_values import UNDONE

_ENTRY = "D_1000000000"
"""Stands for the entry until the deposition gives it a number."""
_NANOMETRE = 0.1  # of an Å
_CATEGORIES = {
    "import": (),
    "CTF estimation": ("CTF CORRECTION",),
    "CTF refinement": ("CTF CORRECTION",),
    "particle picking": ("PARTICLE SELECTION",),
    "2D classification": ("CLASSIFICATION",),
    "3D classification": ("CLASSIFICATION",),
    "initial model": ("INITIAL EULER ASSIGNMENT",),
    "3D refinement": ("FINAL EULER ASSIGNMENT", "RECONSTRUCTION"),
    "mask creation": ("MASKING",),
    "tilt series alignment": ("SERIES ALIGNMENT",),
    "tomogram reconstruction": ("RECONSTRUCTION",),
    "subtomogram averaging": ("RECONSTRUCTION",),
}
"""PDB's words for what programs were used for; of other steps, OTHER."""

Row = Mapping[str, Any]


def mmcif(record: AcquisitionRecord, description: Description | None = None) -> Document:
    """Return what is known of an acquisition as mmCIF text.

    Args:
        record: The acquisition.
        description: What people say, for the title and the authors.
    """
    record, left_out = acceptable(record, MMCIF_RANGES, MMCIF_WORDS, "PDB")
    document = cif.Document()
    block = document.add_new_block(_ENTRY)
    _write(block, "entry", [{"id": _ENTRY}])
    if description is not None:
        _write(block, "struct", [{"entry_id": _ENTRY, "title": description.title}])
        _write(
            block,
            "audit_author",
            [
                {
                    "name": f"{each.family_name}, {'.'.join(each.initials)}.",
                    "pdbx_ordinal": place,
                    "identifier_ORCID": each.orcid,
                }
                for place, each in enumerate(description.authors, 1)
            ],
        )
    for category, rows in _categories(record).items():
        _write(block, category, rows)
    return Document(document.as_string(_aligned()), (*_missing(record), *left_out))


def _aligned() -> cif.WriteOptions:
    options = cif.WriteOptions()
    options.align_pairs, options.align_loops = 33, 30
    return options


def _write(block: cif.Block, category: str, rows: Sequence[Row]) -> None:
    """Write the rows of a category; columns that nobody fills are left out."""
    keys = [
        key
        for key in dict.fromkeys(key for row in rows for key in row)
        if any(row.get(key) is not None for row in rows)
    ]
    if not keys:
        return
    values = [[_text(row.get(key)) for row in rows] for key in keys]
    if len(rows) == 1:
        block.set_pairs(
            f"_{category}.", {key: column[0] for key, column in zip(keys, values, strict=True)}, raw=True
        )
    else:
        block.init_loop(f"_{category}.", keys).set_all_values(values)


def _text(value: Any) -> str:
    if value is None:
        return "?"
    if isinstance(value, bool):
        return "YES" if value else "NO"
    if isinstance(value, float):
        return f"{value:.10g}"
    return str(cif.quote(str(value)))


def _categories(record: AcquisitionRecord) -> dict[str, list[Row]]:
    # Angles of a tilt series are in em_imaging: em_tomography is the wwPDB's own, not for depositors.
    return {
        "em_experiment": [
            {
                "entry_id": _ENTRY,
                "id": 1,
                "reconstruction_method": controlled.METHODS.get(controlled.method(record) or ""),
                "aggregation_state": _aggregation(record),
                "entity_assembly_id": 1,
            }
        ],
        "em_entity_assembly": [_assembly(record)],
        "em_specimen": [_specimen(record)],
        "em_buffer": [{"id": 1, "specimen_id": 1, "pH": record.sample.ph, "name": record.sample.buffer}],
        "em_sample_support": [_support(record)],
        "em_vitrification": [_vitrification(record)],
        "em_imaging": [_imaging(record)],
        "em_imaging_optics": [_optics(record)],
        "em_image_recording": [_recording(record)],
        "em_image_scans": [_scans(record)],
        "em_software": _software(record),
        "em_image_processing": [{"id": 1, "image_recording_id": 1}],
        **_processing(record),
    }


def _assembly(record: AcquisitionRecord) -> Row:
    known = record.sample
    source = (known.source or "").lower()
    kind = (known.molecular_overall_type or "complex").upper()
    return {
        "id": 1,
        "parent_id": 0,
        "name": known.name,
        "type": kind,
        "source": controlled.SAMPLE_SOURCES.get(source),
        "details": known.description,
    }


def _aggregation(record: AcquisitionRecord) -> str | None:
    """Return what the molecules form; single particles are particles."""
    known = controlled.AGGREGATION.get(record.sample.assembly or "")
    return known or (
        "PARTICLE" if controlled.method(record) in ("single particle", "subtomogram averaging") else None
    )


def _specimen(record: AcquisitionRecord) -> Row:
    known = record.sample
    return {
        "id": 1,
        "experiment_id": 1,
        "concentration": known.concentration,
        "embedding_applied": known.embedding,
        "shadowing_applied": known.shadowing,
        "staining_applied": known.staining,
        "vitrification_applied": known.vitrification,
    }


def _support(record: AcquisitionRecord) -> Row:
    known = record.grid
    return {
        "id": 1,
        "specimen_id": 1,
        "grid_type": known.model,
        "grid_material": known.material,
        "grid_mesh_size": None if known.mesh is None else round(known.mesh),
        "film_material": known.film_material,
    }


def _vitrification(record: AcquisitionRecord) -> Row:
    known = record.sample
    cryogen = (known.vitrification_cryogen or "").upper()
    return {
        "entry_id": _ENTRY,
        "id": 1,
        "specimen_id": 1,
        "cryogen_name": cryogen if cryogen in controlled.VITRIFICATION_CRYOGENS else None,
        "humidity": known.humidity,
        "chamber_temperature": known.temperature,
        "instrument": known.vitrification_instrument,
    }


def _imaging(record: AcquisitionRecord) -> Row:
    instrument, known = record.instrument, record.acquisition
    imaging = controlled.IMAGING.get(instrument.imaging or "")
    return {
        "entry_id": _ENTRY,
        "id": 1,
        "specimen_id": 1,
        "microscope_model": controlled.microscope(instrument.model, instrument.name),
        "date": known.date_time and known.date_time.date().isoformat(),
        "accelerating_voltage": _whole(instrument.acceleration_voltage),
        "illumination_mode": controlled.ILLUMINATION.get(instrument.illumination or ""),
        "mode": "OTHER" if imaging == "4D-STEM" else imaging,
        "electron_source": controlled.SOURCES.get(instrument.electron_source or ""),
        "nominal_cs": instrument.cs,
        "c2_aperture_diameter": instrument.c2_aperture,
        "nominal_defocus_min": _scaled(known.nominal_defocus_minimal, _NANOMETRE),
        "nominal_defocus_max": _scaled(known.nominal_defocus_maximal, _NANOMETRE),
        "calibrated_defocus_min": _scaled(known.calibrated_defocus_minimal, _NANOMETRE),
        "calibrated_defocus_max": _scaled(known.calibrated_defocus_maximal, _NANOMETRE),
        "nominal_magnification": _whole(known.nominal_magnification),
        "calibrated_magnification": _whole(known.calibrated_magnification),
        "tilt_angle_min": known.tilt_angle_minimal,
        "tilt_angle_max": known.tilt_angle_maximal,
        "specimen_holder_model": known.holder,
        "cryogen": controlled.CRYOGENS.get(known.holder_cryogen or known.cryogen or ""),
        "recording_temperature_minimum": known.temperature_minimal,
        "recording_temperature_maximum": known.temperature_maximal,
        "alignment_procedure": controlled.ALIGNMENTS.get(instrument.alignment_procedure or ""),
        "residual_tilt": instrument.residual_tilt,
        "details": instrument.details,
    }


def _optics(record: AcquisitionRecord) -> Row:
    instrument, filtered = record.instrument, record.energy_filter
    used = filtered.used is not False
    return {
        "id": 1,
        "imaging_id": 1,
        "energyfilter_name": filtered.model if used else None,
        "energyfilter_slit_width": filtered.width_energy_filter if used else None,
        "phase_plate": _unless_none(instrument.phase_plate),
        "sph_aberration_corrector": _unless_none(instrument.spherical_aberration_corrector),
        "chr_aberration_corrector": _unless_none(instrument.chromatic_aberration_corrector),
    }


def _recording(record: AcquisitionRecord) -> Row:
    known, camera = record.acquisition, record.detector
    return {
        "id": 1,
        "imaging_id": 1,
        "film_or_detector_model": controlled.detector(camera.name, camera.model),
        "detector_mode": controlled.DETECTOR_MODES.get(camera.mode or ""),
        "avg_electron_dose_per_image": known.dose_per_movie,
        "average_exposure_time": known.exposure_time,
        "num_grids_imaged": known.grids_imaged,
        "num_real_images": known.images_generated,
    }


def _scans(record: AcquisitionRecord) -> Row:
    known, processing = record.acquisition, record.processing
    used = processing.frames_used
    if used is None and processing.first_frame and processing.last_frame:
        used = f"{processing.first_frame}-{processing.last_frame}"
    return {
        "entry_id": _ENTRY,
        "id": 1,
        "image_recording_id": 1,
        "dimension_width": known.image_width,
        "dimension_height": known.image_height,
        "frames_per_image": _whole(known.frames_per_movie),
        "used_frames_per_image": used,
        "sampling_size": record.detector.physical_pixel_size,
    }


def _software(record: AcquisitionRecord) -> list[Row]:
    known = record.acquisition
    rows: list[Row] = []
    if known.microscope_software:
        rows.append(
            {
                "id": 1,
                "category": "IMAGE ACQUISITION",
                "name": known.microscope_software,
                "version": known.microscope_software_version,
                "imaging_id": 1,
            }
        )
    programs = dict.fromkeys(
        (category, step.software, step.software_version)
        for step in record.steps
        for category in _CATEGORIES.get(step.kind or "", ("OTHER",))
        if step.software and step.status not in UNDONE
    )
    told = {(category, name) for category, name, version in programs if version}
    for category, name, version in programs:
        if version or (category, name) not in told:
            rows.append(
                {
                    "id": len(rows) + 1,
                    "category": category,
                    "name": name,
                    "version": version,
                    "image_processing_id": 1,
                }
            )
    return rows


def _processing(record: AcquisitionRecord) -> dict[str, list[Row]]:
    known = record.processing
    if known.resolution is None and known.particles_used is None and known.particles_picked is None:
        return {}
    # Categories of angles and of classes there are too, but they are the wwPDB's own, not for depositors.
    return {
        "em_particle_selection": [
            {
                "id": 1,
                "image_processing_id": 1,
                "num_particles_selected": known.particles_picked,
                "method": known.picking_method,
            }
        ]
        if known.particles_picked
        else [],
        "em_3d_reconstruction": [
            {
                "entry_id": _ENTRY,
                "id": 1,
                "image_processing_id": 1,
                "resolution": known.resolution,
                "resolution_method": controlled.resolution_method(known.resolution_method),
                "num_particles": known.particles_used,
                "symmetry_type": "POINT" if known.symmetry else None,
                "algorithm": controlled.RECONSTRUCTIONS.get(known.reconstruction_algorithm or ""),
                "actual_pixel_size": known.map_pixel_size,
            }
        ],
        "em_single_particle_entity": [
            {
                "entry_id": _ENTRY,
                "id": 1,
                "image_processing_id": 1,
                "point_symmetry": controlled.point_group(known.symmetry),
            }
        ]
        if known.symmetry
        else [],
    }


def _whole(value: float | None) -> int | None:
    return None if value is None else round(value)


def _scaled(value: float | None, factor: float) -> float | None:
    return None if value is None else value * factor


def _unless_none(text: str | None) -> str | None:
    return None if text == "none" else text


def _missing(record: AcquisitionRecord) -> list[str]:
    imaging, experiment = _imaging(record), _categories(record)["em_experiment"][0]
    required = {
        "em_imaging.microscope_model": (
            imaging["microscope_model"],
            "the model of the microscope, one of PDB's list",
        ),
        "em_imaging.illumination_mode": (imaging["illumination_mode"], "the mode of illumination"),
        "em_imaging.mode": (imaging["mode"], "the mode of imaging"),
        "em_experiment.reconstruction_method": (experiment["reconstruction_method"], "the technique"),
        "em_experiment.aggregation_state": (experiment["aggregation_state"], "what the molecules form"),
        "em_entity_assembly.name": (record.sample.name, "the name of the sample"),
        **{
            f"em_specimen.{item}_applied": (value, f"whether {what} was applied to the sample")
            for item, value, what in (
                ("embedding", record.sample.embedding, "embedding"),
                ("shadowing", record.sample.shadowing, "shadowing"),
                ("staining", record.sample.staining, "staining"),
                ("vitrification", record.sample.vitrification, "vitrification"),
            )
        },
    }
    return [
        f"mmCIF requires {what} (_{item}), which is not known."
        for item, (value, what) in required.items()
        if value is None
    ]
