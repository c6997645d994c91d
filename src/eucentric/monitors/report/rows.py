"""The exposures as the page's program reads them: a row each, written once and again when it has changed."""

import json
import re
from collections.abc import Iterable

from eucentric.monitors.exposures import Exposure
from eucentric.monitors.report.quantities import row_of

STATES = ("waiting", "done", "rejected", "failed")


_FOLDERS = re.compile(r"(?<!\S)/\S*/(?=\S)")


def shortened(reason: str) -> str:
    """Return a reason with files named by their last part alone: a report may be seen by anybody."""
    return _FOLDERS.sub("", reason)


class Rows:
    """Rows of exposures in JSON, kept so that a page of 20,000 of them is cheap."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, ...], tuple[int, str]] = {}
        self.reasons: list[str] = []
        """Every reason there ever was; a row names it by its place."""
        self._places: dict[str, int] = {}

    def of(self, exposures: Iterable[Exposure]) -> str:
        """Return a JSON array of rows, in the order in which the exposures were taken.

        A row is: name, time taken (s since 1970), time found, state, run and reason (places in `STATES` and
        in `reasons`), then the figures as in `QUANTITIES`.
        """
        ordered = sorted(exposures, key=lambda each: (each.recorded, each.path))
        return "[" + ",\n".join([self._row(each) for each in ordered]) + "]"

    def _row(self, exposure: Exposure) -> str:
        version, text = self._rows.get(exposure.path, (-1, ""))
        if version != exposure.version:
            row = [
                exposure.name,
                round(exposure.recorded, 1),
                round(exposure.found, 1),
                STATES.index(exposure.state),
                self._place(exposure.run or ""),
                self._place(shortened(exposure.reason)),
                *row_of(exposure),
            ]
            text = json.dumps(row, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
            self._rows[exposure.path] = (exposure.version, text)
        return text

    def _place(self, reason: str) -> int:
        if reason not in self._places:
            self._places[reason] = len(self.reasons)
            self.reasons.append(reason)
        return self._places[reason]
