"""The channels on which notices go."""

from eucentric.monitors.notify.mail import send_mail
from eucentric.monitors.notify.message import Message, NoticeFailed, test_message
from eucentric.monitors.notify.webhook import send_webhook
from eucentric.store.notice_settings import EmailSettings, WebhookSettings

Channel = EmailSettings | WebhookSettings


def send(channel: Channel, message: Message) -> None:
    """Send a notice on a channel. Raises NoticeFailed."""
    if isinstance(channel, EmailSettings):
        send_mail(channel, message)
    else:
        send_webhook(channel, message)


def try_all(channels: dict[str, Channel], session: str, now: float) -> dict[str, str | None]:
    """Send a test notice on every channel; return why it failed, or None, by name."""
    message = test_message(session, now)
    found: dict[str, str | None] = {}
    for name, channel in channels.items():
        try:
            send(channel, message)
            found[name] = None
        except NoticeFailed as error:
            found[name] = str(error)
    return found
