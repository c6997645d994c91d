"""EMPIAR's deposition JSON, as its depositor takes it.

Source: the JSON schema of empiar-depositor. Categories, formats and types of voxels are its codes.
"""

from dataclasses import dataclass
from typing import Any, Literal

from eucentric.publish.description import Citation, Description, Person
from eucentric.publish.document import Document

Category = Literal["movies", "micrographs", "particles", "tilt series", "class averages", "volumes"]
Voxel = Literal["u1", "i1", "u2", "i2", "u4", "i4", "f4", "bit", "4 bit", "f2"]

_CATEGORIES = {
    "micrographs": "T1",
    "movies": "T2",
    "particles": "T7",
    "tilt series": "T9",
    "class averages": "T10",
    "volumes": "T13",
}
_FORMATS = {"MRC": "T1", "MRCS": "T2", "TIFF": "T3", "DM3": "T5", "DM4": "T6", "EER": "T9"}
_VOXELS = {
    "u1": "T1",
    "i1": "T2",
    "u2": "T3",
    "i2": "T4",
    "u4": "T5",
    "i4": "T6",
    "f4": "T7",
    "bit": "T8",
    "4 bit": "T9",
    "f2": "16 BIT FLOAT",
}
_RELEASES = {"now": "RE", "with the map": "EP", "with the publication": "HP", "after a year": "HO"}
_SCALES = {"molecule": "1", "virus": "2", "cell": "3", "tissue": "4", "organism": "5"}
_STRUCTURES = 3  # raw images that belong to structures in EMDB


@dataclass(frozen=True)
class ImageSet:
    """Files of one kind in one folder.

    Attributes:
        name: For people.
        directory: Its folder below `/data`.
        category: What the images are.
        format: Of the files.
        voxel: Of their numbers.
        images: How many files, or tilt series.
        frames: Frames in each of them.
        width: Columns of an image.
        height: Rows.
        pixel_size: Å; None where it is not known.
        first_frame: First frame used, from 1.
        last_frame: Last frame used.
        details: Whatever else there is to say.
    """

    name: str
    directory: str
    category: Category
    format: Literal["MRC", "MRCS", "TIFF", "DM3", "DM4", "EER"]
    voxel: Voxel
    images: int
    frames: int
    width: int | None = None
    height: int | None = None
    pixel_size: float | None = None
    first_frame: int | None = None
    last_frame: int | None = None
    details: str | None = None


def empiar(description: Description, sets: tuple[ImageSet, ...]) -> Document:
    """Return EMPIAR's JSON for a deposition.

    Args:
        description: What people say.
        sets: The files.
    """
    citation = description.citation
    maps = [each.identifier for each in description.related if each.type == "EMDB"]
    content = {
        "title": description.title,
        "release_date": _RELEASES[description.release],
        "experiment_type": _STRUCTURES,
        "scale": _SCALES[description.scale],
        "cross_references": [{"name": each} for each in maps],
        "authors": _authors(description),
        "corresponding_author": _contact(description.corresponding),
        "principal_investigator": [_contact(each) for each in description.principal_investigators],
        "imagesets": [_image_set(each) for each in sets],
        "citation": [_citation(description, citation)],
    }
    return Document(content, tuple(_missing(description, sets)))


def _quoted(family: str, given: str) -> str:
    return f"('{family}', '{given}')"


def _authors(description: Description) -> list[dict[str, Any]]:
    return [
        {"name": _quoted(each.family_name, each.initials), "order_id": place, "author_orcid": each.orcid}
        for place, each in enumerate(description.authors)
    ]


def _contact(person: Person) -> dict[str, Any]:
    place = person.affiliation
    given = {
        "author_orcid": person.orcid,
        "first_name": person.given_name,
        "middle_name": person.middle_name,
        "last_name": person.family_name,
        "organization": place and place.name,
        "street": place and place.street,
        "town_or_city": place and place.city,
        "post_or_zip": place and place.post_code,
        "telephone": person.telephone,
        "email": person.email,
        "country": place and place.country,
    }
    # Only some of the fields may be null.
    nullable = ("author_orcid", "middle_name", "street", "telephone")
    return {key: value for key, value in given.items() if value is not None or key in nullable}


def _image_set(images: ImageSet) -> dict[str, Any]:
    format_ = f"('{_FORMATS[images.format]}', '')"
    voxel = _VOXELS[images.voxel]
    return {
        "name": images.name[:200],
        "directory": images.directory,
        "category": f"('{_CATEGORIES[images.category]}', '')",
        "header_format": format_,
        "data_format": format_,
        "num_images_or_tilt_series": images.images,
        "frames_per_image": images.frames,
        "frame_range_min": images.first_frame,
        "frame_range_max": images.last_frame,
        "voxel_type": f"('{voxel}', '')" if voxel.startswith("T") else f"('OT', '{voxel}')",
        "pixel_width": images.pixel_size,
        "pixel_height": images.pixel_size,
        "details": images.details,
        "image_width": images.width,
        "image_height": images.height,
    }


def _citation(description: Description, citation: Citation | None) -> dict[str, Any]:
    """Return the publication; what is not published yet is a citation all the same."""
    known = citation or Citation(title=description.title)
    return {
        "authors": _authors(description),
        "editors": [],
        "published": known.published,
        "j_or_nj_citation": True,
        "title": known.title,
        "journal": known.journal,
        "journal_abbreviation": known.journal_abbreviation,
        "volume": known.volume,
        "issue": known.issue,
        "first_page": known.first_page,
        "last_page": known.last_page,
        "year": known.year,
        "language": "English" if description.language == "en" else description.language,
        "doi": known.doi,
        "pubmedid": known.pubmed,
    }


def _missing(description: Description, sets: tuple[ImageSet, ...]) -> list[str]:
    lacking = [] if sets else ["EMPIAR requires at least one set of images."]
    people = dict.fromkeys([description.corresponding, *description.principal_investigators])
    for person in people:
        place = person.affiliation
        for what, there in (
            ("an e-mail address", person.email),
            ("an organisation", place),
            ("the country of the organisation", place and place.country),
        ):
            if not there:
                lacking.append(f"EMPIAR requires {what} of {person.given_name} {person.family_name}.")
    return lacking
