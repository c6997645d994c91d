"""When alarms are raised and cleared: `[alarms]` in the settings, `alarms.toml` in a session's folder."""

from datetime import timedelta
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from eucentric.store.periods import Period

Severity = Literal["warning", "critical"]


class Threshold(BaseModel):
    """The thresholds of one rule; the gap between the two keeps an alarm from going on and off.

    Attributes:
        raise_: The value at which the alarm is raised, `raise` in the settings.
        clear: The value at which it is cleared.
        last: Over how many of the newest exposures the rule looks.
        severity: How bad it is.
        off: The rule is not looked at.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    raise_: float = Field(gt=0, alias="raise")
    clear: float = Field(ge=0)
    last: int = Field(default=10, ge=1, le=1000)
    severity: Severity = "warning"
    off: bool = False

    @property
    def small_is_bad(self) -> bool:
        """Whether the alarm is raised when the value is small."""
        return self.raise_ < self.clear

    def scaled(self, factor: float) -> "Threshold":
        """Return the thresholds times a factor."""
        return self.model_copy(update={"raise_": self.raise_ * factor, "clear": self.clear * factor})


def _rule(raise_: float, clear: float, last: int = 10, severity: Severity = "warning") -> Any:
    limits = {"raise": raise_, "clear": clear, "last": last, "severity": severity}
    return Field(default=Threshold.model_validate(limits))


class AlarmSettings(BaseModel):
    """All thresholds, and how often one hears of the same alarm.

    Attributes:
        remind: An open alarm that nobody acknowledged is told again after so long; no alarm more often.
        calm: An alarm is cleared when all has been well for so long.

    The other attributes are the rules, in the settings with dashes: `no-movie`. Of a rule, what is left out
    stays as it is by default; `clear` without a value follows `raise` in the same proportion.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=lambda name: name.replace("_", "-")
    )

    remind: Period = timedelta(minutes=30)
    calm: Period = timedelta(minutes=5)

    no_movie: Threshold = _rule(10, 1, severity="critical")
    counts: Threshold = _rule(15, 8)
    dose: Threshold = _rule(35, 25)
    gain: Threshold = _rule(0.06, 0.04, last=5, severity="critical")
    gain_estimate: Threshold = _rule(1, 0.5, last=1, severity="critical")
    defocus: Threshold = _rule(5000, 3000)
    astigmatism: Threshold = _rule(1000, 600)
    resolution: Threshold = _rule(8, 6.5)
    motion: Threshold = _rule(40, 25)
    ice: Threshold = _rule(0.5, 0.3)
    rejected: Threshold = _rule(60, 40, last=20)
    failed: Threshold = _rule(30, 10, last=20, severity="critical")
    dropped: Threshold = _rule(3, 1)
    metadata: Threshold = _rule(50, 20, last=20)
    transfer: Threshold = _rule(10, 5)
    processing: Threshold = _rule(30, 15, last=5)
    disk: Threshold = _rule(12, 18, severity="critical")
    engine: Threshold = _rule(1, 0.5, last=1, severity="critical")
    publishing: Threshold = _rule(1, 0.5, last=1)

    @model_validator(mode="before")
    @classmethod
    def _over_defaults(cls, given: Any) -> Any:
        """Complete what is given of each rule with its defaults."""
        if not isinstance(given, dict):
            return given
        whole = dict(given)
        for field in cls.model_fields.values():
            alias = str(field.alias)
            if isinstance(field.default, Threshold) and isinstance(given.get(alias), dict):
                whole[alias] = _over(field.default, given[alias])
        return whole

    @model_validator(mode="after")
    def _sides(self) -> Self:
        """Refuse thresholds the wrong way round."""
        for name in self.rules():
            limits, default = self.of(name), _DEFAULTS[name]
            if limits.raise_ == limits.clear or limits.small_is_bad != default.small_is_bad:
                side = "greater" if default.small_is_bad else "less"
                raise ValueError(
                    f"{name}: clear ({limits.clear:g}) must be {side} than raise ({limits.raise_:g})"
                )
        return self

    @classmethod
    def rules(cls) -> list[str]:
        """Return the names of all rules."""
        return list(_DEFAULTS)

    def of(self, rule: str) -> Threshold:
        """Return the thresholds of a rule."""
        found: Threshold = getattr(self, rule.replace("-", "_"))
        return found

    def altered(self, given: dict[str, Any]) -> "AlarmSettings":
        """Return the settings with some changed, given as in the settings' file.

        Raises:
            ValidationError: There is no such setting, or a value is wrong.
        """
        whole: dict[str, Any] = {"remind": self.remind, "calm": self.calm}
        for name in self.rules():
            whole[name] = self.of(name).model_dump(by_alias=True)
        for name, value in given.items():
            nested = name in _DEFAULTS and isinstance(value, dict)
            whole[name] = _over(self.of(name), value) if nested else value
        return AlarmSettings.model_validate(whole)


_DEFAULTS: dict[str, Threshold] = {
    str(field.alias): field.default
    for field in AlarmSettings.model_fields.values()
    if isinstance(field.default, Threshold)
}


def _over(before: Threshold, given: dict[str, Any]) -> dict[str, Any]:
    whole = before.model_dump(by_alias=True) | given
    if "clear" not in given and isinstance(given.get("raise"), int | float):
        whole["clear"] = given["raise"] * before.clear / before.raise_
    return whole
