"""Load a policy file; every problem names file, line, field, value and remedy."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from continual.core.canonical import digest
from continual.errors import PolicyError
from continual.policy.consistency import problems
from continual.policy.document import Document, read_document
from continual.gates.base import GATES
from continual.labelers.base import LABELERS
from continual.metrics.base import METRICS
from continual.monitors.base import MONITORS
from continual.policy.models import Policy
from continual.samplers.base import SAMPLERS
from continual.sources.base import SOURCES
from continual.triggers.base import TRIGGERS


@dataclass(frozen=True)
class LoadedPolicy:
    """A valid policy, its exact text, and the hash of its meaning (comments do not change it)."""

    policy: Policy
    text: str
    hash: str
    path: str


def load_policy(path: Path) -> LoadedPolicy:
    """Read and validate `path`.

    Raises
    ------
    PolicyError: unreadable file or any invalid field.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PolicyError(
            "A policy file must be readable UTF-8 text.", f"{path}: {error}.", "check the path and its permissions."
        ) from error
    return parse_policy(text, str(path))


def parse_policy(text: str, name: str) -> LoadedPolicy:
    """Validate policy text; `name` stands in messages."""
    document = read_document(text, name)
    try:
        policy = Policy.model_validate(document.data)
    except ValidationError as error:
        raise _policy_error(error, document, name) from error
    _check_between_fields(policy, document, name)
    _check_file_name(policy, name)
    return LoadedPolicy(policy, text, digest(policy.model_dump(mode="json"))[:16], name)


def _check_between_fields(policy: Policy, document: Document, name: str) -> None:
    found = [f"{name}, line {document.locate(path)[1]}, field {_dotted(path)}: {text}" for path, text in problems(policy)]
    if found:
        raise PolicyError("The fields of a policy must fit together.", " | ".join(found), "correct the fields named.")


def _check_file_name(policy: Policy, name: str) -> None:
    stem = Path(name).stem
    if stem != policy.application:
        raise PolicyError(
            "The file must be named after its application.",
            f"{name}, field application: {policy.application!r}.",
            f"rename the file to {policy.application}.yaml or set application: {stem}.",
        )


def _policy_error(error: ValidationError, document: Document, name: str) -> PolicyError:
    lines = [_describe(problem, document, name) for problem in error.errors()]
    return PolicyError(
        "Every field of a policy must be valid.",
        " | ".join(problem for problem, _ in lines),
        " | ".join(dict.fromkeys(remedy for _, remedy in lines)),
    )


def _describe(problem: Any, document: Document, name: str) -> tuple[str, str]:
    path = (*problem["loc"], *(("kind",) if problem["type"] == "kind" else ()))
    known, line = document.locate(path)
    field = _dotted(path)
    value = document.value_at(known) if known == path else None
    shown = f" = {value!r}" if isinstance(value, (str, int, float, bool)) else ""
    message = "unknown field" if problem["type"] == "extra_forbidden" else problem["msg"].removeprefix("Value error, ")
    return f"{name}, line {line}, field {field}{shown}: {message}", _remedy(problem, field, document, path)


def _remedy(problem: Any, field: str, document: Document, path: tuple[Any, ...]) -> str:
    if problem["type"] == "missing":
        return f"add the field {field}"
    if problem["type"] == "extra_forbidden":
        return _spelling(path, document)
    return f"correct {field} (see docs/reference/policy.schema.json)"


def _dotted(path: tuple[Any, ...]) -> str:
    return ".".join(map(str, path)) or "(whole file)"


def _spelling(path: tuple[Any, ...], document: Document) -> str:
    known = [*_field_names(Policy.model_fields), *_strategy_fields(document.value_at(path[:-1]))]
    near = difflib.get_close_matches(str(path[-1]), known, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return f"remove or rename {'.'.join(map(str, path))}{hint}"


def _strategy_fields(value: Any) -> list[str]:
    """Fields of the strategy written there; its kind alone does not say the family, so every family is asked."""
    kind = value.get("kind") if isinstance(value, dict) else None
    families = (METRICS, SAMPLERS, TRIGGERS, GATES, MONITORS, SOURCES, LABELERS)
    return [name for f in families if kind in f.kinds for name in f.get(str(kind)).model_fields]


def _field_names(fields: dict[str, Any]) -> list[str]:
    names = []
    for name, info in fields.items():
        names.append(name)
        nested = getattr(info.annotation, "model_fields", None)
        if nested:
            names.extend(_field_names(nested))
    return names
