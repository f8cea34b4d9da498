"""Validates a tree of plain values against the settings: finds every wrong key, type and value, not only the first."""

from __future__ import annotations

import math
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from typing import TYPE_CHECKING, Any, get_type_hints

import msgspec
from msgspec import inspect as types

from edge.config.descriptions import describe_type, describe_value, dotted_path
from edge.config.field_docs import field_docs
from edge.config.password_mask import mask_passwords
from edge.config.toml_text import toml_value
from edge.contracts.names import NAME_PATTERN, is_name, to_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge.config.toml_lines import KeyPath


@dataclass(frozen=True, slots=True)
class SettingsProblem:
    """One problem in a tree of settings: where it is, a message, and a hint for the user."""

    path: KeyPath
    """Where: of a missing key, the table that lacks it."""
    message: str
    hint: str


def find_problems(tree: Any, cls: type[msgspec.Struct]) -> Iterator[SettingsProblem]:
    """Find all problems that keep ``tree`` (from a TOML or JSON parser) from being a ``cls``.

    If there are none, ``msgspec.convert`` accepts it.
    """
    return _in_table(tree, cls, ())


@cache
def fields_of(cls: type[msgspec.Struct]) -> dict[str, types.Field]:
    """Fields of the settings class ``cls`` by name, with their types."""
    info = types.type_info(cls)
    assert isinstance(info, types.StructType)  # noqa: S101  (for the type checker; cls is a Struct)
    return {field.name: field for field in info.fields}


def without_none(kind: types.Type) -> types.Type:
    """The type ``X`` of ``X | None``; other types as they are."""
    if isinstance(kind, types.UnionType):
        rest = [t for t in kind.types if not isinstance(t, types.NoneType)]
        return rest[0] if len(rest) == 1 else kind
    return kind


def _in_table(value: Any, cls: type[msgspec.Struct], path: KeyPath) -> Iterator[SettingsProblem]:
    if not isinstance(value, dict):
        yield SettingsProblem(
            path, f"{dotted_path(path)}: expected a table, got {describe_value(value)}", f"write [{dotted_path(path)}]"
        )
        return
    fields = fields_of(cls)
    for key in value:
        if key not in fields:
            yield _unknown_key(key, list(fields), path)
    hints = get_type_hints(cls, include_extras=True)
    for name, field in fields.items():
        here: KeyPath = (*path, name)
        if name not in value:
            if field.required:
                yield SettingsProblem(
                    path, f"{dotted_path(path)}: the key {name!r} is missing", f"{name}: {_meaning(cls, name)}"
                )
            continue
        kind = without_none(field.type)
        if value[name] is None and kind is not field.type:
            continue
        if isinstance(kind, types.StructType):
            yield from _in_table(value[name], kind.cls, here)
        elif isinstance(kind, types.ListType) and isinstance(kind.item_type, types.StructType):
            yield from _in_list(value[name], kind.item_type.cls, here)
        else:
            yield from _in_value(value[name], field, hints[name], cls, here)


def _in_list(value: Any, cls: type[msgspec.Struct], path: KeyPath) -> Iterator[SettingsProblem]:
    if not isinstance(value, list):
        hint = f"write [[{dotted_path(path)}]], with two brackets, above each"
        yield SettingsProblem(
            path, f"{dotted_path(path)}: expected a list of tables, got {describe_value(value)}", hint
        )
        return
    for i, item in enumerate(value):
        yield from _in_table(item, cls, (*path, i))


def _in_value(value: Any, field: types.Field, annotation: Any, cls: type, path: KeyPath) -> Iterator[SettingsProblem]:
    kind = without_none(field.type)
    try:
        msgspec.convert(value, annotation)
        # Two things that msgspec lets pass: a name that ends in a line feed, and numbers that are none.
        fits = not (isinstance(value, float) and not math.isfinite(value))
        fits = fits and not (isinstance(kind, types.StrType) and kind.pattern == NAME_PATTERN and not is_name(value))
    except msgspec.ValidationError:
        fits = False
    if not fits:
        message = f"{dotted_path(path)}: expected {describe_type(field.type)}, got {describe_value(value)}"
        yield SettingsProblem(path, message, _hint(value, kind, field, _meaning(cls, field.name)))


def _hint(value: Any, kind: types.Type, field: types.Field, doc: str) -> str:
    """Hint: what to write instead of ``value``."""
    if isinstance(value, str):
        near_name = to_name(mask_passwords(value), "")
        if isinstance(kind, types.StrType) and kind.pattern == NAME_PATTERN and near_name:
            return f"for example {field.name} = {toml_value(near_name)}"
        if isinstance(kind, types.LiteralType):
            near = get_close_matches(value.lower(), map(str, kind.values), n=1)
            if near:
                return f"did you mean {field.name} = {toml_value(near[0])}?"
        if isinstance(kind, (types.IntType, types.FloatType, types.BoolType)) and _reads_as(value, kind):
            return f"write it without quotes: {field.name} = {value.lower()}"
    example = (
        "" if field.default in (None, msgspec.NODEFAULT) else f" For example {field.name} = {toml_value(field.default)}"
    )
    return f"{field.name}: {doc}{example}"


def _meaning(cls: type, name: str) -> str:
    """The field's docstring; the source is read for it only when there is something to explain."""
    return field_docs(cls).get(name, "")


def _reads_as(text: str, kind: types.Type) -> bool:
    """Whether ``text`` would be a value of ``kind`` without its quotes."""
    if isinstance(kind, types.BoolType):
        return text.lower() in ("true", "false")
    try:
        float(text)
    except ValueError:
        return False
    return isinstance(kind, types.FloatType) or text.lstrip("+-").isdigit()


def _unknown_key(key: str, known: list[str], path: KeyPath) -> SettingsProblem:
    """The problem of an unknown key; its hint names the nearest valid key, or all keys if none is near."""
    near = get_close_matches(key.lower().replace("-", "_"), known, n=1)
    table = f"in [{dotted_path(path)}]" if path else "at the top level"
    hint = f"did you mean {near[0]!r}?" if near else f"the keys {table} are: {', '.join(known)}"
    return SettingsProblem((*path, key), f"{dotted_path((*path, key))}: there is no such key {table}", hint)
