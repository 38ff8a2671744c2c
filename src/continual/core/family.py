"""Strategy families: one file, one class = schema + behaviour + documentation.

A family is a package (`continual.metrics`, `continual.samplers`, ...). The file name is the `kind`; the file
holds one subclass of the family's base, a frozen pydantic model whose fields are the parameters in the policy.
Modules are imported when their kind is first used, so that parsing a DAG file stays cheap. Third parties add
kinds through entry points of the group with the package's name.
"""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from functools import cached_property
from importlib.metadata import entry_points
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import PydanticCustomError, core_schema

from continual.errors import DuplicateKind, UnknownKind


class Strategy(BaseModel):
    """Base of every strategy: frozen parameters, unknown fields refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    kind: str

    #: The family this class belongs to; set by the family's base class.
    family: ClassVar[Family]


class Family:
    """All strategies of one package, found by file name and entry point."""

    def __init__(self, noun: str, package: str) -> None:
        self.noun, self.package = noun, package

    @cached_property
    def _locations(self) -> dict[str, str]:
        """kind -> import path of the module (built in) or object (third party)."""
        root = importlib.import_module(self.package)
        found = {m.name: f"{self.package}.{m.name}" for m in pkgutil.iter_modules(root.__path__)}
        found = {kind: path for kind, path in found.items() if kind != "base" and kind[0] != "_"}
        for point in entry_points(group=self.package):
            if point.name in found:
                raise DuplicateKind(
                    f"Each {self.noun} kind must exist once.",
                    f"kind {point.name!r} in {found[point.name]} and in {point.value}.",
                    "rename or uninstall one of them.",
                )
            found[point.name] = point.value
        return found

    @property
    def kinds(self) -> list[str]:
        return sorted(self._locations)

    def get(self, kind: str) -> type[Strategy]:
        """The class of `kind`.

        Raises
        ------
        UnknownKind: with the nearest existing kind as a suggestion.
        """
        if kind not in self._locations:
            near = difflib.get_close_matches(str(kind), self.kinds, n=1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise UnknownKind(
                f"kind must name a {self.noun}.",
                f"{kind!r}.",
                f"{hint}Known kinds: {', '.join(self.kinds)}.",
            )
        path = self._locations[kind]
        module_name, _, attribute = path.partition(":")
        module = importlib.import_module(module_name)
        if attribute:
            return getattr(module, attribute)  # type: ignore[no-any-return]
        return self._only_strategy(kind, module)

    def _only_strategy(self, kind: str, module: Any) -> type[Strategy]:
        found = [
            obj
            for obj in vars(module).values()
            if isinstance(obj, type)
            and issubclass(obj, Strategy)
            and obj.__module__ == module.__name__
            and getattr(obj, "family", None) is self
        ]
        if len(found) != 1:
            raise UnknownKind(
                f"{module.__name__} must define exactly one {self.noun} class.",
                f"{len(found)}.",
                f"keep one subclass of the {self.noun} base in the file {kind}.py.",
            )
        return found[0]

    def build(self, value: Any) -> Strategy:
        """A strategy from its mapping in the policy (`{kind: ..., parameter: ...}`)."""
        if isinstance(value, Strategy):
            return value
        if not isinstance(value, dict) or "kind" not in value:
            raise PydanticCustomError(
                "strategy", "must be a mapping with a 'kind', one of: {kinds}", {"kinds": ", ".join(self.kinds)}
            )
        try:
            cls = self.get(value["kind"])
        except UnknownKind as error:
            raise PydanticCustomError("kind", "{text}", {"text": str(error)}) from error
        return cls.model_validate(value)


class InFamily:
    """Annotation for a policy field that holds a strategy: `Annotated[Metric, InFamily(METRICS)]`."""

    def __init__(self, family: Family) -> None:
        self.family = family

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(
            self.family.build, serialization=core_schema.plain_serializer_function_ser_schema(_dump)
        )

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        options = []
        for kind in self.family.kinds:
            option = self.family.get(kind).model_json_schema()
            option["properties"]["kind"] = {"const": kind}
            option["required"] = sorted({"kind", *option.get("required", [])})
            options.append(option)
        return {"oneOf": options, "title": self.family.noun}


def _dump(value: Strategy) -> dict[str, Any]:
    return value.model_dump(mode="json")
