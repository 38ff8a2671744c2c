#!/bin/sh
# Before anything else runs: databases at the installed version, the bucket, the administrator. Harmless to repeat.
set -eu
airflow db migrate
continual db upgrade
python - <<'PY'
import os
import time

import boto3
from botocore.exceptions import ClientError, ConnectionError

bucket, client = os.environ["BUCKET"], boto3.client("s3")
deadline = time.monotonic() + 120  # nothing waits for the object storage: it may be one of your own
while True:
    try:
        client.head_bucket(Bucket=bucket)
    except ClientError:
        client.create_bucket(Bucket=bucket)
        print(f"made bucket {bucket}")
    except ConnectionError:
        if time.monotonic() > deadline:
            raise
        time.sleep(1)
        continue
    break
PY
python "$(dirname "$0")/fab_admin.py"
