"""The default gate: overall superiority, and of every slice as much as its rows can show."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal

from pydantic import Field

from continual.core.stats.holm import holm
from continual.core.stats.midp import rows_to_prove
from continual.core.stats.power import Paired, rows_to_rule_out
from continual.core.verdict import OVERALL, Answer, GateEvidence, SliceClass, SliceFinding, Spending, Tier, Verdict
from continual.gates._behaviours import with_behaviours
from continual.gates._borrowing import lender, rules_out
from continual.gates._complete import JUDGED, Gap
from continual.gates._noise import noise_sentence, without_noise
from continual.gates._rulings import (
    Cell,
    Level,
    Ruling,
    Terms,
    cells_of,
    combine,
    finding_of,
    floor_rulings,
    harmed_ancestor,
    labels_to_show,
    refuse,
)
from continual.gates._spending import spending_of
from continual.gates._wording import budget, change, num, percent
from continual.gates.base import Gate

Choice = Literal["block", "label", "allow", "borrow"]


class Graded(Gate):
    """Promote when the candidate is better overall and no slice shows harm; more is asked of slices with more rows.

    1. Floors: every metric with a floor reaches it overall. The first champion is judged by floors alone and needs
       one on the primary metric.
    2. Overall: the lower one-sided bound of the primary metric's gain is above 0 (`improve`) or above -margin
       (`non_inferior`); an exact tie keeps the champion. A guardrail rejects when its regression is larger than
       its margin and significant at `harm_alpha`.
    3. Every slice, for the primary metric and the guardrails:
       HARM: Holm-adjusted p (over all slices and metrics) <= `harm_alpha` and regression > `trivial`. It vetoes in
       every tier, also inside the margin: raise `trivial` to tolerate more.
       PROVEN: the lower one-sided bound is above -margin. No correction (intersection-union).
       INCONCLUSIVE: neither. NOT_EVALUABLE: fewer than `min_rows` paired labels, one class, no rows.
       The last two pass in `long_tail`, and in `standard` unless a slice they roll up to is harmed. In `critical`
       they must rule out a break (a regression of `critical_break_margins` margins, by the lower one-sided bound),
       otherwise `inconclusive_critical` applies. So a critical slice never blocks for lack of proof at its margin,
       which may take years of labels, but it does as long as a broken model could hide in it. `inconclusive_standard`
       and `inconclusive_long_tail` ask the same of the other tiers. `borrow`: the proof of the nearest slice above
       stands in if the slice's own rows rule out `borrow_margins` margins; if they do not, labels are needed.
       With `label_noise` all comparisons are what right labels would have shown; where that is not known, step 5.
    4. Behaviour tests of the policy: one that does not hold rejects.
    5. Fail closed: a missing slice, metric, comparison or behaviour test, an undefined overall number, NaN: reject,
       naming it.

    Level of step 2: what `yearly_alpha` leaves for this decision after those of the last 365 days, so that in no year
    any candidate that is not better passes with a larger chance, however often one retrains; at most 1 - `confidence`.
    Evidence without a history (of an earlier release): 1 - `confidence` divided by 1 + uses of the window. Holm 1979,
    Berger 1982, Lan & DeMets 1983.
    """

    kind: Literal["graded"] = Field("graded", description="Overall superiority plus a graded rule for every slice.")
    overall: Literal["improve", "non_inferior"] = Field(
        "improve", description="What the primary metric must show overall: a gain, or no loss beyond its margin."
    )
    confidence: float = Field(0.95, gt=0.5, lt=1, description="Confidence of the one-sided bounds, overall and proof.")
    harm_alpha: float = Field(
        0.10, gt=0, lt=1, description="Chance that an equal candidate is vetoed by any slice, over all metrics."
    )
    harm_alpha_critical: float = Field(
        0.20, gt=0, lt=1, description="The same level for critical slices: higher = more careful."
    )
    trivial: float = Field(
        0.0025,
        ge=0,
        allow_inf_nan=False,
        description="Regressions up to this, in the metric's unit, never count as harm.",
    )
    yearly_alpha: float = Field(
        0.05, gt=0, lt=1, description="Chance a year that any candidate passes that is not better overall."
    )
    inconclusive_critical: Choice = Field(
        "label",
        description="A critical slice in which a break could hide: reject, ask for labels, let it pass, or borrow the "
        "proof of the slice it rolls up to.",
    )
    inconclusive_standard: Choice = Field("allow", description="The same for slices of the tier standard.")
    inconclusive_long_tail: Choice = Field("allow", description="The same for slices of the tier long_tail.")
    borrow_margins: float = Field(
        10.0,
        ge=1,
        allow_inf_nan=False,
        description="Size of a break that a slice must rule out on its own rows to borrow, in margins.",
    )
    critical_break_margins: float = Field(
        5.0,
        ge=1,
        allow_inf_nan=False,
        description="Size of a break that slices must rule out which may not just pass, in margins.",
    )
    label_noise: Literal["ignore", "measured"] | Annotated[float, Field(ge=0, lt=0.5)] = Field(
        "ignore",
        description="Wrong labels, to be taken out of comparisons: ignore, measured (on rows that two people "
        "labelled), or their known share.",
    )
    min_rows: int = Field(20, ge=5, description="Paired labelled rows below which a slice is not evaluable.")
    min_rows_overall: int = Field(100, ge=5, description="Labelled rows below which nothing is promoted.")

    def judge(self, evidence: GateEvidence, terms: Terms) -> Verdict:
        evidence, noisy = without_noise(evidence, terms, self.label_noise)
        gaps = noisy or self._too_small(evidence, terms)
        if gaps:
            return refuse(gaps, evidence.champion)
        floors = floor_rulings(evidence, terms)
        if evidence.champion is None:
            return self._first(floors, terms, evidence)
        spending = spending_of(evidence, self.yearly_alpha)
        level = self._level(evidence, spending)
        cells = cells_of(evidence, terms)
        overall = [self._overall(cell, level) for cell in cells if cell.is_overall]
        slices = self._slices([cell for cell in cells if not cell.is_overall], overall)
        verdict = with_behaviours(combine([*floors, *overall, *slices], evidence.champion), evidence)
        said = [verdict.reason, *noise_sentence(evidence, self.label_noise), *([budget(spending)] if spending else [])]
        return replace(verdict, reason=" ".join(said), spending=spending)

    @property
    def reads_noise(self) -> bool:
        return self.label_noise != "ignore"

    @property
    def measures_noise(self) -> bool:
        return self.label_noise == "measured"

    def _level(self, evidence: GateEvidence, spending: Spending | None) -> Level:
        if spending is not None:
            how = f" at the level {percent(spending.charged)} that the yearly budget leaves"
            return Level(min(1 - self.confidence, spending.charged), how)
        uses = evidence.window_uses
        how = f" at the level left after {uses} earlier uses of the window" if uses else ""
        return Level((1 - self.confidence) / (1 + uses), how)

    def _too_small(self, evidence: GateEvidence, terms: Terms) -> list[Gap]:
        found = next(item for item in evidence.slices if item.slice == OVERALL)
        judged = [m for m in found.metrics if terms[m.metric].priority in JUDGED]
        rows = min(m.comparison.n if evidence.champion and m.comparison else m.candidate.n_labelled for m in judged)
        if rows >= self.min_rows_overall:
            return []
        return [Gap(OVERALL, f"overall: {rows} labelled rows, min_rows_overall demands {self.min_rows_overall}")]

    def _first(self, floors: list[Ruling], terms: Terms, evidence: GateEvidence) -> Verdict:
        primary = next(name for name, term in terms.items() if term.priority == "primary")
        if terms[primary].floor is None:
            why = f"the first champion needs a floor on the primary metric: set `floor` of {primary} in the policy"
            return refuse([Gap(OVERALL, why)], None)
        return with_behaviours(combine(floors, None), evidence)

    def _overall(self, cell: Cell, level: Level) -> Ruling:
        found = cell.found
        assert found is not None  # noqa: S101  find_gaps refuses undefined overall comparisons
        text = change(OVERALL, cell.metric, found, 0, None)
        if cell.term.priority == "guardrail":
            return self._guardrail(cell, found, text)
        return self._primary(cell, found, text, level)

    def _guardrail(self, cell: Cell, found: Paired, text: str) -> Ruling:
        harm = found.p_harm <= self.harm_alpha and found.gain < -cell.term.margin
        verdict = SliceClass.HARM if harm else self._proof(cell, found)
        text = f"{text}: {verdict.name} for a guardrail with margin {num(cell.term.margin)}"
        detectable = found.minimum_detectable(self.harm_alpha)
        return Ruling(finding_of(cell, verdict, text, detectable), Answer.REJECT if harm else Answer.PROMOTE)

    def _primary(self, cell: Cell, found: Paired, text: str, level: Level) -> Ruling:
        alpha = level.alpha
        bar = 0.0 if self.overall == "improve" else -cell.term.margin
        detectable = found.minimum_detectable(self.harm_alpha)
        if alpha <= 0:
            text = f"{text}: not shown better, the budget of wrong promotions of this year is used up"
            return Ruling(finding_of(cell, SliceClass.INCONCLUSIVE, text, detectable), Answer.REJECT)
        lower = found.lower(alpha)
        if lower > bar and found.gain != 0:
            return Ruling(finding_of(cell, SliceClass.PROVEN, f"{text}: PROVEN", detectable))
        harm = found.p_harm <= self.harm_alpha and found.gain < -self.trivial
        needed = labels_to_show(found, bar, alpha)
        more = f", about {needed:,} more labels would settle a difference of this size" if needed else ""
        why = "a tie" if found.gain == 0 else f"lower bound {num(lower)} must be above {num(bar)}{level.how}"
        word = "better" if self.overall == "improve" else "as good"
        verdict = SliceClass.HARM if harm else SliceClass.INCONCLUSIVE
        text = f"{text}: not shown {word}, {why}{more}"
        return Ruling(finding_of(cell, verdict, text, detectable, labels_needed=needed), Answer.REJECT)

    def _slices(self, cells: list[Cell], overall: list[Ruling]) -> list[Ruling]:
        tested = [cell for cell in cells if cell.found and cell.n >= self.min_rows]
        adjusted = holm([cell.found.p_harm for cell in tested if cell.found])
        p_of = {cell.key: p for cell, p in zip(tested, adjusted, strict=True)}
        findings = [self._classify(cell, p_of.get(cell.key), len(tested)) for cell in cells]
        harmed = {(f.slice, f.metric) for f in findings if f.slice_class is SliceClass.HARM}
        harmed |= {(r.finding.slice, r.finding.metric) for r in overall if r.finding.slice_class is SliceClass.HARM}
        parents = {cell.item.slice: cell.item.parent or OVERALL for cell in cells}
        classes = {(f.slice, f.metric): f.slice_class for f in (*findings, *(r.finding for r in overall))}
        return [
            self._rule(cell, finding, harmed_ancestor(cell.key, parents, harmed), lender(cell.key, parents, classes))
            for cell, finding in zip(cells, findings, strict=True)
        ]

    def _classify(self, cell: Cell, p_adjusted: float | None, tests: int) -> SliceFinding:
        found = cell.found
        text = change(cell.item.slice, cell.metric, found, tests, p_adjusted)
        level = self.harm_alpha_critical if cell.critical else self.harm_alpha
        detectable = found.minimum_detectable(level / max(tests, 1)) if found else None
        if found is None or p_adjusted is None:
            verdict = SliceClass.NOT_EVALUABLE
        elif p_adjusted <= level and found.gain < -self.trivial:
            verdict = SliceClass.HARM
        else:
            verdict = self._proof(cell, found)
        text = f"{text}: {verdict.name}"
        needed = None
        if verdict in (SliceClass.INCONCLUSIVE, SliceClass.NOT_EVALUABLE):
            sees = f"could not see less than {num(detectable)}" if detectable else "could see no regression"
            needed = self._labels_needed(cell)
            text = f"{text}, {sees}" + (f", {needed:,} more labels needed" if self._strict(cell) else "")
        return finding_of(cell, verdict, text, detectable, p_adjusted, needed)

    def _proof(self, cell: Cell, found: Paired) -> SliceClass:
        proven = found.lower(1 - self.confidence) > -cell.term.margin
        return SliceClass.PROVEN if proven else SliceClass.INCONCLUSIVE

    def _choice(self, cell: Cell) -> Choice:
        choices = {Tier.CRITICAL: self.inconclusive_critical, Tier.STANDARD: self.inconclusive_standard}
        return choices.get(Tier(cell.item.tier), self.inconclusive_long_tail)

    def _strict(self, cell: Cell) -> bool:
        """Whether a break must be ruled out, or at least said to be possible."""
        return cell.critical or self._choice(cell) != "allow"

    def _break_size(self, cell: Cell) -> float:
        """What must be ruled out for the slice to pass, if need be with a borrowed proof."""
        return self._margins(cell, self.borrow_margins if self._choice(cell) == "borrow" else 0.0)

    def _margins(self, cell: Cell, at_least: float = 0.0) -> float:
        return max(self.critical_break_margins, at_least) * max(cell.term.margin, self.trivial, 1e-6)

    def _labels_needed(self, cell: Cell) -> int:
        """Where a break must be ruled out: for that; elsewhere: to prove non-inferiority at the margin."""
        if self._strict(cell):
            return self._labels_to_exclude(cell, self._break_size(cell))
        return max(rows_to_prove(self._variance(cell), cell.term.margin), self.min_rows, cell.n + 1) - cell.n

    def _labels_to_exclude(self, cell: Cell, size: float) -> int:
        # A regression seen so far eats into what is left to rule out; below a quarter the number says nothing.
        left = max(size + min(cell.found.gain if cell.found else 0.0, 0.0), size / 4)
        rows = rows_to_rule_out(self._variance(cell), left, 1 - self.confidence)
        return max(rows, self.min_rows, cell.n + 1) - cell.n

    def _variance(self, cell: Cell) -> float:
        reliable = cell.found is not None and cell.n >= 5 * self.min_rows
        return cell.found.row_variance if cell.found and reliable else cell.spare

    def _rule(self, cell: Cell, finding: SliceFinding, harmed: str | None, above: str | None) -> Ruling:
        if finding.slice_class is SliceClass.HARM:
            return Ruling(finding, Answer.REJECT)
        if finding.slice_class is SliceClass.PROVEN:
            return Ruling(finding)
        if harmed and cell.item.tier == Tier.STANDARD:
            text = f"{finding.sentence}, rolls up to {harmed}, which is harmed"
            return Ruling(replace(finding, sentence=text), Answer.REJECT)
        return self._small(cell, finding, above) if self._strict(cell) else Ruling(finding)

    def _small(self, cell: Cell, finding: SliceFinding, above: str | None) -> Ruling:
        """A slice without proof in which no break may hide."""
        size, choice = self._margins(cell), self._choice(cell)
        found = cell.found if finding.slice_class is SliceClass.INCONCLUSIVE else None
        text = f"{finding.sentence}; {cell.item.tier}"
        if found and found.lower(1 - self.confidence) > -size:
            text = f"{text}, but a break of {num(size)} is ruled out"
            return Ruling(replace(finding, sentence=text, labels_needed=None))
        if choice == "borrow":
            return self._borrow(cell, finding, found, above)
        answers = {"block": Answer.REJECT, "label": Answer.NEED_LABELS, "allow": Answer.PROMOTE}
        text = f"{text}, and a break of {num(size)} is not ruled out"
        return Ruling(replace(finding, sentence=text), answers[choice])

    def _borrow(self, cell: Cell, finding: SliceFinding, found: Paired | None, above: str | None) -> Ruling:
        size = self._break_size(cell)
        own = found is not None and rules_out(found, size, 1 - self.confidence)
        rows = f"own rows {'' if own else 'do not '}rule out a loss of {num(size)}"
        if own and above is not None:
            text = f"{finding.sentence}; {cell.item.tier}, borrows the proof of {above}, {rows}"
            return Ruling(replace(finding, sentence=text, labels_needed=None, borrowed=above))
        why = rows if not own else "no slice it rolls up to is PROVEN"
        needed = self._labels_to_exclude(cell, self._margins(cell)) if own else finding.labels_needed
        text = f"{finding.sentence}; {cell.item.tier}, cannot borrow: {why}"
        return Ruling(replace(finding, sentence=text, labels_needed=needed), Answer.NEED_LABELS)
