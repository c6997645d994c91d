"""Classification by RELION as particles come, against their true views."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from classified_views import OPTICS, adjusted_rand_index, true_particles, view_images
from eucentric.engine.protocol import Task
from eucentric.formats import (
    ParticleOptics,
    open_frames,
    read_particles_star,
    read_star,
    write_mrc,
    write_particles_star,
)
from eucentric.metadata import ClassAverages, Particles
from eucentric_relion.class2d import GatheredParticles, RelionClass2D

BOX, PIXEL, DIAMETER, EACH, MICROGRAPHS = 32, 7.0, 170.0, 40, 5
TRUE = true_particles(
    MICROGRAPHS * EACH,
    view_images(3, BOX, PIXEL, 1),
    PIXEL,
    snr=0.8,
    seed=2,
    largest_shift=1.5,
    per_micrograph=EACH,
)
SETTINGS = {"classes": 4, "iterations": 10, "angle": 12, "largest_shift": 21, "worst": 40}
Made = tuple[GatheredParticles, ClassAverages]


def entry(session: Path, number: int) -> RelionClass2D.Entry:
    """Write the particles of one micrograph, whose name RELION could not be told."""
    mine = slice(number * EACH, (number + 1) * EACH)
    stack, star, micrograph = (f"m {number}{end}" for end in (".mrcs", ".star", " (a).mrc"))
    half = np.float16 if number == 1 else np.float32
    write_mrc(session / stack, TRUE.images[mine].numpy().astype(half), PIXEL)
    u, v, angle = TRUE.defocus[number].tolist()
    rows = {
        "x": np.arange(EACH) * 10.0,
        "y": 5.0,
        "image": [f"{n + 1:06d}@{stack}" for n in range(EACH)],
        "micrograph_path": micrograph,
        "optics_group": 1,
        "defocus_u": u,
        "defocus_v": v,
        "defocus_angle": angle,
        "phase_shift": 0.0,
    }
    optics = ParticleOptics(1, "opticsGroup1", **OPTICS, pixel_size=PIXEL, box=BOX)
    write_particles_star(session / star, [optics], pd.DataFrame(rows))
    item = Particles(
        path=star,
        stack_path=stack,
        micrograph_path=micrograph,
        count=EACH,
        box=BOX,
        diameter=DIAMETER,
        phase_flipped=False,
        pixel_size=PIXEL,
        **OPTICS,
    )
    return RelionClass2D.Entry(item)


@pytest.fixture
def entries(session: Path) -> list[RelionClass2D.Entry]:
    return [entry(session, number) for number in range(MICROGRAPHS)]


def views_of(session: Path, path: str | None) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the true views of the particles in a table, and their classes."""
    rows = read_particles_star(session / str(path))[1]
    number, _, stack = rows["image"].str.partition("@").T.to_numpy()
    which = [int(s[2:-5]) * EACH + int(n) - 1 for n, s in zip(number, stack, strict=True)]
    return TRUE.view[which], torch.tensor(rows["class_number"].to_numpy() - 1)


def test_classes_come_with_enough_particles_and_again_when_they_have_grown(
    session: Path, task_of: Callable[..., Task], entries: Sequence[RelionClass2D.Entry]
) -> None:
    def update(version: str, state: GatheredParticles | None, **batch: object) -> Made:
        params = RelionClass2D.Params(least=2 * EACH, growth=2.5, **SETTINGS)
        given = {"added": [], "removed": [], **batch}
        return RelionClass2D(params).update(state, **given, task=task_of(version))  # type: ignore[arg-type]

    state, none = update("v1", None, added=entries[:1])
    assert (none.path, none.classes, none.particles, none.box) == (None, 0, 0, BOX)
    state, first = update("v2", state, added=entries[1:2])
    assert (first.particles, state.classified) == (80, 80)
    state, carried = update("v3", state, added=entries[2:3], removed=entries[:1])
    # The classes are those of before, in files of this version, without the particles that were withdrawn.
    assert carried.path == "v3/averages.mrcs"
    assert (session / carried.path).read_bytes() == (session / str(first.path)).read_bytes()
    assert (carried.particles, state.classified) == (EACH, 80)
    assert set(read_particles_star(session / str(carried.particles_path))[1]["micrograph_path"]) == {
        "m 1 (a).mrc"
    }
    assert len(read_particles_star(session / str(state.table_path))[1]) == 2 * EACH
    state, last = update("v4", state, added=[entries[0], *entries[3:]])
    assert (last.particles, state.classified) == (200, 200)
    assert adjusted_rand_index(*views_of(session, last.particles_path)) > 0.9
    check_files(session, last)
    state, gone = update("v5", state, removed=entries)
    assert (gone.path, gone.particles, state.table_path) == (None, 0, None)


def check_files(session: Path, found: ClassAverages) -> None:
    """Check that what a classification wrote fits together, and shows particles."""
    table = read_star(session / str(found.table_path))["model_classes"]
    assert isinstance(table, pd.DataFrame)
    assert len(table) == found.classes <= 4
    assert table["rlnGroupNrParticles"].sum() == found.particles
    assert table["rlnSelected"].sum() == found.selected_classes >= 2
    assert found.resolution == table["rlnEstimatedResolution"].min() < 30
    with open_frames(session / str(found.path)) as frames:
        averages = np.stack(list(frames))
    assert averages.shape == (found.classes, BOX, BOX)
    axis = np.arange(BOX) - BOX // 2
    radius = np.hypot(axis[:, None], axis[None, :]) * PIXEL
    for average in averages[table["rlnSelected"].to_numpy() == 1]:
        assert average[radius < 50].mean() > 3 * abs(average[radius > 95].mean())  # white, on nothing
    assert found.selected_particles == len(read_particles_star(session / str(found.selected_path))[1])
    assert {file.name for file in (session / "v4").iterdir()} == {
        "averages.mrcs",
        "averages.png",
        "classes.star",
        "gathered.star",
        "particles.star",
        "selected.star",
    }


def test_particles_of_another_size_are_refused(
    session: Path, task_of: Callable[..., Task], entries: Sequence[RelionClass2D.Entry]
) -> None:
    other = entries[1].particles.model_copy(update={"box": 64})
    with pytest.raises(ValueError, match=r"have 64 px of 7 Å, those before 32 px"):
        RelionClass2D().update(None, [entries[0], RelionClass2D.Entry(other)], [], task_of("v1"))


def test_a_failure_names_the_program(
    session: Path, task_of: Callable[..., Task], entries: Sequence[RelionClass2D.Entry]
) -> None:
    stack = session / entries[0].particles.stack_path
    stack.write_bytes(stack.read_bytes()[:3000])
    params = RelionClass2D.Params(least=1, **SETTINGS)
    with pytest.raises(Exception, match=r"relion_refine 3\.1\.\d ended with exit code 1\.|is cut short"):
        RelionClass2D(params).update(None, entries[:1], [], task_of("v1"))
