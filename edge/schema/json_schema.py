"""JSON Schema generator (2020-12): schemas of all messages and files, from the msgspec types and their docstrings."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import inspect as types

from edge.config.field_docs import field_docs, without_markup
from edge.config.settings import Settings
from edge.schema import asyncapi, examples, manifest_examples

if TYPE_CHECKING:
    from pathlib import Path

BOUNDS = {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"}
DIALECT = "https://json-schema.org/draft/2020-12/schema"


@dataclass(frozen=True, slots=True)
class DocumentedType:
    """Message type that has a schema file, with an example message of it."""

    name: str
    """Of the file, without ``.json``."""
    example: msgspec.Struct

    @property
    def type(self) -> type[msgspec.Struct]:
        """Type that the schema is generated from."""
        return type(self.example)


DOCUMENTED = [
    DocumentedType("finding", examples.finding()),
    DocumentedType("labels", examples.labels()),
    DocumentedType("feedback", examples.feedback()),
    DocumentedType("coverage", examples.coverage()),
    DocumentedType("state", examples.state()),
    DocumentedType("will", examples.will()),
    DocumentedType("health", examples.health()),
    DocumentedType("result", examples.result()),
    DocumentedType("request", examples.request()),
    DocumentedType("response", examples.response()),
    DocumentedType("manifest", manifest_examples.manifest()),
    DocumentedType("manifest-classification", manifest_examples.classification_manifest()),
    DocumentedType("manifest-segmentation", manifest_examples.segmentation_manifest()),
]


def documents() -> dict[str, str]:
    """Generate every schema file: text by name."""
    files = {f"{d.name}.json": as_text(json_schema(d.type, d.example)) for d in DOCUMENTED}
    files["settings.json"] = as_text(settings_schema())
    files["asyncapi.json"] = as_text(asyncapi.document(message_components()))
    return files


def stale(folder: Path) -> list[str]:
    """Names of schema files in ``folder`` that are missing, out of date, or not generated at all."""
    wanted = documents()
    present = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.json")}
    return sorted(name for name in wanted.keys() | present.keys() if wanted.get(name) != present.get(name))


def settings_schema() -> dict[str, Any]:
    """JSON Schema of the configuration file."""
    return json_schema(Settings)


def json_schema(cls: type[msgspec.Struct], example: msgspec.Struct | None = None) -> dict[str, Any]:
    """JSON Schema of ``cls``, self-contained, with ``example`` in it."""
    (top,), components = msgspec.json.schema_components([cls], ref_template="#/$defs/{name}")
    head: dict[str, Any] = {"$schema": DIALECT}
    if example is not None:
        head["examples"] = [msgspec.to_builtins(example)]
    return {**head, **top, "$defs": described(components, cls)}


def message_components() -> dict[str, Any]:
    """JSON Schemas of all MQTT payloads together, as an AsyncAPI document's components."""
    messages = [type(message) for message in asyncapi.EXAMPLES.values()]
    _, components = msgspec.json.schema_components(messages, ref_template="#/components/schemas/{name}")
    return described(components, *messages)


def described(components: dict[str, Any], *roots: type[msgspec.Struct]) -> dict[str, Any]:
    """Schema components with descriptions from the docstrings, sorted by name.

    The property ``schema``, where there is one, is required.
    """
    classes = {cls.__name__: cls for root in roots for cls in _classes_in(types.type_info(root))}
    for name, schema in components.items():
        cls = classes[name]
        schema["description"] = without_markup(cls.__doc__ or "")
        for key, doc in field_docs(cls).items():
            if key in schema.get("properties", {}):
                schema["properties"][key]["description"] = doc
        if "schema" in schema.get("properties", {}):
            schema["required"] = ["schema", *schema["required"]]
    settled: dict[str, Any] = _settle_bounds(dict(sorted(components.items())))
    return settled


def as_text(document: dict[str, Any]) -> str:
    """JSON text of a document as it is committed: two spaces of indent, a line feed at the end."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _settle_bounds(schema: Any) -> Any:
    """``schema`` with whole bounds as integers. Python takes ``Meta(ge=0)`` and ``Meta(ge=0.0)`` for the same and keeps
    the one that is imported first: without this, the text would depend on the order of imports.
    """
    if isinstance(schema, list):
        return [_settle_bounds(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: int(value) if key in BOUNDS and isinstance(value, float) and value.is_integer() else _settle_bounds(value)
        for key, value in schema.items()
    }


def _classes_in(kind: Any) -> set[type[Any]]:
    """Structs and enums that ``kind`` is made of."""
    found: set[type[Any]] = set()
    if isinstance(kind, types.StructType):
        found.add(kind.cls)
        inner: list[Any] = [field.type for field in kind.fields]
    elif isinstance(kind, types.EnumType):
        found.add(kind.cls)
        inner = []
    else:
        names = ("types", "item_types")
        inner = [t for name in names for t in getattr(kind, name, ())]
        inner += [getattr(kind, name) for name in ("item_type", "key_type", "value_type") if hasattr(kind, name)]
    for part in inner:
        found |= _classes_in(part)
    return found
