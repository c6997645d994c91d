"""Sites: settings, folders and names."""

import stat
from pathlib import Path

import pytest

from eucentric.metadata.registry import DetectorEntry, InstrumentEntry
from eucentric.store import Site, SiteError, WorkerSettings
from eucentric.store.notice_settings import EmailSettings, WebhookSettings
from eucentric.store.retention_settings import RetentionSettings
from eucentric.store.site import Settings


def test_a_new_site_has_its_folders_and_opens_again(tmp_path: Path) -> None:
    made = Site.create(tmp_path / "deep" / "site")
    site = Site.open(tmp_path / "deep" / "site")
    assert site.folder == made.folder == tmp_path / "deep" / "site"
    for folder in (site.sessions_folder, site.protocols_folder, site.run_folder, site.logs_folder):
        assert folder.is_dir()
        assert folder.parent == site.folder
    assert site.database_url == f"sqlite:///{site.folder}/eucentric.db"
    assert site.workers.cpu_count >= 1
    assert site.workers.memory_bytes > 10**8


def test_only_the_owner_reads_settings_and_rings(tmp_path: Path) -> None:
    site = Site.create(tmp_path / "site")
    assert stat.S_IMODE((site.folder / "eucentric.toml").stat().st_mode) == 0o600
    assert stat.S_IMODE(site.run_folder.stat().st_mode) == 0o700


def test_settings_are_read(tmp_path: Path) -> None:
    text = '[workers]\ncpus = 3\nmemory = "12 GB"\ngpus = 0\nscheduler = "tls://node1:8786"\n'
    text += 'tls_ca = "~/ca.pem"\n'
    workers = Site.create(tmp_path, text).workers
    assert (workers.cpu_count, workers.memory_bytes, workers.gpus) == (3, 12 * 10**9, 0)
    assert workers.scheduler == "tls://node1:8786"
    assert workers.tls_ca == Path.home() / "ca.pem"


def test_a_site_is_not_made_twice(tmp_path: Path) -> None:
    Site.create(tmp_path)
    with pytest.raises(SiteError, match="holds a site already"):
        Site.create(tmp_path)


def test_a_file_is_no_place_for_a_site(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(SiteError, match="file is not a folder"):
        Site.create(file)
    with pytest.raises(SiteError, match="is not a site"):
        Site.open(file)


def test_wrong_settings_make_no_site(tmp_path: Path) -> None:
    with pytest.raises(SiteError):
        Site.create(tmp_path / "site", "cpus = ")
    assert not (tmp_path / "site").exists()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[workers\n", r"eucentric.toml is not valid TOML.*line 1"),
        ("worker = 3\n", r"there is no setting worker, only database, workers"),
        ("[workers]\ncpu = 3\n", r"there is no setting workers.cpu, only cpus, memory"),
        ("[workers]\ncpus = 0\n", r"workers.cpus: input should be greater than or equal to 1"),
        ('[workers]\nmemory = "much"\n', r"workers.memory: "),
        ('[workers]\nscheduler = "node1"\n', r"workers.scheduler: "),
        ("[workers]\ncpus = 0\ngpus = -1\n", r"workers.cpus: .*; workers.gpus: "),
    ],
)
def test_what_is_wrong_with_the_settings_is_told(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "eucentric.toml").write_text(text)
    with pytest.raises(SiteError, match=told) as caught:
        Site.open(tmp_path)
    assert str(tmp_path / "eucentric.toml") in str(caught.value)


