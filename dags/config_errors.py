"""Fails to import, with file, line and remedy, while a policy file is invalid. It defines no DAG."""

from continual.airflow.register import raise_config_errors

raise_config_errors()
