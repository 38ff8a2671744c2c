"""What the evaluation store answers: metrics and comparisons on every slice of a window, as known at an instant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from continual.core.window import Window, utc
from continual.errors import ContinualError
from continual.flows import cells
from continual.flows.day_rows import LIVE
from continual.flows.workspace import Workspace

if TYPE_CHECKING:
    import pandas as pd

    from continual.core.cells import Cells
    from continual.core.estimate import Comparison, Estimate
    from continual.metrics.base import Metric

METRIC_COLUMNS = (
    "version", "slice", "metric", "value", "low", "high", "n", "n_labelled", "coverage", "method"
)  # fmt: skip
COMPARISON_COLUMNS = (
    "slice", "metric", "candidate", "champion", "gain", "low", "high", "p_harm", "n", "margin", "method"
)  # fmt: skip


def metrics(
    ws: Workspace,
    window: Window,
    as_of: datetime,
    versions: Sequence[str] = (LIVE,),
    *,
    slices: Iterable[str] | None = None,
    kinds: Iterable[str] | None = None,
) -> pd.DataFrame:
    """Every metric of the policy on every slice: one row each, METRIC_COLUMNS; undefined values are null.

    window: whole UTC days. versions: `live` (as served) or model versions (every row of the window, as far as it was
    served or scored by them). slices, kinds: only these.

    Raises
    ------
    ContinualError: part of a day, an unknown slice or metric, or a version without an answer in the window.
    """
    import pandas as pd

    check_days(window)
    wanted = chosen(ws, kinds)
    found = cells.read(ws, versions, window, utc(as_of))
    _check_versions(versions, found, window)
    rows = [
        metric_row(version, name, metric, estimate)
        for version in versions
        for metric in wanted
        for name, estimate in kept(found[version].slices, metric.from_cells(found[version]), slices)
    ]
    return pd.DataFrame(rows, columns=list(METRIC_COLUMNS))


def daily(
    ws: Workspace,
    window: Window,
    as_of: datetime,
    version: str = LIVE,
    *,
    slices: Iterable[str] | None = None,
    kinds: Iterable[str] | None = None,
) -> pd.DataFrame:
    """`metrics` of each day by itself, with a column `day`; slices are those of the whole window.

    Raises
    ------
    ContinualError: as `metrics`.
    """
    import pandas as pd

    check_days(window)
    found = cells.read(ws, [version], window, utc(as_of))
    _check_versions([version], found, window)
    rows = []
    for position, day in enumerate(found[version].day):
        one = found[version].of_day(position)
        for metric in chosen(ws, kinds):
            each = kept(one.slices, metric.from_cells(one), slices)
            rows += [(_date(day), *metric_row(version, name, metric, estimate)) for name, estimate in each]
    return pd.DataFrame(rows, columns=["day", *METRIC_COLUMNS])


def compare(
    ws: Workspace,
    candidate: str,
    champion: str,
    window: Window,
    as_of: datetime,
    *,
    slices: Iterable[str] | None = None,
    kinds: Iterable[str] | None = None,
) -> pd.DataFrame:
    """Two versions on identical rows: one row for each slice and metric, COMPARISON_COLUMNS; positive gain =
    `candidate` is better.

    Raises
    ------
    ContinualError: as `metrics`, or one of the two has no answer for some rows (score them first).
    """
    import pandas as pd

    check_days(window)
    pair = f"{candidate}~{champion}"
    found = cells.read(ws, [candidate, champion, pair], window, utc(as_of))
    _check_versions([candidate, champion], found, window)
    ours, theirs, both = found[candidate], found[champion], found.get(pair)
    _check_complete(ws, {candidate: ours, champion: theirs}, window)
    rows = []
    for metric in chosen(ws, kinds):
        each = zip(
            metric.compare_cells(ours, theirs, both), metric.from_cells(ours), metric.from_cells(theirs), strict=True
        )
        rows += [_comparison_row(name, metric, three) for name, three in kept(ours.slices, list(each), slices)]
    return pd.DataFrame(rows, columns=list(COMPARISON_COLUMNS))


def chosen(ws: Workspace, kinds: Iterable[str] | None) -> list[Metric]:
    """Metrics of the policy by name; all when `kinds` is None.

    Raises
    ------
    ContinualError: the policy has no metric of that name.
    """
    known = {metric.name: metric for metric in ws.policy.metrics}
    wanted = list(known) if kinds is None else list(kinds)
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise ContinualError(
            "A metric must be one of the policy's.",
            f"{', '.join(unknown)}; it has {', '.join(known)}.",
            "add it to `metrics` in the policy with `priority: report`; history is measured, too.",
        )
    return [known[name] for name in wanted]


def kept(names: Sequence[str], values: Sequence[Any], wanted: Iterable[str] | None) -> list[tuple[str, Any]]:
    pairs = list(zip(names, values, strict=True))
    if wanted is None:
        return pairs
    by_name, wanted = dict(pairs), list(wanted)
    unknown = [name for name in wanted if name not in by_name]
    if unknown:
        near = difflib.get_close_matches(unknown[0], by_name, n=1)
        more = f" and {len(by_name) - 10} more" if len(by_name) > 10 else ""
        raise ContinualError(
            "A slice must be one of the window's.",
            f"{', '.join(unknown)}; there are {', '.join(list(by_name)[:10])}{more}.",
            f"{f'did you mean {near[0]}? ' if near else ''}Look at `continual slices list`, or add it to the policy.",
        )
    return [(name, by_name[name]) for name in wanted]


def metric_row(version: str, name: str, metric: Metric, found: Estimate) -> tuple[Any, ...]:
    numbers = (found.value, found.low, found.high, found.n, found.n_labelled, found.coverage)
    return (version, name, metric.name, *numbers, found.method)


def _comparison_row(name: str, metric: Metric, each: tuple[Comparison, Estimate, Estimate]) -> tuple[Any, ...]:
    found, ours, theirs = each
    numbers = (ours.value, theirs.value, found.gain, found.low, found.high, found.p_harm, found.n, metric.margin)
    return (name, metric.name, *numbers, found.method)


def _date(number: Any) -> date:
    return date(1970, 1, 1) + timedelta(days=int(number))


def check_days(window: Window) -> None:
    """
    Raises
    ------
    ContinualError: the window starts or ends within a day.
    """
    parts = [t for t in (window.start, window.end) if (t.hour, t.minute, t.second, t.microsecond) != (0, 0, 0, 0)]
    if parts:
        raise ContinualError(
            "The evaluation store measures whole UTC days.", f"{window}.", "start and end the window at midnight UTC."
        )


def _check_versions(versions: Sequence[str], found: dict[str, Cells], window: Window) -> None:
    absent = [version for version in versions if version not in found]
    if absent:
        raise no_answer(absent, window)


def no_answer(versions: Sequence[str], window: Window) -> ContinualError:
    """What to say when versions have no answer in a window."""
    scored = f"let it answer these: `continual score {versions[0]} --window {_text(window)}`"
    return ContinualError(
        "There must be rows with answers of a version to measure it.",
        f"none of {', '.join(versions)} in {window}.",
        f"look at other days, or {scored if versions[0] != LIVE else 'log answers (model_version, prediction)'}.",
    )


def _text(window: Window) -> str:
    return f"{window.start:%Y-%m-%d}..{window.end:%Y-%m-%d}"


def _check_complete(ws: Workspace, found: dict[str, Cells], window: Window) -> None:
    """Compared are versions on the same rows: a row only one of them answered would compare other populations."""
    labelled = {version: found[version].n_labelled[:, 0] for version in found}
    first, second = labelled.values()
    if len(first) != len(second) or (first != second).any():
        shown = ", ".join(f"version {v} {int(n.sum()):,}" for v, n in labelled.items())
        raise ContinualError(
            "Two versions are compared on identical rows.",
            f"labelled rows in {window} with an answer: {shown}.",
            f"run `continual score VERSION --app {ws.app} --window {_text(window)}` for the one with fewer.",
        )
