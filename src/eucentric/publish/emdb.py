"""EMDB's header XML, version 3: admin, citation, sample, experiment and map.

Source: EMDB's XML schema 3.0.11.3. Defocus is in µm there, weights in MDa, temperatures in K.
"""

import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

from eucentric.metadata.records import AcquisitionRecord
from eucentric.publish import controlled
from eucentric.publish.acceptable import EMDB_RANGES, EMDB_WORDS, acceptable
from eucentric.publish.description import Citation, Description, Person
from eucentric.publish.document import Document
from eucentric.publish.emdb_map import interpretation, map_element, validation
from eucentric.publish.emdb_processing import processing as processing_element
from eucentric.publish.emdb_values import ANGSTROM, with_units
from eucentric.publish.map_file import MapFacts

_MICROMETRE, _MEGADALTON = 1e-4, 1e-3  # of an Å, of a kDa
_METHODS = {
    "single particle": ("singleParticle", "particle"),
    "tomography": ("tomography", "cell"),
    "subtomogram averaging": ("subtomogramAveraging", "particle"),
}
_PARTS = {
    "single particle": ("single_particle", "singleparticle"),
    "tomography": ("tomography", "tomography"),
    "subtomogram averaging": ("subtomogram_averaging", "subtomogram_averaging"),
}


def emdb(
    record: AcquisitionRecord,
    description: Description,
    map_: MapFacts | None,
    today: date,
    *,
    halves: Sequence[MapFacts] = (),
    mask: MapFacts | None = None,
    has_correlation: bool = False,
) -> Document:
    """Return EMDB's header of a map.

    Args:
        record: The acquisition that the map is of.
        description: What people say.
        map_: The map; its header is required.
        today: When it is deposited.
        halves: The maps of the two halves of the particles.
        mask: The mask within which the resolution was found.
        has_correlation: Whether the Fourier shell correlation is deposited as a file.
    """
    record, left_out = acceptable(record, EMDB_RANGES, EMDB_WORDS, "EMDB")
    root = ElementTree.Element("emd", emdb_id="EMD-0000", version="3.0.11.3")
    entry = _entry(record, description, map_, today)
    entry |= {
        "interpretation": interpretation(halves, mask),
        "validation": validation(has_correlation),
    }
    _fill(root, entry)
    ElementTree.indent(root)
    text = ElementTree.tostring(root, encoding="unicode")
    return Document(f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n', (*_missing(record, map_), *left_out))


def _fill(element: ElementTree.Element, content: Mapping[str, Any]) -> None:
    """Put into an element what is given by name: `@name` is an attribute, `#` the text, a list several."""
    for name, value in content.items():
        if value is None or value == {} or value == []:
            continue
        if name.startswith("@"):
            element.set(name[1:], _text(value))
        elif name == "#":
            element.text = _text(value)
        else:
            for each in value if isinstance(value, list) else [value]:
                child = ElementTree.SubElement(element, name)
                if isinstance(each, Mapping):
                    _fill(child, each)
                else:
                    child.text = _text(each)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:.8g}" if isinstance(value, float) else str(value)


def _entry(
    record: AcquisitionRecord, description: Description, map_: MapFacts | None, today: date
) -> dict[str, Any]:
    method = controlled.method(record) or "single particle"
    way, aggregation = _METHODS.get(method, _METHODS["single particle"])
    prefix, processing = _PARTS.get(method, _PARTS["single particle"])
    return {
        "admin": _admin(description, today),
        "crossreferences": _references(description),
        "sample": _sample(record),
        "structure_determination_list": {
            "structure_determination": {
                "@structure_determination_id": 1,
                "method": way,
                "aggregation_state": aggregation,
                "specimen_preparation_list": {
                    f"{prefix}_preparation": {"@preparation_id": 1, **_preparation(record)}
                },
                "microscopy_list": {f"{prefix}_microscopy": {"@microscopy_id": 1, **_microscopy(record)}},
                f"{processing}_processing": {
                    "@image_processing_id": 1,
                    "image_recording_id": 1,
                    **processing_element(record, processing),
                },
            }
        },
        "map": None if map_ is None else map_element(map_),
    }


def _admin(description: Description, today: date) -> dict[str, Any]:
    return {
        "current_status": {"date": today.isoformat(), "code": "PROC"},
        "sites": {"deposition": "PDBe", "last_processing": "PDBe"},
        "key_dates": {"deposition": today.isoformat(), "update": today.isoformat()},
        "grant_support": {
            "grant_reference": [
                {"funding_body": each.funder, "code": each.award, "country": each.country}
                for each in description.funding
            ]
        }
        if description.funding
        else None,
        "title": description.title,
        "authors_list": {"author": [_author(each) for each in description.authors]},
        "keywords": ", ".join(description.keywords) or None,
    }


def _author(person: Person) -> dict[str, Any]:
    return {"@ORCID": person.orcid, "#": f"{person.family_name} {person.initials}"}


