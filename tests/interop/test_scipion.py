"""Workflows of Scipion: one that pyworkflow 3.11 exported, and a usual one in the same form."""

import json
from pathlib import Path
from typing import Any

import pytest

from eucentric.formats import FormatError
from eucentric.interop import harvest
from eucentric.interop.scipion_protocols import kind_of_protocol, software_of_protocol


def protocol(number: int, name: str, label: str, **parameters: Any) -> dict[str, Any]:
    common = {"object.comment": "", "_useQueue": False, "_prerequisites": "", "runMode": 0}
    head = {"object.className": name, "object.id": str(number), "object.label": label}
    return {**head, **common, "_queueParams": None, **parameters}


MOVIES = {
    "filesPath": "/data/raw",
    "voltage": 300.0,
    "sphericalAberration": 2.7,
    "amplitudeContrast": 0.1,
    "magnification": 165_000,
    "samplingRate": 0.83,
    "doseInitial": 0.0,
    "dosePerFrame": 1.25,
}
WORKFLOW = [
    protocol(2, "ProtImportMovies", "import movies", **MOVIES),
    protocol(40, "ProtMotionCorr", "motioncor2", inputMovies="2.outputMovies", patchX=5),
    protocol(77, "CistemProtCTFFind", "ctffind4", inputMicrographs="40.outputMicrographs"),
    protocol(90, "SphireProtCRYOLOPicking", "crYOLO", inputMicrographs="40.outputMicrographs"),
    protocol(95, "XmippProtConsensusPicking", "consensus", inputCoordinates=["90.outputCoordinates", "90.x"]),
    protocol(
        120,
        "ProtRelionExtractParticles",
        "extract",
        inputCoordinates="95.consensusCoordinates",
        ctfRelations="77.outputCTF",
        boxSize=256,
    ),
    protocol(150, "ProtRelionClassify2D", "2D", inputParticles="120.outputParticles", numberOfClasses=100),
    protocol(160, "ProtUserSubSet", "good classes", inputObject="150.", threshold="2.7"),
    protocol(
        200,
        "ProtRelionRefine3D",
        "auto-refine",
        inputParticles="120.outputParticles",
        referenceVolume="190.outputVolume.4",
        symmetryGroup="d7",
    ),
    protocol(210, "ProtRelionPostprocess", "post", protRefine="200.outputVolume"),
    protocol(220, "ProtSomethingNobodyKnows", "mystery", inputVolume="210.outputVolume", deep={"a": [1]}),
]


def written(folder: Path, content: Any) -> Path:
    file = folder / "workflow.json"
    file.write_text(json.dumps(content))
    return file


def test_what_pyworkflow_exported() -> None:
    found = harvest(Path(__file__).with_name("scipion_export.json"))
    assert found.program == "Scipion"
    first, second, third = found.record.steps
    assert [each.kind for each in found.record.steps] == ["other"] * 3
    assert (first.type, first.name) == ("SleepingProtocol", "pyworkflowtests - SleepingProtocol")
    assert (second.name, third.name) == (
        "pyworkflowtests - test output (35)",
        "pyworkflowtests - test output (69)",
    )
    assert second.parameters["iBoxSize"] == 5
    assert third.inputs == (second.name,)
    assert found.final is None


