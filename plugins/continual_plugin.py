"""Registers the product's Airflow plugin."""

from continual.airflow.plugin import ContinualPlugin  # noqa: F401
