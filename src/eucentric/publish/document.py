"""What a writer of a standard gives: a document, and what it lacks."""

import re
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Document:
    """A document for a repository.

    Attributes:
        content: The document: an object for JSON, or a text.
        missing: What the standard requires and nobody has given, one sentence each. Where there is such a
            lack the document is written all the same, without it, and its validator will say so too.
    """

    content: Any
    missing: tuple[str, ...] = ()


def file_name(name: str) -> str:
    """Return a name, as people and files give them, as one part of a path without spaces."""
    return re.sub(r"[^\w.+-]+", "_", name).lstrip(".") or "_"


def without_nothing(value: Any) -> Any:
    """Return nested objects and lists without None and without what is empty then."""
    if isinstance(value, dict):
        kept = {key: without_nothing(each) for key, each in value.items()}
        return {key: each for key, each in kept.items() if each is not None and each != {} and each != []}
    if isinstance(value, list | tuple):
        return [each for each in map(without_nothing, value) if each is not None and each != {}]
    return value
