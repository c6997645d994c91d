"""The one error that every reader of this package raises for a file it cannot give right."""

from pathlib import Path


class FormatError(Exception):
    """A file is damaged, incomplete, not what it claims to be, or of a kind that is not read.

    Attributes:
        path: The file.
        what: What is wrong with it, a clause without a full stop.
        mend: What to do about it, a clause without a full stop.
    """

    def __init__(self, path: str | Path, what: str, mend: str) -> None:
        self.path = Path(path)
        self.what = what
        self.mend = mend
        super().__init__(f"{path}: {what}; {mend}.")

    def __reduce__(self) -> tuple[type["FormatError"], tuple[Path, str, str]]:
        """Let the error travel between processes."""
        return FormatError, (self.path, self.what, self.mend)
