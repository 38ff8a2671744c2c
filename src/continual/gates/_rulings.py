"""From evidence to findings, and from findings to one verdict: the parts any gate needs."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from continual.core.stats.power import Paired, rows_to_rule_out
from continual.core.verdict import (
    OVERALL,
    Answer,
    GateEvidence,
    MetricEvidence,
    SliceClass,
    SliceEvidence,
    SliceFinding,
    Tier,
    Verdict,
)
from continual.gates._complete import JUDGED, Gap
from continual.gates._wording import num, value_of
from continual.gates.base import MetricTerms

Terms = Mapping[str, MetricTerms]
Key = tuple[str, str]


@dataclass(frozen=True)
class Ruling:
    """A finding and what it demands: promote = no objection."""

    finding: SliceFinding
    answer: Answer = Answer.PROMOTE


@dataclass(frozen=True)
class Level:
    """Error probability that the overall test of one decision may use. how: where it comes from, for the sentence."""

    alpha: float
    how: str


@dataclass(frozen=True)
class Cell:
    """One judged metric on one slice. spare: per-row variance overall, for slices with too few rows for their own."""

    item: SliceEvidence
    metric: MetricEvidence
    term: MetricTerms
    found: Paired | None
    spare: float

    @property
    def key(self) -> Key:
        return self.item.slice, self.metric.metric

    @property
    def n(self) -> int:
        """Paired labelled rows."""
        return self.found.n if self.found else self.metric.candidate.n_labelled

    @property
    def critical(self) -> bool:
        return self.item.tier == Tier.CRITICAL

    @property
    def is_overall(self) -> bool:
        return self.item.slice == OVERALL


def _overall(evidence: GateEvidence) -> SliceEvidence:
    return next(item for item in evidence.slices if item.slice == OVERALL)


def cells_of(evidence: GateEvidence, terms: Terms) -> list[Cell]:
    """Every judged metric on every slice, in the order of the evidence, the primary metric first."""
    found = {metric.metric: Paired.of(metric.comparison) for metric in _overall(evidence).metrics}
    spare = {name: paired.row_variance for name, paired in found.items() if paired}
    cells = [
        Cell(item, metric, terms[metric.metric], Paired.of(metric.comparison), spare[metric.metric])
        for item in evidence.slices
        for metric in item.metrics
        if terms[metric.metric].priority in JUDGED
    ]
    return sorted(cells, key=lambda cell: cell.term.priority != "primary")


def finding_of(
    cell: Cell,
    verdict: SliceClass,
    sentence: str,
    detectable: float | None,
    p_adjusted: float | None = None,
    labels_needed: int | None = None,
) -> SliceFinding:
    """The finding about one cell, with the numbers of its comparison."""
    found = cell.found
    gain, low, high, p_harm = (found.gain, found.low, found.high, found.p_harm) if found else (None,) * 4
    return SliceFinding(
        slice=cell.item.slice,
        metric=cell.metric.metric,
        slice_class=verdict,
        gain=gain,
        low=low,
        high=high,
        p_harm=p_harm,
        p_adjusted=p_adjusted,
        n=cell.n,
        minimum_detectable=detectable,
        labels_needed=labels_needed,
        sentence=sentence,
    )


def floor_rulings(evidence: GateEvidence, terms: Terms) -> list[Ruling]:
    """One ruling for each metric with a floor, on the candidate's overall value."""
    floors = [(m, terms[m.metric], terms[m.metric].floor) for m in _overall(evidence).metrics]
    return [_floor(metric, term, floor) for metric, term, floor in floors if floor is not None]


def _floor(metric: MetricEvidence, term: MetricTerms, floor: float) -> Ruling:
    value = metric.candidate.value
    reached = value is not None and (value >= floor if term.higher_is_better else value <= floor)
    word = "floor" if term.higher_is_better else "ceiling"
    says = f"{'keeps' if reached else 'misses'} its {word} {num(floor)}"
    text = f"overall: {metric.metric} {value_of(metric.candidate)} {says}"
    verdict = SliceClass.PROVEN if reached else SliceClass.HARM
    n = metric.candidate.n_labelled
    finding = SliceFinding(OVERALL, metric.metric, verdict, None, None, None, None, None, n, None, None, text)
    return Ruling(finding, Answer.PROMOTE if reached else Answer.REJECT)


def labels_to_show(found: Paired, bar: float, alpha: float) -> int | None:
    """Further rows after which a gain of the size seen would clear `bar`; None when it lies below."""
    if found.gain <= bar:
        return None
    return max(rows_to_rule_out(found.row_variance, found.gain - bar, alpha) - found.n, 1)


