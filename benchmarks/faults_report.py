"""The page and the plot of `benchmarks/faults.py`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from operating_report import HEAD, Line

mpl.use("Agg")
from matplotlib import pyplot as plt

RESULTS = Path(__file__).parents[1] / "docs" / "results"


def plot(lines: list[Line], faults: Sequence[str], sizes: Sequence[int]) -> None:
    """Median days by rows a day, one curve per fault."""
    figure, axes = plt.subplots(figsize=(7, 4))
    for number, fault in enumerate(faults):
        own = lines[number * len(sizes) : (number + 1) * len(sizes)]
        axes.plot(sizes, [min(line.value, 15) for line in own], marker="o", label=fault)
    axes.set(xscale="log", xlabel="rows of the slice a day", ylabel="median days to the finding", ylim=(0, 15.5))
    axes.legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(RESULTS / "faults.png", dpi=120)
    plt.close(figure)


def write(lines: list[Line], asked: str, scan: int, looks: int) -> None:
    """The committed page."""
    rows = "\n".join(f"| {' | '.join(line.cells())} |" for line in lines)
    text = f"""# Data faults: how often the detector is wrong, how fast it is right

`python benchmarks/faults.py {asked}` wrote this page. The number of runs stands in every row; the intervals say what
that is worth.

| {" | ".join(HEAD)} |
|{"---|" * len(HEAD)}
{rows}

![Days to the finding by rows a day](faults.png)

## How it is simulated

- The detector is `JumpDetector` with its defaults. **One column**: {scan} daily looks after 42 quiet days; alpha of 5%
  is spent on the looks at this column alone, so that the rate can be counted. "Day shocks, week, season": each day
  moves all values by a normal shock of .3 standard deviations and each slice by one of .1 more, a week with an
  amplitude of .4, a year with one of 1, which begins where it drifts fastest (.017 a day).
- **Whole application**: 20 slices, 15 columns, shock, week and season of each column drawn up to .3,
  .4, 1; any finding that is active on any day of the year. One such year takes 5 CPU-seconds, hence fewer.
- Both take their cuts anew at each look, as the flow does. With cuts fixed for all days the one column gave 3.3%
  (2.3% to 4.6%) of 1,000 instead, measured before the limit on how far a trend may carry a small share.
- Before the expectation followed the drift of the reference days, 18.9% (17.2% to 20.6%) of 2,000 alarmed in the second
  row: the expectation was 20 days old, and "two of five" met its bias again every day. Three things changed: a
  trend, drawn to none where the slices and shares show none; the noise of a share is the one of where it has drifted
  to; and "two of five" is charged for the two days' common expectation.
- **Power**: default budget of a year, shared by {looks:,} looks a day (20 slices and all rows, 15 columns). Values are
  normal (10, 2); minutes of the day normal (840, 260) cut to 5:00 to 23:59, + 240 modulo 1,440. 20 times as many rows
  lie outside the slice. "Not found": not within 14 days.
- Intervals: Clopper-Pearson for shares, order statistics for medians.
- A change of scale by 10% moves a narrow distribution by half a standard deviation; of a wide one it moves less and is
  found later or never (`min_effect` .1). A fault that leaves every marginal share as it was (a sign flipped on a
  symmetric column) cannot be seen without labels; the paired monitor sees it.

On real rows: [the detector on the flights](faults_flights.md).
"""
    (RESULTS / "faults.md").write_text(text, encoding="utf-8")
