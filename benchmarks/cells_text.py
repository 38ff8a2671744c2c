"""What docs/results/cells.md says around the numbers of benchmarks/cells.py."""

from __future__ import annotations

HEADER = """# Cells: what they cost

`python benchmarks/cells.py --data <folder> --write`: {rows:,} rows, 90 days, 200 slices, two models and their pair,
one Parquet file a day (zstd, dictionary columns). CPU time of one thread (user + system), minimum over repeats, as a
multiple of reading the same columns in the same run; compilation by numba excluded. A build is read, compute, compress
and store in SQLite. The window is read from the database: value and 95% interval of every metric of both models on
every slice. Late labels: 100,000 rows that the log has joined with their label, without the reading that the join
takes. Blobs: a day's three together.

`sklearn` is what a person writes with pandas and scikit-learn (benchmarks/cells_sklearn.py), timed on {slices} slices,
per slice x 200. Counted on both sides: 12 metrics of both models on every slice and the difference of the models;
`intervals` adds to each of these an interval clustered by day, for which the person computes every metric again on each
day of the slice. Counted for the cells only: reading the files, storing the blobs. Counted for the person only:
selecting a slice from a frame in memory, and grouping it by day. The person's ranking metrics are exact, those of the
cells binned.
"""
FOOTER = """
A build stores {days} days in one transaction; one transaction a day costs about 2 ms of CPU more (a profile of the
earlier form: opening, committing and closing of SQLite).

## Where the time goes, and what the bounds are

From profiles of 20 days at 256 bins on a busy machine, CPU per row; reading took 65 to 72 ns.

| work | ns a row | bound |
|---|---|---|
| sums of terms, 16 columns x 5 pairs of groupings | 16 to 19 | 10 additions of a cache line, 0.9 ns each; filling |
| counts, 2 models x 10 groupings | 7 | 20 increments in a level-1 cache, 0.35 ns each: at the bound |
| codes, joint codes and rows by slice, one loop | 6 | one look-up a grouping |
| terms of the metrics, 2 models, compiled | 6 | one logarithm a model (numpy, vectors) |
| score bins, 2 models | 4 | one table look-up and one comparison a score |
| per day: Python, JSON, LZ4, SQLite | 25 | about 2.8 ms a day, whatever its rows (here 111,111) |

Tried without gain: the panel of terms transposed by blocks (6 ns instead of 3.7), panels of 256 to 4,096 rows (within
8% of each other).

- **Pairs.** 4,650 x 528 counts are more numbers than a day has rows: 79% are 0. Packed as marks and half bytes they
  take 1.1 ms a model and day (LZ4: 2.2 ms); with whole sums kept as integers the day's blobs fell from 2,034 KB to
  1,474 KB. A day's other sums are 0.6 MB of float64 that do not compress, so storing stays at 4 to 5 ms a day (insert
  and commit) and the sums of terms at 3 to 4 ms, as tables of 4,650 cells leave the level-1 cache; reading 5.5 ms.
  These three alone are above 2.2 x the scan.
- **Window.** SQLite takes 24 ms of a profile of 181 ms: one query that sorts the blobs by day and hands them over. The
  pass over the counts for every metric that ranks takes 24 ms, unpacking 17 ms, 5,000 results about 20 ms.
"""
