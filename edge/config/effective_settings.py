"""Effective settings for display (``config show``): as TOML or plain values, with origins, and secrets masked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from edge.config.consistency import FILE_FIELDS
from edge.config.descriptions import dotted_path
from edge.config.password_mask import mask_passwords
from edge.config.toml_text import toml_value
from edge.config.uri import parse_uri

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge.config.setting_layers import SettingLayers
    from edge.config.settings import Settings
    from edge.config.toml_lines import KeyPath

ORIGIN_COLUMN = 48


def masked_settings(settings: Settings) -> dict[str, Any]:
    """Settings as plain values, with the passwords in URIs masked."""
    plain: dict[str, Any] = _masked(msgspec.to_builtins(settings))
    return plain


def redacted_settings(settings: Settings) -> dict[str, Any]:
    """Settings as plain values that may leave the device: no credentials, user names, host paths or file names."""
    plain: dict[str, Any] = msgspec.to_builtins(settings)
    for stream in plain["streams"]:
        stream["source"] = parse_uri(stream["source"]).redacted()
        _hide(stream, "username", "password_file")
    for sink in plain["sinks"]:
        sink["uri"] = parse_uri(sink["uri"]).redacted()
        _hide(sink, "username", *FILE_FIELDS)
    _hide(plain, "state_dir", "model")
    _hide(plain["view"], "token_file", "cert_file", "key_file")
    plain["view"]["names"] = ["***" for _ in plain["view"]["names"]]  # names of hosts on the clinic's network
    shown: dict[str, Any] = _masked(plain)
    return shown


def _hide(table: dict[str, Any], *keys: str) -> None:
    for key in keys:
        if table[key] is not None:
            table[key] = "***"


def setting_origins(settings: Settings, layers: SettingLayers) -> dict[str, str]:
    """Origin of each single setting by its dotted name: ``file edge.toml:3``."""
    return {dotted_path(path): str(layers.origin(path)) for path, _ in _leaves((), msgspec.to_builtins(settings))}


def settings_as_toml(settings: Settings, layers: SettingLayers) -> str:
    """Settings as TOML that loads to the same (but for what is masked), each line with its origin as a comment."""
    return "\n".join(_table((), masked_settings(settings), layers)) + "\n"


def _table(path: KeyPath, table: dict[str, Any], layers: SettingLayers) -> Iterator[str]:
    """A table's values first, then the tables in it: so TOML wants it."""
    for key, value in table.items():
        if not _holds_tables(value):
            here: KeyPath = (*path, key)
            text = f"# {key} is not set" if value is None else f"{key} = {toml_value(value)}"
            yield f"{text:<{ORIGIN_COLUMN}}  # {layers.origin(here)}"
    for key, value in table.items():
        if isinstance(value, dict):
            yield from ("", f"[{_name((*path, key))}]")
            yield from _table((*path, key), value, layers)
        elif _holds_tables(value):
            for i, item in enumerate(value):
                yield from ("", f"[[{_name((*path, key))}]]")
                yield from _table((*path, key, i), item, layers)


def _holds_tables(value: Any) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and bool(value) and isinstance(value[0], dict))


def _name(path: KeyPath) -> str:
    return ".".join(part for part in path if isinstance(part, str))


def _leaves(path: KeyPath, value: Any) -> Iterator[tuple[KeyPath, Any]]:
    if _holds_tables(value):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _leaves((*path, key), item)
    else:
        yield path, value


def _masked(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _masked(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_masked(item) for item in value]
    return mask_passwords(value) if isinstance(value, str) else value
