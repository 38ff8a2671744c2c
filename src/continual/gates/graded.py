"""The default gate: overall superiority, and of every slice as much as its rows can show."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from pydantic import Field

from continual.core.stats.holm import holm
from continual.core.stats.midp import rows_to_prove
from continual.core.stats.power import Paired, rows_to_rule_out
from continual.core.verdict import OVERALL, Answer, GateEvidence, SliceClass, SliceFinding, Tier, Verdict
from continual.gates._complete import JUDGED, Gap, find_gaps
from continual.gates._rulings import (
    Cell,
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
from continual.gates._wording import change, num
from continual.gates.base import Gate


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
       which may take years of labels, but it does as long as a broken model could hide in it.
    4. Fail closed: a missing slice, metric or comparison, an undefined overall number, NaN: reject, naming it.

    Reused windows divide the level of step 2 by 1 + uses. Sources: STATISTICS (simulated), Holm 1979, Berger 1982.
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
    inconclusive_critical: Literal["block", "label", "allow"] = Field(
        "label", description="A critical slice in which a break could hide: reject, ask for labels, or let it pass."
    )
    critical_break_margins: float = Field(
        5.0, ge=1, allow_inf_nan=False, description="Size of a break that critical slices must rule out, in margins."
    )
    min_rows: int = Field(20, ge=5, description="Paired labelled rows below which a slice is not evaluable.")
    min_rows_overall: int = Field(100, ge=5, description="Labelled rows below which nothing is promoted.")

    def judge(self, evidence: GateEvidence, terms: Terms) -> Verdict:
        gaps = find_gaps(evidence, terms) or self._too_small(evidence, terms)
        if gaps:
            return refuse(gaps, evidence.champion)
        floors = floor_rulings(evidence, terms)
        if evidence.champion is None:
            return self._first(floors, terms)
        cells = cells_of(evidence, terms)
        overall = [self._overall(cell, evidence.window_uses) for cell in cells if cell.is_overall]
        slices = self._slices([cell for cell in cells if not cell.is_overall], overall)
        return combine([*floors, *overall, *slices], evidence.champion)

    def _too_small(self, evidence: GateEvidence, terms: Terms) -> list[Gap]:
        found = next(item for item in evidence.slices if item.slice == OVERALL)
        judged = [m for m in found.metrics if terms[m.metric].priority in JUDGED]
        rows = min(m.comparison.n if evidence.champion and m.comparison else m.candidate.n_labelled for m in judged)
        if rows >= self.min_rows_overall:
            return []
        return [Gap(OVERALL, f"overall: {rows} labelled rows, min_rows_overall demands {self.min_rows_overall}")]

    def _first(self, floors: list[Ruling], terms: Terms) -> Verdict:
        primary = next(name for name, term in terms.items() if term.priority == "primary")
        if terms[primary].floor is None:
            why = f"the first champion needs a floor on the primary metric: set `floor` of {primary} in the policy"
            return refuse([Gap(OVERALL, why)], None)
        return combine(floors, None)

    def _overall(self, cell: Cell, window_uses: int) -> Ruling:
        found = cell.found
        assert found is not None  # noqa: S101  find_gaps refuses undefined overall comparisons
        text = change(OVERALL, cell.metric, found, 0, None)
        if cell.term.priority == "guardrail":
            return self._guardrail(cell, found, text)
        return self._primary(cell, found, text, window_uses)

    def _guardrail(self, cell: Cell, found: Paired, text: str) -> Ruling:
        harm = found.p_harm <= self.harm_alpha and found.gain < -cell.term.margin
        verdict = SliceClass.HARM if harm else self._proof(cell, found)
        text = f"{text}: {verdict.name} for a guardrail with margin {num(cell.term.margin)}"
        detectable = found.minimum_detectable(self.harm_alpha)
        return Ruling(finding_of(cell, verdict, text, detectable), Answer.REJECT if harm else Answer.PROMOTE)

    def _primary(self, cell: Cell, found: Paired, text: str, window_uses: int) -> Ruling:
        alpha = (1 - self.confidence) / (1 + window_uses)
        bar = 0.0 if self.overall == "improve" else -cell.term.margin
        lower, detectable = found.lower(alpha), found.minimum_detectable(self.harm_alpha)
        if lower > bar and found.gain != 0:
            return Ruling(finding_of(cell, SliceClass.PROVEN, f"{text}: PROVEN", detectable))
        harm = found.p_harm <= self.harm_alpha and found.gain < -self.trivial
        needed = labels_to_show(found, bar, alpha)
        more = f", about {needed:,} more labels would settle a difference of this size" if needed else ""
        uses = f" at the level left after {window_uses} earlier uses of the window" if window_uses else ""
        why = "a tie" if found.gain == 0 else f"lower bound {num(lower)} must be above {num(bar)}{uses}"
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
        return [
            self._rule(cell, finding, harmed_ancestor(cell.key, parents, harmed))
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
            text = f"{text}, {sees}" + (f", {needed:,} more labels needed" if cell.critical else "")
        return finding_of(cell, verdict, text, detectable, p_adjusted, needed)

    def _proof(self, cell: Cell, found: Paired) -> SliceClass:
        proven = found.lower(1 - self.confidence) > -cell.term.margin
        return SliceClass.PROVEN if proven else SliceClass.INCONCLUSIVE

    def _break_size(self, cell: Cell) -> float:
        return self.critical_break_margins * max(cell.term.margin, self.trivial, 1e-6)

    def _labels_needed(self, cell: Cell) -> int:
        """Critical: to rule out a break; other tiers: to prove non-inferiority at the margin."""
        reliable = cell.found is not None and cell.n >= 5 * self.min_rows
        variance = cell.found.row_variance if cell.found and reliable else cell.spare
        if not cell.critical:
            return max(rows_to_prove(variance, cell.term.margin), self.min_rows, cell.n + 1) - cell.n
        size = self._break_size(cell)
        # A regression seen so far eats into what is left to rule out; below a quarter the number says nothing.
        left = max(size + min(cell.found.gain if cell.found else 0.0, 0.0), size / 4)
        return max(rows_to_rule_out(variance, left, 1 - self.confidence), self.min_rows, cell.n + 1) - cell.n

    def _rule(self, cell: Cell, finding: SliceFinding, harmed: str | None) -> Ruling:
        if finding.slice_class is SliceClass.HARM:
            return Ruling(finding, Answer.REJECT)
        if finding.slice_class is SliceClass.PROVEN or cell.item.tier == Tier.LONG_TAIL:
            return Ruling(finding)
        if not cell.critical:
            text = f"{finding.sentence}, rolls up to {harmed}, which is harmed" if harmed else finding.sentence
            return Ruling(replace(finding, sentence=text), Answer.REJECT if harmed else Answer.PROMOTE)
        size, found = self._break_size(cell), cell.found
        evaluable = finding.slice_class is SliceClass.INCONCLUSIVE
        if evaluable and found and found.lower(1 - self.confidence) > -size:
            text = f"{finding.sentence}; critical, but a break of {num(size)} is ruled out"
            return Ruling(replace(finding, sentence=text, labels_needed=None))
        answers = {"block": Answer.REJECT, "label": Answer.NEED_LABELS, "allow": Answer.PROMOTE}
        text = f"{finding.sentence}; critical, and a break of {num(size)} is not ruled out"
        return Ruling(replace(finding, sentence=text), answers[self.inconclusive_critical])
