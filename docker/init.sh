#!/bin/sh
# Before anything else runs: databases at the installed version, the bucket, the administrator. Harmless to repeat.
set -eu
airflow db migrate
continual db upgrade
python - <<'PY'
import os

import boto3
from botocore.exceptions import ClientError

bucket, client = os.environ["BUCKET"], boto3.client("s3")
try:
    client.head_bucket(Bucket=bucket)
except ClientError:
    client.create_bucket(Bucket=bucket)
    print(f"made bucket {bucket}")
PY
python "$(dirname "$0")/fab_admin.py"
