"""Rows that users hand in as files, for answers in files."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from continual.policy.cron import Cron
from continual.sources._places import checked_location

Location = Annotated[str, AfterValidator(checked_location)]


class ScoringPolicy(BaseModel):
    """Batch scoring: every new file of `source` is answered by the champion, into a file of that name in `target`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: Location = Field(
        min_length=1,
        description="Folder of .parquet or .csv files with the features, and record_key, event_time, tags where there "
        "are: relative to the home, absolute, or s3://bucket/prefix.",
    )
    target: Location = Field(min_length=1, description="Folder that answers are written to; another than the source.")
    schedule: Cron | None = Field(None, description="Cron expression or preset of the score DAG; empty: by hand.")
    text: list[str] = Field([], description="CSV columns that hold text although their values look like numbers.")
    shadow: bool = Field(True, description="The version with the alias challenger answers too, for the log alone.")

    @model_validator(mode="after")
    def _apart(self) -> Self:
        if self.source.rstrip("/") == self.target.rstrip("/"):
            raise ValueError("target must be another folder than source: answers would be scored again")
        return self
