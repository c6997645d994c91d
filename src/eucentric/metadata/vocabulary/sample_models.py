"""What can be known of sample, molecules and grid; see `models`."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from eucentric.metadata.units import (
    Kelvin,
    Kilodalton,
    MilligramPerMillilitre,
    Pascal,
    Percent,
    Second,
)
from eucentric.metadata.vocabulary.entity import Entity


class Sample(Entity):
    """What was imaged."""

    entity = "sample"

    name: str | None = Field(default=None, description="Name of the sample.")
    description: str | None = Field(default=None, description="What the sample is.")
    source: str | None = Field(
        default=None, description="Where the sample is from: natural host, recombinant, ..."
    )
    molecular_overall_type: str | None = Field(
        default=None, description="Complex, virus, ribosome, cell, ..."
    )
    assembly: Literal["filament", "helical array", "particle"] | None = Field(
        default=None, description="What its molecules form."
    )
    molecular_weight: Kilodalton | None = Field(default=None, gt=0, description="Weight of the whole.")
    elements: str | None = Field(
        default=None,
        pattern=r"^[A-Z][a-z]?( *, *[A-Z][a-z]?)*$",
        description="Chemical elements in it, separated by commas.",
    )
    preparation_date: datetime | None = Field(
        default=None, description="When the specimen was ready: when it was frozen."
    )
    organism: str | None = Field(default=None, description="Organism, for cells and tissues.")
    concentration: MilligramPerMillilitre | None = Field(default=None, ge=0, description="Concentration.")
    buffer: str | None = Field(default=None, description="Buffer in which it was frozen.")
    ph: float | None = Field(default=None, ge=0, le=14, description="pH of the buffer.")
    vitrification: bool | None = Field(default=None, description="Whether it was vitrified.")
    vitrification_cryogen: str | None = Field(default=None, description="What it was frozen in.")
    vitrification_instrument: str | None = Field(default=None, description="With what it was frozen.")
    humidity: Percent | None = Field(default=None, ge=0, le=100, description="Humidity before freezing.")
    temperature: Kelvin | None = Field(default=None, gt=0, description="Temperature before freezing.")
    staining: bool | None = Field(default=None, description="Whether it was stained.")
    embedding: bool | None = Field(default=None, description="Whether it was embedded.")
    shadowing: bool | None = Field(default=None, description="Whether it was shadowed.")


class Molecule(Entity):
    """One kind of molecule in the sample; there may be several."""

    entity = "molecule"

    name_mol: str | None = Field(default=None, description="Name of the molecule.")
    sequence: str | None = Field(default=None, description="Sequence, as it is in the sample.")
    natural_source: str | None = Field(default=None, description="Organism that makes it by nature.")
    taxonomy_id_source: str | None = Field(default=None, description="NCBI's number of that organism.")
    expression_system: str | None = Field(default=None, description="Organism that made it.")
    taxonomy_id_expression: str | None = Field(default=None, description="NCBI's number of that organism.")
    gene_name: str | None = Field(default=None, description="Name of the gene.")
    molecular_type: str | None = Field(default=None, description="Polypeptide, RNA, DNA, ligand, ...")
    molecular_class: str | None = Field(default=None, description="What the molecule does: antibiotic, ...")


class Grid(Entity):
    """The grid that carried the sample."""

    entity = "grid"

    name: str | None = Field(default=None, description="What people call the grid.")
    slot: int | None = Field(default=None, ge=0, description="Its place in the cassette, from 1.")
    geometry: str | None = Field(default=None, description="Kind of grid as the program calls it.")
    manufacturer: str | None = Field(default=None, description="Maker of the grid.")
    model: str | None = Field(default=None, description="Model, such as Quantifoil R1.2/1.3.")
    material: str | None = Field(default=None, description="What its bars are made of.")
    mesh: float | None = Field(default=None, gt=0, description="Bars per inch.")
    film_support: bool | None = Field(default=None, description="Whether a film lies on it.")
    film_material: str | None = Field(default=None, description="What the film is made of.")
    film_topology: str | None = Field(default=None, description="Holey, lacey, continuous.")
    film_thickness: str | None = Field(default=None, description="Thickness of the film.")
    pretreatment_type: str | None = Field(default=None, description="How it was treated: glow discharge, ...")
    pretreatment_time: Second | None = Field(default=None, gt=0, description="How long it was treated.")
    pretreatment_pressure: Pascal | None = Field(default=None, gt=0, description="At what pressure.")
    pretreatment_atmosphere: str | None = Field(default=None, description="In what gas.")
