"""moto's S3 as a real HTTP server, with a bucket `bank`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    yield f"http://localhost:{server.get_host_and_port()[1]}"
    server.stop()


@pytest.fixture
def s3(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Endpoint; the environment names it and holds credentials, as a deployment's would. The bucket is empty."""
    import boto3
    import requests

    environment = {"AWS_ENDPOINT_URL": s3_server, "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}
    for name, value in {**environment, "AWS_DEFAULT_REGION": "us-east-1"}.items():
        monkeypatch.setenv(name, value)
    requests.post(f"{s3_server}/moto-api/reset", timeout=10)
    boto3.client("s3").create_bucket(Bucket="bank")
    return s3_server
