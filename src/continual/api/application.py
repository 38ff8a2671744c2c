"""One application, opened by name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from continual.api.datasets import Datasets
from continual.api.decisions import Decisions
from continual.api.empty import explained, no_rows
from continual.api.erased import with_absent, with_erased_since
from continual.api.expectations import Expectations
from continual.api.withdrawals import Withdrawals
from continual.api.withdrawn import with_withdrawn, with_withdrawn_since
from continual.core.verdict import OVERALL
from continual.core.window import Window, utc
from continual.distances.base import DISTANCES
from continual.flows import back_score, cells, drift_query, exact_query, label_query, slice_query, store_query
from continual.flows.day_rows import LIVE
from continual.flows.knowledge import newest
from continual.flows.weights import requests_of
from continual.flows.workspace import Outcome, Workspace
from continual.policy.windows import report_window
from continual.settings import Settings

if TYPE_CHECKING:
    import pandas as pd

    from continual.api.labelling import Labelling
    from continual.core.discovery import WeakSlice
    from continual.core.label_delay import DelayDependence
    from continual.core.label_lag import LagCurve
    from continual.core.returns import Returns
    from continual.replay.ask import Looks, Replayed
    from continual.replay.contenders import Policies
    from continual.replay.preview import Previewed

#: What a window defaults to: the last matured days.
WINDOW = "28d"


class Application(Datasets, Decisions, Expectations, Withdrawals):
    """What is known of one application. Reading needs neither Airflow nor MLflow; `score` needs MLflow.

    home: folder of the deployment's state; configs: folder of policy files; by default as the environment says
    (CONTINUAL_HOME, CONTINUAL_CONFIGS). A window is text as on the command line (`28d` = the last 28 matured days,
    `2013-07-01..2013-08-01`) or a `Window` of whole UTC days. as_of: only rows and labels known by then count; default:
    the newest instant at which anything was taken in.

    Raises
    ------
    PolicyError: there is no such application, or its policy was never valid.
    NotEnoughData: (of methods that take a window) the window has no rows; it says which days have some.
    """

    def __init__(self, name: str, home: Path | str | None = None, configs: Path | str | None = None) -> None:
        environment = Settings.from_environment({"CONTINUAL_HOME": str(home)} if home else None)
        settings = replace(environment, configs=Path(configs).absolute()) if configs else environment
        self.workspace = Workspace.open(name, settings=settings)

    @classmethod
    def of(cls, workspace: Workspace) -> Application:
        """An application whose workspace is open already."""
        made = cls.__new__(cls)
        made.workspace = workspace
        return made

    @property
    def labelling(self) -> Labelling:
        """Asking people for labels."""
        from continual.api.labelling import Labelling

        return Labelling(self.workspace)

    @cached_property
    def as_of(self) -> datetime:
        """The newest instant of knowledge."""
        return newest(self.workspace)

    def window(self, window: Window | str = WINDOW, as_of: datetime | None = None) -> Window:
        """What a window in words means."""
        known = self.as_of if as_of is None else utc(as_of)
        return window if isinstance(window, Window) else report_window(self.workspace.policy, known, window)

    def _asked(self, window: Window | str, as_of: datetime | None) -> tuple[Window, datetime]:
        known = self.as_of if as_of is None else utc(as_of)
        return self.window(window, known), known

    def _filled(self, frame: pd.DataFrame, count: str, window: Window, as_of: datetime) -> pd.DataFrame:
        """`frame`, unless nothing was counted in it because the window has no rows."""
        reason = None if frame[count].any() else no_rows(self.workspace, window, as_of)
        if reason is not None:
            raise reason
        return frame

    def metrics(
        self,
        window: Window | str = WINDOW,
        versions: Sequence[str] = (LIVE,),
        *,
        slices: Iterable[str] | None = None,
        metrics: Iterable[str] | None = None,
        as_of: datetime | None = None,
        exact: bool = False,
    ) -> pd.DataFrame:
        """Every metric on every slice, with 95% intervals clustered by day and label coverage: see `store_query`.

        exact: read every row instead of the cells, so that no ranking metric is binned; costs a scan.
        erased: rows of the window, of any slice, that are not in these numbers because they were erased by record key,
        or are past their retention on days without cells. withdrawn: rows that were out of use at `as_of`.
        """
        days, known = self._asked(window, as_of)
        with explained(self.workspace, days, known):
            read = exact_query.metrics if exact else store_query.metrics
            found = read(self.workspace, days, known, versions, slices=slices, kinds=metrics)
        return with_withdrawn(self.workspace, with_absent(self.workspace, found, days, known), days, known)

    def daily(
        self,
        window: Window | str = WINDOW,
        version: str = LIVE,
        *,
        slices: Iterable[str] | None = None,
        metrics: Iterable[str] | None = None,
        as_of: datetime | None = None,
    ) -> pd.DataFrame:
        """`metrics` of every day of the window, with a column `day`; intervals are of independent rows."""
        days, known = self._asked(window, as_of)
        with explained(self.workspace, days, known):
            found = store_query.daily(self.workspace, days, known, version, slices=slices, kinds=metrics)
        return with_withdrawn(self.workspace, with_absent(self.workspace, found, days, known), days, known)

    def compare(
        self,
        candidate: str,
        champion: str,
        window: Window | str = WINDOW,
        *,
        slices: Iterable[str] | None = None,
        metrics: Iterable[str] | None = None,
        as_of: datetime | None = None,
    ) -> pd.DataFrame:
        """Two versions on identical rows; positive gain = `candidate` is better."""
        days, known = self._asked(window, as_of)
        with explained(self.workspace, days, known):
            return store_query.compare(self.workspace, candidate, champion, days, known, slices=slices, kinds=metrics)

    def evaluations(self, window: Window | None = None, as_of: datetime | None = None, **equal: Any) -> pd.DataFrame:
        """Rows of the table `evaluation`: what was measured when; see `EvaluationStore.read`.

        erased: rows of the window that were erased or expired since; above 0 the number can no longer be recomputed.
        withdrawn: rows of the window that went out of use since.
        """
        found = self.workspace.evaluations.read(window, as_of, **equal)
        return with_withdrawn_since(self.workspace, with_erased_since(self.workspace, found))

    def slices(self, window: Window | str = WINDOW, as_of: datetime | None = None) -> pd.DataFrame:
        """Every slice of a window with its predicate, rows and labels."""
        days, known = self._asked(window, as_of)
        return self._filled(slice_query.slices(self.workspace, days, known), "n", days, known)

    def discover(
        self,
        window: Window | str = "56d",
        *,
        literals: int = 2,
        min_rows: int = 100,
        as_of: datetime | None = None,
    ) -> list[WeakSlice]:
        """Slices nobody named on which the live model is worse, confirmed on days that did not propose them."""
        days, known = self._asked(window, as_of)
        reason = no_rows(self.workspace, days, known)
        if reason is not None:
            raise reason
        return slice_query.discover(self.workspace, days, known, literals, min_rows)

    def chosen_labels(self, window: Window | str = WINDOW, as_of: datetime | None = None) -> bool:
        """Whether labels of the window were chosen by a sampler."""
        return requests_of(self.workspace).any_in(*self._asked(window, as_of))

    def labels(
        self, window: Window | str = WINDOW, *, slices: Iterable[str] | None = None, as_of: datetime | None = None
    ) -> pd.DataFrame:
        """How many labels are there, pending, overdue or never to come, and how long they take."""
        days, known = self._asked(window, as_of)
        with explained(self.workspace, days, known):
            found = label_query.labels(self.workspace, days, known, slices=slices)
        return self._filled(found, "n", days, known)

    def label_curve(
        self, window: Window | str = WINDOW, slice_name: str = OVERALL, as_of: datetime | None = None
    ) -> LagCurve:
        """Share of rows that have their label after a time."""
        return label_query.curve(self.workspace, *self._asked(window, as_of), slice_name)

    def label_delay(self, window: Window | str = WINDOW, as_of: datetime | None = None) -> DelayDependence:
        """Does the delay of a label tell its value?"""
        return label_query.delay(self.workspace, *self._asked(window, as_of))

    def drift(
        self,
        window: Window | str = WINDOW,
        reference: Window | str | None = None,
        *,
        columns: Iterable[str] | None = None,
        distances: Iterable[str] = drift_query.DEFAULT,
        slice_name: str = OVERALL,
        as_of: datetime | None = None,
    ) -> pd.DataFrame:
        """How far inputs and answers are from those of `reference` (default: as many days just before)."""
        days, known = self._asked(window, as_of)
        earlier, kinds = self.reference(days, reference, as_of), list(distances)
        for kind in kinds:
            DISTANCES.get(kind)
        found = drift_query.drift(
            self.workspace, days, earlier, known, columns=columns, distances=kinds, slice_name=slice_name
        )
        self._filled(found, "n_reference", earlier, known)
        return self._filled(found, "n_current", days, known)

    def reference(self, window: Window, reference: Window | str | None = None, as_of: datetime | None = None) -> Window:
        """What `drift` compares a window with: by default as many days just before."""
        before = Window(window.start - (window.end - window.start), window.start)
        return before if reference is None else self.window(reference, as_of)

    def score(
        self,
        version: str,
        window: Window | str = WINDOW,
        *,
        as_of: datetime | None = None,
        progress: back_score.Progress | None = None,
    ) -> Outcome:
        """Let a registered version answer every logged row of the window, so that it can be compared there."""
        days, known = self._asked(window, as_of)
        return back_score.back_score(self.workspace, version, days, known, progress)

    def score_files(self, *, as_of: datetime, progress: back_score.Progress | None = None) -> Outcome:
        """Let the champion answer every file of the policy's `scoring.source` that it did not answer yet."""
        from continual.flows import score_files

        return score_files.score_files(self.workspace, as_of, progress)

    def build(
        self,
        window: Window | str = WINDOW,
        *,
        as_of: datetime | None = None,
        progress: cells.Progress | None = None,
    ) -> Outcome:
        """Build the cells of a window that are missing or out of date, so that reading it costs no scan."""
        days, known = self._asked(window, as_of)
        return cells.refresh(self.workspace, days, known, progress)

    def replay(self, policies: Policies = (), looks: Looks | None = None, **how: Any) -> Replayed:
        """Play the log again under other policies, files or name -> fields that differ: see `continual.replay.ask`."""
        from continual.replay.ask import replay

        return replay(self.workspace, policies, looks, **how)

    def pnl(self) -> pd.DataFrame:
        """Every judged retrain, oldest first, as the table `retrain_result`: what was forecast with its 95% interval,
        what it cost, and, once labels matured, what it gained; all in `unit`. NaN = not known (yet)."""
        return self.workspace.retrains.results()

    def returns(self) -> Returns:
        """Sums of `pnl`, and how the forecasts compare with what came."""
        from continual.core.returns import returns

        frame = self.pnl()
        rows = frame.astype(object).where(frame.notna(), None).to_dict("records")
        return returns({str(name): value for name, value in row.items()} for row in rows)

    def preview(self, edited: Path | str, last: int = 20) -> list[Previewed]:
        """Which of the last decisions an edited policy would have changed: see `continual.replay.preview`."""
        from continual.replay.contenders import read_contender
        from continual.replay.preview import preview

        return preview(self.workspace, read_contender(self.workspace.loaded, Path(edited)).policy, last)
