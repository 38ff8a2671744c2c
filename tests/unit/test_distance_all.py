"""Every distance, found through its family: an effect size with its noise, against closed forms and scipy."""

from __future__ import annotations

from typing import Annotated

import numpy as np
import pytest
from pydantic import TypeAdapter
from scipy.stats import ks_2samp, wasserstein_distance

from continual.core.family import InFamily
from continual.core.histogram import of_codes, of_numbers, of_values, quantile_edges
from continual.distances.base import DISTANCES, Distance

every_distance = pytest.mark.parametrize("kind", DISTANCES.kinds)
unordered = pytest.mark.parametrize("kind", [k for k in DISTANCES.kinds if not DISTANCES.get(k).ordered])


def _normal(seed, n=4000, mean=0.0, missing=0.1):
    rng = np.random.default_rng(seed)
    return np.where(rng.random(n) < missing, np.nan, rng.normal(mean, 1, n))


EDGES = quantile_edges(_normal(0))


def _numbers(seed, n=4000, mean=0.0, missing=0.1, days=10, weight=None):
    return of_numbers(_normal(seed, n, mean, missing), EDGES, weight, np.arange(n) % days)


def _category(counts, missing=0):
    codes = np.repeat([*range(len(counts)), -1], [*counts.values(), missing])
    return of_codes(codes, list(counts))


def _moved(kind, amount):
    """The reference, and a current side that is further away the larger `amount` (0..1) is."""
    return _numbers(21), _numbers(22, mean=2 * amount, missing=0.1 + 0.8 * amount)


@every_distance
def test_builds_from_its_mapping_and_is_a_field_of_a_policy(kind):
    field = TypeAdapter(Annotated[Distance, InFamily(DISTANCES)])
    built = field.validate_python({"kind": kind})
    assert (built.kind, type(built)) == (kind, DISTANCES.get(kind))
    assert built.__doc__
    assert all(f.description for name, f in type(built).model_fields.items())
    assert kind in str(field.json_schema())


@every_distance
@pytest.mark.parametrize("days", [1, 10])
def test_the_same_rows_are_at_distance_0(kind, days):
    side = _numbers(1, days=days)
    found = DISTANCES.get(kind)().between(side, side)
    assert found.value == pytest.approx(0, abs=1e-12)
    assert found.low == 0
    assert found.high > 0
    assert (found.n_reference, found.n_current) == (4000, 4000)


@every_distance
def test_symmetric(kind):
    distance, (a, b) = DISTANCES.get(kind)(), _moved(kind, 0.3)
    assert distance.between(a, b).value == pytest.approx(distance.between(b, a).value, rel=1e-9)
    few = _numbers(3, n=300, mean=0.5, missing=0.3)  # also of unequal sizes
    assert distance.between(a, few).value == pytest.approx(distance.between(few, a).value, rel=1e-9)


@every_distance
def test_grows_with_the_shift_and_leaves_its_noise(kind):
    found = [DISTANCES.get(kind)().between(*_moved(kind, amount)) for amount in (0, 0.1, 0.3, 0.6, 1)]
    values = [each.value for each in found]
    assert values == sorted(values)
    assert values[-1] > 3 * values[1]
    assert found[0].low == 0
    assert found[0].value < 3 * found[0].expected
    assert all(each.low > 0 and each.low < each.value < each.high for each in found[2:])
    assert found[2].value > 3 * found[2].expected


@every_distance
def test_days_add_up_to_the_whole(kind):
    rng = np.random.default_rng(5)
    values, weight, day = _normal(6), rng.exponential(size=4000), rng.integers(100, 112, 4000)
    whole, reference = of_numbers(values, EDGES, weight, day), _numbers(1)
    parts = [of_numbers(values[day == d], EDGES, weight[day == d], day[day == d]) for d in rng.permutation(12) + 100]
    halves = [of_numbers(values[i::2], EDGES, weight[i::2], day[i::2]) for i in range(2)]  # every day in both
    wanted = DISTANCES.get(kind)().between(reference, whole).as_dict()
    for merged in (sum(parts[1:], parts[0]), halves[0] + halves[1]):
        got = DISTANCES.get(kind)().between(reference, merged).as_dict()
        assert got.pop("method") == wanted["method"]
        assert got == pytest.approx({k: v for k, v in wanted.items() if k != "method"}, rel=1e-9)


@every_distance
def test_the_unit_of_weights_and_of_the_column_does_not_matter(kind):
    distance, rng = DISTANCES.get(kind)(), np.random.default_rng(7)
    x, y, w = _normal(1), _normal(2, mean=0.4, missing=0.2), rng.exponential(size=4000)

    def found(scale, shift, unit):
        edges = quantile_edges(scale * x + shift)
        return distance.between(of_numbers(scale * x + shift, edges), of_numbers(scale * y + shift, edges, unit * w))

    plain, other = found(1.0, 0.0, 1.0), found(60.0, 7.0, 1000.0)
    factor = 60 if kind == "earth_mover" else 1
    for name in ("value", "low", "high", "expected"):
        assert getattr(other, name) == pytest.approx(factor * getattr(plain, name), rel=1e-6, abs=1e-12)


