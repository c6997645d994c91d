"""Notices on real servers: encrypted, signed in, signed, refused and retried."""

import email
import email.policy
import hashlib
import hmac
import logging
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from eucentric.monitors.notify import Message, NoticeFailed, try_all
from eucentric.monitors.notify.channels import send
from eucentric.store.notice_settings import (
    EmailSettings,
    NoticeSettings,
    SecretError,
    WebhookSettings,
    read_secret,
)
from monitors.notify.servers import PASSWORD, USER, Trust, free_port, mail_server, webhook_server

NOTICE = Message(
    key="night.17",
    session="night",
    alarm=4,
    kind="raised",
    rule="defocus",
    title="Defocus off target",
    subject="grid-1",
    severity="critical",
    text="The last 10 exposures of grid-1 are 0.62 µm more underfocused than intended.",
    advice="Check the autofocus.",
    time=1_700_000_000.0,
    raised=1_700_000_000.0,
)


@pytest.fixture(scope="module")
def trust(tmp_path_factory: pytest.TempPathFactory) -> Trust:
    return Trust(tmp_path_factory.mktemp("trust"))


@pytest.fixture
def password(tmp_path: Path) -> str:
    file = tmp_path / "password"
    file.write_text(f"{PASSWORD}\n")
    file.chmod(0o600)
    return f"file:{file}"


def mail(port: int, **more: Any) -> EmailSettings:
    given = {"host": "localhost", "port": port, "sender": "scope@lab.example", "to": ["me@lab.example"]}
    return EmailSettings.model_validate(given | more)


# ------------------------------------------------------------------ e-mail


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")  # see `mail_server`
@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_letter_over_tls_from_who_has_signed_in(security: str, trust: Trust, password: str) -> None:
    with mail_server(trust, security) as (inbox, port):
        settings = mail(port, security=security, user=USER, password=password, ca_file=str(trust.ca_file))
        send(settings, NOTICE)
        send(settings, NOTICE)
    assert inbox.signed_in == [True, True]
    first, again = (email.message_from_string(text, policy=email.policy.default) for text in inbox.letters)
    assert first["Subject"] == "[Eucentric] night: Defocus off target (critical)"
    assert first["To"] == "me@lab.example"
    assert first["Auto-Submitted"] == "auto-generated"
    assert first["Message-ID"] == again["Message-ID"]  # mail programs show it once
    text = first.get_content()
    assert "0.62 µm" in text
    assert "eucentric alarms night --acknowledge 4" in text


def test_letters_of_one_alarm_belong_together(trust: Trust) -> None:
    with mail_server(trust, "none") as (inbox, port):
        settings = mail(port, security="none")
        send(settings, NOTICE)
        send(settings, replace(NOTICE, key="night.18", kind="cleared", time=NOTICE.time + 600))
    first, second = (email.message_from_string(text, policy=email.policy.default) for text in inbox.letters)
    assert first["References"] == second["References"]
    assert first["Message-ID"] != second["Message-ID"]
    assert "All is well again" in second.get_content()
    assert inbox.signed_in == [False, False]