def test_settings_that_are_no_text_are_told(tmp_path: Path) -> None:
    (tmp_path / "eucentric.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(SiteError, match="cannot be read"):
        Site.open(tmp_path)


def test_no_folder_no_site(tmp_path: Path) -> None:
    with pytest.raises(SiteError, match=r"nowhere is not a site: it has no eucentric\.toml"):
        Site.open(tmp_path / "nowhere")


def test_the_password_is_shown_nowhere(tmp_path: Path) -> None:
    site = Site.create(tmp_path, 'database = "postgresql://me:hush@host/name"\n')
    assert "hush" in site.database_url
    assert "hush" not in f"{site!r} {site.settings!r} {site.settings}"
    (tmp_path / "eucentric.toml").write_text('database = ["postgresql://me:hush@host/name"]\n')
    with pytest.raises(SiteError, match="database: ") as caught:
        Site.open(tmp_path)
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize("name", ["a", "nt12345-6", "2026.11.21_apo+glacios", "a" * 100])
def test_session_names(tmp_path: Path, name: str) -> None:
    site = Site.create(tmp_path)
    assert site.session_folder(name) == tmp_path / "sessions" / name


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../x", "a/b", "/etc", "-rf", ".hidden", "a\0b", "a b", "a\n", "ä", "a" * 101, "a\\b"],
)
def test_names_that_could_lead_elsewhere(tmp_path: Path, name: str) -> None:
    site = Site.create(tmp_path)
    with pytest.raises(SiteError, match="cannot name a session"):
        site.session_folder(name)


def test_every_setting_is_documented() -> None:
    page = (Path(__file__).parents[2] / "docs" / "reference" / "settings.md").read_text()
    sections = (
        Settings,
        WorkerSettings,
        RetentionSettings,
        EmailSettings,
        WebhookSettings,
        InstrumentEntry,
        DetectorEntry,
    )
    for name in [name for section in sections for name in section.model_fields]:
        assert f"| `{name}` |" in page or f"`[{name}]`" in page, name


INSTRUMENT = """\
[instrument."Krios 1"]
matches = ["TITAN52336320"]
cs = 2.7
[instrument."Krios 1".detectors."BioQuantum K3"]
physical_pixel_size = 5.0
"""


def test_instruments_stand_in_the_settings_or_in_a_file(tmp_path: Path) -> None:
    inside = Site.create(tmp_path / "a", INSTRUMENT)
    assert inside.instruments["Krios 1"].detectors["BioQuantum K3"].physical_pixel_size == 5
    beside = Site.create(tmp_path / "b")
    assert beside.instruments == {}
    (tmp_path / "b" / "instruments.toml").write_text(INSTRUMENT)
    assert beside.instruments == inside.instruments
    settings = f'instruments = "{tmp_path / "b" / "instruments.toml"}"\n[instrument."Krios 1"]\ncs = 2.6\n'
    both = Site.create(tmp_path / "c", settings)
    assert both.instruments["Krios 1"].cs == 2.6


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[instrument.x]\ncss = 2.7\n", r"instrument.x.css: extra inputs"),
        ("[instrument.x]\ncs = 'much'\n", r"instrument.x.cs: input should be a valid number"),
        ("[instrument.x]\ncryogen = 'argon'\n", r"instrument.x.cryogen: input should be 'nitrogen'"),
        ("[instruments.x]\n", r"instruments: extra inputs"),
        ("[instrument\n", r"not valid TOML"),
        (None, r"cannot be read"),
    ],
)
def test_what_is_wrong_with_a_file_of_instruments_is_told(
    tmp_path: Path, text: str | None, told: str
) -> None:
    file = tmp_path / "instruments.toml"
    if text is not None:
        file.write_text(text)
    site = Site.create(tmp_path / "site", f'instruments = "{file}"\n')
    with pytest.raises(SiteError, match=told) as caught:
        _ = site.instruments
    assert str(file) in str(caught.value)


def test_a_wrong_instrument_in_the_settings_is_told_with_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(SiteError, match=r"no setting instrument.x.css, only matches, model"):
        Site.create(tmp_path, "[instrument.x]\ncss = 2.7\n")


def test_folders_that_cannot_be_made_are_told(tmp_path: Path) -> None:
    Site.create(tmp_path)
    (tmp_path / "logs").rmdir()
    (tmp_path / "logs").touch()
    with pytest.raises(SiteError, match=r"logs cannot be made"):
        Site.open(tmp_path)
