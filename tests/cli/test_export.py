"""A processed session, exported for RELION."""

import subprocess
from pathlib import Path

import numpy as np
import pytest

from cli.command_line import Cli
from eucentric.formats import read_image, read_micrographs_star, read_particles_star, read_shifts_star
from eucentric.microscope.simulate import SimulationSettings, simulate_session
from outside_programs import require_relion


@pytest.fixture
def processed(cli: Cli, tmp_path: Path) -> Path:
    """A session of three exposures, one of them empty; the folder of its site."""
    settings = SimulationSettings(
        exposures=3, width=640, height=640, frames=6, pixel_size=2.0, particles=25, faults={2: "empty"}
    )
    simulate_session(tmp_path / "raw", settings)
    command = ("run", "single-particle", "--input", tmp_path / "raw", "--site", tmp_path / "site")
    result = cli(*command, "--gain", tmp_path / "raw" / "gain.mrc", "--diameter", 150, "--session", "night",
                 "--inline", "--until-idle", "--no-monitor")  # fmt: skip
    assert result.exit_code == 0, result.stderr
    return tmp_path / "site"


def test_what_was_accepted_is_exported_and_relion_reads_it(cli: Cli, processed: Path, tmp_path: Path) -> None:
    project = tmp_path / "project"
    result = cli("export", "relion", "night", project, "--site", processed)
    assert result.exit_code == 0, result.stderr
    _, particles = read_particles_star(project / "Extract/job005/particles.star")
    assert f"2 micrographs, {len(particles)} particles. Start relion in this folder." in result.stdout
    _, micrographs = read_micrographs_star(project / "CtfFind/job003/micrographs_ctf.star")
    assert sorted(Path(row.path).stem[-4:] for row in micrographs) == ["0001", "0003"]
    shifts = read_shifts_star(project / micrographs[0].shifts_path)
    gain = read_image(project / shifts.gain_path)
    assert np.allclose(gain, read_image(tmp_path / "raw" / "gain.mrc"))
    again = cli("export", "relion", "night", project, "--site", processed)
    assert again.exit_code == 1
    assert "--update" in again.stderr
    assert cli("export", "relion", "night", project, "--site", processed, "--update").exit_code == 0
    other = cli("export", "relion", "night", tmp_path / "x", "--site", processed, "--acquisition", "nope")
    assert other.exit_code == 1
    assert "There is no acquisition nope; there are:" in other.stderr
    require_relion()
    command = [
        "relion_refine",
        "--i",
        "Extract/job005/particles.star",
        "--o",
        "Class2D/run",
        "--K",
        "1",
        "--ctf",
    ]
    command += ["--iter", "1", "--particle_diameter", "180", "--psi_step", "45", "--offset_range", "2"]
    command += ["--offset_step", "2", "--norm", "--scale", "--pad", "1"]
    (project / "Class2D").mkdir()
    subprocess.run(command, cwd=project, check=True, capture_output=True)
    assert (project / "Class2D" / "run_it001_classes.mrcs").is_file()


def test_a_session_without_results_has_nothing_to_export(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    site = tmp_path / "site"
    cli("run", "motion-and-ctf", "--input", tmp_path / "raw", "--site", site, "--inline", "--until-idle",
        "--session", "empty", "--no-monitor")  # fmt: skip
    result = cli("export", "relion", "empty", tmp_path / "project", "--site", site)
    assert result.exit_code == 1
    assert "no accepted exposure with a fitted CTF" in result.stderr
    assert not (tmp_path / "project").exists()