def test_a_wrong_password_is_told_without_it(trust: Trust, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_text("hunter2")
    wrong.chmod(0o600)
    with mail_server(trust, "starttls") as (inbox, port):
        settings = mail(port, user=USER, password=f"file:{wrong}", ca_file=str(trust.ca_file))
        with pytest.raises(NoticeFailed, match="535") as caught:
            send(settings, NOTICE)
    assert "hunter2" not in str(caught.value)
    assert inbox.letters == []


def test_a_server_that_is_not_trusted_gets_nothing(trust: Trust, password: str) -> None:
    fails = pytest.raises(NoticeFailed, match="certificate verify failed")
    with mail_server(trust, "starttls") as (inbox, port), fails:
        send(mail(port, user=USER, password=password), NOTICE)
    assert inbox.letters == []


def test_a_server_without_encryption_gets_nothing(trust: Trust, password: str) -> None:
    with mail_server(trust, "none") as (inbox, port), pytest.raises(NoticeFailed, match="STARTTLS"):
        send(mail(port, user=USER, password=password), NOTICE)
    assert inbox.letters == []


def test_no_password_is_sent_in_clear() -> None:
    with pytest.raises(ValidationError, match="never sent in clear"):
        mail(25, security="none", user=USER, password="env:NOWHERE")


def test_nobody_answers() -> None:
    with pytest.raises(NoticeFailed, match="did not take it"):
        send(mail(free_port(), security="none"), NOTICE)


def test_no_header_can_be_smuggled_in(trust: Trust) -> None:
    with mail_server(trust, "none") as (inbox, port):
        send(mail(port, security="none"), replace(NOTICE, title="x\r\nBcc: all@lab.example"))
    assert "\nBcc:" not in inbox.letters[0]


# ------------------------------------------------------------------ webhooks


def test_a_signed_notice_over_tls(trust: Trust, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK_SECRET", "between us")
    with webhook_server(trust) as hook:
        send(WebhookSettings(url=hook.url, secret="env:HOOK_SECRET", ca_file=trust.ca_file), NOTICE)
    (notice,), (headers,) = hook.notices, hook.headers
    assert notice["rule"] == "defocus"
    assert notice["message"] == NOTICE.text
    assert notice["key"] == headers["Eucentric-Notice"] == "night.17"
    stamp, digest = (part.partition("=")[2] for part in headers["Eucentric-Signature"].split(","))
    expected = hmac.new(b"between us", f"{stamp}.".encode() + hook.bodies[0], hashlib.sha256).hexdigest()
    assert hmac.compare_digest(digest, expected)
    assert abs(int(stamp) - time.time()) < 60


def test_the_style_of_chats() -> None:
    with webhook_server(None) as hook:
        send(WebhookSettings(url=hook.url, style="text"), NOTICE)
    (notice,) = hook.notices
    assert list(notice) == ["text"]
    assert notice["text"].startswith("night: Defocus off target (critical)\nThe last 10 exposures")


def test_an_address_that_is_a_secret(tmp_path: Path) -> None:
    file = tmp_path / "url"
    with webhook_server(None) as hook:
        file.write_text(hook.url)
        file.chmod(0o600)
        send(WebhookSettings(url=f"file:{file}"), NOTICE)
        file.write_text("ftp://elsewhere")
        with pytest.raises(NoticeFailed, match="does not hold an https"):
            send(WebhookSettings(url=f"file:{file}"), NOTICE)
    assert len(hook.bodies) == 1


def test_an_untrusted_webhook_gets_nothing(trust: Trust) -> None:
    with webhook_server(trust) as hook, pytest.raises(NoticeFailed, match="CERTIFICATE_VERIFY_FAILED"):
        send(WebhookSettings(url=hook.url), NOTICE)
    assert hook.bodies == []


@pytest.mark.parametrize("code", [500, 404, 302])
def test_other_answers_are_failures(code: int) -> None:
    with webhook_server(None) as hook:
        hook.answers = [code]
        with pytest.raises(NoticeFailed, match=f"answered {code}"):
            send(WebhookSettings(url=hook.url), NOTICE)
    assert hook.bodies == []


def test_trying_all_channels(trust: Trust, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with webhook_server(None) as hook, mail_server(trust, "none") as (inbox, port):
        settings = NoticeSettings(
            email=mail(port, security="none"),
            webhooks={
                "chat": WebhookSettings(url=hook.url),
                "gone": WebhookSettings(url=f"http://localhost:{free_port()}/T0KEN"),
            },
        )
        found = try_all(settings.channels(), "night", NOTICE.time)
    assert found["email"] is None
    assert found["webhook chat"] is None
    assert "cannot be reached" in (found["webhook gone"] or "")
    assert "T0KEN" not in (found["webhook gone"] or "")
    assert "T0KEN" not in caplog.text
    assert "/hook" not in caplog.text
    assert hook.notices[0]["kind"] == "test"
    assert "This is a test notice" in inbox.letters[0]


# ------------------------------------------------------------------ secrets


def test_a_secret_that_others_can_read_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "open"
    file.write_text("hush")
    file.chmod(0o640)
    with pytest.raises(SecretError, match="chmod 600"):
        read_secret(f"file:{file}")
    with pytest.raises(SecretError, match="cannot be read"):
        read_secret(f"file:{tmp_path / 'missing'}")
    with pytest.raises(SecretError, match="NOT_SET_ANYWHERE"):
        read_secret("env:NOT_SET_ANYWHERE")


@pytest.mark.parametrize(
    "url", ["http://hooks.example/x", "https:///x", "javascript:1", "hooks.example", "file:"]
)
def test_addresses_that_are_refused(url: str) -> None:
    with pytest.raises(ValidationError):
        WebhookSettings(url=url)
