"""Detectors of data faults: one file each. File name = `kind` in the policy."""
