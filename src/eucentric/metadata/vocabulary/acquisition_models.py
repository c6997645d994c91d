"""What can be known of an acquisition, its exposures and its tilt series; see `models`."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from eucentric.metadata.units import (
    Angstrom,
    AngstromPerPixel,
    Degree,
    ElectronPerPixelSecond,
    ElectronPerSquareAngstrom,
    Kelvin,
    Nanoampere,
    Second,
)
from eucentric.metadata.vocabulary.entity import Entity

_DEFOCUS = (-1e8, 1e8)


class Acquisition(Entity):
    """All exposures of one kind: one grid, one magnification, one camera mode, one intent."""

    entity = "acquisition"

    name: str | None = Field(default=None, description="Name of the acquisition.")
    session: str | None = Field(default=None, description="What the acquisition program calls the session.")
    technique: (
        Literal["single particle", "tomography", "diffraction", "4D-STEM", "imaging", "spectroscopy"] | None
    ) = Field(default=None, description="For what technique the exposures are.")
    intent: Literal["atlas", "screening", "collection"] | None = Field(
        default=None, description="Overview of the grid; search for good places; or the data themselves."
    )
    date_time: datetime | None = Field(default=None, description="When the first exposure was taken.")
    date_time_end: datetime | None = Field(default=None, description="When the last exposure was taken.")
    microscope_software: str | None = Field(
        default=None, title="Recorded with", description="The acquisition program."
    )
    microscope_software_version: str | None = Field(default=None, description="Its version.")
    holder: str | None = Field(default=None, description="Model of the specimen holder.")
    holder_cryogen: Literal["nitrogen", "helium", "none"] | None = Field(
        default=None, description="What cools the holder."
    )
    cryogen: Literal["nitrogen", "helium", "none"] | None = Field(
        default=None, description="What cools the microscope's stage."
    )
    temperature_minimal: Kelvin | None = Field(
        default=None, gt=0, le=3000, description="Lowest temperature of the specimen."
    )
    temperature_maximal: Kelvin | None = Field(
        default=None, gt=0, le=3000, description="Highest temperature of the specimen."
    )
    nominal_magnification: float | None = Field(
        default=None, ge=1, le=1e9, description="Magnification that the microscope shows."
    )
    calibrated_magnification: float | None = Field(
        default=None,
        ge=1,
        le=1e9,
        description="Physical pixel of the detector over its size on the specimen.",
    )
    pixel_size: AngstromPerPixel | None = Field(
        default=None, gt=0, le=1e7, description="Size on the specimen of a pixel of the recorded images."
    )
    binning_camera: float | None = Field(
        default=None, gt=0, le=64, description="Physical pixels per pixel of the recorded images."
    )
    image_width: int | None = Field(default=None, gt=0, description="Columns of the recorded images.")
    image_height: int | None = Field(default=None, gt=0, description="Rows of the recorded images.")
    exposure_time: Second | None = Field(default=None, gt=0, le=1e5, description="Mean exposure time.")
    dose_per_movie: ElectronPerSquareAngstrom | None = Field(
        default=None, gt=0, le=1e6, description="Mean dose of one exposure."
    )
    dose_per_frame: ElectronPerSquareAngstrom | None = Field(
        default=None, gt=0, le=1e6, description="Mean dose of one frame."
    )
    frames_per_movie: float | None = Field(default=None, gt=0, description="Mean number of frames.")
    nominal_defocus_minimal: Angstrom | None = Field(
        default=None, ge=_DEFOCUS[0], le=_DEFOCUS[1], description="Smallest intended defocus."
    )
    nominal_defocus_maximal: Angstrom | None = Field(
        default=None, ge=_DEFOCUS[0], le=_DEFOCUS[1], description="Largest intended defocus."
    )
    calibrated_defocus_minimal: Angstrom | None = Field(
        default=None, ge=_DEFOCUS[0], le=_DEFOCUS[1], description="Smallest fitted defocus."
    )
    calibrated_defocus_maximal: Angstrom | None = Field(
        default=None, ge=_DEFOCUS[0], le=_DEFOCUS[1], description="Largest fitted defocus."
    )
    tilt_angle_minimal: Degree | None = Field(
        default=None, ge=-180, le=180, description="Smallest angle by which the stage was tilted."
    )
    tilt_angle_maximal: Degree | None = Field(
        default=None, ge=-180, le=180, description="Largest angle by which the stage was tilted."
    )
    tilt_angle_increment: Degree | None = Field(
        default=None, gt=0, le=90, description="Usual step between angles of a tilt series, when sorted."
    )
    tilt_axis_angle: Degree | None = Field(
        default=None, ge=-360, le=360, description="Angle between the tilt axis and the images' y axis."
    )
    tilt_series: int | None = Field(default=None, ge=0, description="Number of tilt series.")
    targets: int | None = Field(
        default=None, ge=0, description="Number of places that were chosen to be recorded."
    )
    grids_imaged: int | None = Field(default=None, ge=0, description="Number of grids that were imaged.")
    images_generated: int | None = Field(
        default=None, ge=0, description="Number of exposures; of tilt series, of tilt images."
    )
    beamtiltgroups: int | None = Field(
        default=None, ge=0, description="Number of groups of exposures with one image shift."
    )
    image_shift_used: bool | None = Field(
        default=None, description="Whether the image is shifted, rather than the stage moved, between holes."
    )
    screen_current: Nanoampere | None = Field(default=None, ge=0, description="Current on the screen.")


class Exposure(Entity):
    """One recording at one place of the specimen: a movie, a tilt image, an image."""

    entity = "exposure"

    name: str | None = Field(default=None, description="Name of the exposure.")
    path: str | None = Field(default=None, description="The file that was recorded.")
    date_time: datetime | None = Field(default=None, description="When it was taken.")
    grid_square: str | None = Field(default=None, description="Name of the grid square.")
    foil_hole: str | None = Field(default=None, description="Name of the foil hole, or of the item in a map.")
    area: str | None = Field(default=None, description="Which of the acquisition areas around a hole.")
    image_shift_group: int | None = Field(
        default=None, ge=0, description="Exposures with the same number have the same image shift."
    )
    nominal_defocus: Angstrom | None = Field(
        default=None,
        title="Intended defocus",
        ge=_DEFOCUS[0],
        le=_DEFOCUS[1],
        description="Intended defocus, underfocus positive.",
    )
    lens_defocus: Angstrom | None = Field(
        default=None,
        ge=_DEFOCUS[0],
        le=_DEFOCUS[1],
        description="Defocus read from the lens, whose zero is arbitrary; underfocus positive.",
    )
    calibrated_defocus: Angstrom | None = Field(
        default=None, ge=_DEFOCUS[0], le=_DEFOCUS[1], description="Mean defocus that was fitted."
    )
    stage_x: Angstrom | None = Field(default=None, description="Position of the stage along x.")
    stage_y: Angstrom | None = Field(default=None, description="Position of the stage along y.")
    stage_z: Angstrom | None = Field(default=None, description="Height of the stage.")
    tilt_angle: Degree | None = Field(
        default=None,
        title="Tilt angle (α)",
        ge=-180,
        le=180,
        description="Angle by which the stage is tilted about its axis (α).",
    )
    stage_beta: Degree | None = Field(
        default=None,
        title="Tilt angle (β)",
        ge=-180,
        le=180,
        description="Angle by which the stage is tilted about the other axis (β).",
    )
    image_shift_x: Angstrom | None = Field(default=None, description="Image shift along x.")
    image_shift_y: Angstrom | None = Field(default=None, description="Image shift along y.")
    beam_shift_x: float | None = Field(
        default=None, description="Beam shift along x, in the units of the column's program."
    )
    beam_shift_y: float | None = Field(
        default=None, description="Beam shift along y, in the units of the column's program."
    )
    beam_tilt_x: float | None = Field(
        default=None, description="Beam tilt along x, in the units of the column's program."
    )
    beam_tilt_y: float | None = Field(
        default=None, description="Beam tilt along y, in the units of the column's program."
    )
    exposure_time: Second | None = Field(default=None, gt=0, le=1e5, description="Exposure time.")
    dose: ElectronPerSquareAngstrom | None = Field(
        default=None, gt=0, le=1e6, description="Dose on the specimen of the whole exposure."
    )
    dose_rate: ElectronPerPixelSecond | None = Field(
        default=None,
        ge=0,
        description="Electrons per pixel and second as the program counts; of which pixel, differs.",
    )
    initial_dose: ElectronPerSquareAngstrom | None = Field(
        default=None, ge=0, le=1e6, description="Dose that the specimen had received before."
    )
    frames: int | None = Field(default=None, gt=0, description="Frames that were recorded.")
    dose_per_frame: ElectronPerSquareAngstrom | None = Field(
        default=None, gt=0, le=1e6, description="Dose of one frame."
    )
    pixel_size: AngstromPerPixel | None = Field(
        default=None, gt=0, le=1e7, description="Size on the specimen of a pixel of the recorded image."
    )
    width: int | None = Field(default=None, gt=0, description="Columns of the recorded image.")
    height: int | None = Field(default=None, gt=0, description="Rows of the recorded image.")
    binning: float | None = Field(
        default=None, gt=0, le=64, description="Physical pixels per pixel of the recorded image."
    )
    shown_pixel_size: AngstromPerPixel | None = Field(
        default=None,
        gt=0,
        le=1e7,
        description="Pixel size of the image that the program showed, which is not always that of the movie.",
    )
    shown_width: int | None = Field(default=None, gt=0, description="Columns of the image that was shown.")
    shown_height: int | None = Field(default=None, gt=0, description="Rows of the image that was shown.")
    shown_binning: float | None = Field(
        default=None, gt=0, le=64, description="Binning of the image that was shown, as the program counts."
    )
    scan_width: int | None = Field(
        default=None,
        gt=0,
        description="Places in a row of a scan, at each of which an image or spectrum is taken.",
    )
    scan_height: int | None = Field(default=None, gt=0, description="Rows of places of such a scan.")
    scan_step: Angstrom | None = Field(
        default=None, gt=0, le=1e8, description="Distance on the specimen between places of such a scan."
    )
    channels: int | None = Field(
        default=None, gt=0, description="Channels of a spectrum, or points of a profile."
    )
    dwell_time: Second | None = Field(
        default=None, gt=0, le=1e5, description="Time that a scanned beam stays at each place."
    )
    tilt_series: str | None = Field(default=None, description="Name of the tilt series that it belongs to.")
    section: int | None = Field(default=None, ge=0, description="Its place in a stack of images.")


class TiltSeries(Entity):
    """One tilt series: values over the exposures that belong to it."""

    entity = "tilt_series"

    name: str | None = Field(default=None, description="Name of the tilt series.")
    path: str | None = Field(default=None, description="The stack of its images.")
    images: int | None = Field(default=None, ge=0, description="Number of tilt images.")
    tilt_angle_minimal: Degree | None = Field(default=None, description="Smallest tilt angle.")
    tilt_angle_maximal: Degree | None = Field(default=None, description="Largest tilt angle.")
    tilt_angle_increment: Degree | None = Field(
        default=None, gt=0, description="Median step between the angles, when sorted."
    )
    tilt_axis_angle: Degree | None = Field(
        default=None, ge=-360, le=360, description="Angle between the tilt axis and the images' y axis."
    )
    dose: ElectronPerSquareAngstrom | None = Field(default=None, gt=0, description="Dose of all its images.")
