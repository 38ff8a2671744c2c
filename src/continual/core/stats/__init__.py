"""The mathematics of the decisions: one idea per file, pure functions on numpy arrays."""
