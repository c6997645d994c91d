"""Fields of items that the vocabulary has too are in its units."""

import pytest
from pydantic import BaseModel

from eucentric.metadata import Movie
from eucentric.metadata.items import ExposureMetadata, Micrograph
from eucentric.metadata.units import unit_of
from eucentric.metadata.vocabulary import unit_of_term

SAME = (
    (Movie, "pixel_size", "exposure.pixel_size"),
    (Movie, "voltage", "instrument.acceleration_voltage"),
    (Movie, "spherical_aberration", "instrument.cs"),
    (Movie, "dose_per_frame", "exposure.dose_per_frame"),
    (Movie, "pre_exposure", "exposure.initial_dose"),
    (Micrograph, "dose", "exposure.dose"),
    (ExposureMetadata, "target_defocus", "exposure.nominal_defocus"),
    (ExposureMetadata, "stage_x", "exposure.stage_x"),
    (ExposureMetadata, "tilt", "exposure.tilt_angle"),
    (ExposureMetadata, "exposure_time", "exposure.exposure_time"),
    (ExposureMetadata, "dose", "exposure.dose"),
    (ExposureMetadata, "pixel_size", "exposure.shown_pixel_size"),
    (ExposureMetadata, "voltage", "instrument.acceleration_voltage"),
    (ExposureMetadata, "image_shift_x", "exposure.image_shift_x"),
    (ExposureMetadata, "magnification", "acquisition.nominal_magnification"),
)


@pytest.mark.parametrize(("item", "field", "term"), SAME)
def test_an_item_and_the_vocabulary_have_one_unit(item: type[BaseModel], field: str, term: str) -> None:
    assert unit_of(item.model_fields[field]) == unit_of_term(term)
