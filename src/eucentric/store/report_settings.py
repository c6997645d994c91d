"""Where live reports are published: `[report]` in the settings."""

from datetime import timedelta
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from eucentric.store.periods import Period


class ReportSettings(BaseModel):
    """How reports are published; by default they stay in the site's folder.

    Attributes:
        rsync: Where rsync copies them, "www@example.org:/srv/reports/" or a folder.
        command: Or the program that publishes them, with its arguments, a list; `{folder}` stands for the
            folder of all reports, `{session}` for the name of the one that is new.
        every: They are published so often at the most.
        timeout: After so long publishing is given up, and tried again later.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rsync: str | None = None
    command: list[str] | None = Field(default=None, min_length=1)
    every: Period = timedelta(minutes=1)
    timeout: Period = timedelta(minutes=5)

    @field_validator("rsync")
    @classmethod
    def _no_option(cls, target: str | None) -> str | None:
        if target is not None and (not target.strip() or target.startswith("-")):
            raise ValueError("it must be a folder, or HOST:FOLDER")
        return target

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.rsync is not None and self.command is not None:
            raise ValueError("give rsync or command, not both")
        return self
