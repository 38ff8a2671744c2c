"""Bodies of the API as the policy makes them, for openapi.json: clients and their tools see every feature."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from continual.serving.rows import RowRules

_KINDS = {"number": ["number", "null"], "text": ["string", "null"]}


def predict_body(rules: RowRules) -> dict[str, Any]:
    columns: dict[str, Any] = {
        name: {"type": _KINDS.get(rules.kinds.get(name, ""), ["number", "string", "null"])}
        for name in sorted(rules.allowed)
    }
    columns["record_key"] = {"type": "string", "maxLength": 256, "description": "The key its label will come under."}
    columns["event_time"] = {"type": "string", "format": "date-time", "description": "Default: now."}
    row = {
        "type": "object",
        "properties": columns,
        "required": list(rules.required),
        "additionalProperties": False,
    }
    return _body({"rows": {"type": "array", "items": row, "minItems": 1}}, ["rows"])


def _body(properties: dict[str, Any], required: list[str]) -> dict[str, Any]:
    schema = {"type": "object", "properties": properties, "required": required}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


_LABEL = {
    "type": "object",
    "properties": {
        "record_key": {"type": "string", "maxLength": 256},
        "value": {"type": "number", "description": "0 or 1, the index of a class, or the number itself."},
        "source": {"type": "string", "description": "Who says so; default: feedback."},
        "known_at": {"type": "string", "format": "date-time", "description": "Default: now."},
    },
    "required": ["record_key", "value"],
    "additionalProperties": False,
}
FEEDBACK = _body({"labels": {"type": "array", "items": _LABEL, "minItems": 1}}, ["labels"])
