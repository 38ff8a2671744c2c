"""Cells: additive statistics by day and slice, built by one scan and stored as one blob a day and model."""
