"""Alarms: rules over the record of a session, with hysteresis, kept in the database, told once."""

from eucentric.monitors.alarms.keeper import AlarmEvent, AlarmKeeper, session_settings
from eucentric.monitors.alarms.records import (
    Mute,
    NoSuchAlarm,
    OpenAlarm,
    acknowledge,
    mute_rule,
    mutes,
    open_alarms,
    recent_alarms,
    unmute_rule,
)
from eucentric.monitors.alarms.rules import RULES, Rule

__all__ = [
    "RULES",
    "AlarmEvent",
    "AlarmKeeper",
    "Mute",
    "NoSuchAlarm",
    "OpenAlarm",
    "Rule",
    "acknowledge",
    "mute_rule",
    "mutes",
    "open_alarms",
    "recent_alarms",
    "session_settings",
    "unmute_rule",
]
