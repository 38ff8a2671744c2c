"""The policy's JSON Schema: what editors complete and check against."""

from __future__ import annotations

import json

from continual.policy.models import Policy


def policy_schema() -> str:
    """JSON Schema (draft 2020-12) with every installed strategy, as text ending in a newline."""
    schema = Policy.model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    return json.dumps(schema, indent=1, sort_keys=True) + "\n"
