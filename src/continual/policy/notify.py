"""Who is told what, and when not."""

from __future__ import annotations

from datetime import datetime, time
from typing import Literal
from zoneinfo import ZoneInfo, available_timezones

from pydantic import BaseModel, ConfigDict, Field, field_validator

Topic = Literal["alarm", "failure", "waits", "data", "blocked", "promotion"]
#: They do not wait for office hours.
URGENT: frozenset[str] = frozenset({"alarm", "failure"})


class Notify(BaseModel):
    """Messages to people; one for each incident."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    to_env: str | None = Field(
        None,
        pattern=r"^[A-Z][A-Z0-9_]*$",
        description="Environment variable of the workers with Apprise URLs (Slack, e-mail, webhook, ...), spaces "
        "between. They hold secrets, therefore never in this file. Empty: nobody is told.",
    )
    about: list[Topic] = Field(
        ["alarm", "failure", "waits", "data", "blocked", "promotion"],
        description="alarm: live model harmed, and what was done. failure: a task failed for good. waits: a verdict "
        "waits for a person. data: rows set aside. blocked: a candidate was not promoted. promotion: one was.",
    )
    quiet: str | None = Field(
        None,
        pattern=r"^([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d$",
        description="Such as 20:00-07:00: what is not urgent (alarm and failure are) waits until it is over.",
    )
    timezone: str = Field("UTC", description="Of `quiet`, such as America/New_York.")

    @field_validator("timezone")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in available_timezones():
            raise ValueError("must be a time zone's name such as Europe/Berlin")
        return value

    def is_quiet(self, now: datetime) -> bool:
        """now: aware."""
        if self.quiet is None:
            return False
        start, end = (time.fromisoformat(part) for part in self.quiet.split("-"))
        local = now.astimezone(ZoneInfo(self.timezone)).time()
        return start <= local < end if start <= end else local >= start or local < end
