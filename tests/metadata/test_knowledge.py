"""Readings in, typed records out: what counts, what does not agree, what patches what."""

from datetime import UTC, datetime
from typing import Any

import pytest

from eucentric.metadata.knowledge import Knowledge, resolve
from eucentric.metadata.readings import Collector, Findings, Reading, agree
from eucentric.metadata.records import AcquisitionRecord, SessionRecord
from eucentric.metadata.registry import InstrumentEntry
from eucentric.metadata.vocabulary import Source


def readings(source: Source, file: str = "a.xml", **values: Any) -> tuple[Reading, ...]:
    collector = Collector(source, file)
    for name, value in values.items():
        collector.add(name.replace("__", "."), value, name)
    assert collector.refused == []
    return collector.taken()


def only(knowledge: Knowledge) -> AcquisitionRecord:
    (record,) = knowledge.record().acquisitions
    return record


K3 = {
    "detector__name": "BioQuantum K3",
    "exposure__shown_pixel_size": 1.0558814,
    "exposure__shown_width": 2880,
    "exposure__shown_height": 2046,
    "exposure__shown_binning": 2,
}


@pytest.mark.parametrize(
    ("size", "pixel_size", "binning", "mode"),
    [
        ((5760, 4092), 0.5279407, 1, "counting"),
        ((11520, 8184), 0.26397035, 0.5, "super-resolution"),
        ((2880, 2046), 1.0558814, 2, "counting"),
        ((4092, 5760), 0.5279407, 1, "counting"),
    ],
)
def test_the_pixel_and_the_mode_follow_from_the_size_of_the_movie(
    size: tuple[int, int], pixel_size: float, binning: float, mode: str
) -> None:
    companion = readings("companion", **K3, detector__mode="counting")
    header = readings("header", "a.tif", exposure__width=size[0], exposure__height=size[1])
    found = resolve([*companion, *header])
    assert found.value("exposure.pixel_size") == pytest.approx(pixel_size, rel=1e-7)
    assert found.value("exposure.binning") == pytest.approx(binning)
    assert found.value("detector.mode") == mode


def test_a_movie_that_cannot_show_the_same_area_gets_no_pixel_size() -> None:
    header = readings("header", "a.tif", exposure__width=4096, exposure__height=4096)
    assert resolve([*readings("companion", **K3), *header]).value("exposure.pixel_size") is None


def test_a_header_that_says_another_pixel_size_is_reported() -> None:
    header = readings(
        "header", "a.tif", exposure__width=5760, exposure__height=4092, exposure__pixel_size=1.0559
    )
    found = resolve([*readings("companion", **K3), *header])
    assert found.value("exposure.pixel_size") == pytest.approx(0.5279407)
    ((used, other),) = found.differing
    assert (used.origin.source, other.origin.source) == ("derived", "header")


def test_what_follows_from_a_value_does_not_contradict_it() -> None:
    header = readings("header", "a.tif", exposure__width=11520, exposure__height=8184)
    assert resolve([*readings("companion", **K3), *header]).differing == []


def test_sources_count_in_the_order_of_the_term() -> None:
    every = [
        *readings("session", "s", acquisition__holder="one"),
        *readings("companion", "c", acquisition__holder="two"),
        *readings("registry", "", acquisition__holder="three"),
    ]
    assert resolve(every).value("acquisition.holder") == "three"  # the facility knows its holders
    every += readings("operator", "o", acquisition__holder="four")
    assert resolve(every).value("acquisition.holder") == "four"
    voltages = [
        *readings("registry", "", instrument__acceleration_voltage=300),
        *readings("companion", "c", instrument__acceleration_voltage=200),
    ]
    assert resolve(voltages).value("instrument.acceleration_voltage") == 200


def test_late_metadata_patch_what_is_there_and_a_file_replaces_itself() -> None:
    knowledge = Knowledge()
    header = readings("header", "a.tif", exposure__width=5760, exposure__height=4092)
    knowledge.add("a.tif", Findings("movie", exposures={"a": header}))
    assert only(knowledge).acquisition.pixel_size is None
    knowledge.add("a.xml", Findings("XML", exposures={"a": readings("companion", **K3)}))
    assert only(knowledge).acquisition.pixel_size == pytest.approx(0.5279407)
    doubled = {**K3, "exposure__shown_pixel_size": 2 * 1.0558814}
    knowledge.add("a.xml", Findings("XML", exposures={"a": readings("companion", **doubled)}))
    assert only(knowledge).acquisition.pixel_size == pytest.approx(1.0558814)
    assert only(knowledge).contradictions == ()
    knowledge.forget("a.tif")
    knowledge.forget("a.xml")
    assert knowledge.record() == SessionRecord()


