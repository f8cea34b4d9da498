"""Loads the settings: defaults < TOML file < ``EDGE_A__B`` environment variables < flags.

    EDGE_SITE=clinic-a                          site = "clinic-a"
    EDGE_RUNTIME__URI=litert://?threads=2       [runtime] uri = …
    EDGE_STREAMS__0__SOURCE=phantom://          the first of [[streams]]; its other keys stay as they are
    EDGE_SINKS='[{"uri": "jsonl:///tmp/f"}]'    JSON takes the place of the whole list
    EDGE_DEVICE=null                            None; an empty variable counts as not set

A wrong key or value is a `ConfigError` that names its file and line, its variable or its flag.
"""

from __future__ import annotations

import errno
import os
import re
import socket
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from edge.config.consistency import find_contradictions
from edge.config.descriptions import dotted_path
from edge.config.setting_layers import FLAGS, SettingLayers, SettingOrigin, from_environment, parse_text
from edge.config.settings import Settings, StreamSettings
from edge.config.toml_lines import KeyPath, key_lines
from edge.config.uri import parse_uri
from edge.config.uri_suggestions import plain_source
from edge.config.validate import SettingsProblem, find_problems
from edge.contracts.errors import ConfigError
from edge.contracts.names import to_name

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


STDIN = Path("-")
"""As a path: the settings come on standard input."""


@dataclass(frozen=True, slots=True)
class LoadedSettings:
    """Result of loading: the settings, or every problem found, and the layers with the origin of each value."""

    settings: Settings | None
    """None if there are problems."""
    problems: list[ConfigError]
    layers: SettingLayers


def load_settings(
    path: Path | None = None, environ: Mapping[str, str] | None = None, overrides: Mapping[str, Any] | None = None
) -> Settings:
    """Load the effective settings from file, environment and flags.

    Args:
        path: a TOML file; None: no file.
        environ: the environment; None: the process's own.
        overrides: from flags: values, tables and lists by name (``"site"``, ``"runtime.uri"``, ``"streams"``). None
            was not given; a list takes the place of the whole list.

    Raises:
        ConfigError: the first thing that is wrong, with the number of the others.
    """
    loaded = try_loading(path, os.environ if environ is None else environ, overrides or {})
    if loaded.settings is not None:
        return loaded.settings
    first, others = loaded.problems[0], len(loaded.problems) - 1
    if not others:
        raise first
    more = f"{others} more problem{'s' if others > 1 else ''}: edge-cli config check {path or 'FILE'}"
    raise ConfigError(first.message, hint=f"{first.hint} ({more})")


def try_loading(path: Path | None, environ: Mapping[str, str], overrides: Mapping[str, Any]) -> LoadedSettings:
    """Load the settings as `load_settings` does, but return all problems and each value's origin."""
    layers = SettingLayers()
    try:
        if path is not None:
            _add_file(layers, path)
    except ConfigError as error:
        return LoadedSettings(None, [error], layers)
    problems = [*_add_environment(layers, environ), *_add_flags(layers, overrides)]
    problems += [as_config_error(layers, problem) for problem in find_problems(layers.tree, Settings)]
    if problems:
        return LoadedSettings(None, problems, layers)
    settings = with_source_uris(msgspec.convert(layers.tree, Settings))
    problems = [as_config_error(layers, problem) for problem in find_contradictions(settings)]
    return LoadedSettings(None if problems else settings, problems, layers)


def as_config_error(layers: SettingLayers, problem: SettingsProblem) -> ConfigError:
    """``problem`` as `ConfigError` with the file and line, variable or flag that it came from."""
    where = layers.origin(problem.path).where
    return ConfigError(f"{where}: {problem.message}" if where else problem.message, hint=problem.hint)


def read_toml(path: Path) -> tuple[dict[str, Any], str]:
    """Parse a TOML file: its tree and its text. Raises `ConfigError` with the line, or if it cannot be read."""
    try:
        text = (stdin_bytes() if path == STDIN else path.read_bytes()).decode("utf-8-sig")
        return tomllib.loads(text), text
    except FileNotFoundError:
        raise ConfigError(
            f"{path}: there is no such file", hint=f"make one: edge-cli config init --out {path}"
        ) from None
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error}", hint="name a TOML file that can be read") from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ConfigError(
            f"{path}:{line}: expected UTF-8, got byte {error.object[error.start]:#04x}", hint="save the file as UTF-8"
        ) from None
    except tomllib.TOMLDecodeError as error:
        what, line = _syntax_error(str(error), text)
        raise ConfigError(
            f"{path}:{line}: this is no TOML: {what}", hint='texts stand in quotes: key = "value"'
        ) from None
    except RecursionError:
        raise ConfigError(f"{path}: nested too deeply", hint="settings are at most three levels deep") from None


