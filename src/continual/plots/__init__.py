"""Pictures of what the evaluation store says: DataFrames in, a matplotlib Figure or a rich renderable out.

Frames of metrics have the columns version, slice, metric, value, low, high, n, n_labelled, coverage, method and, over
time, day (any date or instant, the end of the window). Frames of comparisons: slice, metric, gain, low, high, p_harm,
n, margin; gain > 0 = candidate better. Missing values are undefined estimates. Figures have a transparent ground and
grey ink that reads on white and on black; save them with `figure.savefig`.
"""
