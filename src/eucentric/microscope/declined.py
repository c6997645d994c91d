"""Kinds of files that are known and not read, with the reason: the one table of verdicts.

`docs/reference/sources.md` shows it. What a plug-in reads is asked for before this table is.
"""

from dataclasses import dataclass

_PLUG_IN = "install the plug-in eucentric-rosettasciio"
_DEPOSIT = "give the files of the microscope instead"


@dataclass(frozen=True)
class Verdict:
    """Why files of a kind are not read.

    Attributes:
        kind: What they are, in the plural.
        suffixes: How their names end, in small letters.
        why: The reason, a clause.
        mend: What to do about it, a clause.
    """

    kind: str
    suffixes: tuple[str, ...]
    why: str
    mend: str


DECLINED: tuple[Verdict, ...] = (
    Verdict("files of NanoMEGAS", (".blo", ".app5"), "the reader at hand is under the GPL", _PLUG_IN),
    Verdict("files of Panta Rhei", (".prz",), "the reader at hand is under the GPL", _PLUG_IN),
    Verdict("files of Merlin detectors", (".mib",), "the reader at hand is under the GPL", _PLUG_IN),
    Verdict("files of TVIPS cameras", (".tvips",), "the reader at hand is under the GPL", _PLUG_IN),
    Verdict("files of Bruker's Esprit", (".bcf", ".spx"), "the reader at hand is under the GPL", _PLUG_IN),
    Verdict("files of EDAX", (".spc", ".spd"), "the reader at hand is under the GPL", _PLUG_IN),
    Verdict(
        "files of JEOL's Analysis Station",
        (".asw", ".img", ".pts", ".eds"),
        "the reader at hand is under the GPL",
        _PLUG_IN,
    ),
    Verdict("files of EMSA", (".msa",), "the reader at hand is under the GPL", _PLUG_IN),
    Verdict("files of Phenom", (".elid",), "the reader at hand is under the GPL", _PLUG_IN),
    Verdict("NeXus files", (".nxs",), "each beamline lays them out in its own way", _PLUG_IN),
    Verdict(
        "HDF5 files that are no EMD",
        (".h5", ".hdf5"),
        "their layout is each program's own, and a DECTRIS master is but links to other files",
        "convert them with the program that wrote them",
    ),
    Verdict(
        "logs of Protochips",
        (".csv",),
        "they are of a holder, and no term of ours stands in them",
        "write what counts into metadata.toml",
    ),
    Verdict(
        "EBSD patterns",
        (".up1", ".up2", ".bmp", ".dat"),
        "diffraction in a scanning microscope is beyond what sessions here hold",
        "read them with kikuchipy",
    ),
    Verdict(
        "compressed files",
        (".gz", ".bz2", ".zip", ".xz", ".zst"),
        "their content is not known before they are unpacked",
        "decompress them first",
    ),
    Verdict(
        "maps",
        (".map", ".ccp4"),
        "they are results, not recordings",
        "give the movies or images that they are made from",
    ),
    Verdict(
        "XML files of other programs",
        (".xml",),
        "only those of EPU and Tomography are known",
        _DEPOSIT,
    ),
    Verdict(
        "texts of other programs",
        (".txt", ".log"),
        "only SerialEM's properties and settings, and _info.txt of Direct Electron, are known",
        _DEPOSIT,
    ),
    Verdict(
        "depositions and their schemas",
        (".cif", ".xsd", ".json", ".yaml", ".yml"),
        "they say what somebody wrote about data, not what a microscope did",
        _DEPOSIT,
    ),
    Verdict(
        "tables of processing programs",
        (".star", ".tlt", ".rawtlt", ".xf", ".aln"),
        "they are results, not recordings",
        "import them into a workflow",
    ),
)