def test_a_usual_workflow(tmp_path: Path) -> None:
    found = harvest(written(tmp_path, WORKFLOW))
    steps = {each.name: each for each in found.record.steps}
    assert len(steps) == len(WORKFLOW)
    assert {name: (each.kind, each.software) for name, each in steps.items()} == {
        "import movies": ("import", "Scipion"),
        "motioncor2": ("motion correction", "MotionCor2"),
        "ctffind4": ("CTF estimation", "cisTEM"),
        "crYOLO": ("particle picking", "crYOLO"),
        "consensus": ("particle picking", "Xmipp"),
        "extract": ("particle extraction", "RELION"),
        "2D": ("2D classification", "RELION"),
        "good classes": ("selection", "Scipion"),
        "auto-refine": ("3D refinement", "RELION"),
        "post": ("post-processing", "RELION"),
        "mystery": ("other", None),
    }
    assert steps["extract"].inputs == ("consensus", "ctffind4")
    assert steps["consensus"].inputs == ("crYOLO",)
    assert steps["good classes"].inputs == ("2D",)
    assert steps["good classes"].parameters["threshold"] == "2.7"  # no link to protocol 2
    assert steps["mystery"].parameters["deep"] == '{"a": [1]}'
    assert steps["motioncor2"].parameters["patchX"] == 5
    known = found.record
    assert found.final == "post"
    assert (known.processing.symmetry, known.processing.dose_per_frame) == ("D7", 1.25)
    assert known.processing.classes_2d is None  # that step does not lead to the map
    assert (known.instrument.acceleration_voltage, known.instrument.cs) == (300, 2.7)
    assert (known.acquisition.pixel_size, known.acquisition.nominal_magnification) == (0.83, 165_000)
    assert known.acquisition.technique == "single particle"
    assert str(known.provenance["instrument.cs"].origin) == (
        "workflow.json import movies: sphericalAberration [mm]"
    )
    assert harvest(tmp_path / "workflow.json", "2D").record.processing.classes_2d == 100


def test_order_does_not_matter_and_rounds_end(tmp_path: Path) -> None:
    turned = harvest(written(tmp_path, WORKFLOW[::-1]))
    assert turned.final == "post"
    assert turned.record.processing.dose_per_frame == 1.25
    names = [each.name for each in turned.record.steps]
    assert names.index("import movies") < names.index("motioncor2") < names.index("extract")
    round_ = [
        protocol(1, "ProtRelionRefine3D", "a", inputParticles="2.x"),
        protocol(2, "ProtRelionRefine3D", "b", inputParticles="1.x"),
    ]
    assert harvest(written(tmp_path, round_)).final == "b"


def test_what_cannot_be_is_told(tmp_path: Path) -> None:
    movies = protocol(2, "ProtImportMovies", "in", voltage=-3, sphericalAberration="x", samplingRate=True)
    found = harvest(written(tmp_path, [movies, protocol(3, "ProtRelionRefine3D", "r", inputParticles="2.o")]))
    assert found.record.instrument.acceleration_voltage is None
    assert len(found.refused) == 2
    assert "acceleration voltage" in found.refused[0]
    with pytest.raises(FormatError, match="two protocols of the number 2"):
        harvest(written(tmp_path, [movies, movies]))
    with pytest.raises(FormatError, match="more than 5000 protocols"):
        harvest(written(tmp_path, [movies] * 5001))


@pytest.mark.parametrize(
    ("name", "kind", "software"),
    [
        ("XmippProtMovieGain", "gain estimation", "Xmipp"),
        ("ProtGctf", "CTF estimation", "Gctf"),
        ("ProtRelionCtfRefinement", "CTF refinement", "RELION"),
        ("ProtRelionBayesianPolishing", "particle polishing", "RELION"),
        ("ProtCryo2D", "2D classification", "CryoSPARC"),
        ("ProtCryoSparcInitialModel", "initial model", "CryoSPARC"),
        ("ProtCryoSparcNonUniformRefine3D", "3D refinement", "CryoSPARC"),
        ("XmippProtReconstructHighRes", "3D refinement", "Xmipp"),
        ("ProtRelionCreateMask3D", "mask creation", "RELION"),
        ("XmippProtMonoRes", "local resolution", "Xmipp"),
        ("ProtDeepEMhancer", "post-processing", "DeepEMhancer"),
        ("PhenixProtRunRSRefine", "model building", "Phenix"),
        ("ProtImodTomoReconstruction", "tomogram reconstruction", "IMOD"),
        ("ProtImodFiducialAlignment", "tilt series alignment", "IMOD"),
        ("EmanProtTomoRefinement", "subtomogram averaging", "EMAN2"),
        ("ProtRelionResizeVolume", "other", "RELION"),
    ],
)
def test_classes_of_plug_ins(name: str, kind: str, software: str) -> None:
    assert (kind_of_protocol(name), software_of_protocol(name)) == (kind, software)
