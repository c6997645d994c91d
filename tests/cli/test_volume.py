"""`eucentric volume` and `eucentric tidy`."""

import json
from pathlib import Path

from cli.command_line import Cli


def test_the_volume_and_what_goes(cli: Cli, sample: Path, tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    (raw / "b.txt").write_text("reject")
    assert (
        cli("run", "sample.json", "--input", raw, "--site", sample, "--until-idle", "--inline").exit_code == 0
    )
    told = cli("volume", "raw", "--site", sample, "--exposures", 1000)
    assert told.exit_code == 0
    assert "copy.txt" in told.stdout
    assert "1,000 movies" in told.stdout
    assert "Free on the disk" in told.stdout
    (first,) = json.loads(cli("volume", "raw", "--site", sample, "--json").stdout)["files"]
    assert (first["run"], first["name"], first["per_exposure"], first["exposures"]) == (
        "read",
        "copy.txt",
        1,
        2,
    )


def test_without_rules_nothing_can_be_tidied(cli: Cli, sample: Path, tmp_path: Path) -> None:
    cli("run", "sample.json", "--input", tmp_path / "raw", "--site", sample, "--until-idle", "--inline")
    told = cli("tidy", "raw", "--site", sample, "--apply")
    assert told.exit_code == 1
    assert "has no rule of retention" in told.stderr


def test_replaced_results_are_removed_only_when_asked(cli: Cli, sample: Path, tmp_path: Path) -> None:
    here = ("--input", tmp_path / "raw", "--site", sample, "--until-idle", "--inline")
    cli("run", "sample.json", *here)
    cli("revise", "raw", "read", "--set", "lenient=true", "--site", sample)
    cli("continue", "raw", "--site", sample, "--until-idle", "--inline")
    (sample / "eucentric.toml").write_text('[retention]\nsuperseded = "0 min"\n')
    old = sample / "sessions/raw/runs/read/r1/grid/a/copy.txt"
    assert "To be removed with --apply: 3 files" in cli("tidy", "raw", "--site", sample).stdout
    assert old.exists()
    assert "Removed 3 files, 3 B" in cli("tidy", "raw", "--site", sample, "--apply").stdout
    assert not old.exists()
    assert (sample / "sessions/raw/runs/read/r2/grid/a/copy.txt").exists()
    assert "No file is old enough" in cli("tidy", "raw", "--site", sample, "--apply").stdout
