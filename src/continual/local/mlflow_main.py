"""The MLflow tracking server in one process.

`python -m continual.local.mlflow_main FOLDER HOST PORT` does what `mlflow server --workers 1 --serve-artifacts`
does, without the parent process that command keeps (a second import of MLflow: 6 CPU-s and 200 MB).
"""

from __future__ import annotations

import os
import sys
from pathlib import Path


def main(folder: Path, host: str, port: int) -> None:
    from mlflow.server import constants

    database = f"sqlite:///{folder / 'mlflow.db'}"
    root = "mlflow-artifacts:/"
    os.environ[constants.BACKEND_STORE_URI_ENV_VAR] = database
    os.environ[constants.REGISTRY_STORE_URI_ENV_VAR] = database
    os.environ[constants.ARTIFACT_ROOT_ENV_VAR] = root
    os.environ[constants.ARTIFACTS_DESTINATION_ENV_VAR] = (folder / "artifacts").as_uri()
    os.environ[constants.SERVE_ARTIFACTS_ENV_VAR] = "true"

    import uvicorn
    from mlflow.server.fastapi_app import app
    from mlflow.server.handlers import initialize_backend_stores

    initialize_backend_stores(database, database, root)
    uvicorn.run(app, host=host, port=port, workers=1, access_log=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
