"""The fields of a policy file. Every description ends up in the JSON Schema that editors show."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal, cast

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from continual.behaviours.base import BEHAVIOURS, Behaviour
from continual.core.duration import Duration
from continual.core.family import InFamily
from continual.core.labelling import Question
from continual.core.prices import Prices
from continual.core.projection import Projection
from continual.core.slices import SliceSpec
from continual.core.target import Target
from continual.detectors.base import DETECTORS, Detector
from continual.expectations.spec import ExpectationSuiteSpec
from continual.gates.base import GATES, Gate, MetricTerms
from continual.labelers.base import LABELERS, Labeler
from continual.metrics.base import METRICS, Metric, Task
from continual.models.spec import Features, Trainer, default_steps
from continual.monitors.base import MONITORS, Monitor
from continual.policy.cron import Cron
from continual.policy.labelling import Labelling
from continual.policy.notify import Notify
from continual.policy.scoring import ScoringPolicy
from continual.policy.training_window import WindowPolicy
from continual.samplers.base import SAMPLERS, Sampler
from continual.sources.base import SOURCES, Source
from continual.triggers.base import TRIGGERS, Trigger


class Section(BaseModel):
    """A part of the policy: frozen, unknown fields refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _aware(value: datetime) -> datetime:
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


Instant = Annotated[datetime, AfterValidator(_aware)]
_SOME_TIME = timedelta(0)  # durations that must be longer than nothing


#: Part of a column's name.
ClassName = Annotated[str, Field(pattern=r"^[\w .+-]{1,60}$")]


class Active(Section):
    """When the application's schedule runs; instants without a zone are UTC."""

    start: Instant = Field(description="First instant of event time the application knows.")
    end: Instant | None = Field(None, description="No scheduled runs after this instant.")


class Label(Section):
    """Ground truth and how late it is."""

    name: str = Field(description="What the label says, for people; of a binary one what 1 means: 'late'.")
    task: Task = Field(Task.BINARY, description="Kind of label.")
    classes: list[ClassName] = Field([], description="multiclass: names of the classes; predictions have p_<class>.")
    lag: Duration = Field(
        description="Rows older than this count as matured: by then nearly all labels that will come have come."
    )
    never_after: Duration | None = Field(
        None, description="A label that has not come by then never will; empty: four times the lag."
    )

    @property
    def target(self) -> Target:
        return Target(self.task.value, tuple(self.classes))

    @property
    def given_up_after(self) -> timedelta:
        """Age of a row whose label never came."""
        return self.never_after or 4 * self.lag


class Expectations(Section):
    """Great Expectations suites that stand between source and log."""

    predictions: ExpectationSuiteSpec = Field(default_factory=ExpectationSuiteSpec)
    labels: ExpectationSuiteSpec = Field(default_factory=ExpectationSuiteSpec)


class StorePolicy(Section):
    """The evaluation store: what is measured every day, and how long rows are kept."""

    bins: Literal[256, 1024] = Field(
        1024,
        description="Score bins of the cells (binary): 1024 give the AUC to 3e-4, 256 to 3e-3 at half the store.",
    )
    windows: list[Duration] = Field(
        [timedelta(days=7), timedelta(days=28)],
        max_length=8,
        description="Windows of matured days that are evaluated at every run of the monitor.",
    )
    keep_rows: Duration | None = Field(
        None, gt=_SOME_TIME, description="Rows older than this are deleted, their cells stay; empty: rows are kept."
    )
    keep_generations: Duration = Field(
        timedelta(days=90), description="Cells as they were known before stay this long; older as-of reads use the log."
    )


class ShadowPolicy(Section):
    """A cheap fresh fit now and then, only to see how stale the champion is; triggers that need none cause none."""

    every: Duration = Field(timedelta(days=14), gt=_SOME_TIME, description="Time between fits.")
    share: float = Field(
        0.2,
        gt=0,
        le=1,
        description="Of the champion's training rows; below 1 a twin of it is fitted as cheaply.",
    )
    min_rows: int = Field(2_000, ge=10, description="So many rows at least, where there are so many.")
    max_rows: int = Field(50_000, ge=10, description="So many rows at most.")


class ZooPolicy(Section):
    """Versions that served before: one that wins on today's rows again is a candidate that costs no training."""

    versions: int = Field(5, ge=0, le=50, description="The last so many are asked before each training; 0: none.")


class Promotion(Section):
    """What happens after the gate says promote."""

    mode: Literal["auto", "approve", "suggest"] = Field(
        "auto", description="approve: a person answers in Airflow; suggest: alias `challenger` only."
    )
    approval_timeout: Duration = Field(timedelta(days=2), description="approve: wait this long for the answer.")
    on_timeout: Literal["reject", "promote"] = Field("reject", description="approve: what silence means.")
    shadow: Duration = Field(
        timedelta(days=365), description="After a promotion the previous version scores the same rows this long."
    )
    cooldown: Duration = Field(timedelta(days=7), description="No automatic retrain this long after a rollback.")


