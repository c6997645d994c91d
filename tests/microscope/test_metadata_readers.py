"""All readers: damaged files are refused or read in part, and nothing else happens."""

import random
import re
from pathlib import Path

import pytest

from eucentric.formats import FormatError
from eucentric.metadata.knowledge import Knowledge
from eucentric.metadata.vocabulary import TERMS
from eucentric.microscope.metadata_readers import READERS, read_metadata, reader_for

FILES = (
    "EMharvest__FoilHole_19513699_Data_19508496_19508498_20230919_154056.xml",
    "oscem-extractor-life__FoilHole_31933450_Data_31923928_31923930_20240901_060108.xml",
    "EMharvest__EpuSession.dm",
    "EMharvest__Atlas.dm",
    "EMharvest__Sample.dm",
    "mdocfile__frame_set_single.mdoc",
    "cets-empiar__TS_complex.mdoc",
    "mdocfile__montage_section.mdoc",
    "instamatic__nav.nav",
    "oscem-extractor-life__SerialEMproperties_GlobalAutodocEntry_Example.txt",
    "mrcfile-1.5.4__epu2.9_crop64.mrc",
    "rosettasciio__16x16_STEM_BF_DF_acquire.emi",
    "rosettasciio__16x16_STEM_BF_DF_acquire_1.ser",
    "rosettasciio__test_stackbuilder_imagestack.dm3",
    "103_rosettasciio__test-1.dm4",
    "rosettasciio__example_image.emd",
    "rosettasciio__py4DSTEM_size2x3x4x5.h5",
    "rosettasciio__test_loading_image_saved_with_DM.tif",
)
OWN = (".xml", ".dm", ".mdoc", ".nav", ".emd")


def changed(raw: bytes, how: random.Random) -> bytes:
    """Damage a file as transfers, editors and enemies do."""
    content = bytearray(raw)
    for _ in range(how.choice((1, 3, 30))):
        place = how.randrange(len(content))
        length = how.choice((1, 8, 200))
        match how.randrange(5):
            case 0:
                content[place] = how.randrange(256)
            case 1:
                del content[place : place + length]
            case 2:
                content[place:place] = content[place : place + length]
            case 3:
                content[place:place] = bytes(how.randrange(256) for _ in range(length))
            case _:
                number = how.choice((b"-1", b"1e999", b"NaN", b"99999999999999999999", b"", b"x", b"0"))
                content[place : place + 3] = number
        if not content:
            return b""
    return bytes(content)


@pytest.mark.parametrize("name", FILES)
def test_damaged_files_are_refused_or_read_in_part(shared: Path, tmp_path: Path, name: str) -> None:
    how = random.Random(name)
    raw = (shared / "fixtures" / name).read_bytes()[:60_000]
    file = tmp_path / name
    for _ in range(60):
        file.write_bytes(changed(raw, how))
        knowledge = Knowledge()
        try:
            if reader_for(file) is None:
                continue
            knowledge.add(name, read_metadata(file, name))
        except (FormatError, OSError):
            continue
        knowledge.record().model_dump_json()


@pytest.mark.parametrize("suffix", [suffix for reader in READERS for suffix in reader.suffixes])
@pytest.mark.parametrize("content", [b"", b"\0" * 5000, bytes(range(256)) * 30, b"<a>" * 1000, b"\xff\xfe"])
def test_foreign_content_is_refused_or_nobodys(tmp_path: Path, suffix: str, content: bytes) -> None:
    file = tmp_path / (suffix if not suffix.startswith(".") else f"x{suffix}")
    file.write_bytes(content)
    try:
        if reader_for(file) is not None:
            read_metadata(file)
    except (FormatError, OSError):
        return


def test_what_readers_read_is_what_the_table_says_they_read(shared: Path) -> None:
    """The key that a value is read from stands in the table, in the column of its program."""
    columns = {"EPU": "epu", "SerialEM": "serialem", "Velox": "velox"}
    by_form = {"acquisition.intent", "acquisition.technique", "exposure.name"}  # told by the form of the file
    of_form = {"path", "Data, BinaryResult/PixelSize", "name of the format"}
    wrong, checked = set(), 0
    for file in sorted((shared / "fixtures").iterdir()):
        if file.suffix not in OWN or reader_for(file) is None:
            continue
        findings = read_metadata(file, file.name)
        if findings.kind.split()[0] not in columns:
            continue
        for readings in (findings.readings, *list(findings.exposures.values())[:3]):
            for reading in readings:
                key = re.sub(r"Detectors\[[^]]+\]", "Detectors[*]", reading.origin.key)
                said = TERMS[reading.term].called(columns[findings.kind.split()[0]])
                if reading.term in by_form or key in of_form or reading.origin.source == "session":
                    continue
                checked += 1
                if key.partition(" ")[0] not in said:
                    wrong.add((reading.term, key, said))
    assert checked > 300
    assert wrong == set()
