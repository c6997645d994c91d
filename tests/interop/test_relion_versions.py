"""How RELION 3.0, 4 and 5 write what 3.1 writes otherwise, and jobs of which there is no small real run."""

from importlib.metadata import version
from pathlib import Path

import pandas as pd
import pytest

from eucentric.formats import write_star
from eucentric.interop import harvest
from eucentric.techniques.single_particle import relion_pipeline

PIPELINE = "default_pipeline.star"


def write_pipeline(
    folder: Path, processes: list[tuple[str, str, str]], edges: list[tuple[str, str]], *, labels: bool
) -> None:
    """Write a list of jobs (name, kind, status) and edges (file, job) as RELION 4 does, or those before."""
    ending = "Label" if labels else ""
    rows = [(f"{name}/", "None", kind, status) for name, kind, status in processes]
    columns = ["Name", "Alias", f"Type{ending}", f"Status{ending}"]
    inputs = pd.DataFrame(edges, columns=["rlnPipeLineEdgeFromNode", "rlnPipeLineEdgeProcess"])
    write_star(
        folder / PIPELINE,
        {
            "pipeline_general": {"rlnPipeLineJobCounter": len(rows) + 1},
            "pipeline_processes": pd.DataFrame(rows, columns=[f"rlnPipeLineProcess{c}" for c in columns]),
            **({"pipeline_input_edges": inputs} if edges else {}),
        },
    )


def table(folder: Path, name: str, block: str, **columns: list[object]) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    optics = {
        "rlnOpticsGroup": [1],
        "rlnVoltage": [200.0],
        "rlnSphericalAberration": [1.4],
        "rlnAmplitudeContrast": [0.07],
        "rlnMicrographOriginalPixelSize": [0.83],
    }
    write_star(folder / name, {"optics": pd.DataFrame(optics), block: pd.DataFrame(columns)})


def test_the_pipeline_of_relion_3_0_that_others_publish(shared: Path, tmp_path: Path) -> None:
    pipeline = (shared / "fixtures" / "starfile__default_pipeline.star").read_bytes()
    (tmp_path / PIPELINE).write_bytes(pipeline)
    found = harvest(tmp_path)
    steps = {each.name: each for each in found.record.steps}
    assert len(steps) == 31  # not one is dropped, though no folder of a job is there
    assert steps["Class3D/job016"].kind == "3D classification"
    assert steps["Class3D/job016"].inputs == ("Select/job014", "InitialModel/job015")
    assert steps["Refine3D/job019"].parameters["alias"] == "Refine3D/first3dref"
    assert found.final == "PostProcess/job030"
    assert harvest(tmp_path, "MotionCorr/relioncor2").final == "MotionCorr/job002"


def test_settings_and_tables_before_3_1(tmp_path: Path) -> None:
    write_pipeline(tmp_path, [("CtfFind/job003", "2", "2")], [], labels=False)
    job = tmp_path / "CtfFind/job003"
    job.mkdir(parents=True)
    (job / "run.job").write_text("job_type == 2\nis_continue == false\nUse Gctf instead? == Yes\n")
    (job / "note.txt").write_text(
        " ++++ Executing new job on Mon Feb  4 10:00:00 2019\n ++++ with the following command(s): \n"
        "`which relion_run_ctffind_mpi` --i x.star --use_gctf --o CtfFind/job003/\n ++++ \n"
    )
    (job / "micrographs_ctf.star").write_text(
        "data_\n\nloop_ \n_rlnMicrographName #1 \n_rlnDefocusU #2 \n_rlnDefocusV #3 \n_rlnVoltage #4 \n"
        "_rlnSphericalAberration #5 \n_rlnAmplitudeContrast #6 \n_rlnCtfMaxResolution #7 \n"
        "a.mrc 10000.0 9000.0 300.0 2.7 0.1 4.0 \nb.mrc 14000.0 13500.0 300.0 2.7 0.1 6.0 \n \n"
    )
    found = harvest(tmp_path)
    (step,) = found.record.steps
    assert step.parameters["Use Gctf instead?"] is True
    assert (step.type, step.kind, step.software) == ("CtfFind", "CTF estimation", "Gctf")
    known = found.record.processing
    assert (known.defocus_minimal, known.defocus_maximal) == (9000, 14000)
    assert known.defocus_mean == pytest.approx((9500 + 13750) / 2)
    assert known.astigmatism_mean == pytest.approx(750)
    assert (known.ctf_resolution_best, known.ctf_resolution_worst, known.ctf_resolution_mean) == (4, 6, 5)
    assert (known.micrographs, known.amplitude_contrast) == (2, pytest.approx(0.1))
    assert found.record.instrument.acceleration_voltage == 300


