from pathlib import Path

import pytest

from cli.command_line import Cli
from eucentric.cli.errors import CommandFailed
from eucentric.cli.sites import find_site


def test_the_nearest_site_above_is_taken(
    sample: Path, monkeypatch: pytest.MonkeyPatch, cli: Cli, tmp_path: Path
) -> None:
    with pytest.raises(CommandFailed, match="not within a site"):
        find_site(None)
    below = sample / "sessions" / "deep"
    below.mkdir()
    monkeypatch.chdir(below)
    assert find_site(None).folder == sample
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EUCENTRIC_SITE", str(sample))
    assert "no session yet" in cli("status").output
