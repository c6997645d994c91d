"""Notices by e-mail."""

import smtplib
import ssl
from email.message import EmailMessage
from email.utils import formatdate

from eucentric.monitors.notify.message import Message, NoticeFailed
from eucentric.store.notice_settings import EmailSettings, SecretError, read_secret

TIMEOUT = 20.0


def send_mail(settings: EmailSettings, message: Message) -> None:
    """Send a notice by e-mail, encrypted unless the settings say otherwise.

    Raises:
        NoticeFailed: The mail server did not take it.
    """
    try:
        with _connected(settings) as server:
            if settings.user is not None and settings.password is not None:
                server.login(settings.user, read_secret(settings.password))
            refused = server.send_message(letter(settings, message))
    except SecretError as error:
        raise NoticeFailed(str(error)) from error
    except (smtplib.SMTPException, OSError) as error:
        where = f"{settings.host}:{settings.used_port}"
        raise NoticeFailed(f"The mail server {where} did not take it ({_reason(error)}).") from error
    if refused:
        raise NoticeFailed(f"The mail server refused {', '.join(sorted(refused))}.")


def _connected(settings: EmailSettings) -> smtplib.SMTP:
    address = (settings.host, settings.used_port)
    if settings.security == "none":
        return smtplib.SMTP(*address, timeout=TIMEOUT)
    trusted = ssl.create_default_context(cafile=settings.ca_file)
    if settings.security == "tls":
        return smtplib.SMTP_SSL(*address, timeout=TIMEOUT, context=trusted)
    server = smtplib.SMTP(*address, timeout=TIMEOUT)
    try:
        # It raises where the server offers no encryption: nothing is ever sent in clear instead.
        server.starttls(context=trusted)
    except BaseException:
        server.close()
        raise
    return server


def _reason(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        words = error.smtp_error
        told = words.decode(errors="replace") if isinstance(words, bytes) else str(words)
        return f"{error.smtp_code} {told}"
    return " ".join(str(error).split()) or type(error).__name__


def letter(settings: EmailSettings, message: Message) -> EmailMessage:
    """Return the e-mail; sent twice it has the same Message-ID, and mail programs show it once."""
    domain = settings.sender.partition("@")[2]
    found = EmailMessage()
    found["Subject"] = " ".join(f"[Eucentric] {message.headline}".split())
    found["From"] = settings.sender
    found["To"] = ", ".join(settings.to)
    found["Date"] = formatdate(message.time, localtime=True)
    found["Message-ID"] = f"<eucentric.{message.key}.{message.time:.0f}@{domain}>"
    # Programs gather what refers to the same thing: all notices of one alarm.
    found["References"] = f"<eucentric.{message.session}.alarm.{message.alarm}.{message.raised:.0f}@{domain}>"
    found["Auto-Submitted"] = "auto-generated"  # no holiday replies (RFC 3834)
    if message.severity == "critical" and message.kind in ("raised", "reminded"):
        found["Importance"] = "high"
    found.set_content(f"{message.body}\n")
    return found