def _references(description: Description) -> dict[str, Any]:
    citation = description.citation or Citation(title=description.title)
    authors = [
        {"@order": place, "@ORCID": each.orcid, "#": f"{each.family_name} {each.initials}"}
        for place, each in enumerate(description.authors, 1)
    ]
    external = [("PUBMED", citation.pubmed), ("DOI", citation.doi and f"doi:{citation.doi}")]
    return {
        "citation_list": {
            "primary_citation": {
                "journal_citation": {
                    "@published": citation.published,
                    "author": authors,
                    "title": citation.title,
                    "journal": citation.journal,
                    "journal_abbreviation": citation.journal_abbreviation
                    or citation.journal
                    or "To be published",
                    "issue": citation.issue,
                    "volume": citation.volume,
                    "first_page": citation.first_page,
                    "last_page": citation.last_page,
                    "year": citation.year,
                    "external_references": [
                        {"@type": kind, "#": value} for kind, value in external if value is not None
                    ],
                }
            }
        }
    }


def _sample(record: AcquisitionRecord) -> dict[str, Any]:
    known = record.sample
    molecules = [_molecule(number, each) for number, each in enumerate(record.molecules, 1) if each.name_mol]
    return {
        "name": known.name,
        "supramolecule_list": {
            "complex_supramolecule": {
                "@supramolecule_id": 1,
                "name": known.name,
                "parent": 0,
                "macromolecule_list": {
                    "macromolecule": [{"macromolecule_id": each["@macromolecule_id"]} for each in molecules]
                }
                if molecules
                else None,
                "details": known.description,
                "molecular_weight": {"theoretical": with_units(known.molecular_weight, "MDa", _MEGADALTON)}
                if known.molecular_weight is not None
                else None,
            }
        },
        "macromolecule_list": {"protein_or_peptide": molecules} if molecules else None,
    }


def _molecule(number: int, molecule: Any) -> dict[str, Any]:
    return {
        "@macromolecule_id": number,
        "name": molecule.name_mol,
        "natural_source": {
            "@database": "NCBI",
            "organism": {"@ncbi": molecule.taxonomy_id_source, "#": molecule.natural_source},
        }
        if molecule.natural_source
        else None,
        "recombinant_expression": {
            "@database": "NCBI",
            "recombinant_organism": {
                "@ncbi": molecule.taxonomy_id_expression,
                "#": molecule.expression_system,
            },
        }
        if molecule.expression_system
        else None,
        "enantiomer": "LEVO",
        "sequence": {"string": molecule.sequence},
    }


def _preparation(record: AcquisitionRecord) -> dict[str, Any]:
    known, grid = record.sample, record.grid
    cryogen = (known.vitrification_cryogen or "").upper()
    return {
        "concentration": with_units(known.concentration, "mg/mL"),
        "buffer": None if known.ph is None else {"ph": known.ph, "details": known.buffer},
        "grid": {
            "model": grid.model,
            "material": grid.material,
            "mesh": None if grid.mesh is None else round(grid.mesh),
            "support_film": {
                "@film_type_id": 1,
                "film_material": grid.film_material,
                "film_topology": grid.film_topology,
            }
            if grid.film_support and (grid.film_material or grid.film_topology)
            else None,
        },
        "vitrification": {
            "cryogen_name": cryogen,
            "chamber_humidity": with_units(known.humidity, "percentage"),
            "chamber_temperature": with_units(known.temperature, "K"),
            "instrument": known.vitrification_instrument,
        }
        if cryogen in controlled.VITRIFICATION_CRYOGENS
        else None,
    }


def _microscopy(record: AcquisitionRecord) -> dict[str, Any]:
    instrument, known = record.instrument, record.acquisition
    return {
        "microscope": controlled.microscope(instrument.model, instrument.name),
        "illumination_mode": controlled.ILLUMINATION.get(instrument.illumination or ""),
        "imaging_mode": controlled.IMAGING.get(instrument.imaging or ""),
        "electron_source": controlled.SOURCES.get(instrument.electron_source or ""),
        "acceleration_voltage": None
        if instrument.acceleration_voltage is None
        else {"@units": "kV", "#": round(instrument.acceleration_voltage)},
        "c2_aperture_diameter": with_units(instrument.c2_aperture, "µm"),
        "nominal_cs": with_units(instrument.cs, "mm"),
        "nominal_defocus_min": with_units(known.nominal_defocus_minimal, "µm", _MICROMETRE),
        "calibrated_defocus_min": with_units(known.calibrated_defocus_minimal, "µm", _MICROMETRE),
        "nominal_defocus_max": with_units(known.nominal_defocus_maximal, "µm", _MICROMETRE),
        "calibrated_defocus_max": with_units(known.calibrated_defocus_maximal, "µm", _MICROMETRE),
        "nominal_magnification": known.nominal_magnification,
        "calibrated_magnification": known.calibrated_magnification,
        "specimen_holder_model": known.holder,
        "cooling_holder_cryogen": controlled.CRYOGENS.get(known.holder_cryogen or known.cryogen or ""),
        "temperature": {
            "temperature_min": with_units(known.temperature_minimal, "K"),
            "temperature_max": with_units(known.temperature_maximal, "K"),
        }
        if known.temperature_minimal is not None or known.temperature_maximal is not None
        else None,
        "specialist_optics": _optics(record),
        "software_list": {
            "software": {"name": known.microscope_software, "version": known.microscope_software_version}
        }
        if known.microscope_software
        else None,
        "details": instrument.details,
        "date": known.date_time and known.date_time.date().isoformat(),
        "image_recording_list": {"image_recording": {"@image_recording_id": 1, **_recording(record)}},
        **_tilts(record),
    }


