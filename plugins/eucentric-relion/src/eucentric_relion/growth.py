"""When what needs all particles is done again, and what it gives meanwhile.

RELION works on a whole set. As particles come, a step that takes all of them runs once there are enough, and
again when their number has grown by a factor; between, its last result stays. What a person wants at once, a
revision of the run gives.
"""

import os
import shutil
from typing import TypeVar

from pydantic import Field

from eucentric.engine.protocol import ProtocolParams, Task
from eucentric.metadata import Item

Result = TypeVar("Result", bound=Item)


class Growth(ProtocolParams):
    """When it runs; the base of the parameters of what needs all particles."""

    least: int = Field(default=1000, ge=1, description="Particles with which it runs for the first time.")
    growth: float | None = Field(
        default=2,
        gt=1,
        description="It runs again when there are so many times the particles of the last time; never of"
        " itself where there is none.",
    )

    def is_due(self, now: int, last: int) -> bool:
        """Say whether it runs with `now` particles, after having run with `last` (0: not yet)."""
        if now < self.least:
            return False
        return last == 0 or (self.growth is not None and now >= self.growth * last)


def carried(result: Result, task: Task) -> Result:
    """Return the result of the version before as this version's: its files lie in this folder, too."""

    def carry(path: str) -> str:
        name = path.rpartition("/")[2]
        try:
            os.link(task.locate(path), task.folder / name)
        except FileNotFoundError:
            raise
        except OSError:  # another file system, or one without links
            shutil.copyfile(task.locate(path), task.folder / name)
        return task.keep(name)

    changed: dict[str, object] = {}
    for field in type(result).model_fields:
        value = getattr(result, field)
        if field == "path" or field.endswith("_path"):
            changed[field] = None if value is None else carry(value)
        elif field.endswith("_paths"):
            changed[field] = None if value is None else tuple(carry(path) for path in value)
    return result.model_copy(update=changed)
