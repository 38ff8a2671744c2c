"""Wrong labels taken out of the evidence before it is judged; labels that lean to a model judge nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from continual.core.estimate import Estimate
from continual.core.label_noise import LabelNoise, NoiseRate
from continual.core.stats.denoised import noise_adjusted
from continual.core.verdict import OVERALL, GateEvidence, MetricEvidence, SliceEvidence
from continual.gates._complete import JUDGED, Gap, find_gaps
from continual.gates.base import MetricTerms

Setting = str | float
IGNORE = "ignore"


def without_noise(
    evidence: GateEvidence, terms: Mapping[str, MetricTerms], setting: Setting
) -> tuple[GateEvidence, list[Gap]]:
    """Evidence as right labels would have shown it; and everything that makes it unfit to decide on (`find_gaps`).

    The models' own values and with them the floors stay those of the labels as they are: noise lowers a good model's
    value, so that a floor that is reached is reached all the more. setting: ignore, measured, or the known rate.
    """
    gaps = find_gaps(evidence, terms)
    if gaps or setting == IGNORE or evidence.champion is None:
        return evidence, gaps
    known = _known(evidence, setting)
    gaps = [*_unfit(known), *_untold(evidence, terms)]
    if gaps or known is None:
        return evidence, gaps
    slices = tuple(_adjusted(item, known.noise) for item in evidence.slices)
    clean = replace(evidence, slices=slices)
    return clean, find_gaps(clean, terms)


def noise_sentence(evidence: GateEvidence, setting: Setting) -> list[str]:
    """For the reason of a verdict; nothing where noise is ignored."""
    known = None if setting == IGNORE or evidence.champion is None else _known(evidence, setting)
    if known is None or known.noise.estimate.value is None:
        return []
    rate = known.noise.estimate
    between = f" [{rate.low:.1%}, {rate.high:.1%}] of {rate.n_labelled:,} double labels" if rate.n_labelled else ""
    return [f"Wrong labels ({rate.value:.1%}{between}) are taken out of every comparison."]


def _known(evidence: GateEvidence, setting: Setting) -> LabelNoise | None:
    if isinstance(setting, str):
        return evidence.noise
    return LabelNoise(NoiseRate(Estimate(setting, setting, setting, 0, 0, "the policy"), 0.0))


def _unfit(known: LabelNoise | None) -> Iterator[Gap]:
    if known is None:
        yield Gap(OVERALL, "label_noise is measured, but the evidence holds no measurement: evaluate again")
    elif known.refused:
        yield Gap(OVERALL, f"the labels must not judge: {known.refused}")
    elif known.noise.estimate.value is None:
        why = known.noise.estimate.method.removeprefix("undefined: ")
        yield Gap(
            OVERALL, f"the share of wrong labels is not known: {why}; raise labelling.double, or set gate.label_noise"
        )


def _untold(evidence: GateEvidence, terms: Mapping[str, MetricTerms]) -> Iterator[Gap]:
    for item in evidence.slices:
        for metric in item.metrics:
            if terms[metric.metric].priority in JUDGED and metric.noise is None:
                why = f"{item.slice}: wrong labels cannot be taken out of {metric.metric}: make it `report`"
                yield Gap(item.slice, why)


def _adjusted(item: SliceEvidence, noise: NoiseRate) -> SliceEvidence:
    return replace(item, metrics=tuple(_metric(metric, noise) for metric in item.metrics))


def _metric(metric: MetricEvidence, noise: NoiseRate) -> MetricEvidence:
    if metric.comparison is None or metric.noise is None:
        return metric
    return replace(metric, comparison=noise_adjusted(metric.comparison, noise, metric.noise))
