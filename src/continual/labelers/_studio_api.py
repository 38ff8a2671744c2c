"""Label Studio's API, as far as it is needed: tokens of both kinds, pages, errors in three sentences."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import requests

from continual.errors import LabelerError

TIMEOUT = 30.0
PAGE = 500
#: Tasks in one import: a few seconds of the server's time.
IMPORTED = 250


class Studio:
    """One server. token: a personal access token (a JWT, exchanged for access tokens that last five minutes) or a
    legacy token, which new servers refuse unless the organisation allows it."""

    def __init__(self, url: str, token: str) -> None:
        self.url, self._token = url.rstrip("/"), token
        self._session = requests.Session()
        self._personal = token.count(".") == 2

    def call(self, method: str, path: str, ok: Sequence[int] = (200, 201, 204), **kwargs: Any) -> Any:
        """The decoded answer; None where there is none, or where its status is in `ok` and no success.

        Raises
        ------
        LabelerError: the server does not answer, or says no.
        """
        answer = self._send(method, path, **kwargs)
        if answer.status_code == 401 and self._personal:
            self._session.headers.pop("Authorization", None)  # five minutes are over
            answer = self._send(method, path, **kwargs)
        if answer.status_code not in ok:
            raise self._refused(method, path, answer)
        return answer.json() if answer.ok and answer.content else None

    def _send(self, method: str, path: str, **kwargs: Any) -> requests.Response:
        if "Authorization" not in self._session.headers:
            self._session.headers["Authorization"] = self._authorization()
        return self._reach(method, path, **kwargs)

    def _reach(self, method: str, path: str, **kwargs: Any) -> requests.Response:
        try:
            return self._session.request(method, f"{self.url}{path}", timeout=TIMEOUT, **kwargs)
        except requests.RequestException as error:
            raise LabelerError(
                "Label Studio must answer.",
                f"{type(error).__name__} from {self.url}.",
                "start it, or correct labeler.url; what is in the queue stays there, clear the task then.",
            ) from error

    def _authorization(self) -> str:
        if not self._personal:
            return f"Token {self._token}"
        answer = self._reach("POST", "/api/token/refresh", json={"refresh": self._token})
        if not answer.ok:
            raise self._refused("POST", "/api/token/refresh", answer)
        return f"Bearer {answer.json()['access']}"

    def _refused(self, method: str, path: str, answer: requests.Response) -> LabelerError:
        try:
            said = str(answer.json().get("detail") or answer.json())
        except ValueError:
            said = answer.text
        remedy = "look at Label Studio's log."
        if answer.status_code in (401, 403):
            remedy = (
                "make a personal access token in Label Studio under Account & Settings, and put it into the variable "
                "named by labeler.token_env."
            )
        got = f"{answer.status_code} to {method} {path.partition('?')[0]}: {said[:300]}."
        return LabelerError("Label Studio must accept what it is asked.", got, remedy)

    def pages(self, path: str, params: Mapping[str, Any], name: str) -> Iterator[dict[str, Any]]:
        """Every item of a list that comes in pages; asking for a page after the last one is answered with 404."""
        page = 1
        while True:
            asked = {**params, "page": page, "page_size": PAGE}
            found = self.call("GET", path, ok=(200, 404), params=asked)
            items = found[name] if found else []
            yield from items
            if len(items) < PAGE:
                return
            page += 1

    def tasks(self, project: int, since: str | None = None) -> Iterator[dict[str, Any]]:
        """Tasks with their annotations, oldest change first; since: changed at or after this instant."""
        query: dict[str, Any] = {"ordering": ["tasks:updated_at"]}
        if since is not None:
            item = {"filter": "filter:tasks:updated_at", "operator": "greater_or_equal", "type": "Datetime"}
            query["filters"] = {"conjunction": "and", "items": [{**item, "value": since}]}
        params = {"project": project, "fields": "all", "query": json.dumps(query)}
        yield from self.pages("/api/tasks", params, "tasks")

    def push(self, project: int, tasks: Sequence[dict[str, Any]]) -> None:
        """Import tasks."""
        for start in range(0, len(tasks), IMPORTED):
            self.call("POST", f"/api/projects/{project}/import", json=list(tasks[start : start + IMPORTED]))

    def people(self) -> dict[int, str]:
        """User id -> e-mail address."""
        found = self.call("GET", "/api/users")
        users = found["results"] if isinstance(found, dict) else found
        return {int(user["id"]): str(user.get("email") or user.get("username") or user["id"]) for user in users}
