"""Files of other versions and sites than those at hand.

What is written in another way is read all the same; what is dropped, renamed, moved or cut off ends in
FormatError or in fewer values, in bounded memory and time.
"""

import copy
import json
import re
import time
import tracemalloc
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eucentric.formats import FormatError
from eucentric.formats.scaled_image import Axis, ScaledImage
from eucentric.formats.velox import read_velox
from eucentric.metadata.knowledge import Knowledge
from eucentric.metadata.readings import Collector, Findings
from eucentric.microscope.dm_readings import of_tags
from eucentric.microscope.metadata_readers import read_metadata
from eucentric.microscope.velox_readings import of_velox

EPU = (
    "EMharvest__FoilHole_19513699_Data_19508496_19508498_20230919_154056.xml",
    "oscem-extractor-life__FoilHole_31933450_Data_31923928_31923930_20240901_060108.xml",
    "EMharvest__GridSquare_20230919_140816.xml",
)
MDOC = (
    "oscem-extractor-life__TS_41.mrc.mdoc",
    "python-murfey__test_1.mdoc",
    "mdocfile__frame_set_single.mdoc",
    "cets-empiar__TS_complex.mdoc",
)
TEXTS = (*EPU, *MDOC, "instamatic__nav.nav", "EMharvest__Sample.dm")

ANY = settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def told(findings: Findings) -> dict[str, Any]:
    """Return what a file says, by exposure: term, part and value, but for the wording of provenance."""
    parts = {
        "": findings.readings,
        **findings.exposures,
        **{f"@{k}": v for k, v in findings.by_intent.items()},
    }
    return {key: sorted((each.term, each.part, repr(each.value)) for each in of) for key, of in parts.items()}


def taken(file: Path) -> Findings | None:
    """Read a file as far as it can be read; nothing but FormatError of one sentence may come out."""
    sentence = ""
    try:
        findings = read_metadata(file, file.name)
    except FormatError as error:
        sentence = str(error)
    if sentence:
        assert re.fullmatch(r"[^\n]+; [^\n]+\.", sentence)
        return None
    knowledge = Knowledge()
    knowledge.add(file.name, findings)
    json.dumps(knowledge.record().model_dump(mode="json"), allow_nan=False)
    return findings


# Written in another way


def with_prefixes(text: str) -> str:
    """Return XML with all names in a prefix of their own, and elements that nobody knows."""
    text = re.sub(r"<(/?)(?=[A-Za-z_][\w.]*[\s>/])", r"<\1v9:", text)
    first = re.compile(r"<v9:(\w+)")
    text = first.sub(r'<v9:\1 xmlns:v9="urn:of:a:later:version"', text, count=1)
    return re.sub(r"(<v9:\w+[^>]*[^/?]>)", r"\1<v9:Unheard>3</v9:Unheard>", text, count=1)


def with_commas(text: str) -> str:
    """Return a text whose numbers have the comma of other countries."""
    if text.lstrip("\ufeff").startswith("<"):
        return re.sub(r">(-?\d+)\.(\d+(?:E[-+]?\d+)?)<", r">\1,\2<", text)
    return "\n".join(with_commas_in_numbers(line) for line in text.splitlines())


def with_commas_in_numbers(line: str) -> str:
    """Return a line with commas where nothing but numbers stands behind the sign of equality."""
    key, equals, value = line.partition("=")
    only_numbers = all(re.fullmatch(r"-?\d+(\.\d+)?(e[-+]?\d+)?", word) for word in value.split())
    return f"{key}{equals}{value.replace('.', ',')}" if only_numbers else line


