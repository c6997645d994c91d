"""The items that these protocols declare."""

from pydantic import Field

from eucentric.metadata import Angstrom, AngstromPerPixel, Item
from eucentric.metadata.items import SessionPath


class RelionMap(Item):
    """A three-dimensional map that RELION made; empty until there are enough particles."""

    path: SessionPath | None = Field(default=None, description="The map (MRC); none while there is none.")
    half_paths: tuple[SessionPath, SessionPath] | None = Field(
        default=None, description="Unfiltered maps of the two halves of the particles (MRC), if refined so."
    )
    fsc_path: SessionPath | None = Field(
        default=None, description="Signal-to-noise ratio and, of halves, their correlation by shells (STAR)."
    )
    particles_path: SessionPath | None = Field(
        default=None, description="Orientation and shift of every particle (STAR, as RELION 3.1)."
    )
    picture_path: SessionPath | None = Field(
        default=None, description="Sections through the map and projections of it (PNG)."
    )
    symmetry: str = Field(description="Point group, as RELION calls it.")
    particles: int = Field(ge=0, description="Number of particles it was made of.")
    box: int = Field(gt=0, description="Voxels along each side.")
    pixel_size: AngstromPerPixel = Field(gt=0, description="Size of a voxel.")
    diameter: Angstrom = Field(gt=0, description="Diameter of the particles.")
    resolution: Angstrom | None = Field(
        default=None, gt=0, description="Where RELION takes it to end; of halves, where they agree to 0.143."
    )


class RelionMapState(Item):
    """With how many particles RELION last ran, and what it gave then."""

    used: int = 0
    result: RelionMap | None = None


class SharpenedMap(Item):
    """A refined map, masked and sharpened."""

    path: SessionPath = Field(description="The sharpened map (MRC).")
    masked_path: SessionPath = Field(description="The same within the mask (MRC).")
    mask_path: SessionPath = Field(description="The mask (MRC), 1 where the particle is.")
    fsc_path: SessionPath = Field(description="Correlation of the halves by shells (STAR).")
    picture_path: SessionPath = Field(description="Sections through it and projections of it (PNG).")
    box: int = Field(gt=0, description="Voxels along each side.")
    pixel_size: AngstromPerPixel = Field(gt=0, description="Size of a voxel.")
    resolution: Angstrom = Field(
        gt=0, description="Where the halves within the mask agree to 0.143, corrected for the mask."
    )
    b_factor: float = Field(description="B-factor that was taken away, Å²; negative sharpens.")
    mask_fraction: float = Field(ge=0, le=1, description="Part of the box that the mask takes.")
