"""When a DAG is started by the clock."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator


def _cron(value: str) -> str:
    from croniter import croniter  # type: ignore[import-untyped]

    if value != "@quarterly" and not croniter.is_valid(value):  # @quarterly is Airflow's own
        raise ValueError("must be a cron expression such as '0 6 * * *' or a preset such as '@daily'")
    return value


Cron = Annotated[str, AfterValidator(_cron)]
