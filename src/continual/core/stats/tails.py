"""Student's t with the normal law as its limit: `df` None means normal."""

from __future__ import annotations

#: z of power .80, used by every 'minimum detectable' in the project.
Z_POWER_80 = 0.8416212335729143


def quantile(p: float, df: float | None) -> float:
    """Value below which a t variable with `df` degrees of freedom falls with probability `p`."""
    from scipy.special import ndtri, stdtrit

    return float(ndtri(p) if df is None else stdtrit(df, p))


def lower_tail(z: float, df: float | None) -> float:
    """P(T <= z); accurate far in the lower tail."""
    from scipy.special import ndtr, stdtr

    return float(ndtr(z) if df is None else stdtr(df, z))


def one_sided_lower(gain: float, se: float, df: float | None, alpha: float) -> float:
    """Lower bound that the truth undercuts with probability at most `alpha`."""
    return gain - quantile(1 - alpha, df) * se
