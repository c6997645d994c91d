"""What kinds of jobs do, in the words of the vocabulary: the one table of RELION's and the pipeliner's jobs.

RELION names a job's folder after its kind; version 4 and later, and CCP-EM's pipeliner, also give it a label
such as `relion.class2d.em`, versions before that a number (`pipeline_jobs.h` of RELION 3.0 and 3.1).
"""

import re
from pathlib import PurePosixPath

from eucentric.metadata.vocabulary.processing import StepKind

FOLDERS: dict[str, StepKind] = {
    "Import": "import",
    "ImportTomo": "import",
    "MotionCorr": "motion correction",
    "CtfFind": "CTF estimation",
    "ManualPick": "particle picking",
    "AutoPick": "particle picking",
    "Picks": "particle picking",
    "TemplateMatching": "particle picking",
    "Extract": "particle extraction",
    "PseudoSubtomo": "particle extraction",
    "Sort": "selection",
    "Select": "selection",
    "ExcludeTiltImages": "selection",
    "Class2D": "2D classification",
    "InitialModel": "initial model",
    "Class3D": "3D classification",
    "Refine3D": "3D refinement",
    "MultiBody": "3D refinement",
    "MaskCreate": "mask creation",
    "JoinStar": "other",
    "Subtract": "subtraction",
    "PostProcess": "post-processing",
    "LocalRes": "local resolution",
    "CtfRefine": "CTF refinement",
    "Polish": "particle polishing",
    "MovieRefine": "particle polishing",
    "ModelAngelo": "model building",
    "AlignTiltSeries": "tilt series alignment",
    "Tomograms": "tomogram reconstruction",
    "Denoise": "denoising",
    "Reconstruct": "subtomogram averaging",
    "ReconstructParticleTomo": "subtomogram averaging",
}
"""By the first part of a job's name."""

NUMBERS = dict(
    enumerate(
        (
            "Import",
            "MotionCorr",
            "CtfFind",
            "ManualPick",
            "AutoPick",
            "Extract",
            "Sort",
            "Select",
            "Class2D",
            "Class3D",
            "Refine3D",
            "Polish",
            "MaskCreate",
            "JoinStar",
            "Subtract",
            "PostProcess",
            "LocalRes",
            "MovieRefine",
            "InitialModel",
            "MultiBody",
            "Polish",
            "CtfRefine",
            "External",
        )
    )
)
"""By the number that RELION before version 4 gives a kind."""

STATUSES = {"0": "running", "1": "scheduled", "2": "succeeded", "3": "failed", "4": "aborted"}
"""By the number that RELION before version 4 gives how a job stands; later it writes the word."""

_LABELS: tuple[tuple[str, StepKind], ...] = (
    (r"relion\.import.*|.*\.import\..*|pipeliner\.fetch\..*", "import"),
    (r"relion\.motioncorr.*", "motion correction"),
    (r"relion\.ctffind.*", "CTF estimation"),
    (r".*\.autopick.*|.*\.manualpick.*|relion\.picktomo|.*template\.match", "particle picking"),
    (r"relion\.(extract|pseudosubtomo).*", "particle extraction"),
    (r".*\.select\..*|relion\.(select|excludetilts).*|cinderella.*", "selection"),
    (r"relion\.class2d.*", "2D classification"),
    (r"relion\.initialmodel.*|cryodrgn\.abinit.*", "initial model"),
    (r"relion\.class3d.*", "3D classification"),
    (r"relion\.(refine3d|multibody).*", "3D refinement"),
    (r"relion\.maskcreate|.*\.mask_creation\..*", "mask creation"),
    (r"relion\.subtract.*", "subtraction"),
    (r".*symmetry_expansion", "symmetry expansion"),
    (r"relion\.postprocess.*|.*\.postprocess\.local_sharpening", "post-processing"),
    (r"relion\.localres.*", "local resolution"),
    (r"relion\.ctfrefine.*", "CTF refinement"),
    (r"relion\.(polish|framealigntomo).*", "particle polishing"),
    (r"relion\.aligntiltseries.*", "tilt series alignment"),
    (r"relion\.reconstructtomograms.*", "tomogram reconstruction"),
    (r"relion\.denoisetomo.*|.*local_denoising|icebreaker\..*", "denoising"),
    (r"relion\.reconstructparticletomo.*", "subtomogram averaging"),
    (r"relion\.modelangelo|modelangelo.*|.*\.atomic_model_(build|fit|refine).*", "model building"),
)

SOFTWARE = {
    "relion": "RELION",
    "cryolo": "crYOLO",
    "cryodrgn": "cryoDRGN",
    "modelangelo": "ModelAngelo",
    "dynamight": "DynaMight",
    "modelcraft": "ModelCraft",
    "molprobity": "MolProbity",
    "locscale": "LocScale",
    "pipeliner": "CCP-EM Pipeliner",
    "refmac_servalcat": "Servalcat",
    "servalcat": "Servalcat",
}
"""What the first part of a label stands for; others are called by it."""


def kind_of(name: str, type_: str) -> StepKind:
    """Return what a job does; "other" where that is not known.

    Args:
        name: Of the job, `Class2D/job008`.
        type_: What its program calls the kind: a label, a number, or "".
    """
    if "." in type_ or type_ in SOFTWARE:
        return next((kind for pattern, kind in _LABELS if re.fullmatch(pattern, type_)), "other")
    folder = PurePosixPath(name).parts[0] if name else ""
    if folder in FOLDERS:
        return FOLDERS[folder]
    return FOLDERS.get(NUMBERS.get(int(type_), ""), "other") if type_.isdecimal() else "other"


def software_of(type_: str) -> str:
    """Return the program that a label belongs to; RELION where there is none."""
    head = type_.partition(".")[0]
    return SOFTWARE.get(head, head) if "." in type_ or head in SOFTWARE else "RELION"
