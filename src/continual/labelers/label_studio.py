"""Label Studio: rows become tasks of its projects, annotations come back as answers, a webhook says when."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any, Literal

from pydantic import Field

from continual.core.labelling import Answer, Fetched, Task, Use
from continual.core.window import utc
from continual.errors import LabelerError
from continual.labelers import _studio_task
from continual.labelers._studio_api import Studio
from continual.labelers.base import Desk, Labeler, Offered

#: Changes are asked for again this long before the last seen one: transactions end out of order.
OVERLAP = timedelta(minutes=1)
#: The only form of an instant that its filters understand.
INSTANT = "%Y-%m-%dT%H:%M:%S.%fZ"
ACTIONS = ["ANNOTATION_CREATED", "ANNOTATION_UPDATED"]
URL = r"^https?://[^\s]+$"


class LabelStudio(Labeler):
    """One project for each use and number of annotators, so that a project for rows that judge never shows predictions,
    not even those of an ML backend that somebody connects to it."""

    kind: Literal["label_studio"] = "label_studio"
    url: str = Field(pattern=URL, description="Address of the server, such as http://127.0.0.1:8081.")
    token_env: str = Field(
        "LABEL_STUDIO_TOKEN",
        pattern=r"^[A-Z_][A-Z0-9_]*$",
        description="Environment variable that holds a personal access token; the token never stands in this file.",
    )
    webhook: str | None = Field(
        None,
        pattern=URL,
        description="Address of the labelling page's /hooks/label-studio as Label Studio reaches it; empty: answers "
        "are fetched every labelling.poll.",
    )
    secret_env: str = Field(
        "CONTINUAL_WEBHOOK_SECRET",
        pattern=r"^[A-Z_][A-Z0-9_]*$",
        description="Environment variable with what the webhook must say to be believed.",
    )

    def offer(self, desk: Desk, tasks: Sequence[Task]) -> Offered:
        studio, memory = self._studio(), dict(desk.memory)
        groups: dict[str, list[Task]] = {name: [] for name in _projects(memory)}
        for task in tasks:
            groups.setdefault(f"{task.use.value}.{task.needed}", []).append(task)
        pushed = removed = 0
        for name, group in groups.items():
            number = self._project(studio, desk, name, memory)
            added, gone = self._match(studio, desk, number, group)
            pushed, removed = pushed + added, removed + gone
        said = f"{pushed:,} tasks pushed to {self.url}, {len(tasks) - pushed:,} were there"
        return Offered(f"{said}, {removed:,} that nobody needs removed" if removed else said, memory)

    def fetch(self, desk: Desk) -> Fetched:
        projects = _projects(desk.memory)
        if not projects:
            return Fetched()
        studio, memory = self._studio(), {}
        people = studio.people()
        answers: list[Answer] = []
        refused: list[tuple[dict[str, Any], str]] = []
        for name, number in projects.items():
            since = desk.memory.get(f"since.{name}")
            for task in studio.tasks(number, since):
                found, unread = _studio_task.answers_of(task, desk.question, people)
                answers, refused = answers + found, refused + unread
                memory[f"since.{name}"] = f"{utc(task['updated_at']) - OVERLAP:{INSTANT}}"
        return Fetched(tuple(answers), tuple(refused), memory)

    def _studio(self) -> Studio:
        return Studio(self.url, _secret(self.token_env, "labeler.token_env", "a personal access token of Label Studio"))

    def _project(self, studio: Studio, desk: Desk, name: str, memory: dict[str, str]) -> int:
        """Its number: remembered, else found by its title (a run was killed before it could remember), else made."""
        known = memory.get(f"project.{name}")
        if known is not None:
            return int(known)
        use, _, needed = name.partition(".")
        title = f"{desk.app}: {use}" + (f", {needed} people" if needed != "1" else "")
        there = studio.pages("/api/projects", {"title": title}, "results")
        number = next((p["id"] for p in there if p["title"] == title), None) or self._create(
            studio, desk, title, Use(use), int(needed)
        )
        memory[f"project.{name}"] = str(number)
        return int(number)

    def _create(self, studio: Studio, desk: Desk, title: str, use: Use, needed: int) -> int:
        made = {
            "title": title,
            "description": f"Rows of {desk.app} for {use.value}. Made by continual, which finds it by its title.",
            "label_config": _studio_task.config(desk.question),
            "maximum_annotations": needed,
            "show_collab_predictions": use is Use.TRAINING,
            "show_skip_button": True,
        }
        number = int(studio.call("POST", "/api/projects", json=made)["id"])
        if self.webhook is not None:
            secret = _secret(self.secret_env, "labeler.secret_env", "a long random text")
            hook = {"url": f"{self.webhook.rstrip('/')}/{desk.app}", "project": number, "actions": ACTIONS}
            sent = {"send_payload": False, "send_for_all_actions": False}
            headers = {"headers": {"Authorization": f"Bearer {secret}"}}
            studio.call("POST", "/api/webhooks/", json={**hook, **sent, **headers})
        return number

    def _match(self, studio: Studio, desk: Desk, project: int, tasks: Iterable[Task]) -> tuple[int, int]:
        """Tasks pushed, and tasks without an annotation removed that nobody needs any more."""
        wanted = {task.key: task for task in tasks}
        there = list(studio.tasks(project))
        present = {str(task["data"].get(_studio_task.KEY)) for task in there}
        new = [task for key, task in wanted.items() if key not in present]
        studio.push(project, [_studio_task.to_studio(task, desk.question, "champion") for task in new])
        stale = [t for t in there if str(t["data"].get(_studio_task.KEY)) not in wanted and not _touched(t)]
        for task in stale:
            studio.call("DELETE", f"/api/tasks/{task['id']}", ok=(204, 200, 404))
        return len(new), len(stale)


def _touched(task: Any) -> bool:
    return bool(task.get("total_annotations") or task.get("cancelled_annotations") or task.get("drafts"))


def _projects(memory: Any) -> dict[str, int]:
    return {name.removeprefix("project."): int(n) for name, n in memory.items() if name.startswith("project.")}


def _secret(variable: str, field: str, what: str) -> str:
    found = os.environ.get(variable)
    if not found:
        raise LabelerError(
            f"The environment variable {variable} ({field}) must hold {what}.",
            "it is not set.",
            "set it where Airflow's workers and triggerer run, and for commands at the prompt.",
        )
    return found
