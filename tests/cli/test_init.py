from pathlib import Path

from cli.command_line import Cli
from eucentric.store import Database, Site


def test_a_site_is_made_once(cli: Cli, tmp_path: Path) -> None:
    first = cli("init", "here")
    assert first.exit_code == 0
    assert str(tmp_path / "here") in first.output
    with Database(Site.open(tmp_path / "here")).read() as connection:
        assert connection.exec_driver_sql("select count(*) from session").scalar_one() == 0
    again = cli("init", "here")
    assert again.exit_code == 1
    assert "holds a site already" in again.stderr


def test_a_database_of_one_s_own(cli: Cli, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'mine.db'}"
    assert cli("init", "here", "--database", url).exit_code == 0
    assert Site.open(tmp_path / "here").database_url == url
    assert (tmp_path / "mine.db").exists()


def test_a_wrong_database_leaves_nothing_behind(cli: Cli, tmp_path: Path) -> None:
    result = cli("init", "here", "--database", "mysql://nobody@nowhere/x")
    assert result.exit_code == 1
    assert "mysql" in result.stderr
    assert not (tmp_path / "here").exists()
