"""Triggers: when to retrain, one file each. File name = `kind` in the policy."""
