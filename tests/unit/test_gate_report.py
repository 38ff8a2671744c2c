"""The stakeholders' report: who gains, who pays, what the decision took from the year's budget, which labels help."""

from __future__ import annotations

from continual.core.verdict import OVERALL, Answer, GateEvidence, SliceClass, SliceFinding, Spending, Verdict
from continual.flows.report import NAMED, markdown_report

WINDOW = {"start": "2024-01-01T00:00:00+00:00", "end": "2024-01-05T00:00:00+00:00"}
OWNERS = {"roc_auc": "credit-risk", "brier": "customer|care"}


def _finding(name, gain, half=0.01, metric="roc_auc", verdict=SliceClass.INCONCLUSIVE, **changes):
    fields = {"p_harm": 0.5, "p_adjusted": None, "n": 100, "minimum_detectable": 0.1, "labels_needed": None}
    return SliceFinding(name, metric, verdict, gain, gain - half, gain + half, sentence="", **{**fields, **changes})


def _report(*findings, owners=OWNERS, **changes):
    evidence = GateEvidence("2", "1", (), (), WINDOW, "2024-01-06T00:00:00+00:00", 3, 17)
    verdict = Verdict(Answer.REJECT, "because", findings=findings, **changes)
    return markdown_report(evidence, verdict, owners)


def test_every_owner_sees_the_gain_and_which_slices_gain_and_pay():
    text = _report(
        _finding(OVERALL, 0.02),
        _finding("east", 0.05),
        _finding("west", -0.03),
        _finding("small", 0.001),
        _finding(OVERALL, -0.002, metric="brier"),
        _finding("west", -0.005, metric="brier", verdict=SliceClass.HARM),
    )
    assert "| credit-risk | roc_auc | +0.0200 | east +0.0500 | west -0.0300 | 1 slices |" in text
    assert "| customer\\|care | brier | -0.0020 | none | west -0.0050 | 0 slices |" in text


def test_a_thousand_slices_name_the_largest_and_count_the_rest():
    many = [_finding(f"s{i:03}", i / 1000) for i in range(20, 520)]
    line = next(x for x in _report(_finding(OVERALL, 0.02), *many).splitlines() if x.startswith("| credit-risk"))
    assert "s519 +0.5190" in line
    assert f"and {500 - NAMED} more" in line
    assert "s020" not in line


def test_floors_and_metrics_without_an_owner_make_no_line():
    floor = SliceFinding(OVERALL, "roc_auc", SliceClass.PROVEN, None, None, None, None, None, 9, None, None, "")
    assert "Who gains" not in _report(floor)
    assert "Who gains" not in _report(_finding(OVERALL, 0.02), owners={})


def test_the_budget_and_the_labels_that_would_settle_more_are_said():
    spending = Spending(0.05, 0.00072, 0.031, 40, 1.5)
    text = _report(
        _finding(OVERALL, 0.02, labels_needed=5),
        _finding("a", 0.0, labels_needed=1200),
        _finding("b", 0.0, labels_needed=80, minimum_detectable=None),
        blocking=("b",),
        spending=spending,
    )
    assert "Yearly budget of wrong promotions 5.00%: this decision took 0.072%, 3.10% is left; 40 other" in text
    assert "- 80 in b (roc_auc, 100 now, could see no loss)" in text
    assert "in a (" not in text


def test_a_borrowed_proof_is_marked_in_the_table():
    assert "| tiny | roc_auc | inconclusive, proof of east |" in _report(_finding("tiny", 0.0, borrowed="east"))
