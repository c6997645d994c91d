"""Projects that somebody made to mislead: they lead nowhere else, and take no more than they should."""

import json
from pathlib import Path

import pytest

from eucentric.formats import FormatError
from eucentric.interop import NotHarvested, harvest
from eucentric.interop.project_folder import MAX_TEXT, ProjectFolder
from interop.known_projects import RELION, project


@pytest.mark.parametrize("how", ["absolute", "above", "link"])
def test_files_outside_the_project_are_left_out(tmp_path: Path, how: str) -> None:
    place = project(RELION, tmp_path)
    (tmp_path / "secret.mrc").write_bytes(b"secret")
    name = {"absolute": str(tmp_path / "secret.mrc"), "above": "../secret.mrc", "link": "link.mrc"}[how]
    (place / "link.mrc").symlink_to(tmp_path / "secret.mrc")
    star = place / "PostProcess/job009/postprocess.star"
    text = star.read_text().replace("Refine3D/job005/run_half1_class001_unfil.mrc", name)
    star.write_text(text.replace("MaskCreate/job008/mask.mrc", name))
    known = harvest(place)
    assert known.record.processing.mask_path == "MaskCreate/job008/mask.mrc"  # as the mask's own job says
    assert "secret" not in str(known.record.processing)
    assert "link" not in str(known.record.processing.half_maps)
    assert any(name in each and "is not within the project" in each for each in known.refused)


def test_a_folder_of_a_job_that_leads_outside_is_not_looked_into(tmp_path: Path) -> None:
    place = project(RELION, tmp_path)
    elsewhere = project(RELION, tmp_path / "elsewhere")
    (place / "Extract").mkdir()
    (place / "Extract" / "job010").symlink_to(elsewhere / "Refine3D" / "job005")
    assert "Extract/job010" not in [each.name for each in harvest(place).record.steps]


@pytest.mark.parametrize("name", ["", "/", "/etc/passwd", "..", "a/../../x", "\0", "x" * 5000, "~"])
def test_what_is_not_within_is_not_there(tmp_path: Path, name: str) -> None:
    (tmp_path / "in").mkdir()
    folder = ProjectFolder(tmp_path / "in")
    assert folder.locate(name) is None
    assert folder.text(name) == ""


def test_what_is_too_large_is_refused(tmp_path: Path) -> None:
    with (tmp_path / "default_pipeline.star").open("wb") as file:
        file.truncate(MAX_TEXT + 1)
    with pytest.raises(FormatError, match="it is larger than"):
        harvest(tmp_path)
    with (tmp_path / "workflow.json").open("wb") as file:
        file.truncate(MAX_TEXT + 1)
    with pytest.raises(FormatError, match="it is larger than"):
        harvest(tmp_path / "workflow.json")


@pytest.mark.parametrize("text", ["{", "[" * 100_000, "\udcff", '[{"object.className": NaN}', '["\\ud800"]'])
def test_what_is_no_json_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "w.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(FormatError, match=r"w\.json: it is not valid JSON"):
        harvest(tmp_path / "w.json")


@pytest.mark.parametrize("content", [[], {}, 3, [1], [{"object.className": 1}], {"program": "RELION"}])
def test_json_of_another_kind_is_refused(tmp_path: Path, content: object) -> None:
    (tmp_path / "w.json").write_text(json.dumps(content))
    with pytest.raises(NotHarvested, match="is no workflow that Scipion exported"):
        harvest(tmp_path / "w.json")
