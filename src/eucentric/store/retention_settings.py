"""After how long files of results go: `[retention]` in the settings."""

from pydantic import BaseModel, ConfigDict

from eucentric.store.periods import Period


class RetentionSettings(BaseModel):
    """After how long files of results go: `[retention]` in the settings. What is left out stays for good.

    Attributes:
        superseded: Results that others have replaced.
        rejected: Images of exposures that were rejected.
        unweighted: Sums without dose weights.
        spectra: Power spectra of movies.
        halves: Sums of even and of odd frames.
        automatic: They go while the session is processed, without anybody saying `eucentric tidy`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    superseded: Period | None = None
    rejected: Period | None = None
    unweighted: Period | None = None
    spectra: Period | None = None
    halves: Period | None = None
    automatic: bool = False