@pytest.fixture
def version_4(tmp_path: Path) -> Path:
    """What RELION 4 leaves from picks to a refinement with aberrations and polished particles."""
    chain = ["AutoPick/job004", "Extract/job005", "Select/job006", "CtfRefine/job007", "Polish/job008"]
    kinds = ["autopick", "extract", "select", "ctfrefine", "polish"]
    processes = [(name, f"relion.{kind}", "Succeeded") for name, kind in zip(chain, kinds, strict=True)]
    processes.append(("External/job009", "relion.external", "Succeeded"))
    processes.append(("Refine3D/job010", "relion.refine3d", "Failed"))
    files = ["autopick.star", "particles.star", "particles.star", "particles_ctf_refine.star"]
    edges = [
        (f"{name}/{file}", f"{after}/") for name, file, after in zip(chain, files, [*chain[1:]], strict=False)
    ]
    write_pipeline(
        tmp_path, processes, [*edges, ("Polish/job008/shiny.star", "External/job009/")], labels=True
    )
    for number, picks in enumerate((30, 12)):
        name = f"AutoPick/job004/Movies/m{number}_autopick.star"
        table(tmp_path, name, "", rlnCoordinateX=[1.0] * picks, rlnCoordinateY=[2.0] * picks)
    (tmp_path / "AutoPick/job004/coords_suffix_autopick.star").write_text("CtfFind/job003/mics.star\n")
    particles = {"rlnImageName": ["1@a.mrcs"] * 40, "rlnOpticsGroup": [1] * 40}
    table(tmp_path, "Extract/job005/particles.star", "particles", **particles)
    table(tmp_path, "Select/job006/particles.star", "particles", **{k: v[:25] for k, v in particles.items()})
    job = {"job": {"rlnJobTypeLabel": "relion.external", "rlnJobIsContinue": 0, "rlnJobIsTomo": 0}}
    values = {
        "rlnJobOptionVariable": ["fn_exe", "param1_label"],
        "rlnJobOptionValue": ["/opt/x/3dfsc.py", ""],
    }
    (tmp_path / "External/job009").mkdir(parents=True)
    write_star(tmp_path / "External/job009/job.star", {**job, "joboptions_values": pd.DataFrame(values)})
    note = tmp_path / "AutoPick/job004/note.txt"
    note.write_text(
        " ++++ with the following command(s): \nrelion_autopick --i x.star --topaz_extract\n ++++"
    )
    return tmp_path


def test_labels_of_version_4(version_4: Path) -> None:
    found = harvest(version_4)
    steps = {each.name: each for each in found.record.steps}
    assert [each.kind for each in steps.values()] == [
        "particle picking",
        "particle extraction",
        "selection",
        "CTF refinement",
        "particle polishing",
        "other",
        "3D refinement",
    ]
    assert steps["Refine3D/job010"].status == "failed"
    assert steps["External/job009"].software == "3dfsc.py"
    assert steps["AutoPick/job004"].software == "Topaz"
    assert steps["Select/job006"].results["particles"] == 25
    assert steps["Extract/job005"].inputs == ("AutoPick/job004",)
    known = found.record.processing
    assert found.final is None  # the refinement failed, so that all that was done counts
    assert (known.particles_picked, known.particles_per_micrograph, known.particles_extracted) == (42, 21, 40)
    assert known.picking_method == "Topaz, a convolutional network"
    assert found.record.acquisition.pixel_size == pytest.approx(0.83)
    assert found.refused == ()


