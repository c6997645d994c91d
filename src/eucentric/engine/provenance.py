"""What a result was made with: the digest of a task's inputs, and the software around it."""

import contextlib
import hashlib
import json
import platform
from functools import cache
from importlib.metadata import distributions
from typing import Any

from sqlalchemy import Connection, insert, select
from sqlalchemy.exc import IntegrityError

from eucentric.store.tables import environment


def digest_of(value: Any) -> str:
    """Return the SHA-256 of a JSON value, hexadecimal; the order of object members does not matter."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


@cache
def software() -> dict[str, Any]:
    """Return the interpreter, the machine's kind, and every installed package with its version."""
    packages = {found.metadata["Name"]: found.version for found in distributions()}
    return {
        "python": platform.python_version(),
        "system": platform.platform(),
        "machine": platform.machine(),
        "packages": dict(sorted(packages.items())),
    }


def environment_id(connection: Connection) -> int:
    """Return the number of the row that describes this environment, written when it is new."""
    digest = digest_of(software())
    query = select(environment.c.id).where(environment.c.digest == digest)
    found = connection.execute(query).scalar_one_or_none()
    if found is None:
        with contextlib.suppress(IntegrityError), connection.begin_nested():  # another engine was first
            connection.execute(insert(environment).values(digest=digest, data=software()))
        found = connection.execute(query).scalar_one()
    return int(found)
