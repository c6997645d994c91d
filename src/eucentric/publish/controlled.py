"""Our words in the controlled vocabularies of EMDB and PDB: the only place where they are translated."""

import re

from eucentric.metadata.records import AcquisitionRecord

ILLUMINATION = {"flood beam": "FLOOD BEAM", "spot scan": "SPOT SCAN", "other": "OTHER"}
IMAGING = {
    "bright field": "BRIGHT FIELD",
    "dark field": "DARK FIELD",
    "diffraction": "DIFFRACTION",
    "4D-STEM": "4D-STEM",
    "other": "OTHER",
}
"""EMDB's; PDB has no word for 4D-STEM."""
SOURCES = {
    "field emission gun": "FIELD EMISSION GUN",
    "LaB6": "LAB6",
    "tungsten hairpin": "TUNGSTEN HAIRPIN",
    "other": "OTHER",
}
DETECTOR_MODES = {
    "counting": "COUNTING",
    "integrating": "INTEGRATING",
    "super-resolution": "SUPER-RESOLUTION",
    "other": "OTHER",
}
CRYOGENS = {"nitrogen": "NITROGEN", "helium": "HELIUM"}
ALIGNMENTS = {
    "none": "NONE",
    "basic": "BASIC",
    "coma free": "COMA FREE",
    "Zemlin tableau": "ZEMLIN TABLEAU",
    "other": "OTHER",
}
SAMPLE_SOURCES = {
    "natural": "NATURAL",
    "recombinant": "RECOMBINANT",
    "synthetic": "SYNTHETIC",
    "multiple sources": "MULTIPLE SOURCES",
}
VITRIFICATION_CRYOGENS = (
    "ETHANE",
    "ETHANE-PROPANE",
    "FREON 12",
    "FREON 22",
    "HELIUM",
    "METHANE",
    "NITROGEN",
    "OTHER",
    "PROPANE",
)
ANGLE_ASSIGNMENTS = {
    "angular reconstitution": "ANGULAR RECONSTITUTION",
    "common line": "COMMON LINE",
    "maximum likelihood": "MAXIMUM LIKELIHOOD",
    "projection matching": "PROJECTION MATCHING",
    "random assignment": "RANDOM ASSIGNMENT",
    "not applicable": "NOT APPLICABLE",
    "other": "OTHER",
}
RECONSTRUCTIONS = {
    "algebraic": "ALGEBRAIC (ARTS)",
    "back projection": "BACK PROJECTION",
    "exact back projection": "EXACT BACK PROJECTION",
    "Fourier space": "FOURIER SPACE",
    "simultaneous iterative": "SIMULTANEOUS ITERATIVE (SIRT)",
}
RESOLUTION_METHODS = (
    "FSC 0.143 CUT-OFF",
    "FSC 0.33 CUT-OFF",
    "FSC 0.5 CUT-OFF",
    "FSC 1/2 BIT CUT-OFF",
    "FSC 3 SIGMA CUT-OFF",
    "DIFFRACTION PATTERN/LAYERLINES",
    "OTHER",
)
METHODS = {
    "single particle": "SINGLE PARTICLE",
    "tomography": "TOMOGRAPHY",
    "subtomogram averaging": "SUBTOMOGRAM AVERAGING",
}
AGGREGATION = {"particle": "PARTICLE", "filament": "FILAMENT", "helical array": "HELICAL ARRAY"}