def harmed_ancestor(key: Key, parents: Mapping[str, str], harmed: set[Key]) -> str | None:
    """The nearest harmed slice that `key` rolls up to, with `overall` at the top; cycles end the walk."""
    name, metric = key
    seen = {name}
    while (name := parents.get(name, OVERALL)) not in seen:
        if (name, metric) in harmed:
            return name
        seen.add(name)
    return None


def refuse(gaps: list[Gap], champion: str | None) -> Verdict:
    """Reject because the evidence is not fit to decide on; the first gap is the reason."""
    names = tuple(dict.fromkeys(gap.slice for gap in gaps))
    more = f" (and {len(gaps) - 1} more such faults)" if len(gaps) > 1 else ""
    stays = f"; {champion} stays champion" if champion else "; nothing is promoted"
    return Verdict(Answer.REJECT, f"Rejected, not fit to decide: {gaps[0].sentence}{more}{stays}.", names)


def combine(rulings: Iterable[Ruling], champion: str | None) -> Verdict:
    """Any objection rejects; without one, labels still needed; without those, promote."""
    rulings = list(rulings)
    findings = tuple(ruling.finding for ruling in rulings)
    primary = next((f.metric for f in findings if f.p_harm is not None), None)  # cells_of puts it first
    for answer, write in ((Answer.REJECT, _rejection), (Answer.NEED_LABELS, _request)):
        against = sorted((r.finding for r in rulings if r.answer is answer), key=lambda f: _weight(f, primary))
        if against:
            names = tuple(dict.fromkeys(finding.slice for finding in against))
            labels = _labels(against) if answer is Answer.NEED_LABELS else {}
            return Verdict(answer, write(against, names, champion), names, labels, findings)
    return Verdict(Answer.PROMOTE, _promotion(findings, champion), findings=findings)


def _weight(finding: SliceFinding, primary: str | None) -> tuple[bool, bool, float]:
    """Sort key: harm before doubt, the primary metric before guardrails, then by p-value."""
    p = finding.p_harm if finding.p_adjusted is None else finding.p_adjusted
    return finding.slice_class is not SliceClass.HARM, finding.metric != primary, 0.0 if p is None else p


def _labels(against: list[SliceFinding]) -> dict[str, int]:
    labels: dict[str, int] = {}
    for finding in against:
        labels[finding.slice] = max(labels.get(finding.slice, 0), finding.labels_needed or 0)
    return labels


def _rejection(against: list[SliceFinding], names: tuple[str, ...], champion: str | None) -> str:
    others = [name for name in names if name != against[0].slice]
    more = f" and {len(others) - 5} more" if len(others) > 5 else ""
    also = f"; also against it: {', '.join(others[:5])}{more}" if others else ""
    stays = f"{champion} stays champion" if champion else "nothing is promoted"
    return f"Rejected, {stays}: {against[0].sentence}{also}."


def _request(against: list[SliceFinding], names: tuple[str, ...], champion: str | None) -> str:
    wanted = ", ".join(f"{count:,} in {name}" for name, count in _labels(against).items())
    return (
        f"Needs more labels before a decision: {wanted}; {champion} stays champion until then. {against[0].sentence}."
    )


def _blind(finding: SliceFinding) -> str:
    seen = finding.minimum_detectable
    size = "any loss" if seen is None else f"a loss under {num(seen)}"
    return f"{finding.slice} ({size} of {finding.metric} could hide there, n={finding.n:,})"


def _promotion(findings: tuple[SliceFinding, ...], champion: str | None) -> str:
    if champion is None:
        return f"Promoted as first champion: {'; '.join(finding.sentence for finding in findings)}."
    main = next(f for f in findings if f.slice == OVERALL and f.p_harm is not None)
    sliced = [f for f in findings if f.slice != OVERALL]
    counts = Counter(f.slice_class for f in sliced)
    says = ", ".join(f"{counts[verdict]} {verdict.name}" for verdict in SliceClass)
    blind = [f for f in sliced if f.slice_class is not SliceClass.PROVEN]
    loans = [f"{f.slice} from {f.borrowed}" for f in sliced if f.borrowed]
    borrowed = f"; proof borrowed: {', '.join(dict.fromkeys(loans))}" if loans else ""
    worst = max(blind, key=lambda f: math.inf if f.minimum_detectable is None else f.minimum_detectable, default=None)
    least = f"; least visible: {_blind(worst)}" if worst else ""
    return f"Promoted: {main.sentence}. {len(sliced)} slice findings: {says}{borrowed}{least}."
