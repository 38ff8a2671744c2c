"""Authenticated JSON over HTTP to Airflow's REST API: token, retries, readable errors."""

from __future__ import annotations

import time
from typing import Any

import requests

from continual.errors import ContinualError

_PATIENCE = 15.0
_TIMEOUT = 30.0


class AirflowError(ContinualError):
    """Airflow refused a request or cannot be reached. status: the HTTP status, 0 when there was no answer."""

    def __init__(self, must: str, got: str, remedy: str, status: int = 0) -> None:
        super().__init__(must, got, remedy)
        self.status = status


class AirflowHttp:
    """One logged-in session. Thread-safe as far as `requests.Session` is: use one per thread."""

    def __init__(self, base_url: str, username: str, password: str, patience: float = _PATIENCE) -> None:
        """patience: seconds to go on trying while Airflow cannot be reached or answers 502-504."""
        self.base_url, self._patience = base_url.rstrip("/"), patience
        self._login = {"username": username, "password": password}
        self._session = requests.Session()
        self._session.trust_env = False  # a proxy set for the outside world cannot reach this address

    def get(self, path: str, **params: Any) -> Any:
        return self.request("GET", path, params={k: v for k, v in params.items() if v is not None})

    def request(self, method: str, path: str, params: Any = None, body: Any = None) -> Any:
        """JSON of the answer; None when it is empty.

        Raises
        ------
        AirflowError: with the answer's detail and status, or why there was no answer.
        """
        response = self._send(method, f"/api/v2{path}", params, body)
        if response.status_code in {401, 403}:  # an expired token or one of an earlier start, which Airflow calls 403
            self._session.headers.pop("Authorization", None)
            response = self._send(method, f"/api/v2{path}", params, body)
        return _answer(response, f"{method} {path}")

    def _send(self, method: str, path: str, params: Any, body: Any) -> requests.Response:
        if "Authorization" not in self._session.headers:
            answer = _answer(self._reach("POST", "/auth/token", None, self._login), "login")
            self._session.headers["Authorization"] = f"Bearer {answer['access_token']}"
        return self._reach(method, path, params, body)

    def _reach(self, method: str, path: str, params: Any, body: Any) -> requests.Response:
        deadline = time.monotonic() + self._patience
        while True:
            try:
                response = self._session.request(
                    method, self.base_url + path, params=params, json=body, timeout=_TIMEOUT
                )
                if response.status_code not in {502, 503, 504} or time.monotonic() >= deadline:
                    return response
            except (requests.ConnectionError, requests.Timeout) as error:
                if time.monotonic() >= deadline:
                    raise AirflowError(
                        f"Airflow must answer at {self.base_url}.",
                        f"{type(error).__name__} for {method} {path} during {self._patience:g} s.",
                        "check that the stack runs and read its api-server.log.",
                    ) from error
            time.sleep(0.3)


def _answer(response: requests.Response, what: str) -> Any:
    if response.ok:
        return response.json() if response.content else None
    raise AirflowError(
        f"Airflow must accept {what}.",
        f"HTTP {response.status_code}: {_detail(response)}",
        "correct the request, or read the API server's log if it is Airflow's fault.",
        response.status_code,
    )


def _detail(response: requests.Response) -> str:
    try:
        detail = response.json().get("detail", response.text)
    except (ValueError, AttributeError):
        detail = response.text
    return detail if isinstance(detail, str) else str(detail)[:2000]