def test_grids_magnifications_and_intents_are_acquisitions_of_their_own() -> None:
    knowledge = Knowledge()
    for number, (group, magnification, intent) in enumerate(
        [
            ("g1", 105_000, "collection"),
            ("g1", 105_000, "collection"),
            ("g1", 81_000, "collection"),
            ("g2", 105_000, "collection"),
            ("g2", 580, "screening"),
        ]
    ):
        said = readings(
            "companion",
            f"{number}.xml",
            acquisition__nominal_magnification=magnification,
            acquisition__intent=intent,
        )
        knowledge.add(f"{number}.xml", Findings("XML", exposures={str(number): said}), group)
    found = knowledge.record().acquisitions
    assert [(each.acquisition.name, len(each.exposures)) for each in found] == [
        ("g1-collection-105000x", 2),
        ("g1-collection-81000x", 1),
        ("g2-collection-105000x", 1),
        ("g2-screening-580x", 1),
    ]


def test_a_movie_of_which_little_is_known_belongs_where_it_can() -> None:
    knowledge = Knowledge()
    for number in range(3):
        said = readings("companion", f"{number}.xml", acquisition__nominal_magnification=81_000, **K3)
        knowledge.add(f"{number}.xml", Findings("XML", exposures={str(number): said}), "g")
    size = readings("header", "9.tif", exposure__width=5760, exposure__height=4092)
    knowledge.add("9.tif", Findings("movie", exposures={"9": size}), "g")
    assert len(only(knowledge).exposures) == 4


def test_what_only_a_session_plans_is_no_exposure() -> None:
    knowledge = Knowledge()
    planned = {name: readings("session", "GridSquare.dm", exposure__grid_square="7") for name in "ab"}
    knowledge.add("GridSquare.dm", Findings("square", exposures=planned))
    knowledge.add("a.xml", Findings("XML", exposures={"a": readings("companion", **K3)}))
    (exposure,) = only(knowledge).exposures
    assert (exposure.name, exposure.grid_square) == ("a", "7")


def test_a_stack_of_sections_is_no_exposure_itself() -> None:
    knowledge = Knowledge()
    size = readings("header", "TS_01.mrc", exposure__width=924, exposure__height=958)
    knowledge.add("TS_01.mrc", Findings("image", exposures={"TS_01": size}))
    sections = {f"TS_01[{n}]": readings("companion", "TS_01.mrc.mdoc", exposure__section=n) for n in (0, 1)}
    knowledge.add("TS_01.mrc.mdoc", Findings("tilt series", exposures=sections, stack="TS_01"))
    assert [each.name for each in only(knowledge).exposures] == ["TS_01[0]", "TS_01[1]"]


# ---------------------------------------------------------------- summaries


def test_a_tilt_series_is_counted_in_tilts_and_stepped_by_sorted_angles() -> None:
    """Range over count would be 2.927 for these 41 angles of 3°."""
    knowledge = Knowledge()
    angles = [0.0]
    for number in range(1, 21):
        angles += [3.0 * number, -3.0 * number]
    shared = readings("companion", "t.mdoc", exposure__tilt_series="T", acquisition__technique="tomography")
    sections = {
        f"t{number}": readings("companion", "t.mdoc", exposure__tilt_angle=angle, exposure__dose=3)
        for number, angle in enumerate(angles)
    }
    knowledge.add("t.mdoc", Findings("tilt series", shared, sections))
    record = only(knowledge)
    (series,) = record.tilt_series
    assert (series.images, series.tilt_angle_increment, series.dose) == (41, 3.0, 123)
    assert (series.tilt_angle_minimal, series.tilt_angle_maximal) == (-60, 60)
    assert record.acquisition.images_generated == 41
    assert record.acquisition.tilt_angle_increment == 3.0
    assert record.acquisition.tilt_series == 1


def test_doses_are_averaged_and_defoci_ranged() -> None:
    knowledge = Knowledge()
    for name, dose, defocus in (("a", 28.5048, 4000), ("b", 26.577, 12_000)):
        said = readings("companion", f"{name}.xml", exposure__dose=dose, exposure__nominal_defocus=defocus)
        knowledge.add(f"{name}.xml", Findings("XML", exposures={name: said}))
    acquisition = only(knowledge).acquisition
    assert acquisition.dose_per_movie == pytest.approx(27.5409)
    assert (acquisition.nominal_defocus_minimal, acquisition.nominal_defocus_maximal) == (4000, 12_000)