def _optics(record: AcquisitionRecord) -> dict[str, Any] | None:
    instrument, filtered = record.instrument, record.energy_filter
    used = filtered.used is not False
    plate = None if instrument.phase_plate in (None, "none") else _phase_plate(str(instrument.phase_plate))
    found = {
        "phase_plate": plate,
        "sph_aberration_corrector": _unless_none(instrument.spherical_aberration_corrector),
        "chr_aberration_corrector": _unless_none(instrument.chromatic_aberration_corrector),
        "energy_filter": {
            "name": filtered.model,
            "slit_width": with_units(filtered.width_energy_filter, "eV"),
        }
        if used and (filtered.model or filtered.width_energy_filter)
        else None,
    }
    return found if any(value is not None for value in found.values()) else None


def _phase_plate(name: str) -> str:
    known = {"volta": "VOLTA PHASE PLATE", "vpp": "VOLTA PHASE PLATE", "zernike": "ZERNIKE PHASE PLATE"}
    return next((word for part, word in known.items() if part in name.lower()), "OTHER")


def _unless_none(text: str | None) -> str | None:
    return None if text == "none" else text


def _recording(record: AcquisitionRecord) -> dict[str, Any]:
    known, camera, processing = record.acquisition, record.detector, record.processing
    frames = processing.frames_used
    if frames is None and processing.first_frame and processing.last_frame:
        frames = f"{processing.first_frame}-{processing.last_frame}"
    return {
        "film_or_detector_model": controlled.detector(camera.name, camera.model),
        "detector_mode": controlled.DETECTOR_MODES.get(camera.mode or ""),
        "digitization_details": {
            "dimensions": {
                "width": {"@units": "pixel", "#": known.image_width},
                "height": {"@units": "pixel", "#": known.image_height},
            }
            if known.image_width and known.image_height
            else None,
            "sampling_interval": with_units(camera.physical_pixel_size, "µm"),
            "frames_per_image": frames,
        },
        "number_grids_imaged": known.grids_imaged,
        "number_real_images": known.images_generated,
        "average_exposure_time": with_units(known.exposure_time, "s"),
        "average_electron_dose_per_image": with_units(known.dose_per_movie, f"e/{ANGSTROM}^2"),
    }


def _tilts(record: AcquisitionRecord) -> dict[str, Any]:
    known = record.acquisition
    if known.technique != "tomography":
        return {}
    axis = {
        "min_angle": with_units(known.tilt_angle_minimal, "deg"),
        "max_angle": with_units(known.tilt_angle_maximal, "deg"),
        "angle_increment": with_units(known.tilt_angle_increment, "deg"),
    }
    # The axis's rotation has no place here: the schema's is that between two axes, 90°.
    return {"tilt_series": {"axis1": axis}}


def _missing(record: AcquisitionRecord, map_: MapFacts | None) -> Iterator[str]:
    microscopy = _microscopy(record)
    for key, what in (
        ("microscope", "the model of the microscope, one of EMDB's list"),
        ("illumination_mode", "the mode of illumination"),
        ("imaging_mode", "the mode of imaging"),
        ("electron_source", "the electron source"),
        ("acceleration_voltage", "the acceleration voltage"),
    ):
        if microscopy[key] is None:
            yield f"EMDB requires {what} ({key}), which is not known."
    if not any((record.detector.name, record.detector.model)):
        yield "EMDB requires the detector (film_or_detector_model), which is not known."
    technique = record.acquisition.technique
    if technique is not None and technique not in _METHODS:
        yield f"EMDB takes no maps of the technique {technique}; single particle is written."
    if controlled.method(record) == "subtomogram averaging":
        for key, value, what in (
            ("number_tomograms", record.processing.tomograms, "the number of tomograms"),
            ("number_images_used", record.processing.particles_used, "the number of subtomograms"),
        ):
            if not value:
                yield f"EMDB requires {what} (extraction/{key}), which is not known."
    if record.sample.name is None:
        yield "EMDB requires the name of the sample (sample/name), which is not known."
    if map_ is None:
        yield "EMDB requires a map."