@every_distance
def test_a_row_of_weight_2_is_two_rows(kind):
    x, y = _normal(1, 500), _normal(2, 500, mean=0.3)
    distance, edges = DISTANCES.get(kind)(), quantile_edges(_normal(1, 500))
    twice = distance.between(of_numbers(x, edges), of_numbers(np.repeat(y, 2), edges)).value
    weighted = distance.between(of_numbers(x, edges), of_numbers(y, edges, np.full(500, 2.0))).value
    # PSI knows that two copies of a row say no more than one
    assert weighted == pytest.approx(twice, rel=0.1 if kind == "psi" else 1e-9)


@every_distance
def test_nothing_to_compare_is_undefined_and_says_why(kind):
    distance, side = DISTANCES.get(kind)(), _numbers(1)
    empty = of_numbers(np.array([]), EDGES)
    for pair, where in (((empty, side), "reference"), ((side, empty), "current")):
        found = distance.between(*pair)
        assert not found.defined
        assert (found.value, found.low, found.high, found.expected) == (None,) * 4
        assert found.method == f"undefined: the {where} side has no row"
    text = distance.between(side, _category({"a": 3}))
    assert text.method == "undefined: the reference is numeric and the current side categorical"


@every_distance
def test_a_column_of_missing_values_only(kind):
    found = DISTANCES.get(kind)().between(_numbers(1), of_numbers(np.full(50, np.nan), EDGES))
    if kind == "missing_rate":
        assert found.value == pytest.approx(1 - 0.1, abs=0.02)
    else:
        assert found.method == "undefined: the current side has no value"


@every_distance
def test_other_edges_are_a_mistake(kind):
    with pytest.raises(ValueError, match="same edges"):
        DISTANCES.get(kind)().between(_numbers(1), of_numbers(_normal(1), EDGES + 1))


@every_distance
@pytest.mark.parametrize("shock", [0.0, 0.15])
def test_without_change_the_value_is_about_what_is_expected_and_the_interval_holds_0(kind, shock):
    """40 draws of 12 and 8 days whose means jump together: misses of 5% are 2 of 40, 7 would be a broken interval."""
    rng, distance, found = np.random.default_rng(12), DISTANCES.get(kind)(), []
    for _ in range(40):
        day = np.arange(4000) % 20
        mean, lost = rng.normal(0, shock, 20)[day], np.clip(rng.normal(0.1, shock / 5, 20), 0, 1)[day]
        both = np.where(rng.random(4000) < lost, np.nan, rng.normal(mean, 1))
        a, b = (of_numbers(both[use], EDGES, day=day[use]) for use in (day < 12, day >= 12))
        found.append(distance.between(a, b))
    assert sum(each.low > 0 for each in found) <= 6
    ratio = np.mean([each.value for each in found]) / np.mean([each.expected for each in found])
    assert 0.7 < ratio < 1.3
    if shock:
        clustered = sum("clustered by 12 and 8 days" in each.method for each in found)
        assert clustered > (33 if kind == "earth_mover" else 12)


# --- closed forms -----------------------------------------------------------------------------------------------


def _value(kind, a, b, **parameters):
    return DISTANCES.get(kind)(**parameters).between(a, b).value


def test_categories_by_hand_and_an_unseen_one_counts():
    a, b = _category({"x": 60, "y": 40}, missing=25), _category({"y": 50, "z": 30, "x": 20})
    assert _value("l1", a, b) == pytest.approx(0.4 + 0.1 / 1 + 0.3)  # x .6/.2, y .4/.5, z 0/.3
    assert _value("linf", a, b) == pytest.approx(0.4)
    assert _value("missing_rate", a, b) == pytest.approx(0.2)
    p = (np.array([60, 40, 0]) + 0.5) / 101.5
    q = (np.array([20, 50, 30]) + 0.5) / 101.5
    assert _value("psi", a, b) == pytest.approx(((p - q) * np.log(p / q)).sum())
    assert _value("psi", a, b, rows_added=5) < _value("psi", a, b)


@pytest.mark.parametrize("kind", [k for k in DISTANCES.kinds if DISTANCES.get(k).ordered])
def test_categories_without_an_order_have_no_such_distance(kind):
    found = DISTANCES.get(kind)().between(_category({"x": 5}), _category({"y": 5}))
    assert found.method == f"undefined: {kind} needs an order, which values of a categorical column do not have"


@unordered
def test_the_order_of_the_values_does_not_matter(kind):
    a, b, again = _category({"x": 6, "y": 4}), _category({"z": 1, "x": 9}), _category({"x": 9, "z": 1})
    assert _value(kind, a, b) == pytest.approx(_value(kind, a, again))


