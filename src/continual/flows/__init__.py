"""One idempotent use case per file; Airflow, the CLI and the replay call the same functions."""
