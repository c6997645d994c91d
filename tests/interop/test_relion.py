"""Projects of RELION and of CCP-EM's pipeliner, as these programs left them."""

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from eucentric.formats import FormatError, write_mrc
from eucentric.interop import NotHarvested, harvest
from eucentric.metadata.records import HarvestRecord
from interop.known_projects import MAPS, PIPELINER, RELION, project
from outside_programs import require_relion


def step(found: HarvestRecord, name: str):
    return next(each for each in found.record.steps if each.name == name)


@pytest.mark.parametrize("name", [RELION, PIPELINER])
def test_the_final_map_and_what_led_to_it(tmp_path: Path, name: str) -> None:
    found = harvest(project(name, tmp_path))
    known = found.record.processing
    assert (known.resolution, known.resolution_method) == (21.0, "FSC 0.143 CUT-OFF")
    assert (known.symmetry, known.particles_used, known.map_box, known.map_pixel_size) == ("D6", 60, 24, 7.0)
    assert (known.angle_assignment, known.reconstruction_algorithm) == ("maximum likelihood", "Fourier space")
    assert known.half_maps == " ".join(MAPS[name][1:3])
    assert (known.mask_path, known.map_path) == MAPS[name][3:]
    assert str(known.fsc_path).endswith("postprocess_fsc.xml")
    assert known.amplitude_contrast == pytest.approx(0.1)
    assert found.record.instrument.acceleration_voltage == 300
    assert found.record.instrument.cs == pytest.approx(2.7)
    assert found.record.acquisition.technique == "single particle"
    assert found.refused == ()
    origin = found.record.provenance["processing.resolution"].origin
    assert str(origin).endswith("postprocess.star rlnFinalResolution")


def test_every_step_of_relion_3_1(tmp_path: Path) -> None:
    found = harvest(project(RELION, tmp_path))
    assert (found.program, found.program_version, found.final) == ("RELION", "3.1.3", "PostProcess/job009")
    assert [(each.name, each.kind, each.status) for each in found.record.steps] == [
        ("Import/job001", "import", "succeeded"),
        ("MotionCorr/job002", "motion correction", "succeeded"),
        ("Import/job003", "import", "succeeded"),
        ("Class2D/job004", "2D classification", "succeeded"),
        ("Refine3D/job005", "3D refinement", "succeeded"),
        ("Class3D/job006", "3D classification", "succeeded"),
        ("PostProcess/job007", "post-processing", "scheduled"),
        ("MaskCreate/job008", "mask creation", "succeeded"),
        ("PostProcess/job009", "post-processing", "succeeded"),
    ]
    refined = step(found, "Refine3D/job005")
    assert refined.inputs == ("Import/job003",)
    assert (refined.software, refined.software_version) == ("RELION", "3.1.3")
    assert refined.parameters["sym_name"] == "D6"
    assert refined.parameters["do_ctf_correction"] is True
    assert str(refined.parameters["command"]).startswith("relion_refine_mpi --o Refine3D/job005/")
    assert step(found, "Class2D/job004").results["processing.classes_2d"] == 2
    assert step(found, "Class3D/job006").results["processing.classes_3d"] == 2
    assert step(found, "PostProcess/job007").results == {}
    aligned = step(found, "MotionCorr/job002")
    assert aligned.results["processing.dose_per_frame"] == pytest.approx(1.2)
    assert aligned.results["processing.micrographs"] == 2
    # RELION 3 writes motion in pixels of the movie: 281.4 on average, of 1.5 Å.
    assert aligned.results["processing.motion_total"] == pytest.approx((228.016945 + 334.808802) / 2 * 1.5)


def test_labels_of_the_pipeliner(tmp_path: Path) -> None:
    found = harvest(project(PIPELINER, tmp_path))
    assert (found.program, found.program_version) == ("CCP-EM Pipeliner", "1.6.1")
    kinds = {each.type: each.kind for each in found.record.steps}
    assert kinds == {
        "relion.import.movies": "import",
        "relion.motioncorr.own": "motion correction",
        "relion.refine3d": "3D refinement",
        "relion.maskcreate": "mask creation",
        "relion.postprocess": "post-processing",
    }
    assert {each.status for each in found.record.steps} == {"succeeded"}
    assert step(found, "PostProcess/job005").inputs == ("Refine3D/job003", "MaskCreate/job004")
    assert step(found, "Refine3D/job003").software_version == "3.1.3"


