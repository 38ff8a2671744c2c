"""The gate's report, MLflow's metric names, and files between validate and append."""

from __future__ import annotations

import re
from pathlib import Path

import pyarrow as pa
import pytest
from markdown_it import MarkdownIt

from continual.core.estimate import Estimate
from continual.core.verdict import (
    Answer,
    GateEvidence,
    MetricEvidence,
    SliceClass,
    SliceEvidence,
    SliceFinding,
    Verdict,
)
from continual.flows.evaluate import slice_metrics
from continual.flows.publish import TEXT, fitting
from continual.flows.report import ROWS, markdown_report
from continual.flows.staging import Staging

WINDOW = {"start": "2024-01-01T00:00:00+00:00", "end": "2024-01-05T00:00:00+00:00"}


def finding(name: str, gain: float | None, verdict: SliceClass = SliceClass.PROVEN) -> SliceFinding:
    low, high = (None, None) if gain is None else (gain - 0.01, gain + 0.01)
    return SliceFinding(name, "roc_auc", verdict, gain, low, high, None, None, 1234, None, None, "")


def report(*findings: SliceFinding, blocking: tuple[str, ...] = ()) -> str:
    evidence = GateEvidence("2", "1", (), (), WINDOW, "2024-01-06T00:00:00+00:00", 3, 17)
    return markdown_report(evidence, Verdict(Answer.REJECT, "because of x", blocking, {}, findings))


def test_s28_the_report_begins_with_the_decision_and_the_slice_that_decided() -> None:
    text = report(finding("good", 0.1), finding("bad", -0.02, SliceClass.HARM), blocking=("bad",))
    lines = text.splitlines()
    assert lines[0] == "## reject: version 2 against 1" and lines[2] == "because of x"
    assert "used 3 times before; 17 rows" in text
    table = [line for line in lines if line.startswith("| ")]
    assert [re.split(r" \| ", line)[0] for line in table[1:]] == ["| bad", "| good"]


def test_undefined_is_written_as_undefined_and_never_as_zero() -> None:
    assert "| tiny | roc_auc | proven | undefined | undefined | 1,234 |" in report(finding("tiny", None))


def test_s61_a_slice_name_cannot_break_the_table() -> None:
    row = report(finding("a|b", 0.0)).splitlines()[-1]
    assert row.startswith("| a\\|b |") and len(re.findall(r"(?<!\\)\|", row)) == 8


def test_s61_text_of_the_data_stays_text_where_the_report_is_rendered() -> None:
    hostile = (
        "region=![x](https://evil/p.png) [go](https://evil) <img src=x> <https://evil> https://evil\n[r]: https://evil"
    )
    sly = "\\](https://evil) \\<img src=x>"
    text = report(finding(hostile, 0.1), finding(f"[x{sly}", 0.1), blocking=(hostile,))
    evidence = GateEvidence("2", "1", (), (), WINDOW, "2024-01-06T00:00:00+00:00", 3, 17)
    text += markdown_report(evidence, Verdict(Answer.REJECT, f"because of [r] and {hostile} {sly}", (), {}, ()))
    page = MarkdownIt("commonmark", {"html": True}).enable("table").render(text)
    assert not re.search(r"<(a|img|script)\b", page), page
    assert "![x](https://evil/p.png)" in page and page.count("<table>") == 2


def test_s58_the_report_of_a_thousand_slices_shows_the_decisive_ones() -> None:
    many = [finding(f"s{i}", i / 1000) for i in range(1000)]
    lines = report(*many, finding("bad", 0.5, SliceClass.HARM), blocking=("bad",)).splitlines()
    rows = [line for line in lines if line.startswith("| ")][1:]
    assert len(rows) == ROWS and rows[0].startswith("| bad ") and rows[1].startswith("| s0 ")


def metrics_of(*names: str) -> dict[str, float]:
    defined, undefined = Estimate(0.5, 0.4, 0.6, 10, 10, "m"), Estimate.undefined(0, 0, "no rows")
    found = MetricEvidence("roc_auc", "primary", defined, None, None)
    empty = MetricEvidence("brier", "guardrail", undefined, None, None)
    return slice_metrics([SliceEvidence(name, "standard", None, (found, empty)) for name in names])


def test_s15_undefined_metrics_are_absent_in_mlflow() -> None:
    assert metrics_of("overall") == {"roc_auc/overall": 0.5}


def test_s61_every_slice_name_becomes_a_name_mlflow_takes_and_no_two_become_one() -> None:
    names = ["overall", "region=east", "region:east", "a/b", "a\\b", "ü", "", "x" * 40, "<script>", "a=b=c"]
    found = metrics_of(*names)
    assert len(found) == len(names)
    assert all(re.fullmatch(r"[\w\-. :/]+", name, re.ASCII) for name in found)
    assert "roc_auc/region:east" in found


def test_staged_rows_are_whole_or_not_there(tmp_path: Path) -> None:
    staging = Staging(tmp_path, "loans")
    one, two = pa.table({"x": [1, 2]}), pa.table({"x": [3]})
    staging.put("labels", "b1", one)
    staging.put("labels", "b2", two)
    (staging.folder / "labels" / "b3.4711.tmp").write_bytes(b"half a file")
    assert [staging.has("labels", b) for b in ("b1", "b2", "b3")] == [True, True, False]
    assert staging.read("labels", ["b2", "b1"]).column("x").to_pylist() == [3, 1, 2]
    staging.drop("labels", "b1")
    staging.drop("labels", "b1")
    assert not staging.has("labels", "b1")
    with pytest.raises(FileNotFoundError):
        staging.read("labels", ["b1"])


@pytest.mark.parametrize("foot", ["", "\n[The run in Airflow](http://airflow.example/dags/a/runs/b)\n"])
@pytest.mark.parametrize("rows", [10, 45, 400])
def test_a_description_holds_whole_lines_and_no_more_than_mlflow_takes(foot, rows):
    """PostgreSQL refuses a longer one, SQLite does not: the gate of a large report failed in production only."""
    report = "".join(f"| slice {i} | {'x' * 90} |\n" for i in range(rows))
    found = fitting(report, foot)
    assert len(found) <= TEXT
    assert found.endswith(foot)
    assert (found == report + foot) == (len(report + foot) <= TEXT)
    if found != report + foot:
        assert "gate_report.md" in found
        lines = [line for line in found.splitlines() if line.startswith("| ")]
        assert lines == report.splitlines()[: len(lines)]
        assert len(lines) >= 40
