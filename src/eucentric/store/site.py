"""A site: one installation in one folder, with its settings in `eucentric.toml`."""

import os
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, get_args

import psutil
from pydantic import BaseModel, BeforeValidator, ByteSize, ConfigDict, Field, SecretStr, ValidationError
from pydantic_core import ErrorDetails

from eucentric.metadata.registry import InstrumentEntry
from eucentric.store.alarm_settings import AlarmSettings
from eucentric.store.instrument_settings import INSTRUMENTS, InstrumentsError, read_instruments
from eucentric.store.notice_settings import NoticeSettings
from eucentric.store.report_settings import ReportSettings
from eucentric.store.retention_settings import RetentionSettings

SETTINGS = "eucentric.toml"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,99}")
_FIRST_SETTINGS = """\
# The settings of this Eucentric site. All of them may be left out.

# database = "postgresql://USER@HOST/NAME"    (by default SQLite: eucentric.db in this folder)

# [workers]
# cpus = 8
# memory = "32 GB"
# gpus = 1
"""


class SiteError(ValueError):
    """The site's folder, its settings or a name within it cannot be used; the message says why."""


def _expanded(path: object) -> object:
    return Path(path).expanduser() if isinstance(path, str) else path


_File = Annotated[Path, BeforeValidator(_expanded)]
_Word = Annotated[str, Field(min_length=1)]


class WorkerSettings(BaseModel):
    """What this site's tasks may use: `[workers]` in the settings.

    Attributes:
        cpus: CPUs for tasks; all that this process may use by default.
        memory: Memory for all tasks together, "32 GB"; four fifths of the machine's by default.
        gpus: GPUs for tasks; all that are found by default.
        scheduler: Address of a Dask scheduler that others run; by default the site runs its own.
        tls_ca, tls_cert, tls_key: Files with the keys for that scheduler.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    cpus: int | None = Field(default=None, ge=1)
    memory: ByteSize | None = Field(default=None, gt=0)
    gpus: int | None = Field(default=None, ge=0)
    scheduler: str | None = Field(default=None, pattern=r"^(tcp|tls|ucx|ws|wss)://")
    tls_ca: _File | None = None
    tls_cert: _File | None = None
    tls_key: _File | None = None

    @property
    def cpu_count(self) -> int:
        """The number of CPUs for tasks."""
        return self.cpus or len(os.sched_getaffinity(0))

    @property
    def memory_bytes(self) -> int:
        """The memory for all tasks together, in bytes."""
        return int(self.memory or psutil.virtual_memory().total * 0.8)


class Settings(BaseModel):
    """The settings of a site, `eucentric.toml`.

    Attributes:
        database: URL of a PostgreSQL database; by default SQLite within the site's folder.
        workers: What tasks may use.
        retention: After how long files of results go.
        alarms: When alarms are raised.
        notices: Where they are told.
        report: Where live reports are published.
        programs: Where outside programs are that plug-ins run: a folder, the program itself, or the words
            that start it.
        instrument: The microscopes, by name.
        instruments: A file with more of them, which several sites may share.
        paths: The folders here, by what other computers call them in metadata.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    database: SecretStr | None = None
    workers: WorkerSettings = WorkerSettings()
    retention: RetentionSettings = RetentionSettings()
    alarms: AlarmSettings = AlarmSettings()
    notices: NoticeSettings = NoticeSettings()
    report: ReportSettings = ReportSettings()
    programs: dict[str, _Word | Annotated[list[_Word], Field(min_length=1)]] = {}
    instrument: dict[str, InstrumentEntry] = {}
    instruments: _File | None = None
    paths: dict[str, _File] = {}


