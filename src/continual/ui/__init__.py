"""The pages people look at: queries and rendering, without Airflow, which mounts and guards them."""
