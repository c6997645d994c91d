"""Writing the live report of a session: one HTML file with all it shows within itself."""

import base64
import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2

from eucentric.formats.replacing import replacing
from eucentric.monitors.exposures import SessionRecord
from eucentric.monitors.report.facts import facts_of, runs_of
from eucentric.monitors.report.load import load_of
from eucentric.monitors.report.pictures import BUDGET, Pictures
from eucentric.monitors.report.quantities import QUANTITIES
from eucentric.monitors.report.rows import STATES, Rows
from eucentric.monitors.results import results_of
from eucentric.monitors.system import Sample

_SCRIPTS = ("model.js", "plots.js", "histograms.js", "exposure.js", "table.js", "page.js")


class ReportWriter:
    """Writes the report of one session again and again; what did not change is not made anew."""

    def __init__(self, folder: Path, *, budget: int = BUDGET) -> None:
        """Prepare to write.

        Args:
            folder: The session's folder.
            budget: Bytes that pictures of single exposures may take up in the page.
        """
        self._rows: dict[str, Rows] = {}
        self._pictures = Pictures(folder, budget)

    def write(
        self,
        file: Path,
        record: SessionRecord,
        samples: Sequence[Sample] = (),
        alarms: Sequence[Any] = (),
    ) -> None:
        """Write the report, in place of an older one when it is whole.

        Args:
            file: Where; its folder is made.
            record: The session, as of its last update.
            samples: The load of the machine, oldest first.
            alarms: Open and recent alarms (dataclasses), newest first.

        Raises:
            OSError: The file cannot be written.
        """
        page = self.page(record, samples, alarms)
        file.parent.mkdir(parents=True, exist_ok=True)
        with replacing(file) as part:
            part.write_text(page)

    def page(self, record: SessionRecord, samples: Sequence[Sample] = (), alarms: Sequence[Any] = ()) -> str:
        """Return the report as one HTML document."""
        written = time.time()
        data = self._data(record, samples, alarms, written)
        counts = {name: len(exposures) for name, exposures in record.acquisitions.items()}
        return _template().render(
            session=record.name,
            engine=record.engine,
            exposures=sum(counts.values()),
            acquisitions=counts,
            written=time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(written)),
            version=version("eucentric"),
            # Nothing in a text can end the element it is written in, or begin another.
            data=data.replace("<", "\\u003c"),
            **_parts(),
        )

    def _data(
        self, record: SessionRecord, samples: Sequence[Sample], alarms: Sequence[Any], written: float
    ) -> str:
        head: Mapping[str, Any] = {
            "session": record.name,
            "created": record.created,
            "engine": record.engine,
            "held": record.held,
            "written": written,
            "version": version("eucentric"),
            "states": STATES,
            "quantities": [each._asdict() | {"of": None} for each in QUANTITIES],
            "runs": runs_of(record),
            "load": load_of(samples),
            "alarms": [asdict(each) for each in alarms],
        }
        pictures = self._pictures.of(record.acquisitions)
        parts = []
        for name, exposures in record.acquisitions.items():
            rows = self._rows.setdefault(name, Rows())
            # Rows first: they add to the reasons.
            text = rows.of(exposures)
            facts = facts_of(exposures, record.shared.get(name, {}))
            results = [
                each | {"picture": self._pictures.whole(each["picture"])}
                for each in results_of(record.shared.get(name, {}))
            ]
            shown = ",".join(f"{_json(key)}:{value}" for key, value in pictures[name].items())
            parts.append(
                f'{{"name":{_json(name)},"facts":{_json(facts)},"results":{_json(results)},"reasons":{_json(rows.reasons)},'
                f'"pictures":{{{shown}}},"rows":{text}}}'
            )
        return f'{_json(head)[:-1]},"acquisitions":[{",".join(parts)}]}}'


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    return environment.from_string(_text("page.html"))


@cache
def _parts() -> dict[str, str]:
    """Return the programs and styles of the page, and the digests by which the browser knows them."""
    early, plots = _text("early.js"), _text("vendor/uPlot.iife.min.js")
    own = "".join(_text(name) for name in _SCRIPTS)
    own = f'"use strict";\n(() => {{\n{own}\n}})();'
    return {
        "early_script": early,
        "plot_script": plots,
        "script": own,
        "style": _text("vendor/uPlot.min.css") + _text("page.css"),
        "digests": " ".join(_digest(each) for each in (early, plots, own)),
    }


def _digest(script: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


def _text(name: str) -> str:
    return files("eucentric.monitors.report").joinpath(name).read_text(encoding="utf-8")
