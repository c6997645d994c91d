"""What Scipion's protocols do and whose they are, by the names of their classes: the one table of them.

Plug-ins name classes after their program and what they do, as `ProtRelionRefine3D`; the first row that
matches counts. Classes that match none are kept under their own name.
"""

import re

from eucentric.metadata.vocabulary.processing import StepKind

_KINDS: tuple[tuple[str, StepKind], ...] = (
    (
        r"Coot|Refmac|Phenix|ModelAngelo|ModelFrom|RealSpaceRefine|Buccaneer|AtomStruct|Chimera.*Fit",
        "model building",
    ),
    (r"ImportTs|ImportTomo|^ProtImport|Import(Movies|Micrographs|Particles|Coordinates)", "import"),
    (r"MovieGain|EstimateGain", "gain estimation"),
    (
        r"Motion.?Corr|MotionCorr|MovieAlign|FlexAlign|OptAlignment|PatchMotion|ProtUnblur|CorrelationMovies",
        "motion correction",
    ),
    (r"CtfRefine|CTFRefine|CTFGroups|LocalCtf|LocalDefocus|GlobalCtf|EwaldRefin", "CTF refinement"),
    (
        r"CTFFind|Gctf|CTFMicro|CtfMicro|CTFEstimation|PatchCtf|CTFConsensus|ProtCTF|CTFMaxRes",
        "CTF estimation",
    ),
    (r"Polishing|BayesianPolish|LocalMotion|ReferenceMotion", "particle polishing"),
    (
        r"Extract.*(Particles|Subtomo|Movie)|ExtractParticles|ProtRelionExtract|PseudoSubtomo",
        "particle extraction",
    ),
    (
        r"Pick(ing|er|Wise)|Autopick|AutoPick|Gautomatch|CRYOLO|Boxer|DogPicker|Topaz(?!Denoise)|CarbonCleaner",
        "particle picking",
    ),
    (
        r"(2D|Cl2d|CL2D|GL2D|Classify2D|Refine2D).*(Select|Ranker)|Select(Classes|Particles)?|ScreenParticles|"
        r"Screen|Sub[Ss]et|EliminateEmpty|Consensus|Deep.*Screen|MovieMaxShift|Trigger",
        "selection",
    ),
    (r"Classify2D|Cl2d|CL2D|GL2D|2DClass|Cryo2D|Refine2d|Class2D|Classify2d|ISAC", "2D classification"),
    (
        r"InitModel|InitialModel|InitialVolume|Ransac|ReconstructSignificant|Significant|AbInitio|InitialMap|"
        r"Initialmodel|Swarm",
        "initial model",
    ),
    (r"3DClass|Classify3D|Heterogeneous|HeteroRefine|Class3D|3DVariability|DeepAlign", "3D classification"),
    (r"SymmetryExpan|SymExpand|ExpandSym", "symmetry expansion"),
    (r"Subtract", "subtraction"),
    (r"LocalRes|MonoRes|ResMap|DeepRes|BlocRes|LocalResolution", "local resolution"),
    (r"Mask", "mask creation"),
    (r"Post.?[Pp]roc|Sharpen|LocScale|LocalDeblur|DeepEMhancer", "post-processing"),
    (
        r"Refine3D|HighRes|Refin(e|ement)3|NonUniform|Homogeneous|LocalRefine|MultiBody|Refine$|3DRefin|"
        r"ProjMatch|RefineEasy",
        "3D refinement",
    ),
    (r"(Fiducial|Xcorr|AlignTilt|AlignTs|TsAlign|ProtImod.*Alignment|AreTomoAlign)", "tilt series alignment"),
    (r"TomoRec|ReconstructTomogram|TomoReconstruction|TomoReconstruct|AreTomo", "tomogram reconstruction"),
    (r"Denois|CryoCARE|Isonet|IsoNet", "denoising"),
    (r"Segment|Membrain|Tomosegmem", "segmentation"),
    (r"Subtomo|SubTomo|AverageSub|TomoRefine", "subtomogram averaging"),
)
"""Parts of names, and what such protocols do."""

_SOFTWARE = (
    (r"^Xmipp|^ProtXmipp|Xmipp", "Xmipp"),
    (r"Relion", "RELION"),
    (r"[Cc]ryo[Ss]parc|^ProtCryo(2D|SPARC)", "CryoSPARC"),
    (r"^Eman|Eman", "EMAN2"),
    (r"CRYOLO|Cryolo", "crYOLO"),
    (r"Sphire", "SPHIRE"),
    (r"^Cistem|Cistem", "cisTEM"),
    (r"Gctf", "Gctf"),
    (r"Gautomatch", "Gautomatch"),
    (r"Motion[Cc]orr", "MotionCor2"),
    (r"Topaz", "Topaz"),
    (r"Imod", "IMOD"),
    (r"AreTomo", "AreTomo"),
    (r"Dynamo", "Dynamo"),
    (r"CryoCARE|Cryocare", "cryoCARE"),
    (r"Phenix", "Phenix"),
    (r"Refmac", "REFMAC"),
    (r"Coot", "Coot"),
    (r"Chimera", "ChimeraX"),
    (r"Bsoft", "Bsoft"),
    (r"ResMap", "ResMap"),
    (r"LocScale", "LocScale"),
    (r"DeepEMhancer", "DeepEMhancer"),
    (r"^Prot(Import|User|Union|CTFConsensus|Monitor|Extract|Alignment|Subset)", "Scipion"),
)
"""Parts of names, and the programs behind such protocols."""


def kind_of_protocol(name: str) -> StepKind:
    """Return what a protocol does by the name of its class; "other" where that is not known."""
    return next((kind for pattern, kind in _KINDS if re.search(pattern, name)), "other")


def software_of_protocol(name: str) -> str | None:
    """Return the program behind a protocol by the name of its class; None where that is not known."""
    return next((program for pattern, program in _SOFTWARE if re.search(pattern, name)), None)
