"""Where alarms are told: `[notices]` in a site's settings."""

import os
import stat
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from eucentric.store.alarm_settings import Severity

_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


class SecretError(ValueError):
    """A secret that the settings name cannot be read; the message says why."""


def _secret(value: str) -> str:
    kind, _, name = value.partition(":")
    if kind not in ("env", "file") or not name:
        # Without the value, which may be the secret itself.
        raise ValueError("write env:VARIABLE or file:PATH, never the secret itself")
    return value


Secret = Annotated[str, AfterValidator(_secret)]
"""Where a secret is found: `env:VARIABLE`, or `file:PATH` of a file that only its owner can read."""


def read_secret(secret: str) -> str:
    """Return the secret that a setting names, without white space around it.

    Raises:
        SecretError: The variable is not set, or the file cannot be read or can be read by others.
    """
    kind, _, name = secret.partition(":")
    if kind == "env":
        value = os.environ.get(name, "")
        if not value:
            raise SecretError(f"The environment variable {name}, which should hold a secret, is not set.")
        return value.strip()
    path = Path(name).expanduser()
    try:
        with path.open() as stream:
            if os.fstat(stream.fileno()).st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise SecretError(f"{path} holds a secret that others can read; `chmod 600` it.")
            return stream.read(10_000).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SecretError(f"{path}, which should hold a secret, cannot be read: {error}.") from error


def _expanded(path: object) -> object:
    return Path(path).expanduser() if isinstance(path, str) else path


def _address(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme == "file" or url.startswith(("env:", "file:")):
        return _secret(url)
    local = parts.scheme == "http" and parts.hostname in _LOOPBACK
    if not parts.hostname or not (parts.scheme == "https" or local):
        raise ValueError("it must be an https:// address, or env:VARIABLE or file:PATH that holds one")
    return url


def checked_address(url: str) -> str:
    """Return the address that a webhook's setting is or names.

    Raises:
        SecretError: It cannot be read, or is no address.
    """
    if not url.startswith(("env:", "file:")):
        return url
    try:
        found = _address(read_secret(url))
    except SecretError:
        raise
    except ValueError:
        found = ""
    if not found.startswith("http"):
        raise SecretError(f"{url} does not hold an https:// address.")
    return found


class _Channel(BaseModel):
    """What all channels have.

    Attributes:
        severity: Alarms that are less severe are not told here.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    severity: Severity = "warning"


class EmailSettings(_Channel):
    """`[notices.email]`: a mail server, and who hears of alarms.

    Attributes:
        host, port: The mail server; the port is 587, with `tls` 465, without encryption 25.
        security: `starttls`, `tls` from the first byte, or `none`, which takes no password.
        user, password: With them we sign in.
        sender, to: The addresses.
        ca_file: Certificates to trust instead of the system's.
    """

    host: str = Field(min_length=1)
    port: int | None = Field(default=None, ge=1, le=65535)
    security: Literal["starttls", "tls", "none"] = "starttls"
    user: str | None = None
    password: Secret | None = None
    sender: Annotated[str, Field(pattern=r"^[^@\s<>,]+@[^@\s<>,]+$")]
    to: list[Annotated[str, Field(pattern=r"^[^@\s<>,]+@[^@\s<>,]+$")]] = Field(min_length=1, max_length=50)
    ca_file: Annotated[Path | None, BeforeValidator(_expanded)] = None

    @model_validator(mode="after")
    def _encrypted(self) -> Self:
        if self.security == "none" and (self.user or self.password):
            raise ValueError("a password is never sent in clear: leave out user and password, or use TLS")
        if (self.user is None) != (self.password is None):
            raise ValueError("user and password go together")
        return self

    @property
    def used_port(self) -> int:
        """The port of the server."""
        return self.port or {"starttls": 587, "tls": 465, "none": 25}[self.security]


class WebhookSettings(_Channel):
    """`[notices.webhooks.NAME]`: an address that takes alarms as JSON.

    Attributes:
        url: An https:// address, or where it is found, since it is often a secret itself.
        style: `full` sends all fields of the alarm, `text` only `{"text": ...}`, for Slack, Mattermost and
            Teams.
        secret: With it every notice is signed.
        ca_file: Certificates to trust instead of the system's.
    """

    url: Annotated[str, AfterValidator(_address)]
    style: Literal["full", "text"] = "full"
    secret: Secret | None = None
    ca_file: Annotated[Path | None, BeforeValidator(_expanded)] = None


class NoticeSettings(BaseModel):
    """The channels on which alarms are told, beside the terminal and the report."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    email: EmailSettings | None = None
    webhooks: dict[Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,49}$")], WebhookSettings] = Field(
        default_factory=dict
    )

    def channels(self) -> dict[str, EmailSettings | WebhookSettings]:
        """Return the settings of each channel, by name."""
        found: dict[str, EmailSettings | WebhookSettings] = {}
        if self.email is not None:
            found["email"] = self.email
        return found | {f"webhook {name}": each for name, each in self.webhooks.items()}