def test_what_the_pipeliner_shows_of_results_is_kept(tmp_path: Path) -> None:
    place = project(PIPELINER, tmp_path)
    job = place / "PostProcess/job005"
    table = {
        "title": "Geometry",
        "dobj_type": "table",
        "headers": ["Metric", "Value", "Expected"],
        "table_data": [["Clashscore", 3.2, "< 10"], ["Outliers", "0.1 %", "< 1 %"], ["short"]],
    }
    (job / ".results_display000_table.json").write_text(json.dumps(table))
    text = {"title": "Verdict", "dobj_type": "text", "display_data": "well done"}
    (job / ".results_display001_text.json").write_text(json.dumps(text))
    (job / ".results_display002_text.json").write_text("[" * 100_000)
    noted = step(harvest(place), "PostProcess/job005")
    (job / "note.txt").unlink()
    found = step(harvest(place), "PostProcess/job005")
    assert found.parameters["command"] == noted.parameters["command"]
    assert found.results["Geometry: Clashscore: Value"] == "3.2"
    assert found.results["Geometry: Outliers: Expected"] == "< 1 %"
    assert found.results["Verdict"] == "well done"
    assert str(found.parameters["command"]).startswith("/usr/bin/relion_postprocess --mask MaskCreate/job004")


@pytest.mark.parametrize("final", ["Class3D/job006", "job006", "Class3D/job006/"])
def test_another_step_may_be_final(tmp_path: Path, final: str) -> None:
    found = harvest(project(RELION, tmp_path), final)
    assert found.final == "Class3D/job006"
    assert found.record.processing.classes_3d == 2
    assert found.record.processing.resolution == pytest.approx(56)
    assert found.record.processing.map_path is None  # which of the two classes, nobody has said
    with pytest.raises(NotHarvested, match=r"There is no step job099 in .*; there are: Import/job001, "):
        harvest(tmp_path / RELION, "job099")


def test_without_the_list_of_jobs_each_job_tells_its_own(tmp_path: Path) -> None:
    place = project(RELION, tmp_path)
    whole = harvest(place)
    (place / "default_pipeline.star").unlink()
    found = harvest(place)
    assert [each.name for each in found.record.steps] == [each.name for each in whole.record.steps]
    assert found.record.processing == whole.record.processing


def test_without_post_processing_the_refinement_is_final(tmp_path: Path) -> None:
    place = project(RELION, tmp_path)
    for folder in ("PostProcess", "MaskCreate"):
        shutil.rmtree(place / folder)
    (place / "default_pipeline.star").unlink()
    found = harvest(place)
    assert found.final == "Refine3D/job005"
    known = found.record.processing
    assert known.map_path == "Refine3D/job005/run_class001.mrc"
    assert (known.resolution, known.resolution_method) == (21.0, "FSC 0.143 CUT-OFF")


def test_a_harvest_that_was_written_is_read_again(tmp_path: Path) -> None:
    found = harvest(project(RELION, tmp_path))
    file = tmp_path / "harvest.json"
    file.write_text(found.model_dump_json(exclude_none=True))
    assert harvest(file) == found
    with pytest.raises(NotHarvested, match="written for one final step"):
        harvest(file, "Class3D/job006")


def test_a_folder_without_a_project(tmp_path: Path) -> None:
    with pytest.raises(NotHarvested, match="is no project of RELION"):
        harvest(tmp_path)
    with pytest.raises(NotHarvested, match="is no project of RELION"):
        harvest(tmp_path / "gone")


def test_a_job_is_not_taken_for_the_project(tmp_path: Path) -> None:
    place = project(RELION, tmp_path)
    shutil.copy(place / "default_pipeline.star", place / "Refine3D/job005")
    with pytest.raises(NotHarvested, match=r"is a job of the project .*, with --final Refine3D/job005\."):
        harvest(place / "Refine3D/job005")
    assert harvest(place / "default_pipeline.star") == harvest(place)


