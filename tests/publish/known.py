"""A record of a collection, and what people say of it, as full as repositories want it."""

from datetime import UTC, datetime

from eucentric.metadata.records import AcquisitionRecord
from eucentric.metadata.vocabulary import (
    Acquisition,
    Detector,
    EnergyFilter,
    Grid,
    Instrument,
    Molecule,
    Processing,
    Sample,
)
from eucentric.publish import Description

WHOLE = AcquisitionRecord(
    instrument=Instrument(
        manufacturer="Thermo Fisher Scientific",
        model="TFS KRIOS",
        acceleration_voltage=300,
        electron_source="field emission gun",
        illumination="flood beam",
        imaging="bright field",
        operating_mode="TEM",
        c2_aperture=50,
        cs=2.7,
        spherical_aberration_corrector="none",
        phase_plate="none",
    ),
    detectors=(
        Detector(name="GATAN K3 BIOQUANTUM (6k x 4k)", model="K3", mode="counting", physical_pixel_size=5),
    ),
    energy_filter=EnergyFilter(used=True, model="GIF Bioquantum", width_energy_filter=20),
    acquisition=Acquisition(
        technique="single particle",
        date_time=datetime(2023, 9, 19, 14, 1, tzinfo=UTC),
        microscope_software="EPU",
        microscope_software_version="3.4",
        nominal_magnification=165_000,
        calibrated_magnification=94_697,
        pixel_size=0.528,
        binning_camera=1,
        image_width=5760,
        image_height=4092,
        exposure_time=1.2,
        dose_per_movie=40,
        frames_per_movie=40,
        nominal_defocus_minimal=8_000,
        nominal_defocus_maximal=22_000,
        images_generated=6_112,
        grids_imaged=1,
        holder="FEI TITAN KRIOS AUTOGRID HOLDER",
        holder_cryogen="nitrogen",
        temperature_minimal=79,
        temperature_maximal=81,
    ),
    sample=Sample(
        name="GroEL",
        description="Chaperonin",
        source="RECOMBINANT",
        molecular_overall_type="complex",
        assembly="particle",
        molecular_weight=800,
        buffer="Tris",
        ph=7.5,
        concentration=2.5,
        vitrification=True,
        vitrification_cryogen="ETHANE",
        humidity=95,
        temperature=277,
        staining=False,
        embedding=False,
        shadowing=False,
    ),
    molecules=(
        Molecule(
            name_mol="GroEL", sequence="MAAKDVKFGNDARVKMLRGVNVLADAVKVTLGPKGRNVVL", natural_source="E. coli"
        ),
    ),
    grid=Grid(model="Quantifoil R1.2/1.3", material="COPPER", mesh=300, film_support=True),
    processing=Processing(
        micrographs=5_900,
        particles_picked=812_000,
        particles_used=210_000,
        resolution=2.9,
        symmetry="D7",
        defocus_minimal=7_800,
        defocus_maximal=22_500,
        amplitude_contrast=0.1,
        map_box=360,
        map_pixel_size=0.528,
        first_frame=2,
        last_frame=40,
    ),
)
"""A K3 session at 165,000 times."""

PEOPLE = Description.model_validate(
    {
        "title": "GroEL, a chaperonin, on a simulated microscope",
        "abstract": "Movies & micrographs of GroEL <in ice>.",
        "keywords": ["cryo-EM", "GroEL"],
        "licence": "CC0-1.0",
        "publisher": {"name": "California Institute of Technology", "ror": "05dxps055"},
        "year": 2026,
        "doi": "10.82433/9184-DY35",
        "authors": [
            {
                "given_name": "Josiah",
                "middle_name": "Stinkney",
                "family_name": "Carberry",
                "orcid": "0000-0002-1825-0097",
                "email": "josiah@example.org",
                "affiliation": {
                    "name": "Brown University",
                    "ror": "05gq02987",
                    "country": "US",
                    "city": "Providence",
                },
                "corresponding": True,
                "principal_investigator": True,
            }
        ],
        "funding": [{"funder": "National Science Foundation", "ror": "021nxhr62", "award": "42"}],
        "related": [{"identifier": "EMD-3001", "type": "EMDB"}],
    }
)
"""The author is the one that ORCID keeps for examples."""

ODD_VALUES: list[tuple[str, dict[str, object], int]] = [
    ("acquisition", {"nominal_magnification": 1_300_000.0, "calibrated_magnification": None}, 1),
    ("acquisition", {"exposure_time": 600.0}, 1),
    ("acquisition", {"grids_imaged": 0, "images_generated": 0}, 2),
    ("acquisition", {"holder": "a holder of our own"}, 0),
    ("acquisition", {"nominal_defocus_maximal": 900_000.0}, 1),
    ("grid", {"material": "unobtainium", "film_material": "a new stuff", "film_support": True}, 2),
    ("grid", {"material": "gold", "film_material": "Amorphous carbon", "film_topology": "holey"}, 0),
    ("instrument", {"cs": -0.02, "c2_aperture": 200.0}, 2),
    ("sample", {"vitrification_instrument": "Vitrobot Mark IV"}, 0),
    ("sample", {"vitrification_cryogen": "liquid ethane"}, 0),
]
"""Values that are believed but are not, or not so, in the lists and ranges of EMDB and PDB; with how many of
them are left out."""
