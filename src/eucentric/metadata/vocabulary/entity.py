"""The base of the models of the vocabulary."""

from typing import ClassVar

from pydantic import BaseModel, ConfigDict


class Entity(BaseModel):
    """One of the things that are described; the name of the class in snake case heads its terms."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    entity: ClassVar[str] = ""
