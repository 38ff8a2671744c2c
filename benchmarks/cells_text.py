"""What docs/results/cells.md says around the numbers of benchmarks/cells.py."""

from __future__ import annotations

HEADER = """# Cells: what they cost

`python benchmarks/cells.py --data <folder> --write`: {rows:,} rows, 90 days, 200 slices, two models and their pair,
one Parquet file a day (zstd, dictionary columns). CPU time of one thread (user + system), minimum over repeats, as a
multiple of reading the same columns in the same run; compilation by numba excluded. A build is read, compute, compress
and store in SQLite. The window is read from the database: value and 95% interval of every metric of both models on
every slice. scikit-learn: values only, {slices} slices of one model, per slice x 200 x 2. Late labels: 100,000 rows
that the log has joined with their label, without the reading that the join takes. Blobs: a day's three together.
"""
FOOTER = """
A build stores {days} days in one transaction; one transaction a day costs about 2 ms of CPU more (a profile of the
earlier form: opening, committing and closing of SQLite).

## Where the time goes, and what the bounds are

From profiles of 20 days at 256 bins on a busy machine, CPU per row; reading took 65 to 75 ns.

| work | ns a row | bound |
|---|---|---|
| sums of terms, 16 columns x 5 pairs of groupings | 20 | 10 additions of a cache line, 1.3 ns each, and the filling |
| counts, 2 models x 10 groupings | 7 | 20 increments in a level-1 cache, 0.35 ns each: at the bound |
| score bins, 2 models | 8 | two table look-ups a score; not vectorised |
| metrics' own terms, 2 models | 25 | one logarithm and six passes of numpy a model |
| codes, joint codes, rows by slice | 10 | one look-up a grouping |
| per day: Python, JSON, LZ4, SQLite | 30 | about 3 ms a day, whatever its rows (here 111,111) |

What counts as read is decompressed columns; below about 2 x the scan only the metrics' terms (fused into one compiled
loop, which would take them out of the metrics) and the fixed cost of a day are left to save.

- **Pairs.** 4,650 x 528 counts are more numbers than a day has rows: 79% are 0. Compressing the counts of both models
  takes 4.5 ms a day, storing the megabyte about as much as the whole scan of 6 ms (profiled): these two alone are above
  1.5 x. Not tried: lists of the cells that are not 0 instead of LZ4.
- **Window.** Reading and unpacking the blobs, one pass over the counts for every metric that ranks, and 5,000 results
  with their texts take about a quarter each (profiled).
- **scikit-learn** computes values only, for slices x models x metrics; the cells also give intervals and comparisons,
  and their cost hardly depends on the number of metrics. The ratio is extrapolated from a few slices of one model.
"""
