"""The only part that imports Airflow: DAGs from policies, one operator, links."""
