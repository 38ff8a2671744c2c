"""The policies that are to be compared: whole policy files, or only what differs from the policy in force."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from continual.errors import PolicyError
from continual.policy.document import read_document
from continual.policy.load import LoadedPolicy, parse_policy

CURRENT = "current"


@dataclass(frozen=True)
class Contender:
    """name: of its file, unique among those compared."""

    name: str
    loaded: LoadedPolicy


#: Files, or names with the fields that differ.
Policies = Sequence[Path] | Mapping[str, dict[str, Any]]


def contenders(base: LoadedPolicy, policies: Policies, with_current: bool = True) -> list[Contender]:
    """The policy in force first, then the others.

    Raises
    ------
    PolicyError: a file is no policy, is one of another application, or has the name of another.
    """
    own = [Contender(CURRENT, base)] if with_current else []
    if isinstance(policies, Mapping):
        others = [Contender(name, patched(base, changes, f"policy {name}")) for name, changes in policies.items()]
    else:
        others = [Contender(file.stem, read_contender(base, file)) for file in policies]
    found = [*own, *others]
    names = [one.name for one in found]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice or not found:
        raise PolicyError(
            "Every policy to compare must have its own file name, and there must be one.",
            f"twice: {', '.join(twice)}." if twice else "none.",
            "rename the files; the policy in force is called 'current'.",
        )
    return found


def read_contender(base: LoadedPolicy, file: Path) -> LoadedPolicy:
    """A whole policy, or a patch: a file without `application` holds only the fields that differ.

    Raises
    ------
    PolicyError: see `contenders`.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PolicyError(
            "A policy file must be readable UTF-8 text.", f"{file}: {error}.", "check the path."
        ) from error
    document = read_document(text, str(file))
    if "application" not in document.data:
        return patched(base, document.data, str(file))
    loaded = parse_policy(text, str(file), any_name=True)
    if loaded.policy.application != base.policy.application:
        raise PolicyError(
            f"Policies to compare must be of one application, {base.policy.application}.",
            f"{file} is of {loaded.policy.application}.",
            "replay each application by itself.",
        )
    return loaded


def patched(base: LoadedPolicy, changes: dict[str, Any], name: str) -> LoadedPolicy:
    """`base` with some fields replaced; a section is merged field by field, unless it names a strategy
    of another `kind`.

    Raises
    ------
    PolicyError: the result is no policy.
    """
    import yaml

    data = read_document(base.text, base.path).data
    return parse_policy(yaml.safe_dump(_merged(data, changes), sort_keys=False), name, any_name=True)


def _merged(old: Any, new: Any, path: tuple[str, ...] = ()) -> Any:
    """A strategy of another kind has other fields; a window of another kind has the same."""
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return new
    if path != ("window",) and "kind" in new and new["kind"] != old.get("kind"):
        return new
    return {**old, **{name: _merged(old.get(name), value, (*path, name)) for name, value in new.items()}}
