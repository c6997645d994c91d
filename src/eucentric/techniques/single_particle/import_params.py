"""The parameters of `import-movies`."""

import re
from typing import Annotated, Literal

from pydantic import Field, field_validator

from eucentric.engine.protocol import ProtocolParams
from eucentric.metadata import (
    AngstromPerPixel,
    ElectronPerSquareAngstrom,
    Kilovolt,
    Millimetre,
    Second,
)

Companion = Annotated[str, Field(pattern=r"\{(name|stem)\}")]


class ImportParams(ProtocolParams):
    """Where the movies come, and how they are recorded: by default what the microscope says."""

    folders: list[str] = Field(min_length=1, description="Folders to watch, with all below them.")
    patterns: list[str] = Field(
        default=["**/*.tif", "**/*.tiff", "**/*.mrc", "**/*.mrcs", "**/*.eer"],
        min_length=1,
        description="Which files are movies, relative to a folder.",
    )
    ignore: list[str] = Field(
        default=[], description="File names that are no movies although they match and nothing else tells."
    )
    companions: list[Companion] = Field(
        default=["{name}.mdoc", "{stem}.mdoc"],
        description="Metadata files beside a movie, by its file name or the stem of that; EPU's are known.",
    )
    wait_for_metadata: Second = Field(
        default=10,
        ge=0,
        description="So long a movie waits for its metadata file where its values are not known otherwise.",
    )
    gain: str | None = Field(
        default=None, description="The gain reference; by default the one that lies with the movies."
    )
    no_gain: bool = Field(default=False, description="The movies need no gain reference.")
    gain_operation: Literal["multiply", "divide"] | None = Field(
        default=None,
        description="What is done to the counts with the reference; by default the camera's rule.",
    )
    gain_rotation: Literal[0, 90, 180, 270] | None = Field(
        default=None, description="Degrees counter-clockwise by which the reference is turned."
    )
    gain_flip: Literal["none", "left-right", "top-bottom"] | None = Field(
        default=None, description="How the reference is flipped, after it was turned."
    )
    defects: str | None = Field(
        default=None, description="Known bad pixels; by default SerialEM's file beside the movies."
    )
    dark: str | None = Field(default=None, description="Dark reference, subtracted from every frame.")
    acquisition_pattern: str | None = Field(
        default=None,
        description="Regular expression; what its first group finds in a movie's path, relative to the"
        " folder, is the name of the acquisition. By default the grid's folder.",
    )
    pixel_size: AngstromPerPixel | None = Field(
        default=None, gt=0, description="Pixel size of the movies; of EER, of the camera's pixels."
    )
    voltage: Kilovolt | None = Field(default=None, gt=0, description="Acceleration voltage.")
    spherical_aberration: Millimetre | None = Field(
        default=None,
        ge=0,
        description="Spherical aberration; by default what the site's registry says of the instrument, else"
        " 2.7.",
    )
    amplitude_contrast: float = Field(default=0.1, ge=0, le=1, description="Amplitude contrast.")
    dose: ElectronPerSquareAngstrom | None = Field(
        default=None, ge=0, description="Dose of a whole movie; 0 where it is not known."
    )
    dose_per_frame: ElectronPerSquareAngstrom | None = Field(
        default=None, ge=0, description="Dose of one frame (of a fraction of EER), instead of the movie's."
    )
    pre_exposure: ElectronPerSquareAngstrom = Field(
        default=0, ge=0, description="Dose before the first frame."
    )
    eer_upsampling: Literal[1, 2] = Field(
        default=1, description="How much finer than the camera's pixels EER movies are read."
    )
    eer_fractions: int | None = Field(
        default=None, ge=1, description="In how many fractions EER movies are read; by default by dose."
    )
    eer_dose_per_fraction: ElectronPerSquareAngstrom = Field(
        default=1.0, gt=0, description="Dose of a fraction of an EER movie."
    )
    expected_frames: int | None = Field(
        default=None, ge=1, description="A movie with so many frames is complete."
    )
    quiet_period: Second = Field(
        default=10,
        gt=0,
        description="A file that nobody closed is complete after so long without change.",
    )

    @field_validator("acquisition_pattern")
    @classmethod
    def _has_a_group(cls, pattern: str | None) -> str | None:
        try:
            if pattern is not None and re.compile(pattern).groups < 1:
                raise ValueError("it needs a group in parentheses, which finds the acquisition's name")
        except re.error as error:
            raise ValueError(f"it is not a regular expression: {error}") from error
        return pattern