def test_discrete_numbers_agree_exactly_with_scipy():
    rng = np.random.default_rng(1)
    a, b = rng.poisson(5, 700).astype(float), rng.poisson(6, 400).astype(float)
    p, q = (of_numbers(x, quantile_edges(a)) for x in (a, np.append(b, np.nan)))
    assert _value("ks", p, q) == pytest.approx(ks_2samp(a, b).statistic)
    inside = b[(b >= a.min()) & (b <= a.max())]
    q = of_numbers(inside, quantile_edges(a))
    assert _value("earth_mover", p, q) == pytest.approx(wasserstein_distance(a, inside))


@pytest.mark.parametrize("draw", ["normal", "standard_exponential", "standard_cauchy", "standard_normal"])
def test_continuous_numbers_agree_with_scipy_to_the_width_of_a_bin(draw):
    rng = np.random.default_rng(2)
    a, b = getattr(rng, draw)(size=5000), getattr(rng, draw)(size=3000) * 1.3 + 0.5
    p, q = (of_numbers(x, quantile_edges(a)) for x in (a, b))
    exact = ks_2samp(a, b).statistic
    assert exact - 0.011 <= _value("ks", p, q) <= exact + 1e-12
    # a Cauchy's tail is one bin: what moves within it is seen by its mean only
    tolerance = 0.75 if draw == "standard_cauchy" else 0.02
    assert _value("earth_mover", p, q) == pytest.approx(wasserstein_distance(a, b), rel=tolerance)


def test_earth_mover_sees_a_shift_within_a_bin_and_any_distance_outside_the_range():
    x = np.random.default_rng(3).normal(size=2000)
    edges = quantile_edges(x)
    for shift in (0.005, -0.3, 50.0):  # bins are .025 wide at least
        found = _value("earth_mover", of_numbers(x, edges), of_numbers(x + shift, edges))
        assert abs(shift) - 1e-12 <= found <= abs(shift) + 0.003


def test_weighted_numbers_agree_with_scipy():
    rng = np.random.default_rng(4)
    a, b = rng.integers(0, 9, 300).astype(float), rng.integers(1, 9, 300).astype(float)
    v, w = rng.exponential(size=300), rng.exponential(size=300)
    p, q = of_numbers(a, quantile_edges(a), v), of_numbers(b, quantile_edges(a), w)
    assert _value("earth_mover", p, q) == pytest.approx(wasserstein_distance(a, b, v, w))


# --- histograms -------------------------------------------------------------------------------------------------


def test_edges_have_equal_shares_two_open_bins_and_own_bins_for_heavy_values():
    x = np.random.default_rng(5).normal(size=10_000)
    counts = of_numbers(x, quantile_edges(x)).counts[0]
    assert counts[0] == counts[-2] == counts[-1] == 0  # below, above, missing
    assert np.allclose(counts[1:-2], 100, atol=1)
    heavy = np.concatenate([np.zeros(6000), np.abs(x[:4000])])
    shares = of_numbers(heavy, quantile_edges(heavy)).counts[0]
    assert shares[1] == 6000
    constant = quantile_edges(np.array([3.0, 3.0, np.nan]))
    assert of_numbers(np.array([2.9, 3, 3.1, np.inf]), constant).counts.tolist() == [[1, 1, 1, 1]]
    with pytest.raises(ValueError, match="at least one finite value"):
        quantile_edges(np.array([np.nan, np.inf]))


def test_values_and_codes_are_counted_alike_with_every_kind_of_missing():
    side = of_values(["a", None, "b", float("nan"), 1, "1", np.datetime64("NaT")], day=np.array([3, 3, 3, 3, 4, 4, 4]))
    assert side.values == ("1", "a", "b")
    assert side.counts.tolist() == [[0, 1, 1, 2], [2, 0, 0, 1]]
    assert side.rows.tolist() == [4, 3]
    assert side.day.tolist() == [3, 4]
    coded = of_codes(np.array([1, -1, 0, 1]), ["b", "a"], weight=np.array([1.0, 2, 3, 4]))
    assert (coded.counts.tolist(), coded.square.tolist()) == ([[3, 5, 2]], [[9, 17, 4]])
    with pytest.raises(ValueError, match="differ as text"):
        of_codes(np.array([0]), ["1", 1])


def test_histograms_add_by_day_and_can_be_cut_by_day():
    a = of_values(["x", "y"], day=np.array([1, 2]))
    b = of_values(["z", "y", None], day=np.array([2, 2, 3]))
    both = a + b
    assert both.values == ("x", "y", "z")
    assert both.counts.tolist() == [[1, 0, 0, 0], [0, 2, 1, 0], [0, 0, 0, 1]]
    assert both.on(both.day >= 2).n == 4
    assert (_numbers(1) + _numbers(2)).on(np.arange(10) < 3).total.shape == (3, len(EDGES) + 2)
    with pytest.raises(ValueError, match="cannot be put together"):
        a + _numbers(1)


def test_a_new_distance_is_one_class_with_a_norm():
    class Toy(Distance):
        """Only the first class."""

        kind: str = "toy"

        def size(self, reference, current, x, y):
            return np.abs(x - y)[:, 0]

    a, b = _category({"a": 50, "b": 50}), _category({"a": 80, "b": 20})
    assert Toy().between(a, b).value == pytest.approx(0.3)
