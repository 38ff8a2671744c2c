"""A deployment for the pages' tests: real log, cells, ledger and champions of `loans`, full of hostile text; no model
and no MLflow, which no page needs."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from fastapi import FastAPI
from flow_loans import APP, POLICY, applications, day, days, labels
from starlette.testclient import TestClient

from continual.core.canonical import digest
from continual.core.estimate import Comparison, Estimate
from continual.core.slices import resolve
from continual.core.verdict import (
    Answer,
    BehaviourEvidence,
    GateEvidence,
    MetricEvidence,
    SliceClass,
    SliceEvidence,
    SliceFinding,
    Spending,
    Verdict,
)
from continual.flows import cells, settle
from continual.flows.log_rows import log_table
from continual.flows.workspace import Workspace
from continual.settings import Settings
from continual.stores.batches import Batch, QuarantineItem
from continual.stores.definitions import SliceDefinition
from continual.stores.evaluations import Evaluation
from continual.stores.versions import ModelVersion
from continual.ui.pages import Pages, router, rows_router, static_file
from continual.ui.site import Site

#: Text of an attacker: in a value, a reason, an owner. Quotes of both kinds, tags, handlers, template syntax.
HOSTILE = "\"'><script>alert(1)</script><img src=x onerror=alert(2)>{{ 7*7 }}javascript:alert(3)</title>"
BASE = f"/continual/apps/{APP}"
HOSTILE_POLICY = POLICY.replace("owner: credit-risk\nactive", f"owner: {json.dumps(HOSTILE)}\nactive").replace(
    "application: loans\n", f"application: loans\ndescription: {json.dumps(HOSTILE)}\n"
)
AS_OF = day(16)


def settings_of(home: Path, policy: str = POLICY) -> Settings:
    """An empty deployment with one policy."""
    configs = home / "configs"
    configs.mkdir(parents=True, exist_ok=True)
    (configs / f"{APP}.yaml").write_text(policy)
    return Settings.from_environment({"CONTINUAL_HOME": str(home), "CONTINUAL_CONFIGS": str(configs)})


def client(settings: Settings) -> TestClient:
    """A browser whose user may see everything."""
    pages = Pages(Site(settings), lambda _, names: list(names))
    inner = FastAPI()
    inner.include_router(router(pages))
    inner.include_router(rows_router(pages))
    inner.add_api_route("/static/{name}", static_file)
    outer = FastAPI()
    outer.mount("/continual", inner)
    return TestClient(outer)


def fill(settings: Settings) -> Workspace:
    """Twelve days of rows; version 2 took over from 1 on day 8, 3 was rejected on day 14; alarms and data faults."""
    ws = Workspace.open(APP, settings=settings)
    _rows(ws)
    for version, state in (("1", "candidate"), ("2", "candidate"), ("3", "candidate")):
        ws.versions.register(ModelVersion(version, state=state))
    ws.champions.append("1", "bootstrap", day(0), "promote:1")
    ws.champions.append("2", "promote", day(8), "promote:2")
    cells.refresh(ws, days(0, 16), AS_OF)
    _decisions(ws)
    ws.batches.record(Batch("predictions", HOSTILE, "h", "quarantined", 0, 7, AS_OF, reason=HOSTILE))
    ws.batches.set_aside([QuarantineItem("q1", "b1", "predictions", 7, HOSTILE, HOSTILE, AS_OF)])
    return ws


def _rows(ws: Workspace) -> None:
    rows, truth = [], []
    for number in range(12):
        frame = applications(number).drop(columns=["value", "known_at"])
        hostile = np.arange(len(frame)) % 3 == 0
        frame["region"] = frame["region"].where(~hostile, HOSTILE)
        score = 1 / (1 + np.exp(-frame["income"].to_numpy()))
        frame = frame.assign(model_version="1" if number < 8 else "2", prediction=score)
        rows.append(log_table(ws.policy, "predictions", frame, f"p{number}", day(number + 1)))
        truth.append(log_table(ws.policy, "labels", labels(number), f"l{number}", day(number + 2)))
    ws.log.append_predictions(pa.concat_tables(rows), "p")
    ws.log.append_labels(pa.concat_tables(truth), "l")


def _decisions(ws: Workspace) -> None:
    frame = ws.log.read_labelled(days(0, 12), AS_OF)
    slices = resolve(ws.policy.slices, frame)
    ws.definitions.record_slices([SliceDefinition(**s.as_dict()) for s in slices], digest(HOSTILE)[:16], AS_OF)
    names = [s.name for s in slices]
    gate = _gate(names)
    say(ws, "champion", "promote:1", 0, f"promote version 1: {HOSTILE}", {"target": "1"})
    say(ws, "champion", "promote:2", 8, f"promote version 2: {HOSTILE}", {"target": "2"})
    say(ws, "diagnosis", "diagnosis:1", 9, f"data -> quarantine: {HOSTILE}", {"diagnosis": {"reason": HOSTILE}})
    say(ws, "alarm", "alarm:9:9", 9, f"alarm {HOSTILE}", {"reading": [{"slice": HOSTILE}]})
    evaluation = say(ws, "evaluation", "evaluation:3", 14, "measured", {"gate": gate.as_dict(), "slices": []})
    record = {"candidate": "3", "champion": "2", "evaluation": {"key": evaluation.key, "hash": evaluation.hash}}
    say(ws, "verdict", "verdict:evaluation:3", 14, HOSTILE, {**record, "verdict": _verdict(names).as_dict()})
    say(ws, "trigger", "trigger:1", 14, f"no retrain: {HOSTILE}", _trigger())
    found = Estimate(0.7, 0.6, 0.8, 900, 800, HOSTILE)
    ws.evaluations.write(
        [
            *(Evaluation("gate", days(8, 12), day(14), "3", n, "roc_auc", found, "evaluation:3") for n in names),
            Evaluation(settle.PURPOSE, days(5, 12), AS_OF, "live", "overall", "roc_auc", found),
        ]
    )


def _trigger() -> dict[str, Any]:
    told = {"gain": 12.0, "low": 4.0, "high": 20.0, "cost": 5.0, "horizon": 21.0, "measured": 9}
    return {"retrain": False, "forecast": told, HOSTILE: [HOSTILE, {"a": HOSTILE}]}


def say(ws: Workspace, kind: str, key: str, number: float, reason: str, evidence: dict[str, Any]) -> Any:
    return ws.ledger.append(kind, key, day(number), reason, evidence, ws.loaded.hash, f"{APP}.retrain run-1 {kind}")


def _gate(names: list[str]) -> GateEvidence:
    one = Estimate(0.7, 0.6, 0.8, 900, 800, HOSTILE)
    pair = Comparison(-0.01, 0.005, -0.02, 0.0, 0.4, 800, HOSTILE)
    slices = tuple(
        SliceEvidence(n, "critical", None, (MetricEvidence("roc_auc", "primary", one, one, pair),)) for n in names
    )
    test = BehaviourEvidence(HOSTILE, "invariance", 0.4, 0.1, 10, HOSTILE)
    return GateEvidence(
        "3", "2", slices, tuple(names), days(8, 12).as_dict(), day(14).isoformat(), behaviours=(test,)
    )  # fmt: skip


def _verdict(names: list[str]) -> Verdict:
    found = tuple(
        SliceFinding(
            name, "roc_auc", SliceClass.HARM if i % 2 else SliceClass.PROVEN, -0.01, -0.02, -0.001, 0.4, 1.0, 800,
            0.03, 500, HOSTILE, HOSTILE if i == 1 else None,
        )
        for i, name in enumerate(names)
    )  # fmt: skip
    return Verdict(Answer.REJECT, HOSTILE, (names[1],), {}, found, Spending(0.05, 0.01, 0.02, 3, 1.5))


class Read(HTMLParser):
    """A page as a browser reads it: tags, attributes, text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += f" {data}"

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]

    def dangers(self) -> list[str]:
        """What an attacker would have got in."""
        found = [
            f"{tag} {name}" for tag, every in self.tags for name in every if name.startswith("on") or name == "style"
        ]
        found += [f"{tag} {every}" for tag, every in self.tags if tag in ("img", "iframe", "object", "base", "style")]
        scripts = [s.get("src") for s in self.of("script")]
        found += [f"script {scripts}"] if scripts != ["/continual/static/pages.js"] else []
        for _, every in self.tags:
            for name in ("href", "src", "action"):
                address = every.get(name) or "/"
                if not address.startswith(("/", "#", "http://127.0.0.1:5000/")):
                    found.append(f"{name} {address}")
        return found