class ServingPolicy(Section):
    """The server that answers, if there is one: a promotion or rollback has happened when it says so."""

    url: Annotated[str, Field(pattern=r"^https?://[^\s/]+(/[^\s]*)?$")] | None = Field(
        None,
        description="Where `continual serve` answers, such as http://127.0.0.1:8088; empty: nobody is asked.",
    )
    wait: Duration = Field(timedelta(seconds=60), description="The server must answer with the new version by then.")


class Policy(Section):
    """One application: one model in production, one file `configs/<application>.yaml`."""

    application: str = Field(pattern=r"^[a-z][a-z0-9_]{0,40}$", description="Also the MLflow registered model.")
    description: str = ""
    owner: str = Field(description="Who is called.")
    schedule: Cron = Field("@daily", description="Cron expression or preset of the ingest DAG.")
    active: Active
    source: Annotated[Source, InFamily(SOURCES)]
    features: Features
    tags: list[str] = Field([], description="Logged columns that are no features but define slices.")
    projections: dict[str, Projection] = Field(
        {},
        description="Computed columns for slices: name -> expression over logged columns. They exist for all history.",
    )
    label: Label
    expectations: Expectations = Field(default_factory=Expectations)
    window: WindowPolicy = Field(default_factory=WindowPolicy)
    sampler: Annotated[Sampler, InFamily(SAMPLERS)] = Field(
        default_factory=lambda: cast(Sampler, SAMPLERS.build({"kind": "active"})),
        description="Which rows are labelled and learnt from; every one has a known chance.",
    )
    labeler: Annotated[Labeler, InFamily(LABELERS)]
    labelling: Labelling = Field(default_factory=Labelling, description="How labels are asked for.")
    trainers: list[Trainer] = Field(min_length=1)
    slices: list[SliceSpec] = Field([], description="Named predicates, or one slice per value of a column.")
    metrics: list[Annotated[Metric, InFamily(METRICS)]] = Field(min_length=1)
    behaviours: list[Annotated[Behaviour, InFamily(BEHAVIOURS)]] = Field(
        [], description="What a candidate must do on recent rows whatever its metrics say; one that fails rejects it."
    )
    gate: Annotated[Gate, InFamily(GATES)]
    monitor: Annotated[Monitor, InFamily(MONITORS)]
    detector: Annotated[Detector, InFamily(DETECTORS)] = Field(
        default_factory=lambda: cast(Detector, DETECTORS.build({"kind": "jump"})),
        description="Looks for inputs that broke, before any label.",
    )
    on_data_fault: Literal["ask", "withdraw"] = Field(
        "ask",
        description="Rows whose inputs broke: ask = the monitor names them and the command; withdraw = it takes them "
        "out of use by itself, until `continual data restore`.",
    )
    trigger: Annotated[Trigger, InFamily(TRIGGERS)] = Field(
        default_factory=lambda: cast(Trigger, TRIGGERS.build({"kind": "cost"})),
        description="When to retrain. Empty: when staleness has cost as much as a retrain (kind cost).",
    )
    shadow: ShadowPolicy = Field(default_factory=ShadowPolicy)
    zoo: ZooPolicy = Field(default_factory=ZooPolicy, description="Old versions that may come back.")
    prices: Prices = Field(default_factory=Prices, description="What a better model is worth and what a retrain costs.")
    promotion: Promotion = Field(default_factory=Promotion)
    serving: ServingPolicy = Field(default_factory=ServingPolicy)
    scoring: ScoringPolicy | None = Field(None, description="Files to be answered in batches; empty: none.")
    store: StorePolicy = Field(default_factory=StorePolicy)
    notify: Notify = Field(default_factory=Notify, description="Who is told what, and when not.")
    seed: int = Field(0, ge=0, le=2**32 - 1, description="Seeds sampling and training.")

    @model_validator(mode="before")
    @classmethod
    def _steps_by_task(cls, data: Any) -> Any:
        """A trainer without steps ends in what the task needs, which the trainer alone cannot know."""
        label = data.get("label") if isinstance(data, dict) else None
        trainers = data.get("trainers") if isinstance(label, dict) and label.get("task") == "regression" else None
        if not isinstance(trainers, list):
            return data
        steps = {"steps": default_steps("regression")}
        return {**data, "trainers": [{**steps, **t} if isinstance(t, dict) else t for t in trainers]}

    @property
    def columns(self) -> list[str]:
        """Columns logged besides the record's own: features and tags."""
        return [*self.features.all, *[t for t in self.tags if t not in self.features.all]]

    @property
    def sliceable(self) -> list[str]:
        """Columns that slices may name: those logged, and the computed ones."""
        return [*self.columns, *self.projections]

    @property
    def question(self) -> Question:
        """What annotators are asked."""
        return Question.of(self.label.name, self.label.target, self.labelling.question)

    @property
    def primary(self) -> Metric:
        """The metric that decides overall; loading has checked that there is exactly one."""
        return next(m for m in self.metrics if m.priority == "primary")

    def metric_terms(self) -> dict[str, MetricTerms]:
        """What the gate needs of each metric, by name."""
        return {
            m.name: MetricTerms(
                priority=m.priority, margin=m.margin, floor=m.floor, higher_is_better=m.higher_is_better
            )
            for m in self.metrics
        }