@cache
def stdin_bytes() -> bytes:
    """All that comes on standard input, kept: who loads the settings again gets the same. Raises OSError."""
    if sys.stdin is None or sys.stdin.isatty():
        raise OSError(errno.ENOTTY, "standard input is a terminal")
    return sys.stdin.buffer.read()


def _syntax_error(message: str, text: str) -> tuple[str, int]:
    """The parser's message, and the line that it is about."""
    found = re.search(r"^(.*?) \(at line (\d+), column \d+\)$", message, re.DOTALL)
    if found:
        return found[1], int(found[2])
    return message.removesuffix(" (at end of document)"), text.count("\n") + 1


def _add_file(layers: SettingLayers, path: Path) -> None:
    layers.tree, text = read_toml(path)
    layers.origins = {key: SettingOrigin("file", f"{path}:{line}") for key, line in key_lines(text).items()}


def _add_environment(layers: SettingLayers, environ: Mapping[str, str]) -> list[ConfigError]:
    problems = []
    for path, text, variable in from_environment(environ):
        if not _is_utf8(text):
            problems.append(ConfigError(f"{variable}: expected UTF-8, got other bytes", hint="use names in UTF-8"))
            continue
        obstacle = layers.put(path, parse_text(path, text), SettingOrigin("environment", variable))
        if obstacle:
            problems.append(ConfigError(f"{variable}: {obstacle}", hint="correct the variable's name, or unset it"))
    return problems


def _add_flags(layers: SettingLayers, overrides: Mapping[str, Any]) -> list[ConfigError]:
    problems = []
    for path, value in _leaves((), msgspec.to_builtins(overrides, enc_hook=str)):
        name = dotted_path(path)
        flag = FLAGS.get(name) or "--" + name.replace(".", "-").replace("_", "-")
        if not _is_utf8(value):
            problems.append(ConfigError(f"{flag}: expected UTF-8, got other bytes", hint="use names in UTF-8"))
            continue
        obstacle = layers.put(path, value, SettingOrigin("flag", flag))
        if obstacle:
            problems.append(ConfigError(f"{flag}: {obstacle}", hint="correct the file, or leave out the flag"))
    return problems


def _is_utf8(value: Any) -> bool:
    """Whether a value, and all that is in it, could be written as JSON: a file name of other bytes could not."""
    if isinstance(value, str):
        return value.isascii() or not any("\ud800" <= c <= "\udfff" for c in value)
    if isinstance(value, dict):
        return all(_is_utf8(item) for pair in value.items() for item in pair)
    return not isinstance(value, list) or all(map(_is_utf8, value))


def _leaves(path: KeyPath, tree: Mapping[str, Any]) -> Iterator[tuple[KeyPath, Any]]:
    """Every value in ``tree`` with its path: a table of flags adds to the file's table, it does not replace it."""
    for key, value in tree.items():
        here: KeyPath = (*path, *key.split("."))
        if isinstance(value, dict):
            yield from _leaves(here, value)
        elif value is not None:
            yield here, value


def with_source_uris(settings: Settings) -> Settings:
    """Settings in which plain paths of files and folders that are there stand as the URIs of their sources."""
    streams = [msgspec.structs.replace(stream, source=plain_source(stream.source)) for stream in settings.streams]
    return msgspec.structs.replace(settings, streams=streams)


def streams_from_sources(sources: Sequence[str]) -> list[StreamSettings]:
    """A stream for each source, a URI or plain path, named ``{scheme}-{n}``, n from 1. `UsageError` for no source."""
    counts: dict[str, int] = {}
    streams = []
    for source in map(plain_source, sources):
        scheme = to_name(parse_uri(source, "sources").scheme, "stream")
        counts[scheme] = counts.get(scheme, 0) + 1
        streams.append(StreamSettings(name=f"{scheme}-{counts[scheme]}", source=source))
    return streams


def default_device_name() -> str:
    """Default device name: the host's name without its domain, as a valid name."""
    return to_name(socket.gethostname().partition(".")[0], "device")


def default_state_dir() -> Path:
    """Default state folder: ``/var/lib/sonoedge`` for root, else the user's own.

    That is ``$XDG_STATE_HOME/sonoedge`` or ``~/.local/state/sonoedge``.
    """
    if os.geteuid() == 0:
        return Path("/var/lib/sonoedge")
    base = os.environ.get("XDG_STATE_HOME", "")
    # The XDG specification wants relative paths ignored.
    return (Path(base) if os.path.isabs(base) else Path.home() / ".local" / "state") / "sonoedge"
