"""Validates a crate with roc-validator, which lives in an environment of its own, without a network.

Run by that environment's Python: `validate_crate.py CRATE CONTEXT` prints what is wrong as a JSON list.
Whoever asks for a JSON-LD context gets that of the file.
"""

import io
import json
import sys
import urllib.request
from pathlib import Path
from typing import Any

import requests

CONTEXT = json.loads(Path(sys.argv[2]).read_text())
TEXT = json.dumps(CONTEXT).encode()


def answered(self: Any, method: str, address: str, **rest: Any) -> requests.Response:
    response = requests.Response()
    response.status_code, response._content, response.url = 200, TEXT, address
    response.headers["Content-Type"] = "application/ld+json"
    return response


def opened(request: Any, *rest: Any, **named: Any) -> Any:
    response = io.BytesIO(TEXT)
    response.headers = {"content-type": "application/ld+json"}  # type: ignore[attr-defined]
    response.geturl = lambda: str(request)  # type: ignore[attr-defined]
    return response


requests.Session.request = answered  # type: ignore[method-assign]
urllib.request.urlopen = opened

from rocrate_validator import services  # noqa: E402

settings = services.ValidationSettings(
    rocrate_uri=sys.argv[1], profile_identifier="workflow-run-crate", requirement_severity="REQUIRED"
)
issues = services.validate(settings).get_issues()
print(json.dumps([f"{issue.check.identifier}: {issue.message}" for issue in issues]))  # noqa: T201
