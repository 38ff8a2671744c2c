"""Cells built by the kernel are the sums that numpy makes of the same rows, slice by slice."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pydantic import Field

from continual.cells import sums
from continual.cells.block import Block
from continual.cells.build import Day, build_day
from continual.cells.plan import Plan
from continual.cells.window import stack
from continual.core.cells import Carried
from continual.core.estimate import Comparison, Estimate
from continual.core.slices import OTHER, SliceSpec, masks, resolve
from continual.errors import BatchError, SliceError, StoreError
from continual.metrics.base import Floats, Metric, Rows, Task

SPECS = (
    SliceSpec(by="carrier"),
    SliceSpec(name="young", where="age <= 1 AND carrier IN ('AA', 'UA')"),
    SliceSpec(name="coded", where="carrier <> 'AA' OR origin IS NULL"),
    SliceSpec(by="age", bins=(1.0, 5.0)),
    SliceSpec(cross=("carrier", "origin"), top=100),
    SliceSpec(by="dest", top=3, min_rows=2),
)


class Toy(Metric):
    """Terms with a sign, one of which reads a logged column."""

    kind: Literal["toy"] = Field("toy")
    tasks: ClassVar[frozenset[Task]] = frozenset(Task)
    counted: bool = True

    @property
    def needs(self) -> tuple[str, ...]:
        return ("value",)

    def estimate(self, rows: Rows, score: Floats) -> Estimate:
        raise NotImplementedError

    def compare(self, rows: Rows, candidate: Floats, champion: Floats) -> Comparison:
        raise NotImplementedError

    def carried(self) -> Carried:
        products = (("one", "one"), ("one", "error"), ("error", "error"), ("error", "gain"))
        return Carried(("one", "error", "gain"), products, self.counted, (0.5, 0.37))

    def terms(self, rows: Rows, score: Floats) -> dict[str, Floats]:
        answer = score if score.ndim == 1 else score.max(axis=1)
        return {"one": np.ones(len(rows)), "error": answer - rows.y, "gain": answer * rows.columns["value"]}


def log(seed: int = 0, n: int = 700, holes: bool = True) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "carrier": rng.choice(["AA", "UA", "DL", OTHER], n, p=[0.4, 0.3, 0.2, 0.1]),
            "origin": rng.choice(["EWR", "JFK"], n),
            "dest": rng.choice([f"d{i}" for i in range(8)], n, p=np.arange(1, 9) / 36),
            "age": rng.integers(0, 9, n).astype(float),
            "value": rng.normal(size=n),
            "label": rng.integers(0, 2, n).astype(float),
            "weight": rng.uniform(0.5, 3, n),
            "s1": rng.random(n),
            "s2": rng.random(n),
        }
    )
    for name, share in {"origin": 0.1, "age": 0.1, "label": 0.3, "s1": 0.1}.items() if holes else ():
        frame.loc[rng.random(n) < share, name] = None
    return frame


def table(frame: pd.DataFrame) -> pa.Table:
    out = pa.Table.from_pandas(frame, preserve_index=False)
    for name in ("carrier", "origin", "dest"):
        if name in out.column_names:
            column = out.column(name).dictionary_encode()
            out = out.set_column(out.column_names.index(name), name, column)
    return out


def day(frame: pd.DataFrame, number: int = 1, weight: str | None = None) -> Day:
    return Day(number, table(frame), {"1": ("s1",), "2": ("s2",)}, weight=weight)


def plan(**values: object) -> Plan:
    return Plan(SPECS, (Toy(owner="x"),), **values)  # type: ignore[arg-type]


@pytest.mark.parametrize("weight", [None, "weight"])
@pytest.mark.parametrize("holes", [False, True])
def test_every_cell_is_the_sum_over_its_rows(weight: str | None, holes: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sums, "CHUNK", 256)
    frame, what = log(holes=holes), plan()
    blocks = build_day(day(frame, weight=weight), what)
    assert sorted(blocks) == ["1", "1~2", "2"]
    cells = {name: stack([block], SPECS) for name, block in blocks.items()}
    inside = masks(resolve(SPECS, frame), frame)
    assert set(cells["1"].slices) == set(inside)
    w = frame[weight].to_numpy() if weight else np.ones(len(frame))
    terms = {s: {"error": frame[s] - frame["label"], "gain": frame[s] * frame["value"]} for s in ("s1", "s2")}
    expected = {"1": terms["s1"], "2": terms["s2"]}
    expected["1~2"] = {name: terms["s1"][name] - terms["s2"][name] for name in terms["s1"]}
    for name, found in cells.items():
        scored = frame["s1" if name != "2" else "s2"].notna() & frame["s2"].notna()
        for i, slice_ in enumerate(found.slices):
            rows = (scored & frame["label"].notna()).to_numpy() & inside[slice_]
            t = {k: v.to_numpy()[rows] for k, v in expected[name].items()} | {"one": np.ones(rows.sum())}
            assert found.n[0, i] == inside[slice_].sum()
            assert found.n_labelled[0, i] == rows.sum()
            for term, total in found.sums.items():
                assert total[0, i] == pytest.approx((w[rows] * t[term]).sum(), abs=1e-9), (name, slice_, term)
            for (a, b), total in found.products.items():
                assert total[0, i] == pytest.approx((w[rows] ** 2 * t[a] * t[b]).sum(), abs=1e-9)
            if found.counts is None:
                continue
            where = (frame["label"].to_numpy()[rows], frame["s" + name].to_numpy()[rows])
            edges = [np.array([-1, 0.5, 2]), np.concatenate([[-1], found.edge, [2]])]
            np.testing.assert_allclose(found.counts[0, i], np.histogram2d(*where, edges, weights=w[rows])[0], atol=1e-9)
    assert cells["1~2"].counts is None
    assert blocks["1"].n_unscored[0] == frame["s1"].isna().sum()


def test_counts_of_whole_rows_are_whole_numbers_of_the_smallest_type() -> None:
    block = Block.from_bytes(build_day(day(log(holes=False)), plan())["1"].to_bytes())
    assert block.counts is not None
    assert block.counts.dtype == np.uint8
    assert block.counts[0].sum() == 700


def test_a_cell_of_more_rows_than_16_bits_hold_is_counted() -> None:
    n = 150_000
    frame = pd.DataFrame({"c": ["x"] * n, "value": 1.0, "label": np.arange(n) % 10 == 0, "s1": 0.7})
    what = Plan((SliceSpec(by="c"),), (Toy(owner="x"),))
    block = build_day(Day(1, table(frame.astype({"label": float})), {"1": ("s1",)}), what)["1"]
    assert block.counts is not None
    assert block.counts.max(axis=2).tolist() == [[135_000, 15_000]] * 2
    assert block.counts.sum() == 2 * n
    assert block.sums["gain"] == pytest.approx(np.full(2, 0.7 * n))


def test_several_classes_are_counted_by_truth_and_prediction() -> None:
    frame = log(holes=False).assign(label=lambda f: np.arange(len(f)) % 3, s3=0.5)
    what = Plan((SliceSpec(by="carrier"),), (Toy(owner="x"),), Task.MULTICLASS, classes=3)
    block = build_day(Day(1, table(frame), {"m": ("s1", "s2", "s3")}), what)["m"]
    predicted = frame[["s1", "s2", "s3"]].to_numpy().argmax(axis=1)
    assert block.counts is not None
    np.testing.assert_array_equal(block.counts[0], pd.crosstab(frame["label"], predicted).to_numpy())
    assert block.bins is None


def test_a_number_as_label_has_no_counts_and_any_finite_score() -> None:
    frame = log(holes=False).assign(label=lambda f: f["value"] * 10, s1=lambda f: f["value"] * 9)
    frame.loc[0, "s1"] = np.inf
    block = build_day(day(frame), Plan(SPECS, (Toy(owner="x"),), Task.REGRESSION))["1"]
    assert block.counts is None
    assert (block.n_unscored[0], block.n_labelled[0]) == (1, 699)
    assert block.sums["error"][0] == pytest.approx(-frame["value"][1:].sum())


def test_a_probability_outside_0_and_1_is_no_score() -> None:
    frame = log(holes=False)
    frame.loc[[0, 1, 2], "s1"] = [1.01, -0.01, np.nan]
    block = build_day(day(frame), plan())["1"]
    assert (block.n[0], block.n_unscored[0], block.n_labelled[0]) == (700, 3, 697)


@pytest.mark.parametrize("label", [2.0, -1.0, 0.5])
def test_a_label_outside_the_classes_is_refused(label: float) -> None:
    with pytest.raises(BatchError, match=f"from 0 to 1. Got: {label:g}"):
        build_day(day(log().assign(label=label)), plan())


def test_a_weight_that_is_not_positive_is_refused() -> None:
    with pytest.raises(BatchError, match="positive"):
        build_day(day(log().assign(weight=0.0), weight="weight"), plan())


def test_a_missing_slice_column_is_refused() -> None:
    with pytest.raises(SliceError, match="'carrier' is missing"):
        build_day(day(log().drop(columns="carrier")), plan())


def test_a_day_without_rows_has_cells_of_nothing() -> None:
    block = build_day(day(log(n=1, holes=False).iloc[:0]), plan())["1"]
    assert block.n.tolist()[0] == 0
    assert stack([block], SPECS).n.sum() == 0


def test_a_window_is_the_sum_of_its_days_whatever_values_they_have() -> None:
    frames = [log(seed) for seed in range(3)]
    frames[1] = frames[1][frames[1]["carrier"] != "UA"]
    blocks = [build_day(day(f, i), plan())["1"] for i, f in enumerate(frames)]
    cells = stack(blocks[::-1], SPECS)
    whole = pd.concat(frames, ignore_index=True)
    inside = masks(resolve(SPECS, whole), whole)
    assert cells.day.tolist() == [0, 1, 2]
    assert {name: int(n) for name, n in zip(cells.slices, cells.n.sum(axis=0), strict=True)} == {
        name: int(mask.sum()) for name, mask in inside.items()
    }
    rows = whole[whole["label"].notna() & whole["s1"].notna()]
    other = masks(resolve(SPECS, whole), whole)["dest=other"][rows.index]
    i = cells.slices.index("dest=other")
    assert cells.sums["error"].sum(axis=0)[i] == pytest.approx((rows["s1"] - rows["label"])[other].sum())
    assert cells.counts is not None
    assert cells.counts[:, i].sum() == other.sum()


def test_late_labels_are_added_to_their_day_and_taken_back() -> None:
    frame = log()
    early = frame.assign(label=frame["label"].where(frame.index % 2 == 0))
    late = frame[(frame.index % 2 == 1) & frame["label"].notna()]
    whole, first = (build_day(day(f), plan())["1"] for f in (frame, early))
    delta = build_day(day(late), plan(), count_rows=False)["1"]
    both = first.plus(delta)
    assert both.n.tolist() == stackable(whole, both).n.tolist()
    np.testing.assert_array_equal(both.counts, stackable(whole, both).counts)
    np.testing.assert_allclose(both.sums["error"], stackable(whole, both).sums["error"])
    back = both.plus(delta, sign=-1)
    np.testing.assert_array_equal(back.counts, stackable(first, back).counts)
    with pytest.raises(StoreError, match="one day and one layout"):
        first.plus(build_day(day(frame, 2), plan())["1"])


def stackable(block: Block, like: Block) -> Block:
    return block.spread(like.parts)


def test_rare_values_of_a_wide_column_have_no_cells_and_are_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("continual.cells.grouping.KEPT", 2)
    frame, specs = log(holes=False), (SliceSpec(by="dest", top=20),)
    block = build_day(day(frame), Plan(specs, (Toy(owner="x"),)))["1"]
    assert block.parts[0].cut
    cells = stack([block], specs)
    assert cells.slices == ("overall", "dest=d6", "dest=d7", "dest=other")
    assert cells.n[0, 1:].sum() == cells.n[0, 0]


def test_blobs_say_what_they_are() -> None:
    block = build_day(day(log(), weight="weight"), plan())["1"]
    again = Block.from_bytes(block.to_bytes())
    assert (again.parts, again.day, again.bins) == (block.parts, block.day, block.bins)
    np.testing.assert_array_equal(again.counts, block.counts)
    for name, total in block.sums.items():
        np.testing.assert_array_equal(again.sums[name], total)
    for wrong in (b"", b"nonsense" * 9, block.to_bytes()[:-9]):
        with pytest.raises(StoreError, match="rebuild the cells"):
            Block.from_bytes(wrong)


def test_only_what_changes_the_cells_changes_the_layout() -> None:
    def layout(*specs: SliceSpec, **values: object) -> str:
        return Plan(specs, (Toy(owner="x"),), **values).layout  # type: ignore[arg-type]

    base = layout(SliceSpec(by="carrier"))
    assert base == layout(SliceSpec(by="carrier", top=3, min_rows=9))
    assert base == Plan((SliceSpec(by="carrier"),), (Toy(owner="y", margin=0.5),)).layout
    assert len({base, layout(SliceSpec(by="origin")), layout(SliceSpec(by="carrier"), resolution=1024)}) == 3
