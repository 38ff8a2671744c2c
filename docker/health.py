"""Is this container's program alive? Cheap, since it runs every few seconds.

health.py URL             the URL answers with a status below 400
health.py URL COMPONENT   Airflow's health page at URL says so of scheduler, dag_processor or triggerer
"""

from __future__ import annotations

import json
import sys
import urllib.request


def main(url: str, component: str | None = None) -> int:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 the compose file names it  # nosec B310
            body = answer.read()
    except OSError as error:
        print(f"{url}: {error}")
        return 1
    if component is None:
        return 0
    status = json.loads(body).get(component, {}).get("status")
    print(f"{component}: {status}")
    return int(status != "healthy")


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
