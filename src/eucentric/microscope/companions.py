"""Files that belong to a movie: an mdoc, an XML file; they may come before it or long after."""

import os
from collections.abc import Sequence
from pathlib import Path


def companions_of(movie: Path, rules: Sequence[str]) -> list[Path]:
    """Return the paths at which the companions of `movie` would lie.

    Args:
        movie: Path of a movie.
        rules: How companions are named, relative to the movie's folder: `{name}` stands for the movie's
            file name, `{stem}` for that without its ending, as in `{name}.mdoc` or `../xml/{stem}.xml`.

    Raises:
        ValueError: A rule names neither, or anything else in braces.
    """
    return [_companion_of(movie, rule) for rule in rules]


def _companion_of(movie: Path, rule: str) -> Path:
    wrong = f"The companion rule {rule!r} must name a file by {{name}} or {{stem}}, such as '{{name}}.mdoc'."
    if "{name}" not in rule and "{stem}" not in rule:
        raise ValueError(wrong)
    try:
        file = rule.format(name=movie.name, stem=movie.stem)
    except (KeyError, IndexError, ValueError) as error:
        raise ValueError(wrong) from error
    return Path(os.path.normpath(movie.parent / file))


class Pairing:
    """Brings movies and their companions together, whichever come first.

    Nothing waits here: `movie` tells which companions have come already, and when one comes, `companion`
    tells which movies it belongs to.

    Args:
        most: How many movies, and how many companions, are remembered; the oldest are forgotten.
    """

    def __init__(self, *, most: int = 100_000) -> None:
        self._most = most
        self._movies: dict[Path, list[Path]] = {}
        """The movies that have come, by the path of a companion of theirs."""
        self._companions: dict[Path, None] = {}
        """The companions that have come."""

    def movie(self, path: Path, companions: Sequence[Path]) -> list[Path]:
        """Take note of a movie and where its companions would lie; return those that have come, in order."""
        for companion in companions:
            movies = self._movies.setdefault(companion, [])
            if path not in movies:
                movies.append(path)
        while len(self._movies) > self._most * max(1, len(companions)):
            del self._movies[next(iter(self._movies))]
        return [companion for companion in companions if companion in self._companions]

    def companion(self, path: Path) -> list[Path]:
        """Take note of a companion; return the movies that have come to which it belongs."""
        self._companions.setdefault(path)
        while len(self._companions) > self._most:
            del self._companions[next(iter(self._companions))]
        return list(self._movies.get(path, ()))
