"""Expectations as they stand in the policy; read without importing Great Expectations."""

from __future__ import annotations

import re
from datetime import date
from typing import Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    TypeAdapter,
    model_serializer,
    model_validator,
)
from pydantic_core import CoreSchema

Severity = Literal["batch", "row"]

#: Expectations that judge every row on its own, so that single rows can be set aside.
ROW_PREFIXES = (
    "expect_column_values_",
    "expect_column_value_lengths_",
    "expect_column_value_z_scores_",
    "expect_column_pair_values_",
    "expect_multicolumn_",
    "expect_compound_columns_",
    "expect_select_column_values_",
)
#: Arguments that belong to the machinery around an expectation, not to its meaning.
RESERVED = frozenset({"batch_id", "catch_exceptions", "id", "meta", "rendered_content", "result_format", "windows"})
_NAME = re.compile(r"^expect_[a-z0-9_]+$")
_SCHEMA = {
    "type": "object",
    "title": "expectation",
    "description": "One Great Expectations expectation with its arguments; severity row sets single rows aside.",
    "properties": {"severity": {"enum": ["batch", "row"], "default": "batch"}},
    "patternProperties": {r"^expect_[a-z0-9_]+$": {"type": ["object", "null"]}},
    "additionalProperties": False,
    "minProperties": 1,
    "maxProperties": 2,
}


class ExpectationSpec(BaseModel):
    """One expectation: `expect_column_values_to_not_be_null: {column: temp, mostly: 0.95}`.

    severity (written beside the expectation's name): `batch` = a failure fails the whole batch; `row` = the rows
    that fail are set aside and the others pass. A row expectation with `mostly` fails the batch as well when more
    rows fail than `mostly` allows; without it only the suite's `max_quarantined_share` bounds them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    arguments: dict[str, Any] = {}
    severity: Severity = "batch"

    @model_validator(mode="before")
    @classmethod
    def _unwrap(cls, value: Any) -> Any:
        if not isinstance(value, dict) or "name" in value:
            return value
        names = [key for key in value if key != "severity"]
        if len(names) != 1 or not _NAME.match(str(names[0])):
            raise ValueError(f"must be one 'expect_...: {{arguments}}' and optionally 'severity', got {sorted(value)}")
        arguments = value[names[0]] or {}
        if not isinstance(arguments, dict):
            raise ValueError(f"the arguments of {names[0]} must be a mapping, got {arguments!r}")
        return {"name": names[0], "arguments": _json_values(arguments), **_only_severity(value)}

    @model_validator(mode="after")
    def _allowed(self) -> ExpectationSpec:
        if "severity" in self.arguments:
            raise ValueError(f"write 'severity' beside {self.name}, not among its arguments")
        reserved = sorted(RESERVED & set(self.arguments))
        if reserved:
            raise ValueError(f"{self.name}: {', '.join(reserved)} cannot be set in a policy; remove it")
        if self.severity == "row" and not self.name.startswith(ROW_PREFIXES):
            raise ValueError(f"{self.name} judges the batch as a whole; severity must be 'batch'")
        return self

    @model_serializer
    def _wrap(self) -> dict[str, Any]:
        return {self.name: self.arguments, "severity": self.severity}

    @property
    def columns(self) -> list[str]:
        """Columns the expectation reads, in the order of its arguments."""
        single = [self.arguments[k] for k in ("column", "column_A", "column_B") if k in self.arguments]
        return [*single, *self.arguments.get("column_list", [])]

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return _SCHEMA


_CHECKS = TypeAdapter(tuple[ExpectationSpec, ...])


class ExpectationSuiteSpec(BaseModel):
    """The expectations of one stream: a list, or a mapping when the share of rows set aside is configured."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    checks: tuple[ExpectationSpec, ...] = ()
    max_quarantined_share: float = Field(
        0.1, ge=0, le=1, description="A larger share of rows that fail a row check fails the whole batch."
    )

    @model_validator(mode="before")
    @classmethod
    def _from_list(cls, value: Any) -> Any:
        # validated here, so that an error is located at the list's own index in the file
        return {"checks": _CHECKS.validate_python(value)} if isinstance(value, list) else value

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        mapping = handler.resolve_ref_schema(handler(schema))
        return {"title": cls.__name__, "anyOf": [{"type": "array", "items": _SCHEMA}, mapping]}


def _only_severity(value: dict[str, Any]) -> dict[str, Any]:
    return {"severity": value["severity"]} if "severity" in value else {}


def _json_values(value: Any) -> Any:
    """YAML reads 2013-01-01 as a date; expectations take and reports print ISO text."""
    if isinstance(value, dict):
        return {str(k): _json_values(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_json_values(v) for v in value]
    return value.isoformat() if isinstance(value, date) else value