def test_a_damaged_table_is_told_and_the_rest_read(tmp_path: Path) -> None:
    place = project(RELION, tmp_path)
    (place / "Refine3D/job005/run_model.star").write_text(
        "data_model_general\n\nloop_\n_rlnA #1\n_rlnB #2\n1\n"
    )
    (place / "Class2D/job004/job.star").write_text("data_job\n_a 'unclosed\n")
    found = harvest(place)
    assert found.record.processing.resolution == 21.0  # of the post-processing
    assert any("a row has 1 values for 2 columns" in each for each in found.refused)
    assert any(each.startswith("Class2D/job004/job.star: ") for each in found.refused)
    (place / "default_pipeline.star").write_bytes(b"\x00\xff no star")
    with pytest.raises(FormatError, match=r"default_pipeline\.star"):
        harvest(place)


def test_a_helical_refinement_is_told(tmp_path: Path) -> None:
    place = project(RELION, tmp_path)
    job = place / "Refine3D/job005/job.star"
    text = job.read_text()
    assert "do_helix         No" in text
    job.write_text(text.replace("do_helix         No", "do_helix        Yes"))
    (said,) = harvest(place).refused
    assert said.startswith("Refine3D/job005 was helical")


def test_optics_groups_that_differ_are_told(tmp_path: Path) -> None:
    place = project(RELION, tmp_path)
    star = place / "Refine3D/job005/run_data.star"
    group = "opticsGroup1            1   300.000000"
    lines = star.read_text().split("\n")
    (row,) = [line for line in lines if line.startswith(group)]
    lines.insert(lines.index(row) + 1, row.replace(group, "opticsGroup2            2   200.000000"))
    star.write_text("\n".join(lines))
    found = harvest(place)
    assert found.record.instrument.acceleration_voltage == 300
    assert found.refused == ("Refine3D/job005/run_data.star: rlnVoltage is 200 to 300; the first is used.",)


def test_relion_itself_makes_a_project_that_is_read(tmp_path: Path) -> None:
    """The programs of the machine, of whatever version they are."""
    require_relion()
    rng = np.random.default_rng(1)
    (tmp_path / "Movies").mkdir()
    for number in (1, 2):
        movie = rng.poisson(2, (3, 64, 64)).astype(np.int16)
        write_mrc(tmp_path / f"Movies/m{number}.mrcs", movie, 1.5)
    (tmp_path / "default_pipeline.star").write_text("data_pipeline_general\n\n_rlnPipeLineJobCounter 1\n\n")
    jobs = {
        "Import": "fn_in_raw == Movies/*.mrcs;angpix == 1.5;kV == 200;Cs == 1.4;Q0 == 0.07",
        "MotionCorr": "input_star_mics == Import/job001/movies.star;do_own_motioncor == Yes;patch_x == 1;"
        "patch_y == 1;nr_threads == 1;nr_mpi == 1;dose_per_frame == 0.5",
    }
    for number, (kind, options) in enumerate(jobs.items(), 1):
        pipeliner(tmp_path, "--addJob", kind, "--addJobOptions", options)
        name = f"{kind}/job{number:03d}/"
        pipeliner(tmp_path, "--RunJobs", name, "--schedule", f"s{number}", "--sec_wait_after", "0")
    found = harvest(tmp_path)
    assert [(each.name, each.status) for each in found.record.steps] == [
        ("Import/job001", "succeeded"),
        ("MotionCorr/job002", "succeeded"),
    ]
    assert found.final is None
    assert found.record.processing.micrographs == 2
    assert found.record.processing.dose_per_frame == pytest.approx(0.5)
    assert found.record.instrument.acceleration_voltage == 200
    assert found.record.acquisition.pixel_size == pytest.approx(1.5)
    assert found.record.steps[1].inputs == ("Import/job001",)


def pipeliner(folder: Path, *arguments: str) -> None:
    command = ["relion_pipeliner", *arguments]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=100)
