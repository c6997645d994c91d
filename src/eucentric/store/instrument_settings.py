"""The site's instruments: `[instrument.NAME]` in the settings, or in a file that several sites share."""

import tomllib
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from eucentric.metadata.registry import InstrumentEntry

INSTRUMENTS = "instruments.toml"
"""Name of the file beside the settings that is read where the settings name no other."""


class InstrumentsFile(BaseModel):
    """A file of instruments.

    Attributes:
        instrument: The instruments by name.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    instrument: dict[str, InstrumentEntry] = {}


class InstrumentsError(ValueError):
    """The file of instruments cannot be used; the message says why."""


def read_instruments(file: Path) -> dict[str, InstrumentEntry]:
    """Read a file of instruments.

    Raises:
        InstrumentsError: It cannot be read, or is wrong.
    """
    try:
        content = tomllib.loads(file.read_text())
    except (OSError, UnicodeDecodeError) as error:
        raise InstrumentsError(f"{file} cannot be read: {error}.") from error
    except tomllib.TOMLDecodeError as error:
        raise InstrumentsError(f"{file} is not valid TOML: {error}.") from error
    try:
        return dict(InstrumentsFile.model_validate(content).instrument)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, each['loc']))}: {each['msg'][0].lower()}{each['msg'][1:]}"
            for each in error.errors()
        )
        raise InstrumentsError(f"{file}: {problems}.") from error
