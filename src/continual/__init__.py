"""`continual`: a control loop around models in production, on Airflow and MLflow."""

__version__ = "0.1.0"
