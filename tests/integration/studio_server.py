"""A real Label Studio server from its package, in an environment of its own (`make label-studio`)."""

from __future__ import annotations

import os
import re
import subprocess
import time
from pathlib import Path

import requests
from flow_server import free_port

REPOSITORY = Path(__file__).parents[2]
PROGRAM = Path(os.environ.get("CONTINUAL_LABEL_STUDIO", REPOSITORY / "var" / "label-studio" / "bin" / "label-studio"))
USER, PASSWORD = "anna@example.com", "correct-horse-42"
QUIET = {
    "COLLECT_ANALYTICS": "false",
    "LATEST_VERSION_CHECK": "false",
    "SENTRY_DSN": "",
    "FRONTEND_SENTRY_DSN": "",
    # a webhook on this machine is what Label Studio guards against, and what this test needs
    "SSRF_PROTECTION_ENABLED": "false",
}


class StudioServer:
    """One user, one personal access token; stop it."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.port = folder, free_port()
        environment = {**os.environ, **QUIET, "HOME": str(folder)}
        command = [str(PROGRAM), "start", "--no-browser", "--data-dir", str(folder / "data")]
        command += ["--port", str(self.port), "--internal-host", "127.0.0.1"]
        command += ["--username", USER, "--password", PASSWORD]
        with (folder / "server.log").open("wb") as output:
            self.process = subprocess.Popen(command, stdout=output, stderr=output, env=environment)
        self.url = f"http://127.0.0.1:{self.port}"
        self._until_it_answers()
        self.session = self._login()
        self.token = str(self.session.post(f"{self.url}/api/token/", json={}).json()["token"])

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(timeout=30)

    def _until_it_answers(self) -> None:
        deadline = time.monotonic() + 600
        while True:
            assert self.process.poll() is None and time.monotonic() < deadline, self.log()[-3000:]
            try:
                if requests.get(f"{self.url}/health", timeout=5).ok:
                    return
            except requests.RequestException:
                pass
            time.sleep(1)

    def log(self) -> str:
        return (self.folder / "server.log").read_text(errors="replace")

    def _login(self) -> requests.Session:
        """As a person in a browser: the first token cannot be made otherwise."""
        session = requests.Session()
        page = session.get(f"{self.url}/user/login/").text
        found = re.search(r'csrfmiddlewaretoken" value="([^"]+)"', page)
        token = found.group(1) if found else session.cookies["csrftoken"]
        form = {"email": USER, "password": PASSWORD, "csrfmiddlewaretoken": token}
        session.post(f"{self.url}/user/login/", data=form, headers={"Referer": self.url}).raise_for_status()
        session.headers.update({"X-CSRFToken": session.cookies["csrftoken"], "Referer": self.url})
        return session

    # --- what an annotator does in the browser ---

    def tasks(self, project: int) -> list[dict[str, object]]:
        asked = {"project": project, "fields": "all", "page_size": 500}
        found = self.session.get(f"{self.url}/api/tasks", params=asked)
        return list(found.json()["tasks"])

    def annotate(self, task: int, choice: str | None) -> None:
        """None: skip."""
        value = {"from_name": "label", "to_name": "row", "type": "choices", "value": {"choices": [choice]}}
        body = {"result": [], "was_cancelled": True} if choice is None else {"result": [value]}
        self.session.post(f"{self.url}/api/tasks/{task}/annotations/", json=body).raise_for_status()

    def change(self, annotation: int, choice: str) -> None:
        value = {"from_name": "label", "to_name": "row", "type": "choices", "value": {"choices": [choice]}}
        self.session.patch(f"{self.url}/api/annotations/{annotation}/", json={"result": [value]}).raise_for_status()
