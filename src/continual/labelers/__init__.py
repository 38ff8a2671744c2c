"""Labelers: where labels come from, one file each. File name = `kind` in the policy."""
