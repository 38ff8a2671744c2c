"""Distances between two distributions of a column: one file each. File name = `kind`."""
