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
A build stores {days} days in one transaction.

## Ranking metrics from bins, few positives

`python benchmarks/cells_auc.py`: 1% positives, AUC about 0.8. An error is binned minus exact on the same rows (root
mean square over the draws, and the largest). The standard error beside it is DeLong's: what the exact AUC of so many
positives is uncertain by anyway.

{few}

Rows of one bin count as tied. Each positive then misses its own small part of a comparison, up or down, so errors are
larger with few positives and fall with the square root of their number, as the standard error does. At 1,024 bins (the
default) the error is below 1% of the standard error; at 256 bins 2 to 6%. With up to 100 positives the largest error
is above 3e-4 at 1,024 bins, too: no number of positives as small tells such differences. PR AUC with few positives
hangs on the first few rows: from bins it is approximate, its method says so, and `--exact` reads the rows instead.

## Where the time goes, and what the bounds are

From profiles of 10 days at 256 bins on a busy machine, CPU a day of 111,111 rows; reading took about 7.4 (pairs) to
10 ms (200 slices).

| work | 200 slices, ms a day | 4,650 cells of pairs, ms a day |
|---|---|---|
| codes, terms, sums, counts, score bins | 7.4 | 11.6 |
| blobs: counts in planes of bits, sums as they are | 0.6 | 1.6 |
| SQLite: insert, log, checkpoint | 0.7 | 2.7 |

- **Pairs.** Sums take 3.2 ms, counts of both models 2.6 ms: 10 groupings of 200 to 850 cells, each a table that leaves
  the level-1 cache (sums of two groupings at once would have tables of 4,000 cells and more). Counts are
  4,650 x 528 numbers a model and day, more than a day has rows; packed in planes of bits they are 0.45 MB a
  model. A day's other sums are 0.6 MB of float64 that do not compress, and SQLite writes every byte
  twice, to its log and to the file.
- **Window.** Counts are read from memory once for each metric that ranks, and that is what it costs: slices whose
  counts fit in a byte are kept in bytes (a pass takes 0.9 ms a model instead of 2.9), `overall` apart. SQLite hands the
  blobs over in 9 ms of 120, without sorting them; unpacking takes 10 ms, 5,000 results about 20 ms.

Counts are bytes while they are counted (a table of 850 slices is 450 KB and stays in a level-2 cache), and the few
numbers that wrap are put right afterwards. Pages of 64 KB instead of 32 KB save SQLite 0.5 ms a day of pairs.

Tried without gain: the panel of terms transposed by blocks (6 ns a row instead of 3.7), panels of 256 to 4,096 rows
(within 8% of each other), LZ4 and half bytes for counts (twice the time of planes).
"""
