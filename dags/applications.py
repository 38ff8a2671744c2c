"""Every policy file in the configs folder becomes four DAGs; an invalid one keeps its last good policy."""

from continual.airflow.register import register_applications

register_applications(globals())
