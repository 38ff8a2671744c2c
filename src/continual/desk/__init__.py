"""The labelling page: one row at a time, by keyboard, for people with a token."""
