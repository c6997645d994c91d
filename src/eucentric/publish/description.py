"""What only people can say of a deposition: title, authors, licence, release, citation.

It is written down once, in TOML, and serves every repository.
"""

import tomllib
from datetime import date
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from eucentric.publish import identifiers

Orcid = Annotated[str, AfterValidator(identifiers.orcid)]
Ror = Annotated[str, AfterValidator(identifiers.ror)]
Doi = Annotated[str, AfterValidator(identifiers.doi)]
Country = Annotated[str, Field(pattern=r"^[A-Z]{2}$", description="ISO 3166-1 alpha-2, as CH.")]
Email = Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s.]+(\.[^@\s.]+)+$")]
Name = Annotated[str, Field(pattern=r'^[^0-9!"£$%^&*()\n]+$', max_length=60)]


class DescriptionWrong(ValueError):
    """A description cannot be used; the message says what is wrong, and where."""


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)


class Organisation(_Model):
    """Where somebody works."""

    name: str = Field(min_length=1, max_length=255)
    ror: Ror | None = None
    kind: Literal["academic", "commercial", "government", "other"] = "academic"
    street: str | None = Field(default=None, max_length=255)
    city: str | None = Field(default=None, max_length=60)
    post_code: str | None = Field(default=None, max_length=60)
    country: Country | None = None


class Person(_Model):
    """An author, or somebody else who has a part in it."""

    given_name: Name
    middle_name: Name | None = None
    family_name: Name
    orcid: Orcid | None = None
    email: Email | None = None
    telephone: str | None = Field(default=None, max_length=60)
    affiliation: Organisation | None = None
    corresponding: bool = False
    principal_investigator: bool = False

    @property
    def initials(self) -> str:
        """Initials of the given names in capitals: JW."""
        names = f"{self.given_name} {self.middle_name or ''}".replace("-", " ").split()
        return "".join(each[0].upper() for each in names)


class Funding(_Model):
    """A grant."""

    funder: str = Field(min_length=1)
    ror: Ror | None = None
    award: str | None = None
    title: str | None = None
    country: Country | None = None


class Citation(_Model):
    """The publication that the data belong to, or will."""

    title: str = Field(min_length=1)
    published: bool = False
    journal: str | None = None
    journal_abbreviation: str | None = None
    volume: str | None = Field(default=None, max_length=8)
    issue: str | None = None
    first_page: str | None = Field(default=None, max_length=8)
    last_page: str | None = Field(default=None, max_length=8)
    year: int | None = Field(default=None, ge=1000, le=9999)
    doi: Doi | None = None
    pubmed: str | None = Field(default=None, pattern=r"^\d{1,8}$")


class Related(_Model):
    """Another published thing, and how the data are related to it."""

    identifier: str = Field(min_length=1)
    type: Literal["DOI", "URL", "EMDB", "EMPIAR", "PDB"] = "DOI"
    relation: Literal[
        "IsSupplementTo", "IsDerivedFrom", "IsSourceOf", "IsCitedBy", "References", "IsPartOf", "HasPart"
    ] = "IsSupplementTo"


class Description(_Model):
    """All that people say of one deposition."""

    title: str = Field(min_length=10, max_length=255)
    abstract: str = Field(default="", description="What the data are.")
    keywords: tuple[str, ...] = ()
    language: str = "en"
    licence: Literal["CC0-1.0", "CC-BY-4.0", "CC-BY-SA-4.0", "CC-BY-NC-4.0"] = "CC0-1.0"
    release: Literal["now", "with the map", "with the publication", "after a year"] = Field(
        default="now", description="When the data become public."
    )
    scale: Literal["molecule", "virus", "cell", "tissue", "organism"] = "molecule"
    publisher: Organisation | None = Field(default=None, description="Who publishes, where it is not they.")
    year: int = Field(default_factory=lambda: date.today().year, ge=1900, le=2200)
    doi: Doi | None = None
    authors: tuple[Person, ...] = Field(min_length=1)
    funding: tuple[Funding, ...] = ()
    citation: Citation | None = None
    related: tuple[Related, ...] = ()

    @property
    def corresponding(self) -> Person:
        """The corresponding author: the one who is said to be, or else the last."""
        return next((each for each in self.authors if each.corresponding), self.authors[-1])

    @property
    def principal_investigators(self) -> tuple[Person, ...]:
        """Those who are said to be, or else the last author."""
        return tuple(each for each in self.authors if each.principal_investigator) or self.authors[-1:]


def read_description(path: Path) -> Description:
    """Read a description from a TOML file.

    Raises:
        DescriptionWrong: It is no TOML, or something in it is missing or wrong; the message names it.
        OSError: It cannot be read.
    """
    try:
        return Description.model_validate(tomllib.loads(path.read_text("utf-8")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DescriptionWrong(f"{path} is not TOML ({error}); mend it.") from error
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, problem['loc']))}: {problem['msg'].removeprefix('Value error, ')}"
            for problem in error.errors()
        )
        raise DescriptionWrong(f"{path} cannot be used: {problems}.") from error
