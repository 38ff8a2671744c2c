"""LURE: rows drawn one after the other, each with its own chance among the rows left."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from continual.estimators._difference import difference
from continual.estimators._flaws import all_labelled
from continual.estimators.base import Draws, Estimator, Evidence, Fit, Floats


class Lure(Estimator):
    """Mean of v_m e_m over M draws from N rows, unbiased for active learning without replacement.

    v_m = 1 + (N-M)/(N-m) (1/((N-m+1) q_m) - 1), q_m the chance of the m-th row at its step: Farquhar, Gal &
    Rainforth 2021, "On statistical bias in active learning" (arXiv:2101.11665). The estimate is a sum of martingale
    differences c_m (a_m - theta)/M with a_m = e_m/(N q_m) + sum_{t<m} e_t/N, whose squares give the variance for
    the window. In a part of the pool (a slice, rows where two models differ) the v_m weight a Hajek mean.
    """

    kind: Literal["lure"] = Field("lure", description="Sequential draws without replacement (LURE).")
    label: ClassVar[str] = "LURE, sequential weights"

    def flaw(self, evidence: Evidence) -> str | None:
        why = super().flaw(evidence)
        if why or all_labelled(evidence):
            return why
        if evidence.draws is None:
            return "the order and chance of draws are not recorded"
        return _draw_flaw(evidence, evidence.draws)

    def fit(self, evidence: Evidence) -> Fit:
        draws = evidence.draws
        if draws is None or all_labelled(evidence):
            return difference(evidence, 0.0)
        with np.errstate(divide="ignore"):  # a weight of 0 (forced last draw) has no probability
            weighted = replace(evidence, probability=draws.drawn / (draws.pool * lure_weights(draws)))
        found = difference(weighted, 0.0)
        return _sequential(evidence, draws, found) if len(evidence) == draws.pool else found


def lure_weights(draws: Draws) -> Floats:
    """(N,) v_m on rows drawn, 1 elsewhere."""
    n, last = draws.pool, draws.drawn
    if n == last:
        return np.ones(len(draws.step))
    drawn = draws.step > 0
    m, q = np.where(drawn, draws.step, 1), np.where(drawn, draws.proposal, 1.0)
    weight = 1 + (n - last) / (n - m) * (1 / ((n - m + 1) * q) - 1)
    return np.where(drawn, weight, 1.0)


def _sequential(evidence: Evidence, draws: Draws, found: Fit) -> Fit:
    n, last = draws.pool, draws.drawn
    order = np.flatnonzero(draws.step)[np.argsort(draws.step[draws.step > 0])]
    m, q, e = draws.step[order], draws.proposal[order], evidence.observed[order]
    weighted = lure_weights(draws)[order] * e
    value = float(weighted.mean())
    shares = np.zeros(len(evidence))
    shares[order] = (weighted - value) / last
    unbiased = e / (n * q) + (np.cumsum(e) - e) / n
    share = n * (n - last) / ((n - m) * (n - m + 1)) / last
    square = float(np.sum(share**2))
    # the last draws weigh most, so that the estimate lies closer to them than to equally weighted ones
    too_close = 1 - 2 * float(np.sum(share**3)) / square + square
    design = float(np.sum((share * (unbiased - value)) ** 2)) / too_close * (last - 1) / last
    return replace(found, value=value, shares=shares, design=design)


def _draw_flaw(evidence: Evidence, draws: Draws) -> str | None:
    drawn = draws.step > 0
    q = draws.proposal[drawn]
    whole = len(evidence) == draws.pool
    checks = {
        "a recorded chance of a draw is not in (0, 1]": bool(np.all((q > 0) & (q <= 1))),
        "a label was not drawn": bool(drawn[evidence.labelled].all()),
        "a row was drawn whose label is missing": bool(evidence.labelled[drawn].all()),
        "steps are not numbered 1 to the number of draws": len(np.unique(draws.step[drawn])) == len(q)
        and bool(draws.step.max(initial=0) <= draws.drawn <= draws.pool)
        and (not whole or len(q) == draws.drawn),
    }
    return next((why for why, holds in checks.items() if not holds), None)