WAYS: dict[str, Callable[[str], bytes]] = {
    "BOM": lambda text: text.encode("utf-8-sig"),
    "UTF-16": lambda text: text.replace('encoding="utf-8"', 'encoding="utf-16"').encode("utf-16"),
    "lines of Windows": lambda text: text.replace("\r\n", "\n").replace("\n", "\r\n").encode(),
    "commas": lambda text: with_commas(text).encode(),
    "an end of blank lines": lambda text: (text + "\n\n  \n").encode(),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", TEXTS)
def test_what_is_written_in_another_way_is_read_all_the_same(
    shared: Path, tmp_path: Path, name: str, way: str
) -> None:
    original = shared / "fixtures" / name
    raw = original.read_bytes()
    file = tmp_path / name
    text = raw.decode("utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    file.write_bytes(WAYS[way](text))
    found = read_metadata(file, name)
    assert told(found) == told(read_metadata(original, name))
    assert found.refused == ()


@pytest.mark.parametrize("name", EPU)
def test_names_of_another_version_are_found_without_their_namespace(
    shared: Path, tmp_path: Path, name: str
) -> None:
    original = shared / "fixtures" / name
    file = tmp_path / name
    file.write_text(with_prefixes(original.read_text(encoding="utf-8-sig")), encoding="utf-8")
    found, wanted = told(read_metadata(file, name)), told(read_metadata(original, name))
    assert found == wanted


# Dropped, renamed, moved, cut off


def mutated_lines(lines: list[str], data: st.DataObject) -> list[str]:
    lines = list(lines)
    for _ in range(data.draw(st.integers(1, 6))):
        if not lines:
            break
        place = data.draw(st.integers(0, len(lines) - 1))
        match data.draw(st.integers(0, 4)):
            case 0:
                del lines[place : place + data.draw(st.integers(1, 20))]
            case 1:
                lines.insert(data.draw(st.integers(0, len(lines))), lines[place])
            case 2:
                lines[place] = re.sub(
                    r"\w+", data.draw(st.sampled_from(["X", "TiltAngle", "µ", ""])), lines[place], count=1
                )
            case 3:
                lines[place] = lines[place][: data.draw(st.integers(0, 40))]
            case _:
                junk = data.draw(
                    st.sampled_from(["nan", "1e400", "-", "0", "9" * 400, "\0", "a b c", "1 2 3 4 5 6"])
                )
                lines[place] = re.sub(r"=.*", f"= {junk}", lines[place])
    return lines


@pytest.mark.parametrize("name", [*MDOC, "instamatic__nav.nav"])
@given(data=st.data())
@ANY
def test_texts_that_lack_or_repeat_or_rename(
    shared: Path, tmp_path: Path, name: str, data: st.DataObject
) -> None:
    lines = (shared / "fixtures" / name).read_text(encoding="utf-8-sig").splitlines()[:150]
    file = tmp_path / name
    file.write_text("\n".join(mutated_lines(lines, data)), encoding="utf-8", errors="replace")
    taken(file)


def mutated_tree(root: ElementTree.Element, data: st.DataObject) -> None:
    for _ in range(data.draw(st.integers(1, 8))):
        elements = list(root.iter())
        one = elements[data.draw(st.integers(0, len(elements) - 1))]
        match data.draw(st.integers(0, 5)):
            case 0:
                children = list(one)
                if children:
                    one.remove(children[data.draw(st.integers(0, len(children) - 1))])
            case 1 if one is not root:
                one.tag = data.draw(st.sampled_from(["Value", "Key", "Dose", "{urn:x}camera", one.tag + "2"]))
            case 2:
                one[:] = list(one)[::-1]
            case 3:
                one.append(copy.deepcopy(elements[data.draw(st.integers(1, len(elements) - 1))]))
            case 4:
                one.attrib.clear()
            case _:
                one.text = data.draw(
                    st.sampled_from(["", "NaN", "-INF", "1e400", "true", "0", "9" * 400, "\u2003"])
                )


@pytest.mark.parametrize("name", [*EPU, "EMharvest__Sample.dm", "EMharvest__ScreeningSession.dm"])
@given(data=st.data())
@ANY
def test_xml_that_lacks_or_repeats_or_renames(
    shared: Path, tmp_path: Path, name: str, data: st.DataObject
) -> None:
    root = ElementTree.parse(shared / "fixtures" / name).getroot()
    mutated_tree(root, data)
    file = tmp_path / name
    file.write_bytes(ElementTree.tostring(root)[: data.draw(st.sampled_from([None, None, None, 3000]))])
    taken(file)


JUNK = st.sampled_from(
    [None, "", "NaN", "1e999", -1, 0, 10**400, 1.5, True, [], {}, [1, "a"], {"a": {"b": 1}}, "9" * 400]
)


def mutated_keys(tree: Any, data: st.DataObject) -> Any:
    """Return a tree of keys in which some lack, are called otherwise, come in another order, or hold junk."""
    if not isinstance(tree, dict):
        return data.draw(JUNK) if data.draw(st.integers(0, 30)) == 0 else tree
    keys = list(tree)
    if data.draw(st.booleans()):
        keys.reverse()
    found = {}
    for key in keys:
        match data.draw(st.integers(0, 25)):
            case 0:
                continue
            case 1:
                found[data.draw(st.sampled_from([key.upper(), key.replace(" ", ""), key + "2", ""]))] = tree[
                    key
                ]
            case 2:
                found[key] = data.draw(JUNK)
            case _:
                found[key] = mutated_keys(tree[key], data)
    return found


def checked(collector: Collector) -> None:
    knowledge = Knowledge()
    knowledge.add("x", Findings("x", exposures={"x": collector.taken()}, refused=tuple(collector.refused)))
    json.dumps(knowledge.record().model_dump(mode="json"), allow_nan=False)


@given(data=st.data())
@ANY
def test_keys_of_velox_that_lack_or_hold_junk(shared: Path, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(["dpc_titles", "complex_fft"]))
    image = read_velox(shared / "fixtures" / f"rosettasciio__fei_example_{name}.emd")[0]
    collector = Collector("header", "x.emd")
    of_velox(collector, ScaledImage(image.axes, mutated_keys(image.said, data)))
    checked(collector)


DM = {
    "Brightness": {"Scale": 0.25, "Units": "e-"},
    "Microscope Info": {
        "Voltage": 3e5,
        "Cs(mm)": 2.7,
        "Illumination Mode": "STEM NANOPROBE",
        "STEM Camera Length": 77.0,
        "Stage Position": {"Stage X": 1.0, "Stage Alpha": 0.5},
    },
    "Session Info": {"Microscope": "Titan", "Specimen": "a"},
    "Acquisition": {
        "Device": {
            "Name": "K2",
            "CCD": {"Pixel Size (um)": (5.0, 5.0)},
            "Active Size (pixels)": (3838, 3710),
        },
        "Parameters": {
            "High Level": {"Exposure (s)": 1.0, "Binning": (1, 1), "Processing": "Gain Normalized"}
        },
        "Frame": {"Sequence": {"Acquisition Start Time (epoch)": 1437410901921.0}},
    },
    "EELS Spectrometer": {"Slit inserted": 1, "Slit width (eV)": 20.0, "Instrument name": "GIF"},
    "DataBar": {
        "Acquisition Date": "7/20/2015",
        "Acquisition Time": "6:48:25 PM",
        "Acquisition Time (OS)": 1.3e17,
    },
    "source": {"Tags at creation": {"Microscope Info": {"Voltage": 2e5}}},
}


@given(data=st.data())
@ANY
def test_tags_of_dm_that_lack_or_hold_junk(data: st.DataObject) -> None:
    collector = Collector("header", "x.dm4")
    of_tags(collector, ScaledImage((Axis(2), Axis(2)), mutated_keys(DM, data)))
    checked(collector)


CUT = (
    *TEXTS,
    "rosettasciio__16x16_STEM_BF_DF_acquire.emi",
    "rosettasciio__16x16_STEM_BF_DF_acquire_1.ser",
    "rosettasciio__example_image.emd",
    "rosettasciio__py4DSTEM_size2x3x4x5.h5",
    "103_rosettasciio__test-1.dm4",
    "105_rosettasciio__test-1.dm3",
    "tiltstack-0.0.1rc6__TS_01_000_0_0.mrc",
    "rosettasciio__test_loading_image_saved_with_DM.tif",
)


@pytest.mark.parametrize("name", CUT)
def test_files_that_are_cut_off_anywhere(shared: Path, tmp_path: Path, name: str) -> None:
    raw = (shared / "fixtures" / name).read_bytes()
    file = tmp_path / name
    for part in (0, 1, 3, 10, 30, 60, 90, 99):
        file.write_bytes(raw[: len(raw) * part // 100])
        taken(file)


# Enormous


def sparse(file: Path, size: int, start: bytes = b"") -> Path:
    with file.open("wb") as out:
        out.write(start)
        out.truncate(size)
    return file


def nested_xml(file: Path) -> Path:
    file.write_bytes(b"<MicroscopeImage>" + b"<a>" * 300_000)
    return file


def many_groups(file: Path) -> Path:
    """An HDF5 file with more groups than anybody reads, each in the one before."""
    with h5py.File(file, "w") as root:
        group = root
        for number in range(60):
            group = group.create_group(f"g{number}")
        group.attrs["emd_group_type"] = 1
        group["data"] = np.zeros(3)
    return file


ENORMOUS: dict[str, Callable[[Path], Path]] = {
    "a.xml": lambda file: sparse(file, 2**33, b"<MicroscopeImage>"),
    "b.xml": nested_xml,
    "a.dm": lambda file: sparse(file, 2**33, b"<EpuSessionXml>"),
    "a.mdoc": lambda file: sparse(file, 2**33, b"[ZValue = 0]\n"),
    "b.mdoc": lambda file: sparse(file, 2**23, b"[ZValue = 0]\nTiltAngle = 3\n"),
    "a.nav": lambda file: sparse(file, 2**33, b"AdocVersion = 2\n"),
    "a_info.txt": lambda file: sparse(file, 2**33, b"Camera Model = DE-64\n"),
    "a.emi": lambda file: sparse(file, 2**26, b"<ObjectInfo>"),
    "a.dm4": lambda file: sparse(file, 2**33, b"\0\0\0\4" + bytes(11) + b"\1\1\0" + b"\xff" * 9),
    "a_1.ser": lambda file: sparse(file, 2**33, b"II\x97\x01\x10\x02\x22\x41\0\0" + b"\xff\xff\xff\x7f" * 6),
    "a.emd": lambda file: sparse(file, 2**33, b"\x89HDF\r\n\x1a\n"),
    "a.h5": many_groups,
    "a.eer": lambda file: sparse(file, 2**33, b"II+\0\x08\0\0\0\x10\0\0\0\0\0\0\0" + b"\xff" * 20),
}


@pytest.mark.parametrize("name", ENORMOUS)
def test_enormous_files_are_refused_in_bounded_memory_and_time(tmp_path: Path, name: str) -> None:
    file = ENORMOUS[name](tmp_path / name)
    tracemalloc.start()
    begun = time.process_time()
    try:
        assert taken(file) is None or name in ("b.mdoc",)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2**27
    assert time.process_time() - begun < 10
