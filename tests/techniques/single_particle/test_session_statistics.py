import math
import statistics
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eucentric.engine.protocol import Task
from eucentric.metadata import CTF, ExposureMetadata, Micrograph
from eucentric.techniques.single_particle.session_statistics import SummariseSession

OPTICS = {"pixel_size": 1.0, "voltage": 300, "spherical_aberration": 2.7, "amplitude_contrast": 0.1}


def entry(motion=5.0, defocus=None, astigmatism=100.0, resolution=4.0, target=None):
    ctf = defocus and CTF(
        **OPTICS,
        micrograph_path="a.mrc",
        diagnostic_path="a.png",
        defocus_u=defocus + astigmatism / 2,
        defocus_v=defocus - astigmatism / 2,
        defocus_angle=0,
        resolution=resolution,
        score=0.5,
    )
    metadata = target and ExposureMetadata(path="a.mdoc", bytes=1, modified=0, target_defocus=target)
    micrograph = Micrograph(**OPTICS, path="a.mrc", height=10, width=10, motion_total=motion)
    return SummariseSession.Entry(micrograph, ctf, metadata)


def update(state, added, removed=()):
    task = Task(key=("a",), folder=Path(), destination="", session=Path())
    return SummariseSession().update(state, added, removed, task)


entries = st.builds(
    entry,
    motion=st.floats(0, 100),
    defocus=st.none() | st.floats(3_000, 60_000),
    astigmatism=st.floats(0, 2_000),
    resolution=st.floats(2, 30),
    target=st.none() | st.floats(3_000, 60_000),
)


def test_means_are_those_of_the_entries_and_a_missing_ctf_or_target_is_left_out():
    _, summary = update(None, [entry(2, 10_000, target=9_000), entry(4, 20_000), entry(9)])
    assert (summary.exposures, summary.fitted) == (3, 2)
    assert summary.motion_mean == 5
    assert summary.defocus_mean == 15_000
    assert summary.defocus_deviation == pytest.approx(statistics.stdev([10_000, 20_000]))
    assert summary.defocus_error_mean == 1_000
    assert summary.astigmatism_mean == 100


@given(st.lists(entries, min_size=1, max_size=8), st.lists(entries, max_size=8))
def test_taking_entries_back_leaves_what_the_others_alone_give(kept, gone):
    state, _ = update(None, [*kept, *gone])
    _, after = update(state, [], gone)
    _, alone = update(None, kept)
    for name, value in alone.model_dump().items():
        found = after.model_dump()[name]
        if isinstance(value, float):
            assert math.isclose(found, value, rel_tol=1e-6, abs_tol=0.5), name
        else:
            assert found == value, name


def test_nothing_is_left_of_nothing():
    state, _ = update(None, [entry(3, 12_345.678)])
    _, summary = update(state, [], [entry(3, 12_345.678)])
    assert summary.exposures == 0
    assert summary.defocus_mean is None
    assert summary.defocus_histogram is None


def test_histograms_count_what_lies_beyond_in_the_last_bin():
    _, summary = update(None, [entry(10_000, 100_000, resolution=3)])
    assert summary.motion_histogram.counts[-1] == 1
    assert summary.defocus_histogram.counts[-1] == 1
    assert summary.resolution_histogram.counts[6] == 1
    assert len(summary.resolution_histogram.edges) == 31
