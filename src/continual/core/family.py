"""Strategy families: one file, one class = schema + behaviour + documentation.

A family is a package (`continual.metrics`, `continual.samplers`, ...). The file name is the `kind`; the file
holds one subclass of the family's base, a frozen pydantic model whose fields are the parameters in the policy.
Modules are imported when their kind is first used, so that parsing a DAG file stays cheap. Third parties add
kinds through entry points of the group with the package's name; a policy may also name a class that is just
importable, `kind: package.module:Class`.
"""

from __future__ import annotations

import difflib
import importlib
import pkgutil
import re
from functools import cached_property
from importlib.metadata import entry_points
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import PydanticCustomError, core_schema

from continual.errors import DuplicateKind, UnknownKind

#: A kind that is an import path.
IMPORT_PATH = r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*$"


class Strategy(BaseModel):
    """Base of every strategy: frozen parameters, unknown fields refused.

    kind: built-in strategies and those of entry points declare `kind: Literal["name"] = "name"`. One that policies
    name by import path declares `kind: str` (without a default), since the path is the kind then.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    kind: str

    #: The family this class belongs to; set by the family's base class.
    family: ClassVar[Family]

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        out = handler.resolve_ref_schema(handler(schema))
        out["required"] = sorted({"kind", *out.get("required", [])})  # has a default in Python, none in the policy
        return out


class Family:
    """All strategies of one package, found by file name and entry point."""

    def __init__(self, noun: str, package: str) -> None:
        self.noun, self.package = noun, package
        self.describing = False  # while a JSON Schema of the family is being made

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
        """The class of `kind`: a name, or the import path `package.module:Class`.

        Raises
        ------
        UnknownKind: with the nearest existing kind as a suggestion; or its module or entry point is broken, or the
        class at the import path is none of this family or does not declare `kind: str`.
        DuplicateKind: two strategies claim one kind.
        """
        path = kind if re.fullmatch(IMPORT_PATH, kind) else self._locations.get(kind)
        if path is None:
            near = difflib.get_close_matches(kind, self.kinds, n=1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise UnknownKind(
                f"kind must name a {self.noun}.",
                f"{kind!r}.",
                f"{hint}Known kinds: {', '.join(self.kinds)}.",
            )
        module_name, _, attribute = path.partition(":")
        try:
            module = importlib.import_module(module_name)
            if not attribute:
                return self._only_strategy(kind, module)
            found = self._member(getattr(module, attribute))
            return _accepts_any_kind(found) if path == kind else found
        except UnknownKind:
            raise
        except Exception as error:  # whatever a plugin raises on import must not stop other applications
            raise UnknownKind(
                f"A {self.noun} must be importable.",
                f"{kind!r} ({path}): {error}.",
                "install the package that holds it, or correct the path."
                if path == kind
                else "repair or uninstall it.",
            ) from error

    def _member(self, found: Any) -> type[Strategy]:
        if not (isinstance(found, type) and issubclass(found, Strategy) and getattr(found, "family", None) is self):
            raise TypeError(f"{found!r} is no {self.noun}")
        return found

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
        """A strategy from its mapping in the policy (`{kind: ..., parameter: ...}`); errors are pydantic's."""
        if isinstance(value, Strategy):
            return value
        if not isinstance(value, dict) or "kind" not in value:
            raise PydanticCustomError(
                "strategy", "must be a mapping with a 'kind', one of: {kinds}", {"kinds": ", ".join(self.kinds)}
            )
        try:
            cls = self.get(str(value["kind"]))
        except (UnknownKind, DuplicateKind) as error:
            raise PydanticCustomError("kind", "{text}", {"text": str(error)}) from error
        if missing := sorted(getattr(cls, "__abstractmethods__", ())):
            text = f"{self.noun} {value['kind']!r} is not finished: its class {cls.__name__} lacks {', '.join(missing)}"
            raise PydanticCustomError("kind", "{text}", {"text": text})
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
        schemas = [self.family.get(kind).__pydantic_core_schema__ for kind in self.family.kinds]
        if self.family.describing:  # any_of holds triggers: they are being described already, refer to them
            inner = handler(core_schema.union_schema([_reference(schema) for schema in schemas]))
            return {"anyOf": [*inner.get("anyOf", [inner]), _IMPORTED]}
        self.family.describing = True
        try:
            found = handler(core_schema.union_schema(list(schemas)))
            return {"anyOf": [*found.get("anyOf", [found]), _IMPORTED], "title": self.family.noun}
        finally:
            self.family.describing = False


#: JSON Schema of a strategy named by its import path: its parameters are known when it is imported.
_IMPORTED = {
    "type": "object",
    "title": "package.module:Class",
    "description": "A strategy of your own, by its import path.",
    "properties": {"kind": {"type": "string", "pattern": IMPORT_PATH, "description": "package.module:Class"}},
    "required": ["kind"],
}


def _accepts_any_kind(found: type[Strategy]) -> type[Strategy]:
    if found.model_fields["kind"].annotation is not str:
        raise TypeError(f"{found.__name__} must declare `kind: str` to be named by its import path")
    return found


def _reference(schema: Any) -> core_schema.CoreSchema:
    model = schema["schema"] if schema["type"] == "definitions" else schema
    return core_schema.definition_reference_schema(model.get("ref") or model["schema_ref"])


def _dump(value: Strategy) -> dict[str, Any]:
    return value.model_dump(mode="json")
