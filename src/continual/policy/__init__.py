"""YAML -> Policy: the frozen composition of everything that decides for one application."""
