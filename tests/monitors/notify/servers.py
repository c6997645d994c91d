"""Real servers on this machine that take notices: e-mail with TLS and passwords, and a web address."""

import json
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

USER, PASSWORD = "scope", "a secret of letters"


class Trust:
    """A certificate authority of the tests' own, and what it certifies: this machine."""

    def __init__(self, folder: Path) -> None:
        authority = trustme.CA()
        self.ca_file = folder / "ca.pem"
        authority.cert_pem.write_to_path(self.ca_file)
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert("localhost", "127.0.0.1").configure_cert(self.context)


class Inbox:
    """Takes e-mails; `broken` refuses so many first."""

    def __init__(self) -> None:
        self.letters: list[str] = []
        self.signed_in: list[bool] = []
        self.broken = 0

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        if self.broken > 0:
            self.broken -= 1
            return "451 try again later"
        self.letters.append(envelope.content.decode())
        self.signed_in.append(bool(session.authenticated))
        return "250 OK"


def _authenticate(_server: Any, _session: Any, _envelope: Any, _mechanism: Any, data: Any) -> AuthResult:
    right = isinstance(data, LoginPassword) and data == LoginPassword(USER.encode(), PASSWORD.encode())
    return AuthResult(success=right, handled=False)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def mail_server(trust: Trust, security: str) -> Iterator[tuple[Inbox, int]]:
    """A mail server that takes letters only over TLS from who has signed in; or, with `none`, from all."""
    inbox, port = Inbox(), free_port()
    secured: dict[str, Any] = {"authenticator": _authenticate, "auth_required": True}
    options: dict[str, dict[str, Any]] = {
        "none": {},
        "starttls": {**secured, "tls_context": trust.context, "require_starttls": True},
        # The server does not know that its socket is encrypted already, and would want STARTTLS first.
        "tls": {**secured, "ssl_context": trust.context, "auth_require_tls": False},
    }
    controller = Controller(inbox, hostname="127.0.0.1", port=port, **options[security])
    controller.start()
    try:
        yield inbox, port
    finally:
        controller.stop()


@dataclass
class Hook:
    """What a webhook has received; `answers` are the codes that it gives first, before 200."""

    url: str
    bodies: list[bytes] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    taken: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    @property
    def notices(self) -> list[dict[str, Any]]:
        return [json.loads(body) for body in self.bodies]


@contextmanager
def webhook_server(trust: Trust | None) -> Iterator[Hook]:
    """A web address that takes notices, with TLS where there is trust."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            code = hook.answers.pop(0) if hook.answers else 200
            if code == 200:
                hook.bodies.append(body)
                hook.headers.append(dict(self.headers))
            self.send_response(code)
            if code in (301, 302, 307, 308):
                self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()
            hook.taken.release()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if trust is not None:
        server.socket = trust.context.wrap_socket(server.socket, server_side=True)
        server.handle_error = lambda *_: None  # type: ignore[method-assign]  # clients that do not trust us
    hook = Hook(f"http{'s' if trust else ''}://localhost:{server.server_address[1]}/hook")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield hook
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
