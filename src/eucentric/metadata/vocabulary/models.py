"""What can be known of a recording: typed models, whose fields are the terms of the vocabulary.

Everything is optional: None is what nobody said. Numbers carry their unit in the type and the range in which
they are believed in the field. Names are OSCEM's where it has one. Signs are the house's: lengths on the
specimen in Å, underfocus positive. What each field is called elsewhere stands in the table of terms.
"""

from typing import Literal

from pydantic import Field

from eucentric.metadata.units import (
    Angstrom,
    ElectronVolt,
    Kilovolt,
    Micrometre,
    Millimetre,
    Milliradian,
    PerSecond,
)
from eucentric.metadata.vocabulary.entity import Entity


class Instrument(Entity):
    """The microscope, and how its column was set."""

    entity = "instrument"

    name: str | None = Field(
        default=None, title="Microscope", description="What the facility calls the microscope."
    )
    manufacturer: str | None = Field(default=None, description="Maker of the microscope.")
    model: str | None = Field(default=None, description="Model of the microscope.")
    serial_number: str | None = Field(
        default=None, description="Serial number, or the name by which its programs know the microscope."
    )
    computer_name: str | None = Field(default=None, description="Name of the computer that controls it.")
    acceleration_voltage: Kilovolt | None = Field(
        default=None, ge=1, le=3000, description="Acceleration voltage of the electrons."
    )
    electron_source: Literal["field emission gun", "LaB6", "tungsten hairpin", "other"] | None = Field(
        default=None, description="Kind of electron source."
    )
    illumination: Literal["flood beam", "spot scan", "other"] | None = Field(
        default=None, description="Whether the beam floods the imaged area or is scanned as a spot."
    )
    imaging: Literal["bright field", "dark field", "diffraction", "4D-STEM", "other"] | None = Field(
        default=None, description="How the image arises."
    )
    operating_mode: Literal["TEM", "EFTEM", "STEM", "other"] | None = Field(
        default=None, description="How the column is operated."
    )
    probe_mode: Literal["nanoprobe", "microprobe"] | None = Field(
        default=None, description="Whether the condenser's minilens is off (nanoprobe) or on (microprobe)."
    )
    spot_size: int | None = Field(default=None, ge=0, le=100, description="Number of the spot size.")
    c2_aperture: Micrometre | None = Field(
        default=None,
        title="C2 aperture",
        gt=0,
        le=5000,
        description="Diameter of the second condenser's aperture.",
    )
    objective_aperture: Micrometre | None = Field(
        default=None, gt=0, le=5000, description="Diameter of the objective aperture."
    )
    cs: Millimetre | None = Field(
        default=None,
        title="Spherical aberration",
        ge=-100,
        le=100,
        description="Spherical aberration of the objective lens.",
    )
    beam_convergence: Milliradian | None = Field(
        default=None, ge=0, le=1000, description="Half angle of the cone of electrons at the specimen."
    )
    beam_diameter: Angstrom | None = Field(
        default=None, gt=0, description="Diameter of the illuminated area on the specimen."
    )
    camera_length: Millimetre | None = Field(default=None, gt=0, description="Length of the camera.")
    spherical_aberration_corrector: str | None = Field(
        default=None, description="Corrector of spherical aberration; 'none' where there is none."
    )
    chromatic_aberration_corrector: str | None = Field(
        default=None, description="Corrector of chromatic aberration; 'none' where there is none."
    )
    phase_plate: str | None = Field(default=None, description="Phase plate; 'none' where none is in.")
    alignment_procedure: Literal["none", "basic", "coma free", "Zemlin tableau", "other"] | None = Field(
        default=None, description="How the microscope was aligned."
    )
    residual_tilt: Milliradian | None = Field(
        default=None, ge=0, le=1000, description="Beam tilt that the alignment left."
    )
    details: str | None = Field(default=None, description="What else there is to say of the microscope.")


class Detector(Entity):
    """A camera or another detector, and how it was used."""

    entity = "detector"

    name: str | None = Field(
        default=None, title="Detector", description="Commercial name, or what programs call it."
    )
    manufacturer: str | None = Field(default=None, description="Maker of the detector.")
    model: str | None = Field(default=None, description="Model as its maker calls it.")
    serial_number: str | None = Field(default=None, description="Serial number.")
    number: int | None = Field(default=None, ge=0, description="Its number in the acquisition program.")
    location: str | None = Field(
        default=None, description="The place where programs know it to be, such as EF-CCD or BM-Falcon."
    )
    mode: Literal["counting", "integrating", "super-resolution", "other"] | None = Field(
        default=None,
        description="How electrons become counts, and whether pixels are finer than physical ones.",
    )
    physical_pixel_size: Micrometre | None = Field(
        default=None, gt=0, le=1000, description="Size of a physical pixel of the sensor."
    )
    width: int | None = Field(default=None, gt=0, description="Physical pixels of the sensor in a row.")
    height: int | None = Field(default=None, gt=0, description="Rows of physical pixels.")
    frame_rate: PerSecond | None = Field(default=None, gt=0, description="Frames that it reads in a second.")
    counts_per_electron: float | None = Field(
        default=None, gt=0, description="Counts in the image for one electron, as the program scales them."
    )
    gain_corrected: bool | None = Field(
        default=None,
        description="Whether its images are gain-corrected as they are saved.",
    )
    gain_reference: str | None = Field(default=None, description="Gain reference that is to be used.")
    gainref_flip_rotate: str | None = Field(
        default=None, description="How the gain reference is turned or flipped to lie as the images do."
    )
    defect_file: str | None = Field(default=None, description="File of the bad pixels.")
    mtf_file: str | None = Field(default=None, description="File of its modulation transfer function.")
    collection_angle_minimal: Milliradian | None = Field(
        default=None, ge=0, description="Smallest angle that it collects."
    )
    collection_angle_maximal: Milliradian | None = Field(
        default=None, ge=0, description="Largest angle that it collects."
    )
    dispersion: ElectronVolt | None = Field(default=None, description="Energy per channel of a spectrometer.")
    details: str | None = Field(default=None, description="What else there is to say of the detector.")


class EnergyFilter(Entity):
    """The energy filter."""

    entity = "energy_filter"

    used: bool | None = Field(default=None, description="Whether electrons were filtered by a slit.")
    model: str | None = Field(default=None, description="Model of the energy filter.")
    width_energy_filter: ElectronVolt | None = Field(
        default=None, gt=0, le=1000, description="Width of the slit, where it is in."
    )
    energy_loss: ElectronVolt | None = Field(
        default=None, ge=-1e4, le=1e4, description="Energy loss that passes the middle of the slit."
    )
