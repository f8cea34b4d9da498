"""Tree of settings put together layer by layer, in the order of `edge.config.load`; keeps the origin of each value."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import inspect as types

from edge.config.descriptions import dotted_path
from edge.config.settings import Settings
from edge.config.validate import fields_of, without_none
from edge.contracts.decoding import UnreadableError, decode_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge.config.toml_lines import KeyPath

PREFIX = "EDGE_"
NOT_SETTINGS = frozenset({"EDGE_DEBUG"})
"""Environment variables that begin with the prefix, but are no settings: they are read elsewhere."""
FLAGS = {"streams": "--source", "sinks": "--sink", "runtime.uri": "--runtime", "drain_timeout_s": "--drain-timeout"}
"""Flags whose name is not that of their setting."""
BOOLEAN_TEXTS = {
    "true": True,
    "1": True,
    "yes": True,
    "on": True,
    "false": False,
    "0": False,
    "no": False,
    "off": False,
}


@dataclass(frozen=True, slots=True)
class SettingOrigin:
    """Origin of a setting's value: default, file and line, environment variable, or flag."""

    kind: str
    """``default``, ``file``, ``environment`` or ``flag``."""
    where: str
    """For people: ``edge.toml:12``, ``EDGE_SITE``, ``--site``; "" for a default."""

    def __str__(self) -> str:
        return f"{self.kind} {self.where}".strip()


DEFAULT = SettingOrigin("default", "")


@dataclass(slots=True)
class SettingLayers:
    """A tree of plain values, where each later layer overrides the earlier ones, with the origin of each value."""

    tree: dict[str, Any] = field(default_factory=dict)
    origins: dict[KeyPath, SettingOrigin] = field(default_factory=dict)

    def put(self, path: KeyPath, value: Any, origin: SettingOrigin) -> str | None:
        """Set ``value`` at ``path``; returns a message saying what prevents it, or None."""
        node: Any = self.tree
        for depth, part in enumerate(path):
            here = path[:depth]
            if isinstance(part, int) and not isinstance(node, list):
                return f"{dotted_path(here)} is no list"
            if isinstance(part, str) and not isinstance(node, dict):
                return f"{dotted_path(here)} has numbered items: write a number, not {part!r}"
            if isinstance(part, int) and part > len(node):
                return f"{dotted_path(here)} has {len(node)} items so far, the next is number {len(node)}"
            last = depth == len(path) - 1
            fresh = value if last else [] if isinstance(path[depth + 1], int) else {}
            if isinstance(part, int) and part == len(node):
                node.append(fresh)
            elif last or (isinstance(part, str) and node.get(part) is None):
                node[part] = fresh
            node = node[part]
        for old in [p for p in self.origins if p[: len(path)] == path]:
            del self.origins[old]
        self.origins[path] = origin
        return None

    def origin(self, path: KeyPath) -> SettingOrigin:
        """Origin of the value at ``path``: its own, else that of something in it, else that of what it is in."""
        if path in self.origins:
            return self.origins[path]
        within = [o for p, o in self.origins.items() if p[: len(path)] == path]
        if within:
            return within[-1]
        for end in range(len(path) - 1, 0, -1):
            if path[:end] in self.origins and self._is_in(path):
                return self.origins[path[:end]]
        return DEFAULT

    def _is_in(self, path: KeyPath) -> bool:
        """Whether the tree itself has a value there."""
        node: Any = self.tree
        try:
            for part in path:
                node = node[part]
        except (KeyError, IndexError, TypeError):
            return False
        return True


def from_environment(environ: Mapping[str, str]) -> list[tuple[KeyPath, str, str]]:
    """Settings in ``environ`` as (path, text, variable), whole lists before their items. Empty means unset."""
    found = []
    for variable, text in environ.items():
        if variable.startswith(PREFIX) and variable not in NOT_SETTINGS and text:
            parts = variable.removeprefix(PREFIX).lower().split("__")
            path: KeyPath = tuple(int(p) if p.isascii() and p.isdigit() else p for p in parts)
            found.append((path, text, variable))
    return sorted(found, key=lambda item: [(isinstance(p, str), p) for p in item[0]])


def parse_text(path: KeyPath, text: str) -> Any:
    """Convert a variable's text for the setting at ``path``: unchanged where a text is expected, else as JSON."""
    kind = type_at(path)
    if isinstance(kind, types.BoolType):
        return BOOLEAN_TEXTS.get(text.lower(), text)
    if text == "null":
        return None
    if kind is None or isinstance(kind, types.StrType):
        return text
    if isinstance(kind, types.LiteralType) and text in kind.values:
        return text
    try:
        return decode_json(text, object)
    except UnreadableError:
        return text


def type_at(path: KeyPath) -> types.Type | None:
    """Type of the setting at ``path``, without its None; returns None if there is no such setting."""
    kind: types.Type | None = None
    cls: type[msgspec.Struct] | None = Settings
    for part in path:
        if cls is not None and isinstance(part, str) and part in fields_of(cls):
            kind = without_none(fields_of(cls)[part].type)
        elif isinstance(kind, types.ListType) and isinstance(part, int):
            kind = without_none(kind.item_type)
        else:
            return None
        cls = kind.cls if isinstance(kind, types.StructType) else None
    return kind