_MICROSCOPES = (
    (r"krios", "TFS KRIOS"),
    (r"glacios", "TFS GLACIOS"),
    (r"arctica", "FEI TALOS ARCTICA"),
    (r"talos.*f200c|f200c", "TFS TALOS F200C"),
    (r"talos.*l120c|l120c", "TFS TALOS L120C"),
    (r"talos", "TFS TALOS"),
    (r"tundra", "TFS TUNDRA"),
    (r"polara", "FEI POLARA 300"),
    (r"cryo ?arm ?(\(tm\) ?)?300", "JEOL CRYO ARM 300"),
    (r"cryo ?arm ?(\(tm\) ?)?200", "JEOL CRYO ARM 200"),
    (r"(jem|jeol)[ -]?2100f", "JEOL 2100F"),
    (r"(jem|jeol)[ -]?2200fs", "JEOL 2200FS"),
    (r"(jem|jeol)[ -]?3200fsc", "JEOL 3200FSC"),
    (r"(jem|jeol)[ -]?1400", "JEOL 1400"),
    (r"tecnai.*f20|f20", "FEI TECNAI F20"),
    (r"tecnai.*f30|f30|tf30", "FEI TECNAI F30"),
    (r"tecnai.*(12|spirit)|spirit", "FEI TECNAI SPIRIT"),
    (r"titan", "FEI TITAN"),
)
_DETECTORS = (
    (r"falcon ?(4i|iv ?i)", "TFS FALCON 4i (4k x 4k)"),
    (r"falcon ?(4|iv)", "FEI FALCON IV (4k x 4k)"),
    (r"falcon ?(3|iii)", "FEI FALCON III (4k x 4k)"),
    (r"falcon ?(2|ii)", "FEI FALCON II (4k x 4k)"),
    (r"falcon", "FEI FALCON I (4k x 4k)"),
    (r"k3.*continuum|continuum.*k3", "GATAN K3 BIOCONTINUUM (6k x 4k)"),
    (r"k3.*bioquantum|bioquantum.*k3", "GATAN K3 BIOQUANTUM (6k x 4k)"),
    (r"\bk3\b|gatank3", "GATAN K3 (6k x 4k)"),
    (r"k2.*summit", "GATAN K2 SUMMIT (4k x 4k)"),
    (r"k2.*quantum|quantum.*k2", "GATAN K2 QUANTUM (4k x 4k)"),
    (r"\bk2\b|gatank2", "GATAN K2 (4k x 4k)"),
    (r"alpine", "GATAN ALPINE (2.3k x 3.2k)"),
    (r"ceta", "FEI CETA (4k x 4k)"),
    (r"\bde-?64", "DIRECT ELECTRON DE-64 (8k x 8k)"),
    (r"\bde-?20", "DIRECT ELECTRON DE-20 (5k x 3k)"),
    (r"\bde-?16", "DIRECT ELECTRON DE-16 (4k x 4k)"),
    (r"\bde-?12", "DIRECT ELECTRON DE-12 (4k x 3k)"),
    (r"apollo", "DIRECT ELECTRON APOLLO (4k x 4k)"),
    (r"singla", "DECTRIS SINGLA (1k x 1k)"),
    (r"arina", "DECTRIS ARINA (0.2k x 0.2k)"),
    (r"tvips.*f416|temcam-f416", "TVIPS TEMCAM-F416 (4k x 4k)"),
)


def microscope(*names: str | None) -> str | None:
    """Return the microscope's name in EMDB's list; None where none of what it is called is known.

    Names that are in the list already are returned as they are.
    """
    return _first(_MICROSCOPES, names)


def detector(*names: str | None) -> str | None:
    """Return the detector's name in EMDB's list; its OTHER for one that is not in it, None without a name."""
    return _first(_DETECTORS, names) or ("OTHER" if any(names) else None)


def method(record: AcquisitionRecord) -> str | None:
    """Return what the map is: of tilt series, a subtomogram average where steps or numbers say so."""
    technique = record.acquisition.technique
    averaged = any(step.kind == "subtomogram averaging" for step in record.steps)
    if technique == "tomography" and (averaged or record.processing.tomograms):
        return "subtomogram averaging"
    return technique


def point_group(name: str | None) -> str | None:
    """Return a point group as EMDB writes it, which does not tell settings such as I1 and I2 apart."""
    match = re.fullmatch(r"([CD][1-9]\d*)|([OTI])[1-5H]?", (name or "").upper())
    return None if match is None else match[1] or match[2]


def resolution_method(name: str | None) -> str | None:
    """Return how a resolution was estimated in EMDB's words; OTHER for what is not in its list."""
    return None if name is None else name if name in RESOLUTION_METHODS else "OTHER"


def _first(rows: tuple[tuple[str, str], ...], names: tuple[str | None, ...]) -> str | None:
    for name in filter(None, names):
        listed = [word for _, word in rows if word.lower() == name.lower()]
        if listed:
            return listed[0]
        for pattern, word in rows:
            if re.search(pattern, name, re.IGNORECASE):
                return word
    return None
