"""Run a suite on a batch in memory; fail closed on everything Great Expectations lets pass by itself."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from continual.core.canonical import plain
from continual.expectations import sentences
from continual.expectations.catalogue import suite_of
from continual.expectations.outcome import RowFinding, ValidationOutcome, combined, limited, refused
from continual.expectations.spec import ExpectationSpec, ExpectationSuiteSpec

if TYPE_CHECKING:
    import pandas as pd

#: One asset serves the process; two threads must not swap each other's frame.
_LOCK = threading.Lock()
#: What is done with an outcome and Great Expectations' own result.
Keep = Callable[[ValidationOutcome, Any], None]
_FORMAT = {"result_format": "COMPLETE", "return_unexpected_index_query": False}


def validate(
    frame: pd.DataFrame,
    suite: ExpectationSuiteSpec,
    name: str,
    schema: ValidationOutcome | None = None,
    keep: Keep | None = None,
) -> ValidationOutcome:
    """Judge one batch by its suite.

    Parameters
    ----------
    frame: (n, columns) the batch; row positions of the outcome count from 0 whatever its index is.
    name: what the batch is called in the statistics.
    schema: outcome of `schema.check_predictions` / `check_labels` on the same frame; joined before the share of
        failing rows is compared with `max_quarantined_share`.
    keep: called with the outcome and Great Expectations' own result, when an expectation ran.

    The batch is refused when it is empty, a column of the suite is missing or wholly null, a check raises, a
    `batch` check fails, a `row` check with `mostly` fails, or too many rows failed.

    Raises
    ------
    PolicyError: the suite names an expectation or argument that does not exist.
    """
    n = len(frame)
    if n == 0:
        return _with(refused(0, sentences.EMPTY), statistics={"batch": name})
    came = [str(column) for column in frame.columns]
    expected = [column for check in suite.checks for column in check.columns]
    runnable = [check for check in suite.checks if all(came.count(column) == 1 for column in check.columns)]
    report = _run(frame, runnable)
    checked = list(zip(runnable, _results(report, len(runnable)), strict=True))
    judged = [_judge(check, result, frame) for check, result in checked]
    unreadable = ValidationOutcome(n, _unreadable(expected, came))
    outcome = combined(n, [*([schema] if schema else []), unreadable, *judged])
    statistics = {"batch": name, "expectations": [_line(*pair) for pair in checked], "null_share": _null_shares(frame)}
    whole = limited(_with(outcome, statistics={**outcome.statistics, **statistics}), suite.max_quarantined_share)
    if keep and report is not None:
        keep(whole, report)
    return whole


def _with(outcome: ValidationOutcome, statistics: dict[str, Any]) -> ValidationOutcome:
    return ValidationOutcome(outcome.n, outcome.reasons, outcome.findings, dict(plain(statistics)))


def _unreadable(expected: Sequence[str], came: Sequence[str]) -> tuple[str, ...]:
    missing = [sentences.missing_column(column, came) for column in expected if column not in came]
    twice = [f"{column}: two columns of this name came" for column in expected if came.count(column) > 1]
    return (*missing, *twice)


@lru_cache(maxsize=1)
def _batch_definition() -> Any:
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig

    context = gx.get_context(mode="ephemeral")
    context.variables.analytics_enabled = False
    context.variables.progress_bars = ProgressBarsConfig(globally=False, metric_calculations=False)
    asset = context.data_sources.add_pandas("memory").add_dataframe_asset("batch")
    return asset.add_batch_definition_whole_dataframe("whole")


def _run(frame: pd.DataFrame, checks: Sequence[ExpectationSpec]) -> Any:
    """Great Expectations' result; None without a check."""
    if not checks:
        return None
    with _LOCK:
        definition, suite = _batch_definition(), suite_of(checks)
        batch = definition.get_batch(batch_parameters={"dataframe": frame.reset_index(drop=True)})
        return batch.validate(suite, result_format=_FORMAT)


def _results(report: Any, n: int) -> list[dict[str, Any]]:
    """One result per check, in their order: success, result, and exception (message or None)."""
    if report is None:
        return []
    by_position = {r.expectation_config.meta["position"]: r for r in report.results}
    return [_result(by_position.get(position)) for position in range(n)]


def _result(report: Any) -> dict[str, Any]:
    if report is None:
        return {"success": False, "result": {}, "exception": "no result came back"}
    return {
        "success": bool(report.success),
        "result": dict(report.result or {}),
        "exception": _exception(report.exception_info or {}),
    }


def _exception(info: dict[Any, Any]) -> str | None:
    """Message of the first exception; one dict, or one per metric that raised."""
    entries = [info] if "raised_exception" in info else list(info.values())
    messages = [str(entry.get("exception_message")) for entry in entries if entry.get("raised_exception")]
    return messages[0] if messages else None


def _judge(check: ExpectationSpec, result: dict[str, Any], frame: pd.DataFrame) -> ValidationOutcome:
    n, found = len(frame), result["result"]
    if result["exception"] is not None:
        dtypes = ", ".join(sorted({str(frame[column].dtype) for column in check.columns}))
        return refused(n, sentences.raised(check, result["exception"], dtypes))
    if _saw_only_nulls(found):
        return refused(n, sentences.all_null(check, found["element_count"]))
    positions = found.get("unexpected_index_list")
    if check.severity == "batch" or (positions is None and not result["success"]):
        return ValidationOutcome(n) if result["success"] else refused(n, sentences.failed(check, found))
    rows = np.sort(np.asarray(positions or [], dtype=np.int64))
    over = "mostly" in check.arguments and not result["success"]
    reasons = (sentences.failed(check, found),) if over else ()
    return ValidationOutcome(n, reasons, (RowFinding(sentences.row_failed(check), rows),) if len(rows) else ())


def _saw_only_nulls(result: dict[str, Any]) -> bool:
    """True for row-wise expectations that skip nulls and found nothing else (never for those about nulls)."""
    missing, seen = result.get("missing_count"), result.get("element_count")
    return bool(missing and missing == seen)


def _line(check: ExpectationSpec, result: dict[str, Any]) -> dict[str, Any]:
    found = result["result"]
    return {
        "expectation": sentences.signature(check),
        "columns": check.columns,
        "severity": check.severity,
        "success": result["success"] and result["exception"] is None and not _saw_only_nulls(found),
        "unexpected": found.get("unexpected_count"),
        "checked": found.get("element_count"),
        "observed": found.get("observed_value"),
        "exception": result["exception"],
    }


def _null_shares(frame: pd.DataFrame) -> dict[str, float]:
    shares = frame.isna().mean().round(6)
    return {str(column): float(share) for column, share in shares.items()}
