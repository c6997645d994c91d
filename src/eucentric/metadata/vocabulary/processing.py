"""What was done to the recorded data, here or by another program: the steps, and what came of them."""

from typing import Literal

from pydantic import Field

from eucentric.metadata.units import (
    Angstrom,
    AngstromPerPixel,
    ElectronPerSquareAngstrom,
    SquareAngstrom,
)
from eucentric.metadata.vocabulary.entity import Entity

StepKind = Literal[
    "import",
    "gain estimation",
    "motion correction",
    "CTF estimation",
    "selection",
    "particle picking",
    "particle extraction",
    "2D classification",
    "initial model",
    "3D classification",
    "3D refinement",
    "CTF refinement",
    "particle polishing",
    "mask creation",
    "post-processing",
    "local resolution",
    "subtraction",
    "symmetry expansion",
    "model building",
    "tilt series alignment",
    "tomogram reconstruction",
    "denoising",
    "segmentation",
    "subtomogram averaging",
    "other",
]

AngleAssignment = Literal[
    "angular reconstitution",
    "common line",
    "maximum likelihood",
    "projection matching",
    "random assignment",
    "not applicable",
    "other",
]

ReconstructionAlgorithm = Literal[
    "algebraic",
    "back projection",
    "exact back projection",
    "Fourier space",
    "simultaneous iterative",
]


class ProcessingStep(Entity):
    """One step of processing: a job of RELION, a protocol of Scipion, a run here."""

    entity = "processing_step"

    name: str | None = Field(default=None, description="Name of the step where it was made.")
    kind: StepKind | None = Field(default=None, description="What it does; 'other' where it is not known.")
    type: str | None = Field(default=None, description="What its own program calls this kind of step.")
    software: str | None = Field(default=None, description="The program.")
    software_version: str | None = Field(default=None, description="Its version.")
    status: str | None = Field(default=None, description="How it ended.")
    parameters: dict[str, str | int | float | bool] = Field(
        default={}, description="Its parameters, as its program calls them."
    )
    inputs: tuple[str, ...] = Field(default=(), description="Names of the steps that it continues.")
    results: dict[str, str | int | float | bool] = Field(
        default={}, description="What came of it, by terms of the vocabulary where there are such."
    )


class Processing(Entity):
    """What came of the processing of one acquisition."""

    entity = "processing"

    frames_used: str | None = Field(default=None, description="First and last frame used, such as 2-38.")
    first_frame: int | None = Field(default=None, ge=1, description="First frame used, counted from 1.")
    last_frame: int | None = Field(default=None, ge=1, description="Last frame used.")
    dose_per_frame: ElectronPerSquareAngstrom | None = Field(
        default=None, gt=0, description="Dose per frame with which frames were weighted."
    )
    initial_dose: ElectronPerSquareAngstrom | None = Field(
        default=None, ge=0, description="Dose before the first frame with which frames were weighted."
    )
    total_dose: ElectronPerSquareAngstrom | None = Field(default=None, gt=0, description="Dose of a movie.")
    motion_total: Angstrom | None = Field(
        default=None, ge=0, description="Mean length of the path of a movie."
    )
    motion_average: Angstrom | None = Field(default=None, ge=0, description="Mean motion between two frames.")
    micrographs: int | None = Field(default=None, ge=0, description="Number of aligned micrographs.")
    micrographs_selected: int | None = Field(default=None, ge=0, description="Number that was used further.")
    amplitude_contrast: float | None = Field(
        default=None, ge=0, le=1, description="Fraction of amplitude contrast."
    )
    defocus_minimal: Angstrom | None = Field(default=None, description="Smallest fitted defocus.")
    defocus_maximal: Angstrom | None = Field(default=None, description="Largest fitted defocus.")
    defocus_mean: Angstrom | None = Field(default=None, description="Mean fitted defocus.")
    astigmatism_mean: Angstrom | None = Field(
        default=None, ge=0, description="Mean difference of the defoci."
    )
    astigmatism_angle: float | None = Field(default=None, description="Mean angle of the larger defocus, °.")
    ctf_resolution_best: Angstrom | None = Field(default=None, gt=0, description="Best fitted resolution.")
    ctf_resolution_worst: Angstrom | None = Field(default=None, gt=0, description="Worst fitted resolution.")
    ctf_resolution_mean: Angstrom | None = Field(default=None, gt=0, description="Mean fitted resolution.")
    ctf_score_mean: float | None = Field(default=None, description="Mean correlation with the fit.")
    ctf_b_factor: SquareAngstrom | None = Field(default=None, description="Estimated fall-off of the rings.")
    particles_picked: int | None = Field(default=None, ge=0, description="Number of picked particles.")
    particles_per_micrograph: float | None = Field(default=None, ge=0, description="Mean number of them.")
    particles_extracted: int | None = Field(default=None, ge=0, description="Number of extracted particles.")
    picking_method: str | None = Field(default=None, description="How particles were found.")
    classes_2d: int | None = Field(default=None, ge=0, description="Number of two-dimensional classes.")
    resolution_2d: Angstrom | None = Field(default=None, gt=0, description="Resolution of the best of them.")
    classes_3d: int | None = Field(default=None, ge=0, description="Number of three-dimensional classes.")
    tomograms: int | None = Field(
        default=None, ge=0, description="Tomograms that subtomograms were taken from."
    )
    particles_used: int | None = Field(default=None, ge=0, description="Particles in the final map.")
    angle_assignment: AngleAssignment | None = Field(
        default=None, description="How the orientations of the particles were found at last."
    )
    reconstruction_algorithm: ReconstructionAlgorithm | None = Field(
        default=None, description="How the final map was computed from them."
    )
    symmetry: str | None = Field(default=None, description="Point group of the final map, as C1, D7.")
    resolution: Angstrom | None = Field(default=None, gt=0, description="Resolution of the final map.")
    resolution_method: str | None = Field(default=None, description="How it was estimated.")
    b_factor: SquareAngstrom | None = Field(default=None, description="B factor applied to the final map.")
    map_pixel_size: AngstromPerPixel | None = Field(default=None, gt=0, description="Pixel of the final map.")
    map_box: int | None = Field(default=None, gt=0, description="Pixels along a side of the final map.")
    map_path: str | None = Field(default=None, description="The final map.")
    half_maps: str | None = Field(default=None, description="The two half maps, separated by a space.")
    mask_path: str | None = Field(default=None, description="The mask in which resolution was estimated.")
    fsc_path: str | None = Field(default=None, description="The Fourier shell correlation.")
