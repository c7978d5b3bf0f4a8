"""What a policy may set for the rules over lineage."""

from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator

from governance.check import Params

RuleName = Literal["R1", "R2", "R3", "R6"]
RULES: tuple[RuleName, ...] = ("R1", "R2", "R3", "R6")


class GDPRParams(Params):
    """Which rules are judged, and their limits."""

    rules: tuple[RuleName, ...] = Field(
        RULES, min_length=1, description="Rules to judge: R1 purpose, R2 special categories, R3 retention, R6 source."
    )
    retention_warning_days: int = Field(
        30, ge=0, le=3650, description="Days before a retention end in which R3 passes with a warning."
    )
    high_risk: bool | None = Field(
        None,
        description="Whether R6 blocks (true) or warns (false). Null: by the model's recorded risk tier, where only "
        "`limited`, `minimal` and `low` count as not high.",
    )
    time_zone: str = Field(
        "UTC", description="IANA name of the controller's time zone, in which retention periods are reckoned."
    )

    @field_validator("rules")
    @classmethod
    def _each_rule_once(cls, rules: tuple[RuleName, ...]) -> tuple[RuleName, ...]:
        if len(set(rules)) != len(rules):
            raise ValueError("each rule is named once")
        return tuple(sorted(rules))

    @field_validator("time_zone")
    @classmethod
    def _zone_is_known(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError) as fault:
            raise ValueError(f"{name!r} is not the name of a time zone") from fault
        return name