def test_times_with_and_without_a_zone_are_compared_as_the_clock_shows_them() -> None:
    knowledge = Knowledge()
    for name, when in (("a", datetime(2024, 1, 1, 12, tzinfo=UTC)), ("b", datetime(2024, 1, 1, 11))):
        said = readings("companion", f"{name}.xml", exposure__date_time=when)
        knowledge.add(f"{name}.xml", Findings("XML", exposures={name: said}))
    assert only(knowledge).acquisition.date_time == datetime(2024, 1, 1, 11)


# ---------------------------------------------------------------- contradictions


def test_exposures_that_should_have_the_same_and_have_not_are_reported_once() -> None:
    knowledge = Knowledge()
    for number in range(5):
        voltage = 200 if number == 3 else 300
        said = readings("companion", f"{number}.xml", instrument__acceleration_voltage=voltage)
        knowledge.add(f"{number}.xml", Findings("XML", exposures={str(number): said}))
    record = only(knowledge)
    assert record.instrument.acceleration_voltage == 300
    assert record.provenance["instrument.acceleration_voltage"].exposures == 4
    (found,) = record.contradictions
    assert (found.used, found.other, found.exposures) == (300, 200, 1)
    assert "acceleration voltage is 300.0" in found.sentence()


def test_sources_that_differ_about_exposures_are_reported_once_with_an_example() -> None:
    knowledge = Knowledge()
    for number in range(20):
        xml = readings("companion", f"{number}.xml", exposure__exposure_time=1.0)
        header = readings("header", f"{number}.tif", exposure__exposure_time=2.0)
        knowledge.add(f"{number}.xml", Findings("XML", exposures={str(number): xml}))
        knowledge.add(f"{number}.tif", Findings("movie", exposures={str(number): header}))
    (found,) = only(knowledge).contradictions
    assert (found.term, found.exposures, found.example) == ("exposure.exposure_time", 20, "0")


def test_what_was_planned_is_no_contradiction_of_what_was_done() -> None:
    knowledge = Knowledge()
    planned = readings(
        "session", "s.dm", acquisition__nominal_defocus_minimal=5000, acquisition__exposure_time=0.5
    )
    knowledge.add("s.dm", Findings("session", by_intent={"collection": planned}))
    said = readings(
        "companion",
        acquisition__intent="collection",
        exposure__nominal_defocus=20_000,
        exposure__exposure_time=2,
    )
    knowledge.add("a.xml", Findings("XML", exposures={"a": said}))
    record = only(knowledge)
    assert record.acquisition.nominal_defocus_minimal == 20_000
    assert [each.term for each in record.contradictions] == ["acquisition.exposure_time"]


def test_presets_hold_for_their_intent_only() -> None:
    knowledge = Knowledge()
    preset = readings("session", "s.dm", acquisition__frames_per_movie=50)
    knowledge.add("s.dm", Findings("session", by_intent={"collection": preset}))
    for name, intent in (("a", "collection"), ("b", "screening")):
        said = readings("companion", f"{name}.xml", acquisition__intent=intent)
        knowledge.add(f"{name}.xml", Findings("XML", exposures={name: said}))
    data, search = knowledge.record().acquisitions
    assert (data.acquisition.frames_per_movie, search.acquisition.frames_per_movie) == (50, None)


@pytest.mark.parametrize(
    ("term", "one", "other", "same"),
    [
        ("instrument.acceleration_voltage", 300.0, 300.1, True),
        ("instrument.acceleration_voltage", 300.0, 299.0, False),
        ("exposure.dose", 40.0, 41.0, True),
        ("instrument.name", "Krios  1", "krios 1", True),
        ("exposure.date_time", datetime(2024, 1, 1, 12), datetime(2024, 1, 1, 11, tzinfo=UTC), True),
        ("exposure.date_time", datetime(2024, 1, 1, 12), datetime(2024, 1, 1, 12, 30), False),
        ("energy_filter.used", True, False, False),
        ("exposure.path", "X:\\a\\b.tif", "/data/b.tif", True),
        ("exposure.path", "X:\\a\\b.tif", "/data/c.tif", False),
    ],
)
def test_values_agree_within_their_tolerance(term: str, one: Any, other: Any, same: bool) -> None:
    assert agree(term, one, other) is same


# ---------------------------------------------------------------- registry and records


