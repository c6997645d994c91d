"""The selection by itself, and in a living session whose thresholds and metadata change."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from engine.stage import Stage
from eucentric.engine.commands import Revise
from eucentric.engine.protocol import Rejected, Task
from eucentric.engine.workflow import RunSpec, Workflow
from eucentric.metadata import CTF, ExposureMetadata, Item, Micrograph
from eucentric.store import Site
from eucentric.techniques.single_particle.select_exposures import SelectExposures

OPTICS = {"pixel_size": 1.0, "voltage": 300, "spherical_aberration": 2.7, "amplitude_contrast": 0.1}


def ctf(defocus: float = 15_000, astigmatism: float = 200, **figures: float | None) -> CTF:
    values = {
        "micrograph_path": "a.mrc",
        "diagnostic_path": "a.png",
        "defocus_u": defocus + astigmatism / 2,
        "defocus_v": defocus - astigmatism / 2,
        "defocus_angle": 0,
        "resolution": 4.0,
        "score": 0.5,
    }
    return CTF(**(OPTICS | values | figures))


def micrograph(**figures: float | None) -> Micrograph:
    return Micrograph(**(OPTICS | {"path": "a.mrc", "height": 10, "width": 10} | figures))


def metadata(target: float | None) -> ExposureMetadata:
    return ExposureMetadata(path="a.xml", bytes=1, modified=0, target_defocus=target)


def reason(
    micrograph: Micrograph, ctf: CTF, metadata: ExposureMetadata | None = None, **params: float | None
) -> str:
    """Why it is rejected; nothing if it passes."""
    task = Task(key=("grid", "e1"), folder=Path(), destination="", session=Path())
    try:
        passed = SelectExposures(SelectExposures.Params(**params)).process(micrograph, ctf, metadata, task)
    except Rejected as rejected:
        return str(rejected)
    assert passed == (micrograph, ctf)
    return ""


def test_a_good_exposure_passes_as_it_came() -> None:
    good = micrograph(
        motion_total=25, motion_early=12, motion_late=13, motion_local=2, mean_counts=0.9, expected_counts=1
    )
    assert reason(good, ctf(confidence=0.99, ice_ring=0.05), metadata(14_000)) == ""


@pytest.mark.parametrize(
    ("image", "fit", "target", "params", "expected"),
    [
        ({}, {"resolution": 9.3}, None, {"worst_resolution": 6}, "resolution 9.3 Å is worse than 6.0 Å"),
        ({}, {"confidence": 0.11}, None, {}, "confidence of the CTF 0.11 is less than 0.30"),
        ({}, {"defocus": 4_000}, None, {"min_defocus": 5_000}, "defocus 4,000 Å is less than 5,000 Å"),
        ({}, {"defocus": 31_000}, None, {"max_defocus": 30_000}, "defocus 31,000 Å exceeds 30,000 Å"),
        (
            {},
            {},
            21_000,
            {"max_defocus_error": 5_000},
            "distance from the intended defocus 6,000 Å exceeds 5,000 Å",
        ),
        ({}, {"astigmatism": 2_500}, None, {}, "astigmatism 2,500 Å exceeds 2,000 Å"),
        ({}, {"ice_ring": 0.7}, None, {}, "ice ring 0.70 exceeds 0.50"),
        ({"motion_total": 185}, {}, None, {}, "motion 185 Å exceeds 100 Å"),
        ({"motion_early": 31.5}, {}, None, {"max_motion_early": 30}, "early motion 31.5 Å exceeds 30.0 Å"),
        ({"motion_late": 54}, {}, None, {}, "late motion 54.0 Å exceeds 40.0 Å"),
        ({"motion_local": 9}, {}, None, {"max_motion_local": 5}, "local motion 9.0 Å exceeds 5.0 Å"),
        ({"mean_counts": 0.05}, {}, None, {"min_counts": 0.1}, "mean counts 0.050 is less than 0.100"),
        (
            {"mean_counts": 0.2, "expected_counts": 1},
            {},
            None,
            {"min_counts_ratio": 0.5},
            "counts over those of the stated dose 0.20 is less than 0.50",
        ),
        (
            {"gain_residual": -0.3},
            {},
            None,
            {"max_gain_residual": 0.1},
            "correlation with the gain reference 0.300 exceeds 0.100",
        ),
    ],
)
def test_every_threshold_rejects_with_value_and_limit(image, fit, target, params, expected) -> None:
    assert reason(micrograph(**image), ctf(**fit), target and metadata(target), **params) == expected


def test_all_reasons_are_told_at_once() -> None:
    told = reason(micrograph(motion_total=85), ctf(resolution=9.3), max_motion_total=50, worst_resolution=6)
    assert told == "resolution 9.3 Å is worse than 6.0 Å; motion 85 Å exceeds 50 Å"


def test_a_value_just_beyond_its_limit_does_not_read_like_it() -> None:
    assert reason(micrograph(), ctf(resolution=6.02), worst_resolution=6) == (
        "resolution 6.02 Å is worse than 6.00 Å"
    )


_EVERY_LIMIT = {
    name: 1e-6 if name.startswith(("max", "worst")) else 1e9
    for name in SelectExposures.Params.model_fields
    if name not in ("worst_resolution", "min_confidence", "min_defocus", "max_defocus", "max_astigmatism")
}


def test_what_is_not_known_rejects_nothing() -> None:
    unknown = _EVERY_LIMIT | {"min_counts_ratio": None, "max_gain_residual": 0, "min_confidence": 1}
    assert reason(micrograph(), ctf(), metadata(None), **unknown) == ""


@given(st.floats(3_000, 60_000), st.floats(0, 5_000), st.floats(2, 40), st.floats(0, 500))
def test_thresholds_left_empty_reject_nothing(defocus, astigmatism, resolution, motion) -> None:
    none = dict.fromkeys(SelectExposures.Params.model_fields)
    exposure = micrograph(motion_total=motion, motion_late=motion)
    assert reason(exposure, ctf(defocus, astigmatism, resolution=resolution, confidence=0), **none) == ""


def test_limits_out_of_order_are_refused() -> None:
    with pytest.raises(ValidationError, match="min_defocus must be smaller than max_defocus"):
        SelectExposures.Params(min_defocus=9_000, max_defocus=8_000)


RUNS = {
    "figures": RunSpec(protocol="test-figures"),
    "select": RunSpec(
        protocol="select-exposures",
        params={"max_defocus_error": 3_000},
        inputs={"micrograph": "figures.micrograph", "ctf": "figures.ctf", "metadata": "figures.metadata"},
    ),
    "work": RunSpec(protocol="test-work", inputs={"ctf": "select.ctf"}),
    "statistics": RunSpec(
        protocol="session-statistics", inputs={"micrograph": "select.micrograph", "ctf": "select.ctf"}
    ),
}


@pytest.fixture
def night(site: Site) -> Iterator[Stage]:
    """A session of a selection and what works on the selected."""
    shutil.copy(Path(__file__).with_name("figures_source.py"), site.protocols_folder)
    stage = Stage(site, Workflow(name="selection", runs=RUNS))
    (stage.folder / "data/figures").mkdir()
    yield stage
    stage.bell.close()
    stage.database.close()


def write(stage: Stage, exposure: str, *items: Item) -> None:
    for item in items:
        folder = stage.folder / "data/figures"
        kind = {"exposure_metadata": "metadata"}.get(item.kind, item.kind)
        (folder / f".{exposure}").write_text(item.model_dump_json())
        (folder / f".{exposure}").rename(folder / f"{exposure}.{kind}")


def worked(stage: Stage) -> set[str]:
    return set(stage.items("work"))


def counted(stage: Stage) -> int:
    return stage.items("statistics").get("", {}).get("exposures", 0)


def rejections(stage: Stage) -> dict[str, str]:
    return {row.key: row.error for row in stage.tasks("select") if row.state == "rejected"}


@pytest.mark.parametrize("site", ["sqlite"], indirect=True)
async def test_thresholds_are_revised_while_the_stream_runs(night: Stage) -> None:
    for number, resolution in enumerate((3.0, 5.0, 7.0, 12.0)):
        write(night, f"e{number}", micrograph(), ctf(resolution=resolution))
    async with night.live():
        await night.until(lambda: worked(night) == {"e0", "e1", "e2"} and counted(night) == 3, "the first")
        assert rejections(night) == {"e3": "resolution 12.0 Å is worse than 10.0 Å"}
        night.tell(Revise(run="select", params={"worst_resolution": 4}))
        await night.until(lambda: worked(night) == {"e0"} and counted(night) == 1, "the rejected go")
        assert rejections(night)["e1"] == "resolution 5.0 Å is worse than 4.0 Å"
        write(night, "e4", micrograph(), ctf(resolution=3.5))
        await night.until(lambda: worked(night) == {"e0", "e4"}, "a new one by the new thresholds")
        night.tell(Revise(run="select", params={"worst_resolution": None}))
        await night.until(lambda: len(worked(night)) == 5 and counted(night) == 5, "they come back")
        assert rejections(night) == {}
    night.check_nothing_twice()


@pytest.mark.parametrize("site", ["sqlite"], indirect=True)
async def test_late_metadata_turn_the_decision_both_ways(night: Stage) -> None:
    write(night, "near", micrograph(), ctf(15_000))
    write(night, "far", micrograph(), ctf(20_000))
    async with night.live():
        await night.until(lambda: worked(night) == {"near", "far"}, "both, as no target is known")
        write(night, "near", metadata(14_000))
        write(night, "far", metadata(14_000))
        await night.until(lambda: worked(night) == {"near"}, "one goes")
        await night.until(
            lambda: set(night.states("select").values()) == {"done", "rejected"}, "both decided"
        )
        assert rejections(night) == {"far": "distance from the intended defocus 6,000 Å exceeds 3,000 Å"}
        write(night, "far", metadata(19_000))
        await night.until(lambda: worked(night) == {"near", "far"}, "and comes back")
    done = [row.key for row in night.tasks("work", current=False) if row.state == "done"]
    assert done.count("near") == 1, "what stays selected is not worked on again"
    night.check_nothing_twice()
