"""Serving: the champion behind HTTP, what it answered in the log, whatever is killed in between."""