REGISTRY = {
    "Krios 1": InstrumentEntry.model_validate(
        {
            "matches": ["TITAN52336320", "EMBL Krios"],
            "model": "Titan Krios G3i",
            "manufacturer": "Thermo Fisher Scientific",
            "cs": 2.7,
            "cryogen": "nitrogen",
            "holder": "Titan Krios autogrid holder",
            "energy_filter": "BioQuantum",
            "detectors": {
                "BioQuantum K3": {"matches": ["EF-CCD"], "model": "K3", "physical_pixel_size": 5},
                "Ceta": {"physical_pixel_size": 14},
            },
        }
    ),
    "Glacios": InstrumentEntry(matches=("TITAN99",), cs=2.7),
}


def test_the_registry_tells_what_no_file_holds() -> None:
    knowledge = Knowledge(REGISTRY)
    said = readings("companion", instrument__serial_number="TITAN52336320", **K3)
    header = readings("header", "a.tif", exposure__width=5760, exposure__height=4092)
    knowledge.add("a.xml", Findings("XML", exposures={"a": said}))
    knowledge.add("a.tif", Findings("movie", exposures={"a": header}))
    record = only(knowledge)
    assert (record.instrument.name, record.instrument.model, record.instrument.cs) == (
        "Krios 1",
        "Titan Krios G3i",
        2.7,
    )
    assert record.acquisition.cryogen == "nitrogen"
    assert record.energy_filter.model == "BioQuantum"
    assert record.detector.physical_pixel_size == 5
    assert record.acquisition.calibrated_magnification == pytest.approx(50_000 / 0.5279407)
    assert record.provenance["instrument.cs"].origin.source == "registry"
    assert record.contradictions == ()


def test_an_instrument_that_is_not_named_is_not_guessed() -> None:
    knowledge = Knowledge(REGISTRY)
    knowledge.add("a.xml", Findings("XML", exposures={"a": readings("companion", **K3)}))
    assert only(knowledge).instrument.cs is None
    named = Knowledge(REGISTRY, instrument="Krios 1")
    named.add("a.xml", Findings("XML", exposures={"a": readings("companion", **K3)}))
    assert only(named).instrument.cs == 2.7


def test_a_part_of_a_title_names_an_instrument_but_no_part_of_a_word() -> None:
    for title, name in (
        ("EMBL Krios 2 Quantum K3", "Krios 1"),
        ("EMBL Kriossss", None),
        ("TITAN523363201", None),
    ):
        knowledge = Knowledge(REGISTRY)
        said = readings("companion", instrument__name=title)
        knowledge.add("a.mdoc", Findings("mdoc", exposures={"a": said}))
        found = only(knowledge).provenance["instrument.name"]
        assert (found.value if found.origin.source == "registry" else None) == name


def test_cameras_of_the_properties_are_told_by_their_number() -> None:
    knowledge = Knowledge()
    collector = Collector("property", "SerialEMproperties.txt")
    collector.add("detector.name", "K3 GAT23390027", "Camera0", part="0")
    collector.add("detector.name", "CETA Camera", "Camera1", part="1")
    knowledge.add("SerialEMproperties.txt", Findings("properties", collector.taken()))
    said = readings("companion", "a.mdoc", detector__number=0)
    knowledge.add("a.mdoc", Findings("mdoc", exposures={"a": said}))
    assert [each.name for each in only(knowledge).detectors] == ["K3 GAT23390027"]


def test_several_detectors_share_what_has_no_part() -> None:
    knowledge = Knowledge()
    collector = Collector("header", "a.emd")
    collector.add("detector.manufacturer", "somebody", "x")
    for name in ("HAADF", "BF"):
        collector.add("detector.name", name, "DetectorName", part=name)
    knowledge.add("a.emd", Findings("Velox", exposures={"a": collector.taken()}))
    found = only(knowledge).detectors
    assert {(each.name, each.manufacturer) for each in found} == {("HAADF", "somebody"), ("BF", "somebody")}


def test_records_survive_json() -> None:
    knowledge = Knowledge(REGISTRY)
    said = readings(
        "companion",
        instrument__serial_number="TITAN52336320",
        exposure__date_time=datetime(2024, 1, 1, 12, tzinfo=UTC),
        **K3,
    )
    knowledge.add("a.xml", Findings("XML", exposures={"a": said}))
    record = knowledge.record()
    again = SessionRecord.model_validate_json(record.model_dump_json())
    assert again.acquisitions[0].instrument == record.acquisitions[0].instrument
    assert again.acquisitions[0].exposures == record.acquisitions[0].exposures


def test_a_value_is_read_by_its_term() -> None:
    record = AcquisitionRecord.model_validate(
        {"instrument": {"cs": 2.7}, "detectors": [{"name": "K3"}, {"name": "Ceta"}]}
    )
    assert record.value("instrument.cs") == 2.7
    assert record.value("detector.name") == "K3"
    assert record.value("grid.name") is None
