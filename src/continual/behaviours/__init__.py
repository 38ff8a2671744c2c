"""Behaviour tests of candidates: one file each. File name = `kind` in the policy."""
