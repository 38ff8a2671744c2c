"""Load a policy file; every problem names file, line, field, value and remedy."""

from __future__ import annotations

import difflib
import json
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

from pydantic import ValidationError

from continual.core.canonical import digest
from continual.errors import PolicyError
from continual.policy.consistency import problems
from continual.policy.document import Document, Path, read_document
from continual.policy.fields import field_names
from continual.policy.models import Policy


@dataclass(frozen=True)
class LoadedPolicy:
    """A valid policy, its exact text, and the hash of its meaning (comments do not change it)."""

    policy: Policy
    text: str
    hash: str
    path: str


def load_policy(path: FilePath) -> LoadedPolicy:
    """Read and validate `path`.

    Raises
    ------
    PolicyError: unreadable file or any invalid field.
    """
    must = "A policy file must be readable UTF-8 text."
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise PolicyError(must, f"{path}: {error}.", "check the path and its permissions.") from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise PolicyError(must, f"{path}, line {line}: {error.reason}.", "save the file as UTF-8.") from error
    return parse_policy(text, str(path))


def parse_policy(text: str, name: str, any_name: bool = False) -> LoadedPolicy:
    """Validate policy text. name: path of the file, stands in messages. any_name: a draft may be called anything.

    Raises
    ------
    PolicyError: any invalid field.
    """
    document = read_document(text, name)
    try:
        policy = Policy.model_validate(document.data)
    except ValidationError as error:
        raise _policy_error(error, document, name) from error
    _check_between_fields(policy, document, name)
    if not any_name:
        _check_file_name(policy, document, name)
    return LoadedPolicy(policy, text, digest(policy.model_dump(mode="json"))[:16], name)


def _check_between_fields(policy: Policy, document: Document, name: str) -> None:
    found = [f"{_place(path, document, name)}: {text}" for path, text in problems(policy)]
    if found:
        raise PolicyError("The fields of a policy must fit together.", " | ".join(found), "correct the fields named.")


def _check_file_name(policy: Policy, document: Document, name: str) -> None:
    stem = FilePath(name).stem
    if stem != policy.application:
        raise PolicyError(
            "The file must be named after its application.",
            f"{_place(('application',), document, name)}.",
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
    message = "unknown field" if problem["type"] == "extra_forbidden" else problem["msg"].removeprefix("Value error, ")
    return f"{_place(path, document, name)}: {message}", _remedy(problem, _dotted(path), document, path)


def _place(path: Path, document: Document, name: str) -> str:
    known, line = document.locate(path)
    value = f" = {_shown(document.value_at(path))}" if known == path else ""
    return f"{name}, line {line}, field {_dotted(path)}{value}"


def _shown(value: Any) -> str:
    text = json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _remedy(problem: Any, field: str, document: Document, path: Path) -> str:
    if problem["type"] == "missing":
        return f"add the field {field}"
    if problem["type"] == "extra_forbidden":
        near = difflib.get_close_matches(str(path[-1]), field_names(path[:-1], document), n=1)
        return f"remove or rename {field}" + (f"; did you mean {near[0]!r}?" if near else "")
    return f"correct {field} (see docs/reference/policy.schema.json)"


def _dotted(path: Path) -> str:
    return ".".join(map(str, path)) or "(whole file)"