def test_tomography_of_version_5_is_not_taken_for_single_particles(tmp_path: Path) -> None:
    names = {
        "Import/job001": ("relion.importtomo", "import"),
        "MotionCorr/job002": ("relion.motioncorr.own", "motion correction"),
        "AlignTiltSeries/job005": ("relion.aligntiltseries.aretomo", "tilt series alignment"),
        "Tomograms/job006": ("relion.reconstructtomograms", "tomogram reconstruction"),
        "Denoise/job007": ("relion.denoisetomo", "denoising"),
        "Picks/job008": ("relion.picktomo", "particle picking"),
        "Extract/job009": ("relion.pseudosubtomo", "particle extraction"),
        "Reconstruct/job010": ("relion.reconstructparticletomo", "subtomogram averaging"),
        "NewThing/job011": ("relion.somethingnew", "other"),
    }
    processes = [(name, type_, "Succeeded") for name, (type_, _) in names.items()]
    write_pipeline(tmp_path, processes, [], labels=True)
    average = tmp_path / "Reconstruct/job010"
    table(tmp_path, "Extract/job009/particles.star", "particles", rlnTomoName=["TS_1"] * 9)
    average.mkdir(parents=True)
    table(tmp_path, "Tomograms/job006/tomograms.star", "global", rlnTomoName=["TS_1", "TS_2"])
    write_star(
        average / "optimisation_set.star", {"": {"rlnTomoParticlesFile": "Extract/job009/particles.star"}}
    )
    for name in ("merged", "half1", "half2"):
        (average / f"{name}.mrc").touch()
    found = harvest(tmp_path)
    known = found.record.processing
    assert (known.particles_used, known.map_path) == (9, "Reconstruct/job010/merged.mrc")
    assert known.tomograms == 2
    assert known.half_maps == "Reconstruct/job010/half1.mrc Reconstruct/job010/half2.mrc"
    assert found.record.acquisition.technique == "tomography"
    assert {each.name: (each.type, each.kind) for each in found.record.steps} == names
    software = {each.name: each.software for each in found.record.steps}
    assert software["AlignTiltSeries/job005"] == "AreTomo"


def test_what_eucentric_exported_is_its_own(tmp_path: Path) -> None:
    fitted = "CtfFind/job003/micrographs_ctf.star"
    relion_pipeline.write_pipeline(
        tmp_path,
        [
            relion_pipeline.Job("MotionCorr", 2, [], "corrected_micrographs.star", "micrographs"),
            relion_pipeline.Job(
                "CtfFind", 3, [], "micrographs_ctf.star", "micrographs", {"input_star_mics": fitted}
            ),
        ],
    )
    steps = harvest(tmp_path).record.steps
    assert {(each.software, each.software_version) for each in steps} == {("Eucentric", version("eucentric"))}
    assert {each.status for each in steps} == {"succeeded"}


def test_versions_of_outside_programs_stand_in_their_logs(tmp_path: Path) -> None:
    write_pipeline(tmp_path, [("CtfFind/job003", "relion.ctffind", "Succeeded")], [], labels=True)
    log = tmp_path / "CtfFind/job003/Movies/m1_ctffind4.log"
    log.parent.mkdir(parents=True)
    log.write_text("  **   Welcome to Ctffind   **\n         Version : 4.1.14\n")
    (tmp_path / "CtfFind/job003/note.txt").write_text(
        "++++ with the following command(s): \nrelion_run_ctffind --i x.star --ctffind_exe ctffind\n ++++"
    )
    (step,) = harvest(tmp_path).record.steps
    assert (step.software, step.software_version) == ("CTFFIND", "4.1.14")
