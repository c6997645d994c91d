from pathlib import Path

import pytest

from eucentric.formats import FormatError
from eucentric.formats.epu_xml import MAX_BYTES, MAX_SESSION_BYTES, read_epu_session, read_epu_xml
from eucentric.formats.xml_documents import number_of

K3 = "EMharvest__FoilHole_19513699_Data_19508496_19508498_20230919_154056.xml"
FALCON = "oscem-extractor-life__FoilHole_31933450_Data_31923928_31923930_20240901_060108.xml"


def test_paths_lead_through_elements_and_dictionaries(shared: Path) -> None:
    xml = read_epu_xml(shared / "fixtures" / K3)
    assert xml.number("microscopeData/gun/AccelerationVoltage") == 300_000
    assert xml.number("CustomData/AppliedDefocus") == -2e-6
    assert xml.text("CustomData/Detectors[EF-CCD].CommercialName") == "BioQuantum K3"
    where = "microscopeData/acquisition/camera/CameraSpecificInput/FractionationSettings"
    assert xml.count(f"{where}/NumberOffractions") == 50
    when = xml.time("microscopeData/acquisition/acquisitionDateTime")
    assert when is not None
    assert when.isoformat() == "2023-09-19T15:41:00.649784+01:00"
    assert xml.flag("CustomData/PhasePlateUsed") is False
    assert xml.text("microscopeData/optics/Apertures") is None
    assert xml.text("microscopeData/none/such") is None


def test_references_are_followed_in_files_of_a_session(shared: Path) -> None:
    xml = read_epu_session(shared / "fixtures" / "EMharvest__EpuSession.dm")
    name = "Supervisor_20230919_140141_84_bi23047-106_grid1"
    assert xml.text("Name") == name
    assert xml.text("StorageFolders/_items/StorageFolderXml/SessionName") == name
    assert xml.text("MicroscopeName") is None


@pytest.mark.parametrize(
    "name",
    ["py-wwpdb_utils_emdb__emd-0001.xml", "cryoet_alignment-0.2.0__00254.xml", "EMharvest__EpuSession.dm"],
)
def test_other_xml_is_refused(shared: Path, name: str) -> None:
    with pytest.raises(FormatError, match="of another kind"):
        read_epu_xml(shared / "fixtures" / name)


def test_an_image_is_no_session(shared: Path) -> None:
    with pytest.raises(FormatError, match="of another kind"):
        read_epu_session(shared / "fixtures" / K3)


def test_a_file_that_is_not_whole_is_refused(shared: Path, tmp_path: Path) -> None:
    raw = (shared / "fixtures" / FALCON).read_bytes()
    for length in (0, 1, 1000, len(raw) - 1):
        part = tmp_path / "part.xml"
        part.write_bytes(raw[:length])
        with pytest.raises(FormatError, match="not whole XML"):
            read_epu_xml(part)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig", "utf-16-le", "latin-1"])
def test_encodings_are_those_that_the_file_states_or_begins_with(
    shared: Path, tmp_path: Path, encoding: str
) -> None:
    text = (shared / "fixtures" / K3).read_text()
    file = tmp_path / "x.xml"
    declared = {"utf-16-le": "\ufeff", "latin-1": '<?xml version="1.0" encoding="ISO-8859-1"?>'}
    file.write_bytes((declared.get(encoding, "") + text).encode(encoding))
    assert read_epu_xml(file).number("CustomData/AppliedDefocus") == -2e-6


HOSTILE = {
    "expansion": (
        '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><MicroscopeImage>&b;</MicroscopeImage>',
        "entities or a document type",
    ),
    "external": (
        '<!DOCTYPE x SYSTEM "file:///etc/passwd"><MicroscopeImage/>',
        "entities or a document type",
    ),
    "external entity": (
        '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><MicroscopeImage>&e;</MicroscopeImage>',
        "entities or a document type",
    ),
    "unknown encoding": ('<?xml version="1.0" encoding="x-nothing"?><MicroscopeImage/>', "not whole XML"),
    "no XML": ("MicroscopeImage", "not whole XML"),
    "undefined entity": ("<MicroscopeImage>&nbsp;</MicroscopeImage>", "not whole XML"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_files_are_refused_with_a_sentence(tmp_path: Path, case: str) -> None:
    text, what = HOSTILE[case]
    for name, read in (("bomb.xml", read_epu_xml), ("bomb.dm", read_epu_session)):
        file = tmp_path / name
        file.write_text(text)
        with pytest.raises(FormatError, match=what):
            read(file)


def test_deep_nesting_neither_crashes_nor_hangs(tmp_path: Path) -> None:
    file = tmp_path / "deep.xml"
    file.write_text("<MicroscopeImage>" + "<a>" * 100_000 + "</a>" * 100_000 + "</MicroscopeImage>")
    try:
        xml = read_epu_xml(file)
    except FormatError:
        return
    assert xml.text("CustomData/Dose") is None


def test_huge_files_are_refused_unread(tmp_path: Path) -> None:
    for name, read, most in (
        ("huge.xml", read_epu_xml, MAX_BYTES),
        ("huge.dm", read_epu_session, MAX_SESSION_BYTES),
    ):
        file = tmp_path / name
        with file.open("wb") as stream:
            stream.truncate(most + 1)
        with pytest.raises(FormatError, match="too many"):
            read(file)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1.5", 1.5),
        ("1,5", 1.5),
        ("-2E-06", -2e-6),
        ("-2,5E-06", -2.5e-6),
        (" 3 ", 3),
        ("NaN", None),
        ("INF", None),
        ("1,000,000", None),
        ("many", None),
        ("", None),
        (None, None),
    ],
)
def test_numbers(text: str | None, value: float | None) -> None:
    assert number_of(text) == value
