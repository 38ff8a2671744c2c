"""Estimators: one file each. File name = `kind` in the policy."""
