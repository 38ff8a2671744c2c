"""Models: scikit-learn pipelines from the policy, and the MLflow registry around them."""
