"""Notices as JSON to a web address."""

import hashlib
import hmac
import json
import logging
import ssl
import time

import httpx

from eucentric.monitors.notify.message import Message, NoticeFailed
from eucentric.store.notice_settings import SecretError, WebhookSettings, checked_address, read_secret

TIMEOUT = 10.0
for _name in ("httpx", "httpcore"):
    # They log addresses, which are often secrets.
    logging.getLogger(_name).setLevel(logging.WARNING)
SIGNATURE, KEY = "Eucentric-Signature", "Eucentric-Notice"


def send_webhook(settings: WebhookSettings, message: Message) -> None:
    """Send a notice to a web address.

    With a secret it is signed: the header `Eucentric-Signature: t=TIME,sha256=HEX` holds the HMAC of
    `TIME.BODY`, TIME in s since 1970, so that a receiver can tell who sent it, and that it is not an old one.

    Raises:
        NoticeFailed: It did not arrive.
    """
    try:
        body = json.dumps(_content(settings, message), ensure_ascii=False).encode()
        headers = {"Content-Type": "application/json", KEY: message.key}
        if settings.secret is not None:
            headers[SIGNATURE] = signature(read_secret(settings.secret), body, int(time.time()))
        trusted = ssl.create_default_context(cafile=settings.ca_file)
        # Elsewhere than where it was told to go, a notice is not sent: redirects are not followed.
        with httpx.Client(timeout=TIMEOUT, verify=trusted, follow_redirects=False) as client:
            answer = client.post(checked_address(settings.url), content=body, headers=headers)
    except (SecretError, OSError) as error:
        raise NoticeFailed(str(error)) from error
    except httpx.HTTPError as error:
        # Its words hold no address, which is often a secret.
        raise NoticeFailed(f"The webhook cannot be reached ({type(error).__name__}: {error}).") from error
    except httpx.InvalidURL as error:
        raise NoticeFailed("The webhook's address is not valid.") from error
    if not answer.is_success:
        raise NoticeFailed(f"The webhook answered {answer.status_code} {answer.reason_phrase}.")


def signature(secret: str, body: bytes, moment: int) -> str:
    """Return the signature of a body that is sent at a moment, in s since 1970."""
    signed = hmac.new(secret.encode(), f"{moment}.".encode() + body, hashlib.sha256)
    return f"t={moment},sha256={signed.hexdigest()}"


def _content(settings: WebhookSettings, message: Message) -> dict[str, object]:
    text = f"{message.headline}\n{message.body}"
    if settings.style == "text":
        return {"text": text}
    return {
        "text": text,
        "key": message.key,
        "session": message.session,
        "alarm": message.alarm,
        "kind": message.kind,
        "rule": message.rule,
        "title": message.title,
        "subject": message.subject,
        "severity": message.severity,
        "message": message.text,
        "advice": message.advice,
        "time": message.time,
        "raised": message.raised,
    }
