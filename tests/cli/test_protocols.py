import json
from pathlib import Path

from cli.command_line import Cli


def test_protocols_are_listed_with_what_is_broken(cli: Cli, sample: Path) -> None:
    (sample / "protocols" / "bad.py").write_text("import no_such_module\n")
    result = cli("protocols", "--site", sample)
    assert result.exit_code == 0
    assert ["read-file", "Read a text file."] in [
        line.split(maxsplit=1) for line in result.output.splitlines()
    ]
    assert "align-movies" in result.output
    assert "bad.py cannot be loaded: ModuleNotFoundError" in result.stderr


def test_a_protocol_is_described_with_ports_units_and_defaults(cli: Cli, sample: Path) -> None:
    lines = cli("protocols", "read-file", "--site", sample).output.splitlines()
    assert "  input   file: exposure_metadata" in lines
    assert "  output  exposure_metadata: exposure_metadata" in lines
    assert any(line.split() == ["pause", "0", "s", "How", "long", "it", "takes."] for line in lines)


def test_json_gives_the_schema_of_the_parameters(cli: Cli, sample: Path) -> None:
    described = json.loads(cli("protocols", "read-file", "--json", "--site", sample).output)
    assert described["params"]["properties"]["pause"]["unit"] == "s"
    assert described["kind"] == "exposure"
    every = json.loads(cli("protocols", "--json", "--site", sample).output)
    assert "list-files" in [each["name"] for each in every["protocols"]]
    assert every["broken"] == {}


def test_an_unknown_protocol(cli: Cli) -> None:
    result = cli("protocols", "align-movie")
    assert result.exit_code == 1
    assert "there are align-movies" in result.stderr
