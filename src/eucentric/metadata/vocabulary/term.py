"""The form of a row of the table of terms."""

from dataclasses import dataclass
from typing import Literal

Source = Literal[
    "operator",
    "companion",
    "header",
    "property",
    "session",
    "path",
    "derived",
    "processing",
    "registry",
]
"""Where a value comes from: somebody gave it; the metadata file beside the exposure; the header of the image
file; a settings file of the acquisition program; the program's session file; names of files and folders;
other values; processing; the registry of instruments."""

FILES_FIRST: tuple[Source, ...] = (
    "operator",
    "companion",
    "header",
    "derived",
    "property",
    "session",
    "registry",
    "path",
    "processing",
)
"""Which source is believed, by default: what is written beside the exposure itself before what is general."""

REGISTRY_FIRST: tuple[Source, ...] = (
    "operator",
    "registry",
    *(source for source in FILES_FIRST if source not in ("operator", "registry")),
)
"""The same of what programs only name loosely, and the facility knows."""

HEADER_FIRST: tuple[Source, ...] = (
    "operator",
    "header",
    *(source for source in FILES_FIRST if source not in ("operator", "header")),
)
"""The same of what can be seen in the recorded image itself."""

DERIVED_FIRST: tuple[Source, ...] = (
    "operator",
    "derived",
    *(source for source in FILES_FIRST if source not in ("operator", "derived")),
)
"""The same of what follows more surely from other values than it is stated."""

PROCESSING_FIRST: tuple[Source, ...] = (
    "operator",
    "processing",
    *(source for source in FILES_FIRST if source not in ("operator", "processing")),
)
"""The same of what is measured best in the images."""

How = Literal["min", "max", "mean", "first", "last", "count", "distinct", "increment", "sum", "most"]
"""How values of exposures become one: the smallest, largest, mean, first, last; how many exposures have one;
how many different ones there are; the median step between them, when sorted; their sum; the most frequent."""

Giver = Literal["file", "registry", "operator", "sample form", "processing"]
"""Who can tell a value: the microscope's files; the site's registry of instruments; who ran the session; the
form about the sample; the processing."""

STANDARDS = (
    "oscem",
    "emdb",
    "mmcif",
    "empiar",
    "epu",
    "serialem",
    "velox",
    "ispyb",
    "icat",
    "nxem",
)
"""The columns of the table: what a term is called elsewhere."""


EMG = "https://purls.helmholtz-metadaten.de/emg/"
"""The EM Glossary of the Helmholtz Metadata Collaboration; its terms are those that NeXus' NXem names."""

_MMCIF_ITEMS = "https://mmcif.wwpdb.org/dictionaries/mmcif_pdbx_v50.dic/Items/"


def mmcif_iri(item: str) -> str:
    """Return the address by which wwPDB identifies an item of PDBx/mmCIF, as `_em_imaging.nominal_cs`."""
    return f"{_MMCIF_ITEMS}{item}.html"


@dataclass(frozen=True)
class Summary:
    """How a value of an acquisition, or a tilt series, follows from those of its exposures."""

    how: How
    of: str


@dataclass(frozen=True)
class Term:
    """One row of the table; type, unit and definition are those of the model's field.

    Attributes:
        name: Entity and field, `instrument.cs`.
        by: Who can tell it, the usual one first.
        parameter: The row of OpenEM's table of required parameters that it belongs to, if any.
        summary: How it follows from exposures, if it does.
        tolerance: Relative difference up to which two values of it are the same.
        precedence: Which source is believed where they differ.
        iri: The term of an ontology that means the same, where there really is one.
        oscem: Slot of OSCEM 1.0.2.
        emdb: Element of EMDB's XML 3.0, below its microscopy, image_recording or image_processing.
        mmcif: Item of PDBx/mmCIF.
        empiar: Field of EMPIAR's deposition.
        epu: Element of EPU's XML, below MicroscopeImage.
        serialem: Key of SerialEM's .mdoc.
        velox: Entry in the metadata of Velox.
        ispyb: Table and column of ISPyB.
        icat: Parameter of ESRF's ICAT.
        nxem: Path in NeXus' NXem.
    """

    name: str
    by: tuple[Giver, ...] = ("file",)
    parameter: str = ""
    summary: Summary | None = None
    tolerance: float = 1e-3
    precedence: tuple[Source, ...] = FILES_FIRST
    iri: str = ""
    oscem: str = ""
    emdb: str = ""
    mmcif: str = ""
    empiar: str = ""
    epu: str = ""
    serialem: str = ""
    velox: str = ""
    ispyb: str = ""
    icat: str = ""
    nxem: str = ""

    @property
    def entity(self) -> str:
        """What it describes."""
        return self.name.partition(".")[0]

    @property
    def field(self) -> str:
        """The field of the entity's model."""
        return self.name.partition(".")[2]

    @property
    def iris(self) -> tuple[str, ...]:
        """What identifies the term in the web: an ontology's term, and the items of PDBx/mmCIF."""
        items = [mmcif_iri(item.strip()) for item in self.mmcif.split(";") if item.strip()]
        return (*([self.iri] if self.iri else []), *items)

    def called(self, standard: str) -> str:
        """Return what it is called in one of `STANDARDS`, "" where that does not have it."""
        return str(getattr(self, standard)) if standard in STANDARDS else ""