class Site:
    """One installation: a folder with settings, database, sessions, and the site's own protocols."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        self.folder = folder
        self.settings = settings

    @classmethod
    def create(cls, folder: Path, settings: str = _FIRST_SETTINGS) -> "Site":
        """Make a site in `folder`, which may exist but holds no site yet, and open it.

        Args:
            folder: The site's folder.
            settings: Text of `eucentric.toml`, which only the owner can read: it may hold a password.

        Raises:
            SiteError: There is a site already, or the settings are wrong.
        """
        file = folder / SETTINGS
        try:
            parsed = _parse(settings, file)
            folder.mkdir(parents=True, exist_ok=True)
            with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
                stream.write(settings)
        except FileExistsError:
            what = "holds a site already" if file.exists() else "is not a folder"
            raise SiteError(f"{folder} {what}; choose another folder.") from None
        except OSError as error:
            raise SiteError(f"No site can be made in {folder}: {error.strerror}.") from error
        return cls._with_folders(folder, parsed)

    @classmethod
    def open(cls, folder: Path) -> "Site":
        """Open the site in `folder`; folders of it that are missing are made.

        Raises:
            SiteError: It is no site, or its settings are wrong.
        """
        file = folder / SETTINGS
        try:
            text = file.read_text()
        except (FileNotFoundError, NotADirectoryError):
            raise SiteError(f"{folder} is not a site: it has no {SETTINGS}.") from None
        except (OSError, UnicodeDecodeError) as error:
            raise SiteError(f"{file} cannot be read: {error}.") from error
        return cls._with_folders(folder, _parse(text, file))

    @classmethod
    def _with_folders(cls, folder: Path, settings: Settings) -> "Site":
        site = cls(folder.resolve(), settings)
        try:
            for each in (site.sessions_folder, site.protocols_folder, site.logs_folder):
                each.mkdir(exist_ok=True)
            # Who can write here can ring the bell and read the keys of the workers.
            site.run_folder.mkdir(exist_ok=True, mode=0o700)
        except OSError as error:
            raise SiteError(f"{error.filename} cannot be made: {error.strerror}.") from error
        return site

    @property
    def workers(self) -> WorkerSettings:
        """What tasks may use."""
        return self.settings.workers

    @property
    def instruments(self) -> dict[str, InstrumentEntry]:
        """The microscopes, by name: those of the settings, and of the file of instruments.

        Raises:
            SiteError: The file cannot be read, or is wrong.
        """
        file = self.settings.instruments or self.folder / INSTRUMENTS
        if self.settings.instruments is None and not file.exists():
            return dict(self.settings.instrument)
        try:
            return {**read_instruments(file), **self.settings.instrument}
        except InstrumentsError as error:
            raise SiteError(str(error)) from None

    @property
    def database_url(self) -> str:
        """The database's URL, which may hold a password."""
        chosen = self.settings.database
        return chosen.get_secret_value() if chosen else f"sqlite:///{self.folder / 'eucentric.db'}"

    @property
    def sessions_folder(self) -> Path:
        """The folder of all sessions."""
        return self.folder / "sessions"

    @property
    def protocols_folder(self) -> Path:
        """The folder of the site's own protocols (Python files; administrators only)."""
        return self.folder / "protocols"

    @property
    def reports_folder(self) -> Path:
        """The folder of the index of all reports, and of links to them."""
        return self.folder / "reports"

    @property
    def run_folder(self) -> Path:
        """The folder of what exists only while something runs: sockets, the cluster's address."""
        return self.folder / "run"

    @property
    def logs_folder(self) -> Path:
        """The folder of the site's own logs."""
        return self.folder / "logs"

    def session_folder(self, name: str) -> Path:
        """Return the folder of the session `name`, which need not exist.

        Raises:
            SiteError: No session can have this name.
        """
        if not _NAME.fullmatch(name):
            raise SiteError(
                f"{name!r} cannot name a session: use letters, digits, dots, dashes, plus signs and"
                " underscores, 100 at most, the first a letter or a digit."
            )
        return self.sessions_folder / name

    def __repr__(self) -> str:
        return f"Site({str(self.folder)!r})"


def _parse(text: str, file: Path) -> Settings:
    try:
        return Settings.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise SiteError(f"{file} is not valid TOML: {error}.") from error
    except ValidationError as error:
        problems = "; ".join(_told(problem) for problem in error.errors())
        # Without the cause, which repeats the values, a password among them.
        raise SiteError(f"{file}: {problems}.") from None


def _told(problem: ErrorDetails) -> str:
    place = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        return f"there is no setting {place}, only {', '.join(_settings_beside(problem['loc']))}"
    message = problem["msg"].removeprefix("Value error, ")
    return f"{place}: {message[0].lower()}{message[1:]}"


def _settings_beside(place: tuple[int | str, ...]) -> list[str]:
    """Return the names of the settings in the section that holds `place`."""
    model: type[BaseModel] = Settings
    for part in place[:-1]:
        fields = {field.alias or name: field for name, field in model.model_fields.items()}
        if part in fields:
            model = _model_in(fields[str(part)].annotation) or model
    return [field.alias or name for name, field in model.model_fields.items()]


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """Return the model that a field holds: itself, or none, or several by name."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for each in get_args(annotation) if (found := _model_in(each))), None)
