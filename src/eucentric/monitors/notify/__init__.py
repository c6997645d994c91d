"""Notices: alarms told by e-mail and to web addresses."""

from eucentric.monitors.notify.channels import try_all
from eucentric.monitors.notify.message import Message, NoticeFailed
from eucentric.monitors.notify.sender import NoticeSender

__all__ = ["Message", "NoticeFailed", "NoticeSender", "try_all"]
